"""Sizes of a network given as text, NAME=VALUE, on a command line."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from models.errors import SegmenterError
from models.weights import is_like

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_value(text: str) -> Any:
    """A number, a truth value, None, a tuple of these, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def change_sizes(config: Any, changes: Mapping[str, str], _categories: tuple[str, ...]) -> Any:
    """A dataclass of sizes with some of them changed.

    Raises:
        SegmenterError: there is no such size, or its value is of another kind.
    """
    known = {field.name: getattr(config, field.name) for field in fields(config) if field.name != "classes"}
    values: dict[str, Any] = {}
    for name, text in changes.items():
        if name not in known:
            raise SegmenterError(f'there is no size called "{name}"; there are: {", ".join(known)}.')
        value = read_value(text)
        if not is_like(value, known[name]):
            raise SegmenterError(f'"{name}" cannot be {text}; it is {known[name]} by default.')
        values[name] = value
    try:
        return replace(config, **values)
    except TypeError as error:
        raise SegmenterError(f"{error}.") from error
