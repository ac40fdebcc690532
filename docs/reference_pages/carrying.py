"""What each format does to what it is given: measured by converting a fact there and back.

One picture a fact, each with one object; the verdict is read off what comes back from the format.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
from converters.conversion.convert import convert
from converters.files.images import write_image
from converters.formats.labelme.document import read_labelme, write_labelme
from converters.frozen import FrozenMap
from converters.shapes.geometry import bounding_box, rasterize

if TYPE_CHECKING:
    from collections.abc import Callable

    from converters.formats.format import Format

HEIGHT, WIDTH = 72, 96
ROUNDING: Final = 1.0
"""Points that come back this near, in pixels, were rounded."""


def _mask(*boxes: tuple[int, int, int, int], hole: tuple[int, int, int, int] | None = None) -> Mask:
    full = np.zeros((HEIGHT, WIDTH), np.bool_)
    for x0, y0, x1, y1 in boxes:
        full[y0:y1, x0:x1] = True
    if hole is not None:
        full[hole[1] : hole[3], hole[0] : hole[2]] = False
    return Mask.from_full(full)


SHAPES: Final[dict[str, Geometry]] = {
    "mask": _mask((12, 10, 60, 50), (30, 50, 40, 60)),
    "holed mask": _mask((12, 10, 60, 50), hole=(24, 20, 40, 40)),
    "two-part mask": _mask((10, 10, 30, 40), (50, 20, 80, 60)),
    "polygon": Polygon(((10.25, 12.5), (70.5, 15.75), (60.25, 58.5), (20.75, 50.25))),
    "box": Box(12.25, 10.5, 60.75, 50.25),
    "turned box": OrientedBox(((30.0, 10.0), (70.0, 30.0), (60.0, 50.0), (20.0, 30.0))),
    "circle": Circle((45.5, 35.5), (65.5, 35.5)),
    "line": Line((10.25, 12.5), (70.5, 50.75)),
    "line strip": LineStrip(((10.25, 12.5), (40.5, 30.25), (70.5, 50.75))),
    "point": Point(40.5, 30.25),
    "points": PointSet(((10.25, 12.5), (40.5, 30.25), (70.5, 50.75))),
}
_PLAIN: Final = Instance(
    "0123456789ab", "cup", Polygon(((10.0, 12.0), (70.0, 15.0), (60.0, 58.0), (20.0, 50.0)))
)
_PICTURE: Final = ImageAnnotation("", HEIGHT, WIDTH)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something besides the shape that a picture may say.

    Attributes:
        annotation: a picture that says it.
        value: reads it off an annotation with one object.
    """

    annotation: ImageAnnotation
    value: Callable[[ImageAnnotation], Any]


def _of_object(name: str, value: Any) -> Fact:
    """A fact that an object has in a field of its own."""
    instance = replace(_PLAIN, **{name: value})
    return Fact(_PICTURE.with_instances((instance,)), lambda found: getattr(found.instances[0], name))


FACTS: Final[dict[str, Fact]] = {
    "label in any script": _of_object("label", "红 cup"),
    "group id": _of_object("group_id", 7),
    "description": _of_object("description", "chipped at the rim"),
    "flags": _of_object("flags", FrozenMap({"checked": True, "doubtful": False})),
    "attributes": _of_object("attributes", FrozenMap({"material": "china", "pieces": 2, "glazed": True})),
    "score": _of_object("score", 0.75),
    "locked": _of_object("locked", True),
    "crowd": _of_object("iscrowd", True),
    "seeds, τ, level": _of_object(
        "provenance", Provenance("seeds", (Seed(40.0, 30.0), Seed(5.0, 5.0, False)), 0.5, 1, "seednet-1")
    ),
    "new colour": _of_object("recolor", RecolorOperation("#2f6fed", FrozenMap({"texture_keep": 0.5}))),
    "object's id": _of_object("id", "ba9876543210"),
    "unknown keys": Fact(
        _PICTURE.with_instances((replace(_PLAIN, extra=FrozenMap({"my_key": [1, 2]})),)),
        lambda found: found.instances[0].extra.get("my_key"),
    ),
    "picture's flags": Fact(
        replace(_PICTURE, flags=FrozenMap({"indoors": True}), instances=(_PLAIN,)), lambda found: found.flags
    ),
    "picture's unknown keys": Fact(
        replace(_PICTURE, extra=FrozenMap({"camera": "old"}), instances=(_PLAIN,)),
        lambda found: found.extra.get("camera"),
    ),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one format did.

    Attributes:
        shapes, facts: verdict by name; empty for a format that cannot be read back.
        told: what its report said, each reason once with its action.
    """

    shapes: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    told: tuple[tuple[str, str], ...] = ()


def measure(target: Format) -> Measured:
    """Convert everything to a format, and back where it can be read.

    Raises:
        ConverterError: the format did not take what the others take.
    """
    with tempfile.TemporaryDirectory() as temporary:
        source, there, back = (Path(temporary, name) for name in ("source", "there", "back"))
        names = _write_source(source)
        conversion = convert(source, there, source_format="labelme", target_format=target.name, processes=1)
        told = dict.fromkeys((entry.action, entry.reason) for entry in conversion.report)
        if target.read is None:
            return Measured(told=tuple(told))
        convert(there, back, source_format=target.name, target_format="labelme", processes=1)
        found = {path.stem: read_labelme(path) for path in back.rglob("*.json")}
        shapes = {
            name: judge_shape(geometry, _instances(found, names[name])) for name, geometry in SHAPES.items()
        }
        facts = {name: _judge_fact(fact, found.get(names[name])) for name, fact in FACTS.items()}
        return Measured(shapes, facts, tuple(told))


def _write_source(folder: Path) -> dict[str, str]:
    """A labelme folder with one picture a shape and a fact; returns each one's file name without suffix."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    annotations = {
        name: _PICTURE.with_instances((replace(_PLAIN, geometry=geometry),))
        for name, geometry in SHAPES.items()
    } | {name: fact.annotation for name, fact in FACTS.items()}
    names = {}
    for number, (name, annotation) in enumerate(annotations.items()):
        names[name] = f"p{number:02}"
        write_image(folder / f"{names[name]}.png", pixels)
        write_labelme(folder / f"{names[name]}.json", replace(annotation, image_path=f"{names[name]}.png"))
    return names


def _instances(found: dict[str, ImageAnnotation], name: str) -> tuple[Instance, ...]:
    return found[name].instances if name in found else ()


def _judge_fact(fact: Fact, after: ImageAnnotation | None) -> str:
    if after is None or not after.instances:
        return "lost"
    now = fact.value(after)
    if now == fact.value(fact.annotation):
        return "kept"
    return "lost" if now == fact.value(_PICTURE.with_instances((_PLAIN,))) else "changed"


def judge_shape(before: Geometry, instances: tuple[Instance, ...]) -> str:
    """One or two words on how an object's shape came back."""
    if not instances:
        return "lost"
    after = [instance.geometry for instance in instances]
    if len(after) == 1:
        if after[0] == before:
            return "kept"
        if _is_rounded(before, after[0]):
            return "rounded"
    kind = {Mask: "mask", Polygon: "outline", Box: "box"}.get(type(after[0]), type(after[0]).__name__)
    many = f"{len(after)} objects, " if len(after) > 1 else ""
    one = _pixels(before)
    other = np.logical_or.reduce([_pixels(each) for each in after])
    if np.array_equal(one, other) and one.any():
        return f"{many}{kind}"
    if isinstance(after[0], Box):
        return f"{many}box around it" if _is_around(after[0], before) else f"{many}another box"
    shared = float((one & other).sum() / max(1, (one | other).sum()))
    return f"{many}{kind}, {100 * shared:.0f} %"


def _pixels(geometry: Geometry) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return rasterize(geometry, HEIGHT, WIDTH).to_full(HEIGHT, WIDTH)


def _is_rounded(before: Geometry, after: Geometry) -> bool:
    if type(before) is not type(after) or isinstance(before, Mask):
        return False
    one, other = _numbers(before), _numbers(after)
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=ROUNDING))


def _numbers(geometry: Any) -> list[float]:
    """Every coordinate, in the order of the fields."""
    values = [getattr(geometry, name) for name in type(geometry).__dataclass_fields__]
    return list(np.ravel(np.concatenate([np.ravel(value) for value in values])))


def _is_around(box: Box, before: Geometry) -> bool:
    return bool(np.allclose((box.x0, box.y0, box.x1, box.y1), bounding_box(before), rtol=0, atol=ROUNDING))
