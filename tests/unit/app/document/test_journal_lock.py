"""One window writes a journal, also while it is written anew: several processes try at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app.document.journal import journal_file
from app.document.journal_lock import JournalLock
from app.document.old_journals import prune_journals
from app.document.recovery import open_document
from tests.unit.app.pictures import instance, picture, square

ROOT = Path(__file__).resolve().parents[4]
ROUNDS = 12

WINDOW = """
import sys
from pathlib import Path
from app.document.recovery import open_document
from tests.unit.app.pictures import instance, picture

name, folder = sys.argv[1], Path(sys.argv[2])
for line in sys.stdin:
    photo = Path(line.strip())
    document = open_document(photo, picture(instance("a")), folder)
    problem = document.journal_problem
    if not problem:
        document.add(instance(name))
    print(problem or "mine", flush=True)
    sys.stdin.readline()
    document.close()
    print("closed", flush=True)
"""


def long_journal(photo: Path, folder: Path) -> bytes:
    """A journal that is written anew when it is opened."""
    document = open_document(photo, picture(instance("a")), folder)
    for number in range(205):
        document.replace(instance("a", square(number % 40, 3, 9)), merge_key="drag")
    document.close()
    return journal_file(photo, folder).read_bytes()


def test_of_two_processes_that_open_a_long_journal_at_once_one_writes_it(tmp_path, folder):
    photos = [tmp_path / str(number) / "photo.png" for number in range(ROUNDS)]
    content = long_journal(photos[0], folder)
    for photo in photos:
        photo.parent.mkdir()
        photo.write_bytes(b"x")
        journal_file(photo, folder).write_bytes(content)
    windows = [
        subprocess.Popen(
            [sys.executable, "-c", WINDOW, name, str(folder)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("one", "other")
    ]  # fmt: skip

    def tell(line: str) -> list[str]:
        for window in windows:
            window.stdin.write(f"{line}\n")
            window.stdin.flush()
        return [window.stdout.readline().strip() for window in windows]

    for photo in photos:
        answers = tell(str(photo))
        assert sorted(answers) == ["mine", "this picture is open in another window"]
        assert tell("close") == ["closed", "closed"]
        winner = "one" if answers[0] == "mine" else "other"
        document = open_document(photo, picture(instance("a")), folder)
        assert [i.id for i in document.annotation.instances] == ["a", winner]
        document.close()
        assert len(journal_file(photo, folder).read_bytes()) < len(content) / 10
    for window in windows:
        window.communicate()
    assert not list(folder.glob("*.lock"))


def test_a_lock_whose_name_was_taken_away_is_not_had(tmp_path, monkeypatch):
    journal = tmp_path / "x.journal"
    real, taken = os.open, []

    def opened_too_early(file, *rest):
        descriptor = real(file, *rest)
        if not taken:  # the last owner lets go between opening and locking
            taken.append(os.unlink(file))
        return descriptor

    monkeypatch.setattr(os, "open", opened_too_early)
    lock = JournalLock.of(journal)
    assert journal.with_suffix(".lock").exists()
    lock.release()
    lock.release()
    assert not list(tmp_path.iterdir())


def test_locks_of_killed_windows_are_swept(tmp_path, folder):
    folder.mkdir()
    (folder / "left-0123.lock").touch()
    held = JournalLock.of(folder / "held-0123.journal")
    prune_journals(folder)
    assert [file.name for file in folder.iterdir()] == ["held-0123.lock"]
    held.release()
