"""Measure deduplication: time, memory, recall of planted copies and false merges on generated texts, on one core.

    python benchmarks/duplicates.py                                      # 100,000 and 450,000 texts
    python benchmarks/duplicates.py --sizes 20000 --beside datatrove     # datatrove's MinHash with its defaults, same texts
    pip install --no-deps --target .venv-datasketch datasketch            # not a dependency of the project; needs numpy, scipy
    PYTHONPATH=.venv-datasketch python benchmarks/duplicates.py --beside datasketch datatrove

Prints and writes benchmarks/results/duplicates.json, duplicates_beside.json with --beside. The texts are this file's own:
clinical sentences from a seeded generator, English and Chinese. They are of three kinds:

    originals        texts that say different things
    planted copies   an original with other letter case, punctuation or spaces, one word more, or a typing slip: to be found
    traps            an original with another level, disc, side, grade, number or negation, and nothing else: not to be merged

Each run is a process of its own with one thread: seconds are processor time, memory is the peak of the process, texts
included.
"""

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402

SIZES = (100_000, 450_000)
COPIES, TRAPS = 0.1, 10_000  # share of planted copies; traps, or a fifth of the texts if these are few
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

DISCS = ("C3/4", "C4/5", "C5/6", "C6/7", "T8/9", "T11/12", "L1/2", "L2/3", "L3/4", "L4/5", "L5/S1")
VERTEBRAE = ("C2", "C5", "C7", "T4", "T7", "T10", "T12", "L1", "L2", "L3", "L4", "L5")
SLOTS = {
    "disc": DISCS,
    "vertebra": VERTEBRAE,
    "side": ("left", "right"),
    "sides": ("left-sided", "right-sided", "bilateral"),
    "severity": ("mild", "moderate", "severe"),
    "pfirrmann": ("Pfirrmann grade II", "Pfirrmann grade III", "Pfirrmann grade IV", "Pfirrmann grade V"),
    "modic": ("Modic type 1", "Modic type 2", "Modic type 3"),
    "meyerding": ("Meyerding grade I", "Meyerding grade II", "Meyerding grade III"),
    "asia": ("ASIA A", "ASIA B", "ASIA C", "ASIA D"),
    "power": ("3/5", "4/5", "4-/5", "4+/5", "5/5"),
    "angle": ("12°", "18°", "24°", "31°", "47°"),
    "weeks": ("two", "three", "six", "eight", "12", "24"),
    "negation": ("is", "is not"),
    "presence": ("with", "without"),
    "way": ("anterior", "posterior"),
    "zh_disc": ("颈4/5", "颈5/6", "胸11/12", "腰2/3", "腰3/4", "腰4/5", "腰5骶1"),
    "zh_vertebra": ("第三腰椎", "第四腰椎", "第五腰椎", "第七颈椎", "第十二胸椎"),
    "zh_side": ("左", "右", "双"),
    "zh_severity": ("轻度", "中度", "重度"),
    "zh_grade": ("Ⅰ度", "Ⅱ度", "Ⅲ度", "A级", "B级", "C级"),
    "zh_sign": ("阳性", "阴性"),
    "zh_presence": ("可见", "未见"),
}
SENTENCES = {
    "en": (
        "Sagittal images show a disc bulge at {disc} {presence} contact to the {side} nerve root.",
        "The height of {vertebra} is lost by a {severity} wedge fracture {presence} retropulsion of the {way} wall.",
        "There is {severity} narrowing of the canal at {disc}, {pfirrmann}, and the endplates are {modic}.",
        "The slip at {disc} is {meyerding} and {negation} mobile between sitting and standing films.",
        "Power of the {side} great toe is {power}, and the cord injury was graded {asia} on arrival.",
        "A {sides} facet cyst at {disc} {negation} large enough to fill the lateral recess.",
        "The {way} approach to {vertebra} was chosen after {weeks} weeks of brace wear and exercise.",
        "Kyphosis across {vertebra} measures {angle} and the curve apex lies at {disc}.",
        "Pain runs down the {side} leg for {weeks} weeks and {negation} worse on coughing.",
        "The {side} pedicle screw at {vertebra} {negation} within the bone on axial slices.",
    ),
    "zh": (
        "矢状位示{zh_disc}椎间盘突出，{zh_side}侧神经根受压，椎管{zh_severity}狭窄。",
        "{zh_vertebra}椎体压缩，{zh_presence}后壁骨块突入椎管，脊髓信号改变不详。",
        "{zh_disc}椎体滑脱{zh_grade}，屈伸位片活动情况待查，直腿抬高试验{zh_sign}。",
        "{zh_side}下肢放射痛伴麻木，肌力检查结果见下，{zh_vertebra}平面压痛{zh_sign}。",
        "术中经{zh_vertebra}置入椎弓根螺钉，{zh_presence}脑脊液漏，引流管留置。",
    ),
}
FILLERS = {
    "en": (
        "baker clerk driver gardener teacher farmer nurse painter student welder tailor miner cook porter sailor mason",
        "garden kitchen harbour market station orchard quarry bakery school library stable workshop cellar meadow bridge forge",
        "ladder bicycle staircase barrel wagon crate mattress fence plank bucket cart shelf sledge basket anvil rope",
        "spring summer autumn winter morning evening weekend holiday dawn dusk noon harvest festival storm frost thaw",
        "sister brother neighbour cousin friend colleague uncle daughter grandson landlord foreman partner aunt nephew guest",
    ),
    "zh": ("农民司机教师工人护士厨师木匠渔夫", "花园厨房码头市场车站果园学校仓库", "梯子台阶木箱货车书架水桶床垫篱笆"),
}
SEVERAL = re.compile(r"\{(\w+)\}")

Texts = dict[str, str]
Deduplicator = Callable[[Texts], dict[str, str]]


def main() -> None:
    """Measure each deduplicator on each size in a process of its own, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--beside", choices=("datasketch", "datatrove"), nargs="*", default=[])
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS, metavar=("NAME", "SIZE"))
    arguments = parser.parse_args()
    if arguments.worker:
        name, size = arguments.worker
        print(json.dumps(measure(name, int(size))))
        return
    figures: dict[str, dict] = {}
    for name in ("ours", *arguments.beside):
        for size in arguments.sizes:
            command = [sys.executable, __file__, "--worker", name, str(size)]
            output = subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=True, stdout=subprocess.PIPE, text=True)
            figures.setdefault(name, {})[f"{size:,} texts"] = json.loads(output.stdout.splitlines()[-1])
    write_result("duplicates_beside" if arguments.beside else "duplicates", figures, ("rensa", "numpy", *arguments.beside))


def measure(name: str, size: int) -> dict:
    """Measure seconds, memory, recall by kind of copy, and false merges of one deduplicator."""
    texts, planted, traps = make_texts(size)
    before = peak_memory()
    start, user = time.perf_counter(), time.process_time() + children_time()
    found = DEDUPLICATORS[name](texts)
    seconds = time.process_time() + children_time() - user
    result = {
        "processor_seconds": round(seconds, 1),
        "wall_seconds": round(time.perf_counter() - start, 1),
        "peak_memory_gib": round(peak_memory(), 2),
        "of_it_the_texts_gib": round(before, 2),
        "mean_characters": round(sum(map(len, texts.values())) / len(texts), 1),
    }
    return result | score(found, planted, traps, size)


def score(found: dict[str, str], planted: dict[str, tuple[str, str]], traps: dict[str, str], size: int) -> dict:
    """Compute recall by kind of planted copy, traps merged, and merges of other texts that say different things."""
    total = Counter(kind for kind, _ in planted.values())
    hit = Counter(kind for copy, (kind, _) in planted.items() if copy in found)
    merged = [copy for copy in found if copy in traps]
    others = [copy for copy, kept in found.items() if copy not in planted and copy not in traps and kept not in planted]
    return {
        "planted": len(planted),
        "recall": round(sum(hit.values()) / len(planted), 4),
        "recall_by_kind": {kind: round(hit[kind] / count, 4) for kind, count in sorted(total.items())},
        "traps": len(traps),
        "traps_merged": len(merged),
        "originals_merged": len(others),
        "originals": size - len(planted) - len(traps),
    }


def make_texts(size: int, seed: int = 0) -> tuple[Texts, dict[str, tuple[str, str]], dict[str, str]]:
    """Make ``size`` texts by key, with copy -> (kind, original) and trap -> original.

    Originals come before their copies and traps.
    """
    rng = random.Random(seed)
    copies, traps = round(COPIES * size), min(TRAPS, size // 5)
    originals = [make_original(rng) for _ in range(size - copies - traps)]
    texts = {f"original-{number}": fill(parts, values) for number, (_, parts, values) in enumerate(originals)}
    planted: dict[str, tuple[str, str]] = {}
    changed: dict[str, str] = {}
    for number in range(copies):
        origin = rng.randrange(len(originals))
        kind = (*COPY_KINDS,)[number % len(COPY_KINDS)]
        planted[f"copy-{number}"] = (kind, f"original-{origin}")
        texts[f"copy-{number}"] = COPY_KINDS[kind](texts[f"original-{origin}"], rng)
    for number, origin in enumerate(rng.sample(range(len(originals)), traps)):
        changed[f"trap-{number}"] = f"original-{origin}"
        texts[f"trap-{number}"] = change_fact(originals[origin], rng)
    return texts, planted, changed


def make_original(rng: random.Random) -> tuple[str, str, list[str]]:
    """Make a text: its language, the text with its slots, and the values that fill them, in order."""
    language = "zh" if rng.random() < 0.3 else "en"
    sentences = rng.sample(SENTENCES[language], rng.randint(2, 4))
    rng.shuffle(sentences)
    text = ("" if language == "zh" else " ").join((history(language, rng), *sentences))
    return language, text, [rng.choice(SLOTS[name]) for name in SEVERAL.findall(text)]


def history(language: str, rng: random.Random) -> str:
    """Make a first sentence that hardly any two texts share."""
    if language == "zh":
        person, place, thing = ([words[i : i + 2] for i in range(0, len(words), 2)] for words in FILLERS["zh"])
        age, days = rng.randint(18, 89), rng.randint(2, 60)
        return f"{age}岁{rng.choice(person)}，在{rng.choice(place)}搬{rng.choice(thing)}后腰背疼痛{days}天。"
    person, place, thing, season, kin = (words.split() for words in FILLERS["en"])
    return (
        f"A {rng.randint(18, 89)} year old {rng.choice(person)} hurt the back lifting a {rng.choice(thing)} in the "
        f"{rng.choice(place)} last {rng.choice(season)} and came with a {rng.choice(kin)} on day {rng.randint(2, 60)}."
    )


def fill(text: str, values: list[str]) -> str:
    """Fill the slots of ``text`` in order."""
    following = iter(values)
    return SEVERAL.sub(lambda _: next(following), text)


def change_fact(original: tuple[str, str, list[str]], rng: random.Random) -> str:
    """Return the same text with one slot's value changed: another level, side, grade, number or negation."""
    _, text, values = original
    names = SEVERAL.findall(text)
    slot = rng.randrange(len(values))
    other = rng.choice([value for value in SLOTS[names[slot]] if value != values[slot]])
    return fill(text, [*values[:slot], other, *values[slot + 1 :]])


def is_chinese(text: str) -> bool:
    """Return whether a generated text is one of the Chinese ones."""
    return "。" in text or "岁" in text


def iterate_words(text: str) -> Iterator[re.Match[str]]:
    """Yield ordinary words of seven letters or more."""
    return re.finditer(r"(?<![A-Za-z])[a-z]{7,}(?![A-Za-z])", text)


def other_case(text: str, rng: random.Random) -> str:
    """Change letter case; in Chinese, change letters, digits and signs to full width."""
    if is_chinese(text):
        return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)
    return text.upper() if rng.random() < 0.5 else text.lower()


def other_punctuation(text: str, rng: random.Random) -> str:
    """Change or leave out stops and commas."""
    marks = rng.choice(({".": ";", ",": "", "。": "；", "，": " "}, {". ": " - ", ",": " ,", "。": ".", "，": ","}))
    for mark, other in marks.items():
        text = text.replace(mark, other)
    return text


def other_spaces(text: str, rng: random.Random) -> str:
    """Change spaces to runs of spaces and line breaks."""
    return "".join(character + rng.choice(("", " ", "\n")) if character in " 。，" else character for character in text)


def one_word_more(text: str, rng: random.Random) -> str:
    """Insert one word that says nothing of the spine, anywhere between sentences or words."""
    if is_chinese(text):
        place = rng.choice([match.end() for match in re.finditer("[。，]", text)][:-1])
        return f"{text[:place]}据述{text[place:]}"
    words = text.split(" ")
    words.insert(rng.randrange(1, len(words)), rng.choice(("reportedly", "also", "today", "indeed", "apparently")))
    return " ".join(words)


def one_slip(text: str, rng: random.Random) -> str:
    """Swap two letters of one long word (in a Chinese text, which has no such words, add a space)."""
    places = list(iterate_words(text))
    if not places:
        return f" {text} "
    match = rng.choice(places)
    at = match.start() + rng.randrange(1, len(match.group()) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


COPY_KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "letter case": other_case,
    "punctuation": other_punctuation,
    "spaces": other_spaces,
    "one word more": one_word_more,
    "two letters swapped": one_slip,
}


def find_with_ours(texts: Texts) -> dict[str, str]:
    """Find copies with dataset_builders.overlap.deduplicate."""
    from dataset_builders.overlap.deduplicate import near_duplicates

    return near_duplicates(texts)


def find_with_datasketch(texts: Texts) -> dict[str, str]:
    """Find copies with MinHashLSH and its defaults (threshold 0.9, 128 permutations), over words in threes.

    Every candidate that it finds counts as a copy.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH()
    found: dict[str, str] = {}
    for key, text in texts.items():
        words = list(text) if is_chinese(text) else text.lower().split()
        sketch = MinHash()
        sketch.update_batch([" ".join(words[i : i + 3]).encode() for i in range(max(1, len(words) - 2))])
        if near := index.query(sketch):
            found[key] = str(near[0])
        else:
            index.insert(key, sketch)
    return found


def find_with_datatrove(texts: Texts) -> dict[str, str]:
    """Find copies with datatrove's four MinHash stages, one task each.

    They have their defaults (numbers normalised away, 14 bands of 8, 5-grams), except for the hash function: SHA-1, because
    the default xxhash fails with xxhash 4 ("Strings must be encoded").
    """
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "texts")
        source.mkdir()
        with (source / "texts.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"id": key, "text": text}, ensure_ascii=False) + "\n" for key, text in texts.items())
        config = MinhashConfig(hash_config=HashConfig(hash_fc="sha1"))
        at = {name: f"{folder}/{name}" for name in ("signatures", "buckets", "removed", "kept", "copies")}
        reader = JsonlReader(str(source))
        stages: list[tuple[list, int]] = [
            ([reader, MinhashDedupSignature(at["signatures"], config=config)], 1),
            ([MinhashDedupBuckets(at["signatures"], at["buckets"], config=config)], config.num_buckets),
            ([MinhashDedupCluster(at["buckets"], at["removed"], config=config)], 1),
            (
                [
                    reader,
                    MinhashDedupFilter(at["removed"], exclusion_writer=JsonlWriter(at["copies"], compression=None)),
                ],
                1,
            ),
        ]
        for number, (pipeline, tasks) in enumerate(stages):
            LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=f"{folder}/logs/{number}").run()
        copies = [
            json.loads(line)["id"] for path in Path(at["copies"]).rglob("*.jsonl") for line in path.open(encoding="utf-8")
        ]
    return dict.fromkeys(copies, "")  # it says what is removed, not what it repeats


DEDUPLICATORS: dict[str, Deduplicator] = {
    "ours": find_with_ours,
    "datasketch": find_with_datasketch,
    "datatrove": find_with_datatrove,
}


def peak_memory() -> float:
    """Return the peak memory of this process or of its largest child, in GiB."""
    usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return usage / (1 << 10 if sys.platform != "darwin" else 1 << 20) / (1 << 10)


def children_time() -> float:
    """Return the processor seconds of finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
