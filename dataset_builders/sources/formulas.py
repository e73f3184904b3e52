"""Write the formulas of XML articles as text: MathML linearly ("1/2", "3×10^4", "√16"), TeX as "$…$".

A formula that is an image only stands as "[formula]": the sentence around it must not close over the gap.
"""

import re
from collections.abc import Callable, Iterable

from lxml import etree

FORMULA = "[formula]"
"""What stands for a formula that has no text."""

_SCRIPTS = {"msup": "^", "mover": "^", "msub": "_", "munder": "_"}
_ACCENTS = dict.fromkeys("¯‾_", "\u0304") | dict.fromkeys("^ˆ", "\u0302") | dict.fromkeys("~˜", "\u0303") | {"→": "\u20d7"}
_DOCUMENT = re.compile(r"\\begin\s*\{document\}(.*?)\\end\s*\{document\}", re.DOTALL)


def formula_text(element: etree._Element) -> str:
    """Return the text of ``<math>``, ``<tex-math>`` or ``<alternatives>`` of them, by the first form that has words."""
    name = _name(element)
    if name == "tex-math":
        return _tex(element.text or "")
    if name == "math":
        return re.sub(r"\s+", " ", _linear(element)).strip()
    for form in ("math", "tex-math", "textual-form"):
        for child in element.iter("{*}" + form):
            if text := "".join(child.itertext()).strip() if form == "textual-form" else formula_text(child):
                return text
    return FORMULA


def is_formula_image(element: etree._Element) -> bool:
    """Tell whether a ``<inline-formula>`` or ``<disp-formula>`` has no words at all."""
    return not any(part for part in element.itertext() if part.strip())


def _tex(source: str) -> str:
    """The formula of a TeX source, without the document that PubMed Central wraps around it."""
    inside = _DOCUMENT.search(source)
    formula = re.sub(r"\s+", " ", inside[1] if inside else source).strip().strip("$").strip()
    formula = re.sub(r"^\\[(\[]|\\[)\]]$", "", formula).strip()
    return f"${formula}$" if formula else ""


def _linear(element: etree._Element) -> str:
    name = _name(element)
    children = [child for child in element if _name(child)]
    if name in ("mi", "mn", "mo", "mtext", "ms"):
        return _operator(element) if name == "mo" else re.sub(r"\s+", " ", "".join(element.itertext()))
    if name in ("annotation", "annotation-xml", "mphantom", "none", "mprescripts"):
        return ""
    if name == "mspace":
        return " "
    if name == "semantics":
        return _linear(children[0]) if children else ""
    if write := _WRITERS.get(name):
        return write(children)
    if name == "mfenced":
        inside = element.get("separators", ",")[:1].join(map(_linear, children))
        return f"{element.get('open', '(')}{inside}{element.get('close', ')')}"
    return "".join(map(_linear, children)) if children else (element.text or "")


def _operator(element: etree._Element) -> str:
    sign = "".join(element.itertext()).strip()
    return f" {sign} " if sign in ("=", "<", ">", "≤", "≥", "≈", "≠", "±", "+") else sign


def _group(element: etree._Element) -> str:
    """A part, in parentheses unless it is one word or number."""
    text = _linear(element).strip()
    return text if re.fullmatch(r"[\w.,°′″'%-]*|\(.*\)|√\w+", text) else f"({text})"


def _fraction(parts: list[etree._Element]) -> str:
    return "/".join(map(_group, parts))


def _script(sign: str) -> Callable[[list[etree._Element]], str]:
    def write(parts: list[etree._Element]) -> str:
        base, *scripts = parts or [etree.Element("mi")]
        script = "".join(_group(part) for part in scripts)
        accent = _ACCENTS.get("".join(map(_linear, scripts)).strip())
        if accent and len(_linear(base).strip()) == 1:
            return _linear(base).strip() + accent
        return f"{_linear(base)}{sign}{script}" if script else _linear(base)

    return write


def _two_scripts(parts: list[etree._Element]) -> str:
    base, *scripts = map(_linear, parts)
    return base + "".join(f"{sign}{text.strip()}" for sign, text in zip("_^", scripts) if text.strip())


def _rows(parts: Iterable[etree._Element]) -> str:
    return "; ".join(", ".join(_linear(cell).strip() for cell in row if _name(cell)) for row in parts)


_WRITERS: dict[str, Callable[[list[etree._Element]], str]] = {
    "mfrac": _fraction,
    "msqrt": lambda parts: "√" + (_group(parts[0]) if len(parts) == 1 else f"({''.join(map(_linear, parts))})"),
    "mroot": lambda parts: f"{_group(parts[0])}^(1/{_linear(parts[1]).strip()})" if len(parts) == 2 else "",
    "msubsup": _two_scripts,
    "munderover": _two_scripts,
    "mtable": _rows,
    **{name: _script(sign) for name, sign in _SCRIPTS.items()},
}


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
