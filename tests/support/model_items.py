"""Documents that models draft from, and items as models write them."""

from collections.abc import Callable

from dataset_builders.document import Document, Exchange, Figure, Provenance

PNG = b"\x89PNG\r\n\x1a\n image"


CHOICE = {
    "task": "multiple_choice", "language": "en", "axis": "level_identification", "figures": [],
    "question": "At which disc do lumbar herniations occur most often besides the lowest one?",
    "options": ["L2/L3", "L3/L4", "L4/L5", "T12/L1"], "answer": "C", "explanation": "It bears most of the load.",
}  # fmt: skip


OPEN = {
    "task": "open_ended", "language": "zh", "axis": None, "figures": ["F1"],
    "question": "该图显示了什么？", "answer": "显示腰椎间盘突出。",
}  # fmt: skip


TALK = [
    {"role": "user", "text": "What do these images show?", "figures": ["F1", "F2"]},
    {"role": "assistant", "text": "L4/L5 carries the label disc herniation."},
    {"role": "user", "text": "And what can be done?", "figures": []},
    {"role": "assistant", "text": "That is decided with your doctor."},
]


CONSULTATION = {"task": "consultation", "language": "en", "axis": "pathology_assessment", "turns": TALK}


def make_document(kind="textbook", markdown="", figures=(), **values) -> Document:
    provenance = Provenance(kind, "book:1", "CC-BY-4.0", "book.pdf", "0" * 64, source_title="Spines")
    markdown = markdown or "# Discs\n\nThe L4/L5 disc bears most of the load of the trunk and degenerates early (Figure 1)."
    return Document(provenance, "en", markdown, figures, specialty="spine", **values)


def make_figures(count=1) -> tuple[Figure, ...]:
    context = ("The L4/L5 disc bears most of the load of the trunk and degenerates early (Figure 1).",)
    return tuple(
        Figure(
            f"Figure {n}",
            "A disc.",
            context,
            image=PNG + b"%d" % n,
            image_modality="mri",
            levels=("L4", "L5"),
            discs=("L4/L5",),
        )
        for n in range(1, count + 1)
    )


def images(document: Document) -> Callable[[str], bytes]:
    return {figure.image_sha256: figure.image for figure in document.figures}.__getitem__


def make_bank() -> Document:
    return make_document("question_bank", exchange=Exchange("Which is the axis?", "B", ("C1", "C2")))
