"""Runs inside labelme's own environment: reads label files with labelme and tells what it saw.

Takes a JSON list of file names on the standard input and writes one answer for each: an error, or the
shapes as labelme understood them with its own semantic and instance pictures (as lists of runs).
"""

from __future__ import annotations

import json
import sys

import numpy as np
from labelme import LabelFile
from labelme.utils import shapes_to_label


def runs(array: np.ndarray) -> list[list[int]]:
    flat = array.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff([*starts, flat.size])
    return [[int(flat[s]), int(n)] for s, n in zip(starts, lengths, strict=True)]


def judge(path: str) -> dict:
    try:
        file = LabelFile(path)
    except Exception as error:  # noqa: BLE001  labelme may raise anything; the caller judges
        return {"error": f"{type(error).__name__}: {error}"}
    with open(path, encoding="utf-8") as stream:
        document = json.load(stream)
    answer = {"labels": [shape["label"] for shape in file.shapes], "flags": file.flags}
    names = {"_background_": 0}
    for label in sorted({shape["label"] for shape in file.shapes}):
        names.setdefault(label, len(names))
    size = (document["imageHeight"], document["imageWidth"], 3)
    try:
        classes, instances = shapes_to_label(size, file.shapes, names)
    except Exception as error:  # noqa: BLE001  labelme may raise anything; the caller judges
        return {**answer, "drawing": f"{type(error).__name__}: {error}"}
    return {**answer, "names": names, "classes": runs(classes), "instances": runs(instances)}


json.dump([judge(path) for path in json.load(sys.stdin)], sys.stdout)
