"""labelme JSON: files of labelme 3.x to 7.9 in, files that labelme 7.9 accepts out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from json.encoder import encode_basestring, encode_basestring_ascii
from pathlib import Path
from typing import Any

from converters.annotation import ImageAnnotation, Instance, RejectedShape, Vertex
from converters.errors import ConverterError
from converters.files.budget import DEPTH, spending
from converters.files.files import decode_text, finite_json, parse_json, read_bytes, shown, write_atomic
from converters.files.images import decode_size, encode_image, read_image, read_orientation, read_size
from converters.files.locate import locate_picture
from converters.files.nesting import check_nesting, nesting
from converters.files.project_mark import is_project_file
from converters.formats.labelme.shapes import decode_shape, encode_shape
from converters.formats.own_facts import KEY
from converters.formats.reading import content_id, require_size, split_flags
from converters.frozen import FrozenMap

# labelme stamps its own version and does not check it on reading.
LABELME_VERSION = "7.9.1"

_STANDARD = ("version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth")
_AS_TEXT = "raw_json"
_LEVELS_ASIDE = 4  # of the document, `seedhue`, `rejected` and the entry


def read_labelme(path: Path | str) -> ImageAnnotation:
    """The annotation of one labelme file.

    Shapes that cannot be understood are set aside in `rejected`, each with its place and the reason;
    `write_labelme` hands them back. Where the file does not tell the picture's size it is taken from
    the embedded picture, then from the picture file; failing both, height and width are 0.

    Raises:
        ConverterError: missing, not JSON, cut off, no labelme file, or made for a picture of another
            size than the one embedded in it.
    """
    return parse_labelme(read_bytes(path), path=path)


def parse_labelme(content: bytes, *, path: Path | str) -> ImageAnnotation:
    """The annotation in a labelme file's bytes; errors as `read_labelme`, `path` is where they came from."""
    document = parse_json(decode_text(content, path=path), path=path)
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise ConverterError('this is no labelme file: it has no list called "shapes".', path=path)
    with spending(path):
        return annotation_of(document, path=path)


def annotation_of(document: dict[str, Any], *, path: Path | str) -> ImageAnnotation:
    """The annotation of a parsed labelme document; `path` is where it came from.

    Raises:
        ConverterError: its size and its embedded picture's disagree.
    """
    extra = {key: value for key, value in document.items() if key not in (*_STANDARD, KEY)}
    image_path = document.get("imagePath")
    image_path = image_path.replace("\\", "/") if isinstance(image_path, str) else ""
    odd_flags: dict[str, Any] = {}
    flags = split_flags(document.get("flags"), odd_flags)
    if odd_flags:
        extra["nonboolean_flags"] = odd_flags
    image_data = _image_data(document.get("imageData"), extra)
    height, width = _size(document, image_data, image_path, path)
    ours = document.get(KEY)
    rejected = list(_kept_aside(ours.get("rejected"))) if isinstance(ours, dict) else []
    if isinstance(ours, dict) and (
        rest := {k: v for k, v in ours.items() if k not in ("rejected", "version")}
    ):
        extra[KEY] = rest
    instances, refused = decode_shapes(document["shapes"], height=height, width=width)
    return ImageAnnotation(
        image_path=image_path,
        height=height,
        width=width,
        instances=instances,
        flags=flags,
        image_data=image_data,
        rejected=(*rejected, *refused),
        extra=FrozenMap(extra),
    )


def decode_shapes(
    shapes: list[Any], *, height: int, width: int
) -> tuple[tuple[Instance, ...], tuple[RejectedShape, ...]]:
    """The readable shapes as instances with unique ids, and the others with what is wrong."""
    instances: list[Instance] = []
    rejected: list[RejectedShape] = []
    taken: set[str] = set()
    for index, raw in enumerate(shapes):
        try:
            instance = decode_shape(raw, index, height=height, width=width)
        except ConverterError as error:
            rejected.append(RejectedShape(index, error.problem, raw))
            continue
        if instance.id in taken:  # a shape copied by another program along with its id
            instance = replace(instance, id=content_id([raw, instance.id], index))
        taken.add(instance.id)
        instances.append(instance)
    return tuple(instances), tuple(rejected)


def write_labelme(
    path: Path | str,
    annotation: ImageAnnotation,
    *,
    embed_image: bool | None = None,
    durable: bool = True,
    before_replacing: Callable[[], None] | None = None,
) -> bytes:
    """Write a labelme file, atomically; the bytes written.

    Args:
        embed_image: put the picture into the file: None as it was read, True always (the picture is
            found beside `path`), False never.
        durable, before_replacing: see `write_atomic`.

    Raises:
        ConverterError: the disk is full, the folder cannot be written, the picture to be embedded
            is missing, a shape holds numbers that are not finite, something is nested beyond reason, or
            the file is the folder's own (`converters.files.project_mark`).
    """
    if is_project_file(Path(path)):
        raise ConverterError(
            "this file holds the labels of its folder and is not overwritten with those of a picture.",
            path=path,
            remedy="Give the picture another name, or choose another folder.",
        )
    content = dump_labelme(path, annotation, embed_image=embed_image)
    write_atomic(path, content, durable=durable, before_replacing=before_replacing)
    return content


def dump_labelme(path: Path | str, annotation: ImageAnnotation, *, embed_image: bool | None = None) -> bytes:
    """The bytes `write_labelme` writes: labelme's key order, UTF-8, indented by two."""
    shapes: list[dict[str, Any]] = []
    for index, instance in enumerate(annotation.instances):
        try:
            shapes.append(encode_shape(instance))
        except ConverterError as error:
            raise ConverterError(error.problem, path=path, where=f"shapes[{index}]") from error
    document: dict[str, Any] = {
        "version": LABELME_VERSION,
        "flags": {str(name): bool(value) for name, value in annotation.flags.items()},
        "shapes": shapes,
        "imagePath": annotation.image_path,
        "imageData": _embedded(path, annotation, embed_image),
        "imageHeight": annotation.height or None,
        "imageWidth": annotation.width or None,
        **{key: value for key, value in annotation.extra.items() if key not in (*_STANDARD, KEY)},
    }
    ours = dict(annotation.extra.get(KEY) or {})
    if annotation.rejected:
        ours["rejected"] = [_aside(shape) for shape in annotation.rejected]
    if ours:
        document[KEY] = ours
    try:
        text = _dump(document, ensure_ascii=False)
        check_nesting(text, path=path)
        return text.encode("utf-8")
    except RecursionError as error:
        raise ConverterError("it holds something nested beyond reason.", path=path) from error
    except UnicodeEncodeError:  # half a surrogate pair in a foreign label: only escapes can carry it
        return _dump(document, ensure_ascii=True).encode("ascii")


def find_image(json_path: Path | str, annotation: ImageAnnotation, *, root: Path | str | None = None) -> Path:
    """The picture file of a labelme file, also when it was moved (`locate_picture` says how).

    Raises:
        ConverterError: it is not there.
    """
    return locate_picture(json_path, annotation.image_path, root=root)


def _size(
    document: dict[str, Any], image_data: bytes | None, image_path: str, path: Path | str
) -> tuple[int, int]:
    height, width = _whole(document.get("imageHeight")), _whole(document.get("imageWidth"))
    if image_data is not None:
        true_height, true_width = decode_size(image_data, path=path)
        stated = ImageAnnotation(image_path, height, width)
        require_size(stated, true_height, true_width, path=path)
        return true_height, true_width
    if not (height and width):
        try:
            return read_size(locate_picture(path, image_path))
        except ConverterError:
            return 0, 0
    return height, width


def _whole(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value <= 1_000_000 else 0


def _image_data(value: Any, extra: dict[str, Any]) -> bytes | None:
    """The embedded picture; one that is no picture is kept among the foreign keys."""
    if value is None:
        return None
    try:
        data = base64.b64decode(value)
        decode_size(data)
    except (ValueError, TypeError, ConverterError):
        extra["unreadable_imageData"] = value
        return None
    return data


def _embedded(path: Path | str, annotation: ImageAnnotation, embed: bool | None) -> str | None:
    if embed is False:
        return None
    data = annotation.image_data
    if data is None and embed:
        picture = find_image(path, annotation)
        data = read_bytes(picture)
        if read_orientation(picture) != 1:  # labelme, too, embeds turned pictures upright
            data = encode_image(read_image(picture), picture.suffix)
    return None if data is None else base64.b64encode(data).decode("ascii")


def _aside(shape: RejectedShape) -> dict[str, Any]:
    text = json.dumps(shape.raw)
    try:
        json.dumps(shape.raw, allow_nan=False)
        as_text = nesting(text) + _LEVELS_ASIDE > DEPTH.most
    except ValueError:
        as_text = True
    if as_text:
        # NaN is no JSON, and what is kept aside lies deeper than where it was: as text neither breaks other
        # readers nor is lost.
        return {"index": shape.index, "reason": shape.reason, _AS_TEXT: text}
    return {"index": shape.index, "reason": shape.reason, "raw": shape.raw}


def _kept_aside(value: Any) -> Iterable[RejectedShape]:
    for entry in value if isinstance(value, list) else ():
        if not isinstance(entry, dict):
            continue
        raw = entry.get("raw")
        if isinstance(entry.get(_AS_TEXT), str):
            try:
                raw = parse_json(entry[_AS_TEXT])
            except ConverterError:
                raw = entry[_AS_TEXT]
        index, reason = entry.get("index"), entry.get("reason")
        yield RejectedShape(
            index if type(index) is int else -1, reason if isinstance(reason, str) else shown(reason), raw
        )


def _dump(document: dict[str, Any], *, ensure_ascii: bool) -> str:
    """`json.dumps(document, indent=2)`, letter for letter, several times faster.

    With an indent the standard library formats in pure Python; here only the frame and the points
    are formatted by hand and every other value by its C encoder.
    """

    quoted = encode_basestring_ascii if ensure_ascii else encode_basestring
    words = {None: "null", True: "true", False: "false"}

    def text(value: Any, indent: int) -> str:
        if type(value) is str:
            return quoted(value)
        if value is None or type(value) is bool:
            return words[value]
        if type(value) is int:
            return repr(value)
        if not isinstance(value, dict | list | tuple | Mapping):
            return json.dumps(finite_json(value))
        if not value:
            return "[]" if isinstance(value, list | tuple) else "{}"
        space = "\n" + " " * (indent + 2)
        if isinstance(value, list | tuple):
            rows = [text(item, indent + 2) for item in value]
            return "[" + space + ("," + space).join(rows) + space[:-2] + "]"
        rows = [f"{quoted(str(key))}: {text(item, indent + 2)}" for key, item in value.items()]
        return "{" + space + ("," + space).join(rows) + space[:-2] + "}"

    def shape_text(shape: dict[str, Any]) -> str:
        rows = [
            f"      {quoted(key)}: {_points_text(value) if key == 'points' else text(value, 6)}"
            for key, value in shape.items()
        ]
        return "    {\n" + ",\n".join(rows) + "\n    }"

    rows = []
    for key, value in document.items():
        if key == "shapes" and value:
            rows.append('  "shapes": [\n' + ",\n".join(map(shape_text, value)) + "\n  ]")
        else:
            rows.append(f"  {text(key, 0)}: {text(value, 2)}")
    return "{\n" + ",\n".join(rows) + "\n}"


def _points_text(points: list[Vertex]) -> str:
    return (
        "[\n"
        + ",\n".join([f"        [\n          {x!r},\n          {y!r}\n        ]" for x, y in points])
        + "\n      ]"
    )
