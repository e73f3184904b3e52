"""Items from prose: each passage in its own language, and what a kind of source gives."""

from dataset_builders.document import Figure
from dataset_builders.generate.rules import draft
from tests.support.chapter import CHAPTER, make_chapter, make_figures
from tests.support.drafts import by_rule, draft_and_check, right


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
    items = draft_and_check(make_chapter(text, figures=(*make_figures(), *chinese)))
    for rule in ("level_fact", "section_question", "figure_caption"):
        assert {item.language for item in by_rule(items, rule)} == {"en", "zh"}, rule
    (question,) = (item.messages[0].text for item in by_rule(items, "section_question") if item.language == "zh")
    assert "脊髓圆锥" in question and "3.10" not in question


def test_chinese_documents_give_chinese_items():
    text = (
        "# 脊柱\n\n## 腰椎椎体\n\n成人脊髓圆锥多终止于第1腰椎下缘。腰椎椎体较大，主要承受轴向负荷，"
        "棘突短而宽，呈板状，关节突关节面近矢状位，因此屈伸活动较大而旋转受限。腰椎前凸使躯干重心后移，腰骶部承受的剪力最大。"
    )
    items = draft_and_check(make_chapter(text, language="zh"))
    assert {item.language for item in items if not by_rule([item], "level_fact")} == {"zh"}
    assert {right(item) for item in by_rule(items, "level_fact")} == {"L1"}


def test_case_reports_give_no_clozes():
    assert not by_rule(list(draft(make_chapter(kind="case_report"))), "level_cloze")
