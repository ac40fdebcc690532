"""`train`, `evaluate`, `models` and `doctor`: the whole way from a folder of masks to a model in use."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from app.commands.main import main
from tests.unit.models.evaluation.coco_folders import write_coco_folder

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Weights from a real training of a few steps, with its folder of data."""
    folder = tmp_path_factory.mktemp("training")
    data = write_coco_folder(folder / "discs")
    arguments = ["train", str(data), "--epochs", "1", "--batch", "2", "-o", str(folder / "run"), "--half"]
    assert main(arguments) == 0
    return data, folder / "run" / "seednet.safetensors"


def test_training_evaluating_and_using_a_model(trained, tmp_path, capsys):
    data, weights = trained
    result = tmp_path / "scores.json"
    arguments = ["evaluate", str(data), "--weights", str(weights), "--limit", "1", "--no-noc"]
    assert main([*arguments, "--json", str(result)]) == 0
    scores = json.loads(result.read_text())["results"]["discs"]
    assert scores["objects"] == 3
    assert 0.0 <= scores["iou"] <= scores["best_iou"] <= 1.0
    assert scores["noc_85"] is None
    assert "suggested" in capsys.readouterr().out

    assert main(["models", "import", str(weights)]) == 0
    assert main(["models", "activate", "seednet"]) == 0
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [m["version"] for m in listed if m["active"]] == ["seednet"]
    assert main(["models", "info", "seednet"]) == 0
    assert main(["models", "export", "seednet", str(tmp_path / "copy.safetensors")]) == 0
    assert (tmp_path / "copy.safetensors").read_bytes() == weights.read_bytes()
    assert main(["models", "rollback"]) == 0
    assert "shipped" in capsys.readouterr().out


def test_training_continues_from_given_weights(trained, tmp_path):
    data, weights = trained
    out = tmp_path / "again"
    arguments = [
        "train",
        str(data),
        "--epochs",
        "0.5",
        "--batch",
        "1",
        "--start",
        str(weights),
        "-o",
        str(out),
    ]
    assert main(arguments) == 0
    assert (out / "seednet.safetensors").is_file()


def test_training_begins_with_the_mean_of_several(trained, tmp_path, capsys):
    from models.weights import WeightsInfo, read_weights, save_tensors

    data, weights = trained
    info, tensors = read_weights(weights)
    name = "seed_head.answer.bias"
    save_tensors(tmp_path / "far.safetensors", {**tensors, name: tensors[name] + 0.5}, info)
    arguments = ["train", str(data), "--epochs", "0.1", "--batch", "1", "--crop", "64", "--rate", "1e-9"]
    starts = ["--start", str(weights), "--start", str(tmp_path / "far.safetensors")]
    assert main([*arguments, *starts, "-o", str(tmp_path / "mean")]) == 0
    _, mean = read_weights(tmp_path / "mean" / "seednet.safetensors")
    assert (mean[name] - tensors[name]).tolist() == pytest.approx([0.25] * len(mean[name]), abs=1e-3)
    other = WeightsInfo(info.architecture, info.version, {**info.config, "width": 8}, info.categories)
    save_tensors(tmp_path / "far.safetensors", tensors, other)
    assert main([*arguments, *starts, "-o", str(tmp_path / "none")]) == 1
    assert "of the same network" in capsys.readouterr().err


def test_the_mean_of_several_trainings_is_a_model_of_its_own(trained, tmp_path, capsys):
    from models.weights import read_weights, save_tensors

    _, weights = trained
    info, tensors = read_weights(weights)
    far, mean = tmp_path / "far.safetensors", tmp_path / "mean.safetensors"
    save_tensors(far, {k: v + 0.5 for k, v in tensors.items()}, info, half=True)
    assert main(["models", "mean", str(weights), str(far), "-o", str(mean), "--half"]) == 0
    header, values = read_weights(mean)
    assert header.config == info.config
    assert header.facts == {"mean_of": [info.facts, info.facts]}
    for name, value in values.items():
        assert (value - tensors[name]).mean().item() == pytest.approx(0.25, abs=0.01), name
    assert mean.stat().st_size < 1.1 * weights.stat().st_size
    assert main(["models", "import", str(mean), "--name", "middle"]) == 0
    capsys.readouterr()
    assert main(["models", "mean", str(weights), str(tmp_path / "none.safetensors"), "-o", str(mean)]) == 1
    assert "none.safetensors" in capsys.readouterr().err
    assert main(["models", "mean", str(weights), str(far), "-o", str(weights / "mean.safetensors")]) == 1
    assert "mean.safetensors" in capsys.readouterr().err


def test_teaching_the_refiner_adds_it_and_leaves_the_masks(trained, tmp_path):
    from models.weights import read_weights

    data, weights = trained
    second, third = tmp_path / "second", tmp_path / "third"
    arguments = ["train", str(data), "--epochs", "0.5", "--batch", "1"]
    assert main([*arguments, "--start", str(weights), "--teach", "refiner", "-o", str(second)]) == 0
    _, before = read_weights(weights)
    info, after = read_weights(second / "seednet.safetensors")
    changed = {k.split(".")[0] for k in before if not before[k].float().equal(after[k].float())}
    assert changed <= {"appearance", "level_scorer"}
    assert changed
    assert info.config["refiner"] > 0
    assert any(k.startswith("refiner.") for k in after)
    # From there on everything learns together.
    start = str(second / "seednet.safetensors")
    assert main([*arguments, "--crop", "64", "--start", start, "-o", str(third)]) == 0
    _, further = read_weights(third / "seednet.safetensors")
    changed = {k.split(".")[0] for k in after if not after[k].float().equal(further[k].float())}
    assert {"refiner", "embedding", "level_scorer"} <= changed


def test_the_calibrator_has_the_last_word_on_the_scores_and_then_objects_are_taught(
    trained, tmp_path, capsys, monkeypatch
):
    from models.seednet.training.calibration import CalibrationLoss
    from models.seednet.training.objectness import ObjectnessLoss
    from models.weights import read_weights

    monkeypatch.setattr(CalibrationLoss, "steps", 10)
    monkeypatch.setattr(ObjectnessLoss, "steps", 10)
    data, weights = trained
    second, third, fourth = (tmp_path / name for name in ("second", "third", "fourth"))
    arguments = ["train", str(data), "--epochs", "0.5"]
    of_second = ["--stage", "2", "--batch", "1", "-o", str(second)]
    assert main([*arguments, "--start", str(weights), *of_second]) == 0
    start = ["--start", str(second / "seednet.safetensors")]
    arguments, of_third = ["train", str(data), "--epochs", "1"], ["--teach", "calibrator", "-o", str(third)]
    assert main([*arguments, *start, *of_third]) == 0
    _, before = read_weights(second / "seednet.safetensors")
    info, after = read_weights(third / "seednet.safetensors")
    changed = {k for k in after if k not in before or not before[k].equal(after[k])}
    assert changed
    assert all(k.startswith("level_scorer.calibrator.") for k in changed)
    assert info.config["calibrator"] > 0
    assert info.facts["batch_size"] == 1
    capsys.readouterr()
    for given in (["--batch", "2"], ["--crop", "64"], ["--cutouts", str(data)], ["--cut-from", "x"]):
        assert main([*arguments, *start, *of_third, *given]) == 2
        assert "one whole picture a step" in capsys.readouterr().err
    # And on this stands what tells objects from other masks.
    of_fourth = ["--teach", "objects", "--stage", "4", "-o", str(fourth)]
    assert main([*arguments, *start, *of_fourth]) == 1
    assert "--teach calibrator" in capsys.readouterr().err
    start = ["--start", str(third / "seednet.safetensors")]
    assert main([*arguments, *start, *of_fourth, "--partial", data.name]) == 1
    assert "all objects are annotated" in capsys.readouterr().err
    assert main([*arguments, *start, *of_fourth]) == 0
    info, further = read_weights(fourth / "seednet.safetensors")
    changed = {k for k in further if k not in after or not after[k].equal(further[k])}
    assert changed
    assert all(k.startswith("object_scorer.") for k in changed)
    assert info.config["objectness"] > 0
    assert main([*arguments, "--start", str(weights), *of_third]) == 1
    assert "--teach refiner` has finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--teach", "refiner", "--stage", "3"], "--stage 3 means --teach calibrator"),
        (["--teach", "heads"], "distill, masks, refiner, calibrator, objects"),
        (["--stage", "4", "--teach", "objects"], "--teach objects needs --model seednet"),
        (["--stage", "2"], "--teach refiner needs --model seednet"),
    ],
)
def test_what_is_taught_is_said_by_name_or_by_the_old_number(given, said, tmp_path, capsys):
    assert main(["train", str(tmp_path), *given]) == 2
    assert said in capsys.readouterr().err


def test_a_new_backbone_learns_from_the_old_one(trained, tmp_path, capsys):
    from models.seednet.network import SeedNet, SeedNetConfig
    from models.weights import WeightsInfo, read_weights, save_weights

    data, weights = trained
    config = SeedNetConfig(backbone="efficientnet-lite2", width=16, embedding=6)
    old = tmp_path / "old.safetensors"
    info = WeightsInfo("seednet", "seednet-1", {**asdict(config)})
    save_weights(old, SeedNet(config, pretrained_backbone=False), info)
    arguments = ["train", str(data), "--epochs", "0.5", "--batch", "1", "--crop", "64", "--teach", "distill"]
    new = ["--start", str(old), "--set", "backbone=efficientnet-lite0", "-o", str(tmp_path / "new")]
    assert main([*arguments, *new]) == 0
    info, _ = read_weights(tmp_path / "new" / "seednet.safetensors")
    assert info.config == {**asdict(config), "backbone": "efficientnet-lite0"}
    assert main([*arguments, "-o", str(tmp_path / "none")]) == 2
    assert "--teach distill needs" in capsys.readouterr().err
    assert main([*arguments, "--start", str(weights), "-o", str(tmp_path / "none")]) == 1
    assert "another backbone" in capsys.readouterr().err


def test_objects_are_cut_also_from_sets_that_no_crop_is_drawn_from(tmp_path):
    write_coco_folder(tmp_path / "data" / "drawn")
    write_coco_folder(tmp_path / "data" / "cut", enlarged=4)
    arguments = ["train", str(tmp_path / "data"), "--epochs", "0.5", "--batch", "1", "--crop", "64"]
    arguments += ["--shares", "cut=0", "--cut-from", "cut", "-o", str(tmp_path / "run")]
    assert main(arguments) == 0
    assert (tmp_path / "run" / "seednet.safetensors").exists()


def test_wrong_training_arguments_are_explained(trained, tmp_path, capsys):
    data, _ = trained
    assert main(["train", str(data), "--minutes", "0"]) == 2
    assert main(["train", str(data), "--processes", "-1"]) == 2
    assert main(["train", str(data), "--shares", "other=1", "-o", str(tmp_path)]) == 1
    assert "no data set called other" in capsys.readouterr().err
    assert main(["train", str(data), "--cut-from", "another", "-o", str(tmp_path)]) == 1
    assert "no data set called another" in capsys.readouterr().err
    assert main(["train", str(tmp_path), "-o", str(tmp_path)]) == 1
    assert "no annotated pictures" in capsys.readouterr().err
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    assert main(["train", str(data), "-o", str(tmp_path)]) == 1
    assert f"{tmp_path / 'checkpoint.pt'}: this checkpoint is damaged" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", str(data), "--shares", "nonsense"])


def test_evaluating_nothing_fails_clearly(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path)]) == 1
    assert "no annotated pictures" in capsys.readouterr().err


def test_models_that_are_not_there_are_named(capsys, tmp_path):
    assert main(["models", "activate", "nothing"]) == 1
    assert main(["models", "info", "nothing"]) == 1
    assert main(["models", "import", str(tmp_path / "no.safetensors")]) == 1
    assert capsys.readouterr().err.count("seedhue:") == 3


def test_doctor_finds_this_installation_healthy(capsys):
    assert main(["doctor", "--json"]) == 0
    findings = {f["subject"]: f for f in json.loads(capsys.readouterr().out)}
    assert {"Python", "PySide6", "OpenCV", "torch", "threads", "weights", "folders"} <= set(findings)
    assert all(f["state"] != "bad" for f in findings.values())


def test_doctor_names_a_folder_that_cannot_be_written(monkeypatch, tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("SEEDHUE_HOME", str(blocked))
    assert main(["doctor"]) == 1
    assert "SEEDHUE_HOME" in capsys.readouterr().out


def test_commands_without_a_window_import_no_qt_and_help_imports_no_torch():
    code = (
        "import sys; from app.commands.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert 'PySide6' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_the_program_runs_as_a_script(tmp_path):
    done = subprocess.run(
        [sys.executable, "main.py", "segment", str(tmp_path / "missing.jpg"), "--seed", "1,1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "missing.jpg" in done.stderr
    assert "Traceback" not in done.stderr


def test_average_precision_of_what_is_found_without_a_click(trained, tmp_path, capsys):
    data, weights = trained
    result = tmp_path / "ap.json"
    arguments = [
        "evaluate",
        str(data),
        "--weights",
        str(weights),
        "--protocol",
        "coco",
        "--json",
        str(result),
    ]
    assert main(arguments) == 0
    scores = json.loads(result.read_text())["results"]["discs"]
    assert scores["objects"] == 9
    assert scores["class_agnostic"]
    assert 0.0 <= scores["ap"] <= scores["ap50"] <= 1.0
    assert "AR@100" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "protocol"), [("--no-noc", "coco"), ("--from-masks", "clicks"), ("--closer", "similar")]
)
def test_an_option_of_another_protocol_is_wrong_usage(option, protocol, tmp_path, capsys):
    assert main(["evaluate", str(tmp_path), "--protocol", protocol, option]) == 2
    assert f"{option} belongs to" in capsys.readouterr().err


@pytest.mark.parametrize("more", [(), ("--from-masks",)])
def test_similar_objects_are_measured(trained, tmp_path, capsys, more):
    data, weights = trained
    result = tmp_path / "similar.json"
    arguments = ["evaluate", str(data), "--weights", str(weights), "--protocol", "similar", "--limit", "1"]
    assert main([*arguments, *more, "--json", str(result)]) == 0
    document = json.loads(result.read_text())
    assert document["protocol"] == "similar"
    scores = document["results"]["discs"]
    assert (scores["pictures"], scores["queries"], scores["wanted"]) == (1, 3, 6)
    assert all(0.0 <= scores[name] <= 1.0 for name in ("precision", "recall", "ap", "mean_ap", "threshold"))
    assert "AP per query" in capsys.readouterr().out


def test_a_model_without_categories_has_no_panoptic_quality(trained, capsys):
    data, weights = trained
    assert main(["evaluate", str(data), "--weights", str(weights), "--protocol", "panoptic"]) == 1
    assert "seednet names no categories" in capsys.readouterr().err
