"""The pages that are made from the code are those that the code would make today."""

from __future__ import annotations

import re

import pytest

from converters.annotation import Box, Instance, Mask, Polygon
from docs.make_reference import PAGES, READMES, ROOT, make_reference
from docs.reference_pages.carrying import SHAPES, judge_shape
from docs.reference_pages.commands import commands_page
from docs.reference_pages.keys import with_keys
from docs.reference_pages.markdown import bullet, paragraph, table


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    make_reference(folder)
    return folder


@pytest.mark.parametrize("name", [*PAGES, *READMES])
def test_no_page_is_stale(made, name):
    today = (made / name).read_text(encoding="utf-8")
    assert (ROOT / name).read_text(encoding="utf-8") == today, f"{name} is stale: run `make reference`"


@pytest.mark.parametrize("name", PAGES)
def test_lines_end_before_column_120(made, name):
    lines = (made / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) >= 120] == []


def test_every_argument_is_explained():
    silent = re.findall(r"^- `[^:]*$", commands_page(), re.MULTILINE)
    assert silent == []


def test_a_readme_without_the_markers_is_told():
    with pytest.raises(ValueError, match="markers"):
        with_keys("# SeedHue\n", "en")


def _shape(geometry):
    return Instance("0123456789ab", "cup", geometry)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (SHAPES["box"], (SHAPES["box"],), "kept"),
        (SHAPES["box"], (), "lost"),
        (Box(10, 10, 40, 40), (Box(10.4, 10, 40, 40),), "rounded"),
        (Polygon(((10, 10), (40, 12), (30, 40))), (Box(10, 10, 40, 40),), "box around it"),
        (SHAPES["polygon"], (SHAPES["box"],), "another box"),
        (
            SHAPES["two-part mask"],
            (Mask.from_full(SHAPES["two-part mask"].to_full(72, 96)[:, :45]), SHAPES["mask"]),
            "2 objects, mask, 30 %",
        ),
    ],
)
def test_what_came_back_is_judged(before, after, verdict):
    assert judge_shape(before, tuple(map(_shape, after))) == verdict


def test_markdown_is_wrapped_and_bars_are_escaped():
    text = "word " * 60
    assert all(len(line) < 120 for line in paragraph(text).splitlines())
    first, *others = bullet(text).splitlines()
    assert first.startswith("- word")
    assert all(line.startswith("  word") for line in others)
    assert table(("a",), [("x|y",)]).splitlines()[-1] == "| x\\|y |"
