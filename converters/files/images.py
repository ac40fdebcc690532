"""Pictures in and out: one upright 8-bit RGB frame for every part of the program."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from converters.errors import ConverterError
from converters.files import decoding
from converters.files.decoding import (
    MAX_PIXELS,
    ORIENTATION,
    PICTURE_PIXELS,
    check_claim,
    decode_indices,
    decode_rgb,
    opened,
    orientation_of,
    over_white,
)
from converters.files.files import open_file, write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

_FORMATS = {
    ".bmp": "BMP", ".gif": "GIF", ".jfif": "JPEG", ".jpeg": "JPEG", ".jpg": "JPEG", ".pbm": "PPM",
    ".pgm": "PPM", ".png": "PNG", ".ppm": "PPM", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The picture upright (EXIF orientation applied), as contiguous (H, W, 3) uint8 RGB.

    Grey, palette and CMYK pictures become RGB; transparency is laid over white. Grey pictures with
    more than 8 bits are stretched from their smallest to their largest value (a 12-bit camera
    would be black otherwise); 16-bit colour keeps its upper 8 bits. Of several frames, the first.

    Raises:
        ConverterError: no such file, not a picture, cut off, or more than `max_pixels`.
    """
    with open_file(path) as stream:
        return decode_rgb(stream, max_pixels=max_pixels, path=path)


def decode_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, path: Path | str | None = None
) -> NDArray[np.uint8]:
    """As `read_image`, from the bytes of a picture file; `path` only names it in errors."""
    return decode_rgb(io.BytesIO(data), max_pixels=max_pixels, path=path)


def read_size(path: Path | str) -> tuple[int, int]:
    """(height, width) of the upright picture, from its header alone.

    Raises:
        ConverterError: no such file or not a picture.
    """
    with open_file(path) as stream:
        return decoding.decode_size(stream, path)


def decode_size(data: bytes, *, path: Path | str | None = None) -> tuple[int, int]:
    """As `read_size`, from the bytes of a picture file."""
    return decoding.decode_size(io.BytesIO(data), path)


def read_orientation(path: Path | str) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none.

    Raises:
        ConverterError: no such file or not a picture.
    """
    with open_file(path) as stream, opened(stream, path) as picture:
        return orientation_of(picture)


def read_metadata(path: Path | str) -> tuple[bytes | None, bytes | None]:
    """(EXIF block, ICC profile) of a picture, to hand to `write_image` for its edited copy.

    Raises:
        ConverterError: no such file or not a picture.
    """
    with open_file(path) as stream, opened(stream, path) as picture:
        exif = None
        with contextlib.suppress(Exception):  # a damaged EXIF block is as good as none
            block = picture.getexif()
            exif = block.tobytes() if len(block) else None
        profile = picture.info.get("icc_profile")
        return exif, profile if isinstance(profile, bytes) else None


def write_image(
    path: Path | str,
    array: NDArray[np.uint8],
    *,
    quality: int = 95,
    exif: bytes | None = None,
    icc: bytes | None = None,
) -> None:
    """Write an upright picture; the format follows the name's suffix. Atomic.

    Args:
        array: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey, uint8.
        quality: of JPEG and WebP, 1 to 100.
        exif: an EXIF block to carry over; its orientation is set to upright.
        icc: an ICC profile to carry over.

    Raises:
        ConverterError: unknown suffix, or the file cannot be written.
    """
    write_atomic(path, encode_image(array, Path(path).suffix, quality=quality, exif=exif, icc=icc))


def encode_image(
    array: NDArray[np.uint8],
    suffix: str,
    *,
    quality: int = 95,
    exif: bytes | None = None,
    icc: bytes | None = None,
) -> bytes:
    """The bytes `write_image` would write for a name that ends in `suffix`.

    Raises:
        ConverterError: no picture format has that suffix.
    """
    image_format = _FORMATS.get(suffix.lower())
    if image_format is None:
        known = " ".join(sorted(_FORMATS))
        raise ConverterError(f"{suffix!r} is not a picture format.", remedy=f"Use one of {known}.")
    picture = Image.fromarray(array)
    options: dict[str, Any] = {}
    if image_format in ("JPEG", "WEBP"):
        options["quality"] = quality
    if image_format == "JPEG":
        options["subsampling"] = 0 if quality >= 90 else 2
    if image_format in ("JPEG", "BMP", "PPM") and picture.mode == "RGBA":
        picture = over_white(picture)
    if image_format == "PNG":
        options["compress_level"] = 4  # level 6 costs twice the time for 2 % of the size
    if image_format == "TIFF":
        options["compression"] = "tiff_lzw"
    if exif is not None and image_format in ("JPEG", "PNG", "WEBP", "TIFF"):
        options["exif"] = _upright_exif(exif)
    if icc is not None:
        options["icc_profile"] = icc
    stream = io.BytesIO()
    picture.save(stream, image_format, **options)
    return stream.getvalue()


def encode_png(array: NDArray[Any], *, level: int | None = None) -> bytes:
    """A grey (H, W) or RGB (H, W, 3) array, uint8 or uint16, as PNG bytes; no metadata.

    Args:
        level: zlib's, 0 to 9. Default: OpenCV's quick mode, for photos as small as level 4 in a third
            of its time; for masks, which compress well, a level pays.
    """
    if array.ndim == 3:
        array = array[:, :, ::-1]
    options = [] if level is None else [cv2.IMWRITE_PNG_COMPRESSION, level]
    done, data = cv2.imencode(".png", np.ascontiguousarray(array), options)
    if not done:
        raise ConverterError(f"an array of shape {array.shape} cannot be written as PNG.")
    return data.tobytes()


def encode_mask_png(mask: NDArray[np.bool_]) -> bytes:
    """A mask (H, W) as an 8-bit grey PNG of 0 and 1.

    Rows go in unfiltered and zlib only looks for runs: for masks as small as OpenCV's level 6, in a
    tenth of its time.
    """
    height, width = mask.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = mask
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_RLE)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _png_chunk(b"IHDR", header),
            _png_chunk(b"IDAT", packer.compress(rows.data) + packer.flush()),
            _png_chunk(b"IEND", b""),
        ]
    )


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return b"".join([struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(name + data))])


def read_index_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """A label map as stored: palette indices, grey values of 1 to 16 bits, or RGB packed as
    r + 256 g + 65536 b, (H, W) uint8, uint16 or int32. No EXIF turn, no palette lookup.

    Raises:
        ConverterError: as `read_image`.
    """
    with open_file(path) as stream:
        return decode_indices(stream, max_pixels=max_pixels, path=path)


def decode_index_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, path: Path | str | None = None
) -> NDArray[Any]:
    """As `read_index_image`, from bytes."""
    return decode_indices(io.BytesIO(data), max_pixels=max_pixels, path=path)


def decode_mask_png(
    data: bytes, *, max_pixels: int = MAX_PIXELS, take: Callable[[int], None] = lambda _: None
) -> NDArray[np.bool_]:
    """(H, W) bool: the nonzero pixels of a mask picture. Plain 8-bit grey PNGs take a short way.

    Args:
        take: told the number of pixels before there is room made for them.

    Raises:
        ConverterError: as `read_image`, or from `take`.
    """
    # Signature, length and name of the header, the size, 8 bits, grey, deflate, no interlacing.
    if data[:16] == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" and data[24:29] == b"\x08\0\0\0\0":
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        # A byte of deflated data stands for 1032 at most.
        if data[-8:-4] == b"IEND" and 0 < width * height <= min(max_pixels, MAX_PIXELS, 1032 * len(data)):
            take(width * height)
            grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            if grey is not None and grey.shape == (height, width):
                return np.asarray(grey, np.bool_)
    else:
        take(math.prod(decode_size(data)))
    mask: NDArray[np.bool_] = decode_index_image(data, max_pixels=max_pixels) != 0
    return mask


@contextlib.contextmanager
def opened_picture(path: Path | str) -> Iterator[Image.Image]:
    """A picture file with only its header read, for whoever wants less than all its pixels.

    Raises:
        ConverterError: as `read_image`; what goes wrong inside counts as damage of the picture.
    """
    with open_file(path) as stream, opened(stream, path) as picture, decoding.decoding(path):
        check_claim(picture, stream, PICTURE_PIXELS, path=path)
        yield picture


def _upright_exif(block: bytes) -> bytes:
    exif = Image.Exif()
    try:
        exif.load(block)
        exif[ORIENTATION] = 1
        return exif.tobytes()
    except Exception:  # noqa: BLE001  damaged: better none than a wrong orientation
        return b""
