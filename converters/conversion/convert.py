"""The converter: any readable format to any writable one, folders on all cores, every loss reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from converters.conversion.workers import in_worker, work_through
from converters.errors import ConverterError, UnknownFormatError
from converters.files.budget import spending
from converters.files.files import make_folder
from converters.files.images import IMAGE_SUFFIXES
from converters.files.lines import lines_of, one_line
from converters.formats.coco.dataset import kept_numbers, known_categories, known_header
from converters.formats.format import Format, Picture, PictureEntry, PictureFinder, WriteOptions, safe_name
from converters.formats.registry import format_named, sniff
from converters.report import Report, write_report

if TYPE_CHECKING:
    from converters.annotation import ImageAnnotation, Instance
    from converters.conversion.splitting import Split

# Folders that only say what is in them; they are no part of a picture's name.
_FOLDERS = frozenset({"images", "labels", "Annotations", "JPEGImages", "annotations"})

T = TypeVar("T")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it.

    Attributes:
        report: what was changed, simplified or dropped.
        failures: files that could not be converted at all; the others were.
        stopped: the user stopped it; what was written until then is whole.
    """

    source_format: str
    target_format: str
    report: Report
    failures: tuple[ConverterError, ...] = ()
    stopped: bool = False

    def summary(self) -> str:
        """For a terminal or a dialog."""
        lines = [f"{self.source_format} to {self.target_format}: {self.report.summary()}"]
        lines += [f"not converted: {failure}" for failure in self.failures[:20]]
        if len(self.failures) > 20:
            lines.append(f"and {len(self.failures) - 20} more files were not converted")
        return "\n".join([*lines, "Stopped."] if self.stopped else lines)

    def write_report(self, path: Path | str) -> None:
        """Write everything there is to tell: as JSON, or as lines when the name ends in .txt.

        Raises:
            ConverterError: the file cannot be written.
        """
        lines = [self.summary(), "", *map(str, self.report), *map(str, self.failures[20:])]
        write_report(path, lines, self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        failures = [{"path": str(f.path), "problem": f.problem, "remedy": f.remedy} for f in self.failures]
        head = {"from": self.source_format, "to": self.target_format, "stopped": self.stopped}
        return {**head, "failures": failures, **self.report.as_dict()}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What every process needs to know; each has a finder of its own."""

    reader_name: str
    writer_name: str
    source: Path
    options: WriteOptions
    keep_labels: frozenset[str] | None
    finder: PictureFinder

    # By name, because a plan travels to other processes and functions do not.
    @property
    def reader(self) -> Format:
        return format_named(self.reader_name)

    @property
    def writer(self) -> Format:
        return format_named(self.writer_name)


@dataclass(frozen=True, slots=True)
class _Task:
    """One picture to convert: a label file, or what a file of many pictures says of one."""

    file: Path
    name: str
    split: str = ""
    entry: PictureEntry | None = None


@dataclass(slots=True)
class _Outcome:
    fragments: list[Any] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    failure: ConverterError | None = None
    skipped: bool = False


def convert(
    source: Path | str,
    target: Path | str,
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    labels: Sequence[str] | None = None,
    label_map: Mapping[str, str] | None = None,
    split: Split | None = None,
    copy_images: bool | None = None,
    info: bool = True,
    processes: int | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Conversion:
    """Convert a file or a folder (with its sub-folders).

    A file that cannot be read is told in `failures` and the others go on; objects that cannot be
    carried over are told in the report.

    Args:
        source_format, target_format: names from `registry.FORMATS`; None: found out from the source;
            labelme for the target, or COCO when the source is labelme.
        labels: the labels to keep, in the order of their numbers; others are dropped and reported.
        label_map: new names by old ones; an empty new name drops the objects.
        split: write a training and a validation part.
        copy_images: copy pictures into the target. Default: where the target is a folder.
        info: for json-to-dataset, write `info.yaml` too.
        processes: how many to use, this one included. Default: one a core, as soon as that is quicker than
            one alone. The result is the same. Further ones import the running script again, so it needs
            the usual `if __name__ == "__main__":`.
        on_progress: called with (done, total, name) in the caller's thread.
        should_stop: asked between pictures.

    Raises:
        ConverterError: the source is not there or of no known format, the format cannot be written, or
            the target cannot be.
    """
    if in_worker():
        raise ConverterError(
            "every process of the conversion began with the whole script.",
            remedy='Put its main part under `if __name__ == "__main__":`, or convert with processes=1.',
        )
    origin, goal = Path(source), Path(target)
    reader, writer = _chosen(origin, source_format, target_format)
    one_file = bool(goal.suffix) and not goal.is_dir() and goal.suffix.lower() == writer.file_suffix
    if goal.is_file() and not one_file:
        raise ConverterError(f"{writer.title} needs a folder as target, this is a file.", path=goal)
    options = WriteOptions(
        goal,
        tuple(labels or ()),
        dict(label_map or {}),
        _declared(reader, origin, label_map or {}),
        not one_file if copy_images is None else copy_images,
        info,
    )
    plan = _Plan(
        reader.name,
        writer.name,
        origin,
        options,
        frozenset(labels) if labels else None,
        PictureFinder(origin),
    )
    make_folder(goal.parent if one_file else goal)

    report = Report()
    failures: list[ConverterError] = []
    tasks = _tasks(plan, report, failures)
    if split is not None:
        parts = split.parts([task.name for task in tasks])
        tasks = [replace(task, split=part) for task, part in zip(tasks, parts, strict=True)]
    share = partial(work_through, processes=processes, should_stop=should_stop)
    if writer.needs_labels and not labels:
        known = [
            found for _, outcome in share(partial(_labels_of, plan), tasks) for found in outcome.fragments
        ]
        options = replace(options, labels=_ordered(known, options))
        plan = replace(plan, options=options)
    fragments: list[Any] = []
    done = skipped = 0
    for index, outcome in share(partial(_convert_one, plan), tasks):
        fragments += outcome.fragments
        report.extend(outcome.report)
        done += 1
        skipped += outcome.skipped
        if outcome.failure is not None:
            failures.append(outcome.failure)
        if on_progress is not None:
            on_progress(done, len(tasks), tasks[index].name)
    if skipped == len(tasks):
        raise ConverterError(f"there is nothing of the format {reader.title} here.", path=origin)
    stopped = done < len(tasks)
    if writer.finish is not None and not stopped:
        _guarded(goal, partial(writer.finish, options, fragments, report))
    return Conversion(reader.name, writer.name, report, tuple(failures), stopped)


def _chosen(source: Path, source_format: str | None, target_format: str | None) -> tuple[Format, Format]:
    """The formats to read and to write."""
    reader = format_named(source_format) if source_format else sniff(source)
    writer = format_named(target_format or ("coco" if reader.name == "labelme" else "labelme"))
    if reader.read is None or reader.find is None:
        raise ConverterError(f"{reader.title} can be written, not read.")
    if writer.write is None:
        raise ConverterError(f"{writer.title} can be read, not written.")
    if not source.exists():
        raise ConverterError("there is no such file or folder.", path=source)
    return reader, writer


def _declared(reader: Format, source: Path, label_map: Mapping[str, str]) -> tuple[str, ...]:
    listed = reader.declared(source) if reader.declared is not None else []
    return tuple(filter(None, (label_map.get(label, label) for label in listed)))


def _tasks(plan: _Plan, report: Report, failures: list[ConverterError]) -> list[_Task]:
    """Every picture of the source with the name it will have in the target."""
    assert plan.reader.find is not None
    files = plan.reader.find(plan.source)
    base = plan.source if plan.source.is_dir() else plan.source.parent
    taken: set[str] = set()
    if plan.reader.entries is None:
        return [_Task(file, _unique(_relative_name(file, base), taken)) for file in files]
    tasks: list[_Task] = []
    for file in files:
        try:
            entries = _guarded(file, partial(plan.reader.entries, file, plan.source, report))
        except UnknownFormatError as error:
            if len(files) == 1:
                failures.append(error)
            continue
        except ConverterError as error:
            failures.append(error)
            continue
        for entry in entries:
            parts = [part for part in safe_name(entry.image_path).split("/") if part not in _FOLDERS]
            tasks.append(_Task(file, _unique("/".join(parts) or "picture", taken), entry=entry))
    if not tasks and failures:
        raise failures[0]
    return tasks


def _relative_name(file: Path, base: Path) -> str:
    folders = [part for part in file.relative_to(base).parent.parts if part not in _FOLDERS]
    name = one_line("/".join([*folders, file.stem]))
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in IMAGE_SUFFIXES else name


def _unique(name: str, taken: set[str]) -> str:
    """The name, or with a number when another picture of the conversion has it, capitals or not."""
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate.casefold())
    return candidate


def _guarded(file: Path, work: Callable[[], T]) -> T:
    """A reader's or writer's work; whatever goes wrong becomes an error that names the file and is told.

    Raises:
        ConverterError: it went wrong.
    """
    try:
        with spending(file):
            return work()
    except UnknownFormatError:
        raise
    except ConverterError as error:
        if error.path is not None:
            raise
        raise ConverterError(error.problem, path=file, remedy=error.remedy, where=error.where) from error
    except (RecursionError, MemoryError) as error:
        raise ConverterError("the file is nested or grown beyond reason.", path=file) from error
    except Exception as error:  # one odd file must not end a folder's conversion
        problem = f"nothing can be made of this file ({type(error).__name__}: {error})."
        raise ConverterError(problem, path=file) from error


def _pictures(plan: _Plan, task: _Task, report: Report) -> list[Picture]:
    """The task's pictures with their files. What a file of many pictures says of one that does not fit is
    reported; errors with a file of its own are the caller's."""
    if task.entry is None:
        assert plan.reader.read is not None
        read = partial(plan.reader.read, task.file, plan.source, report)
        found = _guarded(task.file, read)
        return [_guarded(task.file, partial(_picture, plan, task, each, report)) for each in found]
    try:
        annotation = _guarded(task.file, partial(task.entry.decode, report))
        return [_guarded(task.file, partial(_picture, plan, task, annotation, report))]
    except ConverterError as error:
        report.add("dropped", error.problem, path=task.entry.image_path)
        return []


def _picture(plan: _Plan, task: _Task, annotation: ImageAnnotation, report: Report) -> Picture:
    sized, image_file = plan.finder.attach(annotation, task.file)
    return Picture(_relabelled(plan, sized, report), task.name, image_file, task.split)


@dataclass(frozen=True, slots=True)
class _Labels:
    """What a picture says about the labels: its own, and what coco_dataset.py remembers."""

    own: tuple[str, ...]
    known: dict[str, int]
    header: dict[str, Any]


def _labels_of(plan: _Plan, task: _Task) -> _Outcome:
    try:
        pictures = [picture.annotation for picture in _pictures(plan, task, Report())]
    except ConverterError:
        return _Outcome()  # the second round tells
    return _Outcome([_Labels(each.labels, known_categories(each), known_header(each)) for each in pictures])


def _ordered(found: list[_Labels], options: WriteOptions) -> tuple[str, ...]:
    """Every label: those the source numbers in that order, the others in alphabetical order."""
    own = {label for each in found for label in each.own}
    numbers = kept_numbers(
        own,
        [each.known for each in found],
        [each.header for each in found],
        label_map=options.label_map,
    )
    return tuple(dict.fromkeys([*options.declared, *numbers]))


def _convert_one(plan: _Plan, task: _Task) -> _Outcome:
    outcome = _Outcome()
    assert plan.writer.write is not None
    try:
        for picture in _pictures(plan, task, outcome.report):
            write = partial(plan.writer.write, picture, plan.options, outcome.report)
            outcome.fragments.append(_guarded(task.file, write))
    except UnknownFormatError as error:
        outcome.skipped = True
        outcome.failure = error if plan.source.is_file() else None
    except ConverterError as error:
        outcome.failure = error
    return outcome


def _relabelled(plan: _Plan, annotation: ImageAnnotation, report: Report) -> ImageAnnotation:
    """The annotation under the label map and with only the labels to keep."""
    if not plan.options.label_map and plan.keep_labels is None:
        return annotation
    kept: list[Instance] = []
    for index, instance in enumerate(annotation.instances):
        label = plan.options.label_map.get(instance.label, instance.label)
        if label == "" and instance.label != "":
            reason = "its label is mapped to nothing"
        elif plan.keep_labels is not None and label not in plan.keep_labels:
            reason = "its label is not in the given list of labels"
        else:
            kept.append(instance if label == instance.label else replace(instance, label=label))
            continue
        report.add("dropped", reason, path=annotation.image_path, instance=instance, index=index)
    return annotation.with_instances(tuple(kept))


def read_label_list(text: str) -> list[str]:
    """Labels of a text file, one a line; labelme's `__ignore__` and `_background_` are passed over."""
    lines = [line.strip() for line in lines_of(text)]
    return [line for line in dict.fromkeys(lines) if line and line not in ("__ignore__", "_background_")]


def read_label_map(text: str) -> dict[str, str]:
    """A class mapping: one `old = new` (or `old: new`) a line; an empty new name drops.

    Raises:
        ConverterError: a line is neither.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = re.split(r"\s*[=:]\s*", line.strip(), maxsplit=1)
        if len(parts) != 2 or not parts[0]:
            raise ConverterError("a line of a class mapping is: old = new.", where=f"line {number}")
        found[parts[0]] = parts[1]
    return found
