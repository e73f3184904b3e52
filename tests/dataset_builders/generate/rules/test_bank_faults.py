"""What makes a ready-made question unfit, and what it is about."""

from dataclasses import replace

import pytest

from dataset_builders.document import Exchange, Figure, Reject
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.bank_faults import classify_subject, explanation_of, find_fault, lost_letters
from tests.support.chapter import make_chapter

GOOD = Exchange(
    "At which level is degenerative spondylolisthesis most common?", "B", ("L2/L3", "L4/L5", "L5/S1"),
    "Its facets are the most sagittal of the lumbar spine.",
)  # fmt: skip


def make_row(kind="question_bank", **changes):
    return make_chapter("", kind, exchange=replace(GOOD, **changes))


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("bank_figure_missing", {"question": "Which fracture of the spine does the given x-ray show?"}),
        ("bank_figure_missing", {"question": "脊柱病变如图，最可能的诊断是"}),
        ("bank_figure_missing", {"reasoning": "The image shows a slip of L4 on L5."}),
        ("bank_data_missing", {"question": "Based on the provided data, what is the rate of non-union of the lumbar spine?"}),
        ("bank_no_question", {"question": "Next step?"}),
        ("bank_part_of_series", {"question": "3．下肢短缩，髋关节屈曲、内收、内旋畸形"}),
        ("bank_part_of_series", {"question": "2．L4～5中央型椎间盘突出累及"}),
        ("bank_part_of_series", {"question": "男，35岁，从高处跳下，胸椎骨折。2．首先做的影像学检查是"}),
        ("bank_options_in_stem", {"question": "Which disc slips? A. L2/L3 B. L4/L5 C. L5/S1 D. none"}),
        ("bank_options_split", {"question": "Specific for spondylitis is", "options": ("HLA", "B27", "Sacroiliitis")}),
        ("bank_options_by_number", {"options": ("Vertebral artery", "Spinal cord", "Both option 1 and 2")}),
        ("bank_garbled", {"options": ("Lumbar veebra", "Lumbar disc", "Sacrum")}),
        ("bank_garbled", {"options": ("U nmyel inated fibres", "Lumbar disc", "Sacrum")}),
        ("bank_key_contradicted", {"reasoning": "Ans. c. It slips there."}),
        ("bank_undecided", {"options": ("yes", "no", "maybe"), "answer": "C"}),
        ("bank_off_topic", {"question": "Which vessel's occlusion most often causes hemiplegia?",
                            "options": ("Anterior spinal artery", "Middle cerebral artery", "None"), "reasoning": None}),
        ("bank_off_topic", {"question": "哪项不是1岁以内婴儿的计划免疫？", "reasoning": None,
                            "options": ("麻疹疫苗", "脊髓灰质炎疫苗", "乙肝疫苗")}),
        ("bank_off_topic", {"question": "肾门约平", "reasoning": None,
                            "options": ("第2腰椎平面", "第1腰椎平面", "第3腰椎平面")}),
        ("bank_key_broken", {"answer": "F"}),
    ],
)  # fmt: skip
def test_an_unfit_question_leaves_with_its_reason(reason, changes):
    (reject,) = draft(make_row(**changes))
    assert isinstance(reject, Reject) and reject.reason == reason and reject.detail


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"question": "X ray of the spine is normal in which of these causes of back pain?"},
        {"question": "老年男性.70岁，腰椎压缩性骨折，T 36.5℃，应选择的治疗是"},
        {
            "question": "The anterior height of T8 is 14 mm and its posterior height 27 mm. Which grade is it?",
            "reasoning": None,
        },
        {"reasoning": "Ans. b. It slips there."},
        {"question": "脊髓型颈椎病最常见表现是", "reasoning": None},
        {"question": "Which is the axis?", "options": ("C1", "C2", "C3"), "reasoning": None},
    ],
)
def test_a_fit_question_stays(changes):
    assert find_fault(make_row(**changes)) == ("", "")


def test_an_image_that_came_along_is_not_missing():
    row = make_row(question="Which level of the lumbar spine does the given image show?")
    shown = replace(row, figures=(Figure("", "", image=b"x"),))
    assert find_fault(row)[0] == "bank_figure_missing" and find_fault(shown) == ("", "")


def test_a_row_of_a_stage_1_set_may_be_on_any_medicine():
    row = make_chapter("", "general_medical", exchange=Exchange("Which drug lowers the heart rate?", "A beta blocker does."))
    assert find_fault(row) == ("", "")


def test_a_question_is_about_its_stem_and_key_not_its_wrong_options():
    exchange = Exchange("Which joint dislocates most often?", "A", ("The shoulder", "The lumbar spine", "L4/L5 facets"))
    about = classify_subject(make_chapter("", "question_bank", exchange=exchange), exchange)
    assert about.specialty == "orthopaedics"


@pytest.mark.parametrize(
    ("reasoning", "kept"),
    [
        ("Infection crosses the disc and destroys both end plates.", True),
        ("直腿抬高牵拉坐骨神经，主要牵张L5、S1神经根。", True),
        ("Ans. b. Brisk jaw jerk", False),
        ("The cord ends at L1. Reference: Atlas, 6th ed page 187", False),
        ("The veebral column bends. It bends.", False),
        ("It is unmyelinated.Occurs in adults", False),
        ("* Facets * Discs * Bones", False),
    ],
)
def test_an_explanation_is_shown_if_it_reads_by_itself(reasoning, kept):
    assert bool(explanation_of(replace(GOOD, reasoning=reasoning))) == kept


def test_letters_lost_in_conversion_are_told_from_rare_words():
    for word in ("veebra", "ahritis", "coex", "synol", "aery"):
        assert lost_letters(f"the {word} is") == word
    for text in ("Pagets disease of bone", "tumor and fibers of the annulus", "T score", "C reactive protein", "X ray"):
        assert lost_letters(text) == "", text
