import base64
import hashlib
import json

import pytest
from PIL import Image

from dataset_builders.document import Companion, Document, Reject, SourceError
from dataset_builders.sources import READERS, declare, markdown_book, read_declared
from dataset_builders.sources.base import Declared

BOOK = """# The wooden column

Copyright the workshop. Licensed under the Creative Commons Attribution 4.0 International licence.

The third block is bent (Fig. 1). Its neighbours are straight in 10<sup>3</sup> models.

<div style="text-align: center;"><img src="imgs/block%20one.png" alt="Image" width="40%" /></div>

<div style="text-align: center;">Figure 1. The bent block from its left side.</div>

Figure 2 shows a row of five blocks.

![](imgs/row.jpg)

Figure 2. Five blocks in a row.

<table><tr><th>Block</th><th>Height</th></tr><tr><td rowspan="2">First</td><td>20</td></tr><tr><td>21</td></tr></table>
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "textbooks/column/imgs").mkdir(parents=True)
    Image.new("L", (40, 30), 90).save(tmp_path / "textbooks/column/imgs/block one.png")
    Image.new("RGB", (50, 30), "red").save(tmp_path / "textbooks/column/imgs/row.jpg")
    (tmp_path / "textbooks/column/column.md").write_text(BOOK, encoding="utf-8")
    markdown_book._images_in.cache_clear()
    return tmp_path


def read(path, root, kind="textbook"):
    return list(markdown_book.read(path, Declared(root=root, source_kind=kind)))


def write(folder, text, encoding="utf-8"):
    path = folder / "textbooks/column/column.md"
    path.write_text(text, encoding=encoding)
    markdown_book._images_in.cache_clear()
    return path


def test_figures_come_with_image_caption_and_citing_paragraph(folder):
    (document,) = read(folder / "textbooks/column/column.md", folder)
    images = [folder / "textbooks/column/imgs" / name for name in ("block one.png", "row.jpg")]
    assert [figure.image for figure in document.figures] == [path.read_bytes() for path in images]
    assert [(figure.label, figure.caption) for figure in document.figures] == [
        ("Figure 1", "Figure 1. The bent block from its left side."),
        ("Figure 2", "Figure 2. Five blocks in a row."),
    ]
    assert document.figures[0].context == ("The third block is bent (Fig. 1). Its neighbours are straight in 10^3 models.",)
    assert document.figures[1].context == ("Figure 2 shows a row of five blocks.",)


def test_the_text_is_plain_markdown_with_images_by_hash(folder):
    (document,) = read(folder / "textbooks/column/column.md", folder)
    digest = hashlib.sha256((folder / "textbooks/column/imgs/row.jpg").read_bytes()).hexdigest()
    assert f"![]({digest})" in document.markdown
    assert "| Block | Height |\n| --- | --- |\n| First | 20 |\n| First | 21 |" in document.markdown
    assert "10^3 models" in document.markdown
    assert "<" not in document.markdown


def test_provenance(folder):
    (document,) = read(folder / "textbooks/column/column.md", folder)
    source = document.provenance
    assert (source.source_kind, source.source_title, source.source_licence) == ("textbook", "The wooden column", "CC-BY-4.0")
    assert source.source_locator == "textbooks/column/column.md"
    (folder / "textbooks/column/LICENSE").write_text("Creative Commons Attribution-ShareAlike 4.0")
    (document,) = read(write(folder, "# Untitled\n\nText without a statement."), folder)
    assert document.provenance.source_licence == "CC-BY-SA-4.0"


def test_images_and_the_extractors_own_files_are_companions(folder):
    (folder / "textbooks/column/column_content_list.json").write_text(json.dumps([{"type": "text", "text": "x"}]))
    (folder / "textbooks/column/README.md").write_text("How this was made.")
    kept = {}
    for path in sorted(folder.rglob("*.*")):
        kept[path.name] = list(read_declared(path, declare(path, folder, [])))
    assert [type(result) for results in kept.values() for result in results].count(Document) == 1
    assert kept["row.jpg"] == [Companion("textbooks/column/imgs/row.jpg", "textbooks/column/column.md")]
    assert isinstance(kept["block one.png"][0], Companion)
    assert isinstance(kept["column_content_list.json"][0], Companion)
    assert kept["README.md"] == [Companion("textbooks/column/README.md", "folder")]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("../../secret.png", "image_outside"),
        ("..\\..\\secret.png", "image_outside"),
        ("%2e%2e/%2e%2e/secret.png", "image_outside"),
        ("/etc/passwd", "image_outside"),
        ("imgs/link.png", "image_outside"),
        ("imgs/a/../../../../secret.png", "image_outside"),
        ("https://example.org/a.png", "image_remote"),
        ("file:///etc/passwd", "image_remote"),
        ("//example.org/a.png", "image_remote"),
        ("data:image/png;base64,AAAA", "broken_image"),
        ("imgs/none.png", "image_missing"),
        ("imgs/" + "n" * 5000 + ".png", "image_missing"),
        ("imgs/%00.png", "image_missing"),
        ("imgs/notes.png", "broken_image"),
        ("column.md", "broken_image"),
    ],
)
def test_no_image_is_taken_from_elsewhere(folder, address, reason):
    Image.new("L", (8, 8)).save(folder / "secret.png")
    (folder / "textbooks/column/imgs/link.png").symlink_to(folder / "secret.png")
    (folder / "textbooks/column/imgs/notes.png").write_text("no image")
    reject, document = read(write(folder, f"# Title\n\nAs Figure 1 shows.\n\n![]({address})\n\nFigure 1. A block."), folder)
    assert (reject.reason, reject.file) == (reason, "textbooks/column/column.md")
    assert [(figure.label, figure.image) for figure in document.figures] == [("Figure 1", None)]


def test_gb18030(folder):
    (document,) = read(write(folder, "# 脊柱读片\n\n第三腰椎椎体楔形变。", "gb18030"), folder)
    assert (document.language, document.provenance.source_title) == ("zh", "脊柱读片")


def test_western_text_of_one_byte_a_letter(folder):
    (document,) = read(write(folder, "# Schmörl’s nodes\n\nThe naïve angle is 20° ± 2° at L4/L5.", "cp1252"), folder)
    assert (document.language, document.provenance.source_title) == ("en", "Schmörl’s nodes")
    assert "The naïve angle is 20° ± 2° at L4/L5." in document.markdown


def test_a_file_without_text_is_refused(folder):
    with pytest.raises(SourceError, match="no_text"):
        read(write(folder, "![](imgs/row.jpg)\n"), folder)


@pytest.mark.parametrize("kind", [None, "hospital_case"])
def test_elsewhere_a_markdown_file_is_a_note(folder, kind):
    (document,) = read(folder / "textbooks/column/column.md", folder, kind)
    assert document.provenance.source_kind == "hospital_case"
    (image,) = read(folder / "textbooks/column/imgs/row.jpg", folder, "open_dataset")
    assert image.figures and not isinstance(image, Reject)


def test_it_is_the_first_reader_that_takes_them(folder):
    for path in (folder / "textbooks/column/column.md", folder / "textbooks/column/imgs/row.jpg"):
        assert next(reader for reader in READERS if reader.accepts(path, path.read_bytes())) is markdown_book


def test_an_image_that_stands_in_the_text_is_read_and_machine_text_is_left_out(folder):
    data = (folder / "textbooks/column/imgs/block one.png").read_bytes()
    address = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    machine = "<details>\n<summary>natural_image</summary>\n\nA wooden block, no text\n</details>"
    text = f"# Blocks\n\nSee Figure 1 for the block.\n\n![Image]({address})\n{machine}\n\nFigure 1. The block.\n"
    (document,) = read(write(folder, text), folder)
    assert [(figure.label, figure.image) for figure in document.figures] == [("Figure 1", data)]
    assert "natural_image" not in document.markdown and "base64" not in document.markdown
