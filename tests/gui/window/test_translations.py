"""Every text of the window is in the catalogue, and no two commands share a key."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

from app.appearance.i18n import LANGUAGES, catalogue, set_language, tr
from app.appearance.keys import effective_keys, find_conflicts, portable
from app.recolor.settings import SETTINGS
from app.window.actions import all_commands, default_keys
from converters.shapes.kinds import ROWS

APP = Path(__file__).parents[3] / "app"


def marked_texts() -> dict[str, str]:
    """Every literal given to `tr` or `phrase`, with the place of one use."""
    found: dict[str, str] = {}
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            if node.func.id in ("tr", "phrase"):
                for literal in literals(node.args[0]):
                    found.setdefault(literal, f"{path.relative_to(APP)}:{node.lineno}")
    for setting in SETTINGS:
        found.setdefault(setting.title, "recolor/settings.py")
        found.setdefault(setting.hint, "recolor/settings.py")
    for kind in ROWS:
        found.setdefault(kind.title, "converters/shapes/kinds.py")
    return found


def literals(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*literals(node.body), *literals(node.orelse)]
    return []


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_catalogue_is_complete(code):
    texts = catalogue(code)
    missing = {text: place for text, place in marked_texts().items() if not texts.get(text)}
    assert not missing


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_translations_keep_the_placeholders(code):
    texts = catalogue(code)
    wrong = {text for text, translated in texts.items() if placeholders(text) != placeholders(translated)}
    assert not wrong


def test_tr_falls_back_to_english():
    set_language("zh_CN")
    try:
        assert tr("Undo") == "撤销"
        assert tr("a text nobody translated") == "a text nobody translated"
    finally:
        set_language("en")
    assert tr("Undo") == "Undo"


def test_unknown_language_is_refused():
    with pytest.raises(ValueError, match="unknown language"):
        set_language("tlh")


def test_no_two_commands_share_a_key(qapp):
    assert find_conflicts(default_keys()) == {}


def test_every_key_is_a_key(qapp):
    for name, keys in default_keys().items():
        for key in keys:
            assert portable(key), f"{name}: {key!r} is not a key sequence"


def test_command_ids_are_unique():
    ids = [command.id for command in all_commands()]
    assert len(ids) == len(set(ids))


def test_own_keys_replace_the_defaults_and_clashes_are_found(qapp):
    keys = effective_keys(default_keys(), {"undo": ["Ctrl+S"], "no_such_command": ["X"]})
    assert keys["undo"] == ("Ctrl+S",)
    assert "no_such_command" not in keys
    assert set(find_conflicts(keys)["Ctrl+S"]) == {"undo", "save"}
