"""SeedHue as `pip install .` leaves it: no checkout near, with weights, icons, translations and samples."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("app", "converters", "models", "resources", "pyproject.toml", "README.md", "LICENSE", "NOTICE")

WINDOW = """
from app.process.environment import guard_environment
guard_environment()
from app.application import make_application
from app.appearance.i18n import set_language, tr
from app.appearance.theme import ThemeManager
from app.project.settings import SettingsStore
from app.services.window_services import WindowServices
from app.window.main_window import MainWindow
from app.workers.samples import sample_folder
import app, sys
application = make_application()
set_language("zh_CN")
theme = ThemeManager(application)
theme.apply("dark")
services = WindowServices(SettingsStore())
window = MainWindow(services, theme)
window.show()
application.processEvents()
print(app.__file__)
print(tr("Undo"))
print(len(list(sample_folder().glob("*.jpg"))))
window.close()
"""


class Installed:
    """A virtual environment that holds SeedHue's wheel beside the libraries that run these tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")

    def run(self, program: str, *arguments: str | Path) -> str:
        """Standard output of one of its programs, run far from any checkout."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "SEEDHUE_HOME": str(self.folder / "home"),
            "QT_QPA_PLATFORM": "offscreen",
        }
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    building = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w"]
    subprocess.run([*building, folder, source], check=True, capture_output=True)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    result = Installed(folder)
    places = result.run("python", "-c", "import json, site; print(json.dumps(site.getsitepackages()))")
    target = Path(json.loads(places)[-1])
    installing = [sys.executable, "-m", "pip", "--python", result.programs / "python", "install", "-q"]
    subprocess.run([*installing, "--no-deps", "--no-index", wheel], check=True, capture_output=True)
    # The libraries are those of this environment: installing torch anew would take minutes.
    (target / "libraries.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    return result


def test_the_commands_are_there(installed: Installed) -> None:
    assert installed.run("seedhue", "--version").startswith("SeedHue ")
    names = {each["name"] for each in json.loads(installed.run("seedhue", "convert", "--list", "--json"))}
    assert {"labelme", "coco"} <= names


def test_a_click_finds_the_shipped_weights(installed: Installed) -> None:
    shutil.copy(ROOT / "resources" / "samples" / "coffee.jpg", installed.folder)
    said = installed.run("seedhue", "segment", "coffee.jpg", "--seed", "290,110", "--label", "cup", "--json")
    (cup,) = json.loads(said)["pictures"][0]["objects"]
    assert cup["label"] == "cup"
    assert cup["area"] > 10_000
    assert (installed.folder / "coffee.json").is_file()
    said = installed.run("labelme_json_to_dataset", "coffee.json", "-o", "dataset")
    written = {path.name for path in (installed.folder / "dataset").rglob("*") if path.is_file()}
    assert {"img.png", "label.png", "label_names.txt", "label_viz.png", "info.yaml"} <= written


def test_the_window_has_words_icons_and_samples(installed: Installed) -> None:
    place, undo, samples = installed.run("python", "-c", WINDOW).strip().splitlines()[-3:]
    assert Path(place).is_relative_to(installed.folder)
    assert undo == "撤销"
    assert int(samples) >= 4
