"""Telling formats apart by what files look like inside; file names only where nothing else helps.

What to look for is each format's own knowledge (`Signs`); here it is looked for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from defusedxml import ElementTree

from converters.errors import ConverterError
from converters.files.files import open_file, read_json
from converters.files.project_mark import is_project_file
from converters.formats.format import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from converters.formats.format import Format
    from converters.formats.signs import Signs

# How many files of a folder are looked into.
_SAMPLES = 5
_LARGE_JSON_BYTES = 64_000_000
_LOOK_AT_ENDS_BYTES = 500_000
_END_BYTES = 250_000
_FIRST_TAGS = 400
_FIRST_LINES = 20


def guess_format(path: Path, formats: Sequence[Format]) -> Format | None:
    """The format of a file or a folder, or None.

    In a folder the most frequent answer of a sample counts, label files before pictures.
    """
    if path.is_file():
        return _of_file(path, formats) or _first(formats, lambda signs: path.suffix.lower() in signs.single)
    files = walk(path)
    names, suffixes = {file.name for file in files}, {file.suffix.lower() for file in files}
    if found := _first(formats, lambda signs: not signs.folder_files.isdisjoint(names)):
        return found
    own = {".json", ".xml", ".txt"}.union(*(each.signs.suffixes for each in formats))
    labelled = [file for file in files if file.suffix.lower() in own]
    votes = Counter(found.name for file in _spread(labelled) if (found := _of_file(file, formats)))
    if votes:
        winner = votes.most_common(1)[0][0]
        return next(each for each in formats if each.name == winner)
    return _first(formats, lambda signs: not signs.bare.isdisjoint(suffixes))


def _first(formats: Iterable[Format], accepts: Callable[[Signs], Any]) -> Format | None:
    return next((each for each in formats if accepts(each.signs)), None)


def _spread(files: list[Path]) -> list[Path]:
    """A sample from all over the list."""
    step = max(1, len(files) // _SAMPLES)
    return files[::step][:_SAMPLES]


def _of_file(path: Path, formats: Sequence[Format]) -> Format | None:
    suffix = path.suffix.lower()
    if is_project_file(path):
        return None
    try:
        if suffix == ".json":
            return _of_json(path, formats)
        if suffix == ".xml":
            tags = _first_tags(path)
            return _first(formats, lambda signs: signs.xml is not None and tags and signs.xml(tags))
        if suffix == ".txt":
            lines = _first_lines(path)
            return _first(formats, lambda signs: signs.text is not None and signs.text(lines))
    except (ConverterError, OSError):
        return None
    return _first(formats, lambda signs: suffix in signs.suffixes)


def _of_json(path: Path, formats: Sequence[Format]) -> Format | None:
    size = path.stat().st_size
    if size > _LOOK_AT_ENDS_BYTES:
        ends = _ends(path)
        marked = _first(formats, lambda signs: signs.json_ends is not None and signs.json_ends(ends))
        if size > _LARGE_JSON_BYTES or (marked is not None and marked.signs.ends_suffice):
            return marked  # not worth being parsed twice
    document = read_json(path)
    return _first(formats, lambda signs: signs.json is not None and signs.json(document))


def _ends(path: Path) -> bytes:
    with open_file(path) as stream:
        head = stream.read(_END_BYTES)
        stream.seek(-min(_END_BYTES, path.stat().st_size), 2)
        return head + stream.read()


def _first_tags(path: Path) -> list[str]:
    tags: list[str] = []
    with open_file(path) as stream:
        try:
            for _, element in ElementTree.iterparse(stream, events=("start",), forbid_dtd=True):
                tags.append(element.tag)
                if len(tags) > _FIRST_TAGS:
                    break
        except Exception:  # noqa: BLE001  whatever a parser makes of it, it is none of ours
            return tags
    return tags


def _first_lines(path: Path) -> list[str]:
    with open_file(path) as stream:
        lines = stream.read(20_000).decode("utf-8", "replace").splitlines()[:_FIRST_LINES]
    return [line for line in lines if line.strip()]
