"""A user's own models: versions in a folder, one of them active, every step reversible."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConverterError
from converters.files.files import read_json
from models.backbones.choice import BACKBONES
from models.device.choice import choose_device
from models.errors import SegmenterError, WeightsError
from models.networks.recognition import recognize
from models.networks.registry import ARCHITECTURES
from models.weights import WeightsInfo, read_header, read_weights, save_tensors, writing

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

logger = logging.getLogger(__name__)

STATE_FILE = "active.json"
WEIGHTS_FILE = "weights.safetensors"
TRIAL_SHAPE = (32, 128, 3)  # of the picture that an imported network has to read
VERSION_PATTERN = re.compile(r"[\w.+-]+")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One version.

    Attributes:
        architecture: registry name, or that of a backbone alone: a start for trainings, but no model.
        weights: None for a model that comes with SeedHue.
    """

    version: str
    architecture: str
    weights: Path | None
    active: bool
    info: WeightsInfo | None = None

    @property
    def is_backbone(self) -> bool:
        """Whether a training can begin with it, but no picture be segmented."""
        return self.architecture in BACKBONES


@dataclass(frozen=True, slots=True)
class Imported:
    """A model that was added, and the sizes that its file did not tell and that were taken as usual."""

    model: StoredModel
    assumed: dict[str, Any]


def _header(path: Path) -> WeightsInfo | None:
    """None also for a damaged file, which is left out of the list and named in the log."""
    try:
        return read_header(path)
    except WeightsError as error:
        logger.warning("a model is left out: %s", error)
        return None


def _try_out(info: WeightsInfo, tensors: dict[str, Tensor], source: Path) -> None:
    """Build the network and have it read a small picture: what goes wrong goes wrong now.

    Raises:
        WeightsError: there is no such network, or these are not its weights.
    """
    if info.architecture in BACKBONES:
        wanted = recognize(tensors, source=str(source)).info
        if (wanted.architecture, wanted.config) != (info.architecture, info.config):
            raise WeightsError(f"{source}: its header and its tensors tell of different backbones.")
        return
    if info.architecture not in ARCHITECTURES:
        raise WeightsError(f'{source}: there is no network called "{info.architecture}" here.')
    build = ARCHITECTURES[info.architecture].build
    segmenter = build(info, tensors, source=str(source), device=choose_device("cpu"))
    try:
        segmenter.encode(np.full(TRIAL_SHAPE, 127, np.uint8))
    except (SegmenterError, ValueError, RuntimeError, LookupError, ArithmeticError, TypeError) as error:
        raise WeightsError(f"{source}: a network of these sizes cannot read a picture ({error}).") from error


def _is_in_use(folder: Path) -> bool:
    """Whether something else than an import's leavings lies there, for example a training."""
    try:
        return any(not name.endswith(".tmp") for name in os.listdir(folder))
    except OSError:
        return False


class ModelStore:
    """The folder of a user's models.

    The state file lists the activated versions in order; the last one is in use, `rollback` removes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _history(self) -> list[str]:
        try:
            state: Any = read_json(self.folder / STATE_FILE)
            return [v for v in state["activated"] if (self.folder / v / WEIGHTS_FILE).is_file()]
        except (ConverterError, KeyError, TypeError):
            return []  # nothing activated yet, or a damaged file: the shipped model is always there

    def _write_history(self, versions: list[str]) -> None:
        with writing(self.folder / STATE_FILE) as temporary:
            temporary.write_text(json.dumps({"activated": versions}), encoding="utf-8")

    def active(self) -> StoredModel:
        """The model in use; SeedHue's own if none was activated."""
        return next(model for model in self.models() if model.active)

    def models(self) -> list[StoredModel]:
        """SeedHue's own models first, then the user's by name; a damaged file costs only its own model."""
        files = {path.parent.name: path for path in sorted(self.folder.glob(f"*/{WEIGHTS_FILE}"))}
        readable = {version: info for version, path in files.items() if (info := _header(path)) is not None}
        current = next((v for v in reversed(self._history()) if v in readable), None)
        shipped = [
            StoredModel(f"{name} (shipped)", name, None, current is None)
            for name, architecture in ARCHITECTURES.items()
            if architecture.default_weights is not None
        ]
        own = [
            StoredModel(
                version, info.architecture, self.folder / version / WEIGHTS_FILE, version == current, info
            )
            for version, info in readable.items()
        ]
        return shipped + own

    def folder_for(self, version: str) -> Path:
        """Where a version's weights belong.

        Raises:
            WeightsError: the name is not a plain file name.
        """
        if not VERSION_PATTERN.fullmatch(version) or version.startswith("."):
            raise WeightsError(f'"{version}" cannot name a model: use letters, digits, ".", "_", "-", "+".')
        return self.folder / version

    def activate(self, version: str) -> None:
        """Use that version from now on.

        Raises:
            WeightsError: there is none, its weights cannot be read, or it is a backbone alone.
        """
        info, _ = read_weights(self.weights_of(version))
        if info is not None and info.architecture in BACKBONES:
            raise WeightsError(
                f"{version} holds the backbone {info.architecture} alone: a network can be trained from it, "
                "but it finds no objects by itself."
            )
        self._write_history([*self._history(), version])

    def rollback(self) -> StoredModel:
        """Return to the version used before; without one, to SeedHue's own."""
        self._write_history(self._history()[:-1])
        return self.active()

    def weights_of(self, version: str) -> Path:
        """A version's weights file.

        Raises:
            WeightsError: there is no such version.
        """
        path = self.folder_for(version) / WEIGHTS_FILE
        if not path.is_file():
            raise WeightsError(f'there is no model version "{version}".')
        return path

    def import_weights(
        self, source: Path, *, name: str | None = None, categories: tuple[str, ...] = ()
    ) -> Imported:
        """Copy a weights file into the store after its network was built and has read a picture.

        A file without SeedHue's header is recognised by the names and shapes of its tensors.

        Args:
            name: what the version is called, by default as the file.
            categories: names of the classes of a file that does not name them.

        Raises:
            WeightsError: it is of no network known here, does not fit it, or cannot be copied. Nothing is
                left of it then.
        """
        info, tensors = read_weights(source)
        assumed: dict[str, Any] = {}
        foreign = info is None
        if info is not None and categories:
            raise WeightsError(f"{source}: its header names its classes; leave the names out.")
        if info is None:
            found = recognize(tensors, source=str(source), categories=categories)
            info, tensors, assumed = found.info, found.tensors, found.assumed
        _try_out(info, tensors, source)
        version = name or (source.stem if source.stem != "weights" else info.version)
        target = self.folder_for(version)
        if (target / WEIGHTS_FILE).exists() or _is_in_use(target):
            raise WeightsError(f'there is already a model version "{version}"; give it another name.')
        if foreign:
            info = replace(info, version=version, facts={"imported": source.name})
        try:
            if foreign:
                save_tensors(target / WEIGHTS_FILE, tensors, info)
            else:
                with writing(target / WEIGHTS_FILE) as temporary:
                    shutil.copyfile(source, temporary)
        except BaseException:
            with contextlib.suppress(OSError):
                target.rmdir()
            raise
        model = StoredModel(version, info.architecture, target / WEIGHTS_FILE, False, info)
        return Imported(model, assumed)

    def export(self, version: str, target: Path) -> None:
        """Copy a version's weights to a file.

        Raises:
            WeightsError: there is no such version, or the file cannot be written.
        """
        weights = self.weights_of(version)
        with writing(target) as temporary:
            shutil.copyfile(weights, temporary)
