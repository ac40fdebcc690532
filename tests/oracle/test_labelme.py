"""labelme itself judges every JSON we write, in an environment of its own: it brings another Qt.

The environment is made once, in `.venv-labelme` beside the repository's; without a package index the
tests are skipped. labelme 6.3.1 is the last that runs on Python 3.11; the rules of 7.9 are checked by
tests/labelme_rules.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from converters.annotation import (
    Box,
    Circle,
    ImageAnnotation,
    Instance,
    Line,
    LineStrip,
    Mask,
    Point,
    Polygon,
)
from converters.conversion.convert import convert
from converters.files.images import write_image
from converters.formats.labelme.document import write_labelme
from converters.formats.labelme.to_dataset import json_to_dataset
from tests.annotation_strategies import annotations, masks, polygons, vertices
from tests.foreign_files import SAMPLES

VERSION = "6.3.1"
HOME = Path(__file__).resolve().parents[2] / ".venv-labelme"
JUDGE = Path(__file__).with_name("labelme_judge.py")
FEW = settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="session")
def labelme_python() -> Path:
    """The interpreter of an environment with labelme, made on first use."""
    python = HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = HOME / ".ready"
    if not ready.is_file():
        try:
            subprocess.run(
                [sys.executable, "-m", "venv", str(HOME)], check=True, capture_output=True, timeout=120
            )
            install = [str(python), "-m", "pip", "install", "--quiet", f"labelme=={VERSION}"]
            subprocess.run(install, check=True, capture_output=True, timeout=600)
            subprocess.run(
                [str(python), "-c", "import labelme"], check=True, capture_output=True, timeout=120
            )
        except (subprocess.SubprocessError, OSError) as error:
            why = getattr(error, "stderr", None) or str(error).encode()
            pytest.skip(f"labelme {VERSION} cannot be installed here: {why.decode(errors='replace')[-200:]}")
        ready.touch()
    return python


def judged(python: Path, files: list[Path]) -> list[dict]:
    """labelme's answer for each file."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    # What OpenCV or PySide put there would lead labelme's PyQt5 to the wrong libraries.
    for name in ("QT_API", "QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR", "QT_PLUGIN_PATH", "PYTHONPATH"):
        environment.pop(name, None)
    done = subprocess.run(
        [str(python), str(JUDGE)],
        input=json.dumps([str(file) for file in files]),
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def saved(folder: Path, pictures: list[ImageAnnotation]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, annotation in enumerate(pictures):
        write_image(folder / f"{number}.png", np.zeros((annotation.height, annotation.width, 3), np.uint8))
        files.append(folder / f"{number}.json")
        write_labelme(files[-1], replace(annotation, image_path=f"{number}.png"))
    return files


@FEW
@given(pictures=st.lists(annotations(), min_size=15, max_size=25))
def test_labelme_reads_whatever_we_write(labelme_python, tmp_path_factory, pictures):
    files = saved(tmp_path_factory.mktemp("written"), pictures)
    for annotation, answer in zip(pictures, judged(labelme_python, files), strict=True):
        assert "error" not in answer, answer
        assert answer["labels"] == [instance.label for instance in annotation.instances]
        assert answer["flags"] == dict(annotation.flags)


def test_labelme_reads_what_we_make_of_every_other_format(labelme_python, tmp_path):
    files: list[Path] = []
    for name, make in SAMPLES.items():
        make(tmp_path / name / "in")
        convert(tmp_path / name / "in", tmp_path / name / "out", source_format=name, target_format="labelme")
        files += sorted((tmp_path / name / "out").rglob("*.json"))
    assert len(files) >= len(SAMPLES)
    for file, answer in zip(files, judged(labelme_python, files), strict=True):
        assert "error" not in answer, (file, answer)


def drawable(height: int, width: int):
    """What labelme 6 draws: not its own oriented boxes and point sets."""
    point = vertices(height, width)
    return st.one_of(
        masks(height, width),
        polygons(height, width),
        st.builds(
            lambda a, b: Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])), point, point
        ),
        st.builds(Circle, point, point),
        st.builds(Line, point, point),
        st.lists(point, min_size=2, max_size=5).map(lambda p: LineStrip(tuple(p))),
        point.map(lambda p: Point(*p)),
    )


@FEW
@given(pictures=st.lists(annotations(drawable), min_size=15, max_size=25))
def test_label_png_is_the_one_labelme_would_make(labelme_python, tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("dataset")
    files = saved(folder, pictures)
    compared = 0
    for file, answer in zip(files, judged(labelme_python, files), strict=True):
        assert "error" not in answer, answer
        assert "drawing" not in answer, answer
        out = json_to_dataset(file)
        names = (out / "label_names.txt").read_text(encoding="utf-8")
        assert names == "".join(f"{name}\n" for name in answer["names"])
        with Image.open(out / "label.png") as picture:
            ours = np.asarray(picture).ravel()
        theirs = np.concatenate([np.full(length, value) for value, length in answer["classes"]])
        # Another Pillow may round a polygon's border otherwise.
        assert np.count_nonzero(ours != theirs) <= 1 + ours.size // 1000
        compared += 1
    assert compared == len(pictures)


def test_the_judge_does_refuse_what_is_wrong(labelme_python, tmp_path):
    [file] = saved(
        tmp_path, [ImageAnnotation("a.png", 9, 9, (Instance("1", "x", Polygon(((1, 1), (5, 1), (5, 5)))),))]
    )
    document = json.loads(file.read_text())
    document["shapes"][0]["points"] = "nonsense"
    file.write_text(json.dumps(document))
    [answer] = judged(labelme_python, [file])
    assert "error" in answer


def test_masks_mean_the_same_to_labelme(labelme_python, tmp_path):
    ring = np.ones((9, 7), bool)
    ring[3:6, 2:5] = False
    [file] = saved(tmp_path, [ImageAnnotation("a.png", 20, 30, (Instance("1", "x", Mask(11, 5, ring)),))])
    [answer] = judged(labelme_python, [file])
    classes = np.concatenate([np.full(length, value) for value, length in answer["classes"]]).reshape(20, 30)
    assert np.array_equal(classes == 1, Mask(11, 5, ring).to_full(20, 30))
