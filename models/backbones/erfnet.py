"""ERFNet's encoder and decoder (Romera et al., IEEE T-ITS 2018): residual blocks of 3 x 1 and 1 x 3.

Trained from scratch; its BatchNorm learns its statistics.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM_EPS = 1e-3
SHALLOW_DROPOUT, DEEP_DROPOUT = 0.03, 0.3
DILATIONS = (2, 4, 8, 16)


class Downsampler(nn.Module):
    """A 3 x 3 convolution of stride 2 and a max pooling, side by side, to half the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs - inputs, 3, 2, 1)
        self.norm = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(torch.cat([self.convolution(x), F.max_pool2d(x, 2)], dim=1)))


class NonBottleneck1d(nn.Module):
    """Two factorised 3 x 3 convolutions, the second one dilated, beside an identity."""

    def __init__(self, width: int, *, dropout: float, dilation: int = 1) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(width, width, (3, 1), padding=(1, 0))
        self.across1 = nn.Conv2d(width, width, (1, 3), padding=(0, 1))
        self.norm1 = nn.BatchNorm2d(width, eps=BATCH_NORM_EPS)
        self.down2 = nn.Conv2d(width, width, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
        self.across2 = nn.Conv2d(width, width, (1, 3), padding=(0, dilation), dilation=(1, dilation))
        self.norm2 = nn.BatchNorm2d(width, eps=BATCH_NORM_EPS)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.across1(F.relu(self.down1(x)))))
        out = self.norm2(self.across2(F.relu(self.down2(out))))
        return F.relu(self.dropout(out) + x)


class Upsampler(nn.Module):
    """A transposed 3 x 3 convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.norm = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))


def stage_widths(width: float) -> tuple[int, int, int]:
    """Channels at strides 2, 4 and 8; (16, 64, 128) for the published network."""
    return max(4, round(16 * width)), max(8, round(64 * width)), max(16, round(128 * width))


class ErfNetEncoder(nn.Sequential):
    """(B, 3, H, W), H and W multiples of 8 -> (B, 128 * width, H/8, W/8)."""

    def __init__(self, width: float = 1.0, *, dropout: float = DEEP_DROPOUT) -> None:
        half, quarter, eighth = stage_widths(width)
        shallow = min(SHALLOW_DROPOUT, dropout)
        super().__init__(
            Downsampler(3, half),
            Downsampler(half, quarter),
            *(NonBottleneck1d(quarter, dropout=shallow) for _ in range(5)),
            Downsampler(quarter, eighth),
            *(NonBottleneck1d(eighth, dropout=dropout, dilation=d) for d in 2 * DILATIONS),
        )


class ErfNetDecoder(nn.Sequential):
    """(B, 128 * width, H/8, W/8) -> (B, outputs, H, W)."""

    def __init__(self, outputs: int, width: float = 1.0) -> None:
        half, quarter, eighth = stage_widths(width)
        super().__init__(
            Upsampler(eighth, quarter),
            *(NonBottleneck1d(quarter, dropout=0.0) for _ in range(2)),
            Upsampler(quarter, half),
            *(NonBottleneck1d(half, dropout=0.0) for _ in range(2)),
            nn.ConvTranspose2d(half, outputs, 2, stride=2),
        )

    @property
    def last(self) -> nn.ConvTranspose2d:
        """The convolution that writes the outputs."""
        layer = self[len(self) - 1]
        assert isinstance(layer, nn.ConvTranspose2d)
        return layer
