"""Looking for objects like one: in the open picture, and in one picture file after the other."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app.process.stopping import ShouldStop, Stopped, stopping
from app.workers.failure import describe_failure
from converters.annotation import Mask
from converters.errors import ConverterError
from converters.files.images import read_image
from converters.shapes.geometry import rasterize

if TYPE_CHECKING:
    from pathlib import Path

    from app.workers.requests import LoadModel
    from converters.annotation import Geometry, Seed

LEAST_SIMILARITY: Final = 0.1
MAX_COUNT: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class FindSimilar:
    """Find what looks like some objects of the open picture.

    Attributes:
        encoding: of the whole picture.
        objects: annotated regions.
    """

    encoding: Any
    objects: tuple[Geometry, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SimilarFind:
    """A prediction whose mask is kept small: a folder may hold thousands of them until it is decided on.

    Attributes:
        score: the similarity.
        seed, tau, level: asking the picture's encoding for them gives the mask again.
        bits: the mask's pixels inside its box, compressed.
    """

    score: float
    seed: Seed
    tau: float
    level: int | None
    corner: tuple[int, int]
    shape: tuple[int, int]
    bits: bytes

    @classmethod
    def of(cls, prediction: Any) -> SimilarFind:
        """The same as a prediction of `models` tells."""
        mask: Mask = prediction.mask
        rows, columns = mask.array.shape
        return cls(
            float(prediction.score),
            prediction.seed,
            float(prediction.tau),
            prediction.level,
            (mask.x0, mask.y0),
            (rows, columns),
            zlib.compress(np.packbits(mask.array).tobytes(), level=1),
        )

    @property
    def mask(self) -> Mask:
        """The object's pixels."""
        rows, columns = self.shape
        packed = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        pixels = np.unpackbits(packed, count=rows * columns).reshape(rows, columns)
        return Mask(*self.corner, pixels.astype(np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class SimilarFound:
    """Answer to FindSimilar.

    Attributes:
        reference: the model's description of the objects, for other pictures.
        finds: the most alike first.
    """

    reference: Any
    finds: tuple[SimilarFind, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SearchPicture:
    """Find what looks like the described objects in a picture file."""

    path: Path
    reference: Any
    model: LoadModel


@dataclass(frozen=True, slots=True, eq=False)
class PictureSearched:
    """Answer to SearchPicture; `problem` says why the picture could not be read."""

    path: Path
    finds: tuple[SimilarFind, ...] = ()
    problem: str = ""


def find_similar(request: FindSimilar) -> SimilarFound:
    """Describe the objects and look for others like them."""
    encoding = request.encoding
    masks = [rasterize(geometry, encoding.height, encoding.width) for geometry in request.objects]
    masks = [mask for mask in masks if not mask.is_empty]
    reference = encoding.appearance(masks)
    found = encoding.find_similar(
        reference, known=masks, min_similarity=LEAST_SIMILARITY, max_count=MAX_COUNT
    )
    return SimilarFound(reference, tuple(map(SimilarFind.of, found)))


def search_picture(request: SearchPicture, segmenter: Any, should_stop: ShouldStop) -> PictureSearched:
    """Encode a picture file and look there; a file that cannot be read is no error of the search."""
    try:
        image = read_image(request.path)
    except (ConverterError, OSError, MemoryError) as error:
        return PictureSearched(request.path, problem=describe_failure(error).title)
    if should_stop():
        raise Stopped
    with stopping(should_stop):
        encoding = segmenter.encode(image, should_stop=should_stop)
    found = encoding.find_similar(
        request.reference, elsewhere=True, min_similarity=LEAST_SIMILARITY, max_count=MAX_COUNT
    )
    return PictureSearched(request.path, tuple(map(SimilarFind.of, found)))
