"""Folders of labelme files for tests to convert."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converters.annotation import Box, ImageAnnotation, Instance
from converters.files.images import write_image
from converters.formats.labelme.document import write_labelme

if TYPE_CHECKING:
    from pathlib import Path


def dataset(root: Path, count: int, labels=("cat", "dog")) -> Path:
    """Labelme files with pictures, in two sub-folders."""
    rng = np.random.default_rng(0)
    for number in range(count):
        folder = root / ("left" if number % 2 else "right")
        folder.mkdir(parents=True, exist_ok=True)
        write_image(folder / f"p{number}.png", rng.integers(0, 255, (20, 30, 3), np.uint8))
        instances = tuple(
            Instance(f"{number}-{k}", labels[k % len(labels)], Box(k, k, k + 5, k + 6)) for k in range(3)
        )
        write_labelme(folder / f"p{number}.json", ImageAnnotation(f"p{number}.png", 20, 30, instances))
    return root
