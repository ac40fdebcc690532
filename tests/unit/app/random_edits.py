"""Random edits of every kind, for tests of the history and the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from converters.annotation import Instance, Mask
from converters.frozen import FrozenMap
from tests.unit.app.pictures import EVERY_GEOMETRY, HEIGHT, WIDTH, rich_instance

if TYPE_CHECKING:
    import random

    from app.document.change import Change
    from app.document.document import Document

KINDS = (
    *("add", "add", "brush", "brush", "slider", "relabel", "remove", "move", "flag", "undo", "undo"),
    *("redo", "redo", "lock", "convert", "save", "note", "many"),
)


def set_flag(document: Document, name: str, value: bool) -> Change:
    """Sets one of the picture's own flags."""
    flags = FrozenMap({**document.annotation.flags, name: value})
    return document.edit(f"Set flag {name}", replace(document.annotation, flags=flags))


def random_mask(chance: random.Random) -> Mask:
    height, width = chance.randint(1, 12), chance.randint(1, 12)
    pixels = np.random.default_rng(chance.getrandbits(32)).random((height, width)) < 0.7
    return Mask(chance.randint(-3, WIDTH), chance.randint(-3, HEIGHT), pixels)


def random_edit(document: Document, chance: random.Random, *, save: bool = True) -> None:
    """Does one thing a user might do; sometimes it changes nothing."""
    instances = document.annotation.instances
    free = [i for i in instances if not i.locked]
    one: Instance | None = chance.choice(free) if free else None
    kind = chance.choice(KINDS)
    match kind:
        case "add":
            geometry = chance.choice((random_mask(chance), chance.choice(EVERY_GEOMETRY)))
            document.add(rich_instance(geometry, f"i{chance.getrandbits(40):x}"))
        case "brush" if one is not None:
            document.replace(replace(one, geometry=random_mask(chance)))
        case "slider" if one is not None:
            for _ in range(chance.randint(1, 4)):
                document.replace(
                    replace(one, geometry=random_mask(chance), score=chance.random()), merge_key=one.id
                )
            if chance.random() < 0.3:
                document.replace(one, merge_key=one.id)
        case "relabel" if one is not None:
            document.relabel([one.id], chance.choice(("cat", "dog", "猫", "")))
        case "remove" if one is not None:
            document.remove([one.id])
        case "move" if instances:
            chosen = chance.sample([i.id for i in instances], min(3, len(instances)))
            document.move(chosen, chance.randint(0, len(instances)))
        case "flag":
            set_flag(document, chance.choice("ab"), chance.random() < 0.5)
        case "undo":
            for _ in range(chance.randint(1, 5)):
                document.undo()
        case "redo":
            for _ in range(chance.randint(1, 5)):
                document.redo()
        case "lock" if instances:
            chosen = chance.choice(instances)
            document.set_locked([chosen.id], not chosen.locked)
        case "convert" if one is not None:
            document.replace(replace(one, geometry=chance.choice(EVERY_GEOMETRY)))
        case "save" if save:
            document.mark_saved(chance.choice((None, document.state)))
        case "note":
            extra = FrozenMap({**document.annotation.extra, "note": [chance.random()]})
            document.edit("Note", replace(document.annotation, extra=extra))
        case "many" if len(free) > 1:
            dropped = {i.id for i in free[::3]}
            rest = [replace(i, label="many") for i in instances if i.id not in dropped]
            chance.shuffle(rest)
            document.edit("Many", document.annotation.with_instances(tuple(rest)))
