"""Items from prose and ready-made questions: the source's own words, nothing that cannot be answered alone."""

import pytest

from dataset_builders.document import Document, Exchange, Figure, Provenance
from dataset_builders.generate.checks import revise_by_rules
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.passages import (
    Section,
    is_debris,
    is_prose,
    plain_text,
    sections,
    sentences,
    teaching_passage,
    without_masks,
)
from dataset_builders.generate.rules.prose import MAX_CLOZES, caption_of, mask_level
from dataset_builders.item import LETTERS, Item, question_of

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


def make_document(markdown=CHAPTER, kind="textbook", language="en", figures=(), **values) -> Document:
    provenance = Provenance(kind, "book:1", "CC-BY-4.0", "chapter.md", "0" * 64, source_title="A small book of spines")
    return Document(provenance, language, markdown, figures, specialty="spine", **values)


def make_figures() -> tuple[Figure, ...]:
    citing = ("A slip is common here (Figure 1). The arch stays behind when the body moves forwards in this way.",)
    return tuple(
        Figure(f"Figure {n}", caption, citing if n == 1 else (), page=n, locator=f"page {n}", image=b"fig%d" % n,
               image_modality="radiograph" if n == 1 else "diagram", agreement=0.5)
        for n, caption in enumerate(CAPTIONS, 1)
    )  # fmt: skip


def revised(document: Document) -> list[Item]:
    results = [revise_by_rules(item) for item in draft(document)]
    assert all(isinstance(result, Item) for result in results), results
    return results


def of(items: list[Item], rule: str) -> list[Item]:
    return [item for item in items if item.generation.prompt_id.startswith(f"rules/{rule}@")]


def right(item: Item) -> str:
    return item.options[LETTERS.index(item.answer)]


def test_markdown_becomes_prose():
    text = "A **bold** claim[1, 2] of <sup>3</sup>L4 (see Fig. 3A) and [a link](http://x.y) ![Figure 1](abc)."
    assert plain_text(text) == "A bold claim of L4 and a link."
    assert sentences("Dr. Smith saw 3.5 mm. It grew (Fig. 2). Why?") == ["Dr. Smith saw 3.5 mm.", "It grew (Fig. 2).", "Why?"]
    assert sentences("椎间盘退变。常见于L4/5。") == ["椎间盘退变。", "常见于L4/5。"]
    assert is_prose("The cord of most adults ends at the lower border of L1.") and not is_prose("12. 34; 56 – 78, 90 (12) 34.")


def test_sections_have_headings_and_no_tables():
    found = sections(CHAPTER)
    assert [section.title for section in found] == [
        "The vertebral column", "Regions of the column", "References", "Why do discs degenerate?"
    ]  # fmt: skip
    assert not any("|" in paragraph for section in found for paragraph in section.paragraphs)


def test_a_level_is_masked_only_where_it_is_the_only_one():
    assert mask_level("The cord ends at L1 in adults.") == ("The cord ends at ____ in adults.", "L1")
    assert mask_level("Discs at L4-5 degenerate first; L4-5 is loaded.") == (
        "Discs at ____ degenerate first; ____ is loaded.",
        "L4/L5",
    )
    assert mask_level("马尾起自腰1椎体下缘。")[1] == "L1"
    for sentence in (
        "The curve runs from T5 to T12.",
        "The L5 nerve root leaves below L5.",
        "The second cervical (C2) vertebra is the axis.",
        "T1-weighted images show fat bright.",
        "No level is named here.",
        "C3 complement is low; the C3 lamina is fractured.",
        "The tip of the odontoid process is broken.",
        "The second cervical vertebra (axis) bears the dens.",
    ):
        assert mask_level(sentence) is None, sentence


@pytest.mark.parametrize(
    ("sentence", "blanked", "level"),
    [
        ("A bulge at D12/L1 in adults.", "A bulge at ____ in adults.", "T12/L1"),
        ("The fifth lumbar vertebra is the largest.", "The ____ vertebra is the largest.", "L5"),
        ("The cord (C0 to the conus) ends at L1.", "The cord (C0 to the conus) ends at ____.", "L1"),
        ("Narrow L4 and L5 disc space.", "Narrow ____ disc space.", "L4/L5"),
        ("第3腰椎椎体破坏，Ｌ３受压。", "____椎体破坏，____受压。", "L3"),
    ],
)
def test_the_whole_level_is_masked_however_it_is_written(sentence, blanked, level):
    assert mask_level(sentence) == (blanked, level)


def test_a_level_that_is_only_an_example_is_not_asked():
    text = (
        "## Slips\n\nA burst fracture of L1 breaks the posterior wall of the body in adults. "
        "The apex of a thoracic curve is a disc or a vertebra, for instance T8 in the right one."
    )
    assert not of(list(draft(make_document(text))), "level_cloze")


@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        ("We analysed the discs of forty adults and present our own view of them here.", "the work"),
        ("The Work Group carried forward the earlier recommendation on this subject.", "the work"),
        ("More research is needed, since focus groups asked for it and future studies are planned.", "the work"),
        ("Table 3 lists the shares of all levels in the order of their number.", "pointer"),
        ("Burst Seat belt Flexion Distraction anterior and middle Ligaments cannot be seen on it.", "table"),
        ("many useful facts about the discs that begin in the middle of a sentence.", "piece"),
        ("12 Discs with a running number before them are lines of a list of references.", "number"),
    ],
)
def test_an_answer_has_no_unfit_sentence_in_it(unfit, why):
    fit = "Discs have no vessels of their own and live by diffusion through the end plates. " * 2
    assert teaching_passage(Section("Discs", 2, (fit.strip(), unfit, fit + fit)), 2000) == (fit * 2).strip(), why
    assert teaching_passage(Section("Discs", 2, (unfit, unfit, unfit, fit[:81].strip())), 2000) == ""


def test_captions_and_invitations_are_no_part_of_an_answer():
    lines = ("Figure 2. The disc from above.", "Discs are thick in the lumbar spine. Visit this website to see one. They age.")
    assert teaching_passage(Section("Discs", 2, lines), 500) == "Discs are thick in the lumbar spine."


def test_references_glued_to_words_are_cut_off():
    assert plain_text("It ages.49-51 Then it dries,3 and narrows.(8) See fig.3 at 3.5 mm^4^.") == (
        "It ages. Then it dries, and narrows. See fig.3 at 3.5 mm."
    )
    assert is_debris("The pain 4. and its causes are many in adults.") and not is_debris("Pain has many causes in adults.")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("MRI of the spine, [OTHER_ID 1], performed on [DATE 4].", "MRI of the spine."),
        ("[DATE 4]行脊柱CT平扫（骨窗）。", "行脊柱CT平扫（骨窗）。"),
        ("[EMAIL 2]。", ""),
        ("医师签名：[NAME 2]　[DATE 3]", ""),
        ("Signed: [NAME 5], [DATE 3]", ""),
        ("Results are sent to the patient at [EMAIL 1].", ""),
        ("[NAME 1] reports pain at L4/L5 since a fall.", "[NAME 1] reports pain at L4/L5 since a fall."),
        ("Lumbar strain. • [NAME 2]: He rests.", "Lumbar strain. He rests."),
        ("Pain since a fall.", "Pain since a fall."),
    ],
)
def test_masks_alone_say_nothing(said, left):
    assert without_masks(said) == left


def test_each_page_is_asked_in_its_own_language():
    text = (
        CHAPTER
        + "\n\n### 3.10脊髓圆锥\n\n成人脊髓圆锥多终止于L1下缘水平。脊髓圆锥以下的椎管内为马尾神经，腰椎穿刺应在其下方进行，"
        "以免损伤脊髓，儿童的圆锥位置较成人低，随生长逐渐上移，圆锥低位者应排除脊髓栓系。"
    )
    captions = (
        "图3-1 腰椎侧位片，可见椎体前移与椎间隙变窄。",
        "图3-2 胸椎上面观，示肋凹与横突的位置关系。",
        "图3-3 骶骨后面观，示骶正中嵴及四对骶孔。",
    )
    chinese = tuple(
        Figure(c.split()[0], c, image=c.encode(), image_modality="diagram", locator=f"page {n}") for n, c in enumerate(captions)
    )
    items = revised(make_document(text, figures=(*make_figures(), *chinese)))
    for rule in ("level_cloze", "section_question", "figure_caption", "figure_description"):
        assert {item.language for item in of(items, rule)} == {"en", "zh"}, rule
    (question,) = (item.messages[0].text for item in of(items, "section_question") if item.language == "zh")
    assert "脊髓圆锥" in question and "3.10" not in question


def test_the_level_of_one_axial_picture_is_not_asked():
    caption = "Axial CT through the body of the vertebra at L3 with its pedicles and laminae."
    figure = Figure("Figure 1", caption, image=b"axial", image_modality="ct")
    assert not of(list(draft(make_document("", figures=(figure,)))), "figure_level")
    figure = Figure("Figure 1", caption.replace("Axial", "Sagittal"), image=b"axial", image_modality="ct")
    assert of(list(draft(make_document("", figures=(figure,)))), "figure_level")


def test_clozes_ask_what_is_general_and_stands_alone():
    items = of(revised(make_document()), "level_cloze")
    assert [right(item) for item in items] == ["L1"]  # not the patient's level, nor "It ends at L2"
    (item,) = items
    assert "____" in question_of(item) and "L1" not in question_of(item)
    assert set(item.options) <= {"L1", "L2", "L3", "L4", "L5", "S1"}
    assert item.levels == ("L1",) and item.axis == "level_identification"
    assert item.provenance.source_locator == "chapter.md, section Regions of the column"
    assert "spinal cord" in item.context[0]


def test_a_long_book_does_not_swamp():
    lines = [
        f"Bone number {'x' * (n % 40)} of kind {chr(97 + n % 26)}{n} rests at the height of L{n % 5 + 1} in most adults."
        for n in range(300)
    ]
    document = make_document("## Heights of bones\n\n" + "\n\n".join(lines))
    assert len(of(list(draft(document)), "level_cloze")) == MAX_CLOZES


def test_case_reports_give_no_clozes():
    assert not of(list(draft(make_document(kind="case_report"))), "level_cloze")


def test_headings_become_questions_and_the_paragraphs_answers():
    items = of(revised(make_document()), "section_question")
    questions = {item.messages[0].text: item.messages[1].text for item in items}
    assert "diffusion" in questions["Why do discs degenerate?"]
    (about_regions,) = (answer for question, answer in questions.items() if "Regions of the column" in question)
    assert "Figure" not in about_regions and "[3]" not in about_regions
    assert not any("References" in question for question in questions)


def test_conclusions_are_asked_of_the_work():
    document = make_document(
        "## 5. Conclusions\n\n" + "Early walking helps after an operation and does no harm to the wound. " * 3, "article"
    )
    (item,) = of(revised(document), "section_question")
    assert "A small book of spines" in item.messages[0].text


def test_chinese_documents_give_chinese_items():
    text = (
        "# 脊柱\n\n## 腰椎解剖\n\n成人脊髓圆锥多终止于第1腰椎下缘。腰椎椎体较大，主要承受轴向负荷，"
        "棘突短而宽，呈板状，关节突关节面近矢状位，因此屈伸活动较大而旋转受限。"
    )
    items = revised(make_document(text, language="zh"))
    assert {item.language for item in items} == {"zh"}
    (cloze,) = of(items, "level_cloze")
    assert right(cloze) == "L1" and "____" in question_of(cloze)


def test_figures_are_asked_with_the_captions_of_others():
    items = revised(make_document("", figures=make_figures()))
    choices = of(items, "figure_caption")
    assert len(choices) == 4
    for item in choices:
        assert item.modality == "image_text" and len(item.images) == 1 and len(item.options) == 4
        assert right(item) == next(caption_of(f) for f in make_figures() if f.image_sha256 == item.images[0])
    assert choices[0].figure == "Figure 1" and choices[0].agreement == 0.5 and choices[0].image_modality == "radiograph"
    (level,) = of(items, "figure_level")
    assert right(level) == "L4/L5" and "L4/L5" not in question_of(level)
    described = of(items, "figure_description")[0].messages[1].text
    assert described.startswith("Lateral radiograph") and "arch stays behind" in described and "Figure" not in described


def test_a_number_in_a_citing_paragraph_is_no_citation():
    said = (
        "The canal is widest at C6 in nearly all adults. A slip is seen in the side view (Figure 6). It has a grade of its own."
    )
    (figure,) = (
        Figure("Figure 6", CAPTIONS[0].replace("Fig. 1", "Fig. 6"), (said,), image=b"six", image_modality="radiograph"),
    )
    (item,) = of(revised(make_document("", figures=(figure,))), "figure_description")
    reply = item.messages[1].text
    assert "A slip is seen in the side view." in reply and "widest at C6" not in reply


def test_two_figures_are_too_few_for_a_choice_between_captions():
    assert not of(list(draft(make_document("", figures=make_figures()[:2]))), "figure_caption")


def test_a_figure_without_its_picture_is_not_shown():
    figures = tuple(Figure(f.label, f.caption) for f in make_figures())
    assert not list(draft(make_document("", figures=figures)))


def test_recommendations_are_asked_by_their_wording():
    text = (
        "## Care\n\nFor adults with low back pain, we suggest against the routine use of lumbar supports. "
        "We recommend exercise for chronic low back pain in adults. "
        "For patients with low back pain, we recommend against sedatives.v"
    )
    items = of(revised(make_document(text, "guideline")), "recommendation")
    assert [right(item) for item in items] == ["we suggest against", "we recommend", "we recommend against"]
    assert items[0].axis == "surgical_planning" and "For adults with low back pain, ____ the routine use" in question_of(
        items[0]
    )


def test_bank_questions_are_asked_as_they_are():
    exchange = Exchange("Which is the axis?", "B", ("C1", "C2", "C3"), "The axis is C2.")
    (item,) = revised(make_document("", "question_bank", exchange=exchange))
    assert (item.options, item.answer) == (exchange.options, "B")
    assert item.messages[0].text == "Which is the axis?\n\nA. C1\nB. C2\nC. C3"
    assert item.messages[1].text == "B. C2\n\nExplanation: The axis is C2."


def test_several_right_letters_stay_several():
    (item,) = revised(
        make_document("", "question_bank", "zh", exchange=Exchange("下列哪些属于腰椎？", "AC", ("L1", "T1", "L3")))
    )
    assert item.answer == "AC" and item.messages[1].text == "A. L1\nC. L3"


def test_an_answer_that_names_no_option_asks_nothing():
    assert not list(draft(make_document("", "question_bank", exchange=Exchange("Which?", "F", ("a", "b")))))


def test_yes_no_questions_also_ask_for_the_long_answer():
    exchange = Exchange("Does it help?", "A", ("yes", "no", "maybe"), "It helps in most trials.")
    choice, long = revised(make_document("", "question_bank", exchange=exchange))
    assert (choice.task, choice.answer, long.task, long.messages[1].text) == (
        "multiple_choice",
        "A",
        "open_ended",
        "It helps in most trials.",
    )


def test_reasoning_stands_before_the_answer():
    exchange = Exchange("What is it?", "Gout.", (), "It is red. It is the big toe.")
    (item,) = revised(make_document("", "general_medical", exchange=exchange))
    assert item.messages[1].text == "<think>\nIt is red. It is the big toe.\n</think>\n\nGout."
