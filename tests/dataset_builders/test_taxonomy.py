import re
from collections import Counter

import pytest

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


def codes(icd10):
    """Every four-character code of "M50-M51, M48.0": a category stands for its ten subcategories."""
    for part in filter(None, icd10.split(", ")):
        first, _, last = part.partition("-")
        assert re.fullmatch(r"[A-Z]\d\d(\.\d)?", first) and re.fullmatch(r"([A-Z]\d\d(\.\d)?)?", last), part
        last = last or first
        assert first[0] == last[0] and len(first) == len(last) and first <= last, part
        low, high = first[1:].replace(".", "").ljust(3, "0"), last[1:].replace(".", "").ljust(3, "9")
        yield from (f"{first[0]}{number:03d}" for number in range(int(low), int(high) + 1))


def test_no_icd10_code_belongs_to_two_subfields():
    owners = Counter(code for subfield in SUBFIELDS.values() for code in set(codes(subfield.icd10)))
    assert owners and not {code for code, count in owners.items() if count > 1}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("M511", "disc_disease"),  # lumbar disc disorder with radiculopathy
        ("M480", "spinal_stenosis"),
        ("M431", "spondylolisthesis"),
        ("M471", "cervical_myelopathy"),  # spondylosis with myelopathy
        ("M420", "deformity"),  # Scheuermann
        ("S320", "vertebral_fracture"),  # lumbar vertebra
        ("S324", "limb_trauma"),  # acetabulum
        ("M485", "osteoporotic_fracture"),  # collapsed vertebra
        ("G834", "spinal_cord_disorder"),  # cauda equina
        ("C412", "spinal_tumour"),  # vertebral column
        ("C402", "bone_disease"),  # long bones of a leg
        ("M490", "spinal_infection"),  # tuberculosis of spine
        ("M459", "inflammatory_spine"),
        ("Q760", "congenital_spine"),  # spina bifida occulta
        ("M545", "back_neck_pain"),
        ("M171", "joint_reconstruction"),  # gonarthrosis
        ("S835", "sports_medicine"),  # cruciate ligament
        ("G560", "hand_upper_limb"),  # carpal tunnel
        ("M722", "foot_ankle"),  # plantar fascia
        ("Q660", "paediatric_orthopaedics"),  # club foot
    ],
)
def test_a_diagnosis_falls_under_its_subfield(code, name):
    assert [field for field, subfield in SUBFIELDS.items() if code in codes(subfield.icd10)] == [name]
