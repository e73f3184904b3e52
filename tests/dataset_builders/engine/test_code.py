import shutil

import pytest

from dataset_builders.engine.code import ROOT, data_files, data_names, trace_code
from tests.support.steps import CODE_OF_STEPS

# What an edit of a file makes stale, by itself; steps behind a stale one are run again if its records change.
STALE = {
    # Rules and criteria ask which words are known, and criteria look for identifiers.
    "deidentify/patterns/names.yaml": {"clean", "drafts", "revised"},
    "deidentify/known_words.yaml": {"clean", "drafts", "revised"},
    "deidentify/presidio.py": {"clean"},
    "deidentify/dicom_headers.py": {"documents", "clean"},
    "deidentify/imaging_words.yaml": {"documents", "clean"},
    "deidentify/faces.py": {"documents", "clean"},
    "pages/bundled.py": {"documents", "clean"},
    "pages/ocr.py": {"documents"},
    "sources/jats.py": {"documents"},
    "sources/pdf/tables.py": {"documents"},
    "figures/captions.py": {"documents", "figures", "drafts", "revised"},
    "overlap/guard_words.yaml": {"distinct", "split"},
    "classify/terms.yaml": {"classified", "drafts", "revised"},
    **{f"generate/rules/templates/{name}.yaml": {"drafts"} for name in ("advice", "cases", "imaging", "questions", "text")},
    "generate/__init__.py": {"classified", "drafts", "revised"},
    "review/verdicts.py": {"reviewed"},
    "phantom/volumes.py": set(),
    "publish/stats.py": set(),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A copy of the code, and its versions: imports are followed once."""
    root = tmp_path_factory.mktemp("code")
    for package in ("dataset_builders", "modeling"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root, versions(root)


@pytest.fixture
def edit(whole):
    """Write bytes behind a file of the copy, or in its place: the steps that are stale then. It is put back afterwards."""
    root, before = whole
    changed = {}

    def edit(file, content, *, instead=False):
        path = root / "dataset_builders" / file
        changed[path] = path.read_bytes()
        path.write_bytes(content if instead else changed[path] + content)
        after = versions(root)
        return {step for step in CODE_OF_STEPS if before[step] != after[step]}

    yield edit
    for path, content in changed.items():
        path.write_bytes(content)


def versions(root):
    return {step: trace_code(names, caller, root).version for step, (names, caller) in CODE_OF_STEPS.items()}


@pytest.mark.parametrize("file", STALE)
def test_an_edit_makes_those_steps_stale_that_use_the_file(edit, file):
    assert edit(file, b"\n# changed\n") == STALE[file]


def test_levels_make_every_step_stale_that_reads_levels(edit):
    changed = edit("levels/context.yaml", b"{}\n", instead=True)
    assert {"classified", "drafts", "revised"} <= changed and not {"documents", "figures", "clean", "distinct"} & changed


def test_imports_inside_functions_and_of_the_chat_client_are_followed():
    files = trace_code(("generate.models",)).files
    assert {"modeling/chat_client.py", "dataset_builders/generate/models/prompts/revise_report_zh.md"} <= files.keys()
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


def test_a_relative_import_is_an_error_that_names_the_line(edit):
    with pytest.raises(ValueError, match=r"figures/__init__.py, line \d+: a relative import is not followed"):
        edit("figures/__init__.py", b"\nfrom . import captions\n")
