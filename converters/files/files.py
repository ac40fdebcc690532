"""Writing files so that nothing is lost, and reading paths out of files that may lie."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from converters.errors import ConverterError
from converters.files.budget import DEPTH, Budget, BudgetError
from converters.files.names import fitting_name
from converters.files.nesting import check_digits, check_nesting
from converters.files.temporary_files import open_temporary

# Bytes; a label file above this is taken for something else (COCO's train2017 has 0.45 GB).
MAX_TEXT_BYTES = 2_000_000_000

_LEAST_BYTES_AT_ONCE = 1 << 16
_KINDS_OF_FILES = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_DIGITS = re.compile(r"(\d+)")
_DRIVE = re.compile(r"^[A-Za-z]:")

NaturalKey = tuple[tuple[int, int, str], ...]


def write_atomic(
    path: Path | str,
    data: bytes | str,
    *,
    durable: bool = True,
    before_replacing: Callable[[], None] | None = None,
) -> None:
    """Replace a file's content in one step: whoever reads sees the old file or the new one, whole.

    The data goes to a temporary file in the same folder, is flushed to the disk and renamed over
    the target. The permissions of an existing target are kept, a symbolic link stays a link and its
    target is replaced, and the temporary file is removed if anything fails.

    Args:
        data: bytes, or text to be written as UTF-8; half surrogate pairs, which it cannot carry, become
            escapes as JSON knows them.
        durable: wait until the disk has it. Off for files that can be made again from others, where
            hundreds of waits would take longer than the work: after a power cut such a file may be gone.
        before_replacing: called last of all, when only the renaming is left; it may refuse by raising.

    Raises:
        ConverterError: the disk is full, or the folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    payload = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    temporary: str | None = None
    try:
        mode = _mode_for(target)
        descriptor, temporary = open_temporary(target.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(payload)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
            os.chmod(temporary, mode)
            if before_replacing is not None:
                before_replacing()
            if durable and os.name != "nt":  # while it is held; Windows renames no open file
                os.replace(temporary, target)
                temporary = None
        if temporary is not None:
            os.replace(temporary, target)
            temporary = None
    except OSError as error:
        raise writing_error(error, path) from error
    finally:
        # Also after an interrupt.
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    if durable:
        _sync_folder(target.parent)


def writing_error(error: OSError, path: Path | str) -> ConverterError:
    """The message a user understands for a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ConverterError(
            "the disk is full, nothing was written and an existing file is unchanged.",
            path=path,
            remedy="Free some space or choose another folder, then save again.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConverterError(
            "this place cannot be written to.",
            path=path,
            remedy="Give yourself permission to write there or choose another folder.",
        )
    if error.errno == errno.ENOENT:
        return ConverterError("the folder does not exist.", path=path, remedy="Create it first.")
    if error.errno == errno.ENAMETOOLONG:
        return ConverterError(
            "the name is too long for this place.", path=path, remedy="Choose a shorter one."
        )
    return ConverterError(f"writing failed: {error.strerror or error}.", path=path)


def make_folder(path: Path | str) -> Path:
    """Create a folder and its parents; an existing one is fine.

    Raises:
        ConverterError: a file has that name, or permission is missing.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ConverterError("a file has this name, a folder is needed.", path=folder) from error
    except OSError as error:
        raise writing_error(error, folder) from error
    return folder


def open_file(path: Path | str) -> BinaryIO:
    """Open a regular file for reading bytes; pipes, devices and sockets, which may never end, are not opened.

    Raises:
        ConverterError: missing, a folder, no regular file, or not permitted.
    """
    try:
        _require_regular(os.stat(path), path)
        stream = open(path, "rb", opener=_open_at_once)  # noqa: SIM115  the caller closes it
        try:
            _require_regular(os.fstat(stream.fileno()), path)  # another file may have taken its place
        except BaseException:
            stream.close()
            raise
    except FileNotFoundError as error:
        raise ConverterError("there is no such file.", path=path) from error
    except PermissionError as error:
        raise ConverterError(
            "the file may not be read.", path=path, remedy="Give yourself permission to read it."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise ConverterError(f"opening failed: {error}.", path=path) from error
    return stream


def _open_at_once(path: str, flags: int) -> int:
    """Opens without waiting for anybody at the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _require_regular(facts: os.stat_result, path: Path | str) -> None:
    if stat.S_ISREG(facts.st_mode):
        return
    if stat.S_ISDIR(facts.st_mode):
        raise ConverterError("this is a folder, a file is needed.", path=path)
    kind = next((name for is_kind, name in _KINDS_OF_FILES if is_kind(facts.st_mode)), "something else")
    raise ConverterError(
        f"this is {kind}, a regular file is needed.", path=path, remedy="Copy its content into a file."
    )


def read_bytes(path: Path | str, *, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """A whole file, refused before reading when it is larger than `max_bytes`.

    Raises:
        ConverterError: as `open_file`, or too large.
    """
    limit = Budget("bytes", max_bytes, "Split the file.")
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        limit.check(size, path=path, asks="the file is too large: it has")
        parts: list[bytes] = []
        got = 0
        try:
            # What the system says of the size may be out of date, and is 0 for files it makes up.
            while got <= max_bytes:
                wanted = min(max(size + 1 - got, _LEAST_BYTES_AT_ONCE), max_bytes + 1 - got)
                part = stream.read(wanted)
                if not part:
                    break
                parts.append(part)
                got += len(part)
        except OSError as error:
            raise ConverterError(f"reading failed: {error}.", path=path) from error
    limit.check(got, path=path, asks="the file is too large: it has")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_text(path: Path | str, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """A text file as UTF-8 (a byte-order mark, also UTF-16's, is understood).

    Raises:
        ConverterError: as `read_bytes`, or the bytes are not text.
    """
    return decode_text(read_bytes(path, max_bytes=max_bytes), path=path)


def decode_text(data: bytes, *, path: Path | str) -> str:
    """A text file's content as `read_text` understands it; `path` is where it came from.

    Raises:
        ConverterError: the bytes are not text.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConverterError(
            "this is not a UTF-8 text file.",
            path=path,
            where=f"byte {error.start}",
            remedy="If it is text in an older encoding, save it again as UTF-8.",
        ) from error


def read_json(path: Path | str) -> Any:
    """A JSON file's value.

    Raises:
        ConverterError: as `read_text`; not JSON, or cut off (the message tells which, and where).
    """
    return parse_json(read_text(path), path=path)


def parse_json(text: str, *, path: Path | str | None = None, where: str = "") -> Any:
    """`json.loads` with this package's error; NaN and Infinity are left to the reader to judge.

    Raises:
        ConverterError: not JSON, cut off, nested too deeply, or with a number that is too long.
    """
    check_nesting(text, path=path, where=where)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{where + ', ' if where else ''}line {error.lineno}, column {error.colno}"
        if not text.strip():
            problem, remedy = "the file is empty.", ""
        elif not text[error.pos :].strip() or error.msg.startswith("Unterminated string"):
            problem = "the JSON text is cut off: its end is missing."
            remedy = "Take the file from a backup; it has been left as it is."
        else:
            problem, remedy = f"this is not valid JSON ({error.msg}).", ""
        raise ConverterError(problem, path=path, where=place, remedy=remedy) from error
    except (RecursionError, ValueError) as error:  # ValueError: an integer of thousands of digits
        check_digits(text, path=path, where=where)
        raise ConverterError(f"this JSON cannot be taken in ({error}).", path=path, where=where) from error


def json_inside(text: Any) -> Any:
    """The value of JSON that stands as text in another file; None for whatever is no such text."""
    try:
        return parse_json(text) if isinstance(text, str) else None
    except ConverterError:
        return None


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON as UTF-8 text; numbers JSON does not have (NaN, infinities) become text.

    Half surrogate pairs, which UTF-8 cannot carry, make the whole text ASCII with escapes, as does
    `ascii_only`.

    Raises:
        BudgetError: it is nested more deeply than what `parse_json` takes in.
    """
    try:
        text = _json_text(value, indent, ascii_only)
    except RecursionError as error:
        raise BudgetError(
            f"it has far more than the {DEPTH.most} {DEPTH.unit} there are.", remedy=DEPTH.remedy
        ) from error
    check_nesting(text)
    return text


def _json_text(value: Any, indent: int | None, ascii_only: bool) -> str:
    try:
        text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, allow_nan=False)
    except ValueError:
        value = finite_json(value)
        text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def finite_json(value: Any) -> Any:
    """The value with NaN and infinities, which JSON does not have, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    return value


def safe_join(folder: Path | str, name: str) -> Path:
    """The file that `name`, read from an annotation file, means inside `folder`; never outside it.

    Backslashes count as separators, as Windows programs write them.

    Raises:
        ConverterError: the name is absolute, leaves the folder (also through a symbolic link), is
            empty or holds characters no file name has.
    """
    cleaned = name.replace("\\", "/")
    if not cleaned.strip() or "\0" in cleaned or len(cleaned) > 4096:
        raise ConverterError("the file name is empty or not a name at all.", path=folder)
    if cleaned.startswith("/") or _DRIVE.match(cleaned):
        raise ConverterError(f"the absolute path {shown(name)} is not followed.", path=folder)
    base = Path(os.path.realpath(folder))
    try:
        target = Path(os.path.realpath(base / PurePosixPath(cleaned)))
    except (OSError, ValueError) as error:
        raise ConverterError(f"{shown(name)} is not a usable file name.", path=folder) from error
    if not target.is_relative_to(base):
        raise ConverterError(f"{shown(name)} leads out of the folder and is not followed.", path=folder)
    return Path(folder) / PurePosixPath(cleaned)


def shown(text: Any, limit: int = 80) -> str:
    """Foreign text as it may appear in a message: quoted, escaped and short."""
    quoted = ascii(text) if not isinstance(text, str) or not text.isprintable() else repr(text)
    return quoted if len(quoted) <= limit else quoted[: limit - 1] + "…"


def natural_sort_key(name: Path | str) -> NaturalKey:
    """Sort key that puts `img2` before `img10` and ignores case."""
    parts = _DIGITS.split(str(name).casefold())
    key = [(1, int(part), part) if index % 2 else (0, 0, part) for index, part in enumerate(parts)]
    return tuple(key)


def _mode_for(target: Path) -> int:
    """Permissions of the file being replaced, or those a new file would get."""
    try:
        return target.stat().st_mode & 0o7777
    except OSError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable where the system lets a folder be flushed (not on Windows)."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def set_aside(file: Path, reason: str = "kept") -> Path:
    """Renames a file to `<name>.<reason>`, or `<name>.<reason>-2` and so on if that exists.

    Raises:
        OSError: it cannot be renamed.
    """
    kept = file.with_name(fitting_name(file.name, f".{reason}"))
    number = 2
    while os.path.lexists(kept):
        kept = file.with_name(fitting_name(file.name, f".{reason}-{number}"))
        number += 1
    return file.rename(kept)
