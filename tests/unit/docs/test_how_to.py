"""Every page of docs/how-to is followed literally, in a copy of the code: its files are made, its changes
applied, its commands run.

A page says what to do by its code blocks alone:

- ```python title="app/tools/lasso.py"``` (or any language) is a new file,
- ```diff title="app/tools/registry.py"``` changes one: the lines marked "-" and " " must stand there
  together, once,
- ```python run``` is run as a program and must end well; so must every line after "$ " of ```console```.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
FENCE = re.compile(r"^```(?P<info>\S[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One code block: its language, the file it is about ("" for none), whether it runs, its text."""

    language: str
    title: str
    runs: bool
    body: str


def blocks_of(page: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(page):
        language, *words = shlex.split(match["info"])
        titles = [word.partition("=")[2] for word in words if word.startswith("title=")]
        runs = language == "console" or "run" in words
        found.append(Block(language, titles[0] if titles else "", runs, match["body"]))
    return found


def apply_change(text: str, diff: str) -> str:
    """The text with a diff's lines in place of those it names; they must stand there exactly once."""
    lines = diff.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    assert text.count(before) == 1, f"stands there {text.count(before)} times:\n{before}"
    return text.replace(before, after)


def follow(page: str, folder: Path) -> int:
    """Do what a page says in a copy of the code; how many programs ran."""
    ran = 0
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(folder)}
    for block in blocks_of(page):
        target = folder / block.title
        if block.runs:
            for command in commands_of(block):
                done = subprocess.run(
                    command, cwd=folder, env=environment, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, f"{block.body}\n{done.stdout}\n{done.stderr}"
                ran += 1
        elif block.language == "diff":
            target.write_text(apply_change(target.read_text(encoding="utf-8"), block.body), encoding="utf-8")
        elif block.title:
            assert not target.exists(), f"{block.title} is there already"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.body, encoding="utf-8")
    return ran


def commands_of(block: Block) -> list[list[str]]:
    if block.language == "python":
        return [[sys.executable, "-c", block.body]]
    given = [shlex.split(line[2:]) for line in block.body.splitlines() if line.startswith("$ ")]
    return [[sys.executable if word == "python" else word for word in words] for words in given]


@pytest.fixture
def copy_of_the_code(tmp_path: Path) -> Path:
    for room in ("app", "converters", "models"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "main.py", tmp_path)
    (tmp_path / "resources").symlink_to(ROOT / "resources", target_is_directory=True)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_works_as_it_stands(page: Path, copy_of_the_code: Path) -> None:
    assert follow(page.read_text(encoding="utf-8"), copy_of_the_code), "nothing was tried"


def test_a_page_that_has_aged_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\nb = 2\n", encoding="utf-8")
    good = '```diff title="code.py"\n a = 1\n-b = 2\n+b = 3\n```\n\n```python run\nimport code\n```\n'
    assert follow(good, tmp_path) == 1
    assert (tmp_path / "code.py").read_text(encoding="utf-8") == "a = 1\nb = 3\n"
    with pytest.raises(AssertionError, match="0 times"):
        follow(good, tmp_path)
    with pytest.raises(AssertionError, match="is there already"):
        follow('```python title="code.py"\na = 1\n```\n', tmp_path)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        follow("```python run\n1 / 0\n```\n", tmp_path)
    with pytest.raises(AssertionError):
        follow("```console\n$ python -c 'raise SystemExit(3)'\n```\n", tmp_path)
