"""Log reviewers in by token, one at a time for each token; a server that was killed still knows who was logged in."""

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dataset_builders.private_files import write_private
from dataset_builders.review.folder import hash_token, read_tokens
from dataset_builders.review.refusals import Refused

IDLE = 120.0
"""Seconds without a sign of the page (it gives one every 30) after which the token is free for another window."""


class Sessions:
    """Who is logged in. Cookies are kept as hashes in ``sessions.json``; a token that was renewed ends its session."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time):
        self._folder = folder
        self._path = folder / "sessions.json"
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, dict[str, str | float]] = (
            json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        )
        self._replaced: dict[str, str] = {}

    def log_in(self, token: str, take_over: bool = False) -> tuple[str, str]:
        """Return the reviewer and a new session.

        Raises Refused "wrong_token", or "token_in_use" if another window is logged in with it and ``take_over`` is false.
        """
        digest = hash_token(token.strip())
        name = next((name for name, known in read_tokens(self._folder).items() if hmac.compare_digest(digest, known)), None)
        if name is None:
            raise Refused("wrong_token", "This token is not known. Copy it whole, or ask the coordinator for a new one.", 401)
        session = secrets.token_urlsafe(24)
        with self._lock:
            current = self._open.get(name)
            if current is not None:
                idle = self._clock() - float(current["seen"])
                if idle < IDLE and not take_over:
                    raise Refused(
                        "token_in_use",
                        f"{name} is logged in in another window, which was used {idle:.0f} seconds ago. Log out there, or take "
                        "over here. If it was not you, ask the coordinator for a new token.",
                        409,
                    )
                self._replaced[str(current["session"])] = name
            self._open[name] = {"session": hash_token(session), "token": digest, "seen": self._clock()}
            self._save()
        return name, session

    def reviewer_of(self, session: str | None) -> str:
        """Return who a session belongs to. Raises Refused "not_logged_in" or "session_replaced"."""
        digest = hash_token(session or "")
        for name, current in list(self._open.items()):
            if hmac.compare_digest(str(current["session"]), digest) and current["token"] == read_tokens(self._folder)[name]:
                current["seen"] = self._clock()
                return name
        if name := self._replaced.get(digest, ""):
            raise Refused(
                "session_replaced", f"{name} logged in in another window, which took over. Log in again to go on.", 409
            )
        raise Refused("not_logged_in", "Log in with your token.", 401)

    def log_out(self, session: str | None) -> None:
        """End a session, if it is one."""
        digest = hash_token(session or "")
        with self._lock:
            self._open = {name: current for name, current in self._open.items() if current["session"] != digest}
            self._save()

    def _save(self) -> None:
        partial = self._path.with_suffix(".partial")
        write_private(partial, json.dumps(self._open) + "\n")
        partial.replace(self._path)
