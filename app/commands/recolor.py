"""`recolor`: an object of a picture in another colour, without a window.

The object is told by seeds (the network is loaded for them alone), by a mask picture, or by its label in
the labelme file beside the picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.commands.output import DONE, FAILED, fail, print_json, progress, warn, wrong_usage
from app.commands.segment import add_seed_arguments, parse_point
from app.editing.limits import THRESHOLD_RULE, is_threshold
from app.recolor.color_space import parse_color
from app.recolor.engine import apply_operations, sample_color
from app.recolor.settings import SETTINGS, check_setting
from converters.annotation import Mask, RecolorOperation, Seed
from converters.errors import ConverterError
from converters.files.images import IMAGE_SUFFIXES, read_image, read_index_image, read_metadata, write_image
from converters.formats.labelme.document import read_labelme
from converters.formats.reading import require_size
from converters.frozen import FrozenMap
from converters.shapes.geometry import rasterize

Picture = NDArray[np.uint8]
ObjectFinder = Callable[[Path, Picture], list[Mask]]

_LOSSY = (".jpg", ".jpeg", ".jfif")
_POORER = (".gif", ".pbm", ".pgm")  # formats that would lose the new colours


@dataclass(frozen=True, slots=True)
class RecoloredPicture:
    """One picture's result.

    Attributes:
        before: the objects' own colours, "#rrggbb", in the order of `masks`.
    """

    path: Path
    target: Path
    masks: tuple[Mask, ...]
    before: tuple[str, ...]


def add_parser(subparsers: Any) -> None:
    """Add the command; it sets `handler` to a function from the arguments to an exit code."""
    names = ", ".join(
        f"{s.name} {s.limits.minimum:g}..{s.limits.maximum:g} ({s.limits.default:g})" for s in SETTINGS
    )
    parser = subparsers.add_parser(
        "recolor",
        help="give an object another colour and keep its shading",
        description="Give an object another colour; shading, texture and highlights stay. The picture "
        "itself is not changed: the result is written beside it as NAME_recolored, or to -o.",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="the pictures")
    parser.add_argument(
        "--color", required=True, type=_color, metavar="#rrggbb", help="the colour of the lit surface"
    )
    which = parser.add_argument_group("the object, by one of")
    which.add_argument(
        "--seed",
        metavar="X,Y",
        type=parse_point,
        action="append",
        default=[],
        help="a point of the object in pixels; may be repeated",
    )
    which.add_argument(
        "--mask", type=Path, metavar="FILE", help="a picture of the same size, not black where the object is"
    )
    which.add_argument(
        "--label", metavar="NAME", help="all objects with that label in the labelme file beside the picture"
    )
    add_seed_arguments(parser.add_argument_group("for --seed"))
    parser.add_argument(
        "--setting",
        metavar="NAME=VALUE",
        type=_setting,
        action="append",
        default=[],
        help=f"may be repeated; range and default: {names}",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="a picture file, or a folder for the results"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(handler=run)


def run(options: argparse.Namespace) -> int:
    """Recolour every picture; goes on after a bad one and answers 1 in the end."""
    problem = usage_problem(options)
    if problem:
        return wrong_usage(problem)
    targets = {path: target_of(path, options.output, len(options.images)) for path in options.images}
    problem = collision(targets, options.output)
    if problem:
        return wrong_usage(problem)
    try:
        find_objects = object_finder(options)
    except ConverterError as error:
        return fail(str(error))
    operation = RecolorOperation(options.color, FrozenMap(dict(options.setting)))
    results, failures = [], 0
    for path in progress(options.images, total=len(options.images), title="recolor"):
        try:
            results.append(recolor_picture(path, targets[path], find_objects, operation))
        except ConverterError as error:
            fail(str(error))
            failures += 1
    report(results, options)
    return FAILED if failures else DONE


def usage_problem(options: argparse.Namespace) -> str:
    """What is wrong with the arguments as a whole; empty if nothing."""
    ways = [bool(options.seed), options.mask is not None, options.label is not None]
    if sum(ways) != 1:
        return "say which object: one of --seed X,Y, --mask FILE and --label NAME."
    if not options.seed and (options.negative or options.tau is not None or options.level is not None):
        return "--not, --tau and --level need a --seed."
    if options.tau is not None and not is_threshold(options.tau):
        return f"--tau must lie {THRESHOLD_RULE}, got {options.tau:g}."
    if options.output is not None and is_picture_name(options.output) and len(options.images) > 1:
        return f"{options.output} is one file, but there are {len(options.images)} pictures; give a folder."
    return ""


def is_picture_name(path: Path) -> bool:
    """Whether an output names a picture file rather than a folder."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir()


def target_of(path: Path, output: Path | None, count: int) -> Path:
    """The file that a picture's result goes to; the picture itself only if `output` names it."""
    if output is not None and count == 1 and is_picture_name(output):
        return output
    suffix = ".png" if path.suffix.lower() in _POORER else path.suffix
    return (output or path.parent) / f"{path.stem}_recolored{suffix}"


def collision(targets: dict[Path, Path], output: Path | None) -> str:
    """Which two pictures would meet in one file; empty if none."""
    taken = {path.resolve(): path for path in targets if path != output}
    for path, target in targets.items():
        other = taken.setdefault(target.resolve(), path)
        if other != path or (target == path and path != output):
            return f"{path} would be written to {target}, where {other} is or goes; give another -o."
    return ""


def object_finder(options: argparse.Namespace) -> ObjectFinder:
    """The function that finds the objects of a picture, as the arguments say.

    Raises:
        ConverterError: the model or the mask file cannot be read.
    """
    if options.seed:
        return _by_seeds(options)
    if options.label is not None:
        return lambda path, image: labelled_objects(path, image, options.label)
    mask = read_mask(options.mask)

    def by_mask(path: Path, image: Picture) -> list[Mask]:
        if mask.shape != image.shape[:2]:
            raise ConverterError(
                f"the mask has {mask.shape[1]} x {mask.shape[0]} pixels, "
                f"but {path.name} has {image.shape[1]} x {image.shape[0]}.",
                path=options.mask,
            )
        return [Mask.from_full(mask)]

    return by_mask


def _by_seeds(options: argparse.Namespace) -> ObjectFinder:
    # Imported here: torch takes a second, and masks and labels do without it.
    from app.commands.model_choice import load_chosen_segmenter
    from models import SegmenterError

    try:
        segmenter = load_chosen_segmenter(options.model, options.weights)
        warn(segmenter.notice)
    except SegmenterError as error:
        raise ConverterError(str(error)) from error
    seeds = [Seed(x, y) for x, y in options.seed] + [Seed(x, y, False) for x, y in options.negative]

    def by_seeds(path: Path, image: Picture) -> list[Mask]:
        try:
            found = segmenter.encode(image).mask(seeds, tau=options.tau, level=options.level)
        except SegmenterError as error:
            raise ConverterError(str(error), path=path) from error
        return [Mask.from_full(found)]

    return by_seeds


def read_mask(path: Path) -> NDArray[np.bool_]:
    """(H, W) bool: what is not black; in a JPEG, whose black is not exact, what is brighter than grey.

    Raises:
        ConverterError: no such file or not a picture.
    """
    if path.suffix.lower() in _LOSSY:
        return np.asarray(read_image(path).max(axis=2) >= 128)
    return np.asarray(read_index_image(path) != 0)


def labelled_objects(path: Path, image: Picture, label: str) -> list[Mask]:
    """The regions with that label in the labelme file beside the picture.

    Raises:
        ConverterError: no such file or label, or the file belongs to another picture.
    """
    document = path.with_name(f"{path.name}.json")  # where two pictures share a stem
    if not document.is_file():
        document = path.with_suffix(".json")
    height, width = image.shape[:2]
    annotation = require_size(read_labelme(document), height, width, path=document)
    found = [i for i in annotation.instances if i.label == label]
    if not found:
        known = ", ".join(repr(name) for name in annotation.labels) or "none"
        raise ConverterError(f"no object is labelled {label!r}.", path=document, remedy=f"Labels: {known}.")
    return [rasterize(instance.geometry, height, width) for instance in found]


def recolor_picture(
    path: Path, target: Path, find_objects: ObjectFinder, operation: RecolorOperation
) -> RecoloredPicture:
    """Read, recolour, write.

    Raises:
        ConverterError: the picture cannot be read, it has no such object, or the result cannot be written.
    """
    image = read_image(path)
    masks = [mask for mask in find_objects(path, image) if not mask.is_empty]
    if not masks:
        raise ConverterError("there is no object there: its mask is empty.", path=path)
    before = tuple(sample_color(image, mask) for mask in masks)
    result = apply_operations(image, [(mask, operation) for mask in masks])
    exif, profile = read_metadata(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConverterError(f"the folder cannot be made ({error.strerror}).", path=target.parent) from error
    write_image(target, result, exif=exif, icc=profile)
    return RecoloredPicture(path, target, tuple(masks), before)


def report(results: list[RecoloredPicture], options: argparse.Namespace) -> None:
    """Say what was written: for people a line per picture, for programs JSON."""
    if options.json:
        print_json(
            {
                "color": options.color,
                "pictures": [
                    {
                        "image": str(result.path),
                        "written": str(result.target),
                        "objects": [
                            {"box": list(mask.box), "area": mask.area, "color_before": color}
                            for mask, color in zip(result.masks, result.before, strict=True)
                        ],
                    }
                    for result in results
                ],
            }
        )
        return
    for result in results:
        count = len(result.masks)
        print(f"{result.path}: {count} object{'' if count == 1 else 's'}, wrote {result.target}")


def _color(text: str) -> str:
    try:
        parse_color(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text.lower()


def _setting(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no setting; write NAME=VALUE, for example opacity=0.8")
    try:
        value = float(number)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{number!r} is no number (setting {name})") from error
    try:
        check_setting(name, value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name, value
