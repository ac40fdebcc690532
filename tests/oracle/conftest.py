"""Random tests here write files: how long one takes depends on the disk, not on the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("files", deadline=None)
settings.load_profile("files")
