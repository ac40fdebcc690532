"""The page of commands: every option of every sub-command, from the parsers themselves."""

from __future__ import annotations

import argparse
from typing import Any, Final

from app.commands.main import build_parser
from docs.reference_pages.markdown import bullet, page, paragraph

INTRODUCTION: Final = (
    "`python main.py` without a command opens the window, on the files and folders that follow. Where "
    "SeedHue is installed, `seedhue` stands for `python main.py`. Every command answers 0 when it is done, 1 "
    "when it failed and 2 when it was called wrongly; no command needs a display."
)


def commands_page() -> str:
    """docs/reference/commands.md."""
    sections = []
    for name, parser, summary in _children(build_parser()):
        sections += _section(name, parser, summary, depth=2)
    return page("Commands", paragraph(INTRODUCTION), *sections)


def _section(name: str, parser: argparse.ArgumentParser, summary: str, *, depth: int) -> list[str]:
    actions = [action for action in _actions(parser) if not _is_hidden(action)]
    words = [_usage(action) for action in actions if not action.option_strings]
    needed = [_usage(action) for action in actions if action.option_strings and action.required]
    children = _children(parser)
    line = " ".join(["python main.py", name, *words, *needed, *(["ACTION"] if children else [])])
    parts = [f"{'#' * depth} {name}", paragraph(parser.description or _sentence(summary))]
    parts.append(f"```\n{line}{' [options]' if len(actions) > len(words) + len(needed) else ''}\n```")
    rivals = _rivals(parser)
    if actions:
        parts.append("\n".join(bullet(_entry(action, rivals.get(action.dest, []))) for action in actions))
    for child, child_parser, child_summary in children:
        parts += _section(f"{name} {child}", child_parser, child_summary, depth=depth + 1)
    return parts


# argparse shows its actions to nobody: they are looked up among the parser's variables.


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    found: list[argparse.Action] = vars(parser)["_actions"]
    return found


def _is_hidden(action: argparse.Action) -> bool:
    return action.dest == "help" or action.help == argparse.SUPPRESS or isinstance(action.choices, dict)


def _children(parser: argparse.ArgumentParser) -> list[tuple[str, argparse.ArgumentParser, str]]:
    """(name, parser, one line about it) of the sub-commands."""
    found = []
    for action in _actions(parser):
        if isinstance(action.choices, dict):
            helps = {choice.dest: choice.help or "" for choice in vars(action)["_choices_actions"]}
            found += [(name, child, helps.get(name, "")) for name, child in action.choices.items()]
    return found


def _rivals(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """The options that exclude each other, by the name of each."""
    found: dict[str, list[str]] = {}
    for group in vars(parser)["_mutually_exclusive_groups"]:
        members: list[argparse.Action] = vars(group)["_group_actions"]
        for member in members:
            found[member.dest] = [m.option_strings[-1] for m in members if m is not member]
    return found


def _usage(action: argparse.Action) -> str:
    """How an argument is written, as an option or as a word."""
    value = _value(action)
    if action.option_strings:
        return f"{action.option_strings[-1]} {value}".strip()
    more = {"*": "[…]", "+": "…", "?": ""}.get(str(action.nargs), "")
    return f"[{value}]" if action.nargs == "?" else f"{value}{more}"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper() if action.metavar is None else str(action.metavar)


def _entry(action: argparse.Action, rivals: list[str]) -> str:
    names = [f"`{name}`" for name in action.option_strings]
    if names:
        names[-1] = f"`{_usage(action)}`"
    else:
        names = [f"`{_usage(action)}`"]
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    facts = [text] if text else []
    if _shows_default(action) and "default" not in text:
        facts.append(f"default: {action.default}")
    if isinstance(action.default, list) and "repeated" not in text and "several" not in text:
        facts.append("may be repeated")
    facts += [f"not together with `{rival}`" for rival in rivals]
    return f"{', '.join(names)}: {'; '.join(facts)}" if facts else ", ".join(names)


def _shows_default(action: argparse.Action) -> bool:
    default: Any = action.default
    return default is not None and default is not False and default not in ([], {}, "", argparse.SUPPRESS)


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
