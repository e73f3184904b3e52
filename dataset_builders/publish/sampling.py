"""Sample SpineBench: which groups of documents are set aside, and which of their items the benchmark takes.

    candidates   items of a benchmark task, of the spine, whose reference text stands nowhere else (find_shared_references)
    groups       items that share a document, case or image; a whole group goes to one side
    strata       task, source kind, language, modality, axis and level

Every source kind gives its share of each task. Within a kind the strata take turns: the first item of each, then the second, so
that no level or language is crowded out. At most PER_CASE items come of a case, one of twins (the same question in the other
language, or asked again of the same image), and at most TEMPLATE_SHARE of a task of questions with options that differ in their
levels and findings alone. Order within a stratum is by a seeded hash, so that adding a source does not reshuffle the rest.
"""

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dataset_builders.item import Item, question_of
from dataset_builders.overlap.shingles import tokenise
from dataset_builders.schema import BENCHMARK_TASKS
from dataset_builders.taxonomy import FINDINGS

PER_CASE = 2
"""Most items of one patient's case (ours): one case must not weigh more than another because more could be asked of it."""
TEMPLATE_SHARE = 0.05
"""Most of a task's items that may share one template, as a share of the task; at least FEWEST_OF_TEMPLATE (both ours)."""
FEWEST_OF_TEMPLATE = 4
REFERENCE_NGRAM = 13
"""Words or Han characters in a row by which texts are compared, the length usual in contamination checks."""
REFERENCE_SHARED = 0.5
"""A reference of whose n-grams more than this stand in items of other documents is none: it would be known from training."""

_NAMES = sorted((name for term in FINDINGS.values() for name in (term.en, term.zh)), key=len, reverse=True)
# What a template is filled with: levels ("L4/L5", "T12"), names of findings, and numbers with their unit or step.
_SLOT = re.compile("|".join(map(re.escape, _NAMES)) + r"|\b[CTLS]\d{1,2}(?:/[CTLS]?\d{1,2})?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many items the benchmark takes.

    most   task -> most items, by default those of schema.BENCHMARK_TASKS (the paper's 500 and 100).
    share  of the available items, and of the groups of a kind, that are taken at most, 0-1 (ours).
    """

    most: Mapping[str, int] = field(default_factory=lambda: {name: task.most for name, task in BENCHMARK_TASKS.items()})
    share: float = 0.15
    seed: int = 0

    def target(self, task: str, available: int) -> int:
        """Return how many of ``available`` items of a task to take. Raises ValueError for a task that is not in ``most``."""
        if task not in self.most:
            raise ValueError(f"Sampling.most has no entry for the task {task!r}; it has {', '.join(self.most)}")
        return min(self.most[task], round(self.share * available))


def group_items(items: Iterable[Item]) -> dict[str, str]:
    """Group items linked by a source document, a case or an image; return item id -> the smallest source id of its group."""
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    links: dict[str, list[str]] = {}
    for item in items:
        keys = [f"source {item.provenance.source_id}", *(f"image {image}" for image in item.images)]
        if item.provenance.case_id:
            keys.append(f"case {item.provenance.case_id}")
        links[item.id] = keys
        first = find(keys[0])
        for key in keys[1:]:
            parent[find(key)] = first
    names: dict[str, str] = {}
    for keys in links.values():
        root = find(keys[0])
        names[root] = min(names.get(root, keys[0]), keys[0])
    return {item: names[find(keys[0])] for item, keys in links.items()}


def sample_benchmark(items: Mapping[str, Item], groups: Mapping[str, str], sampling: Sampling) -> tuple[set[str], set[str]]:
    """Choose which groups to set aside and which of their items the benchmark takes; return the ids of both.

    A kind with a single group gives none, because setting it aside would leave that kind out of training.
    """
    shared = find_shared_references(items.values(), groups)
    asked = [item for item in items.values() if item.task in BENCHMARK_TASKS and item.specialty == "spine"]
    totals = Counter(item.task for item in asked)
    by_kind: dict[str, list[Item]] = defaultdict(list)
    for item in asked:
        by_kind[item.provenance.source_kind].append(item)

    limits = _Limits({task: sampling.target(task, total) for task, total in totals.items()})
    reserved: set[str] = set()
    chosen: set[str] = set()
    for _, members in sorted(by_kind.items()):
        counts = Counter(item.task for item in members)
        targets = {task: round(limits.targets[task] * counts[task] / totals[task]) for task in BENCHMARK_TASKS if counts[task]}
        sizes = Counter(groups[item.id] for item in members)
        open_groups = _small_enough(sizes, 2 * sum(targets.values()))
        pool = [item for item in members if item.id not in shared and groups[item.id] in open_groups]
        most = min(len(sizes) - 1, math.ceil(sampling.share * len(sizes)))
        taken = _take(pool, groups, targets, most, limits, sampling.seed)
        chosen |= taken
        reserved |= {groups[name] for name in taken}
    return reserved, chosen


def stratum_of(item: Item) -> tuple[str, ...]:
    """Return the stratum of an item: task, source kind, language, modality, axis and level ("" for none).

    The level is the first disc that the item is about, or else its first vertebra.
    """
    level = next(iter((*item.discs, *item.levels)), "")
    return item.task, item.provenance.source_kind, item.language, item.modality, item.axis or "", level


def find_shared_references(items: Iterable[Item], groups: Mapping[str, str]) -> set[str]:
    """Return the ids of reports whose reference stands, by more than REFERENCE_SHARED of its n-grams, in other groups' replies.

    Memory grows with the references of reports alone; texts are read once each.
    """
    items = list(items)
    reports = {item.id: _ngrams(item.answer or "") for item in items if item.task == "report"}
    owner: dict[int, str | None] = {gram: None for grams in reports.values() for gram in grams}
    repeated: set[int] = set()
    for item in items:
        group = groups[item.id]
        for message in item.messages:
            for gram in _ngrams(message.text) if message.role == "assistant" else ():
                if gram not in owner:
                    continue
                first = owner[gram]
                if first is None:
                    owner[gram] = group
                elif first != group:
                    repeated.add(gram)
    return {name for name, grams in reports.items() if len(grams & repeated) > REFERENCE_SHARED * len(grams)}


def _ngrams(text: str) -> set[int]:
    words = tokenise(text)
    return {hash(tuple(words[start : start + REFERENCE_NGRAM])) for start in range(max(1, len(words) - REFERENCE_NGRAM + 1))}


@dataclass(slots=True)
class _Limits:
    """What the sample holds so far of each case, twin and template, over all kinds."""

    targets: Mapping[str, int]
    cases: Counter[str] = field(default_factory=Counter)
    twins: set[object] = field(default_factory=set)
    templates: Counter[object] = field(default_factory=Counter)

    def admit(self, item: Item) -> bool:
        """Count an item in and return True, or return False if a limit is reached."""
        case = item.provenance.case_id
        # Every report is asked for in the same words: what tells reports apart is the reference.
        template = (item.task, template_of(item) if item.options else item.id)
        most = max(FEWEST_OF_TEMPLATE, round(TEMPLATE_SHARE * self.targets[item.task]))
        if (case and self.cases[case] >= PER_CASE) or twin_of(item) in self.twins or self.templates[template] >= most:
            return False
        if case:
            self.cases[case] += 1
        self.twins.add(twin_of(item))
        self.templates[template] += 1
        return True


def twin_of(item: Item) -> object:
    """Return what an item shares with its twins: the same rule or prompt asks the same of the same place, in either language.

    An item about no image and no level has no twin: its own words tell it apart.
    """
    place = (item.images, item.levels, item.discs)
    return (item.provenance.source_id, item.task, item.generation.prompt_id, *(place if any(place) else (item.id,)))


def template_of(item: Item) -> object:
    """Return what an item shares with those that fill the same template: the last paragraph of its question without levels
    and names of findings. A record that a question quotes stands before it."""
    last = question_of(item).rstrip().rsplit("\n\n", 1)[-1]
    return " ".join(_SLOT.sub("_", last).split())


def _small_enough(sizes: Mapping[str, int], most: int) -> set[str]:
    """Groups of at most ``most`` items, or the smallest if none is: what is set aside and not taken is lost for training."""
    return {name for name, size in sizes.items() if size <= most} or {min(sizes, key=lambda name: (sizes[name], name))}


def _take(
    pool: Sequence[Item], groups: Mapping[str, str], targets: Mapping[str, int], most: int, limits: _Limits, seed: int
) -> set[str]:
    """Take up to ``targets`` items of each task from at most ``most`` groups, the strata in turn."""
    left = Counter(targets)
    opened: set[str] = set()
    taken: set[str] = set()
    for item in _in_turn(pool, stratum_of, seed):
        group = groups[item.id]
        if left[item.task] > 0 and (group in opened or len(opened) < most) and limits.admit(item):
            left[item.task] -= 1
            opened.add(group)
            taken.add(item.id)
    return taken


def _in_turn(pool: Sequence[Item], stratum: Callable[[Item], object], seed: int) -> list[Item]:
    """Order items so that every stratum gives its first before any gives its second; within a turn by a seeded hash."""
    turns: Counter[object] = Counter()
    ranked = []
    for item in sorted(pool, key=lambda item: _hash(seed, item.id)):
        ranked.append((turns[stratum(item)], _hash(seed, item.id), item))
        turns[stratum(item)] += 1
    return [item for _, _, item in sorted(ranked, key=lambda entry: entry[:2])]


def _hash(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
