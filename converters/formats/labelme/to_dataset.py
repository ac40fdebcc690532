"""`labelme_json_to_dataset`, the command labelme dropped: one folder of plain files per picture.

The classic five files follow labelme's rules: labels in alphabetical order after `_background_`, shapes
painted in the order of the file, later over earlier, borders included. What a semantic label loses
and instance training needs stands beside them: `instances.png` and `masks.npz`.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont

from converters.errors import ConverterError
from converters.files.files import make_folder, write_atomic
from converters.files.images import encode_png
from converters.files.lines import line_list, one_line
from converters.files.palette import VOC_PALETTE, indexed_png
from converters.formats.format import Format, Picture, PictureFinder, WriteOptions, load_pixels
from converters.formats.labelme.document import read_labelme
from converters.report import Report
from converters.shapes.geometry import rasterize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from converters.annotation import ImageAnnotation, Mask

BACKGROUND = "_background_"

# Rows of masks.npz made at a time, so that many objects on a large picture need little memory.
_NPZ_BLOCK_BYTES = 32_000_000


def write_dataset(
    folder: Path | str, annotation: ImageAnnotation, image: NDArray[np.uint8], *, info: bool = True
) -> None:
    """Write one picture's folder.

    Files: `img.png`; `label.png` (mode P, VOC palette, class ids); `label_viz.png`; `label_names.txt`
    (a name per line, in the order of the ids); `info.yaml` unless `info` is False; `instances.png`
    (16 bits, 0 is background); `masks.npz` with `masks` (H, W, N) bool, `names` ("person1", ...),
    `labels` and `ids` (the values in instances.png).

    Args:
        image: (H, W, 3) uint8 RGB, upright, of the annotation's size.

    Raises:
        ConverterError: more labels than an indexed PNG holds, or the folder cannot be written.
    """
    height, width = image.shape[:2]
    masks = [rasterize(instance.geometry, height, width) for instance in annotation.instances]
    names = label_names(annotation)
    if len(names) > 255:
        raise ConverterError(
            f"{len(names) - 1} labels on one picture; label.png holds 254.",
            path=annotation.image_path,
            remedy="Export COCO instead.",
        )
    classes = paint(masks, [names.index(i.label) for i in annotation.instances], height, width).astype(
        np.uint8
    )
    out = make_folder(folder)
    files: dict[str, bytes | str] = {
        "img.png": encode_png(image),
        "label.png": indexed_png(classes),
        "label_viz.png": encode_png(label_view(image, classes, names)),
        "label_names.txt": line_list(names),
    }
    if info:
        listed = {"label_names": names}
        files["info.yaml"] = yaml.safe_dump(listed, default_flow_style=False, allow_unicode=True)
    layers = instance_layers(annotation, masks)
    ids = paint(masks, [layer + 1 for layer in layers.of_shape], height, width)
    files["instances.png"] = encode_png(ids.astype(np.uint16))
    files["masks.npz"] = _masks_npz(masks, layers, height, width)
    for name, data in files.items():
        write_atomic(out / name, data, durable=False)


def json_to_dataset(
    json_file: Path | str,
    out: Path | str | None = None,
    *,
    info: bool = True,
    report: Report | None = None,
) -> Path:
    """The classic command: one labelme JSON to one folder, which is returned.

    Args:
        out: the folder; default `<name>_json` beside the JSON.
        report: is told what could not be carried over.

    Raises:
        ConverterError: the JSON or its picture is missing or damaged, or they do not fit each other.
    """
    path = Path(json_file)
    annotation, image_file = PictureFinder(path).attach(read_labelme(path), path)
    folder = path.parent / dataset_folder_name(path.stem) if out is None else Path(out)
    picture = Picture(annotation, path.stem, image_file)
    _write_noted(folder, picture, info=info, report=Report() if report is None else report)
    return folder


def label_names(annotation: ImageAnnotation) -> list[str]:
    """`_background_` and the picture's labels in alphabetical order; the position is the class id."""
    return [BACKGROUND, *sorted(set(annotation.labels) - {BACKGROUND})]


def paint(masks: Sequence[Mask], values: Sequence[int], height: int, width: int) -> NDArray[np.int32]:
    """(H, W) int32: each mask's value, later ones over earlier ones, 0 elsewhere."""
    canvas = np.zeros((height, width), np.int32)
    for mask, value in zip(masks, values, strict=True):
        canvas[mask.y0 : mask.y1, mask.x0 : mask.x1][mask.array] = value
    return canvas


class InstanceLayers:
    """labelme's notion of an object: the shapes of one label and one group id; without a group id
    every shape is an object of its own.

    Attributes:
        of_shape: for each shape the layer it belongs to.
        labels, names: of each layer; names number the objects of a label from 1.
    """

    def __init__(self, annotation: ImageAnnotation) -> None:
        keys: dict[tuple[str, Any], int] = {}
        self.of_shape: list[int] = []
        self.labels: list[str] = []
        for index, instance in enumerate(annotation.instances):
            own = ("shape", index) if instance.group_id is None else ("group", instance.group_id)
            layer = keys.setdefault((instance.label, own), len(keys))
            if layer == len(self.labels):
                self.labels.append(instance.label)
            self.of_shape.append(layer)
        counts: dict[str, int] = {}
        self.names: list[str] = []
        for label in self.labels:
            counts[label] = counts.get(label, 0) + 1
            self.names.append(f"{label}{counts[label]}")


def instance_layers(annotation: ImageAnnotation, masks: Sequence[Mask]) -> InstanceLayers:
    """The objects of a picture; background shapes count as objects, too.

    Raises:
        ConverterError: more objects than a 16-bit picture can number.
    """
    layers = InstanceLayers(annotation)
    if len(layers.labels) > 65_535:
        raise ConverterError(
            f"{len(masks)} objects on one picture; instances.png holds 65535.", path=annotation.image_path
        )
    return layers


def label_view(image: NDArray[np.uint8], classes: NDArray[np.uint8], names: list[str]) -> NDArray[np.uint8]:
    """The grey picture with the classes' colours laid over by half, and a legend at the right bottom."""
    grey = np.asarray(Image.fromarray(image).convert("L"), np.uint16)[:, :, None]
    blend = ((grey + VOC_PALETTE[classes].astype(np.uint16)) // 2).astype(np.uint8)
    view = np.where(classes[:, :, None] == 0, grey.astype(np.uint8), blend)
    picture = Image.fromarray(np.ascontiguousarray(view, np.uint8))
    used = np.flatnonzero(np.bincount(classes.ravel(), minlength=len(names)))
    _draw_legend(picture, [names[int(number)] for number in used], names)
    return np.asarray(picture)


def _draw_legend(picture: Image.Image, shown: Sequence[str], names: Sequence[str]) -> None:
    size = max(10, min(30, picture.height // 16))
    row = round(size * 1.4)
    shown = shown[: max(0, (picture.height - 4) // row)]
    if not shown or picture.width < 4 * size:
        return
    draw = ImageDraw.Draw(picture, "RGBA")
    font = _font(size, "".join(shown))
    texts = [f"{names.index(name)}: {one_line(name)}"[:60] for name in shown]
    wide = min(picture.width - 2, round(max(draw.textlength(text, font=font) for text in texts)) + row + 12)
    left, top = picture.width - wide - 2, picture.height - row * len(texts) - 4
    draw.rectangle([left, top, picture.width - 3, picture.height - 3], fill=(255, 255, 255, 170))
    for number, text in enumerate(texts):
        y = top + 2 + number * row
        color = tuple(VOC_PALETTE[names.index(shown[number])].tolist())
        draw.rectangle([left + 4, y + 2, left + row - 2, y + row - 4], fill=color)
        draw.text((left + row + 4, y), text, fill=(0, 0, 0, 255), font=font)


def _font(size: int, text: str) -> Any:
    """Pillow's own font, or for letters it lacks one of the system's, where there is one."""
    if not text.isascii():
        for name in ("NotoSansCJK-Regular.ttc", "msyh.ttc", "PingFang.ttc", "DejaVuSans.ttf"):
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)


def _masks_npz(masks: Sequence[Mask], layers: InstanceLayers, height: int, width: int) -> bytes:
    """A compressed .npz, its mask array written in blocks of rows."""
    count = len(layers.labels)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(_zip_entry("masks.npy"), "w", force_zip64=True) as file:
            header = {"descr": "|b1", "fortran_order": False, "shape": (height, width, count)}
            np.lib.format.write_array_header_1_0(file, header)
            rows = max(1, _NPZ_BLOCK_BYTES // max(1, width * count))
            for top in range(0, height if count else 0, rows):
                bottom = min(height, top + rows)
                block = np.zeros((bottom - top, width, count), np.bool_)
                for mask, layer in zip(masks, layers.of_shape, strict=True):
                    y0, y1 = max(top, mask.y0), min(bottom, mask.y1)
                    if y0 < y1:
                        block[y0 - top : y1 - top, mask.x0 : mask.x1, layer] |= mask.array[
                            y0 - mask.y0 : y1 - mask.y0
                        ]
                file.write(block.data)
        for name, values in (
            ("names", np.array(layers.names, dtype=np.str_)),
            ("labels", np.array(layers.labels, dtype=np.str_)),
            ("ids", np.arange(1, count + 1, dtype=np.uint16)),
        ):
            with archive.open(_zip_entry(f"{name}.npy"), "w") as file:
                np.lib.format.write_array(file, values, allow_pickle=False)
    return stream.getvalue()


def _zip_entry(name: str) -> zipfile.ZipInfo:
    """An entry with a fixed date: equal input gives equal files."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def dataset_folder_name(name: str) -> str:
    """The classic output name of a JSON called `name`.json: dots become underscores, `_json` follows."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.replace('.', '_')}_json".lstrip("/")


def _write(picture: Picture, options: WriteOptions, report: Report) -> None:
    name = Path(picture.split) / dataset_folder_name(picture.name)
    _write_noted(options.target / name, picture, info=options.info, report=report)


def _write_noted(folder: Path, picture: Picture, *, info: bool, report: Report) -> None:
    write_dataset(folder, picture.annotation, load_pixels(picture), info=info)
    report.add_broken_labels(picture.annotation.image_path, picture.annotation.labels)
    report.add_rejected(picture.annotation)
    report.pictures += 1
    report.instances += len(picture.annotation.instances)


FORMATS = (
    Format(
        name="json-to-dataset",
        title="labelme dataset folders",
        write=_write,
    ),
)
