"""Make JATS case reports in our own words, some with images of phantoms, under the documentation DOI prefix 10.5555."""

import re
from importlib import resources
from typing import Any

import yaml
from lxml import etree

from dataset_builders.document import Finding
from dataset_builders.phantom.images import Image, render_views
from dataset_builders.phantom.volumes import PhantomVolume, make_volume

CC_BY = "https://creativecommons.org/licenses/by/4.0/"
_XLINK = "http://www.w3.org/1999/xlink"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DOCTYPE = (
    '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD v1.3 20210610//EN" '
    '"JATS-archivearticle1-3.dtd">'
)
_CITATION = re.compile(r"\[(fig\d+)\]")


def make_case_reports(seed: int) -> dict[str, bytes]:
    """Make six articles and the PNG files that their figures name; return file name -> bytes."""
    reports = yaml.safe_load(resources.files(__package__).joinpath("text/case_reports.yaml").read_text(encoding="utf-8"))
    files: dict[str, bytes] = {}
    for number, report in enumerate(reports, 1):
        images: tuple[Image, ...] = ()
        value = None
        if "volume" in report:
            volume = _make_volume(1000 * (seed + 1) + 300 + number, report["volume"])
            images = render_views(volume, report["id"])
            value = round(volume.findings[0].value or 0)
        shown = {figure["view"] for figure in report.get("figures", ())}
        files |= {image.name: image.png for image in images if image.name.rsplit("_", 1)[1][:-4] in shown}
        files[f"{report['id']}.xml"] = _to_jats(report, value)
    return files


def _make_volume(seed: int, wanted: dict[str, Any]) -> PhantomVolume:
    return make_volume(seed, wanted["modality"], wanted["region"], [Finding(*wanted["finding"])])


def _to_jats(report: dict[str, Any], value: int | None) -> bytes:
    """The article as JATS 1.3: front with licence and DOI, sections, figures after the section that cites them first."""
    labels = {
        figure["id"]: f"Figure {number}" if report["language"] == "en" else f"图{number}"
        for number, figure in enumerate(report.get("figures", ()), 1)
    }
    article = etree.Element("article", nsmap={"xlink": _XLINK})
    article.set("article-type", "case-report")
    article.set("dtd-version", "1.3")
    article.set(_LANG, report["language"])
    _add_front(article, report)
    body = etree.SubElement(article, "body")
    for number, section in enumerate(report["sections"], 1):
        sec = etree.SubElement(body, "sec", id=f"sec{number}")
        etree.SubElement(sec, "title").text = section["title"]
        for paragraph in section["paragraphs"]:
            _add_paragraph(sec, paragraph.format(value=value), labels)
        if number == 1:
            for figure in report.get("figures", ()):
                _add_figure(sec, figure, labels[figure["id"]], report["id"], value)
    return etree.tostring(article, xml_declaration=True, encoding="UTF-8", pretty_print=True, doctype=_DOCTYPE)


def _add_front(article: etree._Element, report: dict[str, Any]) -> None:
    front = etree.SubElement(article, "front")
    journal = etree.SubElement(front, "journal-meta")
    etree.SubElement(journal, "journal-id", {"journal-id-type": "publisher-id"}).text = "phantom-spine"
    titles = etree.SubElement(journal, "journal-title-group")
    etree.SubElement(titles, "journal-title").text = "Phantom Spine Case Reports"
    meta = etree.SubElement(front, "article-meta")
    etree.SubElement(meta, "article-id", {"pub-id-type": "doi"}).text = f"10.5555/{report['id']}"
    group = etree.SubElement(meta, "title-group")
    etree.SubElement(group, "article-title").text = report["title"]
    date = etree.SubElement(meta, "pub-date", {"pub-type": "epub"})
    etree.SubElement(date, "year").text = report["id"].split(".")[1]
    permissions = etree.SubElement(meta, "permissions")
    etree.SubElement(
        permissions, "copyright-statement"
    ).text = "© 2024 SpineMed contributors. A synthetic case: no patient exists."
    licence = etree.SubElement(permissions, "license", {"license-type": "open-access", f"{{{_XLINK}}}href": CC_BY})
    words = etree.SubElement(licence, "license-p")
    words.text = (
        "This is an open access article distributed under the terms of the Creative Commons Attribution 4.0 International "
        "License (CC BY 4.0), which permits use, sharing, adaptation, distribution and reproduction in any medium, as long as "
        "credit is given to the original authors and the source. "
    )
    etree.SubElement(words, "ext-link", {"ext-link-type": "uri", f"{{{_XLINK}}}href": CC_BY}).text = CC_BY
    abstract = etree.SubElement(meta, "abstract")
    etree.SubElement(abstract, "p").text = report["abstract"]


def _add_paragraph(parent: etree._Element, text: str, labels: dict[str, str]) -> None:
    """A paragraph whose ``[fig1]`` marks become cross-references."""
    paragraph = etree.SubElement(parent, "p")
    pieces = _CITATION.split(text)
    paragraph.text = pieces[0]
    for figure, tail in zip(pieces[1::2], pieces[2::2]):
        reference = etree.SubElement(paragraph, "xref", {"ref-type": "fig", "rid": figure})
        reference.text = labels[figure]
        reference.tail = tail


def _add_figure(parent: etree._Element, figure: dict[str, Any], label: str, stem: str, value: int | None) -> None:
    fig = etree.SubElement(parent, "fig", {"id": figure["id"], "position": "float"})
    etree.SubElement(fig, "label").text = label
    caption = etree.SubElement(fig, "caption")
    etree.SubElement(caption, "p").text = figure["caption"].format(value=value)
    etree.SubElement(fig, "graphic", {f"{{{_XLINK}}}href": f"{stem}_{figure['view']}.png"})
