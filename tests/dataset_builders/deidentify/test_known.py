import pytest

from dataset_builders.deidentify.identifiers import merge
from dataset_builders.deidentify.known import read_known
from dataset_builders.document import PATH

NAME = (("patient_name", "Hope Field"),)


def found(text, *pairs):
    return [text[span.start : span.end] for span in merge(read_known(pairs).find(text))]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("HOPE FIELD, or field, hope", ["HOPE FIELD", "field, hope"]),
        ("Today Hope and Field were seen.", ["Hope", "Field"]),
        ("hope rang. mr field came.", ["hope", "field"]),
        ("There is hope; the field of view is fine.", []),
    ],
)
def test_a_name_that_is_words_is_masked_if_it_stands_as_a_name(text, masked):
    assert found(text, *NAME) == masked


def test_a_name_of_no_dictionary_is_masked_in_any_case_as_a_whole_word():
    assert found("penhaligon and PENHALIGON, not penhaligonia", ("surname", "Penhaligon")) == ["penhaligon", "PENHALIGON"]


def test_an_eponym_in_use_is_no_patient():
    assert found("A Cobb angle of 20°. Mr Cobb walks.", ("surname", "Cobb")) == ["Cobb"]


def test_a_short_part_is_a_name_only_if_it_is_written_as_one():
    assert found("NG tube, then Ng walked", ("surname", "Ng")) == ["Ng"]


def test_a_chinese_name_is_masked_wherever_it_stands_and_a_word_where_a_name_stands():
    assert found("手术成功。成功今日出院", ("姓名", "成功")) == ["成功"]
    assert found("今日陆桂芬出院，桂芬诉痛，陆先生陪同", ("姓名", "陆桂芬")) == ["陆桂芬", "桂芬", "陆"]


@pytest.mark.parametrize("written", ["ZQ4471", "zq-4471", "ZQ 4471", "ZQ/4471"])
def test_a_code_is_found_however_it_is_written(written):
    assert found(f"({written}) has L4/5 pain", ("patient_id", "ZQ4471")) == [written]


def test_a_number_without_its_zeros_is_the_same_number_and_a_short_one_is_none():
    assert found("no 0088231 and 88231", ("住院号", "088231")) == ["0088231", "88231"]
    assert found("12 mm, 12 weeks", ("patient_id", "12")) == []


def test_places_are_masked_whole_and_by_their_parts():
    pairs = (("address", "12 Wren Lane, Ashby"), ("hospital", "Spring Clinic"))
    assert found("At 12 wren lane, from Ashby, at Spring  Clinic in spring", *pairs) == [
        "12 wren lane",
        "Ashby",
        "Spring  Clinic",
    ]


def test_folders_and_files_name_people_but_not_what_they_hold():
    path = (PATH, "hospital/lumbar MRI reports/Quibbles_Fergus/ZQ99812 report 2021.txt")
    assert found("Report 2021: quibbles, fergus, ZQ-99812; lumbar MRI", path) == ["quibbles, fergus", "ZQ-99812"]


def test_clinical_columns_and_empty_ones_say_nothing():
    pairs = (("diagnosis", "Stenosis"), ("name", "unknown"), ("side", "left"), ("batch", "Two"), ("sex", "F"), ("year", "2021"))
    assert found("Unknown stenosis, left, two, F, 2021", *pairs) == []


def test_a_full_name_and_a_long_code_count_under_any_heading():
    assert found("Orla Quill saw ZQ-447182.", ("seen_on", "ZQ447182"), ("scribe of day", "Orla Quill")) == [
        "Orla Quill",
        "ZQ-447182",
    ]


def test_time_is_linear_however_much_is_known():
    known = read_known(("name", f"Zq{number}x Field{number}") for number in range(2000))
    assert len(known.find("hope " * 20_000)) == 0
