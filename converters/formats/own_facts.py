"""SeedHue's own facts about an object as plain JSON, for formats that keep foreign keys.

They travel under the key `seedhue` of a shape or annotation; keys of a later version inside it are
kept and written back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from converters.annotation import Instance, Provenance, RecolorOperation, Seed
from converters.frozen import FrozenMap

KEY = "seedhue"

_KNOWN = frozenset({"id", "iscrowd", "provenance", "recolor"})
_BY_HAND = Provenance()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was under the key; `rest` holds what this version does not know."""

    id: str | None
    iscrowd: bool
    provenance: Provenance
    recolor: RecolorOperation | None
    rest: dict[str, Any]


def facts_of(instance: Instance) -> dict[str, Any]:
    """The value of the key `seedhue` for an instance; always has its id."""
    facts: dict[str, Any] = {"id": instance.id}
    if instance.iscrowd:
        facts["iscrowd"] = True
    if instance.provenance is not _BY_HAND and instance.provenance != _BY_HAND:
        facts["provenance"] = _provenance_dict(instance.provenance)
    if instance.recolor is not None:
        facts["recolor"] = {"color": instance.recolor.color, "settings": dict(instance.recolor.settings)}
    rest = instance.extra.get(KEY)
    if isinstance(rest, dict):
        facts.update({key: value for key, value in rest.items() if key not in facts})
    return facts


def read_facts(value: Any) -> Facts:
    """The reverse; whatever is not as expected is ignored or kept in `rest`, never an error."""
    if not isinstance(value, dict):
        rest = {} if value is None else {"unreadable": value}
        return Facts(None, False, _BY_HAND, None, rest)
    found_id = value.get("id")
    return Facts(
        id=found_id if isinstance(found_id, str) and 0 < len(found_id) <= 64 else None,
        iscrowd=value.get("iscrowd") is True,
        provenance=_read_provenance(value.get("provenance")),
        recolor=_read_recolor(value.get("recolor")),
        rest={} if value.keys() <= _KNOWN else {k: item for k, item in value.items() if k not in _KNOWN},
    )


def _provenance_dict(provenance: Provenance) -> dict[str, Any]:
    out: dict[str, Any] = {"kind": provenance.kind}
    if provenance.seeds:
        out["seeds"] = [[seed.x, seed.y, 1 if seed.positive else 0] for seed in provenance.seeds]
    for name in ("tau", "level", "model"):
        if getattr(provenance, name) is not None:
            out[name] = getattr(provenance, name)
    if provenance.edited:
        out["edited"] = True
    return out


def _read_provenance(value: Any) -> Provenance:
    if not isinstance(value, dict) or value.get("kind") not in ("hand", "seeds", "automatic"):
        return _BY_HAND
    tau, level, model = value.get("tau"), value.get("level"), value.get("model")
    seeds = value.get("seeds")
    return Provenance(
        kind=value["kind"],
        seeds=tuple(filter(None, map(_read_seed, seeds))) if isinstance(seeds, list) else (),
        tau=float(tau) if is_number(tau) and 0 < tau < 1 else None,
        level=level if type(level) is int and level >= 0 else None,
        model=model if isinstance(model, str) else None,
        edited=value.get("edited") is True,
    )


def _read_seed(value: Any) -> Seed | None:
    if not isinstance(value, list) or len(value) != 3 or not all(map(is_number, value)):
        return None
    return Seed(float(value[0]), float(value[1]), bool(value[2]))


def _read_recolor(value: Any) -> RecolorOperation | None:
    if not isinstance(value, dict) or not isinstance(value.get("color"), str):
        return None
    color, settings = value["color"], value.get("settings")
    if len(color) != 7 or color[0] != "#" or any(c not in "0123456789abcdefABCDEF" for c in color[1:]):
        return None
    sliders = settings.items() if isinstance(settings, dict) else ()
    return RecolorOperation(color, FrozenMap({name: float(v) for name, v in sliders if is_number(v)}))


def is_number(value: Any) -> TypeGuard[float]:
    """A finite int or float, no bool."""
    if type(value) is int:
        return abs(value) < 1 << 62
    return type(value) is float and math.isfinite(value)


def all_facts(instance: Instance) -> dict[str, Any]:
    """Everything about an instance but its label and its geometry, for formats with one free field."""
    facts = facts_of(instance)
    for name in ("group_id", "score"):
        if getattr(instance, name) is not None:
            facts[name] = getattr(instance, name)
    for name in ("flags", "attributes"):
        if getattr(instance, name):
            facts[name] = dict(getattr(instance, name))
    if instance.description:
        facts["description"] = instance.description
    if instance.locked:
        facts["locked"] = True
    if extra := {key: value for key, value in instance.extra.items() if key != KEY}:
        facts["extra"] = extra
    return facts


def has_facts(instance: Instance) -> bool:
    """Whether a format that carries only label and shape would lose something."""
    return len(all_facts(instance)) > 1


def with_facts(instance: Instance, value: Any) -> Instance:
    """The instance with what `all_facts` wrote; what is not as expected is ignored."""
    if not isinstance(value, dict):
        return instance
    facts = read_facts({key: value[key] for key in _KNOWN if key in value})
    group_id, score, description = value.get("group_id"), value.get("score"), value.get("description")
    flags, attributes, extra = (_mapping(value.get(name)) for name in ("flags", "attributes", "extra"))
    return replace(
        instance,
        id=facts.id or instance.id,
        group_id=group_id if type(group_id) is int else instance.group_id,
        description=description if isinstance(description, str) else instance.description,
        flags=FrozenMap({name: flag for name, flag in flags.items() if type(flag) is bool}) or instance.flags,
        attributes=FrozenMap({**instance.attributes, **attributes}),
        score=float(score) if is_number(score) else instance.score,
        locked=value.get("locked") is True or instance.locked,
        iscrowd=facts.iscrowd or instance.iscrowd,
        provenance=facts.provenance,
        recolor=facts.recolor,
        extra=FrozenMap({**instance.extra, **extra}),
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
