"""The common form: what an annotated picture *is* (docs/architecture.md).

Every format converts to and from these types, the editor edits them and training reads them.
All of them are frozen: an edit makes a new value and shares whatever it did not touch.

Coordinates are pixels, x to the right and y down; pixel (i, j) covers [i, i+1) x [j, j+1). There
is one upright frame: EXIF orientation has been applied before any coordinate is written here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

JsonMap: TypeAlias = FrozenMap[Any]
Vertex: TypeAlias = tuple[float, float]


def new_instance_id() -> str:
    """A fresh id, unique within any realistic project (48 random bits, hexadecimal)."""
    return uuid.uuid4().hex[:12]


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A region: a bounding box and the bool pixels inside it. Holes and several parts are fine.

    Attributes:
        x0, y0: the box's top left pixel in the picture (may be negative before clipping).
        array: (h, w) bool, read-only. Rows and columns of False at the border are allowed;
            `cropped()` removes them.

    Two masks are equal when they cover the same pixels of the plane, whatever their boxes.
    """

    x0: int
    y0: int
    array: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.array.ndim != 2:
            raise ValueError(f"a mask needs a two-dimensional array, got shape {self.array.shape}")
        array = np.ascontiguousarray(self.array, dtype=np.bool_)
        if array is self.array and array.flags.writeable:
            array = array.copy()
        array.setflags(write=False)
        object.__setattr__(self, "array", array)

    @classmethod
    def from_full(cls, full: NDArray[Any]) -> Mask:
        """The tight mask of the nonzero pixels of a whole picture's (H, W) array."""
        return cls(0, 0, np.asarray(full) != 0).cropped()

    @property
    def x1(self) -> int:
        """One past the box's last column."""
        return self.x0 + int(self.array.shape[1])

    @property
    def y1(self) -> int:
        """One past the box's last row."""
        return self.y0 + int(self.array.shape[0])

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1), half open."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def area(self) -> int:
        """Number of True pixels."""
        return int(np.count_nonzero(self.array))

    @property
    def is_empty(self) -> bool:
        return not bool(self.array.any())

    def cropped(self) -> Mask:
        """The same region in its tightest box; an empty region becomes a 0 x 0 mask at (0, 0)."""
        array = self.array
        if array.size and all((array[0].any(), array[-1].any(), array[:, 0].any(), array[:, -1].any())):
            return self
        columns = np.flatnonzero(array.any(axis=0))
        if columns.size == 0:
            return EMPTY_MASK
        rows = np.flatnonzero(array.any(axis=1))
        left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        return Mask(self.x0 + int(left), self.y0 + int(top), array[top:bottom, left:right])

    def clipped(self, height: int, width: int) -> Mask:
        """The part inside a picture of that size, in its tightest box."""
        if self.x0 >= 0 and self.y0 >= 0 and self.x1 <= width and self.y1 <= height:
            return self.cropped()
        left, top = max(0, -self.x0), max(0, -self.y0)
        right = max(left, min(self.array.shape[1], width - self.x0))
        bottom = max(top, min(self.array.shape[0], height - self.y0))
        return Mask(self.x0 + left, self.y0 + top, self.array[top:bottom, left:right]).cropped()

    def window(self, box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        """The pixels of the half-open box (x0, y0, x1, y1) as a new (h, w) bool array."""
        bx0, by0, bx1, by1 = box
        out = np.zeros((max(0, by1 - by0), max(0, bx1 - bx0)), np.bool_)
        left, top = max(bx0, self.x0), max(by0, self.y0)
        right, bottom = min(bx1, self.x1), min(by1, self.y1)
        if left < right and top < bottom:
            out[top - by0 : bottom - by0, left - bx0 : right - bx0] = self.array[
                top - self.y0 : bottom - self.y0, left - self.x0 : right - self.x0
            ]
        return out

    def to_full(self, height: int, width: int) -> NDArray[np.bool_]:
        """The mask as an (H, W) bool array of the whole picture."""
        return self.window((0, 0, width, height))

    def contains(self, x: float, y: float) -> bool:
        """Whether the pixel that covers the point belongs to the region."""
        column, row = int(np.floor(x)) - self.x0, int(np.floor(y)) - self.y0
        height, width = self.array.shape
        return 0 <= column < width and 0 <= row < height and bool(self.array[row, column])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        a, b = self.cropped(), other.cropped()
        return (a.x0, a.y0) == (b.x0, b.y0) and np.array_equal(a.array, b.array)

    def __hash__(self) -> int:
        tight = self.cropped()
        return hash((tight.x0, tight.y0, tight.array.shape, np.packbits(tight.array).tobytes()))


EMPTY_MASK: Final = Mask(0, 0, np.zeros((0, 0), np.bool_))
"""No pixel at all."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed ring of vertices, even-odd filled; the last vertex joins the first."""

    points: tuple[Vertex, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle by two opposite corners, kept as drawn (x0 may exceed x1)."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class OrientedBox:
    """A rotated rectangle by its four corners, in order around it."""

    points: tuple[Vertex, Vertex, Vertex, Vertex]


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle by its centre and one point of its rim, as labelme draws it."""

    center: Vertex
    edge: Vertex


@dataclass(frozen=True, slots=True)
class Line:
    start: Vertex
    end: Vertex


@dataclass(frozen=True, slots=True)
class LineStrip:
    """An open chain of vertices."""

    points: tuple[Vertex, ...]


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class PointSet:
    """labelme's `points` shape: an unordered handful of single points with one label."""

    points: tuple[Vertex, ...]


Geometry: TypeAlias = Mask | Polygon | Box | OrientedBox | Circle | Line | LineStrip | Point | PointSet


@dataclass(frozen=True, slots=True)
class Seed:
    """A click: a point inside the object (positive) or outside it (negative)."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a region came from.

    Attributes:
        kind: drawn by hand, grown from seeds, or found automatically.
        seeds, tau, level: how it was grown, so that it can be tuned again later.
        model: name and version of the segmenter, for example "seednet-1".
        edited: whether a hand edit changed the mask after it was grown.
    """

    kind: Literal["hand", "seeds", "automatic"] = "hand"
    seeds: tuple[Seed, ...] = ()
    tau: float | None = None
    level: int | None = None
    model: str | None = None
    edited: bool = False


@dataclass(frozen=True, slots=True)
class RecolorOperation:
    """What the recolouring engine does to an object; the picture itself is never rewritten.

    Attributes:
        color: target colour of the lit surface, "#rrggbb".
        settings: the engine's sliders by name (app/recolor/settings.py lists them with their
            ranges); a missing one means its default.
    """

    color: str
    settings: FrozenMap[float] = field(default_factory=FrozenMap)


@dataclass(frozen=True, slots=True)
class Instance:
    """One annotated object.

    Attributes:
        id: stable within the picture; survives saving under the `seedhue` key.
        attributes: typed extras some formats carry (occluded, truncated, colour of a car, ...).
        flags: labelme's per-shape booleans.
        score: a detector's confidence in [0, 1], None for a person's work.
        extra: unknown keys of the source format, handed back on writing.
    """

    id: str
    label: str
    geometry: Geometry
    group_id: int | None = None
    description: str = ""
    flags: FrozenMap[bool] = field(default_factory=FrozenMap)
    attributes: JsonMap = field(default_factory=FrozenMap)
    score: float | None = None
    locked: bool = False
    iscrowd: bool = False
    provenance: Provenance = field(default_factory=Provenance)
    recolor: RecolorOperation | None = None
    extra: JsonMap = field(default_factory=FrozenMap)


@dataclass(frozen=True, slots=True)
class RejectedShape:
    """A shape that could not be read: kept as found, shown to the user, written back unchanged."""

    index: int
    reason: str
    raw: Any


@dataclass(frozen=True, slots=True)
class ImageAnnotation:
    """One picture and everything drawn on it.

    Attributes:
        image_path: as the annotation file names it, usually relative to that file.
        height, width: of the upright picture, in pixels.
        instances: in drawing order; later ones lie on top.
        image_data: the embedded picture file's bytes, if the format carried them.
        rejected: shapes set aside by the reader.
        extra: unknown top-level keys, handed back on writing.
    """

    image_path: str
    height: int
    width: int
    instances: tuple[Instance, ...] = ()
    flags: FrozenMap[bool] = field(default_factory=FrozenMap)
    image_data: bytes | None = field(default=None, repr=False)
    rejected: tuple[RejectedShape, ...] = ()
    extra: JsonMap = field(default_factory=FrozenMap)

    def instance(self, instance_id: str) -> Instance | None:
        """The instance with that id, or None."""
        return next((i for i in self.instances if i.id == instance_id), None)

    def with_instances(self, instances: tuple[Instance, ...]) -> ImageAnnotation:
        return replace(self, instances=instances)

    @property
    def labels(self) -> tuple[str, ...]:
        """Distinct labels in order of first appearance."""
        return tuple(dict.fromkeys(i.label for i in self.instances))
