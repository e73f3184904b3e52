"""Encodings of texts that hospitals and banks export."""

import pytest

from dataset_builders.document import SourceError
from dataset_builders.sources.encodings import detect_encoding

SIMPLIFIED = "腰椎磁共振平扫：L4/5椎间盘向后突出，硬膜囊受压，右侧神经根受压。建议手术治疗，术后三个月复查。"
TRADITIONAL = "腰椎磁振造影檢查：第四、第五腰椎椎間盤突出，壓迫右側神經根，建議手術減壓治療並追蹤。"


def detect(folder, data):
    path = folder / "note.txt"
    path.write_bytes(data)
    return detect_encoding(path)


@pytest.mark.parametrize(
    ("text", "written", "detected"),
    [
        (SIMPLIFIED, "utf-8", "utf-8-sig"),
        (SIMPLIFIED, "utf-16", "utf-16"),
        (SIMPLIFIED, "gb18030", "gb18030"),
        (SIMPLIFIED, "gb2312", "gb18030"),
        (TRADITIONAL, "gb18030", "gb18030"),
        (TRADITIONAL, "big5", "big5hkscs"),
        ("主訴：腰痛三年，右下肢麻木。現病史：三年前開始腰痛。", "big5", "big5hkscs"),
        ("Lordosis 42°, Schmörl's nodes at T12.", "cp1252", "cp1252"),
        ("plain", "ascii", "utf-8-sig"),
    ],
)
def test_the_encoding_that_gives_common_characters_is_taken(tmp_path, text, written, detected):
    assert detect(tmp_path, text.encode(written)) == detected


@pytest.mark.parametrize("text", ["第４腰椎と第５腰椎の間に椎間板ヘルニアを認める。神経根の圧迫があり、手術を勧める。"])
def test_what_gives_rare_characters_only_is_refused(tmp_path, text):
    with pytest.raises(SourceError, match="unknown_encoding"):
        detect(tmp_path, text.encode("cp932"))
