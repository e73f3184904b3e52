"""Bring licence statements out of PDFs, HTML and JATS into one form, so that one pattern finds every spelling."""

import html
import re
import unicodedata

_TAG = r"</?[A-Za-z?!][^<>]*>"
_ATTRIBUTE = re.compile(r"[\w:]+\s*=\s*[\"']([^\"']*)[\"']")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")


def split_markup(text: str) -> tuple[str, str]:
    """Return the visible prose, line by line, with plain dashes and widths; and what stands in attributes and comments."""
    hidden = _COMMENT.findall(text)
    text = _COMMENT.sub(" ", text)
    hidden += _ATTRIBUTE.findall(" ".join(re.findall(_TAG, text)))
    prose = html.unescape(re.sub(_TAG, " ", text))
    prose = re.sub(r"\u00ad(?=\s*\n)", "-", prose)  # a soft hyphen is seen where a line ends
    prose = _UNSEEN.sub("", _DASHES.sub("-", unicodedata.normalize("NFKC", prose)))
    return re.sub(r"[^\S\n]+", " ", prose).strip(), " ".join(hidden)


def unbroken(prose: str) -> str:
    """Return the prose on one line; where a word is broken at a hyphen, once with the hyphen and once without.

    "by-\\nnc" may be "by-nc", and "non-com-\\nmercial" "non-commercial": a page does not say which, so both are looked at.
    """
    with_hyphen, without = (re.sub(r"\s+", " ", re.sub(r"-[^\S\n]*\n\s*", joint, prose)) for joint in ("-", ""))
    return with_hyphen if with_hyphen == without else f"{with_hyphen}\n{without}"
