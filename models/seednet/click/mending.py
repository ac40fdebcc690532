"""Several clicks mend a mask: each lifts or lowers the logits where the picture is like the click.

A click's own answer says which pixels are like it; that answer, as a kernel that is 1 at the click, is
added with the smallest weight that puts every click on its side of the border. This is interpolation with
kernels whose shapes the network chose, so a negative click takes a wrongly included part and not a disc.
The nearest click of the other sign says how local the mistake is: beyond it a kernel fades away.
A click that is on its side anyway needs no kernel, so none is computed.
"""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.seednet.click.seed_answer import Grid, Hypothesis, SeedAnswer

Cell = tuple[int, int]
Vector = NDArray[np.float64]

LIMIT = 6.0  # logits; beyond it the network is sure, and a click must still be able to turn it
MARGIN = 2.0  # logits by which every click is to be on its own side
FALL = 1.1  # logarithm of the kernel at the border of the click's own answer: exp(-1.1) is a third
REACH = 1.5  # distances to the nearest click of the other sign within which a kernel fades to exp(-1)
NEAREST = 2.0  # cells; clicks that touch still mean a part, not a pixel
SWEEPS = 30


def kernel(answer: SeedAnswer, hypothesis: Hypothesis, cell: Cell) -> Grid:
    """(h, w) in (0, 1]: 1 at the click, a third at the border of its own answer, less beyond."""
    field = answer.logits[hypothesis.level] - np.float32(hypothesis.threshold)
    peak = max(float(field[cell]), 0.4)
    return np.asarray(np.exp(np.minimum(field - peak, 0.0) * (FALL / peak)), np.float32)


def mend(
    field: Grid,
    kernels: Callable[[Sequence[int]], Sequence[Grid]],
    cells: Sequence[Cell],
    positive: Sequence[bool],
) -> Grid:
    """Add kernels so that every click lies on its side of zero; each fades beyond the nearest opposite click.

    Args:
        field: (h, w) logits relative to the border.
        kernels: gives those of some clicks, by index; asked for each click at most once, and only if it
            is not right by MARGIN.
        cells, positive: one per click; positive clicks only ever add, negative ones only take.

    Returns:
        The mended field; clicks that are right by MARGIN change nothing.
    """
    out = np.clip(field, -LIMIT, LIMIT)
    signs = np.where(positive, 1.0, -1.0)
    start = np.array([float(out[cell]) for cell in cells])
    effect, weights = np.zeros((len(cells), len(cells))), np.zeros(len(cells))
    used: dict[int, Grid] = {}
    while wrong := [
        int(j) for j in np.flatnonzero(signs * (start + effect @ weights) < MARGIN) if j not in used
    ]:
        for j, own in zip(wrong, kernels(wrong), strict=True):
            opposite = [c for c, sign in zip(cells, signs, strict=True) if sign != signs[j]]
            used[j] = _faded(own, cells[j], opposite)
            effect[:, j] = [float(used[j][cell]) for cell in cells]
        weights = _weights(start, effect, signs, sorted(used))
    for j in sorted(used):
        if weights[j]:
            out += np.float32(weights[j]) * used[j]
    return np.asarray(out, np.float32)


def _faded(kernel: Grid, cell: Cell, opposite: Sequence[Cell]) -> Grid:
    """(h, w) in [0, 1]: the kernel, less far from its click; whole if there is no click of the other sign."""
    if not opposite:
        return kernel
    nearest = min(hypot(cell[0] - row, cell[1] - column) for row, column in opposite)
    rows, columns = (
        np.exp(-np.square((np.arange(size) - middle) / (REACH * max(nearest, NEAREST))))
        for size, middle in zip(kernel.shape, cell, strict=True)
    )
    return np.asarray(kernel * np.outer(rows, columns), np.float32)


def _weights(start: Vector, effect: Vector, signs: Vector, used: Sequence[int]) -> Vector:
    """The smallest weights of the kernels in use with which their clicks are right by MARGIN.

    Args:
        start, signs: (n,) the field at each click, and the side it belongs to.
        effect: (n, n), of each column's kernel at each row's click.
    """
    weights = np.zeros(len(start))
    # Projected Gauss-Seidel; the diagonal is 1 because every kernel is 1 at its own click.
    for _ in range(SWEEPS):
        for j in used:
            missing = MARGIN - signs[j] * (start[j] + effect[j] @ weights)
            weights[j] = signs[j] * max(0.0, signs[j] * weights[j] + missing)
    return weights
