"""Drawing crops from pictures of which some cannot be read: these are set aside, the others go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from converters.errors import ConverterError
from models.data.copy_paste import CutoutLibrary
from models.data.crops import draw_crop
from models.data.dataset import SetAside

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from models.data.crops import CropSettings
    from models.data.dataset import Dataset
    from models.data.sample import CropTarget


class ReadableCrops:
    """What `draw_crop` draws, without the pictures that turned out not to be readable."""

    def __init__(
        self, datasets: Sequence[Dataset], settings: CropSettings, cutouts: CutoutLibrary | None = None
    ) -> None:
        self._datasets = tuple(datasets)
        self._settings = settings
        self._cutouts = cutouts or CutoutLibrary()
        self._news: list[SetAside] = []

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, CropTarget]:
        """One crop and its targets; see `draw_crop`.

        Raises:
            ConverterError: of no picture is anything left that could be read.
        """
        while True:
            try:
                return draw_crop(self._datasets, self._settings, rng, cutouts=self._cutouts)
            except ConverterError as error:
                self._leave_out(error)

    def taken(self) -> tuple[SetAside, ...]:
        """What was set aside since the last call."""
        news, self._news = tuple(self._news), []
        return news

    def _leave_out(self, error: ConverterError) -> None:
        path = error.path
        if path is None:
            raise error
        cutouts = self._cutouts.without(path)
        pictures = [tuple(p for p in d.pictures if p.path != path) for d in self._datasets]
        before = sum(len(d.pictures) for d in self._datasets)
        if sum(map(len, pictures)) == before and cutouts == self._cutouts:
            raise error
        self._news.append(SetAside.because(error, path))
        kept = zip(self._datasets, pictures, strict=True)
        self._datasets = tuple(replace(d, pictures=shown) for d, shown in kept if shown)
        self._cutouts = cutouts
        if not any(d.weight > 0 for d in self._datasets):
            raise ConverterError("none of the pictures to learn from can be read.", path=path) from error
