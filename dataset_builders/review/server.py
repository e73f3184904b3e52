"""Serve the review page: plain HTML and JavaScript from this machine, to this machine, and nothing from anywhere else.

    GET  /                    the page; /page/* its script, style and words
    POST /api/login           {"token", "take_over"} -> cookie; POST /api/logout
    GET  /api/session         who is logged in, the reasons, what there is to do
    GET  /api/items/ID        an item with its source
    GET  /api/images/SHA256   an image, scaled, as PNG
    POST /api/decisions       a judgement (desk.Judgement); POST /api/undo {"key"}

An error is {"error": one word, "message": what to do}. Nothing is logged but the server's start and its own faults.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import Cookie, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from dataset_builders.review.desk import Desk, Judgement
from dataset_builders.review.images import ScaledImages
from dataset_builders.review.refusals import Refused
from dataset_builders.review.sessions import Sessions

PAGE = Path(__file__).with_name("page")
_FILES = {
    "page.js": "text/javascript",
    "viewer.js": "text/javascript",
    "page.css": "text/css",
    "words.json": "application/json",
}
_COOKIE = "spinemed_review"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _Login(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: str = Field(max_length=200)
    take_over: bool = False


class _Undo(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64)


class _Judgement(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64)
    item: str = Field(max_length=200)
    item_sha256: str = Field(max_length=64)
    stage: Literal["first", "second_look", "adjudication"]
    verdict: Literal["accept", "correct", "remove"]
    reasons: list[str] = Field(default=[], max_length=100)
    comment: str = Field(default="", max_length=10_000)
    corrected: dict[str, Any] | None = None
    second_look: bool = False
    seconds: float | None = Field(default=None, ge=0, le=1e7)


def build_app(desk: Desk, sessions: Sessions, images: ScaledImages, hosts: frozenset[str]) -> FastAPI:
    """Build the server of one review.

    hosts   names and addresses that a browser may call it by; a request to another name is refused (DNS rebinding).
    """
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        name, origin = request.url.hostname, request.headers.get("origin")
        if name not in hosts or (origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}"):
            response: Response = _refuse(Refused("wrong_host", "This page answers only to its own address.", 403))
        else:
            response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return _refuse(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return _refuse(Refused("bad_request", f"{place}: {first['msg']}", 422))

    @app.exception_handler(OSError)
    async def disk(_: Request, error: OSError) -> Response:
        return _refuse(
            Refused("not_saved", f"The disk did not take it ({error.strerror}); nothing was changed. Try again.", 507)
        )

    def reviewer(spinemed_review: Annotated[str | None, Cookie()] = None) -> str:
        return sessions.reviewer_of(spinemed_review)

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(PAGE / "page.html", media_type="text/html")

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)

    @app.get("/page/{name}")
    def part(name: str) -> Response:
        if name not in _FILES:
            raise Refused("not_found", "no such file", 404)
        return FileResponse(PAGE / name, media_type=_FILES[name])

    @app.post("/api/login")
    def log_in(login: _Login, request: Request) -> Response:
        name, session = sessions.log_in(login.token, login.take_over)
        response = JSONResponse({"reviewer": name})
        secure = request.url.scheme == "https"
        response.set_cookie(_COOKIE, session, httponly=True, samesite="strict", secure=secure)
        return response

    @app.post("/api/logout")
    def log_out(spinemed_review: Annotated[str | None, Cookie()] = None) -> Response:
        sessions.log_out(spinemed_review)
        response = JSONResponse({})
        response.delete_cookie(_COOKIE)
        return response

    @app.get("/api/session")
    def session(name: Annotated[str, Depends(reviewer)]) -> dict[str, Any]:
        return {
            "reviewer": name,
            "group": desk.study.reviewers[name].group,
            "reasons": [{"code": one.code, "en": one.en, "zh": one.zh} for one in desk.reasons.values()],
            **_tasks(desk, name),
        }

    @app.get("/api/items/{item:path}")
    def show_item(item: str, name: Annotated[str, Depends(reviewer)]) -> dict[str, Any]:
        return desk.describe(name, item)

    @app.get("/api/images/{sha256}")
    def show_image(sha256: str, _: Annotated[str, Depends(reviewer)]) -> Response:
        if not desk.shows(sha256):
            raise Refused("image_missing", "no image of this review", 404)
        return Response(images.get(sha256), media_type="image/png")

    @app.post("/api/decisions")
    def decide(judged: _Judgement, name: Annotated[str, Depends(reviewer)]) -> dict[str, Any]:
        fields = judged.model_dump() | {"reasons": tuple(dict.fromkeys(judged.reasons))}
        decision = desk.record(name, Judgement(**fields))
        return {"number": decision.number, **_tasks(desk, name)}

    @app.post("/api/undo")
    def undo(request: _Undo, name: Annotated[str, Depends(reviewer)]) -> dict[str, Any]:
        return {"item": desk.undo(name, request.key).item, **_tasks(desk, name)}

    return app


def serve(
    desk: Desk, sessions: Sessions, images: ScaledImages, *, host: str, port: int, certificate: Path | None, key: Path | None
) -> None:
    """Serve until interrupted; arguments as ``check_address``, which raises."""
    check_address(desk, host, certificate, key)
    hosts = frozenset({host.strip("[]"), "127.0.0.1", "localhost", "::1"})
    uvicorn.run(
        build_app(desk, sessions, images, hosts), host=host, port=port, log_level="warning", access_log=False,
        server_header=False, ssl_certfile=certificate, ssl_keyfile=key,
    )  # fmt: skip


def check_address(desk: Desk, host: str, certificate: Path | None, key: Path | None) -> None:
    """Raise ValueError if the review may not be served at ``host``.

    Hospital items are shown on this machine only; others elsewhere only by TLS, since tokens would be read on the way.
    """
    if is_loopback(host):
        return
    if host in ("0.0.0.0", "::", "[::]"):
        raise ValueError(f"--host {host}: give the name or address by which browsers call this machine")
    if desk.study.private_items:
        raise ValueError(
            f"--host {host}: {desk.study.private_items} items of this review are of hospital cases, which are shown on this "
            "machine only. Serve on 127.0.0.1 and let reviewers come by ssh -L, or plan with --without-hospital."
        )
    if not (certificate and key):
        raise ValueError(f"--host {host}: off this machine, tokens need TLS: give --certificate and --key")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's loopback: an address of it, or "localhost"."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _tasks(desk: Desk, name: str) -> dict[str, Any]:
    return {
        "tasks": [
            {"item": task.item, "stage": task.stage, "verdict": task.decision.verdict if task.decision else None}
            for task in desk.tasks_of(name)
        ]
    }


def _refuse(error: Refused) -> JSONResponse:
    return JSONResponse({"error": error.name, "message": str(error)}, error.status)
