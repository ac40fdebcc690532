"""Small files as other programs write them, one for each format that can be read."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from converters.files.images import write_image

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 40, 60


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((HEIGHT, WIDTH, 3), 120, np.uint8))
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def brush_code(mask: np.ndarray) -> list[int]:
    """Label Studio's run-length code, written straight from its description."""
    values = np.repeat(mask.ravel().astype(np.uint8) * 255, 4)
    bits = f"{values.size:032b}" + f"{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), values.size]
    for start, end in itertools.pairwise(edges):
        if end - start <= 4:  # once as plain values, to use both kinds of blocks
            bits += "0" + f"{1:02b}" + f"{end - start - 1:04b}"
            bits += "".join(f"{v:08b}" for v in values[start:end])
        else:
            bits += "1" + f"{3:02b}" + f"{end - start - 1:016b}" + f"{values[start]:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)]


def ring() -> np.ndarray:
    """A square with a hole, and one lonely pixel."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:15, 5:15], mask[8:12, 8:12], mask[30, 50] = True, False, True
    return mask


def labelme(root: Path) -> Path:
    picture(root / "a.png")
    shape = {"label": "cat", "points": [[1, 2], [9, 2], [9, 9]], "shape_type": "polygon"}
    document = {"version": "3.16.7", "flags": {}, "shapes": [shape], "imagePath": "a.png", "imageData": None}
    return text(root / "a.json", json.dumps(document))


def coco(root: Path) -> Path:
    picture(root / "images" / "a.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[1, 2, 9, 2, 9, 9]], "iscrowd": 0}
        ],
        "categories": [{"id": 3, "name": "cat"}],
    }
    return text(root / "annotations" / "instances.json", json.dumps(document))


def coco_panoptic(root: Path) -> Path:
    picture(root / "images" / "a.png")
    ids = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    ids[ring()] = (2, 1, 0)
    folder = root / "annotations" / "panoptic"
    folder.mkdir(parents=True)
    Image.fromarray(ids).save(folder / "a.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "a.png",
                "segments_info": [
                    {"id": 258, "category_id": 3, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0}
                ],
            }
        ],
        "categories": [{"id": 3, "name": "cat", "isthing": 1}],
    }
    return text(root / "annotations" / "panoptic.json", json.dumps(document))


def voc(root: Path) -> Path:
    picture(root / "JPEGImages" / "a.png")
    return text(
        root / "Annotations" / "a.xml",
        f"""<annotation><folder>VOC2012</folder><filename>a.png</filename>
        <size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size><segmented>0</segmented>
        <object><name>cat</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
        <bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>10</ymax></bndbox></object></annotation>""",
    )


def yolo(root: Path) -> Path:
    picture(root / "images" / "train" / "a.png")
    picture(root / "images" / "train" / "empty.png")
    text(root / "data.yaml", "path: .\ntrain: images/train\nval: images/train\nnames:\n  0: cat\n  1: dog\n")
    lines = "0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.5 0.1 0.5 0.5\n0 0.5 0.5 0.2 0.4 0.875\n"
    return text(root / "labels" / "train" / "a.txt", lines)


def xanylabeling(root: Path) -> Path:
    picture(root / "a.png")
    box = {
        "label": "cat",
        "score": 0.5,
        "points": [[1, 2], [9, 2], [9, 9], [1, 9]],
        "group_id": None,
        "description": "",
        "difficult": False,
        "shape_type": "rectangle",
        "flags": {},
        "attributes": {"tail": "long"},
        "kie_linking": [],
    }
    turned = {**box, "shape_type": "rotation", "points": [[5, 0], [9, 4], [5, 8], [1, 4]], "direction": 0.785}
    document = {
        "version": "2.4.4",
        "flags": {},
        "shapes": [box, turned],
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    return text(root / "a.json", json.dumps(document))


def cvat(root: Path) -> Path:
    picture(root / "images" / "a.png")
    return text(
        root / "annotations.xml",
        f"""<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task/></meta>
        <image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}">
        <box label="cat" source="manual" occluded="1" xtl="1.0" ytl="2.0" xbr="9.0" ybr="9.0" z_order="0">
        <attribute name="tail">long</attribute></box>
        <box label="cat" occluded="0" xtl="0" ytl="0" xbr="10" ybr="4" rotation="90.0" z_order="0"></box>
        <polygon label="dog" occluded="0" points="1.0,2.0;9.0,2.0;9.0,9.0" z_order="0" group_id="4"></polygon>
        <polyline label="dog" occluded="0" points="1,2;9,2;9,9"></polyline>
        <points label="dog" occluded="0" points="1.5,2.5"></points>
        <ellipse label="sun" occluded="0" cx="20" cy="20" rx="5" ry="5"></ellipse>
        <ellipse label="egg" occluded="0" cx="20" cy="20" rx="8" ry="4"></ellipse>
        <mask label="ring" occluded="0" rle="0, 3, 1, 1, 1, 3" left="10" top="20" width="3" height="3"></mask>
        <cuboid label="box" occluded="0" xtl1="1"></cuboid>
        <tag label="sunny" source="manual"></tag>
        </image></annotations>""",
    )


def via(root: Path) -> Path:
    picture(root / "a.png")

    def region(shape: dict, **attributes) -> dict:
        return {"shape_attributes": shape, "region_attributes": attributes}

    regions = [
        region({"name": "rect", "x": 1, "y": 2, "width": 8, "height": 7}, label="cat"),
        region(
            {"name": "polygon", "all_points_x": [1, 9, 9], "all_points_y": [2, 2, 9]}, type="dog", fur="white"
        ),
        region({"name": "circle", "cx": 20, "cy": 20, "r": 5}, object={"sun": True}),
        region({"name": "ellipse", "cx": 20, "cy": 20, "rx": 8, "ry": 4, "theta": 0.5}, name="egg"),
        region({"name": "polyline", "all_points_x": [1, 9, 9], "all_points_y": [2, 2, 9]}, name="road"),
        region({"name": "point", "cx": 3, "cy": 4}, name="eye"),
        region({"name": "blob"}, name="x"),
        region({"name": "point", "cx": 3, "cy": 4}),
    ]
    entry = {"filename": "a.png", "size": 1, "regions": regions, "file_attributes": {"weather": "rain"}}
    return text(root / "via.json", json.dumps({"a.png1": entry}))


def labelbox(root: Path) -> Path:
    picture(root / "a.png")
    objects = [
        {
            "feature_id": "f1",
            "name": "cat",
            "bounding_box": {"top": 2, "left": 1, "height": 7, "width": 8},
            "classifications": [{"name": "tail", "radio_answer": {"name": "long"}}],
        },
        {
            "feature_id": "f2",
            "name": "dog",
            "polygon": [{"x": 1, "y": 2}, {"x": 9, "y": 2}, {"x": 9, "y": 9}],
        },
        {"feature_id": "f3", "name": "road", "line": [{"x": 1, "y": 2}, {"x": 9, "y": 2}]},
        {"feature_id": "f4", "name": "eye", "point": {"x": 3, "y": 4}},
        {"feature_id": "f5", "name": "sky", "mask": {"url": "https://api.labelbox.com/masks/1"}},
    ]
    row = {
        "data_row": {"id": "1", "external_id": "a.png", "row_data": "https://x/a.png"},
        "media_attributes": {"height": HEIGHT, "width": WIDTH},
        "projects": {"p": {"labels": [{"annotations": {"objects": objects}}]}},
    }
    return text(root / "export.ndjson", json.dumps(row) + "\n\nnot json\n")


def label_studio(root: Path) -> Path:
    picture(root / "a.png")

    def result(kind: str, value: dict, label: str = "cat") -> dict:
        size = {"original_width": WIDTH, "original_height": HEIGHT}
        return {"id": kind[:4], "type": kind, "value": {**value, kind: [label]}, **size}

    results = [
        result("rectanglelabels", {"x": 10, "y": 20, "width": 50, "height": 50, "rotation": 0}),
        result("polygonlabels", {"points": [[10, 10], [50, 10], [50, 50]]}, "dog"),
        result("brushlabels", {"format": "rle", "rle": brush_code(ring())}, "ring"),
        result("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 15, "rotation": 0}, "sun"),
        result("keypointlabels", {"x": 50, "y": 50, "width": 1}, "eye"),
        {
            **result("rectanglelabels", {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 90}),
            "id": "r90",
        },
        {"id": "c", "type": "choices", "value": {"choices": ["good"]}},
    ]
    tasks = [
        {"id": 1, "data": {"image": "/data/upload/1/0a1b2c3d-a.png"}, "annotations": [{"result": results}]}
    ]
    return text(root / "tasks.json", json.dumps(tasks))


def isat(root: Path) -> Path:
    picture(root / "a.png")
    outer = [[5, 5], [15, 5], [15, 15], [5, 15]]
    inner = [[8, 8], [12, 8], [12, 12], [8, 12]]
    rest = {"area": 0, "bbox": [5, 5, 15, 15], "iscrowd": 0}
    objects = [
        {"category": "__background__", "group": 1, "segmentation": inner, "layer": 2.0, "note": "", **rest},
        {"category": "ring", "group": 1, "segmentation": outer, "layer": 1.0, "note": "hello", **rest},
        {"category": "dog", "group": 2, "segmentation": outer, "layer": 3.0, "note": "", **rest},
    ]
    info = {
        "description": "ISAT",
        "folder": "x",
        "name": "a.png",
        "width": WIDTH,
        "height": HEIGHT,
        "depth": 3,
        "note": "",
    }
    return text(root / "a.json", json.dumps({"info": info, "objects": objects}))


def rectlabel(root: Path) -> Path:
    picture(root / "a.png")
    Image.fromarray(ring().astype(np.uint8) * 255).save(root / "a_pixels0.png")
    head = "<pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
    curve = "".join(
        f"<x{n}>{x}</x{n}><y{n}>{y}</y{n}><x{n}_c1>{x}</x{n}_c1><y{n}_c1>{y}</y{n}_c1><x{n}_c2>{x}</x{n}_c2><y{n}_c2>{y}</y{n}_c2>"
        for n, (x, y) in enumerate([(1, 2), (9, 2), (9, 9)], start=1)
    )
    return text(
        root / "a.xml",
        f"""<annotation><folder>x</folder><filename>a.png</filename>
        <size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size><segmented>0</segmented>
        <object><name>dog</name>{head}<polygon><x1>1</x1><y1>2</y1><x2>9</x2><y2>2</y2><x3>9</x3><y3>9</y3></polygon></object>
        <object><name>cat</name>{head}<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>
        <object><name>road</name>{head}<line><x1>1</x1><y1>2</y1><x2>9</x2><y2>2</y2></line></object>
        <object><name>leaf</name>{head}<cubic_bezier>{curve}</cubic_bezier></object>
        <object><name>ring</name>{head}<pixels><id>0</id></pixels></object>
        </annotation>""",
    )


def rectlabel_json(root: Path) -> Path:
    picture(root / "a.png")
    objects = [{"label": "cat", "x_y_w_h": [1, 2, 8, 7]}, {"label": "dog", "polygon": [1, 2, 9, 2, 9, 9]}]
    return text(
        root / "a.json", json.dumps({"filename": "a.png", "image_w_h": [WIDTH, HEIGHT], "objects": objects})
    )


def labelme_xml(root: Path) -> Path:
    picture(root / "Images" / "a.png")
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in [(1, 2), (9, 2), (9, 9), (1, 9)])
    (root / "Masks").mkdir()
    Image.fromarray(ring().astype(np.uint8) * 255).save(root / "Masks" / "a_mask_0.png")
    return text(
        root / "Annotations" / "a.xml",
        f"""<annotation><filename>a.png</filename><folder>x</folder>
        <imagesize><nrows>{HEIGHT}</nrows><ncols>{WIDTH}</ncols></imagesize>
        <object><name>car</name><deleted>0</deleted><verified>0</verified><occluded>yes</occluded>
        <attributes>red</attributes><parts><hasparts>1</hasparts><ispartof></ispartof></parts><id>0</id>
        <polygon><username>me</username>{points}</polygon></object>
        <object><name>wheel</name><deleted>0</deleted><occluded>no</occluded><attributes></attributes>
        <parts><hasparts></hasparts><ispartof>0</ispartof></parts><id>1</id><type>bounding_box</type>
        <polygon>{points}</polygon></object>
        <object><name>gone</name><deleted>1</deleted><id>2</id><polygon>{points}</polygon></object>
        <object><name>ring</name><deleted>0</deleted><id>3</id><segm><mask>a_mask_0.png</mask></segm></object>
        </annotation>""",
    )


def masks(root: Path) -> Path:
    picture(root / "images" / "a.png")
    (root / "masks").mkdir()
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[ring()], values[20:25, 20:25] = 1, 2
    Image.fromarray(values).save(root / "masks" / "a_mask.png")
    text(root / "labels.txt", "_background_\nring\nsquare\n")
    return root


# Name of the format, and the file that makes a sample of it in an empty folder.
SAMPLES = {
    "labelme": labelme,
    "coco": coco,
    "coco-panoptic": coco_panoptic,
    "voc": voc,
    "yolo": yolo,
    "xanylabeling": xanylabeling,
    "cvat": cvat,
    "via": via,
    "labelbox": labelbox,
    "label-studio": label_studio,
    "isat": isat,
    "rectlabel": rectlabel,
    "rectlabel-json": rectlabel_json,
    "labelme-xml": labelme_xml,
    "masks": masks,
}
