"""Which object a point or a rectangle on the canvas means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from app.editing.edit_points import nearest_edge
from converters.shapes.geometry import bounding_box
from converters.shapes.kinds import kind_of, outline, vertices

if TYPE_CHECKING:
    from app.canvas.tool import ToolSurface
    from app.pixels.viewport import Region
    from converters.annotation import Instance

REACH = 7.0
"""How near to a line or a point counts as on it, in logical pixels."""


def reach_in_picture(view: ToolSurface) -> float:
    """`REACH` in picture pixels at the present zoom."""
    return REACH * view.devicePixelRatioF() / view.zoom


def distance_to(instance: Instance, x: float, y: float) -> float:
    """Picture pixels from a point to a line or point annotation; infinite for regions."""
    geometry = instance.geometry
    drawn = kind_of(geometry).drawn
    if drawn == "points":
        return min((math.dist(point, (x, y)) for point in vertices(geometry)), default=math.inf)
    if drawn == "open":
        return nearest_edge(outline(geometry), (x, y), closed=False)[1]
    return math.inf


def _visible(view: ToolSurface) -> list[Instance]:
    document, hidden = view.session.document, view.session.hidden
    if document is None:
        return []
    return [instance for instance in document.annotation.instances if instance.id not in hidden]


def instance_at(view: ToolSurface, x: float, y: float) -> Instance | None:
    """The object under a picture point: a line or point within reach, else the topmost region."""
    document = view.session.document
    if document is None:
        return None
    reach = reach_in_picture(view)
    thin = [instance for instance in _visible(view) if distance_to(instance, x, y) <= reach]
    if thin:
        return min(reversed(thin), key=lambda instance: distance_to(instance, x, y))
    picked = view.annotations.pick(x, y)
    return document.annotation.instance(picked) if picked is not None else None


def stack_at(view: ToolSurface, x: float, y: float) -> list[Instance]:
    """Every visible object at a picture point, the topmost first."""
    labels = view.annotations.labels
    if labels is None:
        return []
    reach = reach_in_picture(view)
    found = []
    for instance in reversed(_visible(view)):
        raster = labels.raster_of(instance)
        if raster.contains(x, y) if raster is not None else distance_to(instance, x, y) <= reach:
            found.append(instance)
    return found


def instances_in(view: ToolSurface, region: Region) -> list[Instance]:
    """Every visible object with a pixel or a point inside the half-open picture box."""
    labels = view.annotations.labels
    x0, y0, x1, y1 = region
    found = []
    for instance in _visible(view):
        raster = labels.raster_of(instance) if labels is not None else None
        if raster is None:
            left, top, right, bottom = bounding_box(instance.geometry)
            if left <= x1 and right >= x0 and top <= y1 and bottom >= y0:
                found.append(instance)
        elif raster.x0 < x1 and raster.x1 > x0 and raster.y0 < y1 and raster.y1 > y0:
            part = raster.array[
                max(0, y0 - raster.y0) : y1 - raster.y0, max(0, x0 - raster.x0) : x1 - raster.x0
            ]
            if part.any():
                found.append(instance)
    return found
