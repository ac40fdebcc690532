"""The part of a shape that lies inside a picture, for the kinds that have such a part of their own."""

from __future__ import annotations

from converters.annotation import Box, Line, Mask, Polygon, Vertex


def clipped_mask(mask: Mask, height: int, width: int) -> Mask | None:
    """The pixels inside; None if there are none."""
    inside = mask.clipped(height, width)
    return None if inside.is_empty else (mask if inside == mask else inside)


def clipped_points(points: tuple[Vertex, ...], height: int, width: int) -> tuple[Vertex, ...]:
    """Those inside, the border included."""
    return tuple(point for point in points if _inside(*point, height, width))


def clipped_box(box: Box, height: int, width: int) -> Box | None:
    """The box inside; None if no more than an edge touches the picture."""
    x0, x1 = sorted((box.x0, box.x1))
    y0, y1 = sorted((box.y0, box.y1))
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        return None
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
        return box
    return Box(max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1))


def clipped_polygon(polygon: Polygon, height: int, width: int) -> Polygon | None:
    """Sutherland and Hodgman (1974): one border after the other cuts the ring."""
    ring = list(polygon.points)
    if all(_inside(x, y, height, width) for x, y in ring):
        return polygon if ring else None
    for axis, border, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        cut: list[Vertex] = []
        for before, point in zip(ring[-1:] + ring[:-1], ring, strict=True):
            was, now = sign * (before[axis] - border) >= 0, sign * (point[axis] - border) >= 0
            if was != now:
                share = (border - before[axis]) / (point[axis] - before[axis])
                other = before[1 - axis] + share * (point[1 - axis] - before[1 - axis])
                cut.append((float(border), other) if axis == 0 else (other, float(border)))
            if now:
                cut.append(point)
        ring = cut
    return Polygon(tuple(ring)) if len(set(ring)) >= 3 else None


def clipped_line(line: Line, height: int, width: int) -> Line | None:
    """Liang and Barsky (1984): the share of the line between the borders."""
    (x0, y0), (x1, y1) = line.start, line.end
    first, last = 0.0, 1.0
    for start, step, limit in ((x0, x1 - x0, width), (y0, y1 - y0, height)):
        if step == 0:
            if not 0 <= start <= limit:
                return None
            continue
        low, high = sorted(((0 - start) / step, (limit - start) / step))
        first, last = max(first, low), min(last, high)
    if first > last:
        return None
    if (first, last) == (0.0, 1.0):
        return line
    return Line(
        (x0 + first * (x1 - x0), y0 + first * (y1 - y0)), (x0 + last * (x1 - x0), y0 + last * (y1 - y0))
    )


def _inside(x: float, y: float, height: int, width: int) -> bool:
    return 0 <= x <= width and 0 <= y <= height
