"""`segment`: masks from seeds, or found automatically, written as labelme, COCO or pictures."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.commands.output import DONE, FAILED, fail, print_json, progress, warn, wrong_usage
from app.commands.overlay_picture import draw_overlay
from app.editing.limits import FOUND_SCORE, THRESHOLD_RULE, is_threshold
from converters.annotation import ImageAnnotation, Instance, Mask, Provenance, Seed, new_instance_id
from converters.errors import ConverterError
from converters.files.images import read_image, write_image
from converters.files.project_mark import is_project_file
from converters.formats.coco.instances import write_coco
from converters.formats.labelme.document import read_labelme, write_labelme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models import Encoding, Prediction, Segmenter


@dataclass(frozen=True, slots=True)
class SegmentedPicture:
    """One picture's result."""

    path: Path
    annotation: ImageAnnotation
    added: int


def parse_point(text: str) -> tuple[float, float]:
    """ "X,Y" in pixels.

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise argparse.ArgumentTypeError(f'"{text}" is no point; write X,Y in pixels, for example 320,200')
    return x, y


def add_seed_arguments(parser: argparse.ArgumentParser) -> None:
    """--not, --tau, --level, --model, --weights: how a mask grows from seeds."""
    parser.add_argument(
        "--not",
        dest="negative",
        metavar="X,Y",
        type=parse_point,
        action="append",
        default=[],
        help="a point that does not belong to it; may be repeated",
    )
    parser.add_argument(
        "--tau",
        type=float,
        help=f"similarity threshold, {THRESHOLD_RULE}; higher is smaller (default: suggested)",
    )
    parser.add_argument("--level", type=int, help="0 is the smallest answer (default: the most likely one)")
    parser.add_argument("--model", help="see `models list` (default: what the weights are of, else seednet)")
    parser.add_argument("--weights", type=Path, help="a weights file (default: the active model's)")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the sub-command."""
    parser = commands.add_parser(
        "segment",
        help="cut objects out of pictures",
        description="Grow a mask from seeds, or find the objects automatically.",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="the pictures")
    parser.add_argument(
        "--seed",
        metavar="X,Y",
        type=parse_point,
        action="append",
        default=[],
        help="a point of the object; several belong to the same object",
    )
    add_seed_arguments(parser)
    parser.add_argument("--auto", action="store_true", help="find the objects without seeds")
    parser.add_argument(
        "--closer",
        action="store_true",
        help="for --auto: look at parts of the picture, too, which finds small objects and takes longer",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        default=FOUND_SCORE.default,
        help="for --auto: least score, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument("--label", default="object", help="name for the objects (default: %(default)s)")
    parser.add_argument(
        "--format",
        choices=("labelme", "coco", "png", "overlay"),
        default="labelme",
        help="png: a black and white picture an object; overlay: the photo with its objects in colour "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="folder for the results, or the COCO file (default: beside each picture)",
    )
    parser.add_argument("--json", action="store_true", help="print what was found, for programs")
    parser.set_defaults(handler=run)


def run(options: argparse.Namespace) -> int:
    """Segment every picture; goes on after a bad one and answers 1 in the end."""
    if bool(options.seed) == options.auto:
        return wrong_usage("give --seed X,Y (once or more) or --auto, and not both.")
    if options.closer and not options.auto:
        return wrong_usage("--closer belongs to --auto.")
    if options.tau is not None and not is_threshold(options.tau):
        return wrong_usage(f"--tau must lie {THRESHOLD_RULE}, got {options.tau:g}.")
    from app.commands.model_choice import load_chosen_segmenter
    from models import SegmenterError

    try:
        segmenter = load_chosen_segmenter(options.model, options.weights)
        warn(segmenter.notice)
    except SegmenterError as error:
        return fail(str(error))
    results, failures = [], 0
    for path in progress(options.images, total=len(options.images), title="segment"):
        try:
            results.append(segment_picture(segmenter, path, options))
        except (ConverterError, SegmenterError) as error:
            text = str(error)
            fail(text if str(path) in text else f"{path}: {text}")
            failures += 1
    try:
        written = write_results(results, options)
    except ConverterError as error:
        return fail(str(error))
    report(results, written, options)
    return FAILED if failures else DONE


def segment_picture(segmenter: Segmenter, path: Path, options: argparse.Namespace) -> SegmentedPicture:
    """Read, encode, cut. New objects join those of a labelme file that is already there.

    Raises:
        ConverterError: the picture or its annotation cannot be read.
        SegmenterError: a seed lies outside the picture.
    """
    image = read_image(path)
    encoding = segmenter.encode(image)
    if options.auto:
        found = encoding.instances(options.min_score)
        if options.closer:
            from models.closer_look import look_closer

            found = look_closer(segmenter, image, found, min_score=options.min_score)
        added = automatic_instances(found, segmenter, options)
    else:
        seeds = [Seed(x, y) for x, y in options.seed] + [Seed(x, y, False) for x, y in options.negative]
        added = [seeded_instance(encoding, segmenter, seeds, options)]
    existing = existing_annotation(path, image) if options.format == "labelme" else None
    base = existing or ImageAnnotation(path.name, image.shape[0], image.shape[1])
    return SegmentedPicture(path, base.with_instances((*base.instances, *added)), len(added))


def existing_annotation(path: Path, image: NDArray[np.uint8]) -> ImageAnnotation | None:
    """What the labelme file beside the picture holds, so that nothing of it is lost.

    Raises:
        ConverterError: the file is damaged, or describes a picture of another size.
    """
    document = label_file_in(path.parent, path)
    if not document.is_file():
        return None
    annotation = read_labelme(document)
    if (annotation.height, annotation.width) != image.shape[:2]:
        raise ConverterError(
            f"describes a picture of {annotation.width} x {annotation.height} pixels, "
            f"but {path.name} has {image.shape[1]} x {image.shape[0]}.",
            path=document,
            remedy="Move it away or give another output folder with -o.",
        )
    return annotation


def seeded_instance(
    encoding: Encoding, segmenter: Segmenter, seeds: Sequence[Seed], options: argparse.Namespace
) -> Instance:
    """One object grown from seeds."""
    tau = options.tau if options.tau is not None else encoding.suggest_tau(seeds, options.level)
    mask = Mask.from_full(encoding.mask(seeds, tau=tau, level=options.level))
    provenance = Provenance("seeds", tuple(seeds), tau, options.level, segmenter.version)
    return Instance(new_instance_id(), options.label, mask, provenance=provenance)


def automatic_instances(
    predictions: Sequence[Prediction], segmenter: Segmenter, options: argparse.Namespace
) -> list[Instance]:
    """Every object the network sees by itself."""
    return [
        Instance(
            new_instance_id(),
            found.label or options.label,
            found.mask,
            score=found.score,
            provenance=Provenance("automatic", (found.seed,), found.tau, found.level, segmenter.version),
        )
        for found in predictions
    ]


def write_results(results: Sequence[SegmentedPicture], options: argparse.Namespace) -> list[Path]:
    """Write every picture's result; returns the files.

    Raises:
        ConverterError: a file cannot be written.
    """
    if not results:
        return []
    if options.format == "coco":
        return [write_coco_result(results, options.output)]
    written = []
    for result in results:
        folder = options.output or result.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        if options.format == "labelme":
            written.append(write_labelme_result(result, folder))
        elif options.format == "overlay":
            target = folder / f"{result.path.stem}_overlay.png"
            write_image(target, draw_overlay(read_image(result.path), result.annotation))
            written.append(target)
        else:
            written += write_mask_images(result, folder)
    return written


def write_coco_result(results: Sequence[SegmentedPicture], output: Path | None) -> Path:
    """One COCO file for all pictures; `output` may name the file or its folder."""
    target = output or results[0].path.parent
    if target.suffix.lower() != ".json":
        target = target / "instances.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_coco(target, [r.annotation for r in results])
    return target


def label_file_in(folder: Path, picture: Path) -> Path:
    """The picture's labelme file in a folder; never the folder's own file."""
    plain = folder / f"{picture.stem}.json"
    return folder / f"{picture.name}.json" if is_project_file(plain) else plain


def write_labelme_result(result: SegmentedPicture, folder: Path) -> Path:
    """One labelme file; its imagePath leads back to the picture."""
    target = label_file_in(folder, result.path)
    image_path = Path(os.path.relpath(result.path.resolve(), folder.resolve())).as_posix()
    write_labelme(target, replace(result.annotation, image_path=image_path))
    return target


def write_mask_images(result: SegmentedPicture, folder: Path) -> list[Path]:
    """One black and white PNG per object."""
    annotation = result.annotation
    written = []
    for index, instance in enumerate(annotation.instances):
        if not isinstance(instance.geometry, Mask):
            continue
        pixels = instance.geometry.to_full(annotation.height, annotation.width).astype(np.uint8) * 255
        suffix = "" if len(annotation.instances) == 1 else f"_{index + 1}"
        target = folder / f"{result.path.stem}_mask{suffix}.png"
        write_image(target, pixels)
        written.append(target)
    return written


def report(results: Sequence[SegmentedPicture], written: Sequence[Path], options: argparse.Namespace) -> None:
    """Say what was found: for people a line per picture, for programs JSON."""
    if options.json:
        print_json(
            {
                "pictures": [
                    {"image": str(r.path), "objects": [describe(i) for i in r.annotation.instances]}
                    for r in results
                ],
                "written": [str(p) for p in written],
            }
        )
        return
    for result in results:
        print(f"{result.path}: {result.added} object{'' if result.added == 1 else 's'}")
    for path in written:
        print(f"  wrote {path}")


def describe(instance: Instance) -> dict[str, object]:
    """The facts of one object that a program wants."""
    facts: dict[str, object] = {"id": instance.id, "label": instance.label, "score": instance.score}
    if isinstance(instance.geometry, Mask):
        facts |= {"area": instance.geometry.area, "box": list(instance.geometry.box)}
    if instance.provenance.tau is not None:
        facts["tau"] = round(instance.provenance.tau, 4)
    return facts
