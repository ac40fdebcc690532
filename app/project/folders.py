"""Where the application keeps what is not the user's project: settings, journals, models.

The environment variable `SEEDHUE_HOME` puts all of it into one folder (portable use, tests).
Nothing here creates a folder; whoever writes does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

HOME_VARIABLE: Final = "SEEDHUE_HOME"
_NAME: Final = "seedhue"


def config_dir() -> Path:
    """The settings' folder."""
    return _own("config") or Path(platformdirs.user_config_dir(_NAME, appauthor=False))


def state_dir() -> Path:
    """What survives a restart and is of no use to other machines."""
    return _own("state") or Path(platformdirs.user_state_dir(_NAME, appauthor=False))


def data_dir() -> Path:
    """Models the user trained or imported."""
    return _own("data") or Path(platformdirs.user_data_dir(_NAME, appauthor=False))


def journal_dir() -> Path:
    """The recovery journals' folder."""
    return state_dir() / "journals"


def settings_file() -> Path:
    """The settings' file."""
    return config_dir() / "settings.json"


def _own(part: str) -> Path | None:
    home = os.environ.get(HOME_VARIABLE, "")
    return Path(home) / part if home else None
