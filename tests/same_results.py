"""Whether two states of SeedHue answer with the same bytes: for changes that move code and nothing else.

    python tests/same_results.py note BEFORE.json [--checkout DIR]
    python tests/same_results.py note AFTER.json
    python tests/same_results.py compare BEFORE.json AFTER.json

Twelve pictures from 64 pixels to 12 megapixels, upright and wide, are cut from the sample photographs.
Of each the network's answers to one, two and four clicks, what it finds by itself, what it finds alike
and a recoloured picture are noted as SHA-256 of their bytes; then every file of every format that one
annotated folder is converted to. Only what docs/architecture.md promises is used (`models.load_segmenter`
and `main.py`), so that the script runs over any state of the code. Answers are equal on one machine with one
number of threads, not from machine to machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from models import Encoding, Segmenter

HERE = Path(__file__).resolve().parents[1]
# Sample and size (width, height): 64 pixels to 12 megapixels, both orientations.
PICTURES = (
    ("coffee", 64, 48),
    ("chelsea", 48, 64),
    ("rocket", 200, 133),
    ("astronaut", 150, 231),
    ("chelsea", 451, 300),
    ("rocket", 427, 640),
    ("coffee", 897, 600),
    ("astronaut", 600, 801),
    ("rocket", 1600, 1067),
    ("chelsea", 1200, 1803),
    ("coffee", 4000, 3000),
    ("astronaut", 3000, 4000),
)
# Clicks as shares of width and height, and whether they belong to the object.
CLICKS = ((0.45, 0.4, True), (0.8, 0.85, False), (0.55, 0.5, True), (0.1, 0.1, False))
COUNTS = (1, 2, 4)
READINGS = 6


def digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def array_digest(array: np.ndarray) -> str:
    return digest(repr((array.dtype.str, array.shape)).encode() + np.ascontiguousarray(array).tobytes())


def make_pictures(folder: Path) -> list[Path]:
    """The twelve pictures as PNG files."""
    paths = []
    for sample, width, height in PICTURES:
        with Image.open(HERE / "resources/samples" / f"{sample}.jpg") as opened:
            picture = ImageOps.fit(opened.convert("RGB"), (width, height), Image.Resampling.BICUBIC)
        paths.append(folder / f"{sample}_{width}x{height}.png")
        picture.save(paths[-1], compress_level=1)
    return paths


def encoding_digests(encoding: Encoding, width: int, height: int) -> Iterator[tuple[str, str]]:
    """Name and digest of every answer of one encoded picture."""
    from models import Seed

    seeds = [Seed(width * x, height * y, positive) for x, y, positive in CLICKS]
    for count in COUNTS:
        given = seeds[:count]
        yield f"suggest_tau {count}", digest(np.float64(encoding.suggest_tau(given)).tobytes())
        yield f"level_scores {count}", array_digest(np.array(encoding.level_scores(given)))
        yield f"mask {count}", array_digest(encoding.mask(given))
    found = encoding.instances()
    yield "instances", predictions_digest(found)


def similar_digests(segmenter: Segmenter, image: np.ndarray) -> str:
    """Digests of what is found alike in several readings of one picture, sorted.

    The last bit of a predicted IoU depends on where in memory its map happened to lie, so one picture may
    have two or three answers.
    """
    answers = set()
    for _ in range(READINGS):
        encoding = segmenter.encode(image)
        known = [found.mask for found in encoding.instances()[:1]]
        answers.add(
            predictions_digest(
                encoding.find_similar(encoding.appearance(known), known=known) if known else ()
            )
        )
    return " ".join(sorted(answers))


def predictions_digest(predictions: Iterable[Any]) -> str:
    parts = [
        repr((p.label, p.score, p.mask_score, p.seed.x, p.seed.y, p.tau, p.level, p.region, p.mask.box))
        + array_digest(p.mask.array)
        for p in predictions
    ]
    return digest("\n".join(parts).encode())


def command(checkout: Path, *arguments: str | Path) -> str:
    """Standard output of `main.py` of that checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, str(checkout / "main.py"), *map(str, arguments)],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def recolored_digest(checkout: Path, picture: Path, mask: np.ndarray, folder: Path) -> str:
    mask_file, target = folder / "mask.png", folder / "recolored.png"
    Image.fromarray(mask.astype(np.uint8) * 255).save(mask_file)
    command(checkout, "recolor", picture, "--mask", mask_file, "--color", "#2f6fed", "-o", target)
    with Image.open(target) as opened:
        return array_digest(np.asarray(opened))


def note_pictures(checkout: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Digests by picture and answer."""
    from models import Seed, load_segmenter

    segmenter = load_segmenter("seednet", device="cpu")
    noted: dict[str, dict[str, str]] = {}
    for path in make_pictures(folder):
        with Image.open(path) as opened:
            image = np.asarray(opened.convert("RGB"))
        height, width = image.shape[:2]
        encoding = segmenter.encode(image)
        answers = dict(encoding_digests(encoding, width, height))
        answers["find_similar"] = similar_digests(segmenter, image)
        x, y, _ = CLICKS[0]
        mask = encoding.mask([Seed(width * x, height * y)])
        answers["recolored"] = recolored_digest(checkout, path, mask, folder)
        noted[path.name] = answers
    return noted


def annotated_folder(folder: Path) -> None:
    """Two pictures with one object of every kind that labelme knows."""
    folder.mkdir()
    shapes: list[tuple[str, list[list[float]]]] = [
        ("polygon", [[30.5, 20], [120, 28.25], [110, 90], [40, 95.75]]),
        ("rectangle", [[150, 30], [220, 110]]),
        ("circle", [[250, 150], [270, 160]]),
        ("oriented_rectangle", [[60, 150], [110, 130], [125, 165], [75, 185]]),
        ("line", [[10, 10], [60, 12]]),
        ("linestrip", [[10, 180], [40, 170], [90, 190]]),
        ("point", [[200, 170]]),
        ("points", [[210, 180], [220, 175], [230, 182]]),
    ]
    for index, sample in enumerate(("coffee", "chelsea")):
        with Image.open(HERE / "resources/samples" / f"{sample}.jpg") as opened:
            ImageOps.fit(opened.convert("RGB"), (300, 200)).save(folder / f"{sample}.png")
        objects = [
            {
                "label": f"{kind}_{number % 3}",
                "points": points,
                "group_id": number if number % 2 else None,
                "description": "as drawn" if number == 1 else "",
                "shape_type": kind,
                "flags": {"checked": number == 0},
                "seedhue": {"id": f"{index:06d}{number:06d}"},
            }
            for number, (kind, points) in enumerate(shapes)
        ]
        document = {
            "version": "5.5.0",
            "flags": {"night": False},
            "shapes": objects,
            "imagePath": f"{sample}.png",
            "imageData": None,
            "imageHeight": 200,
            "imageWidth": 300,
        }
        (folder / f"{sample}.json").write_text(json.dumps(document, indent=2), encoding="utf-8")


def note_formats(checkout: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Digests of every file that is written, by format and name."""
    source = folder / "annotated"
    annotated_folder(source)
    formats = json.loads(command(checkout, "convert", "--list", "--json"))
    noted: dict[str, dict[str, str]] = {}
    for name in sorted(each["name"] for each in formats if each["write"]):
        target = folder / f"to_{name}"
        report = folder / f"{name}.txt"
        command(checkout, "convert", source, target, "--to", name, "--processes", "1", "--report", report)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        noted[name] = {p.relative_to(target).as_posix(): file_digest(p, folder) for p in files}
        noted[name]["the report"] = file_digest(report, folder)
    return noted


def file_digest(path: Path, folder: Path) -> str:
    """Of a file's bytes, in which the temporary folder has one name."""
    return digest(path.read_bytes().replace(str(folder).encode(), b"FOLDER"))


def note(target: Path, checkout: Path) -> None:
    """Write all digests of one state of the code."""
    sys.path.insert(0, str(checkout))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noted = {"pictures": note_pictures(checkout, folder), "formats": note_formats(checkout, folder)}
    target.write_text(json.dumps(noted, indent=1, sort_keys=True), encoding="utf-8")
    print(f"{sum(len(part) for each in noted.values() for part in each.values())} digests in {target}")


def compare(before: Path, after: Path) -> int:
    """Print what differs; 1 if anything does."""
    a, b = (flat(json.loads(path.read_text(encoding="utf-8"))) for path in (before, after))
    names = sorted(a.keys() | b.keys())
    different = [name for name in names if not set(a.get(name, "").split()) & set(b.get(name, "").split())]
    for name in different:
        print(f"differs: {name}")
    print(f"{len(different)} of {len(names)} differ")
    return 1 if different else 0


def flat(noted: dict[str, Any], before: str = "") -> dict[str, str]:
    """{"a": {"b": value}} as {"a / b": value}."""
    out: dict[str, str] = {}
    for name, value in noted.items():
        path = f"{before} / {name}" if before else name
        out |= flat(value, path) if isinstance(value, dict) else {path: value}
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    noting = commands.add_parser("note", help="write the digests of one state of the code")
    noting.add_argument("target", type=Path)
    noting.add_argument("--checkout", type=Path, default=HERE, help="that state (default: this one)")
    comparing = commands.add_parser("compare", help="tell what differs")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        return compare(options.before, options.after)
    note(options.target, options.checkout.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
