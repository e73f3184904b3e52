import shutil

import pytest

from dataset_builders.engine.code import ROOT, data_files, data_names, trace_code

STEPS = {
    "documents": ("sources.inventory",),
    "figures": ("figures",),
    "clean": ("deidentify.clean",),
    "distinct": ("overlap.deduplicate",),
    "classified": ("classify",),
    "drafts": ("generate.rules",),
    "revised": ("generate.checks",),
    "reviewed": ("review.verdicts",),
    "split": ("publish.spinebench",),
}
# What an edit of a file makes stale, by itself; steps behind a stale one are run again if its records change.
STALE = {
    "deidentify/patterns/names.yaml": {"clean"},
    "deidentify/known_words.yaml": {"clean"},
    "deidentify/presidio.py": {"clean"},
    "deidentify/dicom_headers.py": {"documents", "clean"},
    "deidentify/faces.py": {"documents", "clean"},
    "pages/ocr.py": {"documents", "clean"},
    "sources/jats.py": {"documents"},
    "sources/pdf/tables.py": {"documents"},
    "figures/captions.py": {"documents", "figures"},
    "overlap/guard_words.yaml": {"distinct", "split"},
    "classify/terms.yaml": {"classified", "drafts"},
    "generate/rules/templates/advice.yaml": {"drafts", "revised"},
    "review/verdicts.py": {"reviewed"},
    "phantom/volumes.py": set(),
    "publish/stats.py": set(),
}


@pytest.fixture
def copy(tmp_path):
    for package in ("dataset_builders", "modeling"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def versions(root):
    return {step: trace_code(names, root).version for step, names in STEPS.items()}


@pytest.mark.parametrize("file", STALE)
def test_an_edit_makes_those_steps_stale_that_use_the_file(copy, file):
    before = versions(copy)
    with (copy / "dataset_builders" / file).open("a", encoding="utf-8") as edited:
        edited.write("\n# changed\n")
    after = versions(copy)
    assert {step for step in STEPS if before[step] != after[step]} == STALE[file]


def test_levels_make_every_step_stale_that_reads_levels(copy):
    before = versions(copy)
    (copy / "dataset_builders/levels/context.yaml").write_text("{}\n")
    after = versions(copy)
    changed = {step for step in STEPS if before[step] != after[step]}
    assert {"classified", "drafts", "revised"} <= changed and not {"documents", "figures", "clean", "distinct"} & changed


def test_imports_inside_functions_and_of_the_chat_client_are_followed():
    files = trace_code(("generate.models",)).files
    assert {"modeling/chat_client.py", "dataset_builders/generate/models/prompts/revise@1.md"} <= files.keys()
    assert "dataset_builders/deidentify/presidio.py" in trace_code(("deidentify.clean",)).files


def test_versions_of_imported_libraries_are_part_of_the_code(monkeypatch):
    before = trace_code(("deidentify.clean",))
    assert {"rapidocr", "pillow", "numpy", "python"} <= before.libraries.keys()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0" if name == "rapidocr" else before.libraries[name])
    after = trace_code(("deidentify.clean",))
    assert after.libraries == {**before.libraries, "rapidocr": "0.0"} and after.version != before.version


def test_every_data_file_is_named_by_a_module_of_its_room():
    """Else an edit of it would leave finished steps as they are."""
    for path in data_files():
        room = path.relative_to(ROOT / "dataset_builders").parts[0]
        code = [module.read_text(encoding="utf-8") for module in (ROOT / "dataset_builders" / room).rglob("*.py")]
        assert any(f'"{name}"' in text for name in data_names(path) for text in code), path


def test_a_name_that_is_no_module_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"Step.code names 'clasify'"):
        trace_code(("clasify",))
