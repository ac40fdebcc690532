"""The command `recolor`, called as a user calls it, on real files."""

import json

import numpy as np
import pytest
from PIL import Image

from app.commands import main as cli
from converters.annotation import Box, ImageAnnotation, Instance, Mask, Point, Seed
from converters.files.images import read_image, write_image
from converters.formats.labelme.document import write_labelme
from models import Encoding, Prediction, Segmenter, SegmenterError

DISC = np.hypot(*(np.mgrid[:80, :100] - np.array([40, 50])[:, None, None])) < 25


def picture(color=(190, 40, 30)):
    rows = np.linspace(0.6, 1.0, 80)[:, None, None]
    scene = np.where(DISC[..., None], np.array(color) * rows, (110, 125, 120))
    return scene.astype(np.uint8)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "car.png"
    write_image(path, picture())
    return path


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "mask.png"
    write_image(path, DISC.astype(np.uint8) * 255)
    return path


def run(*arguments):
    """The exit code, also where argparse leaves by itself."""
    try:
        return cli.main(["recolor", *map(str, arguments)])
    except SystemExit as end:
        return end.code


def is_blue(codes):
    return bool((codes[..., 2].astype(int) > codes[..., 0].astype(int) + 30).all())


CORE = np.hypot(*(np.mgrid[:80, :100] - np.array([40, 50])[:, None, None])) < 20


def test_a_mask_picture_tells_the_object(photo, mask, capsys):
    before = photo.read_bytes()
    assert run(photo, "--mask", mask, "--color", "#2459b8") == 0
    target = photo.with_name("car_recolored.png")
    assert str(target) in capsys.readouterr().out
    assert photo.read_bytes() == before
    result = read_image(target)
    assert is_blue(result[CORE])
    far = np.hypot(*(np.mgrid[:80, :100] - np.array([40, 50])[:, None, None])) > 32
    assert np.array_equal(result[far], picture()[far])


@pytest.mark.parametrize(
    "values",
    [DISC.astype(np.uint8), DISC.astype(np.uint8) * 7, np.repeat(DISC[..., None] * np.uint8(255), 3, axis=2)],
)
def test_a_mask_may_hold_labels_or_white(photo, tmp_path, values):
    write_image(tmp_path / "m.png", values)
    out = tmp_path / "out.png"
    assert run(photo, "--mask", tmp_path / "m.png", "--color", "#2459b8", "-o", out) == 0
    assert is_blue(read_image(out)[CORE])


def test_a_jpeg_mask_with_its_noise(photo, tmp_path):
    write_image(tmp_path / "m.jpg", DISC.astype(np.uint8) * 255, quality=60)
    out = tmp_path / "out.png"
    assert run(photo, "--mask", tmp_path / "m.jpg", "--color", "#2459b8", "-o", out) == 0
    result = read_image(out)
    assert is_blue(result[CORE])
    assert np.array_equal(result[:8, :8], picture()[:8, :8])


def annotate(photo, *instances, height=80, width=100):
    document = ImageAnnotation(photo.name, height, width, tuple(instances))
    write_labelme(photo.with_suffix(".json"), document)


def test_a_label_takes_all_its_objects(photo, capsys):
    annotate(
        photo,
        Instance("a", "car", Mask.from_full(DISC)),
        Instance("b", "car", Box(2, 2, 12, 12)),
        Instance("c", "sky", Box(80, 60, 98, 78)),
    )
    assert run(photo, "--label", "car", "--color", "#2459b8", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["color"] == "#2459b8"
    (entry,) = told["pictures"]
    assert len(entry["objects"]) == 2
    assert entry["objects"][0]["area"] == int(DISC.sum())
    assert entry["objects"][0]["color_before"].startswith("#9")
    result = read_image(entry["written"])
    assert is_blue(result[CORE])
    assert is_blue(result[4:10, 4:10])
    assert np.array_equal(result[64:74, 84:94], picture()[64:74, 84:94])


def test_an_unknown_label_names_the_known_ones(photo, capsys):
    annotate(photo, Instance("a", "car", Mask.from_full(DISC)), Instance("b", "dog", Point(3, 3)))
    assert run(photo, "--label", "cat", "--color", "#2459b8") == 1
    said = capsys.readouterr().err
    assert "'cat'" in said
    assert "'car', 'dog'" in said
    assert not photo.with_name("car_recolored.png").exists()


def test_a_label_file_of_another_picture(photo, capsys):
    annotate(photo, Instance("a", "car", Box(1, 1, 5, 5)), height=300, width=400)
    assert run(photo, "--label", "car", "--color", "#2459b8") == 1
    assert "car.json" in capsys.readouterr().err


def test_no_label_file(photo, capsys):
    assert run(photo, "--label", "car", "--color", "#2459b8") == 1
    assert "car.json" in capsys.readouterr().err


class ColorEncoding(Encoding):
    """Similarity is closeness in colour."""

    def __init__(self, image):
        self.image = image.astype(np.float32)
        self.height, self.width = image.shape[:2]
        self.region = (0, 0, self.width, self.height)
        self.version = "color-1"

    @property
    def nbytes(self):
        return self.image.nbytes

    def similarity(self, seeds, level=None, region=None, size=None):
        self.check_seeds(seeds)
        likeness = [
            (np.exp(-np.linalg.norm(self.image - self.image[int(s.y), int(s.x)], axis=2) / 150), s.positive)
            for s in seeds
        ]
        best = np.max([plane for plane, positive in likeness if positive], axis=0)
        for plane, positive in likeness:
            if not positive:
                best = np.where(plane > best, 0, best)
        return best.astype(np.float32)

    def suggest_tau(self, seeds, level=None):
        return 0.5

    def level_scores(self, seeds):
        return (1.0,)

    def mask(self, seeds, tau=None, level=None, region=None, size=None):
        return self.similarity(seeds) >= (0.5 if tau is None else tau)

    def instances(self, min_score=0.5, max_count=100):
        return [Prediction(Mask.from_full(DISC), None, 1.0, 1.0, Seed(50, 40), 0.5)]


class ColorSegmenter(Segmenter):
    name, version = "color", "color-1"

    def encode(self, image, region=None, should_stop=None):
        return ColorEncoding(image)


@pytest.fixture
def segmenter(monkeypatch):
    monkeypatch.setattr("app.commands.model_choice.load_chosen_segmenter", lambda *_, **__: ColorSegmenter())


def test_a_seed_tells_the_object(photo, segmenter, tmp_path):
    out = tmp_path / "blue.png"
    assert run(photo, "--seed", "50,40", "--color", "#2459b8", "-o", out) == 0
    assert is_blue(read_image(out)[CORE])


def test_a_threshold_beyond_the_window_s_slider(photo, segmenter, tmp_path):
    out = tmp_path / "blue.png"
    assert run(photo, "--seed", "50,40", "--tau", "0.995", "--color", "#2459b8", "-o", out) == 0
    assert out.is_file()


def test_a_negative_seed_and_tau(photo, segmenter, tmp_path):
    out = tmp_path / "blue.png"
    arguments = ("--seed", "50,40", "--not", "5,5", "--tau", "0.4", "--color", "#2459b8", "-o", out)
    assert run(photo, *arguments) == 0
    assert is_blue(read_image(out)[CORE])


def test_a_seed_outside_the_picture(photo, segmenter, capsys):
    assert run(photo, "--seed", "500,40", "--color", "#2459b8") == 1
    said = capsys.readouterr().err
    assert "car.png" in said
    assert "outside" in said


def test_a_model_that_cannot_be_loaded(photo, monkeypatch, capsys):
    def fails(*_, **__):
        raise SegmenterError("the weights are damaged.")

    monkeypatch.setattr("app.commands.model_choice.load_chosen_segmenter", fails)
    assert run(photo, "--seed", "50,40", "--color", "#2459b8") == 1
    assert "damaged" in capsys.readouterr().err


def test_settings_reach_the_engine(photo, mask, tmp_path):
    out = tmp_path / "same.png"
    arguments = ("--mask", mask, "--color", "#2459b8", "--setting", "opacity=0", "-o", out)
    assert run(photo, *arguments) == 0
    assert np.array_equal(read_image(out), picture())


def test_exif_and_profile_are_kept_and_the_frame_is_upright(tmp_path, mask):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees
    exif[0x010F] = "Maker"
    path = tmp_path / "turned.jpg"
    stored = Image.fromarray(picture()).transpose(Image.Transpose.ROTATE_90)
    stored.save(path, exif=exif, icc_profile=profile, quality=95)
    assert run(path, "--mask", mask, "--color", "#2459b8") == 0
    with Image.open(tmp_path / "turned_recolored.jpg") as result:
        assert result.size == (100, 80)
        assert result.info["icc_profile"] == profile
        assert result.getexif()[0x010F] == "Maker"
        assert result.getexif().get(0x0112, 1) == 1
        assert is_blue(np.asarray(result)[CORE])


def test_the_original_is_replaced_only_by_name(photo, mask):
    assert run(photo, "--mask", mask, "--color", "#2459b8", "-o", photo) == 0
    assert is_blue(read_image(photo)[CORE])


def test_several_pictures_go_to_a_folder_and_a_bad_one_does_not_stop_the_rest(photo, mask, tmp_path, capsys):
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    second = tmp_path / "second.png"
    write_image(second, picture((40, 150, 60)))
    out = tmp_path / "new" / "folder"
    assert run(photo, broken, second, "--mask", mask, "--color", "#2459b8", "-o", out) == 1
    assert "broken.png" in capsys.readouterr().err
    assert sorted(p.name for p in out.iterdir()) == ["car_recolored.png", "second_recolored.png"]
    assert is_blue(read_image(out / "second_recolored.png")[CORE])


def test_a_picture_is_never_written_over_another(photo, mask, tmp_path, capsys):
    victim = tmp_path / "car_recolored.png"
    write_image(victim, picture())
    before = victim.read_bytes()
    assert run(photo, victim, "--mask", mask, "--color", "#2459b8") == 2
    assert victim.read_bytes() == before
    other = tmp_path / "sub"
    other.mkdir()
    write_image(other / "car.png", picture())
    arguments = (photo, other / "car.png", "--mask", mask, "--color", "#2459b8", "-o", tmp_path / "out")
    assert run(*arguments) == 2
    assert "another -o" in capsys.readouterr().err


def test_a_gif_becomes_a_png(tmp_path, mask):
    path = tmp_path / "car.gif"
    Image.fromarray(picture()).save(path)
    assert run(path, "--mask", mask, "--color", "#2459b8") == 0
    assert is_blue(read_image(tmp_path / "car_recolored.png")[CORE])


def test_a_mask_of_another_size(photo, tmp_path, capsys):
    write_image(tmp_path / "m.png", np.full((10, 10), 255, np.uint8))
    assert run(photo, "--mask", tmp_path / "m.png", "--color", "#2459b8") == 1
    assert "10 x 10" in capsys.readouterr().err


def test_an_empty_mask(photo, tmp_path, capsys):
    write_image(tmp_path / "m.png", np.zeros((80, 100), np.uint8))
    assert run(photo, "--mask", tmp_path / "m.png", "--color", "#2459b8") == 1
    assert "empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--color", "#2459b8"), "which object"),
        (("--color", "#2459b8", "--seed", "1,1", "--label", "car"), "which object"),
        (("--color", "blue", "--seed", "1,1"), "#rrggbb"),
        (("--seed", "1,1"), "--color"),
        (("--color", "#2459b8", "--seed", "one,two"), "X,Y"),
        (("--color", "#2459b8", "--label", "car", "--not", "1,1"), "need a --seed"),
        (("--color", "#2459b8", "--label", "car", "--tau", "0.4"), "need a --seed"),
        (("--color", "#2459b8", "--seed", "1,1", "--tau", "1"), "strictly between 0 and 1"),
        (("--color", "#2459b8", "--label", "car", "--setting", "opacity"), "NAME=VALUE"),
        (("--color", "#2459b8", "--label", "car", "--setting", "opacity=much"), "no number"),
        (("--color", "#2459b8", "--label", "car", "--setting", "opacity=2"), "between 0 and 1"),
        (("--color", "#2459b8", "--label", "car", "--setting", "shine=1"), "unknown"),
    ],
)
def test_wrong_usage(photo, capsys, arguments, said):
    assert run(photo, *arguments) == 2
    assert said in capsys.readouterr().err
    assert [p.name for p in photo.parent.iterdir()] == ["car.png"]


def test_one_file_for_several_pictures_is_wrong_usage(photo, mask, tmp_path, capsys):
    assert run(photo, mask, "--mask", mask, "--color", "#2459b8", "-o", tmp_path / "out.png") == 2
    assert "folder" in capsys.readouterr().err


def test_masks_and_labels_do_without_torch(photo, mask):
    import subprocess
    import sys

    program = (
        "import sys; from app.commands.main import main; code = main(sys.argv[1:]);"
        "assert 'torch' not in sys.modules and 'PySide6' not in sys.modules; sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "recolor", photo, "--mask", mask, "--color", "#2459b8"]
    assert subprocess.run(command, timeout=120, check=False).returncode == 0
