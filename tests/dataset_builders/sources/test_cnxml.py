import pytest
from PIL import Image

from dataset_builders.document import Companion, Document, Reject, SourceError
from dataset_builders.sources import cnxml
from dataset_builders.sources.base import Declared

MODULE = """<document xmlns="http://cnx.rice.edu/cnxml"><title>The spine</title>
<metadata xmlns:md="http://cnx.rice.edu/mdml"><md:content-id>m1</md:content-id><md:title>The spine</md:title></metadata>
<content><section><title>Discs</title><para>A disc (<link target-id="f1"/>) is soft.</para>
<figure id="f1"><title>Disc</title><media alt="A disc."><image src="{source}"/></media>
<caption>Seen from above.</caption></figure>
<para>Nothing.</para></section></content></document>"""
COLLECTION = """<col:collection xmlns:col="http://cnx.rice.edu/collxml"><metadata xmlns:md="http://cnx.rice.edu/mdml">
<md:license url="http://creativecommons.org/licenses/by/4.0/">Creative Commons Attribution License</md:license>
<md:slug>spine-book</md:slug></metadata><col:content><col:module document="m1"/></col:content></col:collection>"""


@pytest.fixture
def book(tmp_path):
    for folder in ("modules/m1", "media"):
        (tmp_path / folder).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "media" / "disc.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "media" / "stray.jpg")
    (tmp_path / "spine.collection.xml").write_text(COLLECTION)
    (tmp_path / "modules/m1/index.cnxml").write_text(MODULE.format(source="../../media/disc.jpg"))
    cnxml._modules_showing.cache_clear()
    return tmp_path


def read(path, root):
    return list(cnxml.read(path, Declared(root=root, source_kind="textbook")))


def test_module_with_its_figure(book):
    (document,) = read(book / "modules/m1/index.cnxml", book)
    assert (document.id, document.provenance.source_licence) == ("cnxml:m1", "CC-BY-4.0")
    assert document.provenance.source_url == "https://openstax.org/details/books/spine-book"
    (figure,) = document.figures
    assert (figure.label, figure.caption) == ("Figure 1", "Disc. Seen from above.")
    assert figure.context == ("A disc (Figure 1) is soft.",)
    assert figure.image == (book / "media/disc.jpg").read_bytes()
    assert f"![Figure 1]({figure.image_sha256})" in document.markdown


def test_companions_and_a_image_that_no_module_shows(book):
    assert [type(r) for r in read(book / "spine.collection.xml", book)] == [Companion]
    assert read(book / "media/disc.jpg", book) == [Companion("media/disc.jpg", "modules/m1/index.cnxml")]
    (reject,) = read(book / "media/stray.jpg", book)
    assert (type(reject), reject.reason) == (Reject, "image_not_shown")
    assert cnxml.accepts(book / "media/stray.jpg", b"\xff\xd8\xff")


def test_only_the_media_folder_is_looked_in(book):
    Image.new("RGB", (8, 8)).save(book / "secret.jpg")
    (book / "modules/m1/index.cnxml").write_text(MODULE.format(source="../../secret.jpg"))
    reject, document = read(book / "modules/m1/index.cnxml", book)
    assert reject.reason == "image_missing"
    assert isinstance(document, Document)
    assert document.figures[0].image is None


def test_licence_file_of_the_book_where_no_metadata_has_one(book):
    (book / "spine.collection.xml").unlink()
    (book / "LICENSE").write_text("Licensed under CC BY-NC-SA 4.0")
    (document,) = read(book / "modules/m1/index.cnxml", book)
    assert document.provenance.source_licence == "CC-BY-NC-SA-4.0"


def test_entities_are_refused(book):
    path = book / "modules/m1/index.cnxml"
    path.write_text('<!DOCTYPE document [<!ENTITY a "x">]>' + MODULE.format(source="x").replace("is soft", "&a;"))
    with pytest.raises(SourceError, match="xml_entities"):
        read(path, book)


def test_real_book(sources):
    root = sources / "textbooks" / "openstax"
    cnxml._modules_showing.cache_clear()
    documents = [d for path in sorted(root.glob("modules/*/index.cnxml")) for d in read(path, sources)]
    assert len(documents) == 5
    assert {d.provenance.source_licence for d in documents} == {"CC-BY-4.0"}
    figures = [figure for document in documents for figure in document.figures]
    assert len(figures) == 26
    assert all(figure.image for figure in figures)
    assert sum(bool(figure.context) for figure in figures) == 25
