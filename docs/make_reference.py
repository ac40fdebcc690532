"""Writes docs/reference and the READMEs' tables of keys from the code: `make reference`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docs.reference_pages.commands import commands_page
from docs.reference_pages.formats import formats_page
from docs.reference_pages.keys import keys_page, with_keys
from docs.reference_pages.labelme import labelme_page
from docs.reference_pages.settings import settings_page

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/reference/commands.md": commands_page,
    "docs/reference/keys.md": keys_page,
    "docs/reference/formats.md": formats_page,
    "docs/reference/labelme.md": labelme_page,
    "docs/reference/settings.md": settings_page,
}
READMES: Final = {"README.md": "en", "README.zh-CN.md": "zh"}


def make_reference(target: Path) -> tuple[Path, ...]:
    """Write every page, and the READMEs with today's keys, below a folder; returns the files."""
    texts = {name: make() for name, make in PAGES.items()}
    for name, language in READMES.items():
        texts[name] = with_keys((ROOT / name).read_text(encoding="utf-8"), language)
    for name, text in texts.items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tuple(target / name for name in texts)


if __name__ == "__main__":
    for written in make_reference(ROOT):
        sys.stdout.write(f"{written.relative_to(ROOT)}\n")
