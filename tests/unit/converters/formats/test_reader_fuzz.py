"""Whatever bytes a reader meets, it answers with annotations or with the package's own error."""

from __future__ import annotations

import contextlib
import itertools
import random
import re

import pytest

from converters.conversion.convert import convert
from converters.errors import ConverterError
from converters.formats.format import PictureFinder, walk
from converters.formats.labelme.document import write_labelme
from converters.formats.registry import FORMATS, writable_formats
from converters.report import Report
from converters.shapes.geometry import rasterize
from tests.foreign_files import SAMPLES
from tests.labelme_rules import check_labelme

ROUNDS = 150
NASTY = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1",
    "0",
    "1e9",
    "99999999999999999999999",
    "null",
    "true",
    '""',
    '"x"',
    "[]",
    "{}",
    "[[[]]]",
    '"../../../../etc/passwd"',
    '"/etc/passwd"',
    '"\\ud800"',
    '"\\u0000"',
    "\x00",
    "人",
    "<",
    "&",
    "&lt;",
    "&#0;",
    "]]>",
    "0x10",
    "1,2",
    ";",
    "-",
    ".",
    "1_000",
    "٣",
    "1" * 5000,
]
VALUE = re.compile(r'"[^"]*"|-?\d+(?:\.\d+)?|true|false|null')


def damaged(text: str, rng: random.Random) -> str:
    """One to three random wounds: a value replaced, a piece cut out, doubled or torn off."""
    for _ in range(rng.randint(1, 3)):
        kind = rng.randrange(6)
        places = [match.span() for match in VALUE.finditer(text)] or [(0, len(text))]
        start, end = rng.choice(places)
        if kind <= 2:
            text = text[:start] + rng.choice(NASTY) + text[end:]
        elif kind == 3:
            cut = rng.randrange(len(text) + 1)
            text = text[:cut] + text[cut + rng.randint(1, 40) :]
        elif kind == 4:
            other = rng.choice(places)
            text = text[:start] + text[other[0] : other[1]] + text[end:]
        else:
            text = text[: rng.randrange(len(text) + 1)]
    return text


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_are_read_or_refused(tmp_path, name):
    SAMPLES[name](tmp_path / "in")
    each = FORMATS[name]
    assert each.find is not None
    assert each.read is not None
    texts = {
        file: file.read_text(encoding="utf-8")
        for file in walk(tmp_path / "in")
        if file.suffix in (".json", ".ndjson", ".xml", ".txt", ".yaml")
    }
    rng = random.Random(name)
    numbers = itertools.count()
    for _ in range(ROUNDS if name != "masks" else 30):
        victim = rng.choice(sorted(texts))
        victim.write_text(damaged(texts[victim], rng), encoding="utf-8", errors="surrogatepass")
        report = Report()
        for file in each.find(tmp_path / "in"):
            try:
                found = each.read(file, tmp_path / "in", report)
            except ConverterError:
                continue
            for annotation in found:
                _use(annotation, file, tmp_path, next(numbers))
        victim.write_text(texts[victim], encoding="utf-8")


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_are_converted_or_refused(tmp_path, name):
    """The same through the whole converter and every writer."""
    SAMPLES[name](tmp_path / "in")
    files = [f for f in walk(tmp_path / "in") if f.suffix in (".json", ".ndjson", ".xml", ".txt", ".yaml")]
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    rng = random.Random(f"convert {name}")
    for number, target in enumerate(each.name for each in writable_formats()):
        victim = rng.choice(sorted(texts))
        victim.write_text(damaged(texts[victim], rng), encoding="utf-8", errors="surrogatepass")
        with contextlib.suppress(ConverterError):
            convert(tmp_path / "in", tmp_path / f"out{number}", source_format=name, target_format=target)
        victim.write_text(texts[victim], encoding="utf-8")


def _use(annotation, file, tmp_path, number: int) -> None:
    """Whatever a reader lets through can be drawn and written as a labelme file."""
    try:
        annotation, _ = PictureFinder(tmp_path / "in").attach(annotation, file)
    except ConverterError:
        return
    height, width = min(annotation.height, 300), min(annotation.width, 300)
    for instance in annotation.instances:
        rasterize(instance.geometry, height, width)
    out = tmp_path / "out.json"
    write_labelme(out, annotation)
    check_labelme(out)


@pytest.mark.parametrize("name", SAMPLES)
def test_random_bytes_are_refused(tmp_path, name):
    sample = SAMPLES[name](tmp_path)
    each = FORMATS[name]
    assert each.read is not None
    file = sample if sample.is_file() else tmp_path / "masks" / "a_mask.png"
    rng = random.Random(1)
    original = file.read_bytes()
    for size in (0, 1, 10, 1000):
        for data in (rng.randbytes(size), original[:size], b"\xff\xfe" + rng.randbytes(size), b"\x00" * size):
            file.write_bytes(data)
            try:
                each.read(sample, tmp_path, Report())
            except ConverterError:
                continue


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"masks", "yolo"}))
def test_depth_without_end_is_refused(tmp_path, name):
    file = SAMPLES[name](tmp_path)
    each = FORMATS[name]
    assert each.read is not None
    if file.suffix == ".xml":
        file.write_text("<annotation>" + "<a>" * 20_000 + "</a>" * 20_000 + "</annotation>")
    else:
        file.write_text('{"shapes": ' + "[" * 100_000)
    try:
        found = each.read(file, tmp_path, Report())
    except ConverterError:
        return
    assert not any(annotation.instances for annotation in found)
