"""`segment` from the command line: files written, messages, exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.commands.main import main
from converters.annotation import ImageAnnotation, Instance, Mask, Polygon
from converters.files.images import read_image, write_image
from converters.formats.coco.instances import read_coco
from converters.formats.labelme.document import read_labelme, write_labelme

SAMPLES = Path(__file__).resolve().parents[4] / "resources" / "samples"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cup.png"
    write_image(path, np.ascontiguousarray(read_image(SAMPLES / "coffee.jpg")[::2, ::2]))
    return path


def test_a_seed_becomes_a_labelme_file_beside_the_picture(picture, capsys):
    arguments = [
        "segment",
        str(picture),
        "--seed",
        "150,95",
        "--not",
        "5,5",
        "--tau",
        "0.5",
        "--label",
        "杯子",
    ]
    assert main(arguments) == 0
    annotation = read_labelme(picture.with_suffix(".json"))
    (instance,) = annotation.instances
    assert instance.label == "杯子"
    assert isinstance(instance.geometry, Mask)
    assert instance.geometry.contains(150, 95)
    assert not instance.geometry.contains(5, 5)
    assert instance.provenance.tau == 0.5
    assert [s.positive for s in instance.provenance.seeds] == [True, False]
    assert "1 object" in capsys.readouterr().out


def test_objects_join_those_already_there(picture):
    height, width = read_image(picture).shape[:2]
    drawn = Instance("old", "spoon", Polygon(((1.0, 1.0), (9.0, 1.0), (5.0, 8.0))))
    write_labelme(picture.with_suffix(".json"), ImageAnnotation(picture.name, height, width, (drawn,)))
    assert main(["segment", str(picture), "--seed", "150,95"]) == 0
    labels = [i.label for i in read_labelme(picture.with_suffix(".json")).instances]
    assert labels == ["spoon", "object"]


@pytest.mark.parametrize("content", ['{"shapes": [', None])
def test_a_label_file_that_cannot_be_extended_is_left_alone(picture, content, capsys):
    path = picture.with_suffix(".json")
    if content is None:
        write_labelme(path, ImageAnnotation(picture.name, 10, 20))
    else:
        path.write_text(content)
    before = path.read_bytes()
    assert main(["segment", str(picture), "--seed", "150,95"]) == 1
    assert path.read_bytes() == before
    assert path.name in capsys.readouterr().err


def test_coco_and_png_go_to_the_output_folder(picture, tmp_path):
    out = tmp_path / "out"
    assert main(["segment", str(picture), "--seed", "150,95", "--format", "coco", "-o", str(out)]) == 0
    (annotation,) = read_coco(out / "instances.json")
    assert main(["segment", str(picture), "--seed", "150,95", "--format", "png", "-o", str(out)]) == 0
    pixels = np.array(Image.open(out / "cup_mask.png"))
    assert set(np.unique(pixels)) == {0, 255}
    mask = annotation.instances[0].geometry
    assert np.array_equal(pixels > 0, mask.to_full(*pixels.shape))


def test_output_elsewhere_leads_back_to_the_picture(picture, tmp_path):
    out = tmp_path / "labels" / "deep"
    assert main(["segment", str(picture), "--seed", "150,95", "-o", str(out)]) == 0
    assert read_labelme(out / "cup.json").image_path == "../../cup.png"


def test_automatic_objects_carry_a_score(picture, capsys):
    assert main(["segment", str(picture), "--auto", "--min-score", "0.05", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    objects = result["pictures"][0]["objects"]
    assert objects
    assert all(0.05 <= o["score"] <= 1 and o["area"] > 0 for o in objects)


def test_a_closer_look_finds_at_least_as_much(picture, capsys):
    areas = []
    for options in ([], ["--closer"]):
        assert main(["segment", str(picture), "--auto", "--min-score", "0.05", "--json", *options]) == 0
        picture.with_suffix(".json").unlink()
        areas.append([o["area"] for o in json.loads(capsys.readouterr().out)["pictures"][0]["objects"]])
    assert len(areas[1]) >= len(areas[0])
    assert max(areas[1]) == max(areas[0]), "parts add no large objects"


def test_one_bad_picture_does_not_stop_the_others(picture, tmp_path, capsys):
    fake = tmp_path / "text.png"
    fake.write_text("I am no picture")
    assert main(["segment", str(fake), str(picture), "--seed", "150,95"]) == 1
    assert picture.with_suffix(".json").is_file()
    assert "text.png" in capsys.readouterr().err


def test_a_seed_outside_the_picture_is_named(picture, capsys):
    assert main(["segment", str(picture), "--seed", "5000,10"]) == 1
    error = capsys.readouterr().err
    assert "(5000, 10)" in error
    assert "cup.png" in error
    assert not picture.with_suffix(".json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--seed", "1,1", "--auto"],
        ["--seed", "1,1", "--closer"],
        ["--seed", "1,1", "--tau", "1"],
        ["--seed", "1,1", "--tau", "-2"],
    ],
)
def test_wrong_usage_is_told_apart_from_failure(picture, arguments):
    assert main(["segment", str(picture), *arguments]) == 2


@pytest.mark.parametrize("text", ["12", "a,b", "1,2,3", "nan,4"])
def test_what_is_no_point_is_refused_by_the_parser(picture, text):
    with pytest.raises(SystemExit) as exit_:
        main(["segment", str(picture), "--seed", text])
    assert exit_.value.code == 2


def test_missing_weights_and_models_are_named(picture, tmp_path, capsys):
    assert (
        main(["segment", str(picture), "--seed", "1,1", "--weights", str(tmp_path / "no.safetensors")]) == 1
    )
    assert "no such weights file" in capsys.readouterr().err
    assert main(["segment", str(picture), "--seed", "1,1", "--model", "nothing"]) == 1
    assert 'no model called "nothing"' in capsys.readouterr().err


def test_an_overlay_shows_the_object_and_leaves_the_rest(picture, tmp_path):
    arguments = ["segment", str(picture), "--seed", "150,95", "--format"]
    assert main([*arguments, "overlay", "-o", str(tmp_path / "out")]) == 0
    assert main([*arguments, "png", "-o", str(tmp_path / "out")]) == 0
    photo, shown = read_image(picture), read_image(tmp_path / "out" / "cup_overlay.png")
    inside = np.array(Image.open(tmp_path / "out" / "cup_mask.png")) > 0
    assert np.array_equal(shown[~inside], photo[~inside])
    assert (shown[inside] != photo[inside]).any(axis=1).mean() > 0.95
