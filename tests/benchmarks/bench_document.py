"""What an edit costs on a 12-megapixel picture with 1 000 objects, journal included.

Run `python -m pytest tests/benchmarks/bench_document.py -m benchmark -o python_files='bench_*.py' -s`.
The reference is one copy of a 1-megapixel bool array in the same process: figures are medians, and
ratios to it.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.document.recovery import open_document
from app.editing.mask_edits import paint_stroke
from app.project.checks import check_annotation
from converters.annotation import ImageAnnotation, Instance, Mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.document.document import Document

pytestmark = pytest.mark.benchmark

HEIGHT, WIDTH, COUNT = 3000, 4000, 1000


def disc(x: int, y: int, side: int) -> Mask:
    row, column = np.mgrid[:side, :side] - side / 2
    return Mask(x, y, row**2 + column**2 <= side**2 / 4)


def crowded_picture() -> ImageAnnotation:
    """A thousand discs of 20 to 200 pixels, and one of 3000 below them."""
    random = np.random.default_rng(0)
    instances = [Instance("big", "disc", disc(500, 0, 3000))]
    for number in range(COUNT - 1):
        side = int(random.integers(20, 200))
        x, y = int(random.integers(0, WIDTH - side)), int(random.integers(0, HEIGHT - side))
        instances.append(Instance(f"i{number}", "disc", disc(x, y, side)))
    return ImageAnnotation("photo.jpg", HEIGHT, WIDTH, tuple(instances))


def told(name: str, act: Callable[[int], object], *, repeats: int = 30, unit: float = 0.0) -> float:
    """Prints and returns the median milliseconds of an act."""
    times = []
    for number in range(repeats):
        begin = perf_counter()
        act(number)
        times.append(1000 * (perf_counter() - begin))
    middle = median(times)
    p95 = quantiles(times, n=20)[-1] if repeats > 1 else middle
    ratio = f"{middle / unit:7.1f} x" if unit else ""
    print(f"{name:44s} median {middle:8.2f} ms   p95 {p95:8.2f} ms {ratio}")
    return middle


def test_a_stroke_costs_no_more_for_a_thousand_neighbours(tmp_path: Path):
    """Journal included: the ratio is that of a crowded picture to one with the object alone."""
    crowd = crowded_picture()
    alone = replace(crowd, instances=crowd.instances[1:2])
    print()
    lonely = 0.0
    for name, annotation in (("stroke, the object alone", alone), ("stroke, 1 000 neighbours", crowd)):
        document = open_document(tmp_path / f"{name}.jpg", annotation, tmp_path / "journals")

        def stroke(number: int, document: Document = document) -> None:
            one = document.annotation.instance("i0")
            assert one is not None
            document.replace(replace(one, geometry=disc(5 + number % 9, 5, 30)))

        lonely = told(name, stroke, unit=lonely)
        document.close()


def test_edits(tmp_path: Path):
    annotation = crowded_picture()
    photo, folder = tmp_path / "photo.jpg", tmp_path / "journals"
    megapixel = np.zeros((1000, 1000), np.bool_)
    print()
    unit = told("reference: copy of a megapixel", lambda _n: megapixel.copy(), repeats=200)

    document = open_document(photo, annotation, folder)

    def brush(instance_id: str, x: int, y: int) -> Callable[[int], object]:
        def stroke(number: int) -> None:
            one = document.annotation.instance(instance_id)
            assert one is not None
            way = [(x + number, y), (x + number + 15, y + 9)]
            mask = paint_stroke(one.geometry, way, 12, HEIGHT, WIDTH, erase=bool(number % 2))  # type: ignore[arg-type]
            document.replace(replace(one, geometry=mask))

        return stroke

    small = document.annotation.instances[5].geometry.box  # type: ignore[union-attr]
    told("stroke on a small object", brush("i4", small[0], small[1]), unit=unit)
    told("stroke on an object of 7 megapixels", brush("big", 1500, 1500), unit=unit)
    told("undo of those strokes", lambda _n: document.undo(), unit=unit)
    told("redo of those strokes", lambda _n: document.redo(), unit=unit)
    told("relabel one", lambda n: document.relabel(["i7"], f"name {n}"), unit=unit)
    everything = [instance.id for instance in annotation.instances]
    told("relabel all 1 000", lambda n: document.relabel(everything, f"name {n}"), repeats=10, unit=unit)
    masks = [disc(50, 50, 380 + number) for number in range(30)]
    told("add an object", lambda n: document.add(Instance(f"n{n}", "new", masks[n])), unit=unit)
    one = document.annotation.instance("i4")
    assert one is not None
    told(
        "τ step on an object of 0.1 megapixels",
        lambda n: document.replace(replace(one, geometry=masks[n]), merge_key="tau"),
        unit=unit,
    )
    document.close()
    told(
        "open it again with its history",
        lambda _n: open_document(photo, annotation, folder).close(),
        repeats=3,
    )
    told(
        "open a picture without a journal",
        lambda n: open_document(tmp_path / str(n), annotation, folder),
        repeats=5,
    )
    told("check the labels", lambda _n: check_annotation(annotation), repeats=3)
