import dataclasses
import re
from datetime import date

import numpy as np
import pytest

from dataset_builders.deidentify import deidentify_document, deidentify_text, tagger
from dataset_builders.deidentify.tagger.network import run_networks
from dataset_builders.document import PATH, Document, Exchange, Figure, Provenance
from dataset_builders.phantom.hospital import make_hospital_cases, planted_identifiers
from tests.support.timing import seconds


def hospital(text, language="en"):
    return Document(Provenance("hospital_case", "case:1", "LicenseRef-Hospital", "", "0" * 64), language, text)


@pytest.mark.usefixtures("rules_alone")
def test_spans_are_of_the_input_and_their_words_are_gone():
    text = "Dr. Orla Penhaligon saw him on 2021-03-04 for L4/5 pain."
    clean = deidentify_text(text)
    assert [text[s.start : s.end] for s in clean.spans] == ["Orla Penhaligon", "2021-03-04"]
    assert clean.text == "Dr. [NAME 1] saw him on [DATE 1: 2021] for L4/5 pain."


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="strict"):
        deidentify_text("x", mode="loose")


@pytest.mark.usefixtures("rules_alone")
def test_the_same_name_keeps_its_number():
    text = deidentify_text("Mr. Orrin Tavish came. Later Tavish left; Mrs. Quill stayed with Orrin Tavish.").text
    assert text.count("[NAME 1]") == 2


@pytest.mark.usefixtures("rules_alone")
def test_a_case_shows_the_years_of_its_dates_and_nothing_else_of_them():
    document = deidentify_document(hospital("Pain began 2021-03-01. Laminectomy of L4 on 31 March 2022 relieved it."))
    assert document.markdown == "Pain began [DATE 1: 2021]. Laminectomy of L4 on [DATE 2: 2022] relieved it."


@pytest.mark.usefixtures("rules_alone")
@pytest.mark.parametrize("dates", ["year", "shift"])
def test_no_date_shows_an_age_over_89(dates):
    text = "Born 1931-05-06, seen 2024-05-20 with a fracture of L1 after a fusion at the age of 72 in 2003."
    document = deidentify_document(hospital(text), dates=dates)
    assert "1930" not in document.markdown and "1931" not in document.markdown and "2003" not in document.markdown
    assert document.markdown.startswith("Born [DATE 1], seen ")


@pytest.mark.usefixtures("rules_alone")
def test_a_date_of_a_later_year_moves_the_age_that_counts():
    document = deidentify_document(hospital("Born 1941-05-06, seen 2031-07-20 with a fracture of L1."))
    assert document.markdown == "Born [DATE 1], seen [DATE 2: 2031] with a fracture of L1."


@pytest.mark.parametrize(
    "text", ["Pain 6 weeks after surgery at L4/5.", "腰4/5术后3月复查，病史2年3月余。", "Review in 3 months, POD 5."]
)
def test_spans_of_time_stay(text):
    assert deidentify_text(text, "zh" if "术" in text else "en").text == text


def test_a_masked_text_stays_as_it_is_if_it_is_masked_again():
    once = deidentify_text("Dr. Orla Penhaligon saw him on 2021-03-04 for L4/5 pain.").text
    assert deidentify_text(once).text == once


@pytest.mark.usefixtures("rules_alone")
def test_shifted_dates_keep_intervals_and_are_not_the_real_ones():
    text = "Pain began 2021-03-01. Laminectomy of L4 on 2021-03-31 relieved it. Seen 3/2022."
    document = deidentify_document(hospital(text), dates="shift")
    assert "2021-03-01" not in document.markdown and "[DATE 3]." in document.markdown
    first, second = (date.fromisoformat(word.strip(".")) for word in document.markdown.split() if word[:2] == "20")
    assert (second - first).days == 30


def test_an_unknown_way_to_write_dates_is_refused():
    with pytest.raises(ValueError, match="year or shift"):
        deidentify_document(hospital("x"), dates="keep")


@pytest.mark.usefixtures("rules_alone")
def test_the_title_and_a_label_are_masked_with_the_text():
    document = hospital("Laminectomy of L4 on 2021-03-31.")
    source = dataclasses.replace(document.provenance, source_title="MRI of Orla Penhaligon, 2021-03-31")
    clean = deidentify_document(dataclasses.replace(document, provenance=source, figures=(Figure("Orla Penhaligon", ""),)))
    assert clean.markdown == "Laminectomy of L4 on [DATE 1: 2021]."
    assert clean.provenance.source_title == "MRI of [NAME 1], [DATE 1: 2021]"
    assert clean.figures[0].label == ""


def test_a_name_found_in_one_text_is_masked_in_all_of_them():
    figure = Figure("", "Penhaligon before surgery", context=("Seen with penhaligon.",))
    clean = deidentify_document(dataclasses.replace(hospital("Mr. Rook Penhaligon has stenosis at L4."), figures=(figure,)))
    assert "enhaligon" not in clean.figures[0].caption


def test_what_is_known_beside_the_texts_is_masked_in_all_of_them_and_dropped():
    figures = (Figure("Figure 1", "MRI of hope field.", context=("ZQ-4471 at L4/5.",)),)
    exchange = Exchange("What did Field have?", "A", ("Field had stenosis", "tumour"))
    known = (("patient_name", "Hope Field"), ("patient_id", "ZQ4471"), (PATH, "hospital/Fergus_Quibbles/note.txt"))
    document = dataclasses.replace(
        hospital("hope rang today. Quibbles is sore."), figures=figures, exchange=exchange, known=known
    )
    clean = deidentify_document(document)
    texts = []
    clean.map_texts(lambda text: texts.append(text) or text)
    assert not re.search("hope|field|quibbles|4471", " ".join(texts), re.IGNORECASE)
    assert clean.known == () and "L4/5" in clean.figures[0].context[0]


def test_a_labelled_name_is_masked_in_captions_and_options():
    figures = (Figure("Figure 1", "MRI of Summer before the operation"),)
    exchange = Exchange("What did Summer have?", "A", ("Field had stenosis", "tumour"))
    document = dataclasses.replace(hospital("Patient: Summer Field. L4/5 stenosis."), figures=figures, exchange=exchange)
    clean = deidentify_document(document)
    assert "Field" not in clean.exchange.options[0] and "Summer" not in clean.figures[0].caption + clean.exchange.question


def test_what_is_known_leaves_documents_of_other_kinds_too():
    document = dataclasses.replace(hospital("By Hope Field."), known=(("author", "Hope Field"),))
    article = dataclasses.replace(document, provenance=dataclasses.replace(document.provenance, source_kind="article"))
    assert deidentify_document(article) == dataclasses.replace(article, known=())


def test_sentences_of_masks_and_labels_leave_no_remnant():
    text = "MRI shows a bulge at L4/5.\nPhysician signature: Orla Penhaligon 2021-03-04\nE-mail: orla@clinic.example\n"
    document = deidentify_document(hospital(text))
    assert document.markdown.strip() == "MRI shows a bulge at L4/5."


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_no_planted_identifier_survives_in_the_phantom_cases(seed):
    planted = planted_identifiers(seed, 4)
    for case in make_hospital_cases(seed, 4):
        document = deidentify_document(hospital(case.note, case.language))
        assert [words for words in planted[case.case_id] if words in document.markdown] == []
        assert any(finding.level.replace("/", "") in document.markdown.replace("/", "") for finding in case.findings)


def test_a_masked_document_counts_what_was_masked():
    document = deidentify_document(hospital("Dr. Orla Penhaligon saw him on 2021-03-04 for L4/5 pain after laminectomy."))
    counted = document.deidentification
    assert counted.identifiers == {"DATE": 1, "NAME": 1} and counted.clinical == 0
    assert counted.words == counted.known > 5


def test_published_documents_stay_as_they_are():
    document = hospital("By Orla Penhaligon, 2021-03-04.")
    article = dataclasses.replace(document, provenance=dataclasses.replace(document.provenance, source_kind="article"))
    assert deidentify_document(article) == article


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Dr. Or\u200bla Penhal\u202eigon came.",
            "Dr. \u2066Orla Penhaligon\u2069 came.",
            "Dr. O\x00rla Penha\x07ligon came.",
        ),
        *("Dr. \u041erla \u0420enhalig\u043en came.", "Dr. O\u0301rla Penhaligo\u0301n came.", "Name:\x1fOrla Penhaligon\x1e"),
    ],
)
def test_marks_and_look_alikes_inside_a_name_do_not_hide_it(text):
    clean = deidentify_text(text)
    (span,) = clean.spans
    assert len(text[span.start : span.end]) >= len("Orla Penhaligon") and "[NAME 1]" in clean.text
    assert "rla" not in clean.text and "ligon" not in clean.text


def test_look_alikes_hide_neither_a_label_nor_a_known_name():
    assert deidentify_text("N\u0430me: Story Peace").text.endswith(": [NAME 1]")
    known = (("surname", "Field"),)
    clean = deidentify_document(dataclasses.replace(hospital("f\u0456eld said that L4 hurts."), known=known))
    assert clean.markdown == "[NAME 1] said that L4 hurts."


@pytest.mark.parametrize("text", ["", " \n", "\x00\x00", "\u200b", "\ud800", "\ufffd" * 9])
def test_a_text_of_nothing_comes_back(text):
    assert deidentify_text(text).spans == ()


NOTE = "患者陆桂芬，L4/5椎间盘突出7 mm，电话13900001111。Orla Quill, L4/5, 7.5 mm, 555-010-0199; naomi said 3/14. "


@pytest.fixture
def repeated_networks(monkeypatch):
    """The tagger's networks run on the first characters of a periodic text only, and their answers are repeated.

    They are nearly all of the time, and the only part that takes the same time for any text of a length.
    """

    def run(weights, numbers, bits):
        first = run_networks(weights, numbers[:200], bits[:200])
        return np.resize(first, (len(numbers), first.shape[1]))

    monkeypatch.setattr(tagger, "run_networks", run)


@pytest.mark.parametrize(
    "unit",
    [
        *("1-1", "1 ", "1,", "1/", "0:", "1\n", "1年", "a", "A", "O", "Aa-", "Aa, ", "naomi ", "ab\n", "http://", "rue Aa "),
        *("(", "@", "a@", "a.", "(at)", "王", "王·", "市", "住", "阿", "某", "\u200f1", "- A\n", "1 Aa St ", "Mr. Aa ", "*x"),
        *(
            '"',
            "'a ",
            "{",
            '{"',
            "<a ",
            "<a>",
            "</a>",
            "|",
            "| a ",
            "Name: ",
            "a:",
            "=",
            "\x00",
            "\u0301",
            "а",
            "a,b\n",
            "a  b\n",
            "<tr>",
        ),
    ],
)
def test_time_is_linear_on_one_line_of_anything(unit, repeated_networks):
    deidentify_text(NOTE)  # word lists are read once
    short, long = (unit * (length // len(unit)) for length in (1_000, 10_000))
    assert seconds(deidentify_text, long, mode="strict", runs=1) < 30 * max(
        seconds(deidentify_text, short, mode="strict"), 0.01
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["standard", "strict"])
def test_a_long_note_of_one_line_takes_linear_time(mode):
    short, long = (NOTE * (length // len(NOTE)) for length in (10_000, 100_000))
    assert seconds(deidentify_text, long, mode=mode, runs=1) < 30 * seconds(deidentify_text, short, mode=mode, runs=1)


def test_a_number_above_a_blank_line_is_no_part_of_the_name_below_it():
    text = "Sex: female, Age: 65\n\nGreenmeadow General Hospital\nADMISSION RECORD"
    assert deidentify_text(text).text == "Sex: female, Age: 65\n\n[ORG 1]\nADMISSION RECORD"
