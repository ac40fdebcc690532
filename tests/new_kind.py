"""A kind of shape the program has never heard of, and its row: what a new kind takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from converters.shapes import kinds

if TYPE_CHECKING:
    from converters.annotation import Vertex


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An upright ellipse by its centre and one corner of the box around it."""

    center: Vertex
    corner: Vertex


def axes(ellipse: Ellipse) -> tuple[Vertex, float, float]:
    (x, y), (corner_x, corner_y) = ellipse.center, ellipse.corner
    return ellipse.center, abs(corner_x - x), abs(corner_y - y)


ROW = kinds.Kind(
    shape=Ellipse,
    name="ellipse",
    title="ellipse",
    labelme="ellipse",
    counts=(2, 2),
    drawn="closed",
    points=lambda ellipse: (ellipse.center, ellipse.corner),
    made=lambda points: Ellipse(*points),
    ellipse=axes,
)


@pytest.fixture
def ellipse_kind(monkeypatch: pytest.MonkeyPatch):
    """The program knows ellipses as long as the test lasts."""
    monkeypatch.setattr(kinds, "TABLE", kinds.KindTable((*kinds.ROWS, ROW)))
    return ROW
