"""The house has three floors, and every floor rooms in an order: a room imports only those before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house_rules import (
    House,
    arrows_up,
    brought_along,
    circle,
    forbidden,
    full_folders,
    imports_of,
    long_files,
    relative_imports,
    vague_names,
)

ROOT = Path(__file__).resolve().parents[2]
QT = {"PySide6", "shiboken6", "qtpy", "qtawesome", "pyqtgraph", "pytestqt"}
OTHERS = {"labelme", "PyQt5", "PyQt6", "PySide2", "torchvision"}

# From the ground up. A single module is a room of its own where others of its folder build on it.
ROOMS = (
    "converters/__init__.py",
    "converters/frozen.py",
    "converters/annotation.py",
    "converters/errors.py",
    "converters/machine.py",
    "converters/files",
    "converters/shapes",
    "converters/report.py",
    "converters/formats/own_facts.py",
    "converters/formats/reading.py",
    "converters/formats/signs.py",
    "converters/formats/format.py",
    "converters/formats/xml_files.py",
    "converters/formats/labelme",
    "converters/formats/coco",
    "converters/formats",
    "converters/conversion",
    "models/errors.py",
    "models/segmenter.py",
    "models/device",
    "models/layers",
    "models/backbones",
    "models/weights_pattern.py",
    "models/data",
    "models/grid",
    "models/weights.py",
    "models/losses",
    "models/training",
    "models/seednet/resizing.py",
    "models/seednet/click_depth.py",
    "models/seednet/pooling.py",
    "models/seednet/scores.py",
    "models/seednet/features.py",
    "models/seednet/cut_scorer.py",
    "models/seednet/cut_calibrator.py",
    "models/seednet/level_scorer.py",
    "models/seednet/mask_refiner.py",
    "models/seednet/object_scorer.py",
    "models/seednet/older_weights.py",
    "models/seednet/network.py",
    "models/seednet/click",
    "models/seednet",
    "models/seednet/training",
    "models/networks/family.py",
    "models/networks/proposals",
    "models/networks/mask_rcnn",
    "models/networks/yolact",
    "models/networks/fcn",
    "models/networks/panoptic",
    "models/networks/deep_metric_learning",
    "models/networks/embedmask",
    "models/networks/spatial_embeddings",
    "models/networks",
    "models/__init__.py",
    "models/closer_look.py",
    "models/evaluation",
    "models/fine_tuning.py",
    "models/store.py",
    "app/__init__.py",
    "app/process",
    "app/appearance",
    "app/document",
    "app/editing",
    "app/project",
    "app/pixels",
    "app/recolor",
    "app/arrivals.py",
    "app/session.py",
    "app/workers",
    "app/canvas",
    "app/tools",
    "app/services",
    "app/panels",
    "app/dialogs",
    "app/window",
    "app/application.py",
    "app/commands",
)
# Room -> libraries that no file in it imports anywhere, not even lazily.
NEVER = {
    "converters": QT | OTHERS | {"torch"},
    "models": QT | OTHERS,
    "app": OTHERS,
    "app/document": QT,
    "app/editing": QT,
    "app/project": QT,
    "app/recolor": QT,
    "app/process": QT,
}
# Room -> libraries that importing it brings along in no way.
STARTS_WITHOUT = {
    "main.py": QT | {"torch", "cv2", "numpy"},
    "app/document": QT | {"torch"},
    "app/editing": QT | {"torch"},
    "app/project": QT | {"torch"},
    "app/recolor": QT | {"torch"},
    "app/process": QT | {"torch"},
    "app/commands": QT | {"torch"},
    "app/application.py": {"torch"},
}


@pytest.fixture(scope="module")
def house() -> House:
    return House(ROOT)


def test_a_room_imports_only_those_before_it(house):
    assert not arrows_up(house, ROOMS)


def test_no_circles(house):
    assert not circle(house)


def test_rooms_do_without_the_libraries_of_those_above(house):
    assert not forbidden(house, NEVER)


def test_what_has_to_start_quickly_brings_no_large_library_along(house):
    assert not brought_along(house, STARTS_WITHOUT)


def test_imports_are_absolute(house):
    assert not relative_imports(house)


def test_no_file_has_become_two_rooms(house):
    assert not long_files(house)


def test_no_folder_is_overfull(house):
    assert not full_folders(house)


def test_names_say_what_is_inside(house):
    tests = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")]
    assert not vague_names([*house.sources, *tests])


# Every rule can fail


@pytest.fixture
def build(tmp_path):
    """Makes a house of a few files."""

    def make(**files: str) -> House:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return House(tmp_path)

    return make


@pytest.mark.parametrize(
    "text",
    [
        "import app.high.b",
        "from app.high import b",
        "from app.high.b import B",
        "def f():\n    import app.high.b",
        "if TYPE_CHECKING:\n    from app.high.b import B",
    ],
)
def test_an_arrow_up_is_named_in_whatever_way_it_is_drawn(build, text):
    house = build(app__low__a=text, app__high__b="from app.low import a")
    line = text.count("\n") + 1
    assert arrows_up(house, ("app/low", "app/high")) == [f"app/low/a.py:{line} imports app/high/b.py"]


def test_a_room_below_a_room_has_a_place_of_its_own(build):
    house = build(app__a__base="", app__a__inner__x="import app.a.base", app__a__top="import app.a.inner.x")
    assert arrows_up(house, ("app/a/inner", "app/a")) == ["app/a/inner/x.py:1 imports app/a/base.py"]
    assert not arrows_up(house, ("app/a/base.py", "app/a/inner", "app/a"))


def test_a_file_in_no_room_is_named(build):
    house = build(app__a__x="", app__new__y="")
    assert arrows_up(house, ("app/a",)) == ["app/new/y.py lies in no room"]


@pytest.mark.parametrize("rule", [lambda house, room: arrows_up(house, (room,))])
def test_a_room_that_is_not_there_is_an_error(build, rule):
    with pytest.raises(LookupError, match="app/cli matches no file"):
        rule(build(app__client__x=""), "app/cli")


@pytest.mark.parametrize("rule", [forbidden, brought_along])
def test_a_rule_about_a_room_that_is_not_there_is_an_error(build, rule):
    with pytest.raises(LookupError, match="app/cli matches no file"):
        rule(build(app__client__x=""), {"app/cli": {"torch"}})


def test_a_circle_is_named_even_if_only_types_close_it(build):
    house = build(
        app__a="def f():\n    import app.b",
        app__b="if TYPE_CHECKING:\n    from app.c import C",
        app__c="import app.a",
    )
    assert circle(house) == ["app/a.py", "app/b.py", "app/c.py", "app/a.py"]
    assert circle(build(app__c="")) == []


def test_a_forbidden_library_is_named(build):
    house = build(
        converters__a="def f():\n    from torch.nn import Module", converters__b="import torchlight"
    )
    assert forbidden(house, {"converters": {"torch"}}) == [
        "converters/a.py:2 imports torch.nn",
        "converters/a.py:2 imports torch.nn.Module",
    ]


def test_a_library_that_comes_along_is_named_with_the_way_it_came(build):
    house = build(
        app__commands__a="from app.window import w",
        app__commands__lazy="def f():\n    from app.window import w",
        app__window__w="from PySide6 import QtCore",
    )
    assert brought_along(house, {"app/commands": {"PySide6"}}) == [
        "app/commands/a.py > app/window/w.py imports PySide6"
    ]


def test_long_files_full_folders_vague_names_and_dots_are_named(build):
    house = build(app__a="x = 1\n" * 401, app__b="x = 1\n" * 400, app__utils__c="from . import d")
    assert long_files(house) == ["app/a.py has 401 lines"]
    assert full_folders(house, 1) == ["app has 2 modules"]
    assert full_folders(house, 2) == []
    assert vague_names([*house.sources, "tests/test_common.py", "tests/_helpers.py"]) == [
        "app/utils/c.py",
        "tests/_helpers.py",
    ]
    assert relative_imports(house) == ["app/utils/c.py:1", "app/utils/c.py:1"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch", [("torch", True)]),
        ("def f():\n    import torch", [("torch", False)]),
        ("if TYPE_CHECKING:\n    import torch\nelse:\n    import json", [("torch", False), ("json", True)]),
        ("try:\n    import torch\nexcept ImportError:\n    pass", [("torch", True)]),
        ("class A:\n    import torch", [("torch", True)]),
        ("from a import b", [("a", True), ("a.b", True)]),
    ],
)
def test_the_walk_sees_where_an_import_runs(source, expected):
    assert [(found.module, found.at_import) for found in imports_of(source)] == expected
