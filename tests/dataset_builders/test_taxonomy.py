from dataset_builders.taxonomy import ORTHOPAEDIC_SUBFIELDS, SPINE_SUBFIELDS, SUBFIELDS


def test_there_are_fourteen_spinal_and_seven_orthopaedic_subfields():
    assert len(SPINE_SUBFIELDS) == 14
    assert len(ORTHOPAEDIC_SUBFIELDS) == 7
    assert len(SUBFIELDS) == 21
    assert {subfield.specialty for subfield in SPINE_SUBFIELDS.values()} == {"spine"}
    assert {subfield.specialty for subfield in ORTHOPAEDIC_SUBFIELDS.values()} == {"orthopaedics"}


def test_every_subfield_is_named_in_both_languages_and_defined_in_a_sentence():
    for name, subfield in SUBFIELDS.items():
        assert subfield.name == name
        assert subfield.en and any("\u4e00" <= character <= "\u9fff" for character in subfield.zh)
        assert subfield.definition.endswith(".") and subfield.definition.count(".") == 1


def test_names_are_unique():
    for attribute in ("en", "zh", "definition"):
        assert len({getattr(subfield, attribute) for subfield in SUBFIELDS.values()}) == 21
