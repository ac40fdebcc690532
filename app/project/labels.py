"""The labels of a folder: their names, their colours and which of them are declared.

An immutable list in the order the user sees. What a later version writes about a label is kept, so there
is room for an order of its own, a kind, attributes, a skeleton.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from converters.frozen import FrozenMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LABELS: Final = 10_000
MAX_NAME_LENGTH: Final = 1_000
TYPED_LENGTH: Final = 120
"""As long as a name may be that is typed in the window."""
# Hues far apart, light and strong enough to read on a photograph; independent of the theme.
LABEL_COLORS: Final = (
    *("#ff5a5f", "#ff8a3d", "#ffb400", "#3ddc84", "#b46bff", "#ff7ad1", "#00d1c7", "#c2e812"),
    *("#2fa8ff", "#6f7bff", "#e8505b", "#14c8ff", "#f2d13e", "#7ed957", "#d96bff", "#ff9ebb"),
    *("#4fe0b0", "#a0b4ff", "#ffa071", "#9be15d"),
)
_NAME, _COLOR, _DECLARED = "name", "color", "declared"


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a folder.

    Attributes:
        color: "#rrggbb" if one was chosen.
        declared: whether it belongs to the folder's list of labels; one that was only given a colour, or
            is only offered, does not.
        extra: what the file says besides, kept as it is.
    """

    name: str
    color: str | None = None
    declared: bool = True
    extra: FrozenMap[Any] = field(default_factory=FrozenMap)


@dataclass(frozen=True, slots=True)
class LabelList:
    """Labels in the order they are shown, each name once."""

    labels: tuple[Label, ...] = ()
    _by_name: dict[str, Label] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {label.name: label for label in self.labels}
        if len(by_name) != len(self.labels):
            raise ValueError("two labels have the same name")
        object.__setattr__(self, "_by_name", by_name)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, top to bottom."""
        return tuple(self._by_name)

    @property
    def declared(self) -> frozenset[str]:
        """The names that objects of the folder are meant to have; empty if it declares none."""
        return frozenset(label.name for label in self.labels if label.declared)

    @property
    def colors(self) -> dict[str, str]:
        """Name to chosen colour, for those that have one."""
        return {label.name: label.color for label in self.labels if label.color is not None}

    def get(self, name: str) -> Label | None:
        """The label of that name, or None."""
        return self._by_name.get(name)

    def color_of(self, name: str) -> str | None:
        """The colour chosen for a label, "#rrggbb", or None."""
        label = self._by_name.get(name)
        return label.color if label is not None else None

    def declaring(self, name: str, color: str | None = None) -> LabelList:
        """With that label in the list of the folder; a colour it already has stays."""
        known = self.get(name) or Label(name)
        return self._with(replace(known, declared=True, color=known.color or color))

    def with_color(self, name: str, color: str) -> LabelList:
        """With another colour for a label; one that is not declared is not declared by that."""
        return self._with(replace(self.get(name) or Label(name, declared=False), color=color))

    def renamed(self, name: str, new: str) -> LabelList:
        """With another name for a label, at its place and in its colour; one that is there stays as it is.

        Nothing changes for a name that no file would give back (`label_of`).
        """
        label = self.get(name)
        if label is None or name == new or label_of(new) is None:
            return self
        if new in self._by_name:
            return LabelList(tuple(each for each in self.labels if each.name != name)).declaring(new)
        return LabelList(tuple(replace(each, name=new) if each is label else each for each in self.labels))

    def over(self, offered: LabelList) -> LabelList:
        """These labels, then the other offered ones, undeclared; offered colours fill what is open here."""
        ours = tuple(replace(each, color=each.color or offered.color_of(each.name)) for each in self.labels)
        more = tuple(replace(each, declared=False) for each in offered if each.name not in self._by_name)
        return LabelList(ours + more)

    def _with(self, label: Label) -> LabelList:
        if label_of(plain_label(label)) is None:
            return self  # no file would give such a name back
        if label.name not in self._by_name:
            return LabelList((*self.labels, label))
        return LabelList(tuple(label if each.name == label.name else each for each in self.labels))


def label_of(value: Any) -> Label | None:
    """A label as a file writes it: a name alone, or an object with its name; None for anything else."""
    facts: dict[str, Any] = value if isinstance(value, dict) else {_NAME: value}
    name = facts.get(_NAME)
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME_LENGTH:
        return None
    known = {_NAME}
    color = checked_color(facts.get(_COLOR))
    if color is not None:
        known.add(_COLOR)
    declared = facts.get(_DECLARED)
    if isinstance(declared, bool):
        known.add(_DECLARED)
    extra = FrozenMap({key: item for key, item in facts.items() if key not in known})
    return Label(name, color, declared is not False, extra)


def plain_label(label: Label) -> dict[str, Any]:
    """The reverse of `label_of`; a chosen colour takes the place of one that made no sense."""
    plain: dict[str, Any] = {_NAME: label.name}
    if label.color is not None:
        plain[_COLOR] = label.color
    if not label.declared:
        plain[_DECLARED] = False
    return plain | {key: item for key, item in label.extra.items() if key not in plain}


def offered_labels(names: Iterable[str], colors: FrozenMap[str]) -> LabelList:
    """Labels a user has used before, each name once and none of them declared, with the user's colours."""
    wanted = dict.fromkeys(name for name in (*names, *colors) if name)
    return LabelList(tuple(Label(name, colors.get(name), declared=False) for name in wanted))


def checked_color(value: Any) -> str | None:
    """A colour as "#rrggbb" in small letters; None if it is none."""
    if not isinstance(value, str) or len(value) != 7 or value[0] != "#":
        return None
    return value.lower() if all(digit in "0123456789abcdefABCDEF" for digit in value[1:]) else None


def steady_color(name: str, taken: Iterable[str]) -> str:
    """A colour picked by the name, the same every time, apart from those taken if it can."""
    first, others = zlib.crc32(name.encode("utf-8", "surrogatepass")), set(taken)
    wheel = [LABEL_COLORS[(first + step) % len(LABEL_COLORS)] for step in range(len(LABEL_COLORS))]
    return next((color for color in wheel if color not in others), wheel[0])
