"""Pictures in and out: one upright 8-bit RGB frame for every part of the program."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from converters.errors import ConverterError
from converters.files.files import open_file, read_bytes, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

# 16 384 x 16 384 fits; a header that claims more is refused before anything is decoded.
MAX_PIXELS = 16_384 * 16_384

_MAX_FILE_BYTES = 2_000_000_000
_ORIENTATION = ExifTags.Base.Orientation
_SIDEWAYS = (5, 6, 7, 8)
_FORMATS = {
    ".bmp": "BMP", ".gif": "GIF", ".jfif": "JPEG", ".jpeg": "JPEG", ".jpg": "JPEG", ".pbm": "PPM",
    ".pgm": "PPM", ".png": "PNG", ".ppm": "PPM", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
_READABLE = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# Pillow's own guard only warns, twice as late as it should; `_check_size` does its work here.
Image.MAX_IMAGE_PIXELS = None


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The picture upright (EXIF orientation applied), as contiguous (H, W, 3) uint8 RGB.

    Grey, palette and CMYK pictures become RGB; transparency is laid over white. Grey pictures with
    more than 8 bits are stretched from their smallest to their largest value (a 12-bit camera
    would be black otherwise); 16-bit colour keeps its upper 8 bits. Of several frames, the first.

    Raises:
        ConverterError: no such file, not a picture, cut off, or more than `max_pixels`.
    """
    with open_file(path) as stream:
        return _decode(stream, max_pixels=max_pixels, path=path)


def decode_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, path: Path | str | None = None
) -> NDArray[np.uint8]:
    """As `read_image`, from the bytes of a picture file; `path` only names it in errors."""
    return _decode(io.BytesIO(data), max_pixels=max_pixels, path=path)


def read_size(path: Path | str) -> tuple[int, int]:
    """(height, width) of the upright picture, from its header alone.

    Raises:
        ConverterError: no such file or not a picture.
    """
    with open_file(path) as stream:
        return _size(stream, path)


def decode_size(data: bytes, *, path: Path | str | None = None) -> tuple[int, int]:
    """As `read_size`, from the bytes of a picture file."""
    return _size(io.BytesIO(data), path)


def read_orientation(path: Path | str) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none.

    Raises:
        ConverterError: no such file or not a picture.
    """
    with open_file(path) as stream, _opened(stream, path) as picture:
        return _orientation(picture)


def read_metadata(path: Path | str) -> tuple[bytes | None, bytes | None]:
    """(EXIF block, ICC profile) of a picture, to hand to `write_image` for its edited copy.

    Raises:
        ConverterError: no such file or not a picture.
    """
    with open_file(path) as stream, _opened(stream, path) as picture:
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
        picture = _over_white(picture)
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


def read_index_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.int32]:
    """A label map as stored: palette indices, grey values of 1 to 16 bits, or RGB packed as
    r + 256 g + 65536 b, (H, W) int32. No EXIF turn, no palette lookup.

    Raises:
        ConverterError: as `read_image`.
    """
    return decode_index_image(read_bytes(path, max_bytes=_MAX_FILE_BYTES), max_pixels=max_pixels, path=path)


def decode_index_image(
    data: bytes, *, max_pixels: int = MAX_PIXELS, path: Path | str | None = None
) -> NDArray[np.int32]:
    """As `read_index_image`, from bytes."""
    with _opened(io.BytesIO(data), path) as picture:
        _check_size(picture, max_pixels, path)
        with _decoding(path):
            picture.load()
            if picture.mode == "1":
                return np.asarray(picture.convert("L"), np.int32) // 255
            if picture.mode in ("L", "P", "I", "I;16", "I;16B", "I;16L"):
                return np.asarray(picture).astype(np.int32)
            if picture.mode == "LA":
                return np.asarray(picture)[:, :, 0].astype(np.int32)
            rgb = np.asarray(picture.convert("RGB"), np.int32)
    return rgb[:, :, 0] + 256 * rgb[:, :, 1] + 65536 * rgb[:, :, 2]


def decode_mask_png(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """(H, W) bool: the nonzero pixels of a mask picture. Plain 8-bit grey PNGs take a short way.

    Raises:
        ConverterError: as `read_image`.
    """
    # Signature, length and name of the header, the size, 8 bits, grey, deflate, no interlacing.
    if data[:16] == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" and data[24:29] == b"\x08\0\0\0\0":
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        if data[-8:-4] == b"IEND" and 0 < width * height <= max_pixels:
            grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            if grey is not None and grey.shape == (height, width):
                return np.asarray(grey, np.bool_)
    mask: NDArray[np.bool_] = decode_index_image(data, max_pixels=max_pixels) != 0
    return mask


def _decode(stream: BinaryIO, *, max_pixels: int, path: Path | str | None) -> NDArray[np.uint8]:
    with _opened(stream, path) as picture:
        _check_size(picture, max_pixels, path)
        with _decoding(path):
            picture.load()
            return np.ascontiguousarray(np.asarray(_to_rgb(_upright(picture)), np.uint8))


def _size(stream: BinaryIO, path: Path | str | None) -> tuple[int, int]:
    with _opened(stream, path) as picture:
        width, height = picture.size
        # Pillow turns TIFF headers by itself; everywhere else the header is as stored.
        if picture.format != "TIFF" and _orientation(picture) in _SIDEWAYS:
            width, height = height, width
        return height, width


@contextlib.contextmanager
def _opened(stream: BinaryIO, path: Path | str | None) -> Iterator[Image.Image]:
    """The picture with only its header read."""
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
def _decoding(path: Path | str | None) -> Iterator[None]:
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


def _check_size(picture: Image.Image, max_pixels: int, path: Path | str | None) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise ConverterError(
            f"the picture is too large: {width} x {height} pixels, at most {max_pixels:,} are read.",
            path=path,
            remedy="Cut it into tiles or scale it down first.",
        )


def _orientation(picture: Image.Image) -> int:
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  a damaged EXIF block is as good as none
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(picture: Image.Image) -> Image.Image:
    if _orientation(picture) == 1:
        return picture
    return ImageOps.exif_transpose(picture)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith(("I", "F")):
        return _stretched(np.asarray(picture)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        return _over_white(picture.convert("RGBA"))
    return picture.convert("RGB")


def _over_white(picture: Image.Image) -> Image.Image:
    paper = Image.new("RGB", picture.size, (255, 255, 255))
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper


def _stretched(values: NDArray[Any]) -> Image.Image:
    """Deep grey to 8 bits: its finite range onto 0..255; values that fit already stay."""
    data = values.astype(np.float32)
    finite = data[np.isfinite(data)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if values.dtype.kind in "iu" and low >= 0 and high <= 255:
        return Image.fromarray(values.astype(np.uint8))
    scale = 255.0 / (high - low) if high > low else 0.0
    eight = np.nan_to_num((data - low) * scale, nan=0.0, posinf=255.0, neginf=0.0)
    return Image.fromarray(np.clip(eight + 0.5, 0, 255).astype(np.uint8))


def _upright_exif(block: bytes) -> bytes:
    exif = Image.Exif()
    try:
        exif.load(block)
        exif[_ORIENTATION] = 1
        return exif.tobytes()
    except Exception:  # noqa: BLE001  damaged: better none than a wrong orientation
        return b""
