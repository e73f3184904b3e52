"""The served model is the model, over a real socket and the real client."""

import base64
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import openai
import pytest
import torch
from PIL import Image

from dataset_builders.volumes import SLICES_PER_CASE
from modeling.families import FAMILIES
from modeling.serve import IMAGES, vllm_command
from modeling.spinegpt import load_model, load_processor
from tests.modeling.test_deepspeed import command, engine_config

REPO = Path(__file__).resolve().parents[2]
QUESTION = "Which disc is narrow?"


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, launch, synthetic_dataset, tiny, tiny_qwen3, tmp_path_factory):
    """A stage that two ranks trained under ZeRO-3, which gathers its weights to save them."""
    work = tmp_path_factory.mktemp("served")
    options = {
        "max_steps": 1, "save_strategy": "no", "eval_strategy": "no", "loss_samples": 1, "sample_generations": 0,
        "validation_share": 0, "deepspeed": engine_config("ds_zero3", work),
    }  # fmt: skip
    start = {"qwen2_5_vl": tiny, "qwen3_vl": tiny_qwen3}[request.param]
    launch(command("stage3", synthetic_dataset, start, work / "stage3", **options))
    return work / "stage3"


@pytest.fixture(scope="module")
def client(folder, tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "server.log"
    program = [sys.executable, "-m", "modeling", "serve", "--model", str(folder), "--port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(program, cwd=REPO, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=output, stderr=output)
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, timeout=60)
    try:
        for _ in range(600):
            if server.poll() is not None:
                pytest.fail(log.read_text())
            try:
                client.models.list()
                break
            except openai.APIConnectionError:
                time.sleep(0.2)
        yield client
    finally:
        server.terminate()
        server.wait(20)


def image(shade):
    stream = io.BytesIO()
    Image.new("L", (84, 84), 10 * shade).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.slow
class TestServe:
    def test_one_model_is_listed_under_the_name_it_was_given(self, client, folder):
        assert [model.id for model in client.models.list()] == [str(folder)]

    @pytest.mark.parametrize("count", [0, 1, IMAGES])
    def test_it_answers_what_the_model_itself_generates(self, client, folder, count):
        shown = [{"type": "image"}] * count
        processor, model = load_processor(folder), load_model(folder)
        conversation = [{"role": "user", "content": [*shown, {"type": "text", "text": QUESTION}]}]
        text = processor.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
        images = [Image.open(io.BytesIO(image(shade))) for shade in range(count)] or None
        inputs = processor(text=[text], images=images, return_tensors="pt")
        with torch.no_grad():
            tokens = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        expected = processor.decode(tokens, skip_special_tokens=True)

        urls = ["data:image/png;base64," + base64.b64encode(image(shade)).decode() for shade in range(count)]
        sent = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        reply = client.chat.completions.create(
            model=str(folder),
            messages=[{"role": "user", "content": [*sent, {"type": "text", "text": QUESTION}]}],
            max_tokens=12,
            temperature=0,
        )

        assert expected
        # The server leaves special tokens in, which only a random model writes in mid-sentence.
        assert re.sub(r"<\|\w+\|>", "", reply.choices[0].message.content).strip() == expected.strip()

    @pytest.mark.parametrize("address", ["file:///etc/hostname", "/etc/hostname", "http://127.0.0.1:9/x.png"])
    def test_a_image_by_address_is_refused(self, client, folder, address):
        content = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": QUESTION}]
        with pytest.raises(openai.UnprocessableEntityError) as refusal:
            client.chat.completions.create(model=str(folder), messages=[{"role": "user", "content": content}])
        assert "data:image/" in refusal.value.response.text

    def test_another_model_is_refused(self, client):
        with pytest.raises(openai.BadRequestError) as refusal:
            client.chat.completions.create(model="other/model", messages=[{"role": "user", "content": QUESTION}])
        assert "pinned" in refusal.value.response.text


def test_with_a_gpu_and_no_vllm_the_error_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"make \.venv-vllm"):
        vllm_command("model", "127.0.0.1", 8000)


def test_vllm_is_taken_from_its_own_environment(tmp_path, monkeypatch):
    program = tmp_path / ".venv-vllm" / "bin" / "vllm"
    program.parent.mkdir(parents=True)
    shutil.copy(sys.executable, program)
    monkeypatch.chdir(tmp_path)
    started = vllm_command("model", "127.0.0.1", 8001)
    assert started[:3] == [str(program), "serve", "model"]
    assert json.loads(started[started.index("--limit-mm-per-prompt") + 1]) == {"image": SLICES_PER_CASE, "video": 0}
