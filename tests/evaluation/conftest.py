"""A small SpineBench and SpineMed in our own words, with the published columns, and a tiny random model."""

import io
import random

import pytest
from datasets import Dataset
from PIL import Image, ImageDraw

from dataset_builders.schema import spinebench_features, spinemed_features

REPORT = {
    "en": """## Imaging findings
Sagittal CT shows a wedge fracture of L1 with 35% loss of anterior height. The disc at L4/L5 is narrowed.
## Diagnosis
Compression fracture of L1, grade 2.
## Treatment suggestions
A brace for eight weeks and walking as pain allows; kyphoplasty if pain stays severe.
## Risk and prognosis
Further collapse and kyphosis are possible; most fractures heal within three months.
## Post-operative management
Early mobilisation, wound checks and bone density treatment.
## Diagnostic basis and disclaimer
The height loss at L1 supports the diagnosis. A physician must confirm it.""",
    "zh": """影像学表现：矢状位CT示腰1椎体楔形变，前缘高度丢失约35%。腰4/5椎间隙变窄。
诊断：腰1椎体压缩性骨折，2级。
治疗建议：佩戴支具八周，疼痛允许时下地行走；疼痛剧烈可行椎体后凸成形术。
风险与预后：可能进一步塌陷、后凸加重；多数三个月内愈合。
术后管理：早期活动，检查伤口，抗骨质疏松治疗。
诊断依据与声明：腰1椎体高度丢失支持诊断，须由医师确认。""",
}
STEMS = {
    "en": "At which disc level is the space narrowed in case {number}?",
    "zh": "病例{number}中哪一椎间隙变窄？",
}
DISCS = ["L2/L3", "L3/L4", "L4/L5", "L5/S1"]


def image(seed):
    rng = random.Random(seed)
    canvas = Image.new("L", (64, 96), 16)
    draw = ImageDraw.Draw(canvas)
    for place in range(5):
        left = 20 + rng.randrange(4)
        draw.rectangle([left, 6 + 18 * place, left + 24, 18 + 18 * place], fill=150 + rng.randrange(80))
    file = io.BytesIO()
    canvas.save(file, format="PNG")
    return {"bytes": file.getvalue(), "path": None}


def provenance(number, kind):
    return {
        "axis": ["level_identification", "pathology_assessment", "surgical_planning"][number % 3],
        "context": ["A bulge is seen at L4/L5."],
        "evidence": [{"paragraph": 0, "start": 0, "end": 25}],
        "checks": ["known_names@1"],
        "levels": ["L4", "L5"],
        "discs": ["L4/L5"],
        "specialty": "spine",
        "subfield": ["degenerative", "trauma"][number % 2],
        "subfield_score": 0.8,
        "image_modality": "ct" if kind == "open_dataset" else None,
        "agreement": None,
        "source_kind": kind,
        "source_id": f"made-up:{number}",
        "source_title": "A chapter <b>made up</b> for tests",
        "source_doi": None,
        "source_url": "https://example.org/chapter",
        "source_licence": "CC-BY-4.0",
        "source_locator": f"page {number + 1}, Figure 2",
        "source_sha256": f"{number:064x}",
        "case_id": None,
        "draft_model": "rules/1",
        "revise_model": None,
        "prompt_id": "rules/level_of_finding@1",
        "prompt_sha256": "0" * 64,
        "generation_id": f"{number:064x}",
        "review_status": "unreviewed",
        "review_group": None,
        "review_verdict": None,
        "reviewed_at": None,
    }


def benchmark_row(number, task, language, modality):
    is_report = task == "report"
    return {
        "id": f"{task}-{number:04d}",
        "task": task,
        "language": language,
        "modality": modality,
        "question": ("Write a report. " if language == "en" else "请写一份诊断报告。") + str(number)
        if is_report
        else STEMS[language].format(number=number),
        "images": [image(number)] if modality == "image_text" else [],
        "options": [] if is_report else DISCS,
        "answer": REPORT[language] if is_report else "ABCD"[number % 4],
        "rubric": [{"dimension": "diagnosis", "criterion": "names the fractured vertebra L1"}] if is_report else [],
        **provenance(number, "open_dataset" if modality == "image_text" else "textbook"),
    }


def training_row(number, task, language, modality):
    parts = [{"type": "image", "text": None}] if modality == "image_text" else []
    question = STEMS[language].format(number=number)
    turns = [
        {"role": "user", "content": [*parts, {"type": "text", "text": question + "\n\nA. L3/L4\nB. L4/L5"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "B. L4/L5\n\n" + REPORT[language].splitlines()[0]}]},
    ]
    if task == "consultation":
        turns += [
            {"role": "user", "content": [{"type": "text", "text": "What <script>alert(1)</script> now?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Rest and a brace."}]},
        ]
    choice = task == "multiple_choice"
    return {
        "id": f"{task}-train-{number:04d}",
        "task": task,
        "language": language,
        "modality": modality,
        "messages": turns,
        "images": [image(1000 + number)] if parts else [],
        "options": ["L3/L4", "L4/L5"] if choice else [],
        "answer": "B" if choice else (REPORT[language] if task == "report" else None),
        **provenance(number, "open_dataset" if parts else "textbook"),
    }


def save(rows, features, folder, split):
    columns = {name: [row[name] for row in rows] for name in features}
    folder.mkdir(parents=True)
    Dataset.from_dict(columns, features=features).to_parquet(folder / f"{split}-00000-of-00001.parquet")


@pytest.fixture(scope="session")
def spinebench(tmp_path_factory):
    """24 multiple choice items (half with an image) and 4 reports, in both languages."""
    folder = tmp_path_factory.mktemp("made_up") / "spinebench"
    rows = [
        benchmark_row(number, "multiple_choice", ("en", "zh")[number // 2 % 2], ("text", "image_text")[number % 2])
        for number in range(24)
    ]
    rows += [benchmark_row(100 + n, "report", ("en", "zh")[n // 2], ("text", "image_text")[n % 2]) for n in range(4)]
    save(rows, spinebench_features(), folder, "test")
    return folder


@pytest.fixture(scope="session")
def spinemed(tmp_path_factory):
    """Two rows of each task and language, one with an image."""
    folder = tmp_path_factory.mktemp("made_up") / "spinemed-450k"
    kinds = [
        (task, language, modality)
        for task in ("multiple_choice", "open_ended", "consultation", "report")
        for language in ("en", "zh")
        for modality in ("text", "image_text")
    ]
    save([training_row(number, *kind) for number, kind in enumerate(kinds)], spinemed_features(), folder, "train")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    from modeling.spinegpt import make_tiny

    texts = [*REPORT.values(), *STEMS.values(), *DISCS] * 4
    return make_tiny(tmp_path_factory.mktemp("tiny"), texts, vocab_size=600, hidden_size=32, layers=1)
