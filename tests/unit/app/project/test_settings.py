from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from app.project.folders import config_dir, data_dir, journal_dir, settings_file, state_dir
from app.project.settings import MAX_RECENT, Settings, SettingsStore
from converters.errors import ConverterError
from converters.frozen import FrozenMap

OTHER = Settings(
    theme="dark",
    language="zh_CN",
    recent=("/a/b", "/c"),
    include_subfolders=True,
    autosave=False,
    model="other",
    brush_radius=3.5,
    overlay_opacity=0.75,
    label="猫",
    labels=("猫", "dog"),
    label_colors=FrozenMap({"猫": "#ff0000"}),
    color="#00ff00",
    recent_colors=("#00ff00", "#102030"),
    window_geometry="AdnQywAD",
    window_state="AAAA",
    shortcuts=FrozenMap({"save": ("Ctrl+S", "F2")}),
)


def as_changes(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in Settings.__dataclass_fields__}


def test_everything_comes_back(tmp_path):
    store = SettingsStore(tmp_path / "deep" / "settings.json")
    assert store.settings == Settings()
    store.change(**as_changes(OTHER))
    store.save()
    assert SettingsStore(store.file).settings == OTHER


def test_one_folder_holds_everything_where_the_environment_says_so(own_home):
    assert settings_file() == own_home / "config" / "settings.json"
    assert journal_dir() == own_home / "state" / "journals"
    assert data_dir() == own_home / "data"
    assert SettingsStore().file == settings_file()


def test_without_it_the_system_decides(monkeypatch):
    monkeypatch.delenv("SEEDHUE_HOME")
    for folder in (config_dir(), state_dir(), data_dir()):
        assert folder.is_absolute()
        assert "seedhue" in folder.parts


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe\x00", b'{"theme": "dark"', b"[" * 100_000], ids=range(6)
)
def test_a_damaged_file_is_kept_aside(tmp_path, content):
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    store = SettingsStore(file)
    assert store.settings == Settings()
    assert (tmp_path / "settings.json.damaged").read_bytes() == content
    assert "damaged" in store.problem
    store.change(theme="dark")
    store.save()
    file.write_bytes(content)
    SettingsStore(file)
    assert (tmp_path / "settings.json.damaged-2").exists()


def test_a_bad_value_costs_only_itself_and_foreign_keys_stay(tmp_path):
    file = tmp_path / "settings.json"
    bad = {
        "theme": "pink",
        "language": 3,
        "recent": [1, "/a", None],
        "brush_radius": True,
        "overlay_opacity": float("inf"),
        "label": ["x"],
        "label_colors": {"a": "#FF0000", "b": "red", "c": 4},
        "color": "#12345g",
        "recent_colors": ["#00FF00", "red", 3],
        "autosave": "yes",
        "shortcuts": {"save": ["F2"], "open": 5},
        "of_a_later_version": [1, 2],
    }
    file.write_text(json.dumps(bad))
    store = SettingsStore(file)
    assert store.settings == Settings(
        recent=("/a",),
        recent_colors=("#00ff00",),
        label_colors=FrozenMap({"a": "#ff0000"}),
        shortcuts=FrozenMap({"save": ("F2",)}),
    )
    assert store.problem == ""
    store.change(theme="dark")
    store.save()
    assert json.loads(file.read_text())["of_a_later_version"] == [1, 2]


@pytest.mark.parametrize(
    "wrong",
    [{"theme": "pink"}, {"brush_radius": -1}, {"theme": None}, {"color": "red"}],
)
def test_a_change_to_a_wrong_value_is_refused(tmp_path, wrong):
    store = SettingsStore(tmp_path / "settings.json")
    with pytest.raises(ValueError, match="value"):
        store.change(**wrong)
    assert store.settings == Settings()


def test_an_unknown_setting_is_refused(tmp_path):
    with pytest.raises(KeyError, match="colour"):
        SettingsStore(tmp_path / "settings.json").change(colour="#ffffff")


def test_recent_files_are_few_unique_and_newest_first(tmp_path):
    store = SettingsStore(tmp_path / "settings.json")
    for n in range(20):
        store.add_recent(tmp_path / f"{n}.png")
    store.add_recent(tmp_path / "15.png")
    recent = [Path(name).name for name in store.settings.recent]
    assert recent[:3] == ["15.png", "19.png", "18.png"]
    assert len(recent) == len(set(recent)) == MAX_RECENT


def test_saving_writes_only_after_a_change_and_from_any_thread(tmp_path):
    store = SettingsStore(tmp_path / "settings.json")
    store.save()
    assert not store.file.exists()
    store.change(theme="dark")
    threads = [threading.Thread(target=store.save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(store.file.read_text())["theme"] == "dark"
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    store = SettingsStore(tmp_path / "file" / "settings.json")
    store.change(theme="dark")
    with pytest.raises(ConverterError):
        store.save()
    assert store.settings.theme == "dark"
