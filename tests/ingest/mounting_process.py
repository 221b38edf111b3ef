"""Mounts and unmounts below a folder that is watched; says what was told. For a process that has mounts of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from ingest.inotify import WatchedFolder


def _told(folder: WatchedFolder, wanted: str) -> None:
    told = set[str]()
    while wanted not in told:
        some = folder.changes(10.0)
        if not some:
            raise SystemExit(f"'{wanted}' was not told of")
        told |= some


def main() -> None:
    """Given a folder with the folders "inner" and "beside" in it."""
    root = Path(sys.argv[1])
    mount, unmount = ["mount", "-t", "tmpfs", "none"], ["umount"]
    with closing(WatchedFolder(root)) as folder:
        for _ in range(2):
            subprocess.run([*mount, root / "inner"], check=True)
            _told(folder, "")
            (root / "inner" / "x.txt").write_text("x")
            _told(folder, "inner/x.txt")
            subprocess.run([*unmount, root / "inner"], check=True)
            _told(folder, "")
        (root / "inner" / "x.txt").write_text("x")
        _told(folder, "inner/x.txt")
        subprocess.run([*mount, root / "inner"], check=True)
        _told(folder, "")
        again = "umount inner && mount -t tmpfs none inner"  # the kernel gives it the number of the one before
        subprocess.run(["sh", "-c", again], check=True, cwd=root)
        _told(folder, "")
        (root / "inner" / "x.txt").write_text("x")
        _told(folder, "inner/x.txt")
        (root.parent / "odd\x0bname").mkdir()
        subprocess.run([*mount, root.parent / "odd\x0bname"], check=True)
        _told(folder, "")
        subprocess.run([*mount, root], check=True)
        _told(folder, "")
        (root / "x.txt").write_text("x")
        _told(folder, "x.txt")


if __name__ == "__main__":
    main()
