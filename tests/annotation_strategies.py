"""Random annotated pictures for property-based tests: everything the common form can hold."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from converters.annotation import (
    Box,
    Circle,
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

LABELS = [
    "person",
    "cat",
    "shirt",
    "人",
    "naïve café",
    'a/b "quoted" <tag> & more',
    "spaced  name",
    "O'Neill",
]

labels = st.sampled_from(LABELS) | st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12
).filter(lambda text: text.strip() == text and text != "")
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
ids = st.text("0123456789abcdef", min_size=12, max_size=12)


def coordinates(limit: int):
    """Numbers with at most three decimals, as people and programs write them."""
    return st.integers(0, limit * 1000).map(lambda n: n / 1000)


def vertices(height: int, width: int):
    return st.tuples(coordinates(width), coordinates(height))


@st.composite
def masks(draw, height: int, width: int, max_side: int = 9):
    """Sparse, dense, holed, one-pixel, many-part masks, often on the border; never empty."""
    h, w = draw(st.integers(1, min(max_side, height))), draw(st.integers(1, min(max_side, width)))
    x0, y0 = draw(st.integers(0, width - w)), draw(st.integers(0, height - h))
    bits = draw(st.integers(1, 2 ** (h * w) - 1))
    flat = np.array([bits >> n & 1 for n in range(h * w)], np.bool_)
    return Mask(x0, y0, flat.reshape(h, w))


@st.composite
def oriented_boxes(draw, height: int, width: int):
    center = draw(vertices(height, width))
    half_w, half_h = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    angle = draw(st.floats(0.1, 1.4))
    c, s = np.cos(angle), np.sin(angle)
    corners = [(-half_w, -half_h), (half_w, -half_h), (half_w, half_h), (-half_w, half_h)]
    points = [(float(center[0] + c * x - s * y), float(center[1] + s * x + c * y)) for x, y in corners]
    return OrientedBox(tuple(points))


def polygons(height: int, width: int):
    return st.lists(vertices(height, width), min_size=3, max_size=8).map(lambda p: Polygon(tuple(p)))


@st.composite
def boxes(draw, height: int, width: int):
    """Boxes of some extent, corners in reading order."""
    x0, y0 = draw(st.integers(0, (width - 1) * 8)) / 8, draw(st.integers(0, (height - 1) * 8)) / 8
    x1 = draw(st.integers(int(x0 * 8) + 1, width * 8)) / 8
    y1 = draw(st.integers(int(y0 * 8) + 1, height * 8)) / 8
    return Box(x0, y0, x1, y1)


def geometries(height: int, width: int):
    point = vertices(height, width)
    points = st.lists(point, min_size=2, max_size=6).map(tuple)
    return st.one_of(
        masks(height, width),
        polygons(height, width),
        boxes(height, width),
        oriented_boxes(height, width),
        st.builds(Circle, point, point),
        st.builds(Line, point, point),
        points.map(LineStrip),
        points.map(PointSet),
        point.map(lambda p: Point(*p)),
    )


provenances = st.one_of(
    st.just(Provenance()),
    st.builds(
        Provenance,
        kind=st.sampled_from(["seeds", "automatic"]),
        seeds=st.lists(st.builds(Seed, coordinates(60), coordinates(60), st.booleans()), max_size=3).map(
            tuple
        ),
        tau=st.none() | st.sampled_from([0.25, 0.5, 0.875]),
        level=st.none() | st.integers(0, 3),
        model=st.none() | st.just("seednet-1"),
        edited=st.booleans(),
    ),
)
recolors = st.none() | st.builds(
    RecolorOperation,
    st.sampled_from(["#ff0000", "#00a1b2"]),
    st.dictionaries(st.sampled_from(["gloss", "texture"]), st.sampled_from([0.0, 0.5, 1.0])).map(FrozenMap),
)
values = st.one_of(st.booleans(), st.integers(-5, 5), texts, st.none())
words = st.text("abcdefghij_", min_size=1, max_size=6)


def instances(geometry):
    """Instances with every field set now and then."""
    return st.builds(
        Instance,
        id=ids,
        label=labels,
        geometry=geometry,
        group_id=st.none() | st.integers(0, 9),
        description=texts,
        flags=st.dictionaries(words, st.booleans(), max_size=2).map(FrozenMap),
        attributes=st.dictionaries(words.map("a_".__add__), values, max_size=2).map(FrozenMap),
        score=st.none() | st.sampled_from([0.0, 0.5, 0.9375]),
        locked=st.booleans(),
        iscrowd=st.booleans(),
        provenance=provenances,
        recolor=recolors,
        extra=st.dictionaries(words.map("x_".__add__), values, max_size=2).map(FrozenMap),
    )


@st.composite
def annotations(draw, make_geometry=geometries, max_instances: int = 4):
    """Whole pictures; `make_geometry(height, width)` chooses what lies on them."""
    height, width = draw(st.integers(1, 48)), draw(st.integers(1, 48))
    found = draw(
        st.lists(instances(make_geometry(height, width)), max_size=max_instances, unique_by=lambda i: i.id)
    )
    return ImageAnnotation(
        image_path=draw(st.sampled_from(["a.png", "photo 1.jpg", "图片.png"])),
        height=height,
        width=width,
        instances=tuple(found),
        flags=draw(st.dictionaries(words, st.booleans(), max_size=2).map(FrozenMap)),
        extra=draw(st.dictionaries(words.map("top_".__add__), values, max_size=2).map(FrozenMap)),
    )
