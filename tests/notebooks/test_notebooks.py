"""The notebooks as they are kept, and as they run."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.conftest import REPO

NAMES = ("01_build_dataset", "02_train_spinegpt", "03_evaluate")
LARGEST = 1_000_000  # bytes
REPOSITORY = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
TRACES = {
    "absolute path": r"(?<![\w.~/])/(?!dev/shm\b)(?:[\w.-]+/)+|\b[A-Z]:\\",
    "address": r"https?://|\blocalhost\b|\b\d+\.\d+\.\d+\.\d+\b",
    "installer": r"(?i)looking in (indexes|links)|index-url|pypi",
    "progress bar": r"\d+%\||\d(it|s)/\w|\r",
}


def kept(name: str) -> NotebookNode:
    return nbformat.read(REPO / "notebooks" / f"{name}.ipynb", as_version=4)


def code(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def load_refresh() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_refresh", REPO / "notebooks" / "refresh.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def badge(name: str) -> str:
    page = REPOSITORY.replace("https://github.com/", "https://colab.research.google.com/github/")
    return f"(https://colab.research.google.com/assets/colab-badge.svg)]({page}/blob/main/notebooks/{name}.ipynb)"


def without_output(notebook: NotebookNode) -> list[str]:
    return [name for name, cell in code(notebook).items() if not cell.outputs or cell.execution_count is None]


def complaints(notebook: NotebookNode) -> list[str]:
    """Cells that failed or wrote warnings."""
    return [
        name
        for name, cell in code(notebook).items()
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr" or "Traceback" in output.get("text", "")
    ]


def traces(notebook: NotebookNode) -> list[tuple[str, str]]:
    """What an output or the metadata tell of the machine that ran the notebook, beside what is meant to be read."""
    texts = [json.dumps(notebook.metadata)]
    for cell in code(notebook).values():
        texts.append(json.dumps(cell.metadata))
        for output in cell.outputs:
            texts.append(output.get("text", ""))
            texts += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    tags = re.compile(r"</?\w[^<>]*>")  # the slash of an HTML tag begins no path
    found = [(kind, re.search(pattern, tags.sub(" ", text))) for text in texts for kind, pattern in TRACES.items()]
    return [(kind, match.group()) for kind, match in found if match]


def shape(notebook: NotebookNode) -> dict[str, list[list[str]]]:
    """What kinds of output each cell has."""
    return {
        name: [sorted(output.get("data", {"stream": ""})) for output in cell.outputs] for name, cell in code(notebook).items()
    }


def test_there_are_three():
    assert sorted(path.stem for path in (REPO / "notebooks").glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_badges_open_the_notebook_on_colab(name):
    assert badge(name) in kept(name).cells[0].source
    assert badge(name) in (REPO / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_first_cell_installs_from_the_projects_address_where_nothing_is_installed(name, monkeypatch, tmp_path):
    def missing(package):
        raise importlib.metadata.PackageNotFoundError(package)

    commands = []
    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.chdir(tmp_path)
    setup, *_ = code(kept(name)).values()
    with pytest.raises(SystemExit, match="Restart session"):
        exec(setup.source, {})
    clone, install = commands
    assert clone[:2] == ["git", "clone"] and clone[-2:] == [REPOSITORY, "spinemed"]
    assert install[1:4] == ["-m", "pip", "install"] and install[-2:] == ["--editable", "spinemed"]


def test_the_first_cell_and_the_data_cell_are_the_same_everywhere():
    first, second, third = (code(kept(name)) for name in NAMES)
    assert first["setup"].source == second["setup"].source == third["setup"].source
    assert second["data"].source == third["data"].source


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_has_its_output_and_none_complains(name):
    notebook = kept(name)
    assert without_output(notebook) == [] and complaints(notebook) == []
    kinds = set(chain.from_iterable(chain.from_iterable(shape(notebook).values())))
    assert {"image/png", "text/html"} <= kinds


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_of_the_code(name):
    refresh, notebook = load_refresh(), kept(name)
    assert notebook.metadata[refresh.DIGEST] == refresh.code_digest(notebook), "run `make notebooks`"
    code(notebook)["setup"].source += "\n"
    assert notebook.metadata[refresh.DIGEST] != refresh.code_digest(notebook)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_tells_of_the_machine(name):
    notebook = kept(name)
    assert traces(notebook) == []
    assert set(notebook.metadata) == {"kernelspec", "language_info", load_refresh().DIGEST}
    assert notebook.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata.language_info == {"name": "python"}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small(name):
    assert (REPO / "notebooks" / f"{name}.ipynb").stat().st_size < LARGEST


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("written: /home/someone/report.html", "absolute path"),
        (r"C:\Users\someone", "absolute path"),
        ("Looking in indexes: ", "installer"),
        ("from https://index.example.org/simple", "address"),
        (" 33%|███   | 1/3 [00:02<00:05,  2.64s/volume]", "progress bar"),
    ],
)
def test_a_trace_of_the_machine_is_found(text, kind):
    streams = [new_output("stream", text=text), new_output("display_data", data={"text/html": f"<td>{text}</td>"})]
    for output in streams:
        assert kind in dict(traces(new_notebook(cells=[new_code_cell(id="cell", outputs=[output])])))


def test_missing_outputs_and_warnings_are_found():
    warning = new_output("stream", name="stderr", text="careful")
    error = new_output("error", ename="ValueError", evalue="no", traceback=[])
    cells = [new_code_cell(id="none"), *(new_code_cell(id=o.output_type, outputs=[o]) for o in (warning, error))]
    notebook = new_notebook(cells=cells)
    assert "none" in without_output(notebook) and complaints(notebook) == ["stream", "error"]


STUBS = {
    "python": """
        *phantom*) mkdir sources.partial ;;
        *build*) mkdir spinemed-450k spinebench; touch spinebench/README.md ;;
        *tiny*) mkdir tiny; touch tiny/config.json ;;
    """,
    "accelerate": """
        *stage1.py*) mkdir stage1; touch stage1/training_summary.json ;;
        *stage2.py*) mkdir stage2; touch stage2/training_summary.json ;;
        *stage3.py*) mkdir stage3; touch stage3/training_summary.json ;;
    """,
}


def commands_of(cells: list[NotebookNode], folder: Path) -> list[str]:
    """The commands that bash cells run in ``folder``; stand-ins leave the folders that the real ones leave."""
    log, stubs = folder.with_suffix(".log"), folder.with_suffix(".bin")
    folder.mkdir(exist_ok=True)
    stubs.mkdir(exist_ok=True)
    log.write_text("")
    for name, made in STUBS.items():
        (stubs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\necho stage\ncase "$*" in {made} esac\n')
        (stubs / name).chmod(0o755)
    environment = {"PATH": f"{stubs}:{os.environ['PATH']}", "RECIPES": "recipes"}
    for cell in cells:
        script = cell.source.removeprefix("%%bash\n")
        assert script != cell.source
        subprocess.run(["bash", "-c", script], cwd=folder, env=environment, check=True, capture_output=True)
    return log.read_text().splitlines()


def test_each_notebook_makes_what_it_needs_as_the_earlier_ones_do(tmp_path):
    first, second, third = (code(kept(name)) for name in NAMES)
    wanted = commands_of([first["sources"], first["build"], second["tiny"], second["stage1"], second["stages"]], tmp_path / "a")
    assert len(wanted) == 6
    assert commands_of([third["data"], third["models"]], tmp_path / "b") == wanted
    assert commands_of([second["data"]], tmp_path / "c") == wanted[:2]


def test_a_notebook_makes_nothing_that_is_there(tmp_path):
    cells = code(kept("03_evaluate"))
    assert commands_of([cells["data"], cells["models"]], tmp_path / "a")
    assert commands_of([cells["data"], cells["models"]], tmp_path / "a") == []


SHORTER = {"--max_steps 30": "--max_steps 6", "sample_max_new_tokens 64": "sample_max_new_tokens 8"}
SHORTER |= {"--max-new-tokens 128": "--max-new-tokens 8", "plots[0].text(30,": "plots[0].text(6,"}


def shorten(path: Path, folder: Path) -> Path:
    """Write a copy of a notebook into ``folder`` that asks less of its tiny models."""
    text = path.read_text(encoding="utf-8")
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    (folder / path.name).write_text(text, encoding="utf-8")
    return folder / path.name


def test_what_is_shortened_stands_in_the_notebooks():
    texts = [path.read_text(encoding="utf-8") for path in (REPO / "notebooks").glob("*.ipynb")]
    assert [long for long in SHORTER if not any(long in text for text in texts)] == []


@pytest.mark.slow
def test_the_notebooks_run_whole_one_after_the_other(built, tmp_path, monkeypatch):
    """In one folder with the sources and the steps of the tests' own build, so that the first build finds them done.

    Models are trained for fewer steps and write less than for a reader.
    """
    monkeypatch.setenv("PYTHONPATH", str(REPO), prepend=os.pathsep)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    accelerate = tmp_path / "bin" / "accelerate"  # in an environment that is not active nothing is found without
    accelerate.parent.mkdir()
    accelerate.write_text(f'#!/bin/bash\nexec {sys.executable} -m accelerate.commands.accelerate_cli "$@"\n')
    accelerate.chmod(0o755)
    monkeypatch.setenv("PATH", str(accelerate.parent), prepend=os.pathsep)
    shutil.copytree(built.sources, tmp_path / "sources")
    shutil.copytree(built.work, tmp_path / "work")
    refresh = load_refresh()
    for name in NAMES:
        path = shorten(REPO / "notebooks" / f"{name}.ipynb", tmp_path)
        before = path.read_bytes()
        ran = refresh.execute(path, tmp_path)
        assert path.read_bytes() == before
        assert complaints(ran) == [] and traces(ran) == []
        assert shape(ran) == shape(kept(name))
