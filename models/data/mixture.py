"""Several data sets as one: a common list of categories and a share of the crops for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from models.data.dataset import AnnotatedPicture, Dataset


def choose_datasets(datasets: Sequence[Dataset], names: Collection[str]) -> tuple[Dataset, ...]:
    """The data sets with these names, each once.

    Raises:
        ValueError: a name that no set has.
    """
    known = {d.name for d in datasets}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(
            f"there is no data set called {', '.join(unknown)}; there are: {', '.join(sorted(known))}."
        )
    return tuple(d for d in datasets if d.name in names)


def mix_datasets(
    datasets: Sequence[Dataset], *, shares: Mapping[str, float] | None = None, partial: Collection[str] = ()
) -> tuple[Dataset, ...]:
    """Give every set the categories of all, and its share, which may be 0.

    Args:
        shares: by name of the set; the others get the square root of their number of pictures, scaled so
            that an average set has the share of an average named one.
        partial: sets whose pictures do not show every object.

    Raises:
        ValueError: a name that no set has, or nothing but zero shares.
    """
    shares = shares or {}
    choose_datasets(datasets, {*shares, *partial})
    if shares and all(d.name in shares for d in datasets) and not any(shares.values()):
        raise ValueError("every data set has share 0; nothing is left to train on.")
    categories = tuple(sorted({c for d in datasets for c in d.categories}))
    index = {name: i for i, name in enumerate(categories)}
    named = [share for share in shares.values() if share > 0]
    unit = sum(named) / len(named) if named else 1.0
    roots = [len(d.pictures) ** 0.5 for d in datasets]
    average = sum(roots) / len(roots)
    mixed = []
    for dataset, root in zip(datasets, roots, strict=True):
        weight = shares.get(dataset.name, unit * root / average)
        moved = [index[name] for name in dataset.categories]
        exhaustive = dataset.name not in partial
        pictures = tuple(_with_categories(p, moved, exhaustive) for p in dataset.pictures)
        mixed.append(replace(dataset, pictures=pictures, categories=categories, weight=weight))
    return tuple(mixed)


def _with_categories(picture: AnnotatedPicture, moved: Sequence[int], exhaustive: bool) -> AnnotatedPicture:
    objects, crowds = (
        tuple(replace(o, category=moved[o.category]) for o in group)
        for group in (picture.objects, picture.crowds)
    )
    return replace(picture, objects=objects, crowds=crowds, exhaustive=picture.exhaustive and exhaustive)
