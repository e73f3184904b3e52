import copy

import pytest
import yaml

from dataset_builders.classify.lexicon import TABLE, Lexicon, read_terms

TERMS = yaml.safe_load(TABLE.read_text(encoding="utf-8"))


def write(folder, change):
    table = copy.deepcopy(TERMS)
    change(table)
    path = folder / "terms.yaml"
    path.write_text(yaml.safe_dump(table, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def test_a_longer_term_hides_a_shorter_one_and_counts_by_its_logarithm():
    lexicon = Lexicon({"disc": {3: ["disc herniat*"], 1: ["disc"]}, "bone": {2: ["骨折"]}})
    counts = lexicon.count("disc herniation, disc herniated, a disc, 骨折")
    assert counts == {"disc herniat*": 2, "disc": 1, "骨折": 1}
    weighed = lexicon.weigh(counts)
    assert weighed["disc"]["disc herniat*"] == pytest.approx(3 * 1.693147)
    assert lexicon.named(counts) == {"disc", "bone"} and lexicon.named({"disc": 1}) == set()


def test_the_order_of_the_table_means_nothing(tmp_path):
    def turn(table):
        for part in ("subfields", "specialties", "images", "irrelevant"):
            table[part] = dict(reversed(table[part].items()))

    turned, terms = read_terms(write(tmp_path, turn)), read_terms()
    assert turned.no_use == terms.no_use
    text = "ct and mri of a burst fracture, a disc herniation and meningitis"
    for lexicon, other in ((turned.subfields, terms.subfields), (turned.images, terms.images)):
        assert lexicon.weigh(lexicon.count(text)) == other.weigh(other.count(text)) != {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.pop("images"), r"terms\.yaml: holds .*, not elsewhere"),
        (lambda table: table.update(photos={}), r"terms\.yaml: holds .*photos"),
        (lambda table: table["subfields"].update(knees={3: ["knee"]}), "subfields, knees: no such name"),
        (lambda table: table["images"].update(pet={3: ["pet"]}), "images, pet: no such name"),
        (lambda table: table["specialties"].update(knee={3: ["knee"]}), "specialties, knee: no such name"),
        (lambda table: table["subfields"]["deformity"].update({5: ["rib hump"]}), "deformity: weight 5; choose one of 1, 2, 3"),
        (lambda table: table["subfields"]["deformity"][1].append("cobb*"), r"deformity: 'cobb\*' has two weights"),
        (lambda table: table["elsewhere"][3].append("HIV"), "elsewhere: 'HIV' is never found"),
        (lambda table: table["irrelevant"]["chart"].pop("priority"), "irrelevant, chart: holds with, terms"),
        (lambda table: table["irrelevant"]["chart"].update(priority=1), "irrelevant: two reasons have one priority"),
        (lambda table: table["irrelevant"]["chart"]["with"].append("pet"), "irrelevant, chart: no kind of image is called pet"),
    ],
)
def test_a_table_that_cannot_be_used_is_an_error_that_names_file_and_entry(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_terms(write(tmp_path, change))
