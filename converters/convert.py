"""The converter: any readable format to any writable one, folders on all cores, every loss reported."""

from __future__ import annotations

import multiprocessing
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from converters.annotation import ImageAnnotation, Instance
from converters.errors import ConverterError, UnknownFormatError
from converters.files import make_folder
from converters.formats import Format, Picture, PictureFinder, WriteOptions, safe_name
from converters.images import IMAGE_SUFFIXES
from converters.registry import format_named, sniff
from converters.report import Report
from converters.splitting import Split

# Seconds until other processes work: they import everything first.
_START_SECONDS = 0.6
# After so many seconds alone the work still to do can be estimated.
_TRIAL_SECONDS = 0.1
_CHUNK = 8
# Folders that only say what is in them; they are no part of a picture's name.
_FOLDERS = frozenset({"images", "labels", "Annotations", "JPEGImages", "annotations"})

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

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        failures = [{"path": str(f.path), "problem": f.problem, "remedy": f.remedy} for f in self.failures]
        head = {"from": self.source_format, "to": self.target_format, "stopped": self.stopped}
        return {**head, "failures": failures, **self.report.as_dict()}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What every process needs to know."""

    reader_name: str
    writer_name: str
    source: Path
    options: WriteOptions
    label_map: Mapping[str, str]
    keep_labels: frozenset[str] | None

    # By name, because a plan travels to other processes and functions do not.
    @property
    def reader(self) -> Format:
        return format_named(self.reader_name)

    @property
    def writer(self) -> Format:
        return format_named(self.writer_name)


@dataclass(frozen=True, slots=True)
class _Task:
    """One picture to convert: a label file to be read, or a picture read already."""

    file: Path
    name: str
    split: str = ""
    annotation: ImageAnnotation | None = None
    image_file: Path | None = None


@dataclass(slots=True)
class _Outcome:
    fragments: list[Any] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    failure: ConverterError | None = None
    skipped: bool = False
    labels: frozenset[str] = frozenset()


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
        processes: how many to use. Default: one a core, as soon as that is quicker than one alone.
        on_progress: called with (done, total, name) in the caller's thread.
        should_stop: asked between pictures.

    Raises:
        ConverterError: the source is not there or of no known format, the format cannot be written, or
            the target cannot be.
    """
    origin, goal = Path(source), Path(target)
    reader = format_named(source_format) if source_format else sniff(origin)
    writer = format_named(target_format or ("coco" if reader.name == "labelme" else "labelme"))
    if reader.read is None or reader.find is None:
        raise ConverterError(f"{reader.title} can be written, not read.")
    if writer.write is None:
        raise ConverterError(f"{writer.title} can be read, not written.")
    if not origin.exists():
        raise ConverterError("there is no such file or folder.", path=origin)
    one_file = bool(goal.suffix) and not goal.is_dir() and goal.suffix.lower() == writer.file_suffix
    if goal.is_file() and not one_file:
        raise ConverterError(f"{writer.title} needs a folder as target, this is a file.", path=goal)
    options = WriteOptions(
        goal, tuple(labels or ()), not one_file if copy_images is None else copy_images, info
    )
    plan = _Plan(
        reader.name,
        writer.name,
        origin,
        options,
        dict(label_map or {}),
        frozenset(labels) if labels else None,
    )
    make_folder(goal.parent if one_file else goal)

    report = Report()
    failures: list[ConverterError] = []
    tasks = _tasks(plan, report, failures)
    if split is not None:
        parts = split.parts([task.name for task in tasks])
        tasks = [replace(task, split=part) for task, part in zip(tasks, parts, strict=True)]
    run = _Run(plan, tasks, processes, on_progress, should_stop)
    if writer.needs_labels and not labels:
        found = frozenset().union(*(outcome.labels for outcome in run.each(_labels_of, quietly=True)))
        run.plan = replace(plan, options=replace(options, labels=tuple(sorted(found))))
    fragments: list[Any] = []
    skipped = 0
    for outcome in run.each(_convert_one):
        fragments += outcome.fragments
        report.extend(outcome.report)
        skipped += outcome.skipped
        if outcome.failure is not None:
            failures.append(outcome.failure)
    if not tasks or skipped == len(tasks):
        raise ConverterError(f"there is nothing of the format {reader.title} here.", path=origin)
    if writer.finish is not None and not run.stopped:
        writer.finish(run.plan.options, fragments, report)
    return Conversion(reader.name, writer.name, report, tuple(failures), run.stopped)


def _tasks(plan: _Plan, report: Report, failures: list[ConverterError]) -> list[_Task]:
    """Every picture of the source with the name it will have in the target."""
    assert plan.reader.find is not None
    files = plan.reader.find(plan.source)
    base = plan.source if plan.source.is_dir() else plan.source.parent
    taken: set[str] = set()
    if not plan.reader.many:
        return [_Task(file, _unique(_relative_name(file, base), taken)) for file in files]
    tasks: list[_Task] = []
    finder = PictureFinder(plan.source)
    for file in files:
        try:
            annotations = _read(plan, file, report)
        except UnknownFormatError as error:
            if len(files) == 1:
                failures.append(error)
            continue
        except ConverterError as error:
            failures.append(error)
            continue
        for annotation in annotations:
            try:
                sized, image_file = finder.attach(annotation, file)
            except ConverterError as error:
                report.add("dropped", error.problem, path=annotation.image_path)
                continue
            parts = [part for part in safe_name(annotation.image_path).split("/") if part not in _FOLDERS]
            name = _unique("/".join(parts) or "picture", taken)
            tasks.append(_Task(file, name, "", sized, image_file))
    if not tasks and failures:
        raise failures[0]
    return tasks


def _relative_name(file: Path, base: Path) -> str:
    folders = [part for part in file.relative_to(base).parent.parts if part not in _FOLDERS]
    name = "/".join([*folders, file.stem])
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in IMAGE_SUFFIXES else name


def _unique(name: str, taken: set[str]) -> str:
    """The name, or with a number when another picture of the conversion has it, capitals or not."""
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate.casefold())
    return candidate


def _read(plan: _Plan, file: Path, report: Report) -> list[ImageAnnotation]:
    """The reader's work; any exception it lets slip becomes one the caller can tell the user."""
    assert plan.reader.read is not None
    try:
        return plan.reader.read(file, plan.source, report)
    except (RecursionError, MemoryError) as error:
        raise ConverterError("the file is nested or grown beyond reason.", path=file) from error


class _Run:
    """Hands tasks to processes and outcomes back in order."""

    def __init__(
        self,
        plan: _Plan,
        tasks: list[_Task],
        processes: int | None,
        on_progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.plan = plan
        self.tasks = tasks
        self.stopped = False
        self._demanded = processes is not None
        self._processes = processes or _available_cores()
        self._on_progress = on_progress
        self._should_stop = should_stop or (lambda: False)

    def each(self, work: Callable[[_Plan, _Task], _Outcome], *, quietly: bool = False) -> Iterator[_Outcome]:
        """The outcome of every task, in the tasks' order; ends early when stopped."""
        for done, outcome in enumerate(self._outcomes(work), start=1):
            yield outcome
            if self._on_progress is not None and not quietly:
                self._on_progress(done, len(self.tasks), self.tasks[done - 1].name)

    def _outcomes(self, work: Callable[[_Plan, _Task], _Outcome]) -> Iterator[_Outcome]:
        """Alone at first; with other processes as soon as that is clearly quicker."""
        start = time.perf_counter()
        judged = self._processes == 1
        if self._demanded and not judged:
            yield from self._pooled(work, self.tasks)
            return
        for done, task in enumerate(self.tasks):
            if self._should_stop():
                self.stopped = True
                return
            passed = time.perf_counter() - start
            if not judged and passed > _TRIAL_SECONDS:
                judged = True
                ahead = passed / done * (len(self.tasks) - done)
                if ahead * (1 - 1 / self._processes) > 2 * _START_SECONDS:
                    yield from self._pooled(work, self.tasks[done:])
                    return
            yield work(self.plan, task)

    def _pooled(self, work: Callable[[_Plan, _Task], _Outcome], tasks: list[_Task]) -> Iterator[_Outcome]:
        chunks = [tasks[start : start + _CHUNK] for start in range(0, len(tasks), _CHUNK)]
        ahead = 2 * self._processes
        with ProcessPoolExecutor(
            min(self._processes, len(chunks)), _context(), initializer=_start_process, initargs=(self.plan,)
        ) as pool:
            waiting: list[Future[list[_Outcome]]] = []
            try:
                for chunk in chunks:
                    if self._should_stop():
                        self.stopped = True
                        break
                    waiting.append(pool.submit(_work_through, work, chunk))
                    if len(waiting) >= ahead:
                        yield from waiting.pop(0).result()
                while waiting:
                    if not self.stopped and self._should_stop():
                        self.stopped = True
                    yield from waiting.pop(0).result()
            except BrokenProcessPool as error:
                raise ConverterError(
                    "a process of the conversion was ended from outside, perhaps for want of memory.",
                    path=self.plan.source,
                    remedy="Convert again with fewer processes.",
                ) from error
            finally:
                for future in waiting:
                    future.cancel()


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _context() -> Any:
    """A clean server process forks the others: forking this one could take over locks of threads that
    OpenCV, torch or the window have started."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["converters.convert"])
    return context


_plan_of_process: list[_Plan] = []


def _start_process(plan: _Plan) -> None:
    cv2.setNumThreads(1)  # one process a core is enough
    _plan_of_process[:] = [plan]


def _work_through(work: Callable[[_Plan, _Task], _Outcome], tasks: list[_Task]) -> list[_Outcome]:
    return [work(_plan_of_process[0], task) for task in tasks]


def _pictures(plan: _Plan, task: _Task, report: Report) -> list[Picture]:
    if task.annotation is not None:
        return [Picture(_relabelled(plan, task.annotation, report), task.name, task.image_file, task.split)]
    finder = PictureFinder(plan.source)
    pictures: list[Picture] = []
    for annotation in _read(plan, task.file, report):
        sized, image_file = finder.attach(annotation, task.file)
        pictures.append(Picture(_relabelled(plan, sized, report), task.name, image_file, task.split))
    return pictures


def _labels_of(plan: _Plan, task: _Task) -> _Outcome:
    try:
        pictures = _pictures(plan, task, Report())
    except ConverterError:
        return _Outcome()  # the second round tells
    return _Outcome(labels=frozenset(label for p in pictures for label in p.annotation.labels))


def _convert_one(plan: _Plan, task: _Task) -> _Outcome:
    outcome = _Outcome()
    assert plan.writer.write is not None
    try:
        for picture in _pictures(plan, task, outcome.report):
            outcome.fragments.append(plan.writer.write(picture, plan.options, outcome.report))
    except UnknownFormatError as error:
        outcome.skipped = True
        outcome.failure = error if plan.source.is_file() else None
    except ConverterError as error:
        outcome.failure = error
    return outcome


def _relabelled(plan: _Plan, annotation: ImageAnnotation, report: Report) -> ImageAnnotation:
    """The annotation under the label map and with only the labels to keep."""
    if not plan.label_map and plan.keep_labels is None:
        return annotation
    kept: list[Instance] = []
    for index, instance in enumerate(annotation.instances):
        label = plan.label_map.get(instance.label, instance.label)
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
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in dict.fromkeys(lines) if line and line not in ("__ignore__", "_background_")]


def read_label_map(text: str) -> dict[str, str]:
    """A class mapping: one `old = new` (or `old: new`) a line; an empty new name drops.

    Raises:
        ConverterError: a line is neither.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = re.split(r"\s*[=:]\s*", line.strip(), maxsplit=1)
        if len(parts) != 2 or not parts[0]:
            raise ConverterError("a line of a class mapping is: old = new.", where=f"line {number}")
        found[parts[0]] = parts[1]
    return found
