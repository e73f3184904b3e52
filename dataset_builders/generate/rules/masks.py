"""Masks of identifiers in de-identified records ("[DATE 4: 2021]"): what a quoted sentence can do without."""

import re

from dataset_builders.document import MASK

_MASKED_ASIDE = re.compile(
    rf"(?:\s*[,;(，；（]\s*|\s+)?(?:\b(?:performed|dated|done|acquired|taken|obtained|reported|signed|seen|sent)\s+)?"
    rf"\b(?:on|dated|at|by|no\.?|id)\s+{MASK}(?:\s*[)）])?|\s*[,(，（]\s*{MASK}\s*(?:[)）]|(?=[,.，。]))|"
    rf"(?<![A-Za-z])于?{MASK}(?=行|复查|入院|出院)",
    re.IGNORECASE,
)
_MASKED_LABEL = re.compile(rf"(?:^\s*[•\-*]?|•)\s*{MASK}(?:\s+and\s+\w+)?\s*[:：]\s*")
_ADMINISTRATIVE = re.compile(
    r"\b(?:signed|signature|electronically|physician|doctor|dr|mr|mrs|ms|prof|radiologist|reported|dictated|verified|reviewed|"
    r"date|time|tel|telephone|phone|fax|e-?mail|mrn|id|no|number|name|address|results?|reports?|copy|cc|contact|call|is|are|was|"
    r"were|will|be|sent|to|the|a|patient|at|by|on|of|in|from|and|or|for|with|department|clinic|hospital)\b|"
    r"医师|医生|签名|签字|报告|审核|记录|日期|时间|电话|手机|邮箱|微信|联系|方式|检查结果|结果|发送|寄送|发至|送至|至|患者|本人|住院号|门诊号|"
    r"病历号|检查号|编号|姓名|地址|住址|科室|医院|者|由|为|的|于|年|月|日",
    re.IGNORECASE,
)


def without_masks(sentence: str) -> str:
    """Take asides that are only masks out of a sentence ("performed on [DATE 4]").

    "" if nothing but masks, their labels and administrative words is left. A mask that the sentence needs ("[NAME 1]
    reports …") stays.
    """
    if not re.search(MASK, sentence):
        return sentence
    text = _MASKED_ASIDE.sub("", _MASKED_LABEL.sub("", sentence)).strip(" ,;，；")
    rest = _ADMINISTRATIVE.sub("", re.sub(MASK, "", text))
    words = re.findall(r"[A-Za-z]{2,}|[一-鿿]", rest)
    return re.sub(r"\s+([,.;:])", r"\1", text) if len(words) >= 2 else ""
