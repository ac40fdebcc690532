"""Sizes of a network given as text, NAME=VALUE, on a command line."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from models.errors import SegmenterError

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
        if not _is_like(value, known[name]):
            raise SegmenterError(f'"{name}" cannot be {text}; it is {known[name]} by default.')
        values[name] = value
    try:
        return replace(config, **values)
    except TypeError as error:
        raise SegmenterError(f"{error}.") from error


def _is_like(value: Any, usual: Any) -> bool:
    """Whether a value may stand where the usual one stands."""
    if isinstance(usual, bool) or isinstance(value, bool):
        return isinstance(usual, bool) and isinstance(value, bool)
    if isinstance(usual, tuple):
        numbers = isinstance(value, tuple) and all(isinstance(v, int | float) for v in value)
        return numbers and (not usual or len(value) == len(usual))
    if usual is None or (value is None and isinstance(usual, float)):
        return value is None or isinstance(value, int | float)
    if isinstance(usual, float):
        return isinstance(value, int | float)
    return isinstance(value, type(usual))
