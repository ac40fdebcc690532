"""`train`: teach a network from annotated pictures; resumes where an earlier run in the folder ended."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.output import DONE, fail, progress_bar, warn, wrong_usage
from app.commands.unsaved_work import warn_about_unsaved
from converters.errors import ConverterError
from converters.machine import granted_cores

if TYPE_CHECKING:
    from models.data.dataset import Dataset
    from models.training.request import TrainingRequest
    from models.training.trainable import TrainableModel


def parse_shares(text: str) -> dict[str, float]:
    """ "NAME=SHARE,NAME=SHARE".

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    if not re.fullmatch(r"[^=,]+=[0-9.]+(,[^=,]+=[0-9.]+)*", text):
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=SHARE[,NAME=SHARE…]')
    shares = dict(part.split("=") for part in text.split(","))
    return {name: float(share) for name, share in shares.items()}


def parse_size(text: str) -> tuple[str, str]:
    """ "NAME=VALUE".

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=VALUE')
    return name, value


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the sub-command."""
    parser = commands.add_parser(
        "train",
        help="train a network",
        description="DATA is a folder with images/ + instances.json (COCO), with labelme JSON files, or with "
        "several data sets in sub-folders (those called *_val are left out).",
    )
    parser.add_argument("data", metavar="DATA", type=Path, help="annotated pictures, see above")
    parser.add_argument("--model", default="seednet", help="architecture (default: %(default)s)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, help="time budget (default: 15)")
    budget.add_argument("--epochs", type=float, help="budget in passes over the pictures")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("runs/latest"),
        help="folder for the weights (default: %(default)s)",
    )
    parser.add_argument(
        "--start",
        metavar="FILE|VERSION",
        action="append",
        default=[],
        help="weights to continue from, or of a backbone alone (default: ImageNet backbone); "
        "given several times: the mean of several trainings of the same network",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        type=parse_size,
        action="append",
        default=[],
        help="a size of the network, for example backbone=resnet-18 (docs/networks.md)",
    )
    parser.add_argument(
        "--shares", type=parse_shares, default={}, help="share of the crops per data set: NAME=SHARE,…"
    )
    parser.add_argument(
        "--partial",
        metavar="NAME",
        action="append",
        default=[],
        help="data set in which not every object is annotated, whatever its file says",
    )
    parser.add_argument("--cutouts", type=Path, help="folder of cut-out objects with alpha to paste in")
    parser.add_argument(
        "--cut-from",
        metavar="NAME",
        action="append",
        default=[],
        help="data set whose objects are cut out and pasted too",
    )
    parser.add_argument(
        "--batch",
        type=int,
        help="crops per step (default: 6; the calibrator and objects take one picture)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        help="processes that make the crops (default: a thread; with a graphics card all cores but one)",
    )
    parser.add_argument("--crop", type=int, help="side of the crops in pixels, a multiple of 32")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of every random choice")
    parser.add_argument(
        "--teach",
        metavar="PART",
        help="masks: everything (default); "
        "distill: SeedNet's new backbone (--set backbone=...) learns to see what that of --start sees; "
        "refiner: only its refiner and level scorer, on finished masks; "
        "calibrator: only what has the last word on the scores, on whole pictures; "
        "objects: only what tells objects from other masks where nobody has clicked, on whole pictures "
        "of which all objects are annotated (all but masks with --start)",
    )
    parser.add_argument(
        "--stage",
        type=int,
        choices=(0, 1, 2, 3, 4),
        help="older numbers of --teach: distill, masks, refiner, calibrator, objects",
    )
    parser.add_argument("--half", action="store_true", help="store the weights as float16, half the size")
    parser.set_defaults(handler=run)


def run(options: argparse.Namespace) -> int:
    """Train and say where the weights are."""
    from models import SegmenterError

    if any(v is not None and v <= 0 for v in (options.minutes, options.epochs, options.batch)):
        return wrong_usage("--minutes, --epochs and --batch must be larger than zero.")
    if options.processes is not None and options.processes < 0:
        return wrong_usage("--processes must not be negative.")
    if options.crop is not None and (options.crop < 64 or options.crop % 32):
        return wrong_usage("--crop must be a multiple of 32, at least 64.")
    refused = _settle_what_to_teach(options)
    if refused:
        return wrong_usage(refused)
    teach = options.teach
    if teach != "masks" and (options.model != "seednet" or not options.start):
        return wrong_usage(f"--teach {teach} needs --model seednet and trained weights as --start.")
    if teach in ("calibrator", "objects") and (
        options.batch or options.crop or options.cutouts or options.cut_from
    ):
        return wrong_usage(
            f"--teach {teach} takes one whole picture a step, without --batch, --crop and cut-outs."
        )
    warn_about_unsaved(options.data)
    try:
        datasets = load_mixture(options)
        if teach == "objects" and not any(d.weight > 0 and _shows_everything(d) for d in datasets):
            return fail("--teach objects needs pictures of which all objects are annotated.")
        model = build_model(options, datasets)
        request = build_request(options, datasets, model)
        weights = train(model, request)
    except (ConverterError, SegmenterError, ValueError) as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{options.output}: {error.strerror or error}.")
    print(f"wrote {weights}")
    return DONE


def _settle_what_to_teach(options: argparse.Namespace) -> str:
    """Set `options.teach` from whichever of --teach and --stage was given; what is wrong with them, or ""."""
    from models.seednet.training.lessons import LESSONS

    if options.teach is not None and options.teach not in LESSONS:
        return f'--teach cannot be "{options.teach}"; there are: {", ".join(LESSONS)}.'
    meant = None if options.stage is None else LESSONS[options.stage]
    if options.teach and meant and options.teach != meant:
        return f"--stage {options.stage} means --teach {meant}, not --teach {options.teach}."
    options.teach = options.teach or meant or "masks"
    return ""


def _shows_everything(dataset: Dataset) -> bool:
    """Whether of some picture all objects are annotated, and none is part of a crowd."""
    return any(picture.exhaustive and not picture.crowds for picture in dataset.pictures)


def load_mixture(options: argparse.Namespace) -> tuple[Dataset, ...]:
    """The data sets with their shares; those without a share keep the default.

    Raises:
        ConverterError: nothing to read.
        ValueError: a share names a data set that is not there.
    """
    from models.data.dataset import load_dataset
    from models.data.mixture import mix_datasets

    return mix_datasets(load_dataset(options.data), shares=options.shares, partial=options.partial)


def build_model(options: argparse.Namespace, datasets: tuple[Dataset, ...]) -> TrainableModel:
    """A fresh network, or one that continues from given weights.

    Raises:
        SegmenterError: no such architecture, or weights that do not fit.
    """
    from app.commands.model_choice import find_weights
    from models.networks.recognition import read_any_weights
    from models.networks.registry import find_architecture
    from models.training.averaging import mean_weights

    starts = [read_any_weights(find_weights(start)) for start in options.start]
    start = mean_weights(starts) if starts else None
    build = find_architecture(options.model).trainable
    lesson: dict[str, Any] = {} if options.teach == "masks" else {"teach": options.teach}
    sizes: dict[str, Any] = {"sizes": dict(options.set)} if options.set else {}
    model: TrainableModel = build(datasets[0].categories, start=start, **lesson, **sizes)
    return model


def build_request(
    options: argparse.Namespace, datasets: tuple[Dataset, ...], model: TrainableModel
) -> TrainingRequest:
    """Budget, crops and paths; objects may also be cut from data sets that no crop is drawn from.

    Raises:
        ValueError: objects are to be cut from a data set that is not there, or has none that can be.
    """
    from models.data.copy_paste import CutoutLibrary
    from models.data.mixture import choose_datasets
    from models.training.request import TrainingRequest

    drawn = tuple(d for d in datasets if d.weight > 0)
    pictures = sum(len(d.pictures) for d in drawn)
    batch = 1 if model.crops.whole else options.batch or 6
    steps = max(1, round(options.epochs * pictures / batch)) if options.epochs else None
    minutes = options.minutes if steps is None else None
    cutouts = CutoutLibrary.from_folder(options.cutouts) if options.cutouts else CutoutLibrary()
    cutouts = cutouts.with_objects_of(choose_datasets(datasets, options.cut_from))
    return TrainingRequest(
        datasets=drawn,
        output=options.output,
        info=model.info,
        weights_name=f"{options.model}.safetensors",
        minutes=15.0 if steps is None and minutes is None else minutes,
        steps=steps,
        batch_size=batch,
        crops=replace(model.crops, size=options.crop) if options.crop else model.crops,
        cutouts=cutouts,
        rate=options.rate,
        backbone_rate=options.rate / 5,
        half=options.half,
        seed=options.seed,
        processes=_processes(options.processes),
    )


def _processes(asked: int | None) -> int:
    from models.device.choice import choose_device

    if asked is None:
        return max(1, granted_cores().cores - 1) if choose_device().type == "cuda" else 0
    return asked


def train(model: TrainableModel, request: TrainingRequest) -> Path:
    """Run the engine under a progress bar; an interruption keeps what was learned.

    Raises:
        OSError: the output folder cannot be written.
    """
    from models.device.choice import choose_device
    from models.training.events import CheckpointFailed, LeftOut, StepDone, TrainingEvent
    from models.training.training import Training

    stop: list[bool] = []
    with progress_bar(total=1000, title="train") as bar:

        def show(event: TrainingEvent) -> None:
            if isinstance(event, StepDone):
                bar.n = round(1000 * event.progress)
                bar.set_postfix(_short(event), refresh=True)
            elif isinstance(event, LeftOut):
                warn(f"set aside: {event.file}")
            elif isinstance(event, CheckpointFailed):
                warn(f"{event.path}: the state could not be written ({event.problem}); the training goes on.")

        _stop_on_interrupt(stop)
        return Training(
            model.network.to(choose_device()),
            model.loss,
            request,
            should_stop=lambda: bool(stop),
            on_event=show,
        ).run()


def _short(event: Any) -> dict[str, str]:
    losses = {name: f"{value:.3f}" for name, value in event.losses.items()}
    return {"step": str(event.step), **losses}


def _stop_on_interrupt(stop: list[bool]) -> None:
    """Ctrl+C asks the training to end and save; a second one ends the program."""
    import signal

    def ask(_signal: int, _frame: object) -> None:
        stop.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
