"""Which folders of the machine may become a source.

Who adds a source lets others read what is in it, so an administrator in a browser could read the machine through it.

Rules this module keeps:

1. What the appliance keeps for itself is no source: its data folder, its settings, the files with its secrets.
2. Nor are the file systems that the kernel makes up, such as /proc: they show the memory and the environment of
   processes. They are told by what is mounted, wherever it is, and so is a folder that holds one.
3. With `ingest.roots`, a source lies in one of those folders.
4. No folder is in two sources: the same file would carry two labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from appliance.config import Settings, configured_file
from appliance.errors import Conflict, InvalidRequest
from appliance.wiring import Appliance
from ingest.mounts import mounts

_MADE_UP = frozenset(
    {"binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl"}
    | {"hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs"}
)
"""File systems (filesystems(5)) that hold no files of anybody."""

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_OF_THE_SYSTEM = tuple(Path(name) for name in ("/proc", "/sys", "/dev", "/run"))


def require_folder(appliance: Appliance, given: str) -> Path:
    """The folder at a path that somebody gave, if it may become a source. Raises InvalidRequest, Conflict."""
    path = Path(given)
    if not path.is_absolute() or "\0" in given or not path.is_dir():
        raise InvalidRequest(
            f"'{given}' is not a folder that is there on the machine of the appliance. Give the full path of one."
        )
    path = path.resolve()
    _refuse_own(appliance, path)
    _refuse_made_up(path)
    _refuse_outside(appliance.settings, path)
    _refuse_overlap(appliance, path)
    return path


def _refuse_own(appliance: Appliance, path: Path) -> None:
    """What readers asked, the text of every document, and secrets must not become a document for others."""
    own = appliance.folder.path.resolve()
    if _overlap(path, own):
        raise InvalidRequest(
            f"'{path}' is, holds, or lies in the data folder of the appliance ({own}). Choose another folder."
        )
    signer = appliance.settings.log.signer_folder
    if signer and _overlap(path, Path(signer).resolve()):
        raise InvalidRequest(f"'{path}' is, holds, or lies in the folder of the signer. Choose another folder.")
    if any(path in file.parents for file in _secret_files(appliance.settings)):
        raise InvalidRequest(
            f"'{path}' holds the settings of the appliance or a file with a secret of theirs. Choose another folder."
        )


def _secret_files(settings: Settings) -> Iterator[Path]:
    """The settings, the files with secrets that they name, and the record for a SIEM: where they are, and lead to."""
    named = (settings.log.postgresql_password_file, settings.ldap.bind_password_file, settings.monitoring.ocsf_file)
    for file in (configured_file(), *(Path(name) for name in named if name)):
        if file is not None:
            yield file.absolute()
            yield file.resolve()


def _refuse_made_up(path: Path) -> None:
    made_up = [mount.point for mount in mounts() if mount.kind in _MADE_UP]
    if any(_overlap(path, point) for point in made_up) or _is_of_the_system(path):
        raise InvalidRequest(
            f"'{path}' is, holds, or lies in a file system of the machine itself, such as /proc. Choose a folder with "
            "documents."
        )


def _is_of_the_system(path: Path) -> bool:
    """Whether this lies in /proc, /sys, /dev or /run, but not on a disk that is mounted there, as in /run/media."""
    for system in _OF_THE_SYSTEM:
        if path == system or system in path.parents:
            inside = [mount for mount in mounts() if system in mount.point.parents]
            disks = [mount.point for mount in inside if mount.kind not in _IN_MEMORY]
            return not any(point == path or point in path.parents for point in disks)
    return False


def _refuse_outside(settings: Settings, path: Path) -> None:
    roots = [root.resolve() for root in settings.ingest.roots]
    if roots and not any(path == root or root in path.parents for root in roots):
        raise InvalidRequest(
            f"'{path}' lies in none of the folders that sources may be in ({', '.join(map(str, roots))}). Choose one "
            "in them, or have 'ingest.roots' changed in the settings."
        )


def _refuse_overlap(appliance: Appliance, path: Path) -> None:
    for other in appliance.catalog.sources():
        if _overlap(path, Path(other.path)):
            way_out = "It is being removed: wait for that." if other.removing else "Choose another one."
            raise Conflict(f"This folder overlaps with the source '{other.name}' ({other.path}). {way_out}")


def _overlap(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents
