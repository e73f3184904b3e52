import io
import random

from PIL import Image, ImageDraw

from dataset_builders.deduplicate import deduplicate_documents, near_duplicates, picture_hash
from dataset_builders.document import Document, Figure, Provenance, Reject

NOTE = (
    "The patient walked in with low back pain that runs into the {side} leg; the image shows a {grade} narrowing of the canal "
    "at {level} with a bulging disc and thick yellow ligament, and the cord ends where it should."
)


def picture(seed: int, quality: int | None = None) -> bytes:
    rng = random.Random(seed)
    image = Image.new("L", (160, 120), 20)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.randrange(150), rng.randrange(110)
        draw.rectangle((x, y, x + rng.randrange(60), y + rng.randrange(50)), fill=rng.randrange(255))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality) if quality else image.save(buffer, "PNG")
    return buffer.getvalue()


def document(
    name: str, markdown: str = "", pictures: tuple[bytes, ...] = (), licence: str = "CC-BY-4.0", case: str | None = None
):
    provenance = Provenance("textbook", name, licence, "page 1", "0" * 64, case_id=case)
    return Document(provenance, "en", markdown, tuple(Figure(f"Figure {i}", "", image=p) for i, p in enumerate(pictures, 1)))


def run(*documents: Document):
    images = {figure.image_sha256: figure.image for d in documents for figure in d.figures}
    results = list(deduplicate_documents(lambda: iter({**d.to_dict(), "_shard": 0} for d in documents), images.__getitem__))
    kept = {r["provenance"]["source_id"]: r for r in results if not isinstance(r, Reject)}
    return kept, [r for r in results if isinstance(r, Reject)]


def test_texts_that_differ_in_level_side_or_grade_are_never_merged():
    variants = {
        f"{level}-{side}-{grade}": NOTE.format(level=level, side=side, grade=grade)
        for level in ("L3/4", "L4/5", "C5-6", "T12")
        for side in ("left", "right")
        for grade in ("mild", "moderate", "severe")
    }
    assert near_duplicates(variants) == {}


def test_small_wording_changes_are_near_duplicates_of_the_first():
    text = NOTE.format(level="L4/5", side="left", grade="mild") + " Conservative care was offered and the review is open."
    found = near_duplicates(
        {"a": text, "b": text.replace("thick yellow ligament", "thick  Yellow ligament"), "c": text + " Thanks."}
    )
    assert found == {"b": "a", "c": "a"}


def test_chinese_texts_that_differ_in_level_are_kept_apart():
    text = "患者腰痛伴下肢放射痛，磁共振示腰{}椎间盘突出，硬膜囊受压，神经根走行受影响，建议先行保守治疗并随访观察。"
    assert near_duplicates({"a": text.format("4/5"), "b": text.format("3/4"), "c": text.format("4/5")}) == {"c": "a"}


def test_the_freest_copy_of_a_document_stays_and_the_other_names_it():
    text = NOTE.format(level="L4/5", side="left", grade="mild")
    kept, rejects = run(document("a", text, licence="LicenseRef-Unknown"), document("z", text))
    assert set(kept) == {"z"}
    assert [(r.file, r.reason, r.detail) for r in rejects] == [("a", "duplicate_document", "same as z")]


def test_a_recompressed_picture_of_another_document_is_dropped_but_not_its_document():
    kept, rejects = run(
        document("a", "first text about the spine", (picture(1),)),
        document("b", "second text about the hip", (picture(1, quality=70), picture(2))),
    )
    assert [figure["label"] for figure in kept["b"]["figures"]] == ["Figure 2"]
    assert [(r.file, r.reason, r.where) for r in rejects] == [("b", "duplicate_picture", "Figure 1")]


def test_neighbouring_slices_of_a_case_stay():
    kept, rejects = run(document("case", "CT of a spine", (picture(3), picture(3, quality=95)), case="case"))
    assert len(kept["case"]["figures"]) == 2 and not rejects


def test_two_patients_with_equal_words_but_other_pictures_stay():
    kept, _ = run(
        document("p1", "normal study", (picture(4),), case="p1"), document("p2", "normal study", (picture(5),), case="p2")
    )
    assert set(kept) == {"p1", "p2"}


def test_picture_hash_moves_little_under_recompression_and_much_between_pictures():
    assert (picture_hash(picture(6)) ^ picture_hash(picture(6, quality=60))).bit_count() <= 4
    assert (picture_hash(picture(6)) ^ picture_hash(picture(7))).bit_count() > 8
