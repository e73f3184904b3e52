"""A loopback server that answers as Europe PMC does, and as badly as it and others may.

``troubles`` holds, by path, what is answered before the right answer: a status, (status, headers), or "cut": the right
status and length, half the body. ``asked`` is every path that was asked for, in order. With ``marks_end`` the last page
that has articles does not move its mark; else an empty page follows it.
"""

import io
import json
import threading
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from PIL import Image

CC_BY = (
    '<license xlink:href="https://creativecommons.org/licenses/by/4.0/"><license-p>Creative Commons Attribution.</license-p>'
)
# Links CC BY, and forbids commercial use in its text.
CC_BY_NC = CC_BY.replace("Attribution.", "Attribution. Commercial use is not permitted.")


def image(shade: int = 128, format: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("L", (24, 16), shade).save(out, format)
    return out.getvalue()


def article(pmcid: str, hrefs: tuple[str, ...] = (), licence: str = CC_BY, doi: str | None = None) -> bytes:
    figures = "".join(
        f'<fig id="F{number}"><label>Figure {number}</label><caption><p>Sagittal view {number}.</p></caption>'
        f'<graphic xlink:href="{href}"/></fig>'
        for number, href in enumerate(hrefs, 1)
    )
    cited = " ".join(f'(<xref ref-type="fig" rid="F{number}">Figure {number}</xref>)' for number, _ in enumerate(hrefs, 1))
    return f"""<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="research-article"><front><article-meta>
<article-id pub-id-type="pmcid">{pmcid.removeprefix("PMC")}</article-id>
<article-id pub-id-type="doi">{doi or f"10.1234/{pmcid.lower()}"}</article-id>
<title-group><article-title>Stenosis at L4/L5, {pmcid}</article-title></title-group>
<permissions>{licence}</license></permissions></article-meta></front>
<body><p>The canal was narrow at L4/L5 {cited}.</p>{figures}</body></article>""".encode()


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return out.getvalue()


@dataclass
class Published:
    """One article as the server has it: what the search says, its XML and its archive of images (None answers 404)."""

    record: dict
    xml: bytes | None
    images: bytes | None


@dataclass
class EuropePmc:
    articles: list[Published] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    troubles: dict[str, list] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    queries: list[dict] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    ranges: list[str] = field(default_factory=list)
    page: int = 2
    marks_end: bool = False

    def publish(self, pmcid, hrefs=(), members=None, open_access="Y", licence=CC_BY, xml=None, **record):
        if members is None and hrefs:
            members = {f"{href}.jpg": image() for href in hrefs}
        self.articles.append(
            Published(
                {"id": pmcid, "source": "PMC", "pmcid": pmcid, "isOpenAccess": open_access, "title": pmcid} | record,
                article(pmcid, hrefs, licence) if xml is None else xml,
                archive(members) if members else None,
            )
        )

    def counts(self) -> Counter:
        return Counter(path for path in self.asked if "search" not in path)

    def answer(self, path: str, query: dict) -> tuple[int, bytes]:
        if path == "/search":
            return 200, self._search(query)
        if path in self.files:
            return 200, self.files[path]
        pmcid, _, what = path.strip("/").partition("/")
        found = next((item for item in self.articles if item.record.get("pmcid") == pmcid), None)
        body = None if found is None else {"fullTextXML": found.xml, "supplementaryFiles": found.images}.get(what)
        return (404, b"") if body is None else (200, body)

    def _search(self, query: dict) -> bytes:
        """Pages by a mark that is opaque to the client; after the last one an empty page whose mark does not move."""
        if int(query["pageSize"]) > 1000:
            return json.dumps({"errCode": 404, "errMsg": "Invalid page size provided"}).encode()
        mark = query["cursorMark"]
        start = 0 if mark == "*" else int(mark.removeprefix("AoE="))
        records = [item.record for item in self.articles[start : start + self.page]]
        more = start + len(records) < len(self.articles) or not self.marks_end
        following = f"AoE={start + len(records)}" if records and more else mark
        result = {"hitCount": len(self.articles), "nextCursorMark": following, "resultList": {"result": records}}
        return json.dumps(result).encode()


def serve(site: EuropePmc) -> ThreadingHTTPServer:
    """The site on a free loopback port; ``server_address`` says which. Shut it down."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            site.asked.append(parts.path)
            site.agents.add(self.headers["User-Agent"])
            if parts.path == "/search":
                site.queries.append(query)
            trouble = site.troubles[parts.path].pop(0) if site.troubles.get(parts.path) else None
            if trouble not in (None, "cut"):
                status, headers = trouble if isinstance(trouble, tuple) else (trouble, {})
                return self.reply(status, b"<html>not now</html>", headers)
            status, body = site.answer(parts.path, query)
            headers = dict(site.headers.get(parts.path, {}))
            if (wanted := self.headers["Range"]) and self.headers["If-Range"] in (None, headers.get("ETag")):
                site.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[start:]
            return self.reply(status, body, headers, sent=len(body) // 2 if trouble == "cut" else len(body))

        def reply(self, status, body, headers, sent=None):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:sent])

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
