"""A loopback server that answers as OpenAI's chat completions do, and a models.yaml that names it."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn


class Server(ThreadingHTTPServer):
    """Answers every request with what ``answer`` makes of it; with ``status`` and nothing, if that is no 200."""

    daemon_threads = True
    answer: Callable[[dict], str]
    status = 200
    finish_reason = "stop"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict] = []

    def redirect(self, address: str) -> NoReturn:
        """Answer the request under way with a redirect; call it from ``answer``."""
        raise _Redirect(address)


class _Redirect(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Server = self.server
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests.append(request)
        if server.status != 200:
            self.send_response(server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        try:
            message = {"role": "assistant", "content": server.answer(request)}
        except _Redirect as redirect:
            self.send_response(307)
            self.send_header("Location", str(redirect))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = json.dumps(
            {
                "id": "c", "object": "chat.completion", "created": 1, "model": "served-name",
                "choices": [{"index": 0, "message": message, "finish_reason": server.finish_reason}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def write_models(folder: Path, url: str, roles: str = "draft: {external: m, open_data: m, hospital: m}\n  revise: {}") -> Path:
    path = folder / "models.yaml"
    path.write_text(f"log: calls.sqlite\nendpoints:\n  m: {{base_url: '{url}', model: asked-name}}\nroles:\n  {roles}\n")
    return path
