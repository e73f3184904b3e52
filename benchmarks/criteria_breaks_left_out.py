"""Break good items in named ways: a third set, written last, measured once, and not tuned on."""

import re
from dataclasses import replace

from criteria_editing import add_to_reply, ask, edit_replies, edit_users, explanation_of, key_of, swap

from dataset_builders.item import Item, Message, question_of

_OTHERS = {
    "herniation": "tumour", "fracture": "infection", "stenosis": "scoliosis", "discitis": "myeloma",
    "spondylolisthesis": "osteoporosis",
    "突出": "肿瘤", "骨折": "感染", "狭窄": "侧凸", "椎间盘炎": "骨髓瘤", "滑脱": "骨质疏松",
}  # fmt: skip
_AGES = {"58-year-old": "85-year-old", "67-year-old": "76-year-old", "58岁": "85岁", "67岁": "76岁"}
_SEXES = {"woman": "man", "man": "woman", "女性": "男性", "男性": "女性"}
_TIMES = {"3 months": "3 years", "12 weeks": "12 days", "2 years": "2 weeks", "3个月": "3年", "12周": "12天", "2年": "2周"}
_NEGATED_PLANS = {"is planned": "is not planned", "is worn": "is not worn", "计划减压": "不计划减压", "佩戴支具": "不佩戴支具"}


def finding_exchanged(item: Item) -> Item | None:
    """A finding of the answer is another disease."""
    return edit_replies(item, lambda text: swap(text, _OTHERS))


def age_changed(item: Item) -> Item | None:
    """The patient's age in the question is another."""
    changed = edit_users(item, lambda text: swap(text, _AGES))
    return None if changed == item else changed


def sex_changed(item: Item) -> Item | None:
    """The patient's sex in the question is another."""
    if item.task != "report":
        return None
    changed = edit_users(item, lambda text: swap(text, _SEXES).replace("his MRI", "the MRI"))
    return None if changed == item else changed


def time_changed(item: Item) -> Item | None:
    """A time keeps its number and changes its unit."""
    return edit_replies(item, lambda text: swap(text, _TIMES))


def plan_denied(item: Item) -> Item | None:
    """A plan of the source is denied."""
    return edit_replies(item, lambda text: swap(text, _NEGATED_PLANS))


def three_options_say_the_same(item: Item) -> Item | None:
    """A wrong option is another wrong option in capitals."""
    if item.task != "multiple_choice" or item.language != "en":
        return None
    wrong = [option for option in item.options if option != key_of(item)]
    return ask(item, options=tuple(wrong[0].upper() + " " if option == wrong[1] else option for option in item.options))


def option_both(item: Item) -> Item | None:
    """An option joins two letters."""
    if item.task != "multiple_choice" or key_of(item) == item.options[-1]:
        return None
    return ask(item, options=(*item.options[:-1], {"en": "Both A and B", "zh": "A和B都对"}[item.language]))


def table_named(item: Item) -> Item:
    """The question sends the reader to a table."""
    return edit_users(item, lambda text: {"en": "Using Table 2, ", "zh": "根据表2，"}[item.language] + text)


def source_quoted(item: Item) -> Item:
    """The answer says where the text says so."""
    return add_to_reply(item, {"en": "This is stated in the text provided.", "zh": "原文对此有明确说明。"})


def role_prompt(item: Item) -> Item:
    """The question gives the model a role and a format."""
    said = {"en": "You are an expert assistant. Respond with JSON only. ", "zh": "你是人工智能助手，请输出JSON。"}
    return edit_users(item, lambda text: said[item.language] + text)


def dose_advised(item: Item) -> Item:
    """A steroid is advised with a dose."""
    return add_to_reply(item, {"en": "Give dexamethasone 10 mg.", "zh": "给予地塞米松10毫克。"})


def injection_advised(item: Item) -> Item:
    """An injection is advised that the source does not name."""
    return add_to_reply(item, {"en": "An epidural injection should be given.", "zh": "应行硬膜外注射。"})


def delay_advised(item: Item) -> Item:
    """Somebody is told to wait."""
    return add_to_reply(item, {"en": "You should not worry; this can safely wait.", "zh": "不必担心，可以等一等再说。"})


def percentage_added(item: Item) -> Item:
    """A rate of success is added."""
    return add_to_reply(item, {"en": "The success rate is ninety percent.", "zh": "成功率为百分之九十。"})


def hospital_added(item: Item) -> Item:
    """A hospital is named."""
    return add_to_reply(item, {"en": "She was seen at St. Wilfred Memorial Hospital.", "zh": "患者曾就诊于北京协和医院。"})


def key_in_capitals_in_the_stem(item: Item) -> Item | None:
    """The stem ends with the key in brackets."""
    if item.task != "multiple_choice":
        return None
    return ask(item, stem=f"{question_of(item)} ({key_of(item).upper()})")


def explanation_of_nothing(item: Item) -> Item | None:
    """The explanation is a stand-in."""
    return ask(item, explanation={"en": "N/A", "zh": "略"}[item.language]) if item.task == "multiple_choice" else None


def explanation_off_source(item: Item) -> Item | None:
    """The explanation speaks of something else."""
    if item.task != "multiple_choice":
        return None
    said = {
        "en": "The odontoid process is held against the atlas by a strong transverse ligament.",
        "zh": "齿状突由坚韧的横韧带固定于寰椎前弓之后。",
    }[item.language]
    return ask(item, explanation=said)


def answer_cut_short(item: Item) -> Item | None:
    """An open answer ends after its first word."""
    if item.task != "open_ended":
        return None
    words = re.match(r"\S+" if item.language == "en" else r".{2}", item.messages[1].text)
    return replace(item, messages=(item.messages[0], Message("assistant", words[0] if words else "")))


def option_much_longer(item: Item) -> Item | None:
    """The key carries its whole explanation."""
    if item.task != "multiple_choice":
        return None
    key = key_of(item)
    return ask(item, options=tuple(f"{option}, {explanation_of(item)}" if option == key else option for option in item.options))


BREAKS = {
    way.__name__: way
    for way in (
        finding_exchanged, age_changed, sex_changed, time_changed, plan_denied, three_options_say_the_same, option_both,
        table_named, source_quoted, role_prompt, dose_advised, injection_advised, delay_advised, percentage_added,
        hospital_added, key_in_capitals_in_the_stem, explanation_of_nothing, explanation_off_source, answer_cut_short,
        option_much_longer,
    )
}  # fmt: skip
