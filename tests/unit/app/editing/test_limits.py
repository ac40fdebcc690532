"""What may be set: settings, tools and commands agree because they read the same rows."""

from __future__ import annotations

import pytest

from app.editing import limits
from app.editing.limits import BRUSH_RADIUS, OVERLAY_OPACITY, SUPERPIXEL_SIZE, TAU, Limits
from app.project.settings import Settings, SettingsStore

ROWS = {name: row for name, row in vars(limits).items() if isinstance(row, Limits)}


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_row_makes_sense(row):
    assert row.minimum < row.default < row.maximum
    assert 0 < row.step < row.maximum - row.minimum


def test_clamping():
    row = Limits(1.0, 3.0, default=2.0, step=0.5)
    assert [row.clamped(value) for value in (0.0, 1.0, 2.2, 3.0, 9.0)] == [1.0, 1.0, 2.2, 3.0, 3.0]
    assert [value in row for value in (0.99, 1, 3, 3.01)] == [False, True, True, False]
    assert str(TAU) == "0.01 and 0.99"


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("brush_radius", BRUSH_RADIUS),
        ("superpixel_size", SUPERPIXEL_SIZE),
        ("overlay_opacity", OVERLAY_OPACITY),
    ],
)
def test_settings_take_what_the_row_allows_and_no_more(tmp_path, name, row):
    store = SettingsStore(tmp_path / "settings.json")
    assert getattr(Settings(), name) == row.default
    for value in (row.minimum, row.maximum):
        assert getattr(store.change(**{name: value}), name) == value
    for value in (row.minimum - 0.01, row.maximum + 0.01):
        with pytest.raises(ValueError, match=name):
            store.change(**{name: value})
