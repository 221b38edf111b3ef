"""POSIX rights: owner, group, mode and access control list of a file, and the way to it.

Who may read a file must be let read it and pass each folder from the root of the source on. The folders above the root
are not looked at: they are those of this machine, not of the share.

Rules this module keeps (acl(5), "Access check algorithm"):

1. A user who is named, or owns the file, has that entry's right and no other. So as soon as one such entry denies,
   members of a group that is let through may be denied, and the group is not listed.
2. A member of a group that is named has what one of their groups has, never what others have. So others are listed only
   where nobody at all is denied.
3. The mask bounds every entry but those of the owner and of others.
4. Modes that the machine itself makes up (CIFS, FAT and their kind), and foreign lists (NFSv4), are an error.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.folders import folders_above, open_folder
from ingest.mounts import mounts
from ingest.share.readers import Readers, unreadable

OTHERS = "others"
"""The principal that is everybody who can reach the share."""

_READ, _PASS = 4, 1
_ACL, _FOREIGN_ACL = "system.posix_acl_access", "system.nfs4_acl"
_NONE = frozenset({errno.ENODATA, errno.ENOTSUP})
_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_MADE_UP = frozenset({"cifs", "smb3", "smbfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "9p", "vboxsf"})


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or a group of the share, by number."""

    is_user: bool
    number: int


@dataclass(frozen=True, slots=True)
class Gate:
    """Who gets through one file or folder: everybody, or those listed."""

    everybody: bool
    listed: frozenset[Principal]

    def lets(self, who: Principal) -> bool:
        """Whether it lets all of these through."""
        return self.everybody or who in self.listed

    def and_then(self, other: Gate) -> Gate:
        """Both, one behind the other."""
        listed = frozenset(who for who in self.listed | other.listed if self.lets(who) and other.lets(who))
        return Gate(self.everybody and other.everybody, listed)


@dataclass(slots=True)
class PosixRights:
    """The rights of the files below `root`; looks at each folder, and up each name, once."""

    root: Path
    _ways: dict[str, Gate] = field(default_factory=dict)
    _names: dict[Principal, str] = field(default_factory=dict)
    _kinds: dict[int, str] = field(default_factory=dict)

    def of(self, path: str) -> Readers:
        """Who may read a file. Raises DocumentRejected."""
        try:
            own, way = self._gate(path, _READ), self._way(folders_above(path))
        except OSError as error:
            raise unreadable(path, f"cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise unreadable(path, str(error)) from error
        through = own.and_then(way)
        readers = {self._name(who) for who in through.listed}
        return Readers(frozenset(readers | {OTHERS} if through.everybody else readers))

    def _way(self, folders: Sequence[str]) -> Gate:
        """Who may pass all of these folders, each of which is in the next."""
        way = Gate(True, frozenset())
        for folder in reversed(folders):
            if folder not in self._ways:
                self._ways[folder] = self._gate(folder, _PASS).and_then(way)
            way = self._ways[folder]
        return way

    def _gate(self, path: str, right: int) -> Gate:
        """Whom a file or folder gives a right. Raises OSError, and ValueError for rights that cannot be believed."""
        place, _, its = path.rpartition("/")
        with open_folder(self.root, place) as folder:
            name = f"/proc/self/fd/{folder}/{its}"  # reached through what was opened, never by a link
            status = os.stat(its, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                raise ValueError("are those of a link")
            kind = self._kind(status.st_dev)
            if kind in _MADE_UP:
                raise ValueError(f"are made up by this machine ({kind}): have them read as NTFS rights")
            if _attribute(name, _FOREIGN_ACL) is not None:
                raise ValueError("are NFSv4 rights, which are not understood: give access by rules or access files")
            return gate(status, _attribute(name, _ACL), right)

    def _kind(self, device: int) -> str:
        """The kind of a file system; empty where the machine does not tell."""
        if device not in self._kinds:
            self._kinds = {device: "", **self._kinds, **{mount.device: mount.kind for mount in mounts()}}
        return self._kinds[device]

    def _name(self, who: Principal) -> str:
        if who not in self._names:
            self._names[who] = _name(who)
        return self._names[who]


def gate(status: os.stat_result, acl: bytes | None, right: int) -> Gate:
    """Whom owner, mode and access control list give a right. Raises ValueError for a list that is not understood."""
    entries = _by_mode(status.st_mode) if acl is None else _parsed(acl)
    mask = next((has for tag, has, _ in entries if tag == _MASK), 7)
    users: dict[int, bool] = {}
    groups: dict[int, bool] = {}
    others = False
    for tag, has, number in entries:
        granted, bounded = bool(has & right), bool(has & mask & right)
        if tag == _USER_OBJ:
            users[status.st_uid] = granted
        elif tag == _USER and number != status.st_uid:  # the owner has the owner's entry, and no other
            users[number] = bounded
        elif tag in (_GROUP_OBJ, _GROUP):
            its = status.st_gid if tag == _GROUP_OBJ else number
            groups[its] = bounded or groups.get(its, False)
        elif tag == _OTHER:
            others = granted
    no_user_denied = all(users.values())
    listed = {Principal(True, number) for number, may in users.items() if may}
    listed |= {Principal(False, number) for number, may in groups.items() if may and no_user_denied}
    return Gate(others and no_user_denied and all(groups.values()), frozenset(listed))


def _by_mode(mode: int) -> list[tuple[int, int, int]]:
    return [(_USER_OBJ, mode >> 6 & 7, 0), (_GROUP_OBJ, mode >> 3 & 7, 0), (_OTHER, mode & 7, 0)]


def _parsed(acl: bytes) -> list[tuple[int, int, int]]:
    """The entries (tag, rights, number) of an access control list as the kernel gives it (linux/posix_acl_xattr.h)."""
    if len(acl) < 4 or (len(acl) - 4) % 8 or struct.unpack_from("<I", acl)[0] != _VERSION:
        raise ValueError("are a list that is not understood")
    entries = list(struct.iter_unpack("<HHI", acl[4:]))
    tags = [tag for tag, _, _ in entries]
    known = set(tags) <= {_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER}
    if not known or any(tags.count(tag) != 1 for tag in (_USER_OBJ, _GROUP_OBJ, _OTHER)) or tags.count(_MASK) > 1:
        raise ValueError("are a list that is not understood")
    if _MASK not in tags and {_USER, _GROUP} & set(tags):
        raise ValueError("are a list that is not understood")
    return entries


def _attribute(name: str, attribute: str) -> bytes | None:
    """An extended attribute; None where there is none, or the file system knows of none. Raises OSError."""
    try:
        return os.getxattr(name, attribute, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise


def _name(who: Principal) -> str:
    """A user or group by name where this machine knows it, else by number."""
    kind = "user" if who.is_user else "group"
    try:
        known = pwd.getpwuid(who.number).pw_name if who.is_user else grp.getgrgid(who.number).gr_name
    except KeyError:
        known = str(who.number)
    return f"{kind}:{known}"
