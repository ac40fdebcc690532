"""The edge of an object: how much of it every pixel near the mask's border holds, and its own colour there.

A mask says yes or no; a photo's edge pixels mix object and background. Inside a narrow band around the
border alpha is estimated, together with the object's colour F and the background's colour B, so that the
object can be recoloured without leaving a rim of its old colour (docs/adr/0003-edge-alpha.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from app.recolor.color_space import ByteArray, FloatArray, to_linear
from app.recolor.matting import solve_alpha

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BAND: Final = 4  # pixels to either side of the border in which a mask may be wrong
_PRIOR_WEIGHT: Final = 3e-4
_BLUR_SIGMA: Final = 0.7
_STRAIGHT_BORDER: Final = 0.78  # what that blur leaves of a pixel at a straight border
_COLOR_SIGMAS: Final = (6.0, 1.5)  # of the neighbourhoods that object and background colours come from
_SOLID: Final = 0.995
_UNSURE: Final = 0.05  # error of the solved alpha
_EMPTY: Final = 1e-3
_PRIOR_CONTRAST: Final = (
    4e-3  # squared linear contrast at which a pixel's colour and the prior weigh the same
)
_COLOR_ERROR: Final = 0.3  # likely error of a neighbourhood mean, as a share of its brightness
_ALPHA_ERROR: Final = 0.03
_NOISE: Final = 0.005  # linear
_STRIP_ROWS: Final = 128


@dataclass(frozen=True, slots=True)
class Edge:
    """Alpha and object colours around a mask's border.

    Attributes:
        solid: (h, w) bool: wholly object; alpha is 1 and the object's colour is the picture's.
        band: (n,) flat indices of the mixed pixels, in ascending order.
        alpha: (n,) their share of the object in [0, 1].
        foreground: (n, 3) the object's own linear colour there.
    """

    solid: NDArray[np.bool_]
    band: NDArray[np.intp]
    alpha: FloatArray
    foreground: FloatArray


@dataclass(frozen=True, slots=True)
class Trimap:
    """A mask with its doubtful pixels told apart: (h, w) bool planes; the rest is background."""

    sure: NDArray[np.bool_]
    unknown: NDArray[np.bool_]


def make_trimap(mask: NDArray[np.bool_]) -> Trimap:
    """The band of `BAND` pixels to either side of the border; narrower on and around thin parts.

    Without the narrowing a wire or a one-pixel object would consist of doubt alone.
    """
    inside = mask.astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    size = 4 * BAND + 1
    thickness = cv2.dilate(depth, np.ones((size, size), np.uint8))
    limit = np.clip(0.6 * thickness, 0.6, BAND)
    sure = mask & (depth > limit)
    outer = ~mask & (away <= np.maximum(limit, 1.0))
    return Trimap(sure, (mask & ~sure) | outer)


def blurred_edge(linear: FloatArray, mask: NDArray[np.bool_]) -> Edge:
    """The quick edge for previews: alpha is the mask with a slight blur.

    Args:
        linear: (h, w, 3) linear light.
        mask: (h, w).
    """
    alpha = _blurred(mask)
    solid = alpha >= _SOLID
    band = np.flatnonzero(~solid & (alpha > _EMPTY))
    foreground, _ = _separate(linear, alpha, band, _COLOR_SIGMAS[:1])
    return Edge(solid, band, np.asarray(alpha.ravel()[band]), foreground.reshape(-1, 3)[band])


def estimated_edge(
    codes: ByteArray,
    mask: NDArray[np.bool_],
    step: int,
    should_stop: Callable[[], bool] | None = None,
) -> Edge:
    """The careful edge for final results: alpha solved from the picture (`matting.solve_alpha`).

    Args:
        codes: (h, w, 3) uint8 sRGB.
        mask: (h, w), not empty.
        step: 1, or the factor by which alpha is solved smaller; the band then has `step` times its
            width, because a mask from a network is that much coarser on a large picture, and the
            result is sharpened on the full picture's pixels.
        should_stop: asked in every iteration of the solver; True ends it early.
    """
    linear = _reduced_linear(codes, step)
    small = _reduced_mask(mask, step)
    trimap = make_trimap(small)
    guess = np.where(trimap.unknown, _blurred(small), trimap.sure).astype(np.float32)
    solved = solve_alpha(linear, guess, trimap.unknown, prior_weight=_PRIOR_WEIGHT, should_stop=should_stop)
    # A pixel that is 97 % object is object: on a black target its last 3 % of white would glow.
    alpha = np.clip((solved - _UNSURE) / (1 - 2 * _UNSURE), 0.0, 1.0).astype(np.float32)
    solid = trimap.sure | (alpha >= _SOLID)
    band = np.flatnonzero(trimap.unknown & ~solid & (alpha > _EMPTY))
    foreground, background = _separate(linear, alpha, band, _COLOR_SIGMAS)
    if step == 1:
        return Edge(solid, band, np.asarray(alpha.ravel()[band]), foreground.reshape(-1, 3)[band])
    return _sharpened(codes, mask, step, trimap, np.dstack([alpha, foreground, background]))


def _sharpened(
    codes: ByteArray, mask: NDArray[np.bool_], step: int, trimap: Trimap, estimate: FloatArray
) -> Edge:
    """Alpha and object colours of the full picture's pixels from a smaller estimate.

    Args:
        estimate: (h / step, w / step, 7): alpha, object colour, background colour.
    """
    # Parts thinner than the working size has pixels are taken as the mask gives them.
    lost = cv2.dilate((trimap.unknown | trimap.sure).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    solid = (_enlarged(trimap.sure, step, mask.shape) | _enlarged(lost, step, mask.shape)) & mask
    band = np.flatnonzero(_enlarged(trimap.unknown, step, mask.shape) & ~solid)
    prior, front, back = np.split(_sample(estimate, band, mask.shape[1], step), [1, 4], axis=1)
    pixel = to_linear(codes.reshape(-1, 3)[band])
    across = front - back
    contrast = np.einsum("nc,nc->n", across, across)
    seen = np.einsum("nc,nc->n", pixel - back, across)
    alpha = np.clip((seen + _PRIOR_CONTRAST * prior[:, 0]) / (contrast + _PRIOR_CONTRAST), 0.0, 1.0)
    foreground, _ = _explain(pixel, alpha[:, None], front, back)
    full = alpha >= _SOLID
    solid.ravel()[band[full]] = True
    keep = ~full & (alpha > _EMPTY)
    return Edge(solid, band[keep], alpha[keep].astype(np.float32), foreground[keep].astype(np.float32))


def _sample(planes: FloatArray, positions: NDArray[np.intp], width: int, step: int) -> FloatArray:
    """(n, c) bilinear values of small (h, w, c) planes at flat positions of the full picture."""
    rows, columns = np.divmod(positions, width)
    y = np.clip((rows + 0.5) / step - 0.5, 0, planes.shape[0] - 1)
    x = np.clip((columns + 0.5) / step - 0.5, 0, planes.shape[1] - 1)
    top = np.minimum(y.astype(np.intp), max(planes.shape[0] - 2, 0))
    left = np.minimum(x.astype(np.intp), max(planes.shape[1] - 2, 0))
    bottom, right = np.minimum(top + 1, planes.shape[0] - 1), np.minimum(left + 1, planes.shape[1] - 1)
    down, along = (y - top).astype(np.float32)[:, None], (x - left).astype(np.float32)[:, None]
    upper = planes[top, left] * (1 - along) + planes[top, right] * along
    lower = planes[bottom, left] * (1 - along) + planes[bottom, right] * along
    return np.asarray(upper * (1 - down) + lower * down)


def _enlarged(plane: NDArray[np.bool_], step: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    size = (plane.shape[1] * step, plane.shape[0] * step)
    large = cv2.resize(plane.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(large[: shape[0], : shape[1]] > 0)


def _padded(plane: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """The plane with its border repeated until both sides are multiples of `step`."""
    below, right = -plane.shape[0] % step, -plane.shape[1] % step
    return np.asarray(cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _reduced_linear(codes: ByteArray, step: int) -> FloatArray:
    """(h / step, w / step, 3) means in linear light, strip by strip to keep memory low."""
    if step == 1:
        return to_linear(codes)
    padded = _padded(codes, step)
    small = np.empty((padded.shape[0] // step, padded.shape[1] // step, 3), np.float32)
    for row in range(0, len(small), _STRIP_ROWS):
        strip = to_linear(padded[row * step : (row + _STRIP_ROWS) * step])
        size = (small.shape[1], strip.shape[0] // step)
        small[row : row + _STRIP_ROWS] = cv2.resize(strip, size, interpolation=cv2.INTER_AREA)
    return small


def _reduced_mask(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    if step == 1:
        return mask
    padded = _padded(mask.astype(np.uint8) * 255, step)
    size = (padded.shape[1] // step, padded.shape[0] // step)
    return np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA) >= 128)


def _blurred(mask: NDArray[np.bool_]) -> FloatArray:
    """The mask after a narrow Gaussian, zero beyond two pixels from it.

    Its own pixels keep at least what those at a straight border have, or thin lines would vanish.
    """
    plane = mask.astype(np.float32)
    blurred = cv2.GaussianBlur(plane, (5, 5), _BLUR_SIGMA, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.maximum(blurred, np.float32(_STRAIGHT_BORDER) * plane), np.float32)


def _separate(
    linear: FloatArray, alpha: FloatArray, band: NDArray[np.intp], sigmas: tuple[float, ...]
) -> tuple[FloatArray, FloatArray]:
    """(h, w, 3) object and background colours, F and B: exact in the band, neighbourhood means beyond.

    Means first, then the likeliest change of both that explains the pixel, from wide neighbourhoods to
    narrow ones (after M. Forte, F. Pitié, "Approximate fast foreground colour estimation", ICIP 2021).
    """
    foreground = background = linear
    pixels, share = linear.reshape(-1, 3)[band], alpha.ravel()[band][:, None]
    for number, sigma in enumerate(sigmas):
        front = _weighted_mean(foreground, alpha, sigma)
        back = _weighted_mean(background, 1 - alpha, sigma)
        means = front.reshape(-1, 3)[band], back.reshape(-1, 3)[band]
        if number + 1 < len(sigmas):
            front, back = linear.copy(), linear.copy()
        front.reshape(-1, 3)[band], back.reshape(-1, 3)[band] = _explain(pixels, share, *means)
        foreground, background = front, back
    return foreground, background


def _explain(
    pixel: FloatArray, share: FloatArray, front: FloatArray, back: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(..., 3) F and B nearest to their means that make up the pixel at alpha `share` (..., 1).

    What the means leave unexplained is laid upon F, B and alpha by their likely errors (least squares
    with Gaussian priors). F and B err in proportion to their brightness: a dark object takes no light
    from a bright background whose alpha is a little off, which recolouring to white would magnify.
    """
    front_power = (_COLOR_ERROR * _norm(front) + _NOISE) ** 2
    back_power = (_COLOR_ERROR * _norm(back) + _NOISE) ** 2
    alpha_power = (_ALPHA_ERROR * _norm(front - back)) ** 2
    rest = pixel - share * front - (1 - share) * back
    rest /= share * share * front_power + (1 - share) ** 2 * back_power + alpha_power
    foreground = np.clip(front + share * front_power * rest, 0.0, 1.0)
    background = np.clip(back + (1 - share) * back_power * rest, 0.0, 1.0)
    return np.asarray(foreground, np.float32), np.asarray(background, np.float32)


def _norm(colors: FloatArray) -> FloatArray:
    """(..., 1) root mean square of the channels."""
    return np.asarray(np.sqrt(np.mean(colors * colors, axis=-1, keepdims=True)), np.float32)


def _weighted_mean(colors: FloatArray, weight: FloatArray, sigma: float) -> FloatArray:
    """(h, w, 3) means of colours under (h, w) weights in neighbourhoods of about that deviation; far
    from any weight the colours themselves. Two box filters stand in for a Gaussian."""
    width = 2 * round(sigma * 1.2) + 1
    planes = cv2.merge([*cv2.split(colors * weight[..., None]), weight])
    for _ in range(2):
        planes = cv2.boxFilter(planes, cv2.CV_32F, (width, width))
    tiny = np.float32(1e-4)
    return np.asarray((planes[..., :3] + tiny * colors) / (planes[..., 3:] + tiny))
