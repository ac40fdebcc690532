"""Several clicks mend a mask: each lifts or lowers the logits where the picture is like the click.

A click's own answer says which pixels are like it; that answer, as a kernel that is 1 at the click, is
added with the smallest weight that puts every click on its side of the border. This is interpolation with
kernels whose shapes the network chose, so a negative click takes a wrongly included part and not a disc.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.inference.seed_answer import Grid, Hypothesis, SeedAnswer

Cell = tuple[int, int]

LIMIT = 6.0  # logits; beyond it the network is sure, and a click must still be able to turn it
MARGIN = 2.0  # logits by which every click is to be on its own side
FALL = 1.1  # logarithm of the kernel at the border of the click's own answer: exp(-1.1) is a third
SWEEPS = 30


def kernel(answer: SeedAnswer, hypothesis: Hypothesis, cell: Cell) -> Grid:
    """(h, w) in (0, 1]: 1 at the click, a third at the border of its own answer, less beyond."""
    field = answer.logits[hypothesis.level] - np.float32(hypothesis.threshold)
    peak = max(float(field[cell]), 0.4)
    return np.asarray(np.exp(np.minimum(field - peak, 0.0) * (FALL / peak)), np.float32)


def mend(field: Grid, kernels: Sequence[Grid], cells: Sequence[Cell], positive: Sequence[bool]) -> Grid:
    """Add the kernels so that every click lies on its side of zero.

    Args:
        field: (h, w) logits relative to the border.
        kernels, cells, positive: one per click; positive clicks only ever add, negative ones only take.

    Returns:
        The mended field; clicks that are right by MARGIN change nothing.
    """
    out = np.clip(field, -LIMIT, LIMIT)
    signs = np.where(positive, 1.0, -1.0)
    start = np.array([float(out[cell]) for cell in cells])
    effect = np.array([[float(k[cell]) for k in kernels] for cell in cells])
    weights = np.zeros(len(cells))
    # Projected Gauss-Seidel; the diagonal is 1 because every kernel is 1 at its own click.
    for _ in range(SWEEPS):
        for j, sign in enumerate(signs):
            missing = MARGIN - sign * (start[j] + effect[j] @ weights)
            weights[j] = sign * max(0.0, sign * weights[j] + missing)
    for weight, k in zip(weights, kernels, strict=True):
        if weight:
            out += np.float32(weight) * k
    return np.asarray(out, np.float32)
