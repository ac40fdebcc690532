"""The page of keys, and the short tables of keys in the READMEs, from the window's table of commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.tools.pick import PickTool
from app.tools.registry import TOOLS
from app.window.actions import MENUS, all_commands, default_keys
from docs.reference_pages.markdown import bullet, page, paragraph, table

BEGIN: Final = "<!-- keys: made by `make reference` -->"
END: Final = "<!-- keys end -->"

EVERYWHERE: Final = (
    ("wheel", "zooms, unless the tool uses it (τ, similarity)"),
    ("Ctrl+wheel", "zooms with every tool"),
    ("Alt+wheel, or Ctrl+Shift+wheel", "chooses the level of a seed, or the size of what paints"),
    ("Space+drag, or drag with the middle button", "moves the picture"),
    ("double click with the middle button", "fits the picture to the window"),
    ("Enter / Esc", "keeps / drops what the tool is making"),
)
"""What the canvas does with every tool; no table of the program has it."""

SELECT_AND_EDIT: Final = (
    ("arrow keys", "move the selected objects by a pixel, with Shift by ten"),
    ("Delete", "removes the vertex clicked last, otherwise the objects"),
    ("right click on an object", "opens the menu of objects"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a README's table.

    Attributes:
        keys: "{id}" stands for the first key of a command; words in English.
        does: by language, "en" and "zh".
        keys_in_chinese: where `keys` has words.
    """

    keys: str
    does: dict[str, str]
    keys_in_chinese: str = ""


def _entry(keys: str, english: str, chinese: str, keys_in_chinese: str = "") -> Entry:
    return Entry(keys, {"en": english, "zh": chinese}, keys_in_chinese)


README: Final = (
    _entry("{tool_seed}", "seed tool", "种子工具"),
    _entry("{tool_select}", "select and edit", "选择与编辑"),
    _entry("click / right-click", "belongs / does not belong", "属于 / 不属于物体", "单击 / 右击"),
    _entry(
        "Shift+click",
        "select a finished object to tune it again",
        "选中已完成的对象,重新调整",
        "Shift+单击",
    ),
    _entry("wheel", "τ (Shift: fine)", "τ(Shift:微调)", "滚轮"),
    _entry(
        "{smaller_level} {larger_level}, Alt+wheel, Ctrl+Shift+wheel",
        "level",
        "层级",
        "{smaller_level} {larger_level}、Alt+滚轮、Ctrl+Shift+滚轮",
    ),
    _entry("Ctrl+wheel", "zoom", "缩放", "Ctrl+滚轮"),
    _entry("Enter / Esc", "keep / drop", "保留 / 放弃", "回车 / Esc"),
    _entry("Space+drag, middle button", "pan", "平移", "空格+拖动、中键"),
    _entry("{tool_brush} / {tool_eraser}", "brush / eraser", "画笔 / 橡皮擦"),
    _entry("{smaller_brush} {larger_brush}", "size of the brush, of superpixels", "画笔、超像素的大小"),
    _entry("{tool_superpixel}", "superpixel brush", "超像素画笔"),
    _entry("{snap_to_superpixels}", "snap to superpixels", "对齐到超像素"),
    _entry("{tool_polygon} / {tool_box}", "polygon / box", "多边形 / 矩形"),
    _entry("{delete}", "delete", "删除"),
    _entry("{tool_recolor}", "recolour", "改色"),
    _entry("{show_original} (hold)", "show the original", "显示原图", "{show_original}(按住)"),
    _entry("{previous_picture} / {next_picture}", "previous / next picture", "上一张 / 下一张图片"),
    _entry("{fit} / {actual_size}", "fit / actual size", "适合窗口 / 实际大小"),
    _entry("{undo} / {redo}", "undo / redo", "撤销 / 重做"),
    _entry("{relabel}", "change label", "修改标签"),
    _entry("{auto}", "find objects", "自动查找对象"),
    _entry(
        "{select_similar}",
        "select similar: all that look like the object at hand",
        "选择相似对象:与当前对象相似的全部对象",
    ),
    _entry("{train}", "train on your objects", "用您的对象训练"),
    _entry("{export_picture}", "export the recoloured picture", "导出改色后的图片"),
    _entry("{save}", "save (it also saves by itself)", "保存(也会自动保存)"),
    _entry("{import_annotations} / {export_annotations}", "import / export annotations", "导入 / 导出标注"),
    _entry("{shortcuts}", "all keys, to be changed at will", "全部按键,可自行修改"),
)
_HEAD: Final = {"en": ("key", "does"), "zh": ("按键", "作用")}


def keys_page() -> str:
    """docs/reference/keys.md."""
    parts = [
        paragraph(
            "The keys SeedHue begins with. *Help → Keyboard shortcuts* (F1) changes them; they are kept in "
            "the [settings](settings.md) under `shortcuts`, by the names in the last column."
        ),
        "## Tools",
        "\n".join(
            [
                *(_tool(title=kind.title, key=kind.shortcut, hint=kind.hint) for kind in TOOLS),
                _tool(
                    title=f"While {PickTool.title.lower()} wait to be accepted", key="", hint=PickTool.hint
                ),
            ]
        ),
        "## On the picture",
        table(("key or mouse", "does"), EVERYWHERE),
        "With *Select and edit*:",
        table(("key or mouse", "does"), SELECT_AND_EDIT),
    ]
    for menu, title in MENUS.items():
        rows = [
            (command.title.rstrip("…"), _keys(command.keys), f"`{command.id}`")
            for command in all_commands()
            if command.menu == menu
        ]
        parts += [f"## {title.replace('&', '')}", table(("command", "keys", "name"), rows)]
    return page("Keys", *parts)


def _tool(*, title: str, key: str, hint: str) -> str:
    return bullet(f"**{title}**{f' ({key})' if key else ''}: {hint}")


def _keys(keys: tuple[str, ...]) -> str:
    return ", ".join(f"`{_shown(key)}`" for key in keys)


def _shown(key: str) -> str:
    """As it stands on the keyboard."""
    return re.sub(r"\bReturn\b", "Enter", key)


def readme_keys(language: str) -> str:
    """The table of keys for a README: two pairs of columns.

    Raises:
        KeyError: a row names a command that is not there, or one without a key.
    """
    first = {name: _shown(keys[0]) for name, keys in default_keys().items() if keys}
    cells = []
    for entry in README:
        keys = entry.keys_in_chinese if language == "zh" and entry.keys_in_chinese else entry.keys
        cells.append((keys.format_map(first), entry.does[language]))
    if len(cells) % 2:
        cells.append(("", ""))
    rows = [(*left, *right) for left, right in zip(cells[::2], cells[1::2], strict=True)]
    return table(_HEAD[language] * 2, rows)


def with_keys(readme: str, language: str) -> str:
    """A README's text with the table of today between its markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the markers {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n{readme_keys(language)}\n{END}{after}"
