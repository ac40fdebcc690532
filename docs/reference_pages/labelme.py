"""The page of SeedHue's own file format: labelme JSON with a key more, shown by a file written here."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.project.review import Review, ReviewStatus, with_review
from converters.annotation import (
    Box,
    ImageAnnotation,
    Instance,
    Polygon,
    Provenance,
    RecolorOperation,
    RejectedShape,
    Seed,
)
from converters.errors import ConverterError
from converters.formats.labelme.document import LABELME_VERSION, dump_labelme
from converters.formats.labelme.shapes import STANDARD_KEYS, decode_geometry, encode_geometry, encode_shape
from converters.formats.own_facts import KEY, facts_of
from converters.frozen import FrozenMap
from docs.reference_pages.carrying import SHAPES
from docs.reference_pages.markdown import bullet, page, paragraph, table

INTRODUCTION: Final = (
    "A picture's annotations lie beside it, in a labelme JSON file of the same name: `photo.jpg` and "
    f"`photo.json`. SeedHue writes what labelme {LABELME_VERSION} accepts and reads every version since 3.0. "
    f"What labelme has no place for stands under the key `{KEY}`, in the file and in each shape; labelme "
    "keeps keys that it does not know, and so does SeedHue with those of others. Coordinates are pixels of "
    "the upright picture, x to the right, y down; pixel (i, j) covers [i, i+1) x [j, j+1)."
)
FILE: Final = {
    "version": "labelme's version, not SeedHue's; not checked on reading",
    "flags": "yes-or-no facts about the picture",
    "shapes": "the objects, the topmost last",
    "imagePath": "the picture, as seen from this file; never followed out of the folder",
    "imageData": "the picture itself as base64, or null; kept as it was read, never added",
    "imageHeight": "in pixels, of the upright picture",
    "imageWidth": "in pixels, of the upright picture",
    KEY: "SeedHue's own facts about the picture, see below",
}
SHAPE: Final = {
    "label": "what it is",
    "points": "[[x, y], …]; see the shapes below",
    "group_id": "a whole number that parts of one thing share, or null",
    "description": "free text",
    "shape_type": "see the shapes below",
    "flags": "yes-or-no facts about the object",
    "mask": "of a mask: a PNG as base64, not 0 where the object is; otherwise null",
    "locked": "true: SeedHue does not let it be changed by mistake; left out where it is not locked",
    "score": "a model's confidence in [0, 1]; left out where there is none",
    "attributes": "further facts, of any type; left out where there are none",
    KEY: "SeedHue's own facts about the object, see below",
}
OWN: Final = {
    "id": "a name for the object that stays when it is edited, unique in the picture",
    "iscrowd": "true: a crowd, as COCO understands it",
    "provenance": "where the region came from: `kind` is hand, seeds or automatic; `seeds` are clicks [x, y, "
    "1 or 0], 1 where it belongs to the object; `tau` and `level` as the sliders stood; `model` names the "
    "network; `edited` is true once it was corrected by hand",
    "recolor": "`color` of the lit surface, `settings` of the sliders by name; the picture itself "
    "is not changed",
}
OWN_OF_PICTURE: Final = {
    "review": "`status` is approved or rejected, `note` what the reviewer says; left out while it is open",
    "rejected": "shapes that could not be read, each with its place, the reason and what stood there",
}
POINTS: Final = {
    "mask": "the first and the last pixel of the patch, both in it",
    "polygon": "the vertices; the last joins the first",
    "box": "two opposite corners",
    "turned box": "its four corners, in order",
    "circle": "the centre and a point of the rim",
    "line": "its two ends",
    "line strip": "the vertices",
    "point": "the point",
    "points": "the points",
}
RELATIVES: Final = {
    "quadrilateral": [[1, 1], [9, 2], [8, 8], [2, 9]],
    "rotation": [[1, 1], [9, 1], [9, 8], [1, 8]],
    "rectangle": [[1, 1], [9, 1], [9, 8], [1, 8]],
}
"""Shape types of other programs, with points of which labelme itself makes nothing."""


def labelme_page() -> str:
    """docs/reference/labelme.md.

    Raises:
        ValueError: the tables above and what the code writes have drifted apart.
    """
    annotation = _example()
    _compare("the file", FILE, _keys_of_file(annotation))
    _compare("a shape", SHAPE, set(encode_shape(annotation.instances[0])))
    _compare("a shape, always written", STANDARD_KEYS, set(SHAPE) - {"score", "attributes", KEY})
    _compare("an object's facts", OWN, set(facts_of(annotation.instances[0])))
    ours = set(annotation.extra[KEY]) | {"rejected"}
    _compare("a picture's facts", OWN_OF_PICTURE, ours)
    shown = replace(annotation, rejected=(), instances=annotation.instances[:1])
    example = dump_labelme("photo.json", shown).decode()
    return page(
        "The file format: labelme JSON, and what SeedHue adds",
        paragraph(INTRODUCTION),
        "## The file",
        _list(FILE),
        "## A shape",
        _list(SHAPE),
        "## Shapes",
        table(("shape_type", "points", "in SeedHue"), _shape_rows()),
        paragraph(_relatives()),
        f"## `{KEY}` in a shape",
        _list(OWN),
        f"## `{KEY}` in the file",
        _list(OWN_OF_PICTURE),
        paragraph(
            "Keys of a later version inside it are kept. A shape that cannot be read never stops the others: "
            "it is told, set aside under `rejected` and written back unchanged."
        ),
        "## An example",
        f"```json\n{example}\n```",
    )


def _example() -> ImageAnnotation:
    """A picture whose file has every key."""
    cup = Instance(
        "3f9a01c2d4e5",
        "cup",
        Polygon(((120.0, 80.0), (260.0, 84.5), (240.0, 200.0))),
        group_id=1,
        description="chipped at the rim",
        flags=FrozenMap({"checked": True}),
        attributes=FrozenMap({"material": "china"}),
        score=0.93,
        locked=True,
        iscrowd=True,
        provenance=Provenance(
            "seeds", (Seed(180.0, 120.0), Seed(300.0, 90.0, False)), 0.46, 1, "seednet-1", edited=True
        ),
        recolor=RecolorOperation("#2f6fed", FrozenMap({"texture_keep": 0.8})),
    )
    saucer = Instance("77aa01c2d4e5", "saucer", Box(90.0, 60.0, 400.0, 320.0))
    picture = ImageAnnotation(
        "photo.jpg",
        400,
        600,
        (cup, saucer),
        flags=FrozenMap({"indoors": True}),
        rejected=(RejectedShape(2, "a shape has no label.", {}),),
    )
    return with_review(picture, Review(ReviewStatus.REJECTED, "the handle is missing"))


def _keys_of_file(annotation: ImageAnnotation) -> set[str]:
    lines = dump_labelme("photo.json", annotation).decode().splitlines()
    return {line.split('"')[1] for line in lines if line.startswith('  "')}


def _compare(place: str, described: object, written: set[str]) -> None:
    names = set(described)  # type: ignore[call-overload]
    if names != written:
        raise ValueError(f"{place} has the keys {sorted(written)}, described are {sorted(names)}")


def _list(entries: dict[str, str]) -> str:
    return "\n".join(bullet(f"`{name}`: {text}") for name, text in entries.items())


def _shape_rows() -> list[tuple[str, str, str]]:
    rows = []
    for name, meaning in POINTS.items():
        kind, _points, _mask = encode_geometry(SHAPES[name])
        rows.append((f"`{kind}`", meaning, type(SHAPES[name]).__name__))
    if len(rows) != len({type(geometry) for geometry in SHAPES.values()}):
        raise ValueError("a shape is missing in POINTS")
    return rows


def _relatives() -> str:
    """What is read beyond labelme's own shapes, tried out."""
    read = []
    for kind, points in RELATIVES.items():
        try:
            made = decode_geometry({"shape_type": kind, "points": points})
        except ConverterError as error:
            raise ValueError(f"{kind} is not read any more: {error.problem}") from error
        read.append(f"`{kind}` of {len(points)} points ({type(made).__name__})")
    return f"Read, too, though labelme refuses them: {', '.join(read)}. A shape without a type is a polygon."
