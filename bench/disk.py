"""How much disk a part of the data folder takes."""

from __future__ import annotations

from pathlib import Path


def on_disk(path: Path) -> int:
    """What a file (with those beside it) or a folder takes, in bytes: the index maps files larger than what is in them."""
    files = [path, *path.parent.glob(f"{path.name}-*")] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_blocks * 512 for file in files if file.is_file())
