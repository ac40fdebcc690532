"""The installed `seedhue` command starts as `python main.py` does."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

START = """
import atexit, importlib, os, sys
atexit.register(lambda: print(os.environ.get("QT_API")))
sys.argv = ["seedhue", "--version"]
sys.exit(getattr(importlib.import_module("{module}"), "{function}")())
"""


def test_the_console_script_guards_the_environment():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, function = scripts["seedhue"].split(":")
    environment = {name: value for name, value in os.environ.items() if name != "QT_API"}
    done = subprocess.run(
        [sys.executable, "-c", START.format(module=module, function=function)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0].startswith("SeedHue ")
    assert done.stdout.splitlines()[-1] == "pyside6"
