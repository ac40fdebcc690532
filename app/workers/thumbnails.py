"""Small copies of picture files, read off the GUI thread as cheaply as the format allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps
from PySide6.QtGui import QImage

from app.process.stopping import ShouldStop, Stopped
from converters.files.images import opened_picture, read_image

if TYPE_CHECKING:
    from pathlib import Path

    from app.workers.task import OnEvent


@dataclass(frozen=True, slots=True)
class ThumbnailRequest:
    """A picture file, and the longest side wanted in device pixels."""

    path: Path
    side: int


def make_thumbnail(request: ThumbnailRequest, should_stop: ShouldStop, _on_event: OnEvent) -> QImage:
    """The upright picture, at most `side` pixels on its longer side.

    Raises:
        ConverterError: not a picture, cut off, or too large to decode.
    """
    if should_stop():
        raise Stopped
    with opened_picture(request.path) as picture:
        if picture.mode.startswith(("I", "F")):
            small = Image.fromarray(read_image(request.path))
        else:
            # A JPEG decodes at an eighth of its size for about a twentieth of the time.
            picture.draft("RGB", (request.side, request.side))
            small = ImageOps.exif_transpose(picture).convert("RGB")
        small.thumbnail((request.side, request.side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.ascontiguousarray(np.asarray(small, dtype=np.uint8))
    view = QImage(
        pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], QImage.Format.Format_RGB888
    )
    return view.convertToFormat(QImage.Format.Format_RGB32)
