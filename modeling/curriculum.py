"""Prepare the data of a stage: its mixture, from the recipe's YAML to rows with exact token counts.

    Source             one entry of a recipe's ``datasets``: data set, config, filter, weight
    read_source        the rows that its filters choose, as the data set has them
    load_source        the same with ROW_FEATURES; external question sets become messages
    is_held_out        which source documents no stage is trained on
    prepare_stage      all sources: measured, filtered, ordered and grouped into the trainer's units

Nothing is dropped silently: each dropped row is kept with its reason in ``StageData.dropped``.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetInfo, Features, Image, List, Value, concatenate_datasets, load_dataset
from transformers import PreTrainedConfig

from modeling import collator
from modeling.collator import DUMMY_TOKENS, measure, pack
from modeling.families import SpineGPTProcessor
from modeling.packs import Deal, busy_share, deal, sample_costs

ROW_FEATURES = Features(
    {
        "id": Value("string"),
        "messages": List({"role": Value("string"), "content": List({"type": Value("string"), "text": Value("string")})}),
        "images": List(Image(decode=False)),
        "source_id": Value("string"),
        "source_kind": Value("string"),
    }
)
ORDERS = ("shuffled", "sequential")


@dataclass(frozen=True)
class Source:
    """One entry of ``datasets`` in a recipe.

    dataset       name or folder for ``load_dataset``
    config, split, revision   as in ``load_dataset``; pin ``revision`` for anything on the Hub
    where         column → allowed values, for instance ``{specialty: [spine], task: [report]}``
    without_licences   ``source_licence`` values that are left out
    columns       for question sets without ``messages``: question, answer and, if there is one, reasoning → their columns
    weight        passes over the rows: 1 takes each once, 0.5 half of them (seeded), 2 each twice
    max_samples   upper bound on rows before weighting (seeded choice)
    """

    dataset: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without_licences: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    max_samples: int | None = None

    @property
    def name(self) -> str:
        """The data set and config joined into one name."""
        return f"{self.dataset}/{self.config}" if self.config else self.dataset


@dataclass(frozen=True)
class Steps:
    """What packs are dealt for: ``samples`` in an optimizer step over ``ranks``, and ``pack_tokens``, which a pack may have.

    ``config`` is the model's: it says what a sample costs (modeling.packs).
    """

    samples: int
    ranks: int
    pack_tokens: int
    config: PreTrainedConfig


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that is not trained on: ``reason`` to count by, ``detail`` in words."""

    id: str
    reason: str
    detail: str


@dataclass(frozen=True)
class StageData:
    """A stage's rows, ready for the collator and the trainer.

    rows          every usable row, with ROW_FEATURES
    units         one item a training unit: {"rows": [...]}, a sample or a pack of samples, in training order
    validation    {"rows": [n]} of each usable row that is held out: never in ``units``
    tokens, image_tokens, supervised_tokens   of each usable row
    dropped       every row that was read but is not used
    samples       rows trained on by source name, weights counted
    fingerprint   SHA-256 over the content of the samples in the order drawn: the same data give the same one on any machine
    accumulation  packs a rank accumulates in a step, so that it has the samples asked for; None if nothing was asked for
    busy_share    share of the ranks' time that is work, by the cost of their packs; None like ``accumulation``
    """

    rows: Dataset
    units: Dataset
    validation: Dataset
    tokens: tuple[int, ...]
    image_tokens: tuple[int, ...]
    supervised_tokens: tuple[int, ...]
    dropped: tuple[Dropped, ...]
    samples: Mapping[str, int]
    fingerprint: str
    accumulation: int | None = None
    busy_share: float | None = None

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """Count the dropped rows by reason, most frequent first."""
        return dict(Counter(drop.reason for drop in self.dropped).most_common())

    @property
    def trained(self) -> list[int]:
        """Return the numbers of the rows that are trained on, each once."""
        return sorted({number for unit in self.units["rows"] for number in unit})

    def loss_subset(self, size: int) -> Dataset:
        """Choose at most ``size`` units of one sample each, evenly spread over the rows trained on, always the same ones."""
        return spread(_units([[number] for number in self.trained]), size)


def parse_sources(entries: Sequence[Mapping[str, Any]]) -> tuple[Source, ...]:
    """Read the ``datasets`` list of a recipe. Raises ValueError naming the entry and field that is wrong."""
    if not entries:
        raise ValueError("datasets: the recipe lists none; give at least one entry such as {dataset: spinemed-450k}.")
    known = set(Source.__dataclass_fields__)
    sources = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or "dataset" not in entry:
            raise ValueError(f"datasets[{number}]: needs a field 'dataset' (got {entry!r}).")
        if unknown := set(entry) - known:
            raise ValueError(
                f"datasets[{number}]: unknown field {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}."
            )
        source = Source(**entry)
        if source.weight <= 0:
            raise ValueError(f"datasets[{number}]: weight must be above 0 (got {source.weight}); leave the entry out instead.")
        if source.columns and not {"question", "answer"} <= set(source.columns) <= {"question", "answer", "reasoning"}:
            raise ValueError(f"datasets[{number}]: columns needs question and answer, and may have reasoning.")
        sources.append(source)
    return tuple(sources)


def spread(units: Dataset, size: int) -> Dataset:
    """Choose at most ``size`` of ``units``, evenly spread, always the same ones."""
    return units.select(np.linspace(0, len(units) - 1, min(size, len(units))).round().astype(int))


def is_held_out(source_id: str, share: float) -> bool:
    """Return whether a source document is held out for validation.

    The id alone decides, so that every stage holds out the same documents. In the long run a ``share`` (0 to 1) of the
    documents is held out; a larger share includes all the documents of a smaller one.
    """
    return int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:8]) < share * 2**64


def read_source(source: Source, seed: int = 0, columns: Sequence[str] = ()) -> tuple[Dataset, tuple[Dropped, ...]]:
    """Read the rows that one source's filters choose, and the rows that its licence filter left out.

    Rows have an ``id``; a row whose data set has no ``source_id`` counts as a source of its own, and its ``source_kind`` is
    null. ``images`` stay encoded, and no column is copied: the rows are read from the data set's own cache. Raises ValueError
    naming data set and column if one of ``columns`` or of the filters is missing, or if the filters leave nothing.
    """
    try:
        rows = load_dataset(source.dataset, source.config, split=source.split, revision=source.revision)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"datasets: cannot load {source.name} ({error}). Build it, or correct the recipe's entry.") from error
    needed = [*columns, *source.where, *(["source_licence"] if source.without_licences else [])]
    if missing := [column for column in dict.fromkeys(needed) if column not in rows.column_names]:
        raise ValueError(
            f"datasets: {source.name} has no column {', '.join(missing)} (it has: {', '.join(rows.column_names)}). Correct "
            "'where' or 'columns' in the recipe, or rebuild the data set."
        )
    ids = rows["id"] if "id" in rows.column_names else [f"{source.name}:{number}" for number in range(len(rows))]
    # Before any row is chosen: datasets adds a column to chosen rows by writing all of them, images too, a second time.
    for name, values in (("id", ids), ("source_id", ids), ("source_kind", [None] * len(rows))):
        if name not in rows.column_names:
            rows = rows.add_column(name, list(values), feature=Value("string"))
    rows = _undecoded(rows)
    keep = np.ones(len(rows), dtype=bool)
    for column, allowed in source.where.items():
        keep &= np.isin(np.asarray(rows[column], dtype=object), list(allowed))
    dropped: tuple[Dropped, ...] = ()
    if source.without_licences:
        licences = np.asarray(rows["source_licence"], dtype=object)
        refused = keep & np.isin(licences, list(source.without_licences))
        dropped = tuple(Dropped(ids[number], "licence", str(licences[number])) for number in np.flatnonzero(refused))
        keep &= ~refused
    chosen = np.flatnonzero(keep)
    if source.max_samples is not None and len(chosen) > source.max_samples:
        chosen = np.sort(np.random.default_rng(seed).permutation(chosen)[: source.max_samples])
    if not len(chosen):
        raise ValueError(f"datasets: no row of {source.name} passes where={dict(source.where)!r}. Correct the recipe's entry.")
    return rows.select(chosen), dropped


def load_source(source: Source, seed: int = 0) -> tuple[Dataset, tuple[Dropped, ...]]:
    """Read one source's rows with ROW_FEATURES, and the rows that its licence filter left out.

    Raises the same errors as ``read_source``.
    """
    rows, dropped = read_source(source, seed, list(source.columns.values()) or ["messages", "images"])
    if source.columns:
        return _from_questions(rows, source.columns), dropped
    return with_features(rows, ROW_FEATURES), dropped


def with_features(rows: Dataset, features: Features) -> Dataset:
    """Return the columns of ``features`` alone, written anew only if they are of other types (datasets' cast always writes)."""
    rows = rows.select_columns(list(features))
    return rows if rows.features == features else rows.cast(features)


def prepare_stage(
    sources: Sequence[Source],
    processor: SpineGPTProcessor,
    *,
    max_length: int,
    order: str = "shuffled",
    packing: bool = False,
    pack_tokens: int | None = None,
    steps: Steps | None = None,
    validation_share: float = 0.0,
    seed: int = 0,
    num_proc: int | None = None,
) -> StageData:
    """Load, measure, filter, order and group a stage's rows.

    ``max_length`` is the number of tokens (text and image) that a sample may have; a longer one is dropped whole. ``packing``
    fills packs of ``pack_tokens`` (by default ``max_length``) or the longest sample, or, with ``steps``, deals packs of the
    size that its steps need. ``order``: "shuffled" mixes all sources; "sequential" shuffles within each source and keeps the
    sources' order. ``validation_share`` of the source documents is held out (``is_held_out``).

    Raises ValueError, naming the argument, for an unknown ``order`` or a share that is not from 0 to below 1, and if no row
    can be used.
    """
    if order not in ORDERS:
        raise ValueError(f"order: {order!r} is none of {', '.join(ORDERS)}.")
    if not 0 <= validation_share < 1:
        raise ValueError(f"validation_share: {validation_share} is no share from 0 to below 1.")
    limit = max_length - DUMMY_TOKENS
    loaded = [load_source(source, seed + number) for number, source in enumerate(sources)]
    dropped = [drop for _, licence_drops in loaded for drop in licence_drops]
    merged = concatenate_datasets([rows for rows, _ in loaded])
    measured = measure_all(merged, processor, num_proc)

    usable: list[int] = []
    held_out: list[int] = []
    for number, (id_, source_id, size) in enumerate(zip(merged["id"], merged["source_id"], measured)):
        if size["problem"]:
            dropped.append(Dropped(id_, size["problem"], size["detail"]))
        elif size["tokens"] > limit:
            dropped.append(Dropped(id_, "over_max_length", f"{size['tokens']} tokens, {limit} allowed"))
        else:
            if is_held_out(source_id or id_, validation_share):
                held_out.append(number)
            usable.append(number)
    if len(usable) == len(held_out) > 0:
        raise ValueError(
            f"validation_share: {validation_share} holds out all of the {len(usable)} usable rows. Lower it, or set it to 0."
        )
    if not usable:
        reasons = dict(Counter(drop.reason for drop in dropped))
        shortest = min((size["tokens"] for size in measured if not size["problem"]), default=0)
        raise ValueError(
            f"max_length: no sample is left to train on ({reasons}); the shortest has {shortest} tokens, max_length is "
            f"{max_length}. Raise max_length, lower max_pixels, or correct the data set."
        )

    renumbered = {number: position for position, number in enumerate(usable)}
    validation = [renumbered.pop(number) for number in held_out]
    tokens = [measured[number]["tokens"] for number in usable]
    rng = np.random.default_rng(seed)
    sections: list[list[int]] = []
    samples: dict[str, int] = {}
    first = 0
    for source, (rows, _) in zip(sources, loaded):
        own = [renumbered[number] for number in range(first, first + len(rows)) if number in renumbered]
        first += len(rows)
        drawn = _weighted(own, source.weight, rng)
        samples[source.name] = samples.get(source.name, 0) + len(drawn)
        sections.append(drawn)
    if order == "shuffled":
        sections = [rng.permutation(np.concatenate(sections)).astype(int).tolist()]
    digests = [measured[number]["digest"] for number in usable]
    fingerprint = _sha256([[digests[number] for number in section] for section in sections])
    image_tokens = [measured[number]["image_tokens"] for number in usable]
    accumulation = busy = None
    if packing and steps:
        costs = sample_costs(tokens, image_tokens, steps.config)
        dealt = _dealt(sections, tokens, costs, steps, rng)
        groups = [group for packs in dealt.rounds for group in packs]
        accumulation, busy = dealt.accumulation, busy_share(dealt.rounds, costs, steps.ranks)
    else:
        fill = max(pack_tokens or max_length, max(tokens) + DUMMY_TOKENS)  # a longer sample is a pack of its own size
        groups = [group for section in sections for group in _grouped(section, tokens, fill if packing else None, rng)]
    return StageData(
        rows=merged.select(usable),
        units=_units(groups),
        validation=_units([[number] for number in validation]),
        tokens=tuple(tokens),
        image_tokens=tuple(image_tokens),
        supervised_tokens=tuple(measured[number]["supervised_tokens"] for number in usable),
        dropped=tuple(dropped),
        samples=samples,
        fingerprint=fingerprint,
        accumulation=accumulation,
        busy_share=busy,
    )


def measure_all(
    rows: Dataset,
    processor: SpineGPTProcessor,
    num_proc: int | None = None,
    *,
    conversation: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    version: str = "",
) -> list[dict[str, Any]]:
    """Measure every row (collator.Measurement's fields, and ``digest``, a SHA-256 of its content), in ``num_proc`` processes.

    ``conversation`` turns a row into what is measured, if not the row itself. The result is kept in datasets' cache and found
    again at the next start, if rows, processor and code are the same; ``version`` says what else ``conversation`` depends on.
    """

    def measured(row: dict[str, Any]) -> dict[str, Any]:
        if conversation is not None:
            row = conversation(row)
        images = [(image and image["bytes"]) or b"" for image in row["images"] or []]
        digest = _sha256([row["messages"], [hashlib.sha256(image).hexdigest() for image in images]])
        return {**asdict(measure(row, processor)), "digest": digest}

    # With this fingerprint `datasets` finds the counts again, and does not try to hash the processor itself.
    settings = [processor.tokenizer.backend_tokenizer.to_str(), processor.chat_template, processor.image_processor.to_dict()]
    code = hashlib.sha256(Path(collator.__file__).read_bytes()).hexdigest()
    counts = rows.map(
        measured,
        remove_columns=rows.column_names,
        new_fingerprint=_sha256([rows._fingerprint, settings, code, version])[:32],
        num_proc=num_proc,
        desc="counting tokens",
    )
    return counts.to_list()


def _undecoded(rows: Dataset) -> Dataset:
    """Let ``images`` be read as encoded bytes: the same table under another description (datasets' cast would copy it)."""
    images = List(Image(decode=False))
    described = Features({name: images if name == "images" else kind for name, kind in rows.features.items()})
    if "images" not in rows.column_names or described.arrow_schema.types != rows.features.arrow_schema.types:
        return rows
    table = rows.data.cast(described.arrow_schema)
    return Dataset(table, DatasetInfo(features=described), split=rows.split, fingerprint=_sha256([rows._fingerprint])[:32])


def _from_questions(rows: Dataset, columns: Mapping[str, str]) -> Dataset:
    """Turn question, answer and reasoning columns into one exchange, the reasoning in ``<think>`` (ours; not in the paper)."""

    def converted(row: dict[str, Any]) -> dict[str, Any]:
        parts = [row[columns[name]] for name in ("reasoning", "answer") if name in columns]
        answer = None if None in parts else parts[-1].strip()  # a null is counted when the row is measured
        if answer is not None and "reasoning" in columns:
            answer = f"<think>\n{parts[0]}\n</think>\n\n{answer}"
        turns = (("user", row[columns["question"]]), ("assistant", answer))
        messages = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns]
        return {"id": row["id"], "messages": messages, "images": [], "source_id": row["id"], "source_kind": None}

    return Dataset.from_list([converted(row) for row in rows], features=ROW_FEATURES)


def _weighted(numbers: Sequence[int], weight: float, rng: np.random.Generator) -> list[int]:
    """Repeat ``numbers`` ``weight`` times, each pass and the fraction of the last one in random order."""
    whole, fraction = divmod(weight, 1)
    drawn = [number for _ in range(int(whole)) for number in rng.permutation(numbers).tolist()]
    return drawn + rng.permutation(numbers)[: round(fraction * len(numbers))].tolist()


def _dealt(
    sections: Sequence[Sequence[int]], tokens: Sequence[int], costs: np.ndarray, steps: Steps, rng: np.random.Generator
) -> Deal:
    """Deal each section on its own, to keep their order; all with the accumulation of the section that needs most."""
    sizes = np.asarray(tokens)

    def parts(accumulation: int = 0) -> list[Deal]:
        return [
            deal(
                sizes[section],
                costs[section],
                ranks=steps.ranks,
                samples_a_step=steps.samples,
                pack_tokens=steps.pack_tokens - DUMMY_TOKENS,
                rng=rng,
                accumulation=accumulation,
            )
            for section in sections
        ]

    dealt = parts()
    most = max(part.accumulation for part in dealt)
    if any(part.accumulation != most for part in dealt):
        dealt = parts(most)
    rounds = [
        [[section[position] for position in pack] for pack in packs]
        for part, section in zip(dealt, sections)
        for packs in part.rounds
    ]
    # A round that the ranks cannot share would move all later packs to other ranks.
    return Deal(sorted(rounds, key=lambda packs: len(packs) < steps.ranks), most)


def _grouped(section: Sequence[int], tokens: Sequence[int], budget: int | None, rng: np.random.Generator) -> list[list[int]]:
    if budget is None:
        return [[number] for number in section]
    # One token of each pack is kept for the dummy image of a text-only pack.
    packs = pack([tokens[number] for number in section], budget - DUMMY_TOKENS)
    return [[section[position] for position in packs[number]] for number in rng.permutation(len(packs))]


def _units(groups: Sequence[Sequence[int]]) -> Dataset:
    return Dataset.from_dict({"rows": [list(group) for group in groups]}, features=Features({"rows": List(Value("int64"))}))


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()
