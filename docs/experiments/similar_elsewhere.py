"""How alike objects of one kind look in different pictures: fits and measures the weights of the similarity.

    python -m docs.experiments.similar_elsewhere FIT_FOLDER... --check FOLDER...

Each FOLDER holds images/ and instances.json (COCO) in which all objects are annotated. A query is the
annotated mask of an object, looked for in three pictures that have its kind and in five that have none. A
candidate is right if it covers an object of the kind with IoU 0.5 or more. Prints the weights of a logistic
regression on FIT_FOLDERs, each counting alike, and for every folder precision and recall where the slider
starts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.shapes.geometry import mask_iou
from models import load_segmenter
from models.data.dataset import load_coco_folder
from models.evaluation.clicks import MIN_AREA_SHARE
from models.seednet.similar import LEAST
from models.segmenter import SIMILAR_FROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.data.dataset import AnnotatedPicture

WITH_KIND, WITHOUT_KIND, QUERIES = 3, 5, 2
RIGHT_IOU = 0.5


def main() -> None:
    """Fit, then measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fit", type=Path, nargs="*", metavar="FIT_FOLDER")
    parser.add_argument("--check", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--pictures", type=int, default=20, help="of each folder (default: %(default)s)")
    options = parser.parse_args()
    segmenter = load_segmenter("seednet")
    tables = [measure(segmenter, folder, options.pictures) for folder in options.fit]
    if tables:
        print("weights of the cosine, of log IoU, and what is added:", np.round(fitted(tables), 2))
    tables += [measure(segmenter, folder, options.pictures) for folder in options.check]
    for folder, table in zip([*options.fit, *options.check], tables, strict=True):
        shown, right = table[:, 2] >= SIMILAR_FROM, table[:, 3] > 0
        hits, count = int(np.count_nonzero(shown & right)), int(np.count_nonzero(shown))
        precision, recall = hits / max(1, count), hits / max(1, int(np.count_nonzero(right)))
        print(f"{folder.name}: precision {precision:.2f}, recall {recall:.2f}, shown {count}")


def measure(segmenter: Any, folder: Path, count: int) -> NDArray[np.float64]:
    """(N, 4): cosine, log IoU, similarity, and 1 if right, of what is found in a folder."""
    rng = np.random.default_rng(0)
    pictures = load_coco_folder(folder).pictures[:count]
    encodings = [segmenter.encode(picture.pixels()) for picture in pictures]
    rows: list[tuple[float, ...]] = []
    for here, picture in enumerate(pictures):
        least = MIN_AREA_SHARE * picture.height * picture.width
        large = [o for o in picture.objects if o.has_mask and o.mask.area >= least]
        for number in rng.permutation(len(large))[:QUERIES]:
            wanted = large[number]
            reference = encodings[here].appearance([wanted.mask])
            for there in _choose(pictures, here, wanted.category, rng):
                encoding, other = encodings[there], pictures[there]
                for found in encoding.find_similar(reference, elsewhere=True, max_count=200):
                    truths = [o.mask for o in other.objects if o.category == wanted.category]
                    right = any(mask_iou(found.mask, truth) >= RIGHT_IOU for truth in truths)
                    seen = encoding.appearance([found.mask])
                    ours, theirs = (a.vectors[0] - a.background for a in (reference, seen))
                    alike = float(ours @ theirs / max(1e-6, np.linalg.norm(ours) * np.linalg.norm(theirs)))
                    believed = float(np.log(max(found.mask_score, LEAST)))
                    rows.append((alike, believed, found.score, float(right)))
    return np.array(rows, np.float64).reshape(-1, 4)


def _choose(
    pictures: Sequence[AnnotatedPicture], here: int, kind: int, rng: np.random.Generator
) -> list[int]:
    others = [i for i in rng.permutation(len(pictures)).tolist() if i != here]
    has = [any(o.category == kind for o in pictures[i].objects) for i in range(len(pictures))]
    return [i for i in others if has[i]][:WITH_KIND] + [i for i in others if not has[i]][:WITHOUT_KIND]


def fitted(tables: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(3,) the weights, by Newton's steps."""
    rows = np.concatenate(tables)
    known, right = np.column_stack([rows[:, :2], np.ones(len(rows))]), rows[:, 3]
    share = np.concatenate([np.full(len(t), 1000 / max(1, len(t))) for t in tables])
    weights = np.zeros(3)
    for _ in range(60):
        guess = 1.0 / (1.0 + np.exp(-known @ weights))
        gradient = known.T @ (share * (guess - right))
        curvature = (known * (share * guess * (1 - guess))[:, None]).T @ known + 1e-3 * np.eye(3)
        weights -= np.linalg.solve(curvature, gradient)
    return weights


if __name__ == "__main__":
    main()
