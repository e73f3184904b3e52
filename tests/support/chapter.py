"""A chapter of a textbook with captioned figures."""

from dataset_builders.document import Document, Figure, Provenance

CHAPTER = """# The vertebral column

## Regions of the column

Each region has its own shape [3]. There are seven cervical bones in nearly all mammals.
The rib cage is joined to the column by twelve pairs of ribs (see Figure 1).
The spinal cord of most adults ends at the lower border of L1. The patient had pain at L4/L5 for a week.
It ends at L2 in children. A disc at L4/L5 carries more load than any other and degenerates first, as Figure 2 shows.

## References

1. Somebody. A book of bones that nobody needs to be asked about, with a long title. 1999.

## Why do discs degenerate?

Discs have no vessels of their own and live by diffusion through the end plates, which thicken with age.
The nucleus loses water, the annulus is loaded more, and small tears do not heal well in it.

| level | share |
|---|---|
| L4/L5 | 40 |
"""


CAPTIONS = (
    "Fig. 1. Lateral radiograph of a lumbar spine with a slip of the vertebra above at L4/L5.",
    "Figure 2: The cervical spine of an adult from the side, drawn in outline with its lordosis.",
    "Figure 3 | A thoracic vertebra seen from above, with its costal facets and long transverse processes.",
    "Figure 4. The sacrum from behind, with its median crest and four pairs of foramina on each side.",
)


def make_chapter(markdown=CHAPTER, kind="textbook", language="en", figures=(), **values) -> Document:
    provenance = Provenance(kind, "book:1", "CC-BY-4.0", "chapter.md", "0" * 64, source_title="A small book of spines")
    return Document(provenance, language, markdown, figures, specialty="spine", **values)


def make_figures() -> tuple[Figure, ...]:
    citing = ("A slip is common here (Figure 1). The arch stays behind when the body moves forwards in this way.",)
    return tuple(
        Figure(f"Figure {n}", caption, citing if n == 1 else (), page=n, locator=f"page {n}", image=b"fig%d" % n,
               image_modality="radiograph" if n == 1 else "diagram", agreement=0.5)
        for n, caption in enumerate(CAPTIONS, 1)
    )  # fmt: skip
