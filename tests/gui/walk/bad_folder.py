"""A folder with good pictures and every kind of bad file, and another one to go to and come back from."""

from __future__ import annotations

import json
import os
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from PIL import Image

from tests.gui.window.conftest import write_picture

if TYPE_CHECKING:
    from pathlib import Path

TRIANGLE: Final = [[10.0, 10.0], [50.0, 10.0], [30.0, 50.0]]
LONG: Final = 251
"""Bytes of a name that the file system takes, but not with anything added to it."""


def make_folders(root: Path) -> tuple[Path, Path]:
    """The bad folder, and the other one."""
    bad, other = root / "pictures", root / "other"
    bad.mkdir()
    other.mkdir()
    for number in range(4):
        write_picture(bad / f"photo{number}.png", shade=(40 + 50 * number, 90, 200))
    write_picture(bad / "photo9 large.png", size=(500, 700))
    for name in "abc":
        write_picture(other / f"{name}.png", shade=(30, 160, 60))
    _write(other / "b.json", _labels("b.png", [_shape("leaf"), _shape("two\nlines"), _shape("three")]))
    (other / "seedhue.json").write_text('{"labels": [{"name": 7}, "x", {"name":', encoding="utf-8")
    os.symlink(bad / "photo0.png", other / "linked.png")
    _odd_pictures(bad)
    _odd_names(bad)
    _bad_pictures(bad)
    _bad_labels(bad)
    (bad / "sub").mkdir()
    write_picture(bad / "sub" / "below.png")
    _write(bad / "sub" / "below.json", _labels("../../outside.png", [_shape("below")]))
    return bad, other


def _odd_pictures(folder: Path) -> None:
    """Pictures that are read, for all their oddity."""
    write_picture(folder / "twins.jpg")
    write_picture(folder / "twins.png", shade=(200, 30, 30))
    pages = [Image.new("RGB", (90, 60), shade) for shade in ("red", "green")]
    pages[0].save(folder / "pages.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(folder / "moving.gif", save_all=True, append_images=pages[1:])
    cv2.imwrite(str(folder / "one pixel.png"), np.full((1, 1, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "thin.png"), np.full((1, 300, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "deep.png"), np.full((40, 60), 40_000, np.uint16))
    Image.new("RGBA", (60, 40), (200, 90, 30, 80)).save(folder / "clear.png")
    turned = Image.new("RGB", (80, 40), "blue")
    facts = turned.getexif()
    facts[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=facts)


def _odd_names(folder: Path) -> None:
    for name in (
        "<b>bold<b>",
        "100%s {name} &amp",
        "line\nbreak",
        "-rf",
        "猫 とても",
        "$(touch x)",
        "a" * (LONG - 4),
    ):
        write_picture(folder / f"{name}.png")
    with suppress(OSError, ValueError):  # some file systems know no such name
        write_picture(folder / "plain.png").rename(folder / os.fsdecode(b"\xff\xfe.png"))


def _bad_pictures(folder: Path) -> None:
    """Pictures that cannot be read."""
    (folder / "empty.png").write_bytes(b"")
    (folder / "garbage.jpg").write_bytes(b"this is not a picture" * 9)
    whole = write_picture(folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "declares.png").write_bytes(_png(40_000, 40_000))
    (folder / "negative.png").write_bytes(_png(2**31, 1))
    (folder / "folder.png").mkdir()
    os.symlink(folder / "nowhere.png", folder / "dangling.png")
    os.symlink(folder / "circle.png", folder / "circle.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        write_picture(folder / "piped labels.png")
        os.mkfifo(folder / "piped labels.json")


def _bad_labels(folder: Path) -> None:
    """Good pictures, each beside an annotation file that is not."""
    deep = '{"a":' * 600 + "1" + "}" * 600
    digits = "9" * 5000
    nowhere, far = [[float("nan")] * 2] * 3, [[900, 900], [990, 900], [950, 950]]
    markup = _shape("<img src=x>", description="<a href='x'>y</a>")
    contents: dict[str, str | bytes] = {
        "cut in half": json.dumps(_labels("cut in half.png", [_shape("leaf")]))[:120],
        "empty file": b"",
        "not text": bytes(range(256)),
        "a list": "[1, 2]",
        "coco": json.dumps({"images": [], "annotations": [], "categories": []}),
        "nested": json.dumps(_labels("nested.png", [_shape("leaf")]))[:-1] + f', "extra": {deep}}}',
        "digits": json.dumps(_labels("digits.png", [_shape("leaf")])).replace("120", digits),
        "not a number": json.dumps(_labels("not a number.png", [_shape("leaf", points=nowhere)])),
        "other size": json.dumps({**_labels("other size.png", []), "imageHeight": 999}),
        "declared size": json.dumps({**_labels("declared size.png", []), "imageHeight": 10**9}),
        "escapes": json.dumps(_labels("../../../etc/passwd", [_shape("leaf")])),
        "shapes": json.dumps(_labels("shapes.png", _bad_shapes())),
        "marked up": json.dumps(_labels("marked up.png", [markup])),
        "line": json.dumps(_labels("line.png", [_shape("two\nlines"), _shape("")])),
        "same ids": json.dumps(_labels("same ids.png", [_shape("a", seedhue={"id": "x"})] * 2)),
        "outside": json.dumps(_labels("outside.png", [_shape("far", points=far)])),
    }  # fmt: skip
    for name, content in contents.items():
        write_picture(folder / f"{name}.png")
        (folder / f"{name}.json").write_bytes(content if isinstance(content, bytes) else content.encode())


def _bad_shapes() -> list[dict[str, Any]]:
    mask = {"shape_type": "mask", "points": [[0, 0], [90_000, 90_000]], "mask": "AAAA"}
    return [
        _shape("good"),
        _shape("circle", shape_type="circle", points=[[10, 10], [1e12, 10]]),
        _shape("declares", **mask),
        _shape("no points", points=[]),
        _shape("of another kind", shape_type="spline"),
        {"label": 7, "points": "x"},
        _shape("rectangle", shape_type="rectangle", points=[[5, 5], [60, 40]]),
    ]


def _shape(label: str, **changes: Any) -> dict[str, Any]:
    return {
        "label": label, "points": TRIANGLE, "group_id": None, "shape_type": "polygon", "flags": {}, **changes
    }  # fmt: skip


def _labels(picture: str, shapes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": "5.0.0", "flags": {}, "shapes": shapes, "imagePath": picture, "imageData": None,
        "imageHeight": 120, "imageWidth": 160, "kept": {"by": "another program"},
    }  # fmt: skip


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


def _png(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims that size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
