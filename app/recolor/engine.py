"""The recolouring engine: an object's pixels in, its pixels in another colour out (Qt-free).

`recolor` does it in one call. A window that drags a slider keeps `prepare`'s result and calls `render`
for every position, which spares the analysis and the edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np

from app.process.stopping import stop_if
from app.recolor.alpha import BAND, Edge, blurred_edge, estimated_edge
from app.recolor.color_space import ByteArray, FloatArray, to_codes, to_linear
from app.recolor.palette import analyse_object, sample_color
from app.recolor.recipe import Recipe, make_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from app.process.stopping import ShouldStop
    from app.recolor.body import BodyModel
    from converters.annotation import Mask, RecolorOperation

__all__ = [
    "PreparedObject",
    "Quality",
    "RecolorPatch",
    "apply_operations",
    "apply_patch",
    "prepare",
    "recolor",
    "sample_color",
]

Quality = Literal["preview", "final"]

_PREVIEW_PIXELS: Final = 260_000  # working size of a preview: within 30 ms on one core
_EDGE_PIXELS: Final = 1_500_000  # working size of the final edge estimate; the colours are always full size
_STRIP_PIXELS: Final = 200_000  # rows are handled in strips of about this size, which stay in the cache
_CONTEXT: Final = 12  # pixels around the band from which the background's colour is taken
_TEXTURE_SHARE: Final = 0.02  # of the object's extent: window that tells texture from shading


@dataclass(frozen=True, slots=True)
class RecolorPatch:
    """The changed part of a picture.

    Attributes:
        x0, y0: its top left pixel in the picture.
        rgb: (h, w, 3) uint8 sRGB; 0 x 0 for a mask without a pixel in the picture.
    """

    x0: int
    y0: int
    rgb: ByteArray


@dataclass(frozen=True, slots=True)
class PreparedObject:
    """An object cut out and analysed, ready to be rendered in any colour.

    Attributes:
        x0, y0: top left pixel of the region in the picture.
        codes: (h, w, 3) uint8 sRGB, the region as it is.
        work: the same at the working size: equal to `codes` for a final result, smaller for a preview.
        edge: at the working size.
        reach: (h, w) uint8, nonzero where a preview may change the region; None for a final result.
        texture_radius: in pixels of the working size.
    """

    x0: int
    y0: int
    codes: ByteArray
    work: ByteArray
    body: BodyModel | None
    edge: Edge | None
    reach: ByteArray | None
    texture_radius: int

    def render(self, operation: RecolorOperation, should_stop: ShouldStop | None = None) -> RecolorPatch:
        """The region with the object in another colour.

        Raises:
            ValueError: the colour or a setting is malformed or out of range.
            Stopped: `should_stop` returned True.
        """
        if self.body is None or self.edge is None:
            return RecolorPatch(self.x0, self.y0, self.codes)
        recipe = make_recipe(self.body, operation, self.texture_radius)
        rendered = _render(self.work, self.edge, recipe, (self.x0, self.y0), should_stop)
        if self.reach is not None:
            rendered = _transfer_change(self.codes, self.work, rendered, self.reach)
        return RecolorPatch(self.x0, self.y0, rendered)


def recolor(
    image: ByteArray,
    mask: Mask,
    operation: RecolorOperation,
    *,
    quality: Quality = "final",
    should_stop: ShouldStop | None = None,
) -> RecolorPatch:
    """One object in another colour.

    Args:
        image: (H, W, 3) uint8 sRGB; not changed.
        mask: the object; parts outside the picture are ignored.
        quality: "preview" works at reduced size with a blurred edge; "final" at full size with an
            estimated alpha.
        should_stop: asked every few milliseconds.

    Returns:
        A patch that covers the object and its surroundings. Pixels more than the edge band away from
        the mask are bit for bit those of the picture.

    Raises:
        ValueError: the picture, the colour or a setting is malformed.
        Stopped: `should_stop` returned True.
    """
    return prepare(image, mask, quality=quality, should_stop=should_stop).render(operation, should_stop)


def apply_patch(image: ByteArray, patch: RecolorPatch) -> None:
    """Put a patch into an (H, W, 3) picture, in place."""
    height, width = patch.rgb.shape[:2]
    image[patch.y0 : patch.y0 + height, patch.x0 : patch.x0 + width] = patch.rgb


def apply_operations(
    image: ByteArray,
    operations: Iterable[tuple[Mask, RecolorOperation]],
    *,
    quality: Quality = "final",
    should_stop: ShouldStop | None = None,
) -> ByteArray:
    """A copy of the picture with every operation applied in order, later ones on top.

    Raises:
        ValueError, Stopped: as `recolor`.
    """
    result = np.array(image, np.uint8, copy=True, order="C")
    for mask, operation in operations:
        apply_patch(result, recolor(result, mask, operation, quality=quality, should_stop=should_stop))
    return result


def prepare(
    image: ByteArray,
    mask: Mask,
    *,
    quality: Quality = "final",
    should_stop: ShouldStop | None = None,
) -> PreparedObject:
    """Cut out and analyse an object; arguments and errors as for `recolor`."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"recolouring needs an 8-bit RGB picture of shape (H, W, 3); got {image.dtype} {image.shape}"
        )
    if quality not in ("preview", "final"):
        raise ValueError(f'quality is "preview" or "final", got {quality!r}')
    stop_if(should_stop)
    inside = mask.clipped(*image.shape[:2])
    if inside.is_empty:
        nothing = np.zeros((0, 0, 3), np.uint8)
        return PreparedObject(0, 0, nothing, nothing, None, None, None, 2)
    step = _step(inside, _PREVIEW_PIXELS if quality == "preview" else _EDGE_PIXELS)
    x0, y0, x1, y1 = _region(inside, image.shape[:2], (BAND + 1) * step + _CONTEXT)
    codes = np.ascontiguousarray(image[y0:y1, x0:x1])
    member = inside.window((x0, y0, x1, y1))
    body = analyse_object(codes, member)
    radius = _TEXTURE_SHARE * math.sqrt(inside.array.size)
    if quality == "preview":
        small, small_member = _reduced(codes, step), _reduced_mask(member, step)
        edge = blurred_edge(to_linear(small), small_member)
        reach = cv2.dilate(member.astype(np.uint8), np.ones((2 * step + 3,) * 2, np.uint8))
        return PreparedObject(
            x0, y0, codes, small, body, edge, np.asarray(reach, np.uint8), round(radius / step)
        )
    edge = estimated_edge(codes, member, step, should_stop)
    stop_if(should_stop)
    return PreparedObject(x0, y0, codes, codes, body, edge, None, round(radius))


def _step(mask: Mask, pixels: int) -> int:
    """By how much the mask's box must shrink to hold no more than that many pixels."""
    return max(1, math.ceil(math.sqrt(mask.array.size / pixels) - 0.1))


def _region(mask: Mask, shape: tuple[int, ...], margin: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = mask.box
    return max(0, x0 - margin), max(0, y0 - margin), min(shape[1], x1 + margin), min(shape[0], y1 + margin)


def _reduced(codes: ByteArray, step: int) -> ByteArray:
    if step == 1:
        return codes
    size = (max(1, codes.shape[1] // step), max(1, codes.shape[0] // step))
    return np.asarray(cv2.resize(codes, size, interpolation=cv2.INTER_AREA), np.uint8)


def _reduced_mask(member: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """For a preview: what covers a third of a pixel is in, so that thin parts do not drop out."""
    return member if step == 1 else _reduced(member.astype(np.uint8) * 255, step) >= 85


def _render(
    codes: ByteArray, edge: Edge, recipe: Recipe, origin: tuple[int, int], should_stop: ShouldStop | None
) -> ByteArray:
    """The (h, w, 3) region recoloured, strip by strip."""
    height, width = edge.solid.shape
    result = codes.copy()
    rows = max(16, _STRIP_PIXELS // max(1, width), 2 * recipe.halo)
    for first in range(0, height, rows):
        stop_if(should_stop)
        last = min(height, first + rows)
        start, stop = np.searchsorted(edge.band, (first * width, last * width))
        if start < stop or edge.solid[first:last].any():
            _render_rows(codes, edge, recipe, origin, (first, last), result)
    return result


def _render_rows(
    codes: ByteArray,
    edge: Edge,
    recipe: Recipe,
    origin: tuple[int, int],
    rows: tuple[int, int],
    result: ByteArray,
) -> None:
    """Recolour some rows of the region into `result`."""
    first, last = rows
    top, bottom = max(0, first - recipe.halo), min(len(codes), last + recipe.halo)
    width = codes.shape[1]
    start, stop = np.searchsorted(edge.band, (top * width, bottom * width))
    band = edge.band[start:stop] - top * width
    share = edge.alpha[start:stop, None]
    linear = to_linear(codes[top:bottom])
    mixed = linear.reshape(-1, 3)[band]
    linear.reshape(-1, 3)[band] = edge.foreground[start:stop]
    weight = edge.solid[top:bottom].astype(np.float32)
    weight.ravel()[band] = share[:, 0]
    fresh = recipe.apply(linear, weight)
    change = fresh.reshape(-1, 3)[band] - edge.foreground[start:stop]
    opacity = np.float32(recipe.settings.opacity)
    if opacity != 1.0:
        fresh = linear + opacity * (fresh - linear)
    # A mixed pixel keeps its background part untouched: only its share of the object changes.
    fresh.reshape(-1, 3)[band] = mixed + opacity * share * change
    inner = slice(first - top, last - top)
    dither = _dither(origin, (first, last), width) if recipe.needs_dither else None
    touched = (weight[inner] > 0).astype(np.uint8)
    cv2.copyTo(to_codes(fresh[inner], dither), touched, result[first:last])


def _dither(origin: tuple[int, int], rows: tuple[int, int], width: int) -> FloatArray:
    """(rows, width, 1) offsets in (-0.47, 0.47): too small to move a whole code value.

    They depend on the place in the picture only. Interleaved gradient noise (J. Jimenez, "Next
    generation post processing in Call of Duty", 2014).
    """
    x = np.arange(origin[0], origin[0] + width, dtype=np.float64)
    y = np.arange(origin[1] + rows[0], origin[1] + rows[1], dtype=np.float64)
    slope = np.modf(0.06711056 * x + 0.00583715 * y[:, None])[0]
    noise = np.modf(52.9829189 * slope)[0] - 0.5
    return np.asarray(0.94 * noise[..., None], np.float32)


def _transfer_change(codes: ByteArray, work: ByteArray, rendered: ByteArray, reach: ByteArray) -> ByteArray:
    """A preview at full size: the change of the small picture, enlarged and added to the full one."""
    if work.shape == codes.shape:
        return rendered
    size = (codes.shape[1], codes.shape[0])
    change = cv2.subtract(rendered, work, dtype=cv2.CV_16S)
    change = cv2.resize(change, size, interpolation=cv2.INTER_LINEAR)
    fresh = cv2.add(codes, change, dtype=cv2.CV_8U)
    result = codes.copy()
    cv2.copyTo(np.asarray(fresh, np.uint8), reach, result)
    return result
