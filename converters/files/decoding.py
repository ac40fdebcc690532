"""Picture files to pixels: what a header claims is held against the file before anything is allocated."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from converters.errors import ConverterError
from converters.files.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# 16 384 x 16 384 fits; a header that claims more is refused before anything is decoded.
MAX_PIXELS: Final = 16_384 * 16_384
_REMEDY: Final = "Cut it into tiles or scale it down first."
PICTURE_PIXELS: Final = Budget("pixels", MAX_PIXELS, _REMEDY, free=1 << 26, per_byte=64)
"""A large photograph has a byte for every few pixels; what claims to be one and has not is no photograph."""
INDEX_PIXELS: Final = Budget("pixels", MAX_PIXELS, _REMEDY, free=1 << 26, per_byte=8192)
"""Label maps are of few colours and compress to next to nothing."""

ORIENTATION: Final = ExifTags.Base.Orientation
_SIDEWAYS: Final = (5, 6, 7, 8)
_READABLE: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# The most pixels that a byte can stand for, by the name of Pillow's decoder: bits as they are; deflate's
# runs of 258 bytes in 2 bits; a bit for each block of 8 x 8; strings of 4096 pixels in 12 bits; runs.
_PIXELS_A_BYTE: Final = {"raw": 8, "zip": 8256, "jpeg": 512, "gif": 2731, "bmp_rle": 256, "packbits": 512}
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Smaller claims cost nothing; their files go to the decoder, which knows better what is missing.
_SMALL_PIXELS: Final = 1_000_000
_STRIP_PIXELS: Final = 1 << 19
_TURNS: Final[dict[int, Callable[[NDArray[np.uint8]], Any]]] = {
    2: lambda a: cv2.flip(a, 1),
    3: lambda a: cv2.flip(a, -1),
    4: lambda a: cv2.flip(a, 0),
    5: cv2.transpose,
    6: lambda a: cv2.rotate(a, cv2.ROTATE_90_CLOCKWISE),
    7: lambda a: cv2.flip(cv2.transpose(a), -1),
    8: lambda a: cv2.rotate(a, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""What makes a stored picture upright, by its EXIF orientation."""

# Pillow's own guard only warns, twice as late as it should; `check_claim` does its work here.
Image.MAX_IMAGE_PIXELS = None


def decode_rgb(stream: BinaryIO, *, max_pixels: int, path: Path | str | None) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright; `converters.files.images.read_image` says what becomes of what.

    Raises:
        ConverterError: not a picture, cut off, or too large.
    """
    with opened(stream, path) as picture:
        check_claim(picture, stream, PICTURE_PIXELS, max_pixels=max_pixels, path=path)
        with decoding(path):
            picture.load()
            turn = _TURNS.get(orientation_of(picture))
            pixels = _rgb_of(picture)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels), np.uint8)


def decode_indices(stream: BinaryIO, *, max_pixels: int, path: Path | str | None) -> NDArray[Any]:
    """A label map as stored, (H, W) in the smallest type that holds it.

    Raises:
        ConverterError: as `decode_rgb`.
    """
    with opened(stream, path) as picture:
        check_claim(picture, stream, INDEX_PIXELS, max_pixels=max_pixels, path=path)
        with decoding(path):
            picture.load()
            if picture.mode == "1":
                return _by_strips(picture, np.uint8, lambda part: np.asarray(part, np.uint8))
            if picture.mode in ("L", "P"):
                return _by_strips(picture, np.uint8, np.asarray)
            if picture.mode.startswith("I;16"):
                return _by_strips(picture, np.uint16, np.asarray)
            if picture.mode == "I":
                return _by_strips(picture, np.int32, np.asarray)
            if picture.mode == "LA":
                return _by_strips(picture, np.uint8, lambda part: np.asarray(part)[:, :, 0])
            return _by_strips(picture, np.int32, _packed)


def decode_size(stream: BinaryIO, path: Path | str | None) -> tuple[int, int]:
    """(height, width) of the upright picture.

    Raises:
        ConverterError: not a picture.
    """
    with opened(stream, path) as picture:
        width, height = picture.size
        # Pillow turns TIFF headers by itself; everywhere else the header is as stored.
        if picture.format != "TIFF" and orientation_of(picture) in _SIDEWAYS:
            width, height = height, width
        return height, width


@contextlib.contextmanager
def opened(stream: BinaryIO, path: Path | str | None) -> Iterator[Image.Image]:
    """The picture with only its header read.

    Raises:
        ConverterError: not a picture.
    """
    try:
        picture = Image.open(stream, formats=_READABLE)
    except UnidentifiedImageError as error:
        raise ConverterError(
            "this is not a picture.", path=path, remedy="Its content is not that of a known picture format."
        ) from error
    except Exception as error:  # Pillow's plugins raise whatever a damaged header makes them
        raise ConverterError(f"the picture's header is damaged ({error}).", path=path) from error
    with picture:
        yield picture


@contextlib.contextmanager
def decoding(path: Path | str | None) -> Iterator[None]:
    """Whatever a decoder raises becomes a ConverterError."""
    try:
        yield
    except ConverterError:
        raise
    except MemoryError as error:
        raise ConverterError("the picture does not fit into memory.", path=path) from error
    except Exception as error:  # as above, from the decoders
        text = str(error)
        cut = "truncated" in text or "broken data stream" in text or "unrecognized data stream" in text
        problem = "the picture is cut off: part of its data is missing" if cut else "the picture is damaged"
        raise ConverterError(
            f"{problem} ({text}).", path=path, remedy="Copy the file again from where it came."
        ) from error


def check_claim(
    picture: Image.Image,
    stream: BinaryIO,
    budget: Budget,
    *,
    max_pixels: int = MAX_PIXELS,
    path: Path | str | None = None,
) -> None:
    """Says nothing of a picture, opened from that stream, whose size is allowed and can be true.

    Raises:
        ConverterError: it is too large, or the file is too small to hold so many pixels.
    """
    width, height = picture.size
    asks = f"the picture is too large: with {width} x {height} it has"
    Budget(budget.unit, min(max_pixels, budget.most), budget.remedy).check(
        width * height, path=path, asks=asks
    )
    if width * height <= _SMALL_PIXELS:
        return
    length = _length(stream)
    held = length * _pixels_a_byte(picture, stream)
    if width * height > held:
        raise ConverterError(
            f"the picture is cut off: it claims {width} x {height} pixels,"
            f" and its {length:,} bytes hold at most {int(held):,}.",
            path=path,
            remedy="Copy the file again from where it came.",
        )
    budget.check(width * height, backing=length, path=path, asks=asks)


def orientation_of(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none."""
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001  a damaged EXIF block is as good as none
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def over_white(picture: Image.Image) -> Image.Image:
    """A picture of mode RGBA on white paper, as RGB."""
    paper = Image.new("RGB", picture.size, (255, 255, 255))
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper


def _length(stream: BinaryIO) -> int:
    place = stream.tell()
    length = stream.seek(0, 2)
    stream.seek(place)
    return length


def _pixels_a_byte(picture: Image.Image, stream: BinaryIO) -> float:
    if picture.format == "PNG":
        place = stream.tell()
        stream.seek(0)
        header = stream.read(26)
        stream.seek(place)
        if len(header) == 26:
            return _PIXELS_A_BYTE["zip"] / max(1, header[24] * _PNG_CHANNELS.get(header[25], 1))
    decoders = {tile[0] for tile in getattr(picture, "tile", ())}
    return max((_PIXELS_A_BYTE.get(each, 1 << 20) for each in decoders), default=1 << 20)


def _by_strips(picture: Image.Image, dtype: Any, pixels_of: Callable[[Image.Image], Any]) -> NDArray[Any]:
    """A decoded picture as an array, some rows at a time: in one go Pillow needs it twice over."""
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // max(1, width))
    if rows >= height:
        return np.ascontiguousarray(pixels_of(picture), dtype)
    found: NDArray[Any] | None = None
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        strip = pixels_of(picture.crop((0, top, width, bottom)))
        if found is None:
            found = np.empty((height, *strip.shape[1:]), dtype)
        found[top:bottom] = strip
    assert found is not None
    return found


def _rgb_of(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith(("I", "F")):
        return _stretched(picture)
    return _by_strips(picture, np.uint8, lambda part: np.asarray(_to_rgb(part)))


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        return over_white(picture.convert("RGBA"))
    return picture.convert("RGB")


def _packed(picture: Image.Image) -> NDArray[np.int32]:
    rgb = np.asarray(picture.convert("RGB"), np.int32)
    packed: NDArray[np.int32] = rgb[:, :, 0] + 256 * rgb[:, :, 1] + 65536 * rgb[:, :, 2]
    return packed


def _stretched(picture: Image.Image) -> NDArray[np.uint8]:
    """Deep grey to 8 bits: its finite range onto 0..255; values that fit already stay."""
    lows: list[float] = []
    highs: list[float] = []
    kinds: set[str] = set()

    def look(part: Image.Image) -> NDArray[np.uint8]:
        values = np.asarray(part)
        kinds.add(values.dtype.kind)
        finite = values.astype(np.float32)
        finite = finite[np.isfinite(finite)]
        if finite.size:
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
        return np.zeros((len(values), 0), np.uint8)

    _by_strips(picture, np.uint8, look)
    low, high = min(lows, default=0.0), max(highs, default=0.0)
    stays = kinds <= {"i", "u"} and low >= 0 and high <= 255
    scale = 255.0 / (high - low) if high > low else 0.0

    def draw(part: Image.Image) -> NDArray[np.uint8]:
        values = np.asarray(part)
        if not stays:
            deep = (values.astype(np.float32) - low) * scale
            values = np.clip(np.nan_to_num(deep, nan=0.0, posinf=255.0, neginf=0.0) + 0.5, 0, 255)
        return np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2)

    return _by_strips(picture, np.uint8, draw)
