"""Strict mode in Chinese: names, places and organisations by the segmenter, a family name before characters that form no word,
and any word that stands where a name stands ("护士…，").
"""

import re

from dataset_builders.deidentify.identifiers import (
    HAN,
    Span,
    compound_surnames,
    is_clinical_chinese,
    sure_surnames,
    surname_characters,
)
from dataset_builders.deidentify.known_words import cut_chinese, is_chinese_word, listed

_ROLE = re.compile(
    r"(?:患者|病人|家属|护士|护师|医师|医生|大夫|主任|术者|手术者|助手|一助|二助|三助|麻醉|巡回|洗手|器械|交班|接班|报告者?|审核者?|记录者?|签名|签字|"
    r"爱人|妻子|丈夫|女儿|儿子|父亲|母亲|配偶|联系人|陪护|随访护士|责任护士|技师|康复师|治疗师|导诊|申请者?|送检|接诊|核对|患儿|新收|找|叫|姓名)[:：／/\s]{0,2}"
    rf"(?P<id>[{HAN}](?:[ \u3000\n]?[{HAN}]){{1,2}})(?=[，,、。；;：:（(）)\s／/|"
    r"｜\]】]|\d|[A-Za-z]|$|主任|医[生师]|老师|审核|报告|联系|签名"
    rf"|接班|记录|核对|来电|代诉|陪)"
)
# Characters that write down Mongolian, Tibetan, Uyghur and other names by sound, four and more of them in a row.
_BY_SOUND = (
    "阿巴白宝布查才措达大丹旦德迪东敦顿多额尔丰嘎甘格根古桂哈海赫花吉加江金卡喀康克库拉朗勒丽力林罗洛玛买曼梅美米木牧娜那南尼"
    "诺帕普齐其琪恰乔曲热仁日荣茹萨赛桑沙山珊苏素索塔坦特提图吐托娃旺韦翁沃乌吾西希夏辛伊依英永尤玉扎哲珍卓孜宗左艾安奥云胡凯"
    "霍姆热万瓦斯亚叶则泽志朱佐"
)
_NAME_BY_SOUND = re.compile(
    rf"(?:患者|病人|患儿|家属|护士|医[师生]|主任|爱人|妻子?|丈夫|[女儿]儿?子?|父亲?|母亲?|配偶|联系人|陪护|姓名|叫|其|由)[:：\s]{{0,2}}(?P<id>[{_BY_SOUND}]{{4,8}})"
    rf"(?=[^{HAN}]|$|陪|代|电|诉|签|主任|医|护|先生|女士|因|于|在|，)"
)
_STOP = frozenset(
    "的了在与和及为是有无不未可已均较后前上下左右中内外双各其此该本多少大小高低轻重时天日月年周次个级度处部侧位性者行见予等余伴及并至约于"
)


def find_unknown_chinese(text: str) -> list[Span]:
    """Spans of a folded text that hold what may be a name, place or institution in Chinese."""
    spans = []
    for match in _ROLE.finditer(text):
        if not is_clinical_chinese(re.sub(r"\s", "", match.group("id"))):
            spans.append(Span(*match.span("id"), "NAME"))
    for match in _NAME_BY_SOUND.finditer(text):
        if not is_clinical_chinese(match["id"]):
            spans.append(Span(*match.span("id"), "NAME"))
    sure = sure_surnames()
    surnames, compounds = surname_characters(), compound_surnames()
    position = 0
    words: list[tuple[int, str, str]] = []
    for word, tag in cut_chinese(text):
        words.append((position, word, tag))
        position += len(word)
    for index, (start, word, tag) in enumerate(words):
        if tag == "med" or not re.match(f"[{HAN}]", word):
            continue
        if tag in ("nr", "nrt", "nrfg") and len(word) > 1:
            if (word[0] in surnames or word[:2] in compounds or tag == "nrt") and not is_clinical_chinese(word):
                spans.append(Span(start, start + len(word) + _single_after(words, index, 3 - len(word)), "NAME"))
        elif tag == "ns" and len(word) > 1 and word not in listed("regions_zh") and not is_clinical_chinese(word):
            spans.append(Span(start, start + len(word), "GEO"))
        elif tag == "nt" and len(word) > 2:
            spans.append(Span(start, start + len(word), "ORG"))
        elif len(word) == 2 and word[0] in sure and not is_chinese_word(word) and word[1] not in _STOP:
            spans.append(Span(start, start + 2 + _any_single_after(words, index), "NAME"))
        elif (len(word) == 1 and word in surnames) or word in compounds:
            length = _given_name_after(words, index, text)
            if length and not is_clinical_chinese(text[start : start + len(word) + length]):
                spans.append(Span(start, start + len(word) + length, "NAME"))
    return spans


def _single_after(words: list[tuple[int, str, str]], index: int, most: int) -> int:
    if most > 0 and index + 1 < len(words):
        _, word, tag = words[index + 1]
        if len(word) == 1 and re.match(f"[{HAN}]", word) and tag in ("nr", "g", "zg", "ng") and word not in _STOP:
            return 1
    return 0


def _any_single_after(words: list[tuple[int, str, str]], index: int) -> int:
    follows = words[index + 1][1] if index + 1 < len(words) else ""
    return int(len(follows) == 1 and re.match(f"[{HAN}]", follows) is not None and follows not in _STOP)


def _given_name_after(words: list[tuple[int, str, str]], index: int, text: str) -> int:
    """Characters of a given name after a family name: one or two that form no known word, with a name's boundary or mark."""
    length = 0
    marked = words[index][1] in sure_surnames()
    for _, word, tag in words[index + 1 : index + 3]:
        if (
            not re.match(f"[{HAN}]", word)
            or word[0] in _STOP
            or length + len(word) > 2
            or (len(word) == 2 and tag not in ("nr", "nz"))
        ):
            break
        marked = marked or tag in ("nr", "nz", "g", "zg", "ng")
        length += len(word)
    if not length:
        return 0
    start, word, _ = words[index]
    end = start + len(word) + length
    bounded = (start == 0 or not re.match(f"[{HAN}]", text[start - 1])) and (
        end == len(text) or not re.match(f"[{HAN}]", text[end])
    )
    return length if marked or bounded else 0
