"""Small COCO folders of coloured discs for tests that train or evaluate."""

import json
from pathlib import Path

import numpy as np

from converters.annotation import ImageAnnotation, Instance, Mask
from converters.files.images import write_image
from converters.formats.coco.instances import write_coco

COLORS = ((220, 40, 40), (40, 90, 220), (240, 200, 30))


def draw_discs(seed: int, height: int = 96, width: int = 128, count: int = 3):
    """A picture with discs that do not touch, and their (H, W) bool masks."""
    rng = np.random.default_rng(seed)
    image = rng.integers(90, 130, (height, width, 3)).astype(np.uint8)
    ys, xs = np.mgrid[:height, :width]
    masks = []
    for index in range(count):
        column = (index + 0.5) * width / count
        row = rng.uniform(0.35, 0.65) * height
        mask = (xs - column) ** 2 + (ys - row) ** 2 < rng.uniform(12, 18) ** 2
        image[mask] = COLORS[index % len(COLORS)]
        masks.append(mask)
    return image, masks


def write_coco_folder(
    folder: Path, *, pictures: int = 3, partial: bool = False, seed: int = 0, enlarged: int = 1
) -> Path:
    """NAME/images/*.png and NAME/instances.json with exact masks, all so many times as large."""
    (folder / "images").mkdir(parents=True)
    annotations = []
    for number in range(pictures):
        image, masks = draw_discs(seed + number)
        image, *masks = (x.repeat(enlarged, axis=0).repeat(enlarged, axis=1) for x in (image, *masks))
        name = f"{number:03}.png"
        write_image(folder / "images" / name, image)
        discs = tuple(Instance(f"{number}-{i}", "disc", Mask.from_full(m)) for i, m in enumerate(masks))
        annotations.append(ImageAnnotation(name, *image.shape[:2], discs))
    write_coco(folder / "instances.json", annotations)
    if partial:
        document = json.loads((folder / "instances.json").read_text())
        document.setdefault("info", {})["partial"] = True
        (folder / "instances.json").write_text(json.dumps(document))
    return folder
