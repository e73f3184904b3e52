"""Answer a benchmark and judge reports with models at an address, through modeling.chat_client.

Every call is a row of ``calls.sqlite`` in the run's folder, so a run that was cut off pays for nothing twice. Hospital items go
to trusted endpoints only; a run that would send one elsewhere is refused before its first call.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import openai

from evaluation.benchmark import Benchmark
from evaluation.judge import Conversation, Judge, JudgeError, llm_judge
from evaluation.predict import Reply, Request
from evaluation.prompts import load_prompt
from modeling.chat_client import ChatClient, ChatError, Endpoint, image_part, is_trusted, load_chat_clients

CALLS = "calls.sqlite"
JUDGE_ROLE = "judge"
JUDGE_MAX_TOKENS = 2048
GREEDY = {"temperature": 0, "seed": 0}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of an OpenAI-compatible server, as the command line gives it.

    name           the model's name on the server; None: the only one that it serves.
    api_key_env    environment variable that holds its key; None: it needs none.
    trusted_hosts  hosts other than this machine to which hospital items may be sent.
    """

    url: str
    name: str | None = None
    api_key_env: str | None = None
    trusted_hosts: tuple[str, ...] = ()


class EndpointModel:
    """A served model that answers in words, with ``workers`` requests at once."""

    def __init__(self, address: Address, log: Path, workers: int = 1) -> None:
        self.id = served_name(address)
        self.version = f"served at {urlsplit(address.url).netloc}"
        self.parameters: int | None = None
        self._client = _client(address, self.id, log, max_tokens=1)
        self._workers = workers

    def generate(self, requests: Sequence[Request], max_new_tokens: int) -> list[Reply]:
        """Return the answers in order.

        Raises ChatError if the server gives none; the answers before that are in the log.
        """
        endpoint = replace(self._client.endpoint, max_output_tokens=max_new_tokens)
        client = ChatClient(endpoint, self._client.log, trusted_hosts=self._client.trusted_hosts)

        def answer(request: Request) -> Reply:
            content = [*(image_part(image) for image in request.images), {"type": "text", "text": request.text}]
            try:
                reply = client.complete(
                    [{"role": "user", "content": content}],
                    prompt_id=request.prompt_id,
                    prompt_sha256=request.prompt_sha256,
                    private=request.is_hospital,
                )
            except ChatError as error:
                if error.reason == "empty_reply":  # the model said nothing: that is its answer
                    return Reply("", truncated=False)
                raise
            return Reply(reply.text.strip(), truncated=reply.finish_reason == "length")

        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(answer, requests))


def endpoint_judge(judge: str, address: Address, log: Path) -> Judge:
    """Make a judge from a models.yaml (its role "judge") or from an address; a failed call raises JudgeError for its report."""
    if judge.endswith((".yaml", ".yml")):
        clients = load_chat_clients(judge)
        if JUDGE_ROLE not in clients:
            raise ValueError(f"--judge {judge}: it gives no endpoint the role {JUDGE_ROLE!r}")
        client = clients[JUDGE_ROLE]
    else:
        client = _client(address, served_name(address), log, max_tokens=JUDGE_MAX_TOKENS)
    prompt = load_prompt("judge_report")

    def ask(messages: Conversation, is_hospital: bool) -> str:
        try:
            return client.complete(messages, prompt_id=prompt.id, prompt_sha256=prompt.sha256, private=is_hospital).text
        except ChatError as error:
            raise JudgeError(str(error)) from error

    return llm_judge(client.endpoint.model, ask)


def served_name(address: Address) -> str:
    """Return the model's name on its server.

    Raises ValueError if no name was given and the server serves several models, or none.
    """
    if address.name:
        return address.name
    try:
        with openai.OpenAI(base_url=address.url, api_key=_key(address), max_retries=1, timeout=20) as client:
            names = sorted(model.id for model in client.models.list())
    except openai.APIError as error:
        raise ValueError(
            f"{address.url}: it does not say which models it serves ({type(error).__name__}); name the model"
        ) from error
    if len(names) != 1:
        raise ValueError(f"{address.url}: it serves {', '.join(names) or 'no model'}; name one of them")
    return names[0]


def check_trusted(address: Address, benchmark: Benchmark) -> None:
    """Raise ValueError if hospital items would go to a server that is not trusted."""
    host = urlsplit(address.url).hostname or ""
    hospital = sum(item.is_hospital for item in benchmark.items)
    if hospital and not is_trusted(host, address.trusted_hosts):
        raise ValueError(
            f"{address.url}: {hospital} items of {benchmark.name} are hospital cases and {host} is not trusted; use a server "
            "on this machine, or --trusted-host for one inside the hospital"
        )


def _client(address: Address, name: str, log: Path, max_tokens: int) -> ChatClient:
    endpoint = Endpoint(address.url, name, api_key_env=address.api_key_env, max_output_tokens=max_tokens, options=GREEDY)
    return ChatClient(endpoint, log, trusted_hosts=address.trusted_hosts)


def _key(address: Address) -> str:
    return os.environ.get(address.api_key_env, "") if address.api_key_env else "none"
