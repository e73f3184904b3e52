"""Serve a model at an OpenAI-compatible address: by vLLM if there is a GPU, else by transformers' own server.

    python -m modeling serve --model runs/demo/stage3        # then: python -m evaluation run --model http://127.0.0.1:8000/v1

vLLM pins a torch of its own, so it lives in an environment of its own (``make .venv-vllm``) and is started as a program.
``transformers serve`` loads Qwen2.5-VL's processor with its video half, which needs torchvision; its model manager is used
here with this project's image-only processor instead. It answers one request at a time.
"""

import json
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from starlette.responses import Response
from transformers.cli.serving.chat_completion import ChatCompletionHandler
from transformers.cli.serving.model_manager import ModelManager
from transformers.cli.serving.utils import GenerationState

from modeling.families import SpineGPTProcessor
from modeling.spinegpt import load_processor

VLLM_ENVIRONMENT = ".venv-vllm"
IMAGES = 25  # of a request: the slices of a case, as dataset_builders.volumes takes them (a test holds the two equal)
DATA_URI = "data:image/"


def serve(model: str, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve ``model`` (a folder or Hub id) until interrupted; its name on the server is ``model`` itself.

    Raises FileNotFoundError if there is a GPU but no vLLM, and passes on the errors of loading the model.
    """
    if torch.cuda.is_available():
        command = vllm_command(model, host, port)
        os.execv(command[0], command)
    uvicorn.run(build_app(model), host=host, port=port, log_level="info")


def vllm_command(model: str, host: str, port: int) -> list[str]:
    """Return the vLLM server's command line. Raises FileNotFoundError if vLLM is not installed."""
    program = shutil.which("vllm", path=os.pathsep.join([str(Path(VLLM_ENVIRONMENT, "bin").resolve()), os.get_exec_path()[0]]))
    if program is None:
        raise FileNotFoundError(f"vLLM is not installed in {VLLM_ENVIRONMENT}. Run `make {VLLM_ENVIRONMENT}` first.")
    limits = json.dumps({"image": IMAGES, "video": 0})
    return [program, "serve", model, "--host", host, "--port", str(port), "--limit-mm-per-prompt", limits]


def build_app(model: str) -> FastAPI:
    """Build a server of chat completions, the list of models (one) and a health check, with ``model`` loaded on the CPU."""
    manager = _OneModel(device="cpu", force_model=model)
    handler = ChatCompletionHandler(manager, GenerationState())
    app = FastAPI()
    listed = {"id": model, "object": "model", "created": int(time.time()), "owned_by": "spinemed"}

    @app.post("/v1/chat/completions", response_model=None)
    async def complete(request: Request, body: dict[str, Any]) -> Response:
        _refuse_addresses(body)
        return await handler.handle_request(body, request.headers.get("x-request-id") or str(uuid.uuid4()))

    @app.get("/v1/models")
    def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [listed]}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


class _OneModel(ModelManager):
    """The pinned model with the processor that needs no torchvision."""

    def _load_processor(self, model_id_and_revision: str, gguf_file: str | None = None) -> SpineGPTProcessor:
        if gguf_file is not None:
            raise ValueError(f"model: {gguf_file} is a GGUF file; give a folder or Hub id with safetensors.")
        name, revision = model_id_and_revision.split("@", 1)
        return load_processor(name, revision=revision)


def _refuse_addresses(body: dict[str, Any]) -> None:
    """Refuse an image given by address: fetching it would let a request read the server's own files or call other hosts."""
    for message in body.get("messages") or []:
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            if part.get("type") == "text":
                continue
            source = part.get("image_url")
            address = source.get("url") if isinstance(source, dict) else source
            if not isinstance(address, str) or not address.startswith(DATA_URI):
                raise HTTPException(422, f"{part.get('type')}: send images as {DATA_URI}…;base64 in image_url, nothing else.")
