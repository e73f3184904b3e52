import dataclasses
import io
import time

import pytest
from PIL import Image, ImageDraw

from dataset_builders.classify import classify_document, classify_image, classify_text, document_text, relevant_figures
from dataset_builders.document import Document, Exchange, Figure, Provenance
from dataset_builders.levels import VERTEBRAE
from dataset_builders.schema import IMAGE_MODALITIES
from dataset_builders.taxonomy import SUBFIELDS
from tests.support.scripts import load_benchmark

TEXTS = [  # our own sentences: text, specialty, sub-field
    ("A left paracentral disc herniation compresses the root.", "spine", "disc_disease"),
    ("Neurogenic claudication from lumbar canal stenosis with thick ligamentum flavum.", "spine", "spinal_stenosis"),
    ("Grade I anterolisthesis with bilateral pars defects.", "spine", "spondylolisthesis"),
    ("Degenerative cervical myelopathy treated by laminoplasty.", "spine", "cervical_myelopathy"),
    ("Adolescent scoliosis with a Cobb angle of 48 degrees.", "spine", "deformity"),
    ("Burst fracture of L1 after a fall from height.", "spine", "vertebral_fracture"),
    ("Vertebroplasty for a fragility fracture in osteoporosis.", "spine", "osteoporotic_fracture"),
    ("Complete spinal cord injury with spinal shock, ASIA impairment scale A.", "spine", "spinal_cord_disorder"),
    ("Intradural extramedullary schwannoma and another spinal tumour.", "spine", "spinal_tumour"),
    ("Discitis with an epidural abscess.", "spine", "spinal_infection"),
    ("HLA-B27 positive ankylosing spondylitis with sacroiliitis.", "spine", "inflammatory_spine"),
    ("Spina bifida with a tethered cord.", "spine", "congenital_spine"),
    ("Exercise therapy for chronic low back pain.", "spine", "back_neck_pain"),
    ("The spinous processes and the vertebral arch of a typical vertebra.", "spine", "spine_anatomy"),
    ("Intertrochanteric hip fracture fixed with an intramedullary nail.", "orthopaedics", "limb_trauma"),
    ("Total knee arthroplasty for osteoarthritis.", "orthopaedics", "joint_reconstruction"),
    ("Arthroscopic repair of a meniscal tear and the anterior cruciate ligament.", "orthopaedics", "sports_medicine"),
    ("Carpal tunnel syndrome with wasting of the thenar muscles.", "orthopaedics", "hand_upper_limb"),
    ("Hallux valgus and plantar fasciitis.", "orthopaedics", "foot_ankle"),
    (
        "Clubfoot treated by serial casts in an infant with hip dysplasia, Ortolani positive.",
        "orthopaedics",
        "paediatric_orthopaedics",
    ),
    ("Osteosarcoma with sunburst reaction.", "orthopaedics", "bone_disease"),
    ("腰4/5椎间盘突出压迫神经根。", "spine", "disc_disease"),
    ("腰椎管狭窄症，间歇性跛行。", "spine", "spinal_stenosis"),
    ("腰5椎体滑脱伴峡部裂。", "spine", "spondylolisthesis"),
    ("脊髓型颈椎病，霍夫曼征阳性。", "spine", "cervical_myelopathy"),
    ("青少年特发性脊柱侧弯。", "spine", "deformity"),
    ("胸12椎体爆裂性骨折。", "spine", "vertebral_fracture"),
    ("脊柱结核伴寒性脓肿。", "spine", "spinal_infection"),
    ("强直性脊柱炎，骶髂关节炎。", "spine", "inflammatory_spine"),
    ("股骨颈骨折行切开复位。", "orthopaedics", "limb_trauma"),
    ("股骨头坏死行人工关节置换。", "orthopaedics", "joint_reconstruction"),
    ("骨肉瘤患者。", "orthopaedics", "bone_disease"),
    ("Community-acquired pneumonia treated with antibiotics.", "general", None),
    ("高血压患者服用降压药。", "general", None),
    ("Oral poliomyelitis vaccine is given in the first year.", "general", None),
    ("Bacterial meningitis in an infant.", "general", None),
    ("小儿口服脊髓灰质炎疫苗。", "general", None),
    ("颅底骨折后脑脊液漏。", "general", None),
    ("骶耻外径与坐骨结节间径的正常值。", "general", None),
]

IMAGES = [  # our own captions: caption, modality, reason
    ("Sagittal T2-weighted MRI of the lumbar spine", "mri", ""),
    ("Axial CT through the pedicles of L3", "ct", ""),
    ("Postoperative lateral radiograph with screws at L4 and L5", "radiograph", ""),
    ("Intraoperative view of the exposed lamina", "intraoperative", ""),
    ("Schematic drawing of the lumbar disc", "diagram", ""),
    ("Post-operative photograph of the patient's back, healed wound", "photograph", "postoperative_photograph"),
    ("Table of patient characteristics", "table", "nondiagnostic_table"),
    ("Forest plot of pain scores after fusion", "diagram", "chart"),
    ("Class activation map over an axial T2-weighted MR image", "mri", "method"),
    ("Receiver operating characteristic of the readers", "diagram", "chart"),
    ("Diagram of the knee joint and its ligaments", "diagram", "other_body_region"),
    ("Ankle radiograph, lateral view", "radiograph", "other_body_region"),
    ("腰椎MRI矢状位T2加权像", "mri", ""),
    ("膝关节示意图", "diagram", "other_body_region"),
    ("术后切口照片", "photograph", "postoperative_photograph"),
]


def png(draw):
    image = Image.new("RGB", (128, 128))
    draw(image)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def document(markdown="", figures=(), kind="article", **more):
    return Document(Provenance(kind, "made:1", "CC0-1.0", "", "0" * 64), "en", markdown, tuple(figures), **more)


@pytest.mark.parametrize(("text", "specialty", "subfield"), TEXTS)
def test_finds_specialty_and_subfield(text, specialty, subfield):
    found = classify_text(text)
    assert (found.specialty, found.subfield) == (specialty, subfield)
    assert bool(found.terms) == bool(subfield)
    assert 0 < found.score < 1 if subfield else found.score == 0


def test_every_subfield_has_a_text_above():
    assert {subfield for _, _, subfield in TEXTS} - {None} == set(SUBFIELDS)


def test_score_grows_with_evidence_and_falls_with_competition():
    alone = classify_text("scoliosis").score
    assert classify_text("scoliosis with kyphosis and a Cobb angle").score > alone
    assert classify_text("scoliosis, discitis and spina bifida").score < alone


def test_weak_terms_alone_name_no_subfield():
    weak = classify_text("An injection near the spinal cord of a child.")
    assert (weak.specialty, weak.subfield) == ("spine", None)
    assert classify_text("A spinal cord injury of a child.").subfield == "spinal_cord_disorder"


def test_wrong_options_do_not_say_what_a_question_is_about():
    def asked(answer):
        exchange = Exchange("Which diagnosis is most likely?", answer, ("Discitis", "Scoliosis", "Asthma"))
        return classify_document(document("Which diagnosis is most likely? Discitis Scoliosis Asthma", exchange=exchange))

    assert [asked(letter).subfield for letter in "ABC"] == ["spinal_infection", "deformity", None]


def test_everything_a_document_says_is_read_once():
    figure = Figure("Figure 1", "Axial CT")
    exchange = Exchange("What is seen?", "A fracture", reasoning="The body is wedged.")
    text = document_text(document("What is seen? Axial CT", [figure], exchange=exchange))
    assert [text.count(part) for part in ("What is seen?", "Axial CT", "A fracture", "The body is wedged.")] == [1, 1, 1, 1]


def test_most_labelled_questions_and_case_reports_are_sorted_right(sources):
    classification = load_benchmark("classification")
    files = {
        row["file"] for row in classification.read_rows("texts") if row["file"].startswith(("question_banks", "case_reports"))
    }
    texts, not_found = classification.judge_texts(classification.read_documents(sources, files))
    assert not_found <= 0.05 * len(texts)
    for half in ("held_out", "unseen"):
        right = [text.right for text in texts if text.half == half]
        assert len(right) >= 50 and sum(right) / len(right) >= 0.8, half


def test_a_longer_term_hides_the_shorter_one_inside():
    assert "disc" not in classify_text("a disc herniation").terms


@pytest.mark.parametrize(("caption", "modality", "reason"), IMAGES)
def test_reads_a_caption(caption, modality, reason):
    found = classify_image(caption)
    assert (found.image_modality, found.reason, found.relevant) == (modality, reason, not reason)
    assert modality in IMAGE_MODALITIES and 0 < found.score < 1


def test_pixels_tell_drawing_from_photograph_if_the_caption_says_nothing():
    def drawing(image):
        image.paste("white", (0, 0, 128, 128))
        ImageDraw.Draw(image).line((10, 10, 110, 110), fill="blue", width=3)

    def photograph(image):
        image.putdata([(60 + x, 90 + y // 2, 10 + (x * y) % 60) for y in range(128) for x in range(128)])

    def scan(image):
        image.putdata([((x * y) % 200,) * 3 for y in range(128) for x in range(128)])

    assert classify_image("", png(drawing)).image_modality == "diagram"
    assert classify_image("", png(photograph)).image_modality == "photograph"
    assert classify_image("", png(scan)).image_modality is None  # radiograph, CT or MRI: pixels cannot say
    assert classify_image("", b"not an image").image_modality is None


def test_pixels_are_looked_up_if_they_are_not_in_memory():
    drawn = png(lambda image: image.paste("white", (0, 0, 128, 128)))
    kept = Figure("", "", image_sha256="a" * 64)
    found = classify_document(document(figures=[kept]), {"a" * 64: drawn}.__getitem__)
    assert found.figures[0].image_modality == "diagram"

    def nowhere(sha256):
        raise FileNotFoundError(sha256)

    assert classify_document(document(figures=[kept]), nowhere).figures[0].image_modality is None


def test_a_document_and_its_figures_are_filled_from_their_words():
    figure = Figure("Figure 1", "Axial CT of the T12 body")
    found = classify_document(document("Burst fracture of T12. The L1/2 disc is intact.", [figure]))
    assert (found.specialty, found.subfield, found.levels, found.discs) == (
        "spine",
        "vertebral_fracture",
        ("T12", "L1", "L2"),
        ("L1/L2",),
    )
    assert found.subfield_score and 0 < found.subfield_score < 1
    assert (found.figures[0].image_modality, found.figures[0].levels) == ("ct", ("T12",))


def test_labels_from_metadata_are_kept():
    figure = Figure("", "MRI at L4/5", image_modality="ct", levels=("C3",))
    found = classify_document(document("L4/5 disc bulge", [figure], levels=("C3",)))
    assert (found.levels, found.discs) == (("C3",), ())
    assert (found.figures[0].image_modality, found.figures[0].levels, found.figures[0].discs) == ("ct", ("C3",), ())


def test_classifying_twice_changes_nothing():
    once = classify_document(document("Scoliosis of T5–T12", [Figure("", "Radiograph of the spine")]))
    assert classify_document(once) == once


def test_an_exchange_is_classified_by_its_question_and_options():
    exchange = Exchange("Which nerve is compressed in carpal tunnel syndrome?", "A", ("Median nerve", "Ulnar nerve"))
    assert classify_document(document(exchange=exchange)).subfield == "hand_upper_limb"


def test_general_medicine_stays_general_unless_evidence_is_strong():
    mention = "The patient has asthma and once had back pain. " + "Inhaled steroids were continued. " * 20
    assert classify_document(document(mention, kind="general_medical")).specialty == "general"
    strong = "Lumbar disc herniation at L4/5 with sciatica; discectomy relieved the radiculopathy; the spinal canal is wide."
    assert classify_document(document(strong, kind="general_medical")).specialty == "spine"


def test_irrelevant_figures_leave_with_a_counted_reason():
    figures = [
        Figure("Figure 1", "Sagittal MRI of the lumbar spine"),
        Figure("Figure 2", "Post-operative photograph of the wound", locator="page 4"),
        Figure("Figure 3", "Diagram of the knee"),
    ]
    kept, rejects = relevant_figures(dataclasses.replace(document(figures=figures), specialty="spine"))
    assert [figure.label for figure in kept.figures] == ["Figure 1"]
    assert [(reject.file, reject.reason, reject.where) for reject in rejects] == [
        ("made:1", "image_postoperative_photograph", "Figure 2 page 4"),
        ("made:1", "image_other_body_region", "Figure 3"),
    ]


def test_a_knee_stays_in_an_orthopaedic_document():
    kept, rejects = relevant_figures(
        dataclasses.replace(document(figures=[Figure("", "Knee radiograph")]), specialty="orthopaedics")
    )
    assert len(kept.figures) == 1 and not rejects


def test_a_labelled_slice_is_never_another_region():
    figure = Figure("", "Slice through the chest", image_modality="ct", levels=(VERTEBRAE[10],))
    assert relevant_figures(document(figures=[figure]))[1] == []


def test_a_long_document_is_classified_in_seconds():
    text = "The patient walked to the clinic and described numbness after a long day of work. " * 3000
    start = time.process_time()
    assert classify_text(text + "A disc herniation was found.").subfield == "disc_disease"
    assert time.process_time() - start < 5
