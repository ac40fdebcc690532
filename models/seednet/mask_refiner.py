"""SeedNet's second look: a few convolutions on cached features around each level's mask.

The distance of embeddings classifies every pixel by itself; this sees shapes. Each level's mask is framed,
brought to a fixed size together with features of a fitting stride and the clicks, and corrected:

    logits' = logits + delta

so that a network that has nothing to say changes nothing.

The frame per mask follows RoIAlign (He et al., arXiv 1703.06870), the choice of stride FPN's eq. 1 (Lin et
al., arXiv 1612.03144), clicks as maps beside the features RITM (Sofiiuk et al., arXiv 2102.06583), looking
closer at a frame of cached features FocalClick (Chen et al., arXiv 2204.02574); scale and shift by the
seed's descriptor FiLM (Perez et al., arXiv 1709.07871).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.device.precision import full_precision
from models.layers.convolution import SeparableConv

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 48  # cells of a frame
STRIDES = (4, 8, 16)  # of the detail maps
FRAMED_LOGIT = -1.0  # what the mask might still cover lies inside the frame
MARGIN = 0.25  # of the mask's size, on each side of the frame
MIN_FRAME = 16.0  # cells of stride 4
CLICK_RADIUS = 2.0  # standard deviation of a click, in cells of a frame
LOGIT_LIMIT, LOGIT_UNIT = 8.0, 4.0  # what of the logits is shown to the convolutions


@dataclass(frozen=True, slots=True)
class Refined:
    """Corrected masks of S seeds.

    Attributes:
        logits: (S, K, h, w) float32.
        context: (S, K, C), what the frames looked like as a whole, for the level scorer.
    """

    logits: Tensor
    context: Tensor


class MaskRefiner(nn.Module):
    """A small U-shaped network over frames of SIDE x SIDE cells."""

    def __init__(self, *, width: int, descriptor: int, levels: int, channels: int) -> None:
        super().__init__()
        self.levels, self.channels = levels, channels
        middle, deep = 2 * channels, 3 * channels
        self.detail = nn.ModuleList([nn.Conv2d(width, channels, 1) for _ in STRIDES])
        self.stem = nn.Conv2d(channels + levels + 2, channels, 3, padding=1)
        self.film = nn.Linear(descriptor, 2 * channels)
        self.level_film = nn.Parameter(torch.zeros(levels, 2 * channels))
        self.fine = SeparableConv(channels, channels)
        self.medium = nn.Sequential(SeparableConv(channels, middle), SeparableConv(middle, middle))
        self.coarse = nn.Sequential(*(SeparableConv(middle if i == 0 else deep, deep) for i in range(3)))
        self.to_medium = nn.Conv2d(deep, middle, 1)
        self.medium_up = SeparableConv(middle, middle)
        self.to_fine = nn.Conv2d(middle, channels, 1)
        self.fine_up = SeparableConv(channels, channels)
        self.delta = nn.Conv2d(channels, 1, 1)
        nn.init.zeros_(self.delta.weight)
        nn.init.zeros_(self.delta.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def detail_maps(self, pyramid: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """What frames are cut from, once per picture: (B, channels, H/s, W/s) float32 for s of STRIDES."""
        return tuple(conv(level).float() for conv, level in zip(self.detail, pyramid, strict=False))

    def forward(
        self, logits: Tensor, descriptor: Tensor, detail: Sequence[Tensor], clicks: Tensor
    ) -> Refined:
        """Of equally many seeds of each of B pictures, picture by picture.

        Args:
            logits: (S, K, h, w) at stride 4.
            descriptor: (S, C) of the seeds.
            detail: (B, channels, h_s, w_s) for s of STRIDES; each begins at the picture's corner.
            clicks: (S, P, 3) float32: x and y in cells of stride 4, and the sign; 0 stands for no click.
                The seed is the first.
        """
        seeds, levels, height, width = logits.shape
        frames = mask_frames(logits.detach(), clicks).flatten(0, 1)
        with full_precision(logits.device):
            view = self._view(logits.detach(), frames, detail, clicks.repeat_interleave(levels, dim=0))
        delta, context = self._convolve(view, descriptor.detach().repeat_interleave(levels, dim=0))
        with full_precision(logits.device):
            pasted = paste_frames(delta.float(), frames, height, width)
        refined = logits + pasted.view(seeds, levels, height, width)
        return Refined(refined, context.float().view(seeds, levels, -1))

    def _view(self, logits: Tensor, frames: Tensor, detail: Sequence[Tensor], clicks: Tensor) -> Tensor:
        """(N, channels + K + 2, SIDE, SIDE): features, own and others' logits, clicks of either sign."""
        levels = logits.shape[1]
        own = torch.arange(len(frames), device=logits.device)
        # Each frame shows its own level first, then the others.
        order = (own[:, None] + torch.arange(levels, device=logits.device)) % levels
        maps = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)[own[:, None] // levels, order] / LOGIT_UNIT
        stride_of = frame_strides(frames)
        parts: list[Tensor] = []
        members: list[Tensor] = []
        for index, features in enumerate(detail):
            chosen = torch.nonzero(stride_of == index).flatten()
            if len(chosen) == 0:
                continue
            pooled = F.avg_pool2d(maps[chosen], 2**index, ceil_mode=True) if index else maps[chosen]
            scaled = frames[chosen] / 2**index
            pictures = chosen * len(features) // len(frames)
            parts.append(torch.cat([cut_shared(features, scaled, pictures), cut_each(pooled, scaled)], dim=1))
            members.append(chosen)
        shown = torch.cat(parts)[torch.cat(members).argsort()] if len(parts) > 1 else parts[0]
        seen = torch.cat([shown, click_maps(clicks, frames)], dim=1)
        return seen.contiguous(memory_format=torch.channels_last)  # as the convolutions want it

    def _convolve(self, view: Tensor, descriptor: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, SIDE, SIDE) correction and (N, C) context."""
        film = self.film(descriptor) + self.level_film.repeat(len(view) // self.levels, 1)
        scale, shift = film[:, :, None, None].chunk(2, dim=1)
        fine = self.fine(F.relu(self.stem(view) * (1.0 + scale) + shift))
        medium = self.medium(F.avg_pool2d(fine, 2))
        coarse = self.coarse(F.avg_pool2d(medium, 2))
        medium = self.medium_up(medium + _twice(self.to_medium(coarse)))
        fine = self.fine_up(fine + _twice(self.to_fine(medium)))
        return self.delta(fine), coarse.mean(dim=(2, 3))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def mask_frames(logits: Tensor, clicks: Tensor) -> Tensor:
    """(S, K, 4) float32 x0, y0, x1, y1 in cells: what each mask may cover and the clicks it should, with
    a margin, at least MIN_FRAME wide and at most one cell beyond the grid."""
    size = torch.tensor(logits.shape[:1:-1], dtype=torch.float32, device=logits.device)  # width, height
    inside = logits > FRAMED_LOGIT
    spans = [_span(inside.any(dim=axis)) for axis in (2, 3)]
    low, high = (torch.stack(ends, dim=2) for ends in zip(*spans, strict=True))
    wanted, positive = clicks[:, None, :, :2], clicks[:, None, :, 2:] > 0
    low = torch.minimum(low, torch.where(positive, wanted, size).amin(dim=2))
    high = torch.maximum(high, (wanted * positive).amax(dim=2))
    reach = ((high - low) * (0.5 + MARGIN)).clamp(min=0.5 * MIN_FRAME)
    middle = 0.5 * (low + high)
    return torch.cat([(middle - reach).clamp(min=-1.0), (middle + reach).minimum(size + 1.0)], dim=2)


def _span(taken: Tensor) -> tuple[Tensor, Tensor]:
    """(S, K, n) bool -> (S, K) where the first taken cell begins, the last one ends; n and 0 without one."""
    cells = taken.shape[2]
    at = torch.arange(1.0, cells + 1.0, device=taken.device)
    return cells - (taken * at.flip(0)).amax(dim=2), (taken * at).amax(dim=2)


def frame_strides(frames: Tensor) -> Tensor:
    """(N,) index into STRIDES: the finest of which a frame's cell does not skip much."""
    longer = torch.maximum(frames[:, 2] - frames[:, 0], frames[:, 3] - frames[:, 1])
    return ((longer / SIDE).log2() + 0.5).floor().clamp(0, len(STRIDES) - 1).long()


def _sampling_grid(frames: Tensor, height: int, width: int) -> Tensor:
    """(N, SIDE, SIDE, 2) of `grid_sample` for frames in cells of a (height, width) map."""
    low, high = frames.chunk(2, dim=1)
    size = frames.new_tensor([width, height])
    return _grid((high - low) / size, (low + high) / size - 1.0, SIDE, SIDE)


def _grid(scale: Tensor, shift: Tensor, height: int, width: int) -> Tensor:
    """(N, height, width, 2) of `grid_sample`: places from -1 to 1, scaled and shifted by (N, 2), x and y."""
    affine = torch.cat([torch.diag_embed(scale), shift[:, :, None]], dim=2)
    return F.affine_grid(affine, [len(scale), 1, height, width], align_corners=False)


def cut_shared(features: Tensor, frames: Tensor, pictures: Tensor) -> Tensor:
    """N frames of (B, C, h, w) maps, the n-th of map `pictures[n]`, which ascend: (N, C, SIDE, SIDE); zero
    beyond the map."""
    grid = _sampling_grid(frames, *features.shape[2:]).view(1, -1, SIDE, 2)
    if len(features) > 1 and features.device.type == "cpu":
        shares = torch.bincount(pictures, minlength=len(features)).mul(SIDE).tolist()
        parts = zip(torch.split(features, 1), torch.split(grid, shares, dim=1), strict=True)
        cut = torch.cat([_sampled(maps, part) for maps, part in parts], dim=2)
    elif len(features) > 1:  # the pictures lie behind each other in one volume, cut at exact depths
        depth = (2.0 * pictures.float() + 1.0) / len(features) - 1.0
        depth = depth.repeat_interleave(SIDE)[None, :, None, None].expand(-1, -1, SIDE, -1)
        cut = _sampled(features.transpose(0, 1)[None], torch.cat([grid, depth], dim=3)[:, None])
    else:
        cut = _sampled(features, grid)
    return cut.view(-1, len(frames), SIDE, SIDE).transpose(0, 1)


def _sampled(maps: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(maps, grid, padding_mode="zeros", align_corners=False)


def cut_each(maps: Tensor, frames: Tensor) -> Tensor:
    """One frame of each of N (C, h, w) maps: (N, C, SIDE, SIDE); beyond a map its border continues."""
    grid = _sampling_grid(frames, *maps.shape[2:])
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def paste_frames(values: Tensor, frames: Tensor, height: int, width: int) -> Tensor:
    """(N, 1, SIDE, SIDE) back to (N, height, width): zero outside of the frames."""
    low, high = frames.chunk(2, dim=1)
    size, side = frames.new_tensor([width, height]), high - low
    grid = _grid(size / side, (size - low - high) / side, height, width)
    return F.grid_sample(values, grid, padding_mode="zeros", align_corners=False)[:, 0]


def click_maps(clicks: Tensor, frames: Tensor) -> Tensor:
    """(N, 2, SIDE, SIDE) in [0, 1]: nearness to the closest positive and the closest negative click."""
    low, high = frames.chunk(2, dim=1)
    at = (clicks[:, :, :2] - low[:, None]) * (SIDE / (high - low))[:, None]
    middle = torch.arange(0.5, SIDE, device=frames.device)
    along = (((middle - at[..., None]) / CLICK_RADIUS).square() * -0.5).exp()  # (N, P, 2, SIDE)
    near = along[:, :, 1, :, None] * along[:, :, 0, None, :]
    signs = clicks[:, :, 2, None, None]
    return torch.stack([(near * signs).amax(dim=1), (near * -signs).amax(dim=1)], dim=1).clamp(min=0.0)
