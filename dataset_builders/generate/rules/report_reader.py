"""Read the tokens of one sentence of an imaging report, from left to right, into findings.

What is said before a finding belongs to it until the next begins, and so does what follows it: levels, side, what it presses
on. Whatever can be read in two ways (the scope of a negation, which of two levels is meant, two sides) is noted as unread.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dataset_builders.document import Compression, Finding
from dataset_builders.generate.rules.level_options import is_disc, root_of_disc
from dataset_builders.generate.rules.report_words import NORMAL, Token
from dataset_builders.taxonomy import FINDINGS

AT_DISC = frozenset(
    ("disc_bulge", "disc_herniation", "disc_narrowing", "spondylolisthesis", "foraminal_narrowing", "subarticular_stenosis")
)
"""Findings that are at a disc or its motion segment; a vertebra alone does not place them."""
_NEEDS_LEVEL = frozenset(
    (
        "neural_compression",
        "disc_bulge",
        "disc_herniation",
        "spondylolisthesis",
        "wedge_fracture",
        "fracture",
        "pathological_fracture",
    )
)
_SELDOM_PRESS = frozenset(
    (
        "annular_tear",
        "facet_hypertrophy",
        "disc_degeneration",
        "disc_narrowing",
        "modic_change",
        "endplate_change",
        "muscle_spasm",
    )
)
_IN_ONE_BREATH = frozenset((",", "，", "、", "/", "-", "–", "or", "或"))
_OF_REGION = frozenset(("muscle_spasm", "straightened_curve", "scoliosis"))
_PAIRED = frozenset(("foraminal_narrowing", "subarticular_stenosis", "facet_hypertrophy", "spondylolysis"))
_MAINLY = frozenset(
    ("mainly", "noticeably", "notably", "especially", "particularly", "predominantly", "为著", "为主", "elsewhere", "elswhere")
)
_MORE = frozenset(("more", "most", "mostly", "greater", "mainly", *_MAINLY)) - {"elsewhere", "elswhere"}
"""Words by which a side is only where there is more of something, and those that stand between them and the side."""
_TO_A_SIDE = frozenset(("to", "towards", "toward", "on", "at", "in", "the", "its"))
_BESIDE = frozenset(("level", "levels", "disc", "discs", "diffuse", "椎间盘"))
_COMMAS = frozenset((",", "，"))


@dataclass(slots=True)
class _Mention:
    """A finding as it is read, with what has been said of it so far."""

    name: str
    grade: str | None = None
    levels: list[str] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    degree: str | None = None
    value: tuple[float, str] | None = None
    compression: list[Compression] = field(default_factory=list)
    certainty: str = "definite"
    is_many: bool = False
    moved: str | None = None


def cut_clauses(tokens: list[Token]) -> list[list[Token]]:
    """Cut before a level that heads what follows: after a comma in Chinese, with a colon after it in English."""
    clauses: list[list[Token]] = [[]]
    for n, token in enumerate(tokens):
        if token.kind == "level" and _has(clauses[-1], "finding", "contact") and _heads(tokens, n):
            clauses.append([])
        clauses[-1].append(token)
    return clauses


def _heads(tokens: Sequence[Token], n: int) -> bool:
    """Whether the level at ``n`` heads a new clause."""
    before = [token.kind for token in tokens[max(n - 2, 0) : n]]
    if before[-1:] == ["level"] or before == ["level", "join"]:
        return False  # inside a list
    rest = tokens[n:]
    follows = next(
        (
            token
            for token in rest
            if token.kind not in ("level", "side", "site", "degree", "shape") and token.text not in _BESIDE
        ),
        None,
    )
    if follows and follows.kind == "finding" and n and tokens[n - 1].kind == "join":
        return True  # "L4-L5 disc bulge and L5-S1 disc protrusion"
    end = next(
        (k for k, token in enumerate(rest) if token.kind not in ("level", "join") and token.text not in ("level", "levels")),
        None,
    )
    if end is None:
        return False
    if rest[end].text in (":", "："):
        return True
    chinese = n > 0 and tokens[n - 1].text in ("，", "；", "。")
    clause = rest[: next((k for k, token in enumerate(rest) if token.text == "，"), len(rest))]
    return chinese and _has(clause, "finding")


def _plain(side: str) -> str:
    """The side without "mainly"."""
    return side.removeprefix("mainly ")


def _has(tokens: Sequence[Token], *kinds: str) -> bool:
    return any(token.kind in kinds for token in tokens)


def _is_other_root(entry: Compression, level: str) -> bool:
    """Whether a report calls a root the exiting or traversing one of a disc where another root is."""
    path = entry.structure.removesuffix("_root")
    expected = root_of_disc(level, path) if path in ("exiting", "traversing") and is_disc(level) else None
    return bool(entry.root and expected and entry.root != expected)


class Reader:
    """Reads the clauses of one sentence from left to right."""

    def __init__(self, sentence: str) -> None:
        self.says_normal = bool(NORMAL.search(sentence))
        self.found: list[Finding] = []
        self.denied: list[str] = []
        self.unread: list[str] = []
        self.contacts = 0
        self.is_postoperative = False

    def read(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.mentions: list[_Mention] = []
        self.leading: list[str] = []
        self.leads_all = False
        self.sides: list[str] = []
        self.sites: list[str] = []
        self.degree: str | None = None
        self.shapes: list[str] = []
        self.roots: list[str] = []
        self.path: str | None = None
        self.structures: list[tuple[str, list[str], list[str]]] = []
        self.contact: tuple[str, str | None] | None = None
        self.certainty: str | None = None
        self.is_consumed = True
        self.is_many = False
        self.is_denied = False
        self.comma: int | None = None
        self.value: tuple[float, str] | None = None
        for n, token in enumerate(tokens):
            self.at = n
            self._read(token)
        self._finish()

    def _read(self, token: Token) -> None:
        match token.kind:
            case "filler":
                self.leads_all = self.leads_all or (token.text in (":", "：") and bool(self.leading) and not self.mentions)
            case "unread":
                self.unread.append(token.text)
            case "level":
                self._read_level(token)
            case "root":
                self._read_root(token)
            case "finding":
                self._read_finding(token)
            case "contact":
                self._read_contact(token)
            case "structure":
                self._read_structure(token)
            case "side":
                self.sides.append(f"mainly {token.value}" if self._is_mainly() else token.value)
            case "site":
                self.sites.append(token.value)
            case "degree":
                self.degree = token.value
            case "shape":
                self.shapes.append(token.value)
            case "path":
                self.path = token.text
            case "many":
                self._read_extent()
            case "size":
                self._read_size(token)
            case "migrated":
                self._read_migrated(token)
            case "negated":
                self._begin_denial()
            case "negated_after":
                self._deny_what_stands(token)
            case "not_excluded":
                self.certainty, self.is_consumed, self.is_denied = token.kind, False, False
            case "probable" | "possible":
                self.certainty, self.is_consumed = token.kind, False
            case "not_excluded_after" if self.mentions:
                self.mentions[-1].certainty = "not_excluded"
            case "not_excluded_after":
                self.unread.append(token.text)
            case "end":
                self._flush()
                self.is_denied, self.contact, self.certainty = False, None, None
            case "join":
                self._read_join(token)

    def _read_level(self, token: Token) -> None:
        names = [name for name in token.value.split(",") if name]
        if not names:
            self.unread.append(token.text)
        elif self.is_denied:
            return
        elif self.mentions:
            placed = set(self.mentions[-1].levels or self.leading)
            if self.contact and placed and placed != set(names):
                self.unread.append("level of a compression")  # "bulges at L3/L4 and L4/L5, compressing the sac at L4/L5"
            self.mentions[-1].levels += names
        else:
            self.leading += names

    def _is_mainly(self) -> bool:
        """Whether a side is only where there is more of something: "more to the left", "左侧为著"."""
        words = (token.text for token in reversed(self.tokens[: self.at]) if token.text not in _TO_A_SIDE)
        after = self.tokens[self.at + 1 : self.at + 2]
        value = self.tokens[self.at].value
        return value in ("left", "right") and (next(words, "") in _MORE or any(token.text in _MAINLY for token in after))

    def _read_root(self, token: Token) -> None:
        """A root's name; in brackets it names the root that was just said to be pressed on: "nerve root (S1)"."""
        pressed = self.mentions[-1].compression if self.mentions else []
        in_brackets = self.at > 0 and self.tokens[self.at - 1].text in ("(", "（")
        if in_brackets and pressed and pressed[-1].structure.endswith("_root") and not pressed[-1].root:
            pressed[-1] = replace(pressed[-1], root=token.value)
        else:
            self.roots += token.value.split(",")

    def _read_finding(self, token: Token) -> None:
        if token.value == "postoperative":
            self.is_postoperative = True
            return
        if self.is_denied:
            self._deny(token.value)
            return
        self._drop_structures()
        self.contact = None
        if self._is_same(token):
            self.mentions[-1].grade = token.grade or self.mentions[-1].grade
            return
        mention = _Mention(token.value, token.grade, degree=self.degree, is_many=self.is_many, value=self.value)
        mention.sides, mention.sites, mention.shapes = self.sides, self.sites, self.shapes
        if self.certainty:
            mention.certainty = self.certainty
            self.is_consumed = True
        self.sides, self.sites, self.shapes, self.degree, self.is_many, self.value = [], [], [], None, False, None
        self.mentions.append(mention)

    def _is_same(self, token: Token) -> bool:
        """Whether a herniation is named again, more closely: "disc protrusion - sequestrated"."""
        last = self.mentions[-1].name if self.mentions else None
        return token.value == last == "disc_herniation" and self.tokens[self.at - 1].text in ("-", "–", "并")

    def _read_contact(self, token: Token) -> None:
        self.contacts += 1
        if self.is_denied:
            self._deny(token.value)
            self.structures = []
            return
        if self.certainty and not self.is_consumed and self.mentions:
            self.unread.append(f"{self.certainty} contact")
        degree = self.degree
        if self.mentions:
            self._flush(with_degree=False)
        self.degree = None
        self.contact = (token.value, degree)
        waiting, self.structures = self.structures, []
        for name, sides, roots in waiting:
            self._press(name, sides, roots)

    def _read_structure(self, token: Token) -> None:
        if self.is_denied:
            self._deny(token.value)
            return
        sides, self.sides = ["bilateral" if side == "both" else side for side in self.sides], []
        roots, self.roots = self.roots, []
        if self.path and token.value == "nerve_root":
            token = replace(token, value="exiting_root" if self.path == "exiting" else "traversing_root")
        self.path = None
        if len(roots) == 1 and not sides and token.text.endswith("roots"):
            sides = ["bilateral"]  # "the S1 nerve roots"
        if self.contact is None:
            self.structures.append((token.value, sides, roots))
        else:
            self._press(token.value, sides, roots)

    def _press(self, structure: str, sides: Sequence[str], roots: Sequence[str]) -> None:
        if not self.mentions:
            self.mentions.append(_Mention("neural_compression", is_many=self.is_many, certainty=self.certainty or "definite"))
            self.is_many, self.is_consumed = False, True
        if self.contact is None:
            return
        contact, degree = self.contact
        plain = {_plain(entry) for entry in sides}
        side = sides[0] if len(plain) == 1 else "bilateral" if sides else None
        for root in roots or [None]:  # type: ignore[list-item]
            self._presser().compression.append(Compression(structure, contact, degree, side, root))

    def _presser(self) -> _Mention:
        """What presses: the last finding that can, past a tear or worn joints that were named after it."""
        able = [mention for mention in self.mentions if mention.name not in _SELDOM_PRESS]
        return able[-1] if able else self.mentions[-1]

    def _read_extent(self) -> None:
        if self.mentions and not _has(self.tokens[self.at :], "finding"):
            self.mentions[-1].is_many = True
        else:
            self.is_many = True

    def _read_size(self, token: Token) -> None:
        match = re.search(r"(\d+(?:\.\d+)?) ?(mm|cm|毫米|厘米)", token.text)
        if match is None or self.contact or self.value:
            self.unread.append(token.text)
        else:
            self.value = (float(match[1]), {"毫米": "mm", "厘米": "cm"}.get(match[2], match[2]))

    def _read_migrated(self, token: Token) -> None:
        if self.mentions:
            down, up = (re.search(way, token.text) for way in ("caud|down|infer|下", "crani|ceph|up|super|上"))
            self.mentions[-1].moved = "migrated" + (" caudally" if down else " cranially" if up else "")
        else:
            self.unread.append(token.text)

    def _begin_denial(self) -> None:
        self._flush()
        self.denied += [name for name, _, _ in self.structures]
        self.structures = []
        self.is_denied = True
        self.contact = None
        self.comma = None

    def _deny_what_stands(self, token: Token) -> None:
        plain = not any(other.text in _COMMAS for other in self.tokens) and not any(m.compression for m in self.mentions)
        if not plain or not (self.mentions or self.structures):
            if not self.is_denied:
                self.unread.append(token.text)
            return
        self.denied += [mention.name for mention in self.mentions] + [name for name, _, _ in self.structures]
        self.mentions, self.structures, self.sides, self.sites, self.degree = [], [], [], [], None

    def _read_join(self, token: Token) -> None:
        if token.text in _COMMAS and self.is_denied:
            if token.text == "，":
                self.is_denied = False
            else:
                self.comma = self.at
        if token.text not in _IN_ONE_BREATH and token.text not in ("and", "&", "及", "和", "与"):
            if self.mentions:
                self._flush()
            self.contact = None
            if self.is_denied and _has(self.tokens[self.at :], "finding", "contact"):
                self.unread.append(f"negation before {token.text!r}")
        if token.text not in _IN_ONE_BREATH and self.is_consumed:
            self.certainty = None

    # What is settled when a clause, or a part of it, ends.

    def _deny(self, name: str) -> None:
        """A finding or structure in the scope of a negation; past a comma only if the list goes on with "or" or "nor"."""
        if self.comma is not None and not any(token.text in ("or", "nor", "或") for token in self.tokens[self.comma :]):
            self.unread.append(f"negation of {name}")
        self.denied.append(name)
        self.sides, self.sites, self.shapes, self.degree, self.roots = [], [], [], None, []

    def _flush(self, *, with_degree: bool = True) -> None:
        """Give what was said since the last finding to that finding."""
        if self.mentions and not self.is_denied:
            mention = self.mentions[-1]
            mention.sides += self.sides
            mention.sites += [site for site in self.sites if site not in mention.sites]
            mention.value = mention.value or self.value
            mention.shapes += self.shapes
            self.sides, self.sites, self.shapes, self.value = [], [], [], None
            if with_degree and self.degree:
                mention.degree = mention.degree or self.degree
                self.degree = None

    def _drop_structures(self) -> None:
        if self.structures and not self.says_normal:
            self.unread += [name for name, _, _ in self.structures]
        self.structures = []

    def _finish(self) -> None:
        self._flush()
        if self.roots and self.contact and self.mentions:
            self._press("nerve_root", self.sides, self.roots)
            self.roots = []
        if self.roots and not self.is_denied:
            self.unread += self.roots
        self._drop_structures()
        if self.certainty and not self.is_consumed:
            if self.mentions:
                self.mentions[-1].certainty = self.certainty
            else:
                self.unread.append(self.certainty)
        if self.leading and not self.mentions and not self.denied and self.contacts:
            self.unread += self.leading
        self._place()
        for mention in self.mentions:
            self._tell(mention)

    def _place(self) -> None:
        """Give each mention its levels: its own, those that head the clause, or the one of its neighbour."""
        told = [list(mention.levels) for mention in self.mentions]
        for n, mention in enumerate(self.mentions):
            if told[n]:
                if self.leading and n == 0:
                    if not set(told[0]) <= set(self.leading):
                        self.unread.append(f"level of {mention.name}")
                    mention.levels = list(self.leading)
                continue
            near = [told[k] for k in (n - 1, n + 1) if 0 <= k < len(told) and told[k]]
            if self.leading and (n == 0 or self.leads_all or len(set(self.leading)) == 1):
                mention.levels = list(self.leading)
            elif near and len(set(near[0])) == 1:
                mention.levels = list(near[0])
            elif near and mention.name in AT_DISC and not mention.is_many:
                self.unread.append(f"level of {mention.name}")

    def _tell(self, mention: _Mention) -> None:
        if mention.name not in FINDINGS:
            self.unread.append(mention.name)
            return
        levels = [] if mention.name in _OF_REGION else list(dict.fromkeys(mention.levels))
        discs = [level for level in levels if "/" in level]
        if mention.name == "spondylolisthesis" and not discs and len(levels) == 2:
            levels = ["/".join(levels)]
        elif mention.name in AT_DISC:
            if set(levels) - set(discs) - {vertebra for disc in discs for vertebra in disc.split("/")} or (
                levels and not discs
            ):
                self.unread.append(f"disc of {mention.name}")
            levels = discs
        if mention.name in _NEEDS_LEVEL and not levels and not mention.is_many:
            self.unread.append(f"level of {mention.name}")
        both = {"bilateral"} if mention.name in _PAIRED else set()  # "both" may speak of something else
        written = set(mention.sides) - {"both"} | (both if "both" in mention.sides else set())
        sides = {_plain(side) for side in written}
        pressed = {_plain(entry.side) for entry in mention.compression if entry.side} - {"bilateral"}
        is_lateral = sides in ({"left"}, {"right"}) and (mention.sites or mention.name != "disc_bulge")
        if sides == {"left", "right"} or (is_lateral and pressed - sides):
            self.unread.append("two sides")
        if any(_is_other_root(entry, level) for entry in mention.compression for level in levels):
            self.unread.append("root of another level")
        side = max(written, key=len) if len(sides) == 1 else None
        grade = " ".join(filter(None, (mention.degree, *dict.fromkeys(mention.shapes), mention.grade, mention.moved)))
        value, unit = mention.value or (None, None)
        is_wider = mention.is_many and any(token.text in _MAINLY for token in self.tokens)
        for level in [*levels, *([""] if is_wider or not levels else [])]:
            found = Finding(mention.name, level, grade or None, value, unit, side, ", ".join(mention.sites) or None)
            self.found.append(
                replace(found, compression=tuple(dict.fromkeys(mention.compression)), certainty=mention.certainty)
            )
