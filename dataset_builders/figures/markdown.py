"""Read any extractor's Markdown as a list of blocks, without page furniture and with paragraphs that a page broke rejoined.

It understands PP-StructureV3 (``<div><img>``, or plain with pretty=False), MinerU, Marker, and our own readers' output.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dataset_builders.figures.captions import cited_labels, parse_caption, strip_markup

IMAGE = "image"
CAPTION = "caption"
LEGEND = "legend"
PARAGRAPH = "paragraph"
HEADING = "heading"
TABLE = "table"
FURNITURE = "furniture"


@dataclass(frozen=True, slots=True)
class Block:
    """One block in reading order.

    kind     one of the names above. A LEGEND is text that belongs to an image without being its caption ("(a) sagittal").
    text     without mark-up, on one line; of an image, its alternative text.
    source   of an image: its address as written.
    label    of a caption: its figure's label; "" for a centred text without one.
    centred  whether the extractor set the text apart, as it does captions.
    """

    kind: str
    text: str
    source: str = ""
    label: str = ""
    centred: bool = False


def read_blocks(markdown: str) -> list[Block]:
    """Read the blocks of ``markdown``; furniture (running heads, page numbers, rules) is used to find breaks, then left out."""
    blocks = _mark_running_heads([_classify(block) for block in _split(markdown)])
    return [block for block in _join_broken(blocks) if block.kind != FURNITURE]


def image_addresses(markdown: str) -> list[str]:
    """List the address of every image of ``markdown``, as written, in order."""
    return [_image(match).source for match in _IMAGE.finditer(inline_images(markdown))]


def inline_images(markdown: str) -> str:
    """Rewrite images by reference ("![text][name]", "[name]: address") and of wikis ("![[address]]") as "![text](address)"."""
    addresses = {match["name"].casefold(): match["address"] for match in _DEFINITION.finditer(markdown)}

    def by_reference(match: re.Match[str]) -> str:
        address = addresses.get((match["name"] or match["alt"]).casefold())
        return f"![{match['alt']}](<{address}>)" if address else match[0]

    return _BY_REFERENCE.sub(by_reference, _WIKI.sub(lambda match: f"![](<{match['address'].strip()}>)", markdown))


def drop_machine_text(markdown: str, keep_as: str = "") -> str:
    """Take out what extractors write about an image: MinerU's ``<details>``, PyMuPDF4LLM's "picture text"."""
    return _MACHINE_TEXT.sub(keep_as, markdown)


def replace_addresses(markdown: str, new_address: Callable[[str], str]) -> str:
    """Rewrite every image of ``markdown`` as ``![text](new address)``; the text of an ``<img>`` is its ``alt``."""

    def replaced(match: re.Match[str]) -> str:
        block = _image(match)
        return f"![{block.text}]({new_address(block.source)})"

    return _IMAGE.sub(replaced, inline_images(markdown))


_WIKI = re.compile(r"!\[\[(?P<address>[^\]|\n]+)(?:\|[^\]\n]*)?\]\]")
_BY_REFERENCE = re.compile(r"!\[(?P<alt>[^\]\[\n]*)\](?:\[(?P<name>[^\]\n]*)\]|(?![\[(:]))")
_DEFINITION = re.compile(r"^ {0,3}\[(?P<name>[^\]\n]+)\]:\s*<?(?P<address>[^\s>]+)>?", re.MULTILINE)
_MACHINE_TEXT = re.compile(
    r"<details>.*?</details>"
    r"|\*{0,2}-{5} Start of picture text -{5}.*?-{5} End of picture text -{5}\*{0,2}(?:<br\s*/?>)?"
    r"|\*{0,2}==> picture \[[^\]\n]*\] intentionally omitted <==\*{0,2}",
    re.DOTALL | re.IGNORECASE,
)
_IMAGE = re.compile(
    r"!\[(?P<alt>[^\]]*)\]\(\s*<?(?P<address>(?:[^()\s>]|\([^()]*\)|(?<=\S) (?=[^\"\s)]))*)>?(?:\s+\"[^\"]*\")?\s*\)"
    r"|<img\b(?P<attributes>[^>]*)>",
    re.IGNORECASE,
)
_FENCED_TABLE = re.compile(r"<table\b.*?(?:</table>|\Z)", re.DOTALL | re.IGNORECASE)
_RULE = re.compile(r"(?:[-*_]\s?){3,}|\{\d+\}-{3,}|\f+|={3,}")
_PAGE_NUMBER = re.compile(r"\W*(?:page|p\.|第)?\s*\d{1,4}\s*(?:页|(?:of|/)\s*\d+)?\W*", re.IGNORECASE)
# What stands only at the head or foot of a journal's page, with or without a page number.
_JOURNAL_LINE = re.compile(
    r"(?:\d{1,4}\W{1,3})?(?:"
    r"[A-Z][\w'’-]+(?:(?: and |, )[A-Z][\w'’-]+)? et al\.?(?:[:,] [A-Z][^.]{0,60})?"
    r"|(?:https?://|www\.|doi:? ?10\.)\S+"
    r"|Downloaded (?:from|by) .{0,90}"
    r"|.{3,60}?\b(?:19|20)\d\d[;,]? ?(?:[A-Z][a-z]{2}[; ]+)?\d{1,4} ?(?:\(\d{1,3}\))?: ?e?\d+(?:[-–]e?\d+)?\.?"
    r"|(?i:open access|(?:research|original|review) article)"
    r")(?:\W{1,3}\d{1,4})?"
)
_TABLE_CAPTION = re.compile(r"\W*(?:supplementary\s+|extended data\s+)?(?:table|tab\.|附?表)\s?[A-Z]?\d", re.IGNORECASE)
_SUBCAPTION = re.compile(r"[(（]?[a-hA-H][)）.](?!\w).{0,80}$|(?:panel )?[A-H]$|(?:[(（][a-h][)）][^()]{0,40}){2,}$")
_LEGEND = re.compile(
    r"(?:说明|注|图注|资料来源|来源)\s?[:：]|(?:notes?|legend|key|abbreviations?|source|scale bar)s?\s?[:.]", re.IGNORECASE
)
_LIST_OF_FIGURES = re.compile(r"\.{4,}|(?:\. ){4,}|…{2,}|·{4,}|_{4,}")


def _split(markdown: str) -> Iterator[Block]:
    """Images, tables, headings, rules and runs of text lines, unclassified."""
    text = drop_machine_text(inline_images(markdown.replace("\r\n", "\n")), "\n\n")
    text = re.sub(r"<!--.*?-->", "\n\n---\n\n", text, flags=re.DOTALL)
    text = _FENCED_TABLE.sub(lambda match: "\n\n| " + re.sub(r"\s+", " ", match[0]) + "\n\n", text)
    text = re.sub(r"\f", "\n\n---\n\n", text)
    # An image stands alone; a heading ends at its line; two spaces at a line's end are a break that was meant.
    text = _IMAGE.sub(lambda match: f"\n\n{match[0]}\n\n", text)
    text = re.sub(r" {2,}\n", "\n\n", text)
    text = re.sub(r"^(#{1,6}\s.*)$", r"\n\1\n", text, flags=re.MULTILINE)
    for line in itertools.chain.from_iterable(map(_part_captions, re.split(r"\n\s*\n", text))):
        centred = bool(re.match(r"(?:<div[^>]*center[^>]*>|<center>)", line, re.IGNORECASE))
        if image := _IMAGE.fullmatch(line):
            yield _image(image)
        elif line.startswith("|"):
            yield Block(TABLE, line)
        elif heading := re.match(r"#{1,6}\s+(.*)", line):
            yield Block(HEADING, strip_markup(heading[1]))
        elif _RULE.fullmatch(line):
            yield Block(FURNITURE, line)
        elif plain := strip_markup(line):
            yield Block(PARAGRAPH, plain, centred=centred)


def _part_captions(chunk: str) -> Iterator[str]:
    """Cut a chunk that opens with a caption (or a panel's) before every further line that opens a caption (MinerU)."""
    first, *lines = chunk.strip().split("\n")
    part, opens = first, _classify(Block(PARAGRAPH, strip_markup(first))).kind in (CAPTION, LEGEND) if lines else False
    for line in lines:
        if opens and parse_caption(line):
            yield part.strip()
            part = line
        else:
            part += f"\n{line}"
    yield part.strip()


def _image(match: re.Match[str]) -> Block:
    if match["attributes"] is None:
        return Block(IMAGE, match["alt"].strip(), source=match["address"].strip())
    attributes = {
        name.lower(): value for name, _, value in re.findall(r"([\w-]+)\s*=\s*([\"'])(.*?)\2", match["attributes"], re.DOTALL)
    }
    return Block(IMAGE, attributes.get("alt", ""), source=attributes.get("src", ""))


def _classify(block: Block) -> Block:
    if block.kind not in (PARAGRAPH, HEADING):
        return block
    text = re.sub(r"^(?:[-*+>]\s+)+", "", block.text)  # a list or quotation of one
    caption = parse_caption(text)
    if caption and not _LIST_OF_FIGURES.search(text):
        return replace(block, kind=CAPTION, text=text, label=caption[0])
    if len(block.text) <= _HEAD_LENGTH and _JOURNAL_LINE.fullmatch(block.text) and not cited_labels(block.text):
        return replace(block, kind=FURNITURE)
    if block.kind == HEADING:
        return block
    if _TABLE_CAPTION.match(block.text) and (block.centred or len(block.text) < _LEGEND_LENGTH):
        return replace(block, kind=TABLE)
    if _PAGE_NUMBER.fullmatch(block.text):
        return replace(block, kind=FURNITURE)
    if _SUBCAPTION.fullmatch(block.text) or (_LEGEND.match(block.text) and len(block.text) < _LEGEND_LENGTH):
        return replace(block, kind=LEGEND)
    return block


def _mark_running_heads(blocks: list[Block]) -> list[Block]:
    """Mark as running heads short lines that recur with other page numbers or repeat the title."""

    def letters(block: Block) -> str:
        return re.sub(r"[\W\d_]+", " ", block.text.casefold()).strip()

    title = next((letters(block) for block in blocks if block.kind == HEADING), "")
    short = [
        block
        for block in blocks
        if block.kind in (PARAGRAPH, HEADING, LEGEND)
        and (len(block.text) <= _HEAD_LENGTH or letters(block) == title)
        and not cited_labels(block.text)
    ]
    times = Counter(map(letters, short))
    heads = {
        id(block)
        for block in short
        if times[letters(block)] >= (_PARAGRAPH_TIMES if block.kind == PARAGRAPH else _HEADING_TIMES)
        or (block.kind == PARAGRAPH and title.startswith(letters(block)) and letters(block).count(" ") >= _TITLE_GAPS)
    }
    return [replace(block, kind=FURNITURE) if id(block) in heads else block for block in blocks]


_ENDED = re.compile(r"[.!?。！？…](?:[\"'”’」』)\]）】*]|\[[\d,\s–-]+\]|\^?[\d,–-]{1,7})*$")
_DANGLING = re.compile(
    r"(?:[-,–—(、，]|\b(?:a|an|the|of|and|or|in|on|at|to|by|for|with|from|as|is|are|was|were|be|that|which|than|into|between|its"
    r"|see|figs?\.?|figures?|et al\.?|no\.|vs\.?)|[的和与及在为是了对从见])$",
    re.IGNORECASE,
)
_POINTING = re.compile(r"(?:[(（]|\b(?:in|see|of|by|to|from|and|or|with)|[见如在])$", re.IGNORECASE)
_GOES_ON = re.compile(r"[a-zà-ÿ,;:)\]%=<>≤≥±×，、；：）]|[(（\[][\w ]|\d(?!\d*[.)]?\s+[A-Z\u4e00-\u9fff])")
_HAN = re.compile(r"[\u4e00-\u9fff]")
# Lengths in characters, chosen by us from real pages of the formats above.
_HEAD_LENGTH = 120  # of a running head or journal line at most: a journal's name, title and authors
_LEGEND_LENGTH = 400  # of a table's caption or a legend at most: longer ones are running text that names a table
_STRAY_LENGTH = 90  # of a running head that stands only once at most: about one printed line
_BARE_CAPTION_LENGTH = 300  # of the text below a label that stands alone at most: two or three sentences
_PANEL_LENGTH = 20  # of a list of panels at least: "(A) axial" alone may be a panel's own legend
_CUT_LENGTH = 20  # of a paragraph at least that a page's end may have cut, if the rest begins as a rest does
_CUT_LENGTH_UNSURE = 60  # and if it does not
_LAST = 5  # characters that tell whether a paragraph is Chinese, whose characters say more each
_PARAGRAPH_TIMES, _HEADING_TIMES = 2, 4  # how often a line stands to be a running head; headings like "Results" come again
_TITLE_GAPS = 2  # spaces of a running head at least that begins as the title does: three words
_LOOK_AHEAD = 8  # blocks that may stand between a cut text and its rest: a page's end, images and captions
_NEXT_TEXTS = 3  # paragraphs after a short line that are asked whether it interrupts them


def _join_broken(blocks: list[Block]) -> list[Block]:
    """Join paragraphs and captions that a page or column end cut with their rest, beyond furniture, images and captions."""
    captions = [block.text for block in blocks if block.kind == CAPTION]
    captions_end = sum(bool(_ENDED.search(text)) for text in captions) * 2 > len(captions)
    out: list[Block] = []
    paragraph: int | None = None  # where in ``out`` the last paragraph stands, while its rest may still come
    caption: int | None = None
    for position, block in enumerate(blocks):
        following = [b for b in blocks[position + 1 : position + 1 + _LOOK_AHEAD] if b.kind != FURNITURE]
        opened = [out[index].text for index in (paragraph, caption) if index is not None and _is_open(out[index])]
        if block.kind == HEADING:
            paragraph = caption = None
        elif block.kind == PARAGRAPH and opened and _is_stray_head(block, opened, following):
            block = replace(block, kind=FURNITURE)
        elif (
            block.kind in (LEGEND, PARAGRAPH)
            and caption is not None
            and (_is_panel_list(out, caption, block) or _is_text_of_label(out, caption, block))
        ):
            out[caption] = replace(out[caption], text=_glue(out[caption].text, block.text))
            continue
        elif block.kind == PARAGRAPH or (block.kind == CAPTION and _continues_sentence(out, paragraph, following)):
            target = _find_start(out, paragraph, caption, block, captions_end)
            if target is not None:
                out[target] = replace(out[target], text=_glue(out[target].text, block.text))
                continue
            paragraph, caption = len(out), None
        elif block.kind == CAPTION:
            caption = len(out)
        out.append(block)
    return out


def _is_panel_list(out: list[Block], caption: int, rest: Block) -> bool:
    """Whether ``rest`` goes on right after a caption with its panels: "(A) sagittal T2, (B) axial", "C, dorsal; D, ventral"."""
    adjacent = all(block.kind == FURNITURE for block in out[caption + 1 :])
    opening = re.match(r"(?:[(（]([a-hA-H])[)）],? *\w|([A-H])[,:] [a-z])", rest.text)
    if not adjacent or opening is None or len(rest.text) <= _PANEL_LENGTH:
        return False
    letter = opening[1] or opening[2]
    before = chr(ord(letter) - 1)
    goes_on = re.search(rf"[(（]{before}[)）]|\b{before}[,:] ", out[caption].text)
    return letter in "aA" or _is_open(out[caption]) or goes_on is not None


def _is_text_of_label(out: list[Block], caption: int, text: Block) -> bool:
    """Whether ``text`` is the caption of a label that stands alone on its line: "Figure 1" | "Sagittal T2 image"."""
    bare = caption == len(out) - 1 and re.fullmatch(r"[^\W\d]+\W{0,2}[A-ES]?\d[\d.–-]*[A-Za-z]?\W*", out[caption].text)
    return bool(bare) and text.kind == PARAGRAPH and len(text.text) <= _BARE_CAPTION_LENGTH and not cited_labels(text.text)


def _is_open(block: Block) -> bool:
    return not _ENDED.search(block.text) and not block.text.endswith((":", "："))


def _find_start(out: list[Block], paragraph: int | None, caption: int | None, rest: Block, captions_end: bool) -> int | None:
    """Find the open paragraph or caption that ``rest`` continues; None if it stands on its own.

    A caption at the foot of a page counts as cut if this document's captions end with a point; else an interrupted paragraph
    comes first.
    """
    goes_on = bool(_GOES_ON.match(rest.text))
    if caption is not None and _is_open(out[caption]):
        cut = any(block.kind == FURNITURE for block in out[caption + 1 :])
        whole_before = paragraph is None or not _is_open(out[paragraph])
        dangling = bool(_DANGLING.search(out[caption].text))
        if (cut and captions_end) or (whole_before and (goes_on or dangling)):
            return caption
    if paragraph is None or not _is_open(out[paragraph]):
        return None
    start = out[paragraph].text
    apart = len(out) > paragraph + 1
    long_enough = len(start) >= (_CUT_LENGTH if goes_on or _HAN.search(start[-_LAST:]) else _CUT_LENGTH_UNSURE)
    if _HAN.search(start[-1:]) and _HAN.match(rest.text):
        return paragraph if long_enough and apart else None
    return paragraph if _DANGLING.search(start) or (long_enough and (goes_on or apart)) else None


def _continues_sentence(out: list[Block], paragraph: int | None, following: list[Block]) -> bool:
    """Whether a text that looks like a caption is the rest of a sentence ("… as seen in" | "Figure 3. The canal …")."""
    if paragraph is None or not _POINTING.search(out[paragraph].text) or (following and following[0].kind == IMAGE):
        return False
    return all(block.kind == FURNITURE for block in out[paragraph + 1 :])


def _is_stray_head(block: Block, opened: list[str], following: list[Block]) -> bool:
    """Whether a short line between an open text and its rest is a running head that comes only once."""
    if len(block.text) > _STRAY_LENGTH or _ENDED.search(block.text) or _GOES_ON.match(block.text) or cited_labels(block.text):
        return False
    for index, other in enumerate(b for b in following if b.kind == PARAGRAPH):
        if _GOES_ON.match(other.text):
            return True
        if index == _NEXT_TEXTS - 1 or len(other.text) > _STRAY_LENGTH:
            return any(_DANGLING.search(text) for text in opened) and len(other.text) > _STRAY_LENGTH
    return False


def _glue(start: str, rest: str) -> str:
    if re.search(r"[a-z]-$", start) and rest[:1].islower():
        return start[:-1] + rest
    if _HAN.search(start[-1:]) or _HAN.match(rest[:1]):
        return start + rest
    return f"{start} {rest}"
