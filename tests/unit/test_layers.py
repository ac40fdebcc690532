"""The house has three floors: a floor imports only those below it (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("converters", "models", "app")
SOURCES = sorted([ROOT / "main.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])

# Room (a path prefix) -> top-level names that no file in it imports anywhere, not even lazily.
FORBIDDEN_EVERYWHERE = {
    "converters/": {"torch", "torchvision", "PySide6", "qtpy", "qtawesome", "pyqtgraph", "app", "models"},
    "models/": {"PySide6", "qtpy", "qtawesome", "pyqtgraph", "app"},
    "app/document/": {"PySide6"},
    "app/recolor/": {"PySide6", "qtpy", "qtawesome", "pyqtgraph"},
    "": {"labelme", "PyQt5", "PyQt6", "PySide2", "torchvision"},
}
# The same, but only for what happens when the module is imported.
FORBIDDEN_AT_IMPORT = {
    "main.py": {"PySide6", "torch", "cv2", "numpy"},
    "app/commands/": {"PySide6", "qtpy", "qtawesome", "pyqtgraph", "torch"},
}
# The other parts of the application that the Qt-free rooms may not reach into: all of it is Qt.
QT_ROOMS = {"app.canvas", "app.tools", "app.panels", "app.dialogs", "app.workers", "app.window.main_window"}
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "stuff", "manager", "base_utils"}


class Import(NamedTuple):
    """One imported module: its dotted name, the line, whether it runs at import, dots in front."""

    module: str
    line: int
    at_import: bool
    level: int


def imports_of(path: Path) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, at_import: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, at_import, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found.append(Import(base, node.lineno, at_import, node.level))
            found.extend(
                Import(f"{base}.{alias.name}", node.lineno, at_import, node.level) for alias in node.names
            )
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            for child in node.body:
                visit(child, False)
            for child in node.orelse:
                visit(child, at_import)
        else:
            inside = at_import and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                visit(child, inside)

    visit(ast.parse(path.read_text(encoding="utf-8"), str(path)), True)
    return found


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def offences(path: Path, rules: dict[str, set[str]], only_at_import: bool) -> list[str]:
    return [
        f"{relative(path)}:{found.line} imports {found.module}"
        for prefix, forbidden in rules.items()
        if relative(path).startswith(prefix)
        for found in imports_of(path)
        if found.module.split(".")[0] in forbidden and (found.at_import or not only_at_import)
    ]


def test_there_is_something_to_check():
    assert {"main.py", "converters/annotation.py", "app/document/document.py"} <= set(map(relative, SOURCES))


def test_no_floor_imports_what_lies_above_it():
    assert not [o for path in SOURCES for o in offences(path, FORBIDDEN_EVERYWHERE, False)]


def test_commands_start_without_qt_and_torch():
    assert not [o for path in SOURCES for o in offences(path, FORBIDDEN_AT_IMPORT, True)]


def test_qt_free_rooms_do_not_reach_into_the_window():
    reaching = [
        f"{relative(path)}:{found.line} imports {found.module}"
        for path in SOURCES
        if relative(path).startswith(("app/document/", "app/recolor/"))
        for found in imports_of(path)
        if any(found.module == room or found.module.startswith(f"{room}.") for room in QT_ROOMS)
    ]
    assert not reaching


def test_imports_are_absolute():
    assert not [
        f"{relative(path)}:{found.line}" for path in SOURCES for found in imports_of(path) if found.level
    ]


def test_no_import_cycles():
    names = {module_name(path): path for path in SOURCES}
    graph = {
        name: {found.module for found in imports_of(path) if found.at_import and found.module in names}
        - {name}
        for name, path in names.items()
    }
    assert not find_cycle(graph)


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """The first cycle met, as the chain of names; empty if there is none."""
    finished: set[str] = set()

    def walk(name: str, chain: list[str]) -> list[str]:
        if name in chain:
            return [*chain[chain.index(name) :], name]
        if name in finished:
            return []
        for following in sorted(graph[name]):
            cycle = walk(following, [*chain, name])
            if cycle:
                return cycle
        finished.add(name)
        return []

    for name in sorted(graph):
        cycle = walk(name, [])
        if cycle:
            return cycle
    return []


def test_a_file_name_says_what_is_inside():
    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert not [relative(path) for path in [*SOURCES, *tests] if path.stem.lower().strip("_") in VAGUE]


def test_no_file_has_become_two_rooms():
    long = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {name: lines for name, lines in long.items() if lines > 500}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch", [("torch", True)]),
        ("def f():\n    import torch", [("torch", False)]),
        ("if TYPE_CHECKING:\n    import torch\nelse:\n    import json", [("torch", False), ("json", True)]),
        ("try:\n    import torch\nexcept ImportError:\n    pass", [("torch", True)]),
        ("class A:\n    import torch", [("torch", True)]),
        ("from a import b", [("a", True), ("a.b", True)]),
    ],
)
def test_the_walk_sees_where_an_import_runs(tmp_path, source, expected):
    file = tmp_path / "module.py"
    file.write_text(source, encoding="utf-8")
    assert [(found.module, found.at_import) for found in imports_of(file)] == expected


def test_cycles_are_found():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_cycle({"a": {"b"}, "b": set()}) == []
