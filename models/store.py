"""A user's own models: versions in a folder, one of them active, every step reversible."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.architectures.torchvision_names import read_torchvision_mask_rcnn
from models.errors import WeightsError
from models.registry import ARCHITECTURES, choose_device
from models.weights import WeightsInfo, read_weights, save_tensors

STATE_FILE = "active.json"
WEIGHTS_FILE = "weights.safetensors"
VERSION_PATTERN = re.compile(r"[\w.+-]+")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One version. `weights` is None for a model that comes with SeedHue."""

    version: str
    architecture: str
    weights: Path | None
    active: bool
    info: WeightsInfo | None = None


class ModelStore:
    """The folder of a user's models.

    The state file lists the activated versions in order; the last one is in use, `rollback` removes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _history(self) -> list[str]:
        try:
            state: Any = json.loads((self.folder / STATE_FILE).read_text(encoding="utf-8"))
            return [v for v in state["activated"] if (self.folder / v / WEIGHTS_FILE).is_file()]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # nothing activated yet, or a damaged file: the shipped model is always there

    def _write_history(self, versions: list[str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / (STATE_FILE + ".tmp")
        temporary.write_text(json.dumps({"activated": versions}), encoding="utf-8")
        os.replace(temporary, self.folder / STATE_FILE)

    def active(self) -> StoredModel:
        """The model in use; SeedHue's own if none was activated."""
        return next(model for model in self.models() if model.active)

    def models(self) -> list[StoredModel]:
        """SeedHue's own models first, then the user's by name."""
        history = self._history()
        current = history[-1] if history else None
        found = [
            StoredModel(f"{name} (shipped)", name, None, current is None)
            for name, architecture in ARCHITECTURES.items()
            if architecture.default_weights is not None
        ]
        for path in sorted(self.folder.glob(f"*/{WEIGHTS_FILE}")):
            info, _ = read_weights(path)
            if info is not None:
                version = path.parent.name
                found.append(StoredModel(version, info.architecture, path, version == current, info))
        return found

    def folder_for(self, version: str) -> Path:
        """Where a version's weights belong.

        Raises:
            WeightsError: the name is not a plain file name.
        """
        if not VERSION_PATTERN.fullmatch(version) or version.startswith("."):
            raise WeightsError(f'"{version}" cannot name a model: use letters, digits, ".", "_", "-", "+".')
        return self.folder / version

    def _existing(self, version: str) -> Path:
        path = self.folder_for(version) / WEIGHTS_FILE
        if not path.is_file():
            raise WeightsError(f'there is no model version "{version}".')
        return path

    def activate(self, version: str) -> None:
        """Use that version from now on.

        Raises:
            WeightsError: there is none, or its weights cannot be read.
        """
        read_weights(self._existing(version))
        self._write_history([*self._history(), version])

    def rollback(self) -> StoredModel:
        """Return to the version used before; without one, to SeedHue's own."""
        self._write_history(self._history()[:-1])
        return self.active()

    def import_weights(self, source: Path) -> StoredModel:
        """Copy a weights file into the store after building its network once.

        Besides SeedHue's own files, torchvision's published Mask R-CNN is known by its names and shapes.

        Raises:
            WeightsError: it is of no network known here, or does not fit it.
        """
        info, tensors = read_weights(source)
        foreign = read_torchvision_mask_rcnn(tensors) if info is None else None
        if foreign is not None:
            info, tensors = foreign
        if info is None or info.architecture not in ARCHITECTURES:
            raise WeightsError(f"{source}: no network of SeedHue fits this file.")
        ARCHITECTURES[info.architecture].build(info, tensors, source=str(source), device=choose_device("cpu"))
        version = source.stem if source.stem != "weights" else info.version
        target = self.folder_for(version)
        if target.exists():
            raise WeightsError(f'there is already a model version "{version}"; rename the file.')
        target.mkdir(parents=True)
        if foreign is None:
            shutil.copyfile(source, target / WEIGHTS_FILE)
        else:
            save_tensors(target / WEIGHTS_FILE, tensors, info)
        return StoredModel(version, info.architecture, target / WEIGHTS_FILE, False, info)

    def export(self, version: str, target: Path) -> None:
        """Copy a version's weights to a file.

        Raises:
            WeightsError: there is no such version.
        """
        shutil.copyfile(self._existing(version), target)
