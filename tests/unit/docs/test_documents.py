"""The documents hold together: links and paths lead somewhere, every page is found, lines stay short."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOORS = ("README.md", "CONTRIBUTING.md")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(p for room in ("docs", "resources", "tests") for p in (ROOT / room).rglob("*.md"))]
)
TABLES = sorted((ROOT / "docs").rglob("*.csv"))
LONGEST = 119
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
PATH = re.compile(r"`(?P<path>main\.py|(?:app|converters|docs|models|resources|tests)/[\w./-]*)`")
NEW_FILE = re.compile(r'title="(?P<path>[^"]+)"')


def links_of(page: Path, text: str) -> list[Path]:
    """Where a page's links to files lead, without the part behind "#"."""
    targets = [match["target"].partition("#")[0] for match in LINK.finditer(FENCE.sub("", text))]
    return [
        (page.parent / t).resolve() for t in targets if t and "://" not in t and not t.startswith("mailto:")
    ]


def paths_of(text: str) -> list[Path]:
    """The files and folders of the repository that a page names in backticks; not those it tells to make."""
    made = {m["path"] for fence in FENCE.finditer(text) for m in NEW_FILE.finditer(fence["info"])}
    named = [match["path"] for match in PATH.finditer(FENCE.sub("", text))]
    return [ROOT / path for path in named if path not in made]


def reached_from(doors: list[Path]) -> set[Path]:
    """All pages that links lead to from these, step by step."""
    found: set[Path] = set()
    waiting = [door for door in doors if door.is_file()]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            targets = links_of(page, page.read_text(encoding="utf-8"))
            waiting += [t for t in targets if t.suffix == ".md" and t.is_file()]
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_are_documents() -> None:
    assert {*DOORS, "docs/seednet.md", "resources/weights/seednet.md"} <= set(map(name, PAGES))
    assert TABLES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [str(target) for target in (*links_of(page, text), *paths_of(text)) if not target.exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lines_end_before_column_120(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert not [f"{number}: {len(line)}" for number, line in enumerate(lines, 1) if len(line) > LONGEST]


def test_every_page_and_table_is_found_from_the_front_doors() -> None:
    reached = reached_from([ROOT / door for door in DOORS])
    linked = {t for page in reached for t in links_of(page, page.read_text(encoding="utf-8"))}
    lost = [p for p in PAGES if p.is_relative_to(ROOT / "docs") and p not in reached]
    lost += [t for t in TABLES if t not in linked]
    assert not [name(p) for p in lost]


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_rows_of_a_table_are_as_long_as_its_head(table: Path) -> None:
    with table.open(encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream)
    assert rows
    assert all(head)
    assert not [row for row in rows if len(row) != len(head)]


def test_what_is_broken_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = (
        "[a\nb](other.md#part) [c](https://example.org) `models/nowhere.py` `app/new.py`\n"
        '```python title="app/new.py"\nx = "[d](not-a-link.md) `models/in_code.py`"\n```\n'
    )
    page.write_text(text, encoding="utf-8")
    (tmp_path / "other.md").write_text("[back](page.md), [on](deep/third.md)", encoding="utf-8")
    (tmp_path / "lost.md").write_text("[p](page.md)", encoding="utf-8")
    assert links_of(page, text) == [tmp_path / "other.md"]
    assert paths_of(text) == [ROOT / "models/nowhere.py"]
    assert reached_from([page]) == {page, tmp_path / "other.md"}
