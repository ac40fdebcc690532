"""The recipe of the shipped weights runs, with a program in python's place that notes what it was asked for;
every command is one that `main.py` understands, and continues from weights that an earlier one wrote."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.commands.main import build_parser

if TYPE_CHECKING:
    import argparse

ROOT = Path(__file__).resolve().parents[3]
RECIPE = ROOT / "resources" / "weights" / "recipe.sh"
CARD = ROOT / "resources" / "weights" / "seednet.md"
NOTES = """#!/usr/bin/env bash
printf '%s\\x1f' "$@" >> "$NOTED"
printf '\\n' >> "$NOTED"
"""


def run_recipe(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it with the note-taker as `python`; what was noted lies in folder/noted."""
    python = folder / "python"
    python.write_text(NOTES, encoding="utf-8")
    python.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    without = {k: v for k, v in os.environ.items() if k not in ("DATA", "RUNS")}
    return subprocess.run(
        ["bash", str(RECIPE)],
        env={**without, "PATH": path, "NOTED": str(folder / "noted"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def commands(tmp_path: Path) -> list[argparse.Namespace]:
    done = run_recipe(tmp_path, DATA="/training sets", RUNS="runs")
    assert done.returncode == 0, done.stderr
    noted = (tmp_path / "noted").read_text(encoding="utf-8").splitlines()
    given = [line.split("\x1f")[:-1] for line in noted]
    assert all(words[0] == "main.py" for words in given)
    parser = build_parser()
    return [parser.parse_args(words[1:]) for words in given]


def test_there_are_thirty_commands_on_the_given_data(commands: list[argparse.Namespace]) -> None:
    assert len(commands) == 30
    trainings = [c for c in commands if c.command == "train"]
    assert len(trainings) == 28
    assert {str(c.data) for c in trainings} == {"/training sets"}
    assert {c.teach for c in trainings} == {"distill", "masks", "refiner", "calibrator", "objects"}
    assert {str(c.cutouts) for c in trainings if c.cutouts} == {"/training sets/stamps"}


def test_each_continues_what_an_earlier_one_wrote(commands: list[argparse.Namespace]) -> None:
    written: list[str] = []
    for command in commands:
        means = command.command == "models"
        starts = [str(file) for file in (command.weights if means else command.start)]
        assert all(start in written for start in starts), starts
        assert starts or not written, "only the first begins from ImageNet alone"
        written.append(str(command.output) if means else f"{command.output}/seednet.safetensors")
    assert written[-1] == "runs/shipped/seednet.safetensors"
    assert len(set(written)) == len(written)


def test_shares_and_data_sets_are_those_of_the_model_card(commands: list[argparse.Namespace]) -> None:
    named = set(re.findall(r"`(\w+_(?:train|partial))`", CARD.read_text(encoding="utf-8")))
    trainings = [c for c in commands if c.command == "train"]
    for training in trainings:
        assert set(training.shares) == named
        assert sum(training.shares.values()) == pytest.approx(1.0, abs=0.015)


def test_it_asks_for_the_data(tmp_path: Path) -> None:
    done = run_recipe(tmp_path)
    assert done.returncode != 0
    assert "DATA" in done.stderr
    assert not (tmp_path / "noted").exists()
