"""What a conversion did to the objects it carried: nothing is changed or dropped in silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from converters.files.files import json_text, write_atomic
from converters.files.lines import BREAK_REASON, broken, line_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from converters.annotation import ImageAnnotation, Instance

Action: TypeAlias = Literal["changed", "simplified", "dropped"]

ACTIONS: tuple[Action, ...] = ("changed", "simplified", "dropped")


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One thing a conversion could not carry over as it was.

    Attributes:
        path: the file it belongs to (the picture or the annotation file).
        action: "changed": another form, same pixels or same meaning; "simplified": an approximation;
            "dropped": not in the output at all.
        reason: why, in words for the user.
        instance_id, index, label: which object; None where the entry is about the whole file.
    """

    path: str
    action: Action
    reason: str
    instance_id: str | None = None
    index: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        number = "" if self.index is None else f" object {self.index}"
        label = "" if self.label is None else f" ({self.label})"
        return f"{self.path}:{number}{label} {self.action}: {self.reason}"


@dataclass(slots=True)
class Report:
    """The entries of one conversion, and how many files and objects it handled."""

    entries: list[ReportEntry] = field(default_factory=list)
    pictures: int = 0
    instances: int = 0

    def add(
        self,
        action: Action,
        reason: str,
        *,
        path: Path | str,
        instance: Instance | None = None,
        index: int | None = None,
    ) -> None:
        """Note one object (or, without `instance` and `index`, a whole file)."""
        self.entries.append(
            ReportEntry(
                path=str(path),
                action=action,
                reason=reason,
                instance_id=None if instance is None else instance.id,
                index=index,
                label=None if instance is None else instance.label,
            )
        )

    def add_broken_labels(self, path: Path | str, labels: Iterable[str]) -> None:
        """Note the labels that a list with a label a line cannot hold as they are."""
        for label in broken(labels):
            self.entries.append(ReportEntry(str(path), "changed", BREAK_REASON, label=label))

    def add_rejected(self, annotation: ImageAnnotation) -> None:
        """Note the shapes that were already unreadable in the source as not carried over."""
        for shape in annotation.rejected:
            reason = f"not readable in the source: {shape.reason}"
            self.add("dropped", reason, path=annotation.image_path, index=shape.index)

    def extend(self, other: Report | Iterable[ReportEntry]) -> None:
        """Take over another report's entries, and its counts if it is a whole report."""
        if isinstance(other, Report):
            self.pictures += other.pictures
            self.instances += other.instances
            other = other.entries
        self.entries.extend(other)

    def __iter__(self) -> Iterator[ReportEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __bool__(self) -> bool:
        return True

    def count(self, action: Action) -> int:
        """How many entries have that action."""
        return sum(entry.action == action for entry in self.entries)

    def summary(self) -> str:
        """A few lines for a terminal or a dialog: totals, then each reason once with its number."""
        lines = [f"{self.pictures} pictures, {self.instances} objects."]
        totals = [f"{self.count(action)} {action}" for action in ACTIONS if self.count(action)]
        lines.append(
            ("Of these " + ", ".join(totals) + ":") if totals else "Everything was carried over as it was."
        )
        reasons = Counter((entry.action, entry.reason) for entry in self.entries)
        lines += [f"  {number} x {action}: {reason}" for (action, reason), number in reasons.most_common(20)]
        if len(reasons) > 20:
            lines.append(f"  and {len(reasons) - 20} more reasons")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "pictures": self.pictures,
            "instances": self.instances,
            **{action: self.count(action) for action in ACTIONS},
            "entries": [asdict(entry) for entry in self.entries],
        }

    def write(self, path: Path | str) -> None:
        """Write the report: as JSON, or one line an entry when the name ends in .txt.

        Raises:
            ConverterError: the file cannot be written.
        """
        write_report(path, [self.summary(), "", *map(str, self.entries)], self.as_dict())


def write_report(path: Path | str, lines: Iterable[str], values: dict[str, Any]) -> None:
    """Write a report's lines if the name ends in .txt, else its JSON values.

    Raises:
        ConverterError: the file cannot be written.
    """
    if Path(path).suffix.lower() == ".txt":
        write_atomic(path, line_list(lines))
    else:
        write_atomic(path, json_text(values, indent=2) + "\n")
