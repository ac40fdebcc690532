"""Generated shapes as a COCO folder, for tests that go through the command line or the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converters.annotation import Box, ImageAnnotation, Instance
from converters.formats.coco.instances import write_coco
from models.data.shapes import make_shapes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


def write_shape_folder(
    folder: Path,
    *,
    count: int = 2,
    size: int = 64,
    categories: Sequence[str] = ("circle", "rectangle", "star"),
    boxed: Collection[str] = (),
    seed: int = 0,
) -> Path:
    """NAME/images/*.png and NAME/instances.json; objects of the `boxed` categories have boxes only."""
    made = make_shapes(
        folder / "images",
        count=count,
        size=size,
        objects=(3, 4),
        diameter=(0.3, 0.5),
        categories=categories,
        seed=seed,
    )
    annotations = []
    for picture in made.pictures:
        instances = []
        for number, item in enumerate(picture.objects):
            name = made.categories[item.category]
            geometry = Box(*map(float, item.mask.box)) if name in boxed else item.mask
            instances.append(Instance(f"{picture.path.stem}-{number}", name, geometry))
        annotations.append(
            ImageAnnotation(picture.path.name, picture.height, picture.width, tuple(instances))
        )
    write_coco(folder / "instances.json", annotations)
    return folder
