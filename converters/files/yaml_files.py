"""YAML in, with what its aliases stand for counted before it is built."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

import yaml

from converters.errors import ConverterError
from converters.files.budget import DEPTH, SECONDS, YAML_NODES
from converters.files.files import json_text, read_text

if TYPE_CHECKING:
    from pathlib import Path

# A hundred thousand classes have three.
MAX_YAML_BYTES: Final = 4_000_000
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def read_yaml(path: Path | str) -> Any:
    """A YAML file's value, plain types only.

    An alias counts as all that it stands for, also inside of other aliases: merged mappings are copied that
    often when the value is built.

    Raises:
        ConverterError: as `read_text`; not YAML, or more of it than the budgets allow.
    """
    text = read_text(path, max_bytes=MAX_YAML_BYTES)
    try:
        return _CountingLoader(text).get_single_data()
    except ConverterError as error:
        raise type(error)(error.problem, path=path, remedy=error.remedy) from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise ConverterError("this is not valid YAML.", path=path) from error


def yaml_text(text: str) -> str:
    """A YAML string in double quotes: JSON's, with escapes for what JSON leaves and YAML takes for the end of
    a line or for no letter at all."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", json_text(text))


class _CountingLoader(yaml.SafeLoader):
    """Keeps the number of values within its budget, aliases included."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._sizes: dict[int, int] = {}
        self._made = 0
        self._levels = 0
        self._begun = time.monotonic()

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next value, with as many values inside as the budget has left."""
        if self.check_event(yaml.AliasEvent):
            node = super().compose_node(parent, index)
            self._take(self._sizes.get(id(node), 1))
            return node
        before = self._made
        self._take(1)
        self._levels += 1
        DEPTH.check(self._levels, asks="it has")
        node = super().compose_node(parent, index)
        self._levels -= 1
        self._sizes[id(node)] = self._made - before
        return node

    def _take(self, count: int) -> None:
        self._made += count
        YAML_NODES.check(self._made, asks="with all its aliases it has")
        SECONDS.check(time.monotonic() - self._begun, asks="it has taken")
