"""The documents for users: links lead somewhere, commands are understood, pictures are small."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from app.commands.main import build_parser

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
GUIDE = sorted((DOCS / "guide").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *GUIDE, *sorted((DOCS / "reference").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LARGEST_PICTURE, ALL_PICTURES = 200_000, 2_500_000


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands_of(page: Path) -> list[list[str]]:
    """The arguments of every `python main.py COMMAND …` in the page's blocks of code."""
    lines = [line for block in FENCE.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()]
    found = [line.partition("main.py ")[2] for line in lines if "python main.py " in line]
    return [shlex.split(line, comments=True) for line in found]


@pytest.mark.parametrize("page", PAGES[:2] + GUIDE, ids=name_of)
def test_commands_are_understood(page, capsys):
    for arguments in commands_of(page):
        try:
            build_parser().parse_args(arguments)
        except SystemExit:
            pytest.fail(f"{shlex.join(arguments)}: {capsys.readouterr().err}")


def test_the_guide_is_there_in_both_languages():
    english = {page.name for page in (DOCS / "guide").glob("*.md")}
    assert english == {page.name for page in (DOCS / "guide" / "zh").glob("*.md")}
    assert {"annotate.md", "recolour.md", "convert.md", "train.md", "troubleshoot.md"} <= english


def test_pictures_are_small_and_all_of_them_shown():
    sizes = {picture: picture.stat().st_size for picture in (DOCS / "images").rglob("*.png")}
    assert all(size <= LARGEST_PICTURE for size in sizes.values()), sizes
    assert sum(sizes.values()) < ALL_PICTURES
    shown = {
        (page.parent / link).resolve() for page in PAGES for link in LINK.findall(page.read_text("utf-8"))
    }
    assert {picture.resolve() for picture in sizes} <= shown
