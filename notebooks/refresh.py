"""Run the notebooks and keep their outputs: ``python notebooks/refresh.py [NAME.ipynb …]``, without a name all of them.

Each runs in an empty folder of its own, as for a reader who opens no other one. Its metadata then hold the digest of the code
that the outputs belong to.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parent
DIGEST = "code_sha256"
_TIMEOUT = 900  # seconds that a cell may take
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> None:
    """Refresh the notebooks that are named, in place."""
    names = sys.argv[1:] or sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    for name in names:
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(NOTEBOOKS / name, Path(folder))
        nbformat.write(notebook, NOTEBOOKS / name)


def execute(path: Path, folder: Path) -> NotebookNode:
    """Return the notebook with the outputs of a run in ``folder``; the file is left as it is.

    Raises nbclient.exceptions.CellExecutionError, with the cell and its error, if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    environment = os.environ | {"SPINEMED_NOTEBOOKS": str(folder)}
    client = NotebookClient(
        notebook,
        timeout=_TIMEOUT,
        startup_timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.execute(cwd=str(NOTEBOOKS), env=environment)
    notebook.metadata = NotebookNode(_METADATA | {DIGEST: code_digest(notebook)})
    return notebook


def code_digest(notebook: NotebookNode) -> str:
    """SHA-256 of all code cells in their order: what the outputs depend on."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


if __name__ == "__main__":
    main()
