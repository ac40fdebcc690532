"""Pictures and instances the tests of app/core build on."""

from __future__ import annotations

import numpy as np

from converters.annotation import (
    Box,
    Circle,
    Geometry,
    ImageAnnotation,
    Instance,
    Line,
    LineStrip,
    Mask,
    OrientedBox,
    Point,
    PointSet,
    Polygon,
    Provenance,
    RecolorOperation,
    Seed,
)
from converters.frozen import FrozenMap

HEIGHT, WIDTH = 60, 80


def square(x: int, y: int, side: int = 4) -> Mask:
    return Mask(x, y, np.ones((side, side), np.bool_))


def instance(name: str, geometry: Geometry | None = None, **fields: object) -> Instance:
    """An instance whose id and label are the name."""
    values: dict[str, object] = {"id": name, "label": name, "geometry": geometry or square(1, 2)}
    return Instance(**{**values, **fields})  # type: ignore[arg-type]


def picture(*instances: Instance, **fields: object) -> ImageAnnotation:
    return ImageAnnotation("photo.jpg", HEIGHT, WIDTH, instances, **fields)  # type: ignore[arg-type]


def ring() -> Mask:
    """A region of two parts, one with a hole, and a border of False pixels."""
    array = np.zeros((12, 14), np.bool_)
    array[1:9, 1:9] = True
    array[3:6, 3:6] = False
    array[10, 12] = True
    return Mask(-2, 5, array)


EVERY_GEOMETRY: tuple[Geometry, ...] = (
    ring(),
    Mask(0, 0, np.zeros((0, 0), np.bool_)),
    Polygon(((0.1, 0.2), (10.0, 1 / 3), (5.5, 7.25))),
    Box(9.5, 8.0, 1.0, 2.0),
    OrientedBox(((1.0, 1.0), (5.0, 2.0), (4.0, 6.0), (0.0, 5.0))),
    Circle((10.0, 10.0), (13.0, 14.0)),
    Line((1.0, 2.0), (30.0, 4.0)),
    LineStrip(((1.0, 2.0), (3.0, 4.0), (5.0, 2.0))),
    Point(7.5, 8.5),
    PointSet(((1.0, 1.0), (2.0, 2.0))),
)


def rich_instance(geometry: Geometry, name: str = "rich") -> Instance:
    """An instance with every field away from its default."""
    return Instance(
        id=name,
        label='人 {x}\n"quoted"',
        geometry=geometry,
        group_id=7,
        description="two\nlines",
        flags=FrozenMap({"difficult": True, "blurred": False}),
        attributes=FrozenMap({"color": "red", "sizes": [1, 2.5], "nested": {"a": None}}),
        score=0.1 + 0.2,
        locked=False,
        iscrowd=True,
        provenance=Provenance("seeds", (Seed(1.25, 2.5), Seed(3.0, 4.0, False)), 1 / 3, 2, "seednet-1", True),
        recolor=RecolorOperation("#12ab9f", FrozenMap({"chroma": 1.5})),
        extra=FrozenMap({"difficult": 0, "kie_linking": [[1, 2]]}),
    )
