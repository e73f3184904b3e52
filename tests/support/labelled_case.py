"""A case of images whose levels and findings are labelled."""

from dataset_builders.document import Document, Figure, Finding, Provenance

VERTEBRAE = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")


DISCS = ("T11/T12", "T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")


FRACTURE = Finding("wedge_fracture", "L1", "Genant 2", 31.5, "%")


HERNIATION = Finding("disc_herniation", "L4/L5")


DEGENERATION = Finding("disc_degeneration", "L4/L5", "4")


NORMAL_DISC = Finding("disc_degeneration", "L2/L3", "1")


FINDINGS = (FRACTURE, HERNIATION, DEGENERATION, NORMAL_DISC)


def make_case(findings=FINDINGS, images=5, kind="open_dataset", language="en") -> Document:
    figures = tuple(
        Figure(
            "", "T2-weighted MRI, sagittal slice", locator=f"sagittal slice {number} of 64", image=b"image %d" % number,
            image_modality="mri", levels=VERTEBRAE, discs=DISCS, findings=findings if number else (),
        )
        for number in range(images)
    )  # fmt: skip
    provenance = Provenance(kind, "set:case7", "CC-BY-4.0", "case7", "0" * 64, case_id="case7")
    return Document(provenance, language, figures=figures, findings=findings, levels=VERTEBRAE, discs=DISCS, specialty="spine")


def make_figure(plane: str, place: int, levels=VERTEBRAE, findings=()) -> Figure:
    return Figure(
        "", f"CT, {plane} slice", locator=f"{plane} slice {place} of 64", image=f"{plane}{place}".encode(),
        image_modality="ct", levels=levels, findings=findings,
    )  # fmt: skip
