"""Pictures per second of the converter, beside the most direct script with PIL and pycocotools.

Both do the same work on the same 200 pictures with 20 objects each (15 polygons, 5 masks with a hole), in
the same run: read labelme, write COCO; read COCO, write labelme; write the files of json-to-dataset. The
direct script uses one process, the converter what it likes: its processor time is told, too.
"""

from __future__ import annotations

import base64
import io
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from converters.annotation import Geometry, ImageAnnotation, Instance, Mask, Polygon
from converters.conversion.convert import convert
from converters.files.images import write_image
from converters.files.palette import VOC_PALETTE
from converters.formats.labelme.document import write_labelme
from converters.shapes.geometry import difference, rasterize

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.benchmark,
    # pycocotools' own decoder has not yet learned numpy 2's copy keyword.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

PICTURES, OBJECTS = 200, 20
HEIGHT, WIDTH = 480, 640
LABELS = ("cat", "dog", "bird", "person")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        small = rng.integers(0, 255, (30, 40, 3), np.uint8)
        write_image(
            folder / f"{number:04d}.jpg", cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        )
        instances = tuple(
            Instance(f"{number}-{k}", LABELS[k % len(LABELS)], blob(rng, with_hole=k % 4 == 0))
            for k in range(OBJECTS)
        )
        write_labelme(
            folder / f"{number:04d}.json", ImageAnnotation(f"{number:04d}.jpg", HEIGHT, WIDTH, instances)
        )
    return folder


def blob(rng: np.random.Generator, *, with_hole: bool) -> Geometry:
    x, y, size = rng.integers(60, WIDTH - 60), rng.integers(60, HEIGHT - 60), rng.uniform(15, 60)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = size * (1 + 0.2 * rng.random(40))
    points = [
        (float(x + r * np.cos(a)), float(y + r * np.sin(a))) for r, a in zip(radii, angles, strict=True)
    ]
    polygon = Polygon(tuple(points))
    if not with_hole:
        return polygon
    half = size / 3
    hole = Polygon(((x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)))
    mask = difference(rasterize(polygon, HEIGHT, WIDTH), rasterize(hole, HEIGHT, WIDTH))
    assert isinstance(mask, Mask)
    return mask


def processor_seconds() -> float:
    """Of this process and, where the system tells, of the converter's workers, which live on."""
    seconds = time.process_time()
    for child in multiprocessing.active_children():
        status = Path(f"/proc/{child.pid}/stat")
        if status.exists():
            fields = status.read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def compare(title: str, ours: Callable[[], object], direct: Callable[[], object], *, rounds: int) -> None:
    """Both so many times, turn and turn about, so that a busy machine is busy for both; the medians.

    The first run of ours begins without workers, the others find those of the run before.
    """
    wall: dict[str, list[float]] = {"ours": [], "direct": []}
    processor: dict[str, list[float]] = {"ours": [], "direct": []}
    for _ in range(rounds):
        for name, work in (("direct", direct), ("ours", ours)):
            start, used = time.perf_counter(), processor_seconds()
            work()
            wall[name].append(time.perf_counter() - start)
            processor[name].append(processor_seconds() - used)
    seconds = {name: median(values) for name, values in wall.items()}
    used_by = {name: median(values) for name, values in processor.items()}
    print(
        f"\n{title}: {PICTURES / seconds['ours']:.0f} pictures/s"
        f" (first run {PICTURES / wall['ours'][0]:.0f}),"
        f" direct script {PICTURES / seconds['direct']:.0f} pictures/s,"
        f" ratio {seconds['direct'] / seconds['ours']:.2f};"
        f" processor time {used_by['ours']:.2f} s, direct script {used_by['direct']:.2f} s,"
        f" ratio {used_by['direct'] / used_by['ours']:.2f}"
    )


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def test_labelme_to_coco(source, tmp_path):
    compare(
        "labelme to COCO",
        lambda: convert(source, tmp_path / "ours.json", target_format="coco"),
        lambda: labelme_to_coco(source, tmp_path / "direct.json"),
        rounds=7,
    )


def test_coco_to_labelme(source, tmp_path):
    convert(source, tmp_path / "coco.json", target_format="coco")
    compare(
        "COCO to labelme",
        lambda: convert(
            tmp_path / "coco.json", fresh(tmp_path / "ours"), target_format="labelme", copy_images=False
        ),
        lambda: coco_to_labelme(tmp_path / "coco.json", fresh(tmp_path / "direct")),
        rounds=7,
    )


def test_labelme_to_dataset(source, tmp_path):
    compare(
        "labelme to json-to-dataset",
        lambda: convert(source, fresh(tmp_path / "ours"), target_format="json-to-dataset"),
        lambda: labelme_to_dataset(source, fresh(tmp_path / "direct")),
        rounds=3,
    )


def png_mask(shape: dict) -> np.ndarray:
    patch = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"]))))
    full = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = int(shape["points"][0][0]), int(shape["points"][0][1])
    full[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
    return full


def labelme_to_coco(source: Path, target: Path) -> None:
    images, annotations = [], []
    numbers = {label: number for number, label in enumerate(sorted(LABELS), start=1)}
    for file in sorted(source.glob("*.json")):
        document = json.loads(file.read_text())
        with Image.open(source / document["imagePath"]) as picture:
            assert picture.size == (WIDTH, HEIGHT)
        images.append(
            {"id": len(images) + 1, "file_name": document["imagePath"], "height": HEIGHT, "width": WIDTH}
        )
        for shape in document["shapes"]:
            if shape["shape_type"] == "mask":
                code = coco_mask.encode(np.asfortranarray(png_mask(shape)))
                segmentation = {"size": code["size"], "counts": code["counts"].decode()}
            else:
                segmentation = [[value for point in shape["points"] for value in point]]
                code = coco_mask.frPyObjects(segmentation, HEIGHT, WIDTH)[0]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": numbers[shape["label"]],
                    "segmentation": segmentation,
                    "area": float(coco_mask.area(code)),
                    "bbox": coco_mask.toBbox(code).tolist(),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": label} for label, number in numbers.items()]
    target.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def coco_to_labelme(source: Path, target: Path) -> None:
    target.mkdir()
    document = json.loads(source.read_text())
    names = {category["id"]: category["name"] for category in document["categories"]}
    shapes: dict[int, list] = {image["id"]: [] for image in document["images"]}
    for annotation in document["annotations"]:
        segmentation, mask = annotation["segmentation"], None
        if isinstance(segmentation, dict):
            full = coco_mask.decode(segmentation)
            x, y, w, h = map(int, annotation["bbox"])
            stream = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(full[y : y + h, x : x + w])).save(stream, "PNG")
            points, mask = [[x, y], [x + w - 1, y + h - 1]], base64.b64encode(stream.getvalue()).decode()
        else:
            points = [list(pair) for pair in zip(segmentation[0][0::2], segmentation[0][1::2], strict=True)]
        shapes[annotation["image_id"]].append(
            {
                "label": names[annotation["category_id"]],
                "points": points,
                "group_id": None,
                "description": "",
                "shape_type": "polygon" if mask is None else "mask",
                "flags": {},
                "mask": mask,
            }
        )
    for image in document["images"]:
        written = {
            "version": "7.9.1",
            "flags": {},
            "shapes": shapes[image["id"]],
            "imagePath": image["file_name"],
            "imageData": None,
            "imageHeight": image["height"],
            "imageWidth": image["width"],
        }
        file = target / Path(image["file_name"]).with_suffix(".json").name
        file.write_text(json.dumps(written, ensure_ascii=False, indent=2))


def labelme_to_dataset(source: Path, target: Path) -> None:
    for file in sorted(source.glob("*.json")):
        document = json.loads(file.read_text())
        out = target / f"{file.stem}_json"
        out.mkdir(parents=True)
        with Image.open(source / document["imagePath"]) as picture:
            image = np.asarray(picture.convert("RGB"))
        names = ["_background_", *sorted({shape["label"] for shape in document["shapes"]})]
        classes = np.zeros((HEIGHT, WIDTH), np.uint8)
        ids = np.zeros((HEIGHT, WIDTH), np.uint16)
        layers = np.zeros((HEIGHT, WIDTH, len(document["shapes"])), bool)
        for number, shape in enumerate(document["shapes"]):
            if shape["shape_type"] == "mask":
                mask = png_mask(shape) > 0
            else:
                canvas = Image.new("L", (WIDTH, HEIGHT))
                ImageDraw.Draw(canvas).polygon([tuple(point) for point in shape["points"]], outline=1, fill=1)
                mask = np.asarray(canvas) > 0
            classes[mask], ids[mask], layers[:, :, number] = names.index(shape["label"]), number + 1, mask
        Image.fromarray(image).save(out / "img.png")
        label = Image.fromarray(classes)
        label.putpalette(VOC_PALETTE.tobytes())
        label.save(out / "label.png")
        grey = np.asarray(Image.fromarray(image).convert("L"))[:, :, None]
        view = np.where(classes[:, :, None] > 0, grey // 2 + VOC_PALETTE[classes] // 2, grey)
        drawn = Image.fromarray(view)
        for number, name in enumerate(names):
            ImageDraw.Draw(drawn).text((WIDTH - 90, HEIGHT - 20 * (number + 1)), f"{number}: {name}")
        drawn.save(out / "label_viz.png")
        (out / "label_names.txt").write_text("".join(f"{name}\n" for name in names))
        (out / "info.yaml").write_text(yaml.safe_dump({"label_names": names}))
        Image.fromarray(ids).save(out / "instances.png")
        np.savez_compressed(out / "masks.npz", masks=layers, names=np.array(names))
