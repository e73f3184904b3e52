"""A polite HTTP client: one request at a time, a minimum interval, bounded retries, only whole files kept.

Only http and https are spoken. A redirect may go from http to https, never back, and to no other scheme. What is retried:
408, 429, 500, 502, 503 and 504, connections that fail or stall, and bodies that are cut short or do not parse. A
``Retry-After`` (seconds or a date) is waited for, up to five minutes; if it is longer, the request fails at once and says so.
"""

import hashlib
import http.client
import importlib.metadata
import math
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from tqdm import tqdm

_SCHEMES = ("http", "https")
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_TRIED_TWICE = "http_500"  # Europe PMC's answer, every time, if it cannot pack an article's figures
_NOT_THERE = frozenset({404, 410})
_LONGEST_RETRY_AFTER = 300.0  # seconds
_PROGRESS = 1 << 20  # bytes; an attempt that brought this many to go on from is not counted: large files break off often
_BLOCK = 1 << 16
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_T = TypeVar("_T")


class FetchError(Exception):
    """A request that failed for good: ``reason`` is a slug to count by, ``detail`` says what is wrong at which address."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NotThere(FetchError):
    """The server says that the address holds nothing (404, 410)."""


class BadBody(Exception):
    """What arrived is not whole, or not what was requested; ``accept`` raises it to have the request repeated."""


class _Again(Exception):
    def __init__(self, reason: str, detail: str, retry_after: float = 0.0):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.progressed = False


@dataclass
class Client:
    """An HTTP client and its limits.

    interval  seconds between the starts of two requests. Europe PMC allows 10 requests a second; the default is 2.
    timeout   seconds that a server may stay silent.
    attempts  most attempts at a request; one that brings a download at least 1 MiB further is not counted.
    backoff   seconds before the first retry; each further retry waits twice as long.
    email     sent to the servers in User-Agent and From, so that they can write to you before they block you.

    Raises ValueError if ``email`` is no e-mail address or a number is out of range.
    """

    interval: float = 0.5
    timeout: float = 60.0
    attempts: int = 5
    backoff: float = 1.0
    email: str | None = None
    _last: float = field(default=-math.inf, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.email is not None and not _EMAIL.fullmatch(self.email):
            raise ValueError(f"--email {self.email!r} is no e-mail address")
        if self.interval < 0 or self.timeout <= 0 or self.attempts < 1 or self.backoff < 0:
            raise ValueError("interval and backoff are at least 0, timeout is above 0, attempts is at least 1")

    def get(self, url: str, accept: Callable[[bytes], _T], limit: int) -> _T:
        """Request ``url``; return ``accept(body)``. ``accept`` raises BadBody to have the request repeated.

        limit   bytes that the body may have at most.

        Raises NotThere if the address holds nothing, and FetchError if the request failed for good.
        """

        def attempt() -> _T:
            with _open(url, self._headers(), self.timeout) as response:
                body = b"".join(_blocks(response, limit))
            return _accept(accept, body)

        return self._retry(url, attempt)

    def download(
        self, url: str, path: Path, limit: int, checksum: str | None = None, accept: Callable[[Path], None] = lambda _: None
    ) -> None:
        """Download ``url`` (at most ``limit`` bytes) to ``path``, which appears only when it is whole and accepted.

        checksum  "md5:…" or "sha256:…". If it is given, or if the server sent a strong ETag, a download that broke off
                  goes on from its last byte, even after the process was killed: the part lies in ``path`` + ".part".
        accept    raises BadBody if a file is not what it should be.

        Raises NotThere if the address holds nothing, and FetchError if the request failed for good (with the reason
        "checksum" if the whole file arrived but does not match).
        """
        part, tag = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.etag")
        path.parent.mkdir(parents=True, exist_ok=True)

        def attempt() -> None:
            resumed = self._receive(url, part, tag, limit, checksum is not None)
            if checksum is not None and not _has_checksum(part, checksum):
                part.unlink()
                if resumed:  # the first bytes may be of another file: start over
                    raise _Again("checksum", f"the file is not {checksum}")
                raise FetchError("checksum", f"{url}: the file is not {checksum}, which the catalogue states")
            try:
                _accept(accept, part)
            except (_Again, FetchError):
                part.unlink()
                raise
            part.replace(path)
            tag.unlink(missing_ok=True)

        self._retry(url, attempt)

    def _receive(self, url: str, part: Path, tag: Path, limit: int, checked: bool) -> bool:
        """Append to ``part`` or write it anew; return True if it went on from bytes that were there."""
        etag = tag.read_text(encoding="utf-8") if tag.exists() else ""
        have = part.stat().st_size if part.exists() and (etag or checked) else 0
        headers = self._headers()
        if have:
            headers |= {"Range": f"bytes={have}-"} | ({"If-Range": etag} if etag else {})
        try:
            response = _open(url, headers, self.timeout)
        except _Again as problem:
            if problem.reason == "http_416":
                part.unlink()
            raise
        with response:
            resumes = response.status == 206
            if resumes and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                part.unlink(missing_ok=True)
                raise _Again("bad_range", "the server sent another part of the file than was asked for")
            etag = response.headers.get("ETag", "")
            etag = "" if etag.startswith("W/") else etag
            tag.write_text(etag, encoding="utf-8")
            size = response.length + (have if resumes else 0) if response.length is not None else None
            with (
                part.open("ab" if resumes else "wb") as file,
                tqdm(total=size, initial=have if resumes else 0, unit="B", unit_scale=True, leave=False, delay=2) as bar,
            ):
                try:
                    for block in _blocks(response, limit - (have if resumes else 0)):
                        file.write(block)
                        bar.update(len(block))
                except _Again as problem:
                    problem.progressed = bool(etag or checked) and file.tell() - have >= _PROGRESS
                    raise
        return resumes

    def _headers(self) -> dict[str, str]:
        contact = f"; mailto:{self.email}" if self.email else ""
        agent = f"SpineMed/{importlib.metadata.version('spinemed')} (data set builder{contact})"
        return {"User-Agent": agent, "Accept-Encoding": "identity"} | ({"From": self.email} if self.email else {})

    def _retry(self, url: str, attempt: Callable[[], _T]) -> _T:
        number = 0
        while True:
            time.sleep(max(0.0, self._last + self.interval - time.monotonic()))
            self._last = time.monotonic()
            try:
                return attempt()
            except _Again as problem:
                number = 1 if problem.progressed else number + 1
                if problem.retry_after > _LONGEST_RETRY_AFTER:
                    raise FetchError(
                        problem.reason, f"{url}: the server asks to wait {problem.retry_after:.0f} seconds; run again later"
                    ) from problem
                if number == self.attempts or (number == 2 and problem.reason == _TRIED_TWICE):
                    raise FetchError(problem.reason, f"{url}: {problem.detail} ({number} times)") from problem
                time.sleep(max(self.backoff * 2 ** (number - 1), problem.retry_after))


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in _SCHEMES or (old == "https" and new == "http"):
            raise FetchError("redirect", f"{req.full_url}: a redirect from {old} to {newurl} is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _make_opener() -> urllib.request.OpenerDirector:
    """Make an opener for http and https with the environment's proxies, but without ftp:, file: and data:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _open(url: str, headers: dict[str, str], timeout: float) -> http.client.HTTPResponse:
    if urlsplit(url).scheme not in _SCHEMES:
        raise FetchError("address", f"{url!r}: only http and https addresses are fetched")
    try:
        return _make_opener().open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        with error:
            if error.code in _NOT_THERE:
                raise NotThere("not_there", f"{url}: {error.code} {error.reason}") from error
            if 300 <= error.code < 400:  # urllib's own refusals: another scheme, a loop
                raise FetchError("redirect", f"{url}: {error.reason}") from error
            if error.code in _RETRIED or (error.code == 416 and "Range" in headers):
                raise _Again(f"http_{error.code}", str(error.reason), _retry_after(error.headers)) from error
            raise FetchError(f"http_{error.code}", f"{url}: {error.reason}") from error
    except ValueError as error:  # also of a redirect
        raise FetchError("address", f"{url}: {error}") from error
    except (URLError, http.client.HTTPException, OSError) as error:
        raise _Again("unreachable", f"{getattr(error, 'reason', None) or error!r}") from error


def _retry_after(headers: Any) -> float:
    """Return the seconds that the server asks to wait, 0 if it does not say."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _blocks(response: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
    """Yield the body in blocks. Raises _Again if it ends early or stalls, FetchError if it exceeds ``limit`` bytes."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchError("encoded", f"{response.url}: the server packs what was asked for as it is")
    expected, seen = response.length, 0
    if expected is not None and expected > limit:
        raise FetchError("too_large", f"{response.url}: {expected:,} bytes, the limit is {limit:,}")
    while True:
        try:
            block = response.read(_BLOCK)
        except (http.client.HTTPException, OSError) as error:
            raise _Again("truncated", f"the body broke off after {seen:,} bytes: {error!r}") from error
        if not block:
            break
        seen += len(block)
        if seen > limit:
            raise FetchError("too_large", f"{response.url}: more than {limit:,} bytes")
        yield block
    if expected is not None and seen != expected:
        raise _Again("truncated", f"{seen:,} of {expected:,} bytes arrived")


def _accept(accept: Callable[[Any], _T], body: bytes | Path) -> _T:
    try:
        return accept(body)
    except BadBody as problem:
        raise _Again("bad_body", str(problem)) from problem


def _has_checksum(path: Path, checksum: str) -> bool:
    algorithm, _, digest = checksum.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == digest.lower()
