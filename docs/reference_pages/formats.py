"""The page of formats: what each reads and writes, and what it keeps of what SeedHue knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from converters.formats.registry import FORMATS
from docs.reference_pages.carrying import FACTS, SHAPES, Measured, measure
from docs.reference_pages.markdown import bullet, page, paragraph, table

if TYPE_CHECKING:
    from converters.formats.format import Format

INTRODUCTION: Final = (
    "What `python main.py convert` and *File → Import / Export annotations* understand. The lists below are "
    "measured: one object of every shape, and one with every fact, is converted to the format and back. "
    "*Kept* means that SeedHue reads it back as it was. Where a format has room for foreign keys, SeedHue "
    "puts there what the format itself does not know (seeds, τ, a new colour, …); "
    "other programs pass over it."
)
PERCENT: Final = (
    "A percentage says how many pixels the two have in common (IoU), for an object of about 50 x 45 pixels; "
    "a larger one loses less. Every conversion tells what it changed: `--report FILE` "
    "writes it, object by object."
)
SIGNS: Final = {"kept": "=", "lost": "–"}


def formats_page() -> str:
    """docs/reference/formats.md; takes a few seconds, for it converts everything."""
    measured = {each.name: measure(each) for each in FORMATS.values() if each.write is not None}
    both = [each for each in FORMATS.values() if each.name in measured and each.read is not None]
    parts = [
        paragraph(INTRODUCTION),
        table(("format", "name", "reads", "writes", "target"), [_row(each) for each in FORMATS.values()]),
        "## Shapes at a glance",
        paragraph(
            "`=` kept, `~` carried in another form, `–` not carried; the sections below say which form."
        ),
        table(
            ("", *SHAPES),
            [
                (each.name, *(SIGNS.get(verdict, "~") for verdict in measured[each.name].shapes.values()))
                for each in both
            ],
        ),
        paragraph(PERCENT),
    ]
    for each in FORMATS.values():
        parts += [f"## {each.name}: {each.title}", _section(each, measured.get(each.name))]
    return page("Formats", *parts)


def _row(each: Format) -> tuple[str, ...]:
    reads, writes = (("yes" if way is not None else "no") for way in (each.read, each.write))
    target = f"a folder, or one {each.file_suffix} file" if each.file_suffix else "a folder"
    return f"`{each.name}`", each.title, reads, writes, target if each.write is not None else ""


def _section(each: Format, measured: Measured | None) -> str:
    if measured is None:
        return "Can be read, not written."
    lines = []
    if each.read is None:
        lines.append(bullet("can be written, not read: nothing of SeedHue's own is in it"))
    else:
        lines += _shape_lines(measured.shapes)
        lines += _fact_lines(measured.facts)
    lines += [bullet(f"the report says ({action}): {reason.rstrip('.')}") for action, reason in measured.told]
    return "\n".join(lines)


def _shape_lines(verdicts: dict[str, str]) -> list[str]:
    by_verdict: dict[str, list[str]] = {}
    for name, verdict in verdicts.items():
        by_verdict.setdefault(verdict, []).append(name)
    lines = []
    if len(by_verdict.get("kept", [])) == len(SHAPES):
        return [bullet("every shape: kept")]
    for verdict in sorted(by_verdict, key=lambda each: (each == "lost", each != "kept")):
        names = ", ".join(by_verdict[verdict])
        how = {"kept": ": kept", "lost": ": not carried", "rounded": ": rounded by less than a pixel"}
        lines.append(bullet(f"{names}{how.get(verdict, f' → {verdict}')}"))
    return lines


def _fact_lines(verdicts: dict[str, str]) -> list[str]:
    lost = [name for name, verdict in verdicts.items() if verdict == "lost"]
    changed = [name for name, verdict in verdicts.items() if verdict == "changed"]
    kept = [name for name in verdicts if name not in (*lost, *changed)]
    if len(kept) == len(FACTS):
        return [bullet("everything else: kept")]
    lines = [bullet(f"{', '.join(kept)}: kept")]
    if changed:
        lines.append(bullet(f"{', '.join(changed)}: changed"))
    return [*lines, bullet(f"{', '.join(lost)}: lost")] if lost else lines
