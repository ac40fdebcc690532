"""Every picture comes in upright, 8-bit RGB, or with a clear word why not."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from converters.errors import ConverterError
from converters.files.images import (
    decode_image,
    decode_index_image,
    encode_image,
    encode_png,
    read_image,
    read_index_image,
    read_metadata,
    read_orientation,
    read_size,
    write_image,
)


def corners_picture() -> np.ndarray:
    """20 x 30, each corner block in a colour of its own; JPEG keeps 10-pixel blocks apart."""
    array = np.full((20, 30, 3), 128, np.uint8)
    array[:10, :10] = (255, 0, 0)
    array[:10, -10:] = (0, 255, 0)
    array[-10:, :10] = (0, 0, 255)
    array[-10:, -10:] = (255, 255, 0)
    return array


# What a camera stores for each orientation so that turning it gives the upright picture.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_come_upright(tmp_path, orientation, suffix):
    upright = corners_picture()
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    options = {"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}
    if suffix == ".webp":
        options = {"lossless": True}
    Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))).save(path, exif=exif, **options)
    before = path.read_bytes()
    image = read_image(path)
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() <= 8
    assert read_size(path) == (20, 30)
    assert read_orientation(path) == orientation
    assert path.read_bytes() == before


def test_grey_palette_alpha_and_cmyk_become_rgb(tmp_path):
    grey = Image.fromarray(np.full((4, 5), 77, np.uint8))
    variants = {
        "grey.png": grey,
        "one.png": grey.convert("1"),
        "palette.png": grey.convert("P"),
        "cmyk.jpg": grey.convert("CMYK"),
    }
    for name, picture in variants.items():
        picture.save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert image.shape == (4, 5, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
    clear = np.zeros((4, 5, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png") == 255).all()


def test_deep_grey_uses_its_whole_range(tmp_path):
    deep = np.linspace(100, 4000, 20).reshape(4, 5).astype(np.uint16)
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(deep).save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert image.min() == 0
        assert image.max() == 255
    flat = np.full((4, 5), 9, np.uint16)
    Image.fromarray(flat).save(tmp_path / "flat.png")
    assert (read_image(tmp_path / "flat.png") == 9).all()
    floats = np.array([[0.0, np.nan], [1.0, np.inf]], np.float32)
    Image.fromarray(floats).save(tmp_path / "float.tif")
    assert read_image(tmp_path / "float.tif")[:, :, 0].tolist() == [[0, 0], [255, 255]]


def png_with_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_a_huge_header_is_refused_before_decoding(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(png_with_header(40_000, 40_000))
    with pytest.raises(ConverterError, match="40000 x 40000"):
        read_image(path)
    with pytest.raises(ConverterError, match="too large"):
        read_index_image(path)
    with pytest.raises(ConverterError, match="too large"):
        decode_image(encode_png(np.zeros((4, 5), np.uint8)), max_pixels=19)


def test_a_truncated_jpeg_says_so(tmp_path):
    data = encode_image(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), ".jpg")
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ConverterError, match=r"cut off.*Copy the file again") as caught:
        read_image(path)
    assert caught.value.path == path
    assert read_size(path) == (64, 64)


def test_text_called_png_is_no_picture(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("not a picture at all")
    for read in (read_image, read_size, read_orientation, read_metadata, read_index_image):
        with pytest.raises(ConverterError, match="not a picture"):
            read(path)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(ConverterError, match="no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ConverterError, match="folder"):
        read_size(tmp_path)


def test_damaged_bytes_never_raise_anything_else():
    rng = np.random.default_rng(1)
    for suffix in (".jpg", ".png", ".tif", ".webp", ".gif", ".bmp"):
        good = encode_image(rng.integers(0, 255, (24, 24, 3), np.uint8), suffix)
        for _ in range(60):
            bad = bytearray(good)
            for place in rng.integers(0, len(bad), 4):
                bad[place] = rng.integers(0, 256)
            for data in (bytes(bad), bytes(bad[: rng.integers(0, len(bad))])):
                try:
                    image = decode_image(data, max_pixels=1_000_000)
                except ConverterError:
                    continue
                assert image.ndim == 3


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_formats_give_back_what_was_written(tmp_path, suffix):
    array = np.random.default_rng(2).integers(0, 255, (7, 9, 3), np.uint8)
    write_image(tmp_path / f"a{suffix}", array)
    assert np.array_equal(read_image(tmp_path / f"a{suffix}"), array)


def test_metadata_travels_and_orientation_becomes_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = tmp_path / "a.jpg"
    Image.fromarray(corners_picture()).save(source, exif=exif, icc_profile=profile)
    block, icc = read_metadata(source)
    assert icc == profile
    write_image(tmp_path / "b.jpg", read_image(source), exif=block, icc=icc)
    with Image.open(tmp_path / "b.jpg") as copy:
        assert copy.getexif()[0x0112] == 1
        assert copy.getexif()[0x010F] == "Camera"
        assert copy.info["icc_profile"] == profile
    assert read_size(tmp_path / "b.jpg") == (30, 20)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ConverterError, match="not a picture format"):
        write_image(tmp_path / "a.xyz", np.zeros((2, 2, 3), np.uint8))


def test_index_images_are_read_as_stored():
    values = np.array([[0, 1, 2], [3, 200, 255]], np.uint8)
    assert np.array_equal(decode_index_image(encode_png(values)), values)
    deep = values.astype(np.uint16) * 257
    assert np.array_equal(decode_index_image(encode_png(deep)), deep)
    palette = Image.fromarray(values).convert("P")
    palette.putpalette(np.arange(768, dtype=np.uint8).tobytes())
    stream = io.BytesIO()
    palette.save(stream, "PNG")
    assert np.array_equal(decode_index_image(stream.getvalue()), np.asarray(palette))
    rgb = np.zeros((1, 2, 3), np.uint8)
    rgb[0, 1] = (1, 2, 3)
    assert decode_index_image(encode_png(rgb)).tolist() == [[0, 1 + 2 * 256 + 3 * 65536]]
    bits = Image.fromarray(values > 2)
    stream = io.BytesIO()
    bits.save(stream, "PNG")
    assert decode_index_image(stream.getvalue()).tolist() == [[0, 0, 0], [1, 1, 1]]
