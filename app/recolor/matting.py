"""Closed-form alpha matting restricted to a list of unknown pixels.

A. Levin, D. Lischinski, Y. Weiss, "A closed-form solution to natural image matting", TPAMI 2008: inside
every 3 x 3 window alpha is taken to be an affine function of colour. The matting Laplacian (eq. 12) is
never assembled; its product is formed window by window, and only windows that touch an unknown pixel
take part, so that cost grows with the length of the edge and not with the area of the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from app.recolor.color_space import FloatArray

_EPSILON: Final = 1e-5  # colour variance that counts as noise, in squared encoded values
_ITERATIONS: Final = 120
_ACCURACY: Final = 2e-3  # of the residual's norm; finer changes no 8-bit pixel visibly


def solve_alpha(
    image: FloatArray,
    alpha: FloatArray,
    unknown: NDArray[np.bool_],
    *,
    prior_weight: float,
    should_stop: Callable[[], bool] | None = None,
) -> FloatArray:
    """Alpha of the unknown pixels, from the known ones around them and the picture's colours.

    Args:
        image: (h, w, 3) in [0, 1], in the encoding in which edges look even (sRGB or linear).
        alpha: (h, w) in [0, 1]: truth where known; where unknown, a first guess.
        unknown: (h, w) bool.
        prior_weight: pull of the unknown pixels towards their first guess; 0 trusts colours alone.
        should_stop: asked in every iteration; True returns the state reached.

    Returns:
        A new (h, w) array in [0, 1], equal to `alpha` where that is known.
    """
    result = alpha.astype(np.float32, copy=True)
    height, width = unknown.shape
    if not unknown.any() or height < 3 or width < 3:
        return result
    laplacian = _BandLaplacian(image, unknown)
    known = laplacian.gather(np.where(unknown, 0, alpha).astype(np.float32))
    guess = laplacian.gather(alpha.astype(np.float32))
    free = laplacian.gather(unknown.astype(np.float32))

    def operator(values: FloatArray) -> FloatArray:
        return np.asarray(free * (laplacian.product(values) + np.float32(prior_weight) * values))

    right = free * (np.float32(prior_weight) * guess - laplacian.product(known))
    scale = np.maximum(laplacian.diagonal() + np.float32(prior_weight), 1e-6)
    solution = _conjugate_gradient(operator, right, free * guess, scale, should_stop)
    values = np.clip(solution, 0.0, 1.0)
    result.ravel()[laplacian.pixels] = np.where(free > 0, values, laplacian.gather(result))
    return result


class _BandLaplacian:
    """The matting Laplacian's windows around a set of pixels.

    Attributes:
        pixels: (n,) flat indices of all pixels that the windows touch.
    """

    def __init__(self, image: FloatArray, unknown: NDArray[np.bool_]) -> None:
        height, width = unknown.shape
        centers = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
        centers[[0, -1]] = 0
        centers[:, [0, -1]] = 0
        touched = cv2.dilate(centers, np.ones((3, 3), np.uint8)) | unknown.astype(np.uint8)
        self.pixels = np.flatnonzero(touched)
        number = np.full(height * width, -1, np.int32)
        number[self.pixels] = np.arange(self.pixels.size, dtype=np.int32)
        steps = (np.arange(-1, 2)[:, None] * width + np.arange(-1, 2)).ravel()
        windows = number[np.flatnonzero(centers)[:, None] + steps]  # (k, 9)
        self._windows = windows
        colors = image.reshape(-1, 3)[self.pixels][windows]  # (k, 9, 3)
        self._colors = colors - colors.mean(axis=1, keepdims=True)
        covariance = self._colors.transpose(0, 2, 1) @ self._colors / 9
        covariance += np.eye(3, dtype=np.float32) * np.float32(_EPSILON / 9)
        self._weighted = self._colors @ _inverse(covariance) / 9

    def gather(self, plane: NDArray[np.float32]) -> FloatArray:
        """(n,) values of an (h, w) plane at `pixels`."""
        return np.asarray(plane.ravel()[self.pixels])

    def product(self, values: FloatArray) -> FloatArray:
        """(n,) the Laplacian times (n,) values."""
        local = values[self._windows]
        local = local - local.mean(axis=1, keepdims=True)
        slope = np.einsum("kic,ki->kc", self._weighted, local)
        local -= np.einsum("kic,kc->ki", self._colors, slope)
        return self._scatter(local)

    def diagonal(self) -> FloatArray:
        """(n,) the Laplacian's diagonal."""
        return self._scatter(1 - 1 / 9 - np.einsum("kic,kic->ki", self._colors, self._weighted))

    def _scatter(self, local: FloatArray) -> FloatArray:
        total = np.bincount(self._windows.ravel(), local.ravel(), minlength=self.pixels.size)
        return total.astype(np.float32)


def _inverse(matrices: FloatArray) -> FloatArray:
    """Inverses of (k, 3, 3) symmetric positive definite matrices, by cofactors (in double precision)."""
    m = matrices.astype(np.float64)
    a, b, c, d, e, f = m[:, 0, 0], m[:, 0, 1], m[:, 0, 2], m[:, 1, 1], m[:, 1, 2], m[:, 2, 2]
    inverse = np.empty_like(m)
    inverse[:, 0, 0] = d * f - e * e
    inverse[:, 1, 1] = a * f - c * c
    inverse[:, 2, 2] = a * d - b * b
    inverse[:, 0, 1] = inverse[:, 1, 0] = c * e - b * f
    inverse[:, 0, 2] = inverse[:, 2, 0] = b * e - c * d
    inverse[:, 1, 2] = inverse[:, 2, 1] = b * c - a * e
    determinant = a * inverse[:, 0, 0] + b * inverse[:, 0, 1] + c * inverse[:, 0, 2]
    inverse /= determinant[:, None, None]
    return inverse.astype(np.float32)


def _conjugate_gradient(
    operator: Callable[[FloatArray], FloatArray],
    right: FloatArray,
    start: FloatArray,
    scale: FloatArray,
    should_stop: Callable[[], bool] | None,
) -> FloatArray:
    """Solve operator(x) = right, preconditioned by the diagonal `scale`."""
    x = start
    residual = right - operator(x)
    direction = scaled = residual / scale
    energy = float(residual @ scaled)
    goal = _ACCURACY * float(np.linalg.norm(right)) + 1e-12
    for _ in range(_ITERATIONS):
        if float(np.linalg.norm(residual)) <= goal or (should_stop is not None and should_stop()):
            break
        image = operator(direction)
        step = np.float32(energy / max(float(direction @ image), 1e-30))
        x = x + step * direction
        residual = residual - step * image
        scaled = residual / scale
        energy, previous = float(residual @ scaled), energy
        direction = scaled + np.float32(energy / max(previous, 1e-30)) * direction
    return x
