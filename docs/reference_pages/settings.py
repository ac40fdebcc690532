"""The page of settings, from the dataclass that holds them."""

from __future__ import annotations

import inspect
import re
from dataclasses import Field, fields
from typing import Any

from app.project.folders import HOME_VARIABLE
from app.project.settings import Settings
from docs.reference_pages.markdown import bullet, page, paragraph


def settings_page() -> str:
    """docs/reference/settings.md.

    Raises:
        KeyError: the docstring of `Settings` does not explain one of them.
    """
    meanings = documented_attributes(Settings)
    entries = [bullet(_entry(each, meanings[each.name])) for each in fields(Settings)]
    return page(
        "Settings",
        paragraph(
            "What the window remembers about its user's wishes, in one JSON file: `settings.json` in the "
            "user's folder for settings (Linux `~/.config/seedhue`, Windows `%LOCALAPPDATA%\\seedhue`, macOS "
            "`~/Library/Application Support/seedhue`). The window changes all of it; it may also be edited "
            "by hand while the window is closed. A value that makes no sense falls back to its default "
            "alone, keys of a later version are kept, and a file that is no JSON is put aside, "
            "never overwritten."
        ),
        paragraph(
            f"The environment variable `{HOME_VARIABLE}` names a folder that then holds settings, recovery "
            "journals and your own models together: for a portable installation, or to try something out."
        ),
        "\n".join(entries),
    )


def documented_attributes(kind: type) -> dict[str, str]:
    """The section "Attributes" of a class's docstring: name to text; "a, b: text" explains both."""
    section = inspect.getdoc(kind) or ""
    section = section.partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for names, text in re.findall(r"^    (\w+(?:, \w+)*): (.+?)(?=^    \w|\Z)", section, re.M | re.S):
        for name in names.split(", "):
            found[name] = " ".join(text.split())
    return found


def _entry(each: Field[Any], meaning: str) -> str:
    return f"`{each.name}` (default {_shown(getattr(Settings(), each.name))}): {meaning}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, tuple):
        return "`[]`" if not value else f"`{list(value)}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value:g}`" if isinstance(value, float) else "`{}`"
