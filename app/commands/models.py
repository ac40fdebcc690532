"""`models`: what is installed, which one is in use, and getting models in and out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.output import DONE, fail, print_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from models.store import ModelStore, StoredModel

_VERSION = "as `models list` names it"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the sub-command and its own sub-commands."""
    parser = commands.add_parser("models", help="list, choose, import and export models")
    parser.set_defaults(handler=run_list, json=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="every model, the one in use marked")
    listing.add_argument("--json", action="store_true", help="print it as JSON")
    listing.set_defaults(handler=run_list)
    info = actions.add_parser("info", help="sizes, parent and scores of a version")
    info.add_argument("version", metavar="VERSION", help=_VERSION)
    info.set_defaults(handler=run_info)
    activate = actions.add_parser("activate", help="use a version from now on")
    activate.add_argument("version", metavar="VERSION", help=_VERSION)
    activate.set_defaults(handler=run_activate)
    rollback = actions.add_parser("rollback", help="return to the version used before")
    rollback.set_defaults(handler=run_rollback)
    importing = actions.add_parser("import", help="add a weights file")
    importing.add_argument("file", metavar="FILE", type=Path, help="safetensors, or a torch state dict")
    importing.add_argument("--name", help="what to call it (default: as the file)")
    importing.add_argument(
        "--categories", help="names of its classes, with commas, if the file does not tell them"
    )
    importing.set_defaults(handler=run_import)
    exporting = actions.add_parser("export", help="copy a version's weights to a file")
    exporting.add_argument("version", metavar="VERSION", help=_VERSION)
    exporting.add_argument("file", metavar="FILE", type=Path, help="the file to write")
    exporting.set_defaults(handler=run_export)
    mean = actions.add_parser(
        "mean", help="the mean of several trainings of one network, as weights of its own"
    )
    mean.add_argument("weights", metavar="FILE|VERSION", nargs="+", help="trained from the same beginning")
    mean.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the file to write")
    mean.add_argument("--half", action="store_true", help="store the weights as float16, half the size")
    mean.set_defaults(handler=run_mean)


def _store() -> ModelStore:
    from app.commands.model_choice import user_model_store

    return user_model_store()


def _facts(model: StoredModel) -> dict[str, Any]:
    info = model.info
    return {
        "version": model.version,
        "architecture": model.architecture,
        "active": model.active,
        "file": None if model.weights is None else str(model.weights),
        "config": {} if info is None else info.config,
        "categories": [] if info is None else list(info.categories),
        "facts": {} if info is None else info.facts,
    }


def run_list(options: argparse.Namespace) -> int:
    """One line per model."""
    models = _store().models()
    if options.json:
        print_json([_facts(m) for m in models])
        return DONE
    for model in models:
        kind = f"{model.architecture} (a backbone alone)" if model.is_backbone else model.architecture
        print(f"{'*' if model.active else ' '} {model.version:28} {kind}")
    return DONE


def run_info(options: argparse.Namespace) -> int:
    """Everything the weights' header says."""
    for model in _store().models():
        if options.version in (model.version, model.architecture):
            print_json(_facts(model))
            return DONE
    return fail(f'there is no model version "{options.version}".')


def run_activate(options: argparse.Namespace) -> int:
    """Use a version from now on."""
    from models import WeightsError

    try:
        _store().activate(options.version)
    except WeightsError as error:
        return fail(str(error))
    print(f"{options.version} is in use now.")
    return DONE


def run_rollback(_options: argparse.Namespace) -> int:
    """Return to the version used before."""
    print(f"{_store().rollback().version} is in use now.")
    return DONE


def run_import(options: argparse.Namespace) -> int:
    """Add a weights file to the user's models."""
    from models import WeightsError

    names = tuple(name.strip() for name in (options.categories or "").split(",") if name.strip())
    try:
        imported = _store().import_weights(options.file, name=options.name, categories=names)
    except WeightsError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{options.file}: {error.strerror or error}.")
    model = imported.model
    if imported.assumed:
        taken = ", ".join(f"{name} {value}" for name, value in imported.assumed.items())
        print(f"The file does not tell these sizes, which were taken as usual: {taken}.")
    if model.is_backbone:
        print(
            f"{model.version} (the backbone {model.architecture}) was added; "
            f"`train --start {model.version}` begins with it."
        )
    else:
        print(f"{model.version} ({model.architecture}) was added; `models activate {model.version}` uses it.")
    return DONE


def run_export(options: argparse.Namespace) -> int:
    """Copy a version's weights to a file."""
    return _write(options.file, lambda: _store().export(options.version, options.file))


def run_mean(options: argparse.Namespace) -> int:
    """Write the mean of several trainings of one network."""
    from app.commands.model_choice import find_weights
    from models.networks.recognition import read_any_weights
    from models.training.averaging import mean_weights
    from models.weights import save_tensors

    def write_mean() -> None:
        several = [read_any_weights(find_weights(weights)) for weights in options.weights]
        info, tensors = mean_weights(several)
        history = replace(info, facts={"mean_of": [one.facts for one, _ in several]})
        save_tensors(options.output, tensors, history, half=options.half)

    return _write(options.output, write_mean)


def _write(file: Path, writing: Callable[[], None]) -> int:
    """Write a weights file and say so, or why not."""
    from models import WeightsError

    try:
        writing()
    except WeightsError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{file}: {error.strerror or error}.")
    print(f"wrote {file}")
    return DONE
