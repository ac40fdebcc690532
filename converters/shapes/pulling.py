"""A shape with one of its handles at another place, for the kinds where more follows than one point."""

from __future__ import annotations

import numpy as np

from converters.annotation import Box, Circle, OrientedBox, Vertex


def box_pulled(box: Box, index: int, point: Vertex) -> Box:
    """The opposite corner stays."""
    x, y = point
    x0, x1 = (x, box.x1) if index in (0, 3) else (box.x0, x)
    y0, y1 = (y, box.y1) if index in (0, 1) else (box.y0, y)
    return Box(x0, y0, x1, y1)


def oriented_box_pulled(box: OrientedBox, index: int, point: Vertex) -> OrientedBox:
    """The opposite corner and the angle stay."""
    corners = np.array(box.points)
    before, after = corners[(index - 1) % 4], corners[(index + 1) % 4]
    fixed, target = corners[(index + 2) % 4], np.array(point)
    along, across = before - fixed, after - fixed
    if not along.any() or not across.any():
        return box
    along, across = along / np.hypot(*along), across / np.hypot(*across)
    diagonal = target - fixed
    corners[index] = target
    corners[(index - 1) % 4] = fixed + along * (diagonal @ along)
    corners[(index + 1) % 4] = fixed + across * (diagonal @ across)
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return OrientedBox((a, b, c, d))


def circle_pulled(circle: Circle, index: int, point: Vertex) -> Circle:
    """The centre takes the rim along."""
    if index:
        return Circle(circle.center, point)
    (x, y), (edge_x, edge_y) = circle.center, circle.edge
    dx, dy = point[0] - x, point[1] - y
    return Circle((x + dx, y + dy), (edge_x + dx, edge_y + dy))
