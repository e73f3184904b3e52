"""What SpineBench takes: two items a case, one of twins, capped templates, no reference that training holds, strata in turn."""

from collections import Counter

from dataset_builders.item import Message
from dataset_builders.publish.sampling import (
    FEWEST_OF_TEMPLATE,
    PER_CASE,
    Sampling,
    find_shared_references,
    group_items,
    sample_benchmark,
    stratum_of,
    template_of,
)
from tests.support.items import make_item

REPORT = " ".join(f"word{number}" for number in range(40))


def sample(items, **values):
    by_id = {item.id: item for item in items}
    return sample_benchmark(by_id, group_items(items), Sampling(**values))


def make_question(name, text, **values):
    return make_item(name, messages=(Message("user", f"{text}\nA. L3\nB. L4"), Message("assistant", "B. L4")), **values)


def make_report(name, text, **values):
    messages = (Message("user", "Report."), Message("assistant", text))
    return make_item(name, task="report", options=(), answer=text, messages=messages, **values)


def test_a_case_gives_two_items_at_most():
    items = [make_item(f"i{n}", source=f"s{n // 8}", case=f"c{n // 8}", kind="hospital_case") for n in range(80)]
    reserved, chosen = sample(items, share=0.4)
    per_case = Counter(next(i for i in items if i.id == name).provenance.case_id for name in chosen)
    assert set(per_case.values()) == {PER_CASE} and len(reserved) == len(per_case) == 4


def test_of_twins_in_two_languages_one_is_taken():
    items = [
        make_item(f"{language}{n}", source=f"s{n}", language=language, levels=("L4",), images=[f"p{n}"], modality="image_text")
        for n in range(20)
        for language in ("en", "zh")
    ]
    _, chosen = sample(items, share=0.5)
    assert len(chosen) == 10 and len({name[2:] for name in chosen}) == 10
    assert {name[:2] for name in chosen} == {"en", "zh"}


def test_a_template_with_other_levels_is_capped():
    items = [
        make_question(f"i{n}", f"A record of patient {n}.\n\nWhere is the disc bulge beside L{n % 5 + 1}?", source=f"s{n}")
        for n in range(60)
    ]
    _, chosen = sample(items, share=0.5)
    assert len(chosen) == FEWEST_OF_TEMPLATE
    assert template_of(items[0]) == template_of(items[3]) != template_of(make_question("x", "Which root leaves at L4?"))


def test_a_reference_that_other_documents_repeat_is_not_taken():
    items = [make_report(f"r{n}", REPORT.replace("word", f"own{n}x"), source=f"s{n}") for n in range(12)]
    items += [make_report(f"same{n}", REPORT, source=f"t{n}") for n in range(12)]
    groups = group_items(items)
    assert find_shared_references(items, groups) == {f"same{n}" for n in range(12)}
    _, chosen = sample(items, share=0.5)
    assert chosen and all(name.startswith("r") for name in chosen)
    turns = (Message("user", "?"), Message("assistant", items[0].answer or ""))
    consultation = make_item("c", source="u", task="consultation", messages=turns)
    assert "r0" in find_shared_references([*items, consultation], groups | {"c": "source u"})


def test_a_report_of_the_same_case_does_not_spoil_a_reference():
    items = [make_report("a", REPORT, source="s", case="c"), make_report("b", REPORT, source="t", case="c")]
    assert not find_shared_references(items, group_items(items))


def test_strata_take_turns():
    items = [make_item(f"common{n}", source=f"s{n}", levels=("L4",), axis="pathology_assessment") for n in range(90)]
    items += [make_item(f"rare{n}", source=f"r{n}", levels=(f"T{n + 1}",), axis="level_identification") for n in range(10)]
    _, chosen = sample(items, most={"multiple_choice": 12, "report": 0}, share=0.9)
    assert sum(name.startswith("rare") for name in chosen) >= 8
    assert stratum_of(items[0]) == ("multiple_choice", "textbook", "en", "text", "pathology_assessment", "L4")


def test_the_sample_depends_on_the_seed_and_survives_a_new_source():
    items = [make_item(f"i{n}", source=f"s{n}", levels=(f"L{n % 5 + 1}",)) for n in range(60)]
    assert sample(items, share=0.2) == sample(items[::-1], share=0.2) != sample(items, share=0.2, seed=1)
    late = [make_item(f"late{n}", source=f"g{n}", kind="guideline") for n in range(10)]
    _, before = sample(items, share=0.2)
    _, after = sample([*items, *late], share=0.2)
    assert before <= after
