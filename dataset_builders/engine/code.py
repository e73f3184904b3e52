"""Find what a step's output depends on besides its records: our code, its data files, and the libraries it calls.

    trace_code(("classify",)) -> Code(files={"classify/__init__.py": "3f0c…", "levels/context.yaml": …}, libraries={"numpy": …})

A step names the modules and packages that it runs. From there imports are followed, also those inside functions, through
`dataset_builders` and `modeling`, so no file can be forgotten and leave old rows behind. A data file counts if a module that
was reached is in the same top-level package and names the file or its folder. Every file is parsed once per process, which
takes half a second.
"""

import ast
import functools
import hashlib
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Packages of this repository that a step's code may be in.
OURS = ("dataset_builders", "modeling")
CODE_SUFFIX = ".py"


@dataclass(frozen=True, slots=True)
class Code:
    """The code of one step.

    files       path below the repository's root -> SHA-256 of its bytes.
    libraries   distribution -> version, of everything that the files import; "python" for the interpreter.
    """

    files: dict[str, str]
    libraries: dict[str, str]

    @property
    def version(self) -> str:
        """Return twelve hexadecimal digits that change whenever a file or a library changes."""
        parts = [*self.files.items(), *self.libraries.items()]
        return hashlib.sha256("\n".join(" ".join(part) for part in sorted(parts)).encode()).hexdigest()[:12]


def trace_code(names: Iterable[str], caller: str = "", root: Path = ROOT) -> Code:
    """Follow the imports of the named modules and packages of dataset_builders ("levels", "generate.rules").

    caller   the module of the step's own function. Its file counts, but its imports are not followed: a generator's module
             imports what all its stages call.
    root     the folder that holds dataset_builders and modeling.

    Raises ValueError, naming it, if a module or package does not exist, or for a relative import, which is not followed.
    """
    reached: dict[Path, _Module] = {}
    waiting = [_locate_named(name, root) for name in names]
    imported: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        module = reached[path] = _parse(path, path.read_bytes())
        for name in module.imports:
            if name.partition(".")[0] not in OURS:
                imported.add(name.partition(".")[0])
            elif found := _locate(name, root):
                waiting.append(found)
    named: dict[str, set[str]] = defaultdict(set)
    for path, module in reached.items():
        named[_room(path, root)] |= module.strings
    files = {*reached, *(path for path in data_files(root) if named[_room(path, root)] & data_names(path, root))}
    if caller and (own := _file(caller, root)):
        files.add(own)
    return Code(
        {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)},
        dict(sorted(_libraries(imported))),
    )


def data_files(root: Path = ROOT) -> list[Path]:
    """List every file below dataset_builders that is not code: word lists, patterns, templates, prompts."""
    return [
        path
        for path in sorted((root / OURS[0]).rglob("*"))
        if path.is_file() and path.suffix != CODE_SUFFIX and "__pycache__" not in path.parts
    ]


def data_names(path: Path, root: Path = ROOT) -> set[str]:
    """Return the names by which code may refer to a data file: its own, and the folders between it and its package."""
    folders = [folder.name for folder in path.relative_to(root / OURS[0]).parents if folder.name]
    folders = [name for name, folder in zip(folders, path.parents) if not (folder / "__init__.py").exists()]
    return {path.name, *folders}


def _room(path: Path, root: Path) -> str:
    """The first folder below the package: "deidentify", "generate"."""
    return path.relative_to(root).parts[1]


@dataclass(frozen=True, slots=True)
class _Module:
    imports: frozenset[str]
    strings: frozenset[str]


@functools.cache
def _parse(path: Path, source: bytes) -> _Module:
    tree = ast.parse(source, str(path))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return _Module(frozenset(_imports(tree, path)), frozenset(strings))


def _imports(tree: ast.Module, path: Path) -> Iterator[str]:
    """Dotted names, the most precise there are: "a.b.c" for ``from a.b import c``, whether c is a module or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}, line {node.lineno}: a relative import is not followed; write the whole name")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _locate_named(name: str, root: Path) -> Path:
    if found := _file(f"{OURS[0]}.{name}", root):
        return found
    raise ValueError(f"Step.code names {name!r}: there is no such module or package below {root / OURS[0]}; correct the step")


def _locate(name: str, root: Path) -> Path | None:
    """The file of module ``name``, or of the module that defines it."""
    return _file(name, root) or _file(name.rpartition(".")[0], root)


def _file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    for candidate in (path.with_suffix(CODE_SUFFIX), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _libraries(imported: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield distribution and version of each imported library; one not installed is an extra that this build does not use."""
    yield "python", ".".join(platform.python_version_tuple()[:2])
    for name in imported:
        if name not in sys.stdlib_module_names:
            for distribution in _distributions().get(name, ()):
                yield distribution, metadata.version(distribution)


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())
