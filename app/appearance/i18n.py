"""The window's languages: `tr` turns an English text into the chosen language.

The English text is the key, so the sources read naturally and a text without a translation is
still shown in English. A test extracts every literal given to `tr` and `phrase` and checks that
the catalogues in `resources/translations` are complete. No Qt here: the tools and the Qt-free
rooms may name their texts too.
"""

from __future__ import annotations

import json
import locale
from functools import cache
from importlib import resources
from typing import Final

LANGUAGES: Final[dict[str, str]] = {"en": "English", "zh_CN": "简体中文"}
"""Language code to the language's own name."""

_current = "en"


def tr(text: str, **values: object) -> str:
    """The text in the current language, with `{name}` placeholders filled from `values`."""
    translated = text if _current == "en" else catalogue(_current).get(text, text)
    return translated.format(**values) if values else translated


def phrase(text: str) -> str:
    """Marks a text in a table for the catalogue; `tr` translates it where it is shown."""
    return text


def set_language(code: str) -> None:
    """Switches the language of every later `tr`; "system" means the one of the locale."""
    global _current
    chosen = system_language() if code == "system" else code
    if chosen not in LANGUAGES:
        raise ValueError(f"unknown language {code!r}; there are {', '.join(LANGUAGES)}")
    _current = chosen


def current_language() -> str:
    """The code of the language `tr` answers in."""
    return _current


def system_language() -> str:
    """ "zh_CN" where the locale is any Chinese, else "en"."""
    name = locale.getlocale()[0] or ""
    return "zh_CN" if name.lower().startswith(("zh", "chinese")) else "en"


@cache
def catalogue(code: str) -> dict[str, str]:
    """English text to translation, as the catalogue file holds them."""
    source = resources.files("resources") / "translations" / f"{code}.json"
    texts: dict[str, str] = json.loads(source.read_text(encoding="utf-8"))
    return texts
