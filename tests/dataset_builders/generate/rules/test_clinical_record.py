"""A case cut into its parts, and a short report into its lines."""

from dataset_builders.generate.rules.clinical_record import read_record
from tests.support.notes import CASE_REPORT, NOTE, NOTE_ZH


def test_a_published_case_is_sorted_by_what_its_sentences_say():
    record = read_record(CASE_REPORT, told_in_one=True)
    assert any("hernia repair" in sentence for sentence in record.presentation)
    assert record.imaging == (
        "MRI showed a slip of L4 on L5 with a narrow canal.", "The canal was wide at the other levels."
    )  # fmt: skip
    assert record.diagnosis == ("The diagnosis was degenerative spondylolisthesis at L4/L5.",)
    assert record.treatment == ("He underwent decompression and fusion of L4/L5.", "Blood loss was small.")
    assert record.outcome == ("At one year follow-up he walked without pain.",)


def test_headings_in_capitals_or_chinese_cut_a_note():
    record = read_record(NOTE, told_in_one=False)
    assert record.presentation == ("Back pain for three weeks.", "Tender over L1.")
    assert (record.diagnosis, record.outcome) == (("Compression fracture of L1.",), ("New fractures are possible.",))
    assert record.postoperative == ("Not operated.",)
    assert "somebody" not in str(record)
    assert read_record(NOTE_ZH, told_in_one=False).imaging == ("MRI示L4/L5椎间盘突出，压迫硬膜囊。",)
