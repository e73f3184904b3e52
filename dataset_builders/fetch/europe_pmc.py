"""Fetch open-access articles of Europe PMC by query: full text as JATS XML, with the image files of its figures.

The RESTful web service (https://europepmc.org/RestfulWebService), as it is used here:

    GET /search?query=&resultType=core&pageSize=&cursorMark=&format=json
        hitCount, nextCursorMark, resultList.result[]: pmcid (absent if the article is not in PMC), isOpenAccess "Y"/"N",
        title, doi, license. The end is a page without results, or a mark that does not move. An error may come as status
        200 with errCode and errMsg. Under load a page may come empty; hitCount tells it from the end.
    GET /{pmcid}/fullTextXML                                      404 if there is no open-access full text
    GET /{pmcid}/supplementaryFiles?includeInlineImage=true       a ZIP with the figures; 404 if there is none

The ZIP is made on request and comes without a length; it fails with 500 for some articles, and may break off.
``license`` in the search results is not trusted: the XML decides, read as ``build`` will read it.
"""

import functools
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tqdm import tqdm

from dataset_builders.document import Document, Provenance, SourceError
from dataset_builders.fetch.client import BadBody, Client, FetchError, NotThere
from dataset_builders.fetch.folder import FetchFolder, Outcome, open_folder
from dataset_builders.licences import check_licence
from dataset_builders.sources import jats
from dataset_builders.sources.base import Declared
from dataset_builders.sources.markup import IMAGE_SUFFIXES, as_png_or_jpeg, parse_xml

EUROPE_PMC = "https://www.ebi.ac.uk/europepmc/webservices/rest"
_PAGE = 100  # articles a search page; 1,000 is the service's most
_PMCID = re.compile(r"PMC\d{1,12}")
_PAGE_BYTES = 1 << 26
_XML_BYTES = 1 << 26
_ZIP_BYTES = 1 << 30
_IMAGE_BYTES = 1 << 26
_MAX_FAILURES = 5  # in a row: then it is the server, not the articles
_IMAGE_NAME = re.compile(r"[^.\s/\\:*?\"<>|\x00-\x1f][^/\\:*?\"<>|\x00-\x1f]{0,150}")
_HREF = "{http://www.w3.org/1999/xlink}href"


def fetch_articles(
    query: str,
    output: Path,
    client: Client,
    address: str = EUROPE_PMC,
    limit: int | None = None,
    all_licences: bool = False,
) -> list[Outcome]:
    """Fetch the open-access articles that a query finds into ``output/articles``; return an outcome for each, in their order.

    query         in Europe PMC's syntax: ``TITLE:"spinal stenosis" AND PUB_YEAR:[2020 TO 2025]``.
    address       of the web service.
    limit         stop when this many articles are there (kept now or before); None takes all.
    all_licences  also keep articles that may not be published, such as CC BY-NC.

    Stops after five failures in a row; the last outcome says so. Raises ValueError if the query is empty.
    """
    if not query.strip():
        raise ValueError("--query is empty; give it in Europe PMC's syntax, such as 'TITLE:\"spinal stenosis\"'")
    outcomes: list[Outcome] = []
    there = failures = 0
    with open_folder(output) as folder, tqdm(total=limit, unit=" articles") as bar:
        try:
            for found in _search(query, client, address):
                outcome = _fetch_article(found, folder, client, address, all_licences)
                if outcome.status != "already_here" and outcome != folder.last(outcome.id):
                    folder.record(outcome)
                outcomes.append(outcome)
                failures = failures + 1 if outcome.status == "failed" else 0
                if outcome.files:
                    there += 1
                    bar.update()
                bar.set_postfix(seen=len(outcomes))
                if failures == _MAX_FAILURES:
                    raise FetchError("gave_up", f"{failures} articles failed one after the other; run again later")
                if there == limit:
                    break
        except FetchError as error:
            outcomes.append(Outcome("search", "failed", error.reason, error.detail))
    return outcomes


def _search(query: str, client: Client, address: str) -> Iterator[dict[str, Any]]:
    """Yield every record that the service finds, once. Raises FetchError "search" if the service refuses the query."""
    mark, seen, ids = "*", 0, set()
    while True:
        parameters = {
            "query": f"({query}) AND OPEN_ACCESS:y",
            "resultType": "core",
            "pageSize": _PAGE,
            "cursorMark": mark,
            "format": "json",
        }
        page = client.get(f"{address}/search?{urlencode(parameters)}", functools.partial(_parse_page, seen=seen), _PAGE_BYTES)
        if "errMsg" in page:
            raise FetchError("search", f"the service refuses the query {query!r}: {str(page['errMsg'])[:300]}")
        results = page["resultList"]["result"]
        for record in results:
            identity = f"{record.get('source')}:{record.get('id')}"
            if identity not in ids:
                ids.add(identity)
                yield record
        seen += len(results)
        if not results or page.get("nextCursorMark") in (None, "", mark):
            return
        mark = page["nextCursorMark"]


def _parse_page(body: bytes, seen: int) -> dict[str, Any]:
    try:
        page = json.loads(body)
    except ValueError as error:
        raise BadBody(f"the search page is no whole JSON: {error}") from error
    if isinstance(page, dict) and "errMsg" in page:
        return page
    try:
        results, hits = page["resultList"]["result"], int(page["hitCount"])
        well_formed = all(isinstance(record, dict) for record in results)
    except (KeyError, TypeError, ValueError) as error:
        raise BadBody(f"the search page has no results and no count: {error!r}") from error
    if not well_formed:
        raise BadBody("the search page holds something else than records")
    if not results and seen < hits:
        raise BadBody(f"an empty page after {seen} of {hits} articles")
    return page


def _fetch_article(found: dict[str, Any], folder: FetchFolder, client: Client, address: str, all_licences: bool) -> Outcome:
    pmcid = str(found.get("pmcid") or "")
    title, doi = found.get("title"), found.get("doi")
    if not _PMCID.fullmatch(pmcid):
        reason = "bad_identifier" if pmcid else "not_in_pmc"
        return Outcome(f"{found.get('source')}:{found.get('id')}"[:80], "left_out", reason, repr(pmcid[:80]), title, None, doi)
    if found.get("isOpenAccess") != "Y":
        return Outcome(pmcid, "left_out", "not_open_access", "the search does not call it open access", title, None, doi)

    before = folder.last(pmcid)
    intact = before is not None and folder.is_intact(before)
    if before and intact and before.reason != "images_failed":
        return Outcome(
            pmcid, "already_here", before.reason, before.detail, before.title, before.licence, before.doi, before.files
        )
    if before and before.reason == "licence" and not all_licences:
        return before  # what the text said then it says now

    with folder.stage(pmcid) as stage:
        xml = stage / f"{pmcid}.xml"
        try:
            if intact:
                body = (folder.root / "articles" / pmcid / xml.name).read_bytes()
            else:
                body = client.get(f"{address}/{pmcid}/fullTextXML", _whole_xml, _XML_BYTES)
            xml.write_bytes(body)
            provenance = _read_provenance(xml)
        except NotThere as error:
            return Outcome(pmcid, "left_out", "no_full_text", error.detail, title, None, doi)
        except FetchError as error:
            return Outcome(pmcid, "failed", error.reason, error.detail, title, None, doi)
        except SourceError as error:
            return Outcome(pmcid, "left_out", error.reason, error.detail, title, None, doi)
        licence = check_licence(provenance.source_licence)
        if provenance.source_id.startswith("PMC") and provenance.source_id != pmcid:
            return Outcome(pmcid, "failed", "another_article", f"the server sent {provenance.source_id}", title, None, doi)
        if not licence.allowed and not all_licences:
            return Outcome(pmcid, "left_out", "licence", licence.reason, title, licence.spdx, doi)

        images = f"{address}/{pmcid}/supplementaryFiles?includeInlineImage=true"
        reason, detail = _fetch_images(_image_names(body), images, stage, folder.partial(f"{pmcid}.zip"), client)
        files = folder.place(stage, f"articles/{pmcid}", {xml.name: f"{address}/{pmcid}/fullTextXML"}, images)
    return Outcome(
        pmcid, "kept", reason, detail, provenance.source_title, provenance.source_licence, provenance.source_doi, files
    )


def _whole_xml(body: bytes) -> bytes:
    try:
        parse_xml(body)
    except SourceError as error:
        if error.reason == "broken_xml":  # as a text that was cut short is
            raise BadBody(error.detail) from error
    return body


def _read_provenance(xml: Path) -> Provenance:
    """Read the provenance that ``build`` will give the article. Raises SourceError if ``build`` cannot read it."""
    for result in jats.read(xml, Declared(root=xml.parent)):
        if isinstance(result, Document):
            return result.provenance
        raise SourceError(getattr(result, "reason", "unread"), getattr(result, "detail", ""))
    raise SourceError("unread", "the file holds no article")


def _image_names(body: bytes) -> list[str]:
    """List the names of the figures' images as the XML gives them, without folders; unsafe names are dropped."""
    names = (
        graphic.get(_HREF, "").replace("\\", "/").rsplit("/", 1)[-1]
        for figure in parse_xml(body).iter("{*}fig")
        for graphic in figure.iter("{*}graphic")
    )
    return list(dict.fromkeys(name for name in names if _IMAGE_NAME.fullmatch(name)))


def _fetch_images(names: Sequence[str], address: str, stage: Path, archive: Path, client: Client) -> tuple[str, str]:
    """Put the images called ``names`` into ``stage``; return a reason and its detail, both "" if none is missing."""
    missing: list[str] = []

    def unpack(path: Path) -> None:
        missing[:] = _unpack_images(path, names, stage)

    if not names:
        return "", ""
    try:
        client.download(address, archive, _ZIP_BYTES, accept=unpack)
    except NotThere:
        return "images_missing", "Europe PMC has no files of this article"
    except FetchError as error:
        return "images_missing" if error.reason == "too_large" else "images_failed", f"{error.reason}: {error.detail}"
    archive.unlink()
    return ("images_missing", f"not in the archive, or no image: {', '.join(missing)}") if missing else ("", "")


def _unpack_images(archive: Path, names: Iterable[str], stage: Path) -> list[str]:
    """Write the images called ``names`` (the archive may add a suffix); return the names that it does not hold.

    A member's own name is only compared; the file written has the name that the XML gives.
    """
    missing = []
    for name, (suffix, data) in _read_images(archive, names).items():
        if data is None:
            missing.append(name)
        else:
            (stage / (name if Path(name).suffix.lower() == suffix else f"{name}{suffix}")).write_bytes(data)
    return missing


def _read_images(archive: Path, names: Iterable[str]) -> dict[str, tuple[str, bytes | None]]:
    """Return suffix and bytes of the image that each name means; bytes are None if no such image can be decoded."""
    found: dict[str, tuple[str, bytes | None]] = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {member.filename.rsplit("/", 1)[-1].lower(): member for member in reversed(opened.infolist())}
            for name in names:
                found[name] = "", None
                for candidate in _candidates(name.lower()):
                    member = members.get(candidate)
                    if member and member.file_size <= _IMAGE_BYTES and as_png_or_jpeg(data := opened.read(member)):
                        found[name] = Path(candidate).suffix, data
                        break
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise BadBody(f"the archive of images is not whole: {error}") from error
    return found


def _candidates(name: str) -> Iterator[str]:
    """Yield the names that the image ``name`` may have in the archive: with a suffix, or as a JPEG if a TIFF is named."""
    if Path(name).suffix in IMAGE_SUFFIXES:
        yield name
        yield from (f"{Path(name).stem}{suffix}" for suffix in IMAGE_SUFFIXES)
    yield from (f"{name}{suffix}" for suffix in IMAGE_SUFFIXES)
