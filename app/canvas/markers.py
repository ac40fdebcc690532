"""The small drawn things above the picture: seeds, handles, lines with a halo, the brush's rim.

Positions are device pixels; `ratio` is the screen's device pixels per logical pixel, so that a
handle has the same size to the hand on every screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainterPath, QPen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QPainter

HALO = QColor(0, 0, 0, 120)
WHITE = QColor(255, 255, 255)
POSITIVE = QColor("#16a34a")
NEGATIVE = QColor("#dc2626")
ACCENT = QColor("#2fa8ff")

HANDLE_RADIUS = 4.5
SEED_RADIUS = 7.5
SEED_RIM = 2.2
SEED_REACH = SEED_RADIUS + SEED_RIM + 1.0
"""Logical pixels from a seed within which its mark is drawn, soft edge included."""


def draw_seed(painter: QPainter, at: QPointF, positive: bool, ratio: float) -> None:
    """A green disc with a plus or a red one with a minus, ringed in white."""
    radius = SEED_RADIUS * ratio
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(HALO)
    painter.drawEllipse(at, radius + SEED_RIM * ratio, radius + SEED_RIM * ratio)
    painter.setBrush(POSITIVE if positive else NEGATIVE)
    painter.setPen(QPen(WHITE, 1.6 * ratio))
    painter.drawEllipse(at, radius, radius)
    painter.setPen(QPen(WHITE, 2 * ratio, c=Qt.PenCapStyle.RoundCap))
    arm = 3.4 * ratio
    painter.drawLine(QLineF(at.x() - arm, at.y(), at.x() + arm, at.y()))
    if positive:
        painter.drawLine(QLineF(at.x(), at.y() - arm, at.x(), at.y() + arm))


def draw_handle(
    painter: QPainter, at: QPointF, ratio: float, *, hot: bool = False, square: bool = False
) -> None:
    """A vertex or corner to take hold of; `hot` while the pointer is on it or it is chosen."""
    radius = (HANDLE_RADIUS + (1.5 if hot else 0)) * ratio
    painter.setPen(QPen(HALO, 3.2 * ratio))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    box = QRectF(at.x() - radius, at.y() - radius, 2 * radius, 2 * radius)
    shape = painter.drawRect if square else painter.drawEllipse
    shape(box)
    painter.setPen(QPen(WHITE if hot else ACCENT, 1.8 * ratio))
    painter.setBrush(ACCENT if hot else WHITE)
    shape(box)


def draw_line(
    painter: QPainter,
    points: Sequence[QPointF],
    color: QColor,
    ratio: float,
    *,
    closed: bool = False,
    width: float = 1.8,
    fill: QColor | None = None,
) -> None:
    """A line or ring with a dark halo."""
    if not points:
        return
    path = QPainterPath(points[0])
    for point in points[1:]:
        path.lineTo(point)
    if closed:
        path.closeSubpath()
    draw_path(painter, path, color, ratio, width=width, fill=fill)


def draw_path(
    painter: QPainter,
    path: QPainterPath,
    color: QColor,
    ratio: float,
    *,
    width: float = 1.8,
    fill: QColor | None = None,
) -> None:
    """A path with a dark halo, filled faintly if asked."""
    pen = QPen(HALO, (width + 2) * ratio)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.setBrush(fill if fill is not None else Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    pen.setColor(color)
    pen.setWidthF(width * ratio)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)


def draw_point(painter: QPainter, at: QPointF, color: QColor, ratio: float) -> None:
    """A point annotation: a coloured dot ringed in white."""
    painter.setPen(QPen(HALO, 3.6 * ratio))
    painter.setBrush(color)
    painter.drawEllipse(at, 4.5 * ratio, 4.5 * ratio)
    painter.setPen(QPen(WHITE, 1.5 * ratio))
    painter.drawEllipse(at, 4.5 * ratio, 4.5 * ratio)


def draw_circle(painter: QPainter, at: QPointF, radius: float, color: QColor, ratio: float) -> None:
    """The rim of a brush."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(HALO, 3 * ratio))
    painter.drawEllipse(at, radius, radius)
    painter.setPen(QPen(color, 1.4 * ratio))
    painter.drawEllipse(at, radius, radius)


def draw_rubber_band(painter: QPainter, box: QRectF, ratio: float) -> None:
    """The rectangle pulled over objects to select them."""
    tint = QColor(ACCENT)
    tint.setAlpha(40)
    painter.setBrush(tint)
    painter.setPen(QPen(ACCENT, 1.2 * ratio, Qt.PenStyle.DashLine))
    painter.drawRect(box)
