import dataclasses
import typing

from dataset_builders.document import Compression, Deidentification, Document, Exchange, Figure, Finding, Masking, Provenance

# What map_texts leaves alone, and why. A field of text that is neither mapped nor named here fails the test below:
# whoever adds one decides.
NOT_TEXTS = {
    "Provenance": {
        "source_kind": "of a table of ours",
        "source_id": "an id: other records refer to it",
        "source_licence": "an id of SPDX",
        "source_locator": "finds the place in the source",
        "source_sha256": "a hash",
        "source_doi": "an id",
        "source_url": "an address",
        "case_id": "an id: splits never cut through it",
    },
    "Document": {
        "language": "of a table of ours",
        "levels": "of a table of ours",
        "discs": "of a table of ours",
        "ungraded": "of a table of ours",
        "specialty": "of a table of ours",
        "subfield": "of a table of ours",
        "file": "a path: finds the source",
    },
    "Figure": {
        "image_sha256": "a hash",
        "locator": "finds the place in the source",
        "image_modality": "of a table of ours",
        "levels": "of a table of ours",
        "discs": "of a table of ours",
    },
    "Exchange": {"read_as": "of a table of ours"},
    "Finding": {
        "name": "of a table of ours",
        "level": "of a table of ours",
        "grade": "a grade",
        "unit": "a unit",
        "side": "of a table of ours",
        "site": "of a table of ours",
        "certainty": "of a table of ours",
    },
    "Compression": dict.fromkeys(("structure", "contact", "degree", "side", "root"), "of a table of ours"),
    "Masking": {"image": "a hash or path"},
    "Deidentification": {"other_language": "of a table of ours"},
}


def filled(kind):
    """A record in which every field of text, alone or in a tuple, holds its own name, and every record another such record."""
    types = typing.get_type_hints(kind)
    return kind(**{field.name: value_of(kind, field.name, types[field.name]) for field in dataclasses.fields(kind)})


def value_of(kind, name, hint):
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    if type(None) in typing.get_args(hint):
        return value_of(kind, name, options[0])
    if typing.get_origin(hint) is tuple:
        return (value_of(kind, name, options[0]),)
    if dataclasses.is_dataclass(hint):
        return filled(hint)
    return f"text of {kind.__name__}.{name}" if hint is str else {int: 1, float: 1.0, bytes: b""}.get(hint, {})


def texts_of(value):
    """(record type, field, text) of everything in a record that is text."""
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        for part in content if isinstance(content, tuple) else (content,):
            if dataclasses.is_dataclass(part):
                yield from texts_of(part)
            elif isinstance(part, str):
                yield type(value).__name__, field.name, part


def test_no_text_of_a_document_is_forgotten_and_no_id_is_changed():
    document = filled(Document)
    assert {kind for kind, _, _ in texts_of(document)} == set(NOT_TEXTS)
    for kind, name, text in texts_of(document.map_texts(str.upper)):
        assert text.isupper() == (name not in NOT_TEXTS[kind]), f"{kind}.{name}: is it a text? See Document.map_texts"


def test_everything_that_is_left_alone_is_there():
    kinds = (Provenance, Document, Figure, Exchange, Finding, Compression, Masking, Deidentification)
    assert {kind.__name__ for kind in kinds} == set(NOT_TEXTS)
    for kind in kinds:
        assert set(NOT_TEXTS[kind.__name__]) <= {field.name for field in dataclasses.fields(kind)}


def test_every_text_is_mapped_once_and_unknown_ones_stay_unknown():
    seen = []
    source = Provenance("article", "doi:1", "CC0-1.0", "", "0" * 64)
    document = Document(source, "en", "body", (Figure("Figure 1", "caption", ("one", "two")),), Exchange("q", "B", ("x", "y")))
    assert document.map_texts(lambda text: seen.append(text) or text) == document
    assert seen == ["Figure 1", "caption", "one", "two", "q", "B", "x", "y", "body"]


def test_a_document_comes_back_from_json_as_it_was():
    document = filled(Document)
    document = dataclasses.replace(document, deidentification=Deidentification(maskings=(Masking("a", ((1, 2, 3, 4),)),)))
    assert Document.from_dict(document.to_dict()) == document
