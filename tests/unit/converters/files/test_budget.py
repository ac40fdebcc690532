"""Every reader has budgets; what asks for more is refused before anything is allocated, and told."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest

from converters.annotation import Circle
from converters.conversion.convert import convert
from converters.errors import ConverterError
from converters.files import budget
from converters.files.budget import MASK_PIXELS, Budget, BudgetError, spend, spending
from converters.files.files import json_text, open_file, parse_json, read_bytes, read_text
from converters.files.images import encode_png, read_image, read_index_image, read_size
from converters.files.yaml_files import read_yaml
from converters.formats.coco.instances import read_coco
from converters.formats.labelme.document import read_labelme, write_labelme
from converters.shapes.geometry import rasterize
from converters.shapes.rle import decode_rle
from tests.foreign_files import SAMPLES, picture

MEBIBYTE = 1 << 20


class Peak:
    """The most memory that Python and NumPy took inside, in bytes."""

    def __enter__(self):
        tracemalloc.start()
        return self

    def __exit__(self, *_):
        self.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def test_a_message_tells_which_budget_was_exceeded_and_by_how_much():
    plain = Budget("points", 1000, "Simplify the outline.")
    plain.check(1000)
    with pytest.raises(BudgetError, match=r"1,234 points, 234 more than the 1,000 there are. Simplify"):
        plain.check(1234)
    backed = Budget("pixels", 5000, free=100, per_byte=10)
    backed.check(600, backing=50)
    with pytest.raises(BudgetError, match="601 pixels, 1 more than the 600 a file of 50 bytes is given"):
        backed.check(601, backing=50)
    with pytest.raises(BudgetError, match="6,000 pixels, 1,000 more than the 5,000 there are"):
        backed.check(6000, backing=10**9)


def test_what_one_picture_takes_is_added_up(tmp_path):
    file = tmp_path / "small.json"
    file.write_bytes(b"12")
    each = MASK_PIXELS.free // 2
    with spending(file):
        spend(MASK_PIXELS, each)
        spend(MASK_PIXELS, each)
        with pytest.raises(BudgetError, match="more than the 268,437,504 a file of 2 bytes"):
            spend(MASK_PIXELS, each)
    with spending(file):
        spend(MASK_PIXELS, each)


def test_reading_takes_only_so_many_seconds(tmp_path, monkeypatch):
    SAMPLES["labelme"](tmp_path)
    monkeypatch.setattr(budget, "SECONDS", Budget("seconds", -1, "Split the file."))
    found = read_labelme(tmp_path / "a.json")
    assert not found.instances
    assert "seconds" in found.rejected[0].reason


# Bytes


def test_a_small_read_takes_little_memory(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("label\n" * 100)
    with Peak() as peak:
        assert read_text(file) == "label\n" * 100
    assert peak.bytes < MEBIBYTE


def test_a_file_that_is_too_large_is_refused_unread_also_when_its_size_is_not_told(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    file.write_bytes(b"x" * 300_000)
    with pytest.raises(BudgetError, match="300,000 bytes, 299,900 more than the 100"):
        read_bytes(file, max_bytes=100)
    true = os.fstat

    def understated(descriptor):
        facts = list(true(descriptor))
        facts[6] = 0
        return os.stat_result(facts)

    monkeypatch.setattr(os, "fstat", understated)
    assert len(read_bytes(file, max_bytes=300_000)) == 300_000
    with pytest.raises(BudgetError, match="bytes"):
        read_bytes(file, max_bytes=299_999)


# What is no regular file


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_sockets_and_devices_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.symlink(tmp_path / "pipe.png", tmp_path / "link.png")
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.png")
    finally:
        os.chdir(here)
    for name, kind in (
        ("pipe.png", "a named pipe"),
        ("link.png", "a named pipe"),
        ("socket.png", "a socket"),
    ):
        for read in (open_file, read_bytes, read_image, read_size, read_index_image, read_labelme):
            with pytest.raises(ConverterError, match=f"this is {kind}, a regular file is needed"):
                read(tmp_path / name)
    with pytest.raises(ConverterError, match="a device"):
        read_bytes("/dev/zero")
    with pytest.raises(ConverterError, match="folder"):
        read_bytes(tmp_path)


# Pixels


def png_claiming(width, height, *, depth=8, color=2, rows=1):
    """A PNG of `rows` black rows whose header claims more."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    channels = {0: 1, 2: 3, 3: 1}[color]
    line = bytes(1 + (width * depth * channels + 7) // 8)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
        + (chunk(b"PLTE", bytes(6)) if color == 3 else b"")
        + chunk(b"IDAT", zlib.compress(line * rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("depth", "color"), [(8, 2), (8, 0), (1, 3), (16, 0)])
def test_a_header_that_the_file_cannot_back_is_refused_undecoded(tmp_path, depth, color):
    file = tmp_path / "a.png"
    file.write_bytes(png_claiming(8000, 6000, depth=depth, color=color))
    for read in (read_image, read_index_image):
        with Peak() as peak, pytest.raises(ConverterError, match="claims 8000 x 6000 pixels, and its"):
            read(file)
        assert peak.bytes < MEBIBYTE


def test_the_same_for_pictures_that_are_not_compressed(tmp_path):
    file = tmp_path / "a.ppm"
    file.write_bytes(b"P6 8000 6000 255\n" + bytes(300))
    with pytest.raises(ConverterError, match="bytes hold at most"):
        read_image(file)


def test_what_is_far_too_well_compressed_is_no_large_photograph(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(png_claiming(16_000, 16_000) + bytes(800_000))
    assert read_size(file) == (16_000, 16_000)
    with pytest.raises(BudgetError, match=r"16000 x 16000 it has 256,000,000 pixels, .* bytes is given"):
        read_image(file)


def test_large_pictures_come_in_by_strips_and_unchanged(tmp_path):
    random = np.random.default_rng(0)
    rgb = random.integers(0, 255, (900, 1300, 3), np.uint8)
    deep = random.integers(0, 65535, (900, 1300)).astype(np.uint16)
    few = random.integers(0, 9, (900, 1300)).astype(np.uint8)
    for name, values in (("rgb", rgb), ("deep", deep), ("few", few)):
        (tmp_path / f"{name}.png").write_bytes(encode_png(values, level=1))
    assert np.array_equal(read_image(tmp_path / "rgb.png"), rgb)
    assert np.array_equal(read_index_image(tmp_path / "deep.png"), deep)
    assert np.array_equal(read_index_image(tmp_path / "few.png"), few)
    stretched = read_image(tmp_path / "deep.png")
    assert stretched.shape == (900, 1300, 3)
    assert (stretched.min(), stretched.max()) == (0, 255)


# Run-length codes


def test_run_lengths_cost_only_what_the_budget_has(tmp_path):
    side = 16_000
    with Peak() as peak:
        two_dots = {"size": [side, side], "counts": [0, 1, side * 5 - 1, 1, side * side - side * 5 - 1]}
        assert decode_rle(two_dots).area == 2
        with pytest.raises(BudgetError, match="claims 268,468,225 pixels"):
            decode_rle({"size": [16_385, 16_385], "counts": [16_385 * 16_385]})
        with pytest.raises(ConverterError, match="do not add up"):
            decode_rle({"size": [4, 4], "counts": "0" * 3 + "o" * 5 + "0"})
    assert peak.bytes < MEBIBYTE


def test_many_small_codes_for_large_masks_are_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "converters.shapes.rle.MASK_PIXELS", Budget("pixels of masks", 10**9, free=30_000, per_byte=1)
    )
    code = {"size": [100, 100], "counts": [0, 10_000]}
    annotation = {"image_id": 1, "category_id": 1, "segmentation": code, "iscrowd": 1}
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 100, "width": 100}],
        "annotations": [{"id": number, **annotation} for number in range(9)],
        "categories": [{"id": 1, "name": "cat"}],
    }
    file = tmp_path / "a.json"
    file.write_text(json.dumps(document))
    (found,) = read_coco(file)
    assert 3 <= len(found.instances) < 9
    assert "pixels of masks" in found.rejected[0].reason


def test_a_mask_patch_larger_than_what_its_bytes_hold_is_set_aside(tmp_path):
    patch = png_claiming(9000, 9000, color=0)
    shape = {
        "label": "cat", "points": [[0, 0], [3, 3]], "shape_type": "mask",
        "mask": base64.b64encode(patch).decode("ascii"),
    }  # fmt: skip
    document = {"shapes": [shape], "imagePath": "a.png", "imageHeight": 1_000_000, "imageWidth": 1_000_000}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(document))
    with Peak() as peak:
        found = read_labelme(file)
    assert not found.instances
    assert "cut off" in found.rejected[0].reason
    assert peak.bytes < MEBIBYTE


# Points


def test_too_many_points_are_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr("converters.formats.reading.SHAPE_POINTS", Budget("points in one shape", 5))
    monkeypatch.setattr("converters.formats.reading.POINTS", Budget("points in one picture", 8))
    picture(tmp_path / "a.png")
    shapes = [
        {"label": "cat", "points": [[n, n * n] for n in range(count)], "shape_type": "polygon"}
        for count in (6, 5, 5)
    ]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"shapes": shapes, "imagePath": "a.png"}))
    found = read_labelme(file)
    assert len(found.instances) == 1
    assert [shape.reason.partition(",")[0] for shape in found.rejected] == [
        "it asks for 6 points in one shape",
        "it asks for 10 points in one picture",
    ]


def test_a_circle_of_absurd_radius_is_clipped_before_it_is_drawn():
    begun = time.perf_counter()
    half = rasterize(Circle((-1e7 + 50, 30), (50, 30)), 60, 100)
    assert half.box in ((0, 0, 50, 60), (0, 0, 51, 60))
    assert half.array[:, :50].all()
    assert time.perf_counter() - begun < 5
    assert rasterize(Circle((-1e7, 30), (-100, 30)), 60, 100).is_empty
    # Where both ways are possible they agree but for the rim.
    for center in ((-99_000.0, 30.0), (50.0, 99_500.0)):
        drawn = rasterize(Circle(center, (center[0] + 99_999, center[1])), 600, 1000)
        clipped = rasterize(Circle(center, (center[0] + 100_001, center[1])), 600, 1000)
        assert abs(drawn.area - clipped.area) < 4 * 1600


# Digits and levels


def test_numbers_of_thousands_of_digits_are_told():
    with pytest.raises(BudgetError, match="6,000 digits in one number, 1,700 more than the 4,300"):
        parse_json('{"shapes": [' + "7" * 6000 + "]}")


def nested(levels):
    return "[" * levels + "]" * levels


def test_what_is_read_can_be_written_and_read_again(tmp_path):
    file = tmp_path / "a.json"
    text = '{"shapes": [@], "imagePath": "a.png", "note": #}'
    for aside, note in ((198, 1), (1, 199), (150, 150)):
        file.write_text(text.replace("@", nested(aside)).replace("#", nested(note)))
        found = read_labelme(file)
        write_labelme(file, found)
        again = read_labelme(file)
        assert again.rejected[0].raw == found.rejected[0].raw
        assert again.extra == found.extra
    for aside, note in ((199, 1), (1, 200)):
        file.write_text(text.replace("@", nested(aside)).replace("#", nested(note)))
        with pytest.raises(BudgetError, match="201 levels of nesting, 1 more than the 200"):
            read_labelme(file)
    deep = json.loads(nested(201))
    with pytest.raises(BudgetError, match="201 levels"):
        json_text(deep)
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(BudgetError, match="levels"):
        json_text(deep)


def test_brackets_in_texts_are_no_levels():
    assert parse_json(json.dumps({"text": "[" * 5000 + '\\"' + "{" * 5000})) != {}


# YAML


def test_aliases_count_as_what_they_stand_for(tmp_path):
    file = tmp_path / "data.yaml"
    file.write_text("names: &n [cat, dog]\nother: *n\nbase: &b {a: 1}\nmore: {<<: *b, c: 2}\n")
    assert read_yaml(file)["more"] == {"a": 1, "c": 2}
    file.write_text(
        "a: &a0 {k: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join(9 * [f'*a{n - 1}'])}]}}\n" for n in range(1, 8))
    )
    with pytest.raises(BudgetError, match=r"with all its aliases it has .* YAML values, .* more than"):
        read_yaml(file)
    file.write_text("a: " + nested(300))
    with pytest.raises(BudgetError, match="levels"):
        read_yaml(file)


# One bad file and a folder


def test_one_bad_file_of_any_kind_never_ends_a_folders_conversion(tmp_path):
    source = tmp_path / "in"
    SAMPLES["labelme"](source)
    bad = {
        "deep.json": '{"shapes": ' + nested(500) + "}",
        "digits.json": '{"shapes": [], "imageHeight": ' + "7" * 6000 + "}",
        "cut.json": '{"shapes": [',
        "size.json": '{"shapes": [], "imagePath": "claims.png"}',
    }
    for name, text in bad.items():
        (source / name).write_text(text)
    (source / "claims.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    if hasattr(os, "mkfifo"):
        os.mkfifo(source / "pipe.json")
    done = convert(source, tmp_path / "out", source_format="labelme", target_format="voc", processes=1)
    assert done.report.pictures == 1
    failed = {failure.path.name: failure.problem for failure in done.failures if failure.path is not None}
    assert set(failed) >= {"deep.json", "digits.json", "cut.json"}
    assert "levels of nesting" in failed["deep.json"]
    assert "digits" in failed["digits.json"]
    assert "pipe.json" not in failed or "named pipe" in failed["pipe.json"]
    assert len(done.failures) == len(list(source.glob("*.json"))) - 1


def test_an_error_nobody_thought_of_costs_its_own_file_only(tmp_path, monkeypatch):
    source = tmp_path / "in"
    SAMPLES["labelme"](source)
    (source / "b.json").write_text((source / "a.json").read_text())
    true = read_size

    def fails(path):
        if str(path).endswith("a.png") and not (tmp_path / "failed").exists():
            (tmp_path / "failed").touch()
            raise TypeError("loose screw")
        return true(path)

    monkeypatch.setattr("converters.formats.format.read_size", fails)
    done = convert(source, tmp_path / "out", source_format="labelme", target_format="coco", processes=1)
    assert done.report.pictures == 1
    (failure,) = done.failures
    assert "loose screw" in failure.problem
    assert failure.path == source / "a.json"
