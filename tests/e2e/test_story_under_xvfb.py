"""The main job with a real X server, a real mouse and a real keyboard.

Needs Xvfb and xdotool (Debian: xvfb, xdotool); skipped where they are missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converters.files.images import read_image
from converters.formats.labelme.document import read_labelme
from tests.labelme_rules import check_labelme

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "resources" / "samples" / "coffee.jpg"
TOOLS = ("Xvfb", "xdotool")
PATIENCE = 90.0
COFFEE, LEFT, RIGHT, FRONT = (290, 110), (105, 210), (472, 225), (285, 350)
SAUCER, GAP = (112, 230), (432, 124)

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {' and '.join(TOOLS)}"
)


class Person:
    """Somebody at the screen: reads what the probe tells, moves the mouse, types."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.probe_file, self.shot_file = folder / "probe.json", folder / "shot.png"
        self.environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "xcb",
            "SEEDHUE_HOME": str(folder / "home"),
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *paths: Path) -> None:
        self._start_display()
        if shutil.which("openbox"):
            self._run("openbox")
        script = str(ROOT / "tests" / "e2e" / "window_with_probe.py")
        arguments = [str(self.probe_file), str(self.shot_file), *map(str, paths)]
        self.program = self._run(sys.executable, script, *arguments)
        self.until(lambda seen: seen["picture"] is not None)
        window = self._xdotool("search", "--sync", "--onlyvisible", "--name", "SeedHue").split()[-1]
        self._xdotool("windowsize", "--sync", window, "1400", "860")
        self._xdotool("windowmove", window, "20", "20")
        self._xdotool("windowfocus", window)

    def stop(self) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env=self.environment, cwd=ROOT)
        self._processes.append(process)
        return process

    def _start_display(self) -> None:
        """Xvfb looks for a free display by itself and tells its number through a pipe."""
        told, tell = os.pipe()
        command = ("Xvfb", "-displayfd", str(tell), "-screen", "0", "1440x900x24", "-nolisten", "tcp")
        self._processes.append(subprocess.Popen(command, pass_fds=(tell,), stderr=subprocess.DEVNULL))
        os.close(tell)
        with os.fdopen(told) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        self.environment["DISPLAY"] = f":{number}"

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=self.environment, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def look(self) -> dict:
        try:
            return json.loads(self.probe_file.read_text())
        except FileNotFoundError:
            return {"picture": None}

    def until(self, condition) -> dict:
        """Wait until what the window shows satisfies the condition."""
        deadline = time.monotonic() + PATIENCE
        while not condition(seen := self.look()):
            assert self.program.poll() is None, "the program ended"
            assert time.monotonic() < deadline, f"still waiting; the window shows {seen}"
            time.sleep(0.1)
        return seen

    def point(self, x: float, y: float) -> tuple[str, str]:
        """Screen coordinates of a picture point, once the window has come to rest."""
        before = self.look()
        time.sleep(0.3)
        while (seen := self.look())["origin"] != before["origin"]:
            before = seen
            time.sleep(0.3)
        return tuple(str(round(o + v * seen["scale"])) for o, v in zip(seen["origin"], (x, y), strict=True))

    def hover(self, x: float, y: float) -> None:
        self._xdotool("mousemove", *self.point(x, y))

    def click(self, x: float, y: float, button: int = 1) -> None:
        self._xdotool("mousemove", *self.point(x, y), "sleep", "0.1", "click", str(button))

    def click_screen(self, position: list[int]) -> None:
        self._xdotool("mousemove", *map(str, position), "sleep", "0.1", "click", "1")

    def scroll(self, steps: int) -> None:
        """Positive steps turn the wheel away from the user."""
        self._xdotool("click", "--repeat", str(abs(steps)), "--delay", "60", "4" if steps > 0 else "5")

    def drag(self, *points: tuple[float, float]) -> None:
        self._xdotool("mousemove", *self.point(*points[0]), "mousedown", "1")
        for x, y in points[1:]:
            self._xdotool("mousemove", *self.point(x, y), "sleep", "0.05")
        self._xdotool("mouseup", "1")

    def press(self, *keys: str) -> None:
        self._xdotool("key", "--clearmodifiers", *keys)

    def write(self, text: str) -> None:
        self._xdotool("type", "--delay", "40", text)

    def screenshot(self) -> Path:
        wanted = self.shot_file.with_name(self.shot_file.name + ".wanted")
        self.shot_file.unlink(missing_ok=True)
        wanted.touch()
        deadline = time.monotonic() + PATIENCE
        while wanted.exists() or not self.shot_file.exists():
            assert time.monotonic() < deadline, "no screenshot came"
            time.sleep(0.1)
        return self.shot_file


@pytest.fixture
def person(tmp_path):
    somebody = Person(tmp_path)
    yield somebody
    somebody.stop()


@pytest.mark.timeout(600)
def test_from_a_photo_to_a_recoloured_cup(person, tmp_path):
    picture = tmp_path / "pictures" / "coffee.jpg"
    picture.parent.mkdir()
    shutil.copyfile(SAMPLE, picture)
    person.start(picture)
    person.until(lambda seen: seen["encoded"])

    # Name what is going to be cut out, then grow it from a seed.
    person.click_screen(person.look()["label_entry"])
    person.write("cup")
    person.press("Return")
    person.press("s")
    person.until(lambda seen: seen["tool"] == "seed")
    person.click(*COFFEE)
    person.until(lambda seen: seen["seeds"] == 1 and seen["tau"] is not None)
    # Further clicks say that the saucer belongs to it; τ spreads the region, and draws it back.
    for count, place in ((2, RIGHT), (3, LEFT)):
        person.click(*place)
        grown = person.until(lambda seen, count=count: seen["seeds"] == count)
    person.scroll(3)
    person.until(lambda seen: seen["tau"] is not None and seen["tau"] != grown["tau"])
    person.scroll(-3)
    person.until(lambda seen: abs(seen["tau"] - grown["tau"]) < 0.001)
    person.press("Return")
    person.until(lambda seen: [o["label"] for o in seen["objects"]] == ["cup"])

    # A correction with the brush, and undo and redo of it.
    person.press("v")
    person.click(*COFFEE)
    person.until(lambda seen: seen["selected"] == 1)
    person.press("b")
    person.until(lambda seen: seen["tool"] == "brush")
    person.drag((422, 114), GAP, (446, 144))
    person.until(lambda seen: seen["modified"] or (picture.with_suffix(".json")).exists())
    person.press("ctrl+z")
    person.press("ctrl+shift+z")

    # A new colour from the palette.
    person.press("c")
    seen = person.until(lambda seen: seen["tool"] == "recolor" and seen["swatches"])
    blue = max(seen["swatches"], key=blueness)
    person.click_screen(seen["swatches"][blue])
    person.until(lambda seen: seen["color"] == blue)
    person.click(*SAUCER)
    person.until(lambda seen: [o["recolor"] for o in seen["objects"]] == [blue])
    person.press("ctrl+s")
    person.until(lambda seen: not seen["modified"])
    person.hover(560, 380)
    deadline = time.monotonic() + PATIENCE
    while not shows_blue(person.screenshot(), person):
        assert time.monotonic() < deadline, "the screen never showed the new colour"
        time.sleep(0.5)

    document = picture.with_suffix(".json")
    check_labelme(document)
    (cup,) = read_labelme(document).instances
    assert cup.label == "cup"
    assert cup.recolor.color == blue
    assert cup.geometry.contains(*SAUCER)
    assert all(cup.geometry.contains(*place) for place in (LEFT, RIGHT, FRONT, GAP))
    assert [s.positive for s in cup.provenance.seeds] == [True] * 3
    assert person.look()["notices"] == []


def blueness(name: str) -> int:
    red, green, blue = (int(name[i : i + 2], 16) for i in (1, 3, 5))
    return 2 * blue - red - green


def shows_blue(shot: Path, person: Person) -> bool:
    """Whether the screenshot is bluish at the saucer, where the photograph is red."""
    x, y = (int(v) for v in person.point(*SAUCER))
    patch = read_image(shot)[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3).mean(axis=0)
    return bool(patch[2] > patch[0])
