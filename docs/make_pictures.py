"""Takes the documents' pictures of the real window: `make pictures`.

Needs Xvfb and a font with Chinese characters (Debian: xvfb, fonts-droid-fallback). A picture that shows
what it showed before is left as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ROOT: Final = Path(__file__).resolve().parents[1]
SAMPLES: Final = ROOT / "resources" / "samples"
IMAGES: Final = ROOT / "docs" / "images"
LANGUAGES: Final = {"en": IMAGES, "zh_CN": IMAGES / "zh"}
STAGE: Final = Path(tempfile.gettempdir()) / "seedhue"
"""Always the same, because a dialog shows it."""
LARGEST_FILE: Final = 200_000
COLORS: Final = ((256, 96), (192, 80), (128, 64))
"""In all, and how many of them may be the window's own; the photograph has the others."""
FLAT: Final = 12
"""Places where a colour has its like on three sides, from which on it is one of the window's own."""
VISIBLE: Final = 24
"""Levels of 255 by which a pixel must differ to be seen as another."""
SHARE: Final = 0.002
"""Of the pixels; where fewer differ, the picture shows the same."""


@contextmanager
def display() -> Iterator[str]:
    """An X server of its own; yields its DISPLAY."""
    told, tell = os.pipe()
    command = ("Xvfb", "-displayfd", str(tell), "-screen", "0", "1400x900x24", "-nolisten", "tcp")
    server = subprocess.Popen(command, pass_fds=(tell,), stderr=subprocess.DEVNULL)
    os.close(tell)
    try:
        with os.fdopen(told) as pipe:
            yield f":{pipe.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)


def take(language: str, out: Path) -> None:
    """Take every picture in a language.

    Raises:
        CalledProcessError: the window did not do what the scenes want.
    """
    photos = STAGE / "photos"
    for old in STAGE.glob(f"{photos.name}*"):  # also what the language before has exported
        shutil.rmtree(old)
    photos.mkdir()
    for sample in SAMPLES.glob("*.jpg"):
        shutil.copyfile(sample, photos / sample.name)
    out.mkdir()
    with tempfile.TemporaryDirectory() as home, display() as screen:
        environment = {
            **os.environ,
            "DISPLAY": screen,
            "QT_QPA_PLATFORM": "xcb",
            "QT_SCALE_FACTOR": "1",
            "SEEDHUE_HOME": home,
            "OMP_NUM_THREADS": "1",
        }
        command = (sys.executable, "-m", "docs.picture_scenes", language, str(photos), str(out))
        subprocess.run(command, env=environment, cwd=ROOT, check=True)


def choose_colors(picture: Image.Image, colors: int, flat: int) -> NDArray[np.uint8]:
    """The (colors, 3) that show a window with a photograph in it: its flat colours as they are."""
    pixels = np.asarray(picture)
    here = pixels[:-1, :-1]
    neighbours = (pixels[1:, :-1], pixels[:-1, 1:], pixels[1:, 1:])
    is_flat = np.logical_and.reduce([(here == other).all(axis=2) for other in neighbours])
    own, count = np.unique(here[is_flat], axis=0, return_counts=True)
    own = own[np.argsort(-count, kind="stable")[: min(flat, int((count >= FLAT).sum()))]]
    rest = picture.quantize(colors - len(own), Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    others = np.array(rest.getpalette(), np.uint8).reshape(-1, 3)[: colors - len(own)]
    return np.concatenate([own, others])


def in_colors(picture: Image.Image, colors: NDArray[np.uint8]) -> Image.Image:
    """The picture with the nearest of the colours in every pixel."""
    red, green, blue = np.moveaxis(np.asarray(picture).astype(np.int32), 2, 0)
    codes, places = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    different = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    nearest = np.empty(len(different), np.uint8)
    palette = colors.astype(np.int32)
    for start in range(0, len(different), 4096):
        part = different[start : start + 4096]
        distance = ((part[:, None] - palette[None]) ** 2).sum(axis=2)
        nearest[start : start + 4096] = distance.argmin(axis=1)
    few = Image.fromarray(nearest[places].reshape(picture.height, picture.width))
    few.putpalette(colors.ravel().tolist())
    return few


def shrink(source: Path, target: Path) -> None:
    """Store a picture with as many colours as fit into LARGEST_FILE bytes."""
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    for colors, flat in COLORS:
        in_colors(picture, choose_colors(picture, colors, flat)).save(target, optimize=True)
        if target.stat().st_size <= LARGEST_FILE:
            return


def shows_the_same(one: Path, other: Path) -> bool:
    """Whether nobody would see a difference."""
    with Image.open(one) as first, Image.open(other) as second:
        if first.size != second.size:
            return False
        pixels = [np.asarray(each.convert("RGB"), np.int16) for each in (first, second)]
    return bool((np.abs(pixels[0] - pixels[1]).max(axis=2) > VISIBLE).mean() < SHARE)


def main() -> int:
    """Take all pictures and keep those that have changed."""
    if shutil.which("Xvfb") is None:
        sys.stderr.write("Xvfb is needed (Debian: apt install xvfb).\n")
        return 1
    try:
        STAGE.mkdir()
    except FileExistsError:
        sys.stderr.write(f"{STAGE} is there already; remove it first.\n")
        return 1
    try:
        for language, folder in LANGUAGES.items():
            folder.mkdir(parents=True, exist_ok=True)
            shots = STAGE / language
            take(language, shots)
            for shot in sorted(shots.glob("*.png")):
                small, kept = STAGE / shot.name, folder / shot.name
                shrink(shot, small)
                changed = not kept.is_file() or not shows_the_same(small, kept)
                if changed:
                    shutil.move(small, kept)
                sys.stdout.write(f"{'took' if changed else 'same'} {kept.relative_to(ROOT)}\n")
    finally:
        shutil.rmtree(STAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
