"""The rules of the house, as functions that name what breaks them; tests/unit/test_layers.py applies them."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FLOORS = ("converters", "models", "app")
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common", "stuff", "manager", "base_utils"}


class Import(NamedTuple):
    """One import: the dotted name, the line, whether it runs when the module is imported, dots in front."""

    module: str
    line: int
    at_import: bool
    level: int


def imports_of(source: str) -> list[Import]:
    """Every import of a module, those inside functions and for type checkers included."""
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

    visit(ast.parse(source), True)
    return found


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


class House:
    """The program's modules below a folder.

    Attributes:
        sources: path relative to the folder, with slashes, to the text.
    """

    def __init__(self, root: Path) -> None:
        paths = [root / "main.py", *(path for floor in FLOORS for path in (root / floor).rglob("*.py"))]
        self.sources = {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(paths)
            if path.exists()
        }

    @cached_property
    def imports(self) -> dict[str, list[Import]]:
        return {path: imports_of(source) for path, source in self.sources.items()}

    @cached_property
    def paths(self) -> dict[str, str]:
        """Dotted name of every module to its path."""
        return {
            path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
            for path in self.sources
        }

    def arrows(self, *, at_import: bool = False) -> list[tuple[str, int, str]]:
        """Which module imports which, and in which line; on request only what happens at import.

        `from a import b` leads to the module `a.b` if there is one, else to `a`.
        """
        found = {}
        for path, imports in self.imports.items():
            for one in imports:
                target = self.paths.get(one.module)
                finer = any(
                    other.line == one.line
                    and other.module.startswith(f"{one.module}.")
                    and other.module in self.paths
                    for other in imports
                )
                if target not in (None, path) and not finer and (one.at_import or not at_import):
                    found[path, one.line, target] = None
        return list(found)

    def matching(self, prefix: str) -> list[str]:
        """The files of a room, or the file itself.

        Raises:
            LookupError: there is none: the rule would silently say nothing.
        """
        found = [path for path in self.sources if lies_in(path, prefix)]
        if not found:
            raise LookupError(f"{prefix} matches no file")
        return found


def lies_in(path: str, room: str) -> bool:
    """Whether a file is the room itself (a single module) or lies in its folder."""
    return path == room or path.startswith(f"{room}/")


def room_of(path: str, rooms: Iterable[str]) -> str | None:
    """The innermost room a file lies in."""
    return max((room for room in rooms if lies_in(path, room)), key=len, default=None)


def arrows_up(house: House, rooms: tuple[str, ...]) -> list[str]:
    """Imports, of any kind, of a room that does not come before the importing one; files in no room."""
    for room in rooms:
        house.matching(room)
    order = {room: number for number, room in enumerate(rooms)}
    inside = {path: room_of(path, rooms) for path in house.sources if path != "main.py"}
    homeless = [f"{path} lies in no room" for path, room in inside.items() if room is None]
    return homeless + [
        f"{path}:{line} imports {target}"
        for path, line, target in house.arrows()
        if order.get(inside.get(path) or "", len(rooms)) < order.get(inside.get(target) or "", -1)
    ]


def circle(house: House) -> list[str]:
    """The first circle of modules that import each other, in any way; empty if there is none."""
    graph: dict[str, set[str]] = {path: set() for path in house.sources}
    for path, _, target in house.arrows():
        graph[path].add(target)
    finished: set[str] = set()

    def walk(path: str, chain: list[str]) -> list[str]:
        if path in chain:
            return [*chain[chain.index(path) :], path]
        if path in finished:
            return []
        for following in sorted(graph[path]):
            found = walk(following, [*chain, path])
            if found:
                return found
        finished.add(path)
        return []

    return next((found for path in sorted(graph) if (found := walk(path, []))), [])


def forbidden(house: House, never: Mapping[str, set[str]]) -> list[str]:
    """Imports, of any kind, of libraries that a room does without."""
    return [
        f"{path}:{found.line} imports {found.module}"
        for room, names in never.items()
        for path in house.matching(room)
        for found in house.imports[path]
        if found.module.split(".")[0] in names
    ]


def brought_along(house: House, without: Mapping[str, set[str]]) -> list[str]:
    """Chains of imports, run at import, that lead from a room to a library it has to start without."""
    graph: dict[str, set[str]] = {path: set() for path in house.sources}
    for path, _, target in house.arrows(at_import=True):
        graph[path].add(target)
    found = []
    for room, names in without.items():
        for start in house.matching(room):
            came_from: dict[str, str | None] = {start: None}
            waiting = [start]
            while waiting:
                path = waiting.pop()
                brought = {i.module.split(".")[0] for i in house.imports[path] if i.at_import} & names
                if brought:
                    chain, back = [path], came_from[path]
                    while back is not None:
                        chain, back = [back, *chain], came_from[back]
                    found.append(f"{' > '.join(chain)} imports {', '.join(sorted(brought))}")
                    break
                fresh = [target for target in sorted(graph[path]) if target not in came_from]
                came_from.update(dict.fromkeys(fresh, path))
                waiting += fresh
    return found


def relative_imports(house: House) -> list[str]:
    """Imports that begin with a dot."""
    return [f"{path}:{i.line}" for path, imports in house.imports.items() for i in imports if i.level]


def long_files(house: House, most: int = 400) -> list[str]:
    """Files that ask to be two."""
    lengths = {path: len(source.splitlines()) for path, source in house.sources.items()}
    return [f"{path} has {lines} lines" for path, lines in lengths.items() if lines > most]


def full_folders(house: House, most: int = 20) -> list[str]:
    """Folders with more modules than anybody keeps in mind."""
    modules: dict[str, int] = {}
    for path in house.sources:
        folder, _, name = path.rpartition("/")
        if name != "__init__.py":
            modules[folder] = modules.get(folder, 0) + 1
    return [f"{folder} has {count} modules" for folder, count in modules.items() if count > most]


def vague_names(paths: Iterable[str]) -> list[str]:
    """Files and folders whose names do not say what is inside."""
    return [
        path
        for path in paths
        if {part.lower().strip("_") for part in path.removesuffix(".py").split("/")} & VAGUE
    ]
