"""A database as the migrations leave it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from appliance.database import Database


def migrated(path: Path) -> Database:
    """A new, empty database at `path`. All that are made in this process have one installation id."""
    path.write_bytes(_empty())
    return Database(path)


@functools.cache
def _empty() -> bytes:
    """Made once: the migrations take longer than most tests that need a database."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "strongroom.db")
        database.migrate()
        database.clear_side_files()
        database.close()
        return database.path.read_bytes()
