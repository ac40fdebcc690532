"""Turned rectangles as an upright box and an angle, and ellipses as polygons."""

from __future__ import annotations

import math

from converters.annotation import Box, OrientedBox, Polygon, Vertex

_ELLIPSE_STEPS = 72


def corners_of(box: Box, angle: float) -> OrientedBox:
    """The corners of a box turned about its centre by an angle in radians, clockwise on the screen."""
    cx, cy = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    c, s = math.cos(angle), math.sin(angle)

    def turned(x: float, y: float) -> Vertex:
        dx, dy = x - cx, y - cy
        return cx + c * dx - s * dy, cy + s * dx + c * dy

    x0, y0, x1, y1 = box.x0, box.y0, box.x1, box.y1
    return OrientedBox((turned(x0, y0), turned(x1, y0), turned(x1, y1), turned(x0, y1)))


def turned_about(point: Vertex, center: Vertex, angle: float) -> Vertex:
    """A point turned about another, clockwise on the screen."""
    dx, dy = point[0] - center[0], point[1] - center[1]
    c, s = math.cos(angle), math.sin(angle)
    return center[0] + c * dx - s * dy, center[1] + s * dx + c * dy


def rectangle_of(oriented: OrientedBox) -> tuple[Box | None, float]:
    """The upright box and the angle that make the oriented one; (None, 0.0) if its corners are no
    rectangle in clockwise order (to 1/100 pixel)."""
    a, b, c, _ = oriented.points
    angle = math.atan2(b[1] - a[1], b[0] - a[0])
    wide, high = math.dist(a, b), math.dist(b, c)
    cx, cy = (a[0] + c[0]) / 2, (a[1] + c[1]) / 2
    box = Box(cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2)
    remade = corners_of(box, angle).points
    near = all(math.dist(p, q) <= 0.01 for p, q in zip(remade, oriented.points, strict=True))
    return (box, angle) if near else (None, 0.0)


def ellipse_polygon(center: Vertex, radii: tuple[float, float], angle: float = 0.0) -> Polygon:
    """An ellipse as a polygon of 72 points on it; nowhere farther inside than 0.1 % of the radius."""
    steps = [2 * math.pi * k / _ELLIPSE_STEPS for k in range(_ELLIPSE_STEPS)]
    rim = [(center[0] + radii[0] * math.cos(t), center[1] + radii[1] * math.sin(t)) for t in steps]
    return Polygon(tuple(turned_about(point, center, angle) for point in rim))
