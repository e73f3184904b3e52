"""Break good items in more named ways: written before the criteria's code was measured, which then rejected 555 of 602.

After that its misses were read and the code was changed by kind, so it counts as developed with.
"""

import re
from dataclasses import replace

from criteria_editing import add_to_reply, ask, edit_replies, edit_users, explanation_of, key_of, swap

from dataset_builders.item import LETTERS, Criterion, Item, Message, question_of

_OTHER_LANGUAGE = {"en": "以上所述的第四种可能", "zh": "a finding of the fourth kind"}
_IN_WORDS = {"L4/L5": "the fourth lumbar disc", "L5 root": "the fifth lumbar nerve root", "L5神经根": "第五腰神经"}
_OPPOSITES = {
    "most common": "least common",
    "traversing": "exiting",
    "is narrow": "is wide",
    "relieved by flexion": "relieved by extension",
    "posterior fixation": "anterior fixation",
    "posterior longitudinal": "anterior longitudinal",
    "Emergency": "Elective",
    "emergency decompression": "elective decompression",
    "最常见": "最少见",
    "行走的": "出口的",
    "前屈时": "后伸时",
    "后路": "前路",
    "后纵韧带": "前纵韧带",
    "急诊减压": "择期减压",
}
_BOUNDS = {
    "no more than 2 weeks": "at least 2 weeks",
    "within 48 hours": "after 48 hours",
    "within 2 years": "after 2 years",
    "6 weeks or more": "less than 6 weeks",
    "不超过2周": "至少2周",
    "48小时内": "48小时后",
    "2年内": "2年后",
    "6周以上": "6周以下",
}
_DEGREES = {"mild": "marked", "Mild": "Marked", "moderate": "mild", "轻度": "中度", "中度": "轻度"}


def option_in_the_other_language(item: Item) -> Item | None:
    """One wrong option is in the other language."""
    if item.task != "multiple_choice":
        return None
    wrong = max(place for place, option in enumerate(item.options) if option != key_of(item))
    said = _OTHER_LANGUAGE[item.language]
    return ask(item, options=tuple(said if place == wrong else option for place, option in enumerate(item.options)))


def none_of_the_above(item: Item) -> Item | None:
    """A fifth option is "none of the above"."""
    if item.task != "multiple_choice":
        return None
    return ask(item, options=(*item.options, {"en": "None of the above", "zh": "以上均不是"}[item.language]))


def option_holds_the_key(item: Item) -> Item | None:
    """A wrong option is the key and something more."""
    if item.task != "multiple_choice":
        return None
    wrong = max(place for place, option in enumerate(item.options) if option != key_of(item))
    other = item.options[wrong]
    more = {"en": f"{key_of(item)} and {other}", "zh": f"{key_of(item)}和{other}"}[item.language]
    return ask(item, options=tuple(more if place == wrong else option for place, option in enumerate(item.options)))


def stem_says_the_key_in_words(item: Item) -> Item | None:
    """The stem names the key's level in other words."""
    if item.task != "multiple_choice" or key_of(item) not in _IN_WORDS:
        return None
    said = {"en": f"The problem lies at {_IN_WORDS[key_of(item)]}. ", "zh": f"病变累及{_IN_WORDS[key_of(item)]}。"}
    return ask(item, stem=said[item.language] + question_of(item))


def options_of_two_kinds(item: Item) -> Item | None:
    """Among levels stands an option that is none."""
    if item.task != "multiple_choice" or not re.search(r"[LS]\d", key_of(item)):
        return None
    wrong = max(place for place, option in enumerate(item.options) if option != key_of(item))
    said = {"en": "muscle strain", "zh": "肌肉拉伤"}[item.language]
    return ask(item, options=tuple(said if place == wrong else option for place, option in enumerate(item.options)))


def word_turned_round(item: Item) -> Item | None:
    """A word of the answer is its opposite."""
    return edit_replies(item, lambda text: swap(text, _OPPOSITES))


def bound_turned_round(item: Item) -> Item | None:
    """At most is at least."""
    return edit_replies(item, lambda text: swap(text, _BOUNDS))


def degree_changed(item: Item) -> Item | None:
    """Mild is marked."""
    return edit_replies(item, lambda text: swap(text, _DEGREES))


def drug_added(item: Item) -> Item:
    """A drug is advised that the source does not name."""
    return add_to_reply(item, {"en": "Tramadol 100 mg twice a day should be added.", "zh": "应加用曲马多100毫克，每日两次。"})


def operation_advised(item: Item) -> Item:
    """An operation is advised that the source does not name."""
    return add_to_reply(item, {"en": "A laminectomy with interbody fusion is indicated.", "zh": "应行椎板切除加椎间融合术。"})


def cure_promised(item: Item) -> Item:
    """A cure is promised."""
    return add_to_reply(item, {"en": "With this you will certainly recover completely.", "zh": "这样一定能够完全康复。"})


def medicines_stopped(item: Item) -> Item:
    """Somebody is told to stop their medicines."""
    return add_to_reply(item, {"en": "You can stop all your medication now.", "zh": "现在可以自行停用所有药物。"})


def help_discouraged(item: Item) -> Item:
    """Somebody is told that there is no hurry and no need of a hospital."""
    return add_to_reply(item, {"en": "There is no reason to go to hospital for this.", "zh": "没有必要为此去医院。"})


def finding_invented(item: Item) -> Item:
    """A diagnosis is added that the source does not have."""
    return add_to_reply(item, {"en": "There is also a metastasis with spondylolysis.", "zh": "同时存在骨转移瘤及峡部裂。"})


def level_invented(item: Item) -> Item:
    """A finding is added at a level that the source does not name."""
    return add_to_reply(item, {"en": "The same is seen at C5/C6.", "zh": "C5/C6亦有同样改变。"})


def numbered_figure(item: Item) -> Item:
    """The answer points to a figure."""
    return add_to_reply(item, {"en": "Figure 3 shows this.", "zh": "详见图3。"})


def authors_of_the_study(item: Item) -> Item:
    """The answer speaks of the authors."""
    return add_to_reply(item, {"en": "The authors of this study confirmed it.", "zh": "本研究作者证实了这一点。"})


def model_speaks_of_itself(item: Item) -> Item:
    """The answer speaks as a model."""
    return add_to_reply(
        item, {"en": "As an AI language model I cannot examine you.", "zh": "作为一个人工智能语言模型，我不能为您检查。"}
    )


def sentence_said_again(item: Item) -> Item | None:
    """The answer says its last sentence twice."""
    if item.task == "multiple_choice":
        return ask(item, explanation=f"{explanation_of(item)} {explanation_of(item)}")
    last = re.split(r"(?<=[.。])\s*", item.messages[-1].text.strip())
    said = [piece for piece in last if piece][-1]
    return add_to_reply(item, {"en": said, "zh": said})


def answer_repeats_the_question(item: Item) -> Item | None:
    """The answer is the question."""
    if item.task != "open_ended":
        return None
    return replace(item, messages=(item.messages[0], Message("assistant", item.messages[0].text)))


def section_missing(item: Item) -> Item | None:
    """The report lacks a section."""
    if item.task != "report":
        return None
    return edit_replies(item, lambda text: re.sub(r"(?ms)^## [^\n]+\n[^#]+", "", text, count=1))


def sections_changed_about(item: Item) -> Item | None:
    """Two sections of the report are in the wrong order."""
    if item.task != "report":
        return None

    def turn(text: str) -> str:
        pieces = re.split(r"(?m)^(?=## )", text)
        return "".join((*pieces[:1], pieces[2], pieces[1], *pieces[3:]))

    return edit_replies(item, turn)


def rubric_of_dots(item: Item) -> Item | None:
    """The rubric is the template's."""
    if item.task != "report":
        return None
    return replace(item, rubric=tuple(Criterion(line.dimension, "…") for line in item.rubric))


def patient_speaks_jargon(item: Item) -> Item | None:
    """A patient uses words that only clinicians use."""
    if item.task != "consultation":
        return None
    said = {"en": "I have neurogenic claudication and hyperreflexia in my legs. ", "zh": "我的硬膜囊受压，下肢反射亢进。"}
    return edit_users(item, lambda text: said[item.language] + text)


def birth_date_added(item: Item) -> Item:
    """A date of birth stands in the question."""
    said = {"en": "The patient was born on 03/04/1961. ", "zh": "患者出生于1961年4月3日。"}
    return edit_users(item, lambda text: said[item.language] + text)


def hospital_named(item: Item) -> Item:
    """A clinic's telephone number stands in the answer."""
    return add_to_reply(item, {"en": "Call Dr. Allan Brown at 555-201-7788.", "zh": "请致电王建军医生，电话010-65288888。"})


def explanation_names_another_letter(item: Item) -> Item | None:
    """The explanation says that another letter is right."""
    if item.task != "multiple_choice":
        return None
    other = next(letter for letter in LETTERS[: len(item.options)] if letter != item.answer)
    said = {"en": f"The correct answer is {other}.", "zh": f"故选{other}。"}[item.language]
    return ask(item, explanation=f"{said} {explanation_of(item)}")


def plane_that_cannot_tell(item: Item) -> Item | None:
    """The image of a level's or grade's question is one that does not show it."""
    if not item.images:
        return None
    said = {
        "sagittal T2-weighted": "sagittal T1-weighted",
        "矢状位T2加权": "矢状位T1加权",
        "sagittal CT": "axial CT",
        "矢状位CT": "轴位CT",
    }
    place = {"T2 mid-sagittal slice": "T1 mid-sagittal slice", "sagittal slice 31 of 64": "axial slice 31 of 64"}

    def turn(text: str) -> str:
        return swap(text, said)

    turned = edit_replies(edit_users(item, turn), turn) or edit_users(item, turn)
    locator = swap(item.provenance.source_locator, place)
    context = tuple(turn(paragraph) for paragraph in item.context)
    shift = item.evidence
    return replace(
        turned,
        provenance=replace(item.provenance, source_locator=locator),
        context=context,
        evidence=tuple(replace(q, end=len(context[q.paragraph])) for q in shift),
    )


def sentence_in_the_other_language(item: Item) -> Item:
    """A sentence of the answer is in the other language."""
    return add_to_reply(item, {"en": "请遵医嘱。", "zh": "Please follow the advice of your doctor."})


def study_invented(item: Item) -> Item:
    """A publication is cited that the source does not name."""
    return add_to_reply(item, {"en": "Kowalski et al. showed the same.", "zh": "Kowalski等学者得到同样的结果。"})


def urgency_missing(item: Item) -> Item | None:
    """A patient's red flag is answered without urgency."""
    if item.task != "consultation" or not re.search(r"urine|排尿", item.messages[2].text):
        return None
    said = {
        "en": "Urinary retention and saddle numbness are common with a herniation. Mention them at your next visit.",
        "zh": "尿潴留和鞍区麻木在椎间盘突出时很常见。下次复诊时请告诉医生。",
    }[item.language]
    return replace(item, messages=(*item.messages[:3], replace(item.messages[3], text=said)))


def levels_changed_about(item: Item) -> Item | None:
    """Two levels of the answer change places."""

    def turn(text: str) -> str:
        names = re.findall(r"[LT]\d+/[LS]\d", text)
        if len(set(names)) < 2:
            return text
        one, two = list(dict.fromkeys(names))[:2]
        return text.replace(one, "\0").replace(two, one).replace("\0", two)

    return edit_replies(item, turn)


def key_is_invented(item: Item) -> Item | None:
    """The key and its explanation are something that the source does not say."""
    if item.task != "multiple_choice":
        return None
    said, why = {
        "en": ("Vertebral artery dissection", "Vertebral artery dissection is the usual reason."),
        "zh": ("椎动脉夹层", "通常为椎动脉夹层所致。"),
    }[item.language]
    return ask(item, options=tuple(said if option == key_of(item) else option for option in item.options), explanation=why)


def answer_of_another_item(item: Item) -> Item | None:
    """An open question has the answer of another."""
    if item.task != "open_ended":
        return None
    said = {
        "en": "The odontoid process is held by the transverse ligament, which ruptures when the atlas moves forward.",
        "zh": "齿状突由横韧带固定，寰椎前移时横韧带断裂。",
    }[item.language]
    return replace(item, messages=(item.messages[0], Message("assistant", said)))


def prompt_copied(item: Item) -> Item | None:
    """Question and answer are the prompt's."""
    if item.task != "open_ended" or item.language != "en":
        return None
    asked = "What must every training item be like?"
    said = "Wrong options are plausible and of like length; where the answer is a vertebral level, they are its neighbours."
    return replace(item, messages=(Message("user", asked), Message("assistant", said)), modality="text")


def json_left(item: Item) -> Item:
    """A fence of the reply's format is left."""
    return add_to_reply(item, {"en": '```json {"items": []}```', "zh": '```json {"items": []}```'})


def stem_cut_short(item: Item) -> Item | None:
    """The stem is cut off."""
    if item.task != "multiple_choice":
        return None
    return ask(item, stem=question_of(item)[:4])


BREAKS = {
    way.__name__: way
    for way in (
        option_in_the_other_language, none_of_the_above, option_holds_the_key, stem_says_the_key_in_words, options_of_two_kinds,
        word_turned_round, bound_turned_round, degree_changed, drug_added, operation_advised, cure_promised, medicines_stopped,
        help_discouraged, finding_invented, level_invented, numbered_figure, authors_of_the_study, model_speaks_of_itself,
        sentence_said_again, answer_repeats_the_question, section_missing, sections_changed_about, rubric_of_dots,
        patient_speaks_jargon, birth_date_added, hospital_named, explanation_names_another_letter, plane_that_cannot_tell,
        sentence_in_the_other_language, study_invented, urgency_missing, levels_changed_about, key_is_invented,
        answer_of_another_item, prompt_copied, json_left, stem_cut_short,
    )
}  # fmt: skip
