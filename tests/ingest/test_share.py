"""Rights on a share: whoever is listed may read the file there, whatever else they are in."""

from __future__ import annotations

import itertools
import os
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import Share, ShareKind, Source
from appliance.errors import DocumentRejected
from appliance.labels import label
from ingest.access import AccessLabels
from ingest.share.ntfs import EXPORT, parsed_descriptor, parsed_text, readers_of
from ingest.share.posix import PosixRights, Principal, gate

ME, OWNER, MINE, OTHER = 70_001, 70_002, 80_001, 80_002
READ = 4
_TAGS = {"u::": 1, "u": 2, "g::": 4, "g": 8, "m": 16, "o": 32}


def _acl(*entries: tuple[str, int, int]) -> bytes:
    body = b"".join(struct.pack("<HHI", _TAGS[tag], has, number) for tag, has, number in entries)
    return struct.pack("<I", 2) + body


def _status(uid: int, gid: int, mode: int = 0) -> Any:
    return SimpleNamespace(st_uid=uid, st_gid=gid, st_mode=mode)


def _kernel_lets(user: int, its: set[int], status: Any, entries: list[tuple[str, int, int]]) -> bool:
    """The access check of acl(5), for one user."""
    mask = next((has for tag, has, _ in entries if tag == "m"), 7)
    if user == status.st_uid:
        return bool(next(has for tag, has, _ in entries if tag == "u::") & READ)
    for tag, has, number in entries:
        if tag == "u" and number == user:
            return bool(has & mask & READ)
    matching = [
        has & mask
        for tag, has, number in entries
        if (tag == "g::" and status.st_gid in its) or (tag == "g" and number in its)
    ]
    if matching:
        return any(has & READ for has in matching)
    return bool(next(has for tag, has, _ in entries if tag == "o") & READ)


RIGHT = st.sampled_from([0, READ])
NAMED = st.lists(
    st.tuples(st.sampled_from([("u", ME), ("u", OWNER), ("g", MINE), ("g", OTHER)]), RIGHT), unique_by=lambda it: it[0]
)


@given(RIGHT, RIGHT, RIGHT, RIGHT, NAMED, st.sampled_from([ME, OWNER]), st.sampled_from([MINE, OTHER]))
def test_whoever_is_listed_is_let_in_by_the_kernel_whatever_else_they_are_in(
    owner: int, group: int, others: int, mask: int, named: list[tuple[tuple[str, int], int]], uid: int, gid: int
) -> None:
    entries = [("u::", owner, 0), ("g::", group, 0), ("m", mask, 0), ("o", others, 0)]
    entries += [(tag, has, number) for (tag, number), has in named]
    found = gate(_status(uid, gid), _acl(*entries), READ)
    for user, its in itertools.product((ME, OWNER, 70_003), (set(), {MINE}, {OTHER}, {MINE, OTHER})):
        listed = (
            found.everybody
            or Principal(True, user) in found.listed
            or any(Principal(False, g) in found.listed for g in its)
        )
        assert not listed or _kernel_lets(user, its, _status(uid, gid), entries)


@pytest.mark.parametrize(
    ("mode", "everybody", "listed"),
    [
        (0o644, True, {Principal(True, OWNER), Principal(False, MINE)}),
        (0o640, False, {Principal(True, OWNER), Principal(False, MINE)}),
        (0o600, False, {Principal(True, OWNER)}),
        (0o604, False, {Principal(True, OWNER)}),  # members of the group are denied, and may be anybody
        (0o044, False, set()),  # the owner is denied, and may be in any group
        (0o000, False, set()),
    ],
)
def test_modes_list_those_who_may_read_for_certain(mode: int, everybody: bool, listed: set[Principal]) -> None:
    found = gate(_status(OWNER, MINE, mode), None, READ)
    assert (found.everybody, found.listed) == (everybody, listed)


@pytest.mark.parametrize(
    "acl",
    [
        b"",
        b"\x01\x00\x00\x00",
        _acl(("u::", 7, 0), ("g::", 7, 0)),
        _acl(("u::", 7, 0), ("g::", 7, 0), ("o", 0, 0), ("g", 7, MINE)),  # without a mask
        _acl(("u::", 7, 0), ("u::", 0, 0), ("g::", 7, 0), ("o", 0, 0)),
        _acl(("u::", 7, 0), ("g::", 7, 0), ("o", 0, 0))[:-3],
        _acl(("u::", 7, 0), ("g::", 7, 0), ("o", 0, 0)) + struct.pack("<HHI", 64, 7, 0),
    ],
)
def test_a_list_that_is_not_understood_is_an_error(acl: bytes) -> None:
    with pytest.raises(ValueError, match="not understood"):
        gate(_status(OWNER, MINE), acl, READ)


def _shared(root: Path, kind: ShareKind, **groups: str) -> AccessLabels:
    given = tuple((principal.replace("_", ":", 1), group) for principal, group in groups.items())
    return AccessLabels(Source("s", "Share", str(root), frozenset({"default"}), share=Share(kind, given)))


def _file(root: Path, path: str, mode: int, *, gid: int = MINE) -> None:
    made = root / path
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("x")
    os.chown(made, OWNER, gid)
    made.chmod(mode)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@needs_root
def test_the_groups_of_a_share_become_groups_here_and_what_has_none_counts_for_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    _file(tmp_path, "open.txt", 0o644)
    _file(tmp_path, "team.txt", 0o640)
    _file(tmp_path, "own.txt", 0o600)
    _file(tmp_path, "others.txt", 0o640, gid=OTHER)
    labels = _shared(tmp_path, ShareKind.POSIX, group_80001="team", others="staff")
    assert labels.label("open.txt") == {"team", "staff"}
    assert labels.label("team.txt") == {"team"}
    assert labels.label("own.txt") == frozenset()
    assert labels.label("others.txt") == frozenset()
    assert labels.finding("own.txt").remark == "On the share, nobody who has a group here may read it."
    assert labels.finding("team.txt").grounds[0].by == "the share, where group:80001 may read it"
    with_owners = _shared(tmp_path, ShareKind.POSIX, user_70002="anna")
    assert all(with_owners.label(f"{name}.txt") == {"anna"} for name in ("open", "team", "own", "others"))


def test_a_posix_principal_is_the_one_that_is_written_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "open.txt").write_text("text")
    (tmp_path / "open.txt").chmod(0o644)
    assert _shared(tmp_path, ShareKind.POSIX, others="staff").label("open.txt") == {"staff"}
    assert _shared(tmp_path, ShareKind.POSIX, OTHERS="staff").label("open.txt") == frozenset()


@needs_root
def test_a_file_is_for_those_who_can_reach_it_through_its_folders(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    _file(tmp_path, "closed/a.txt", 0o644)
    _file(tmp_path, "closed/deep/b.txt", 0o640, gid=OTHER)
    os.chown(tmp_path / "closed", 0, MINE)
    (tmp_path / "closed").chmod(0o750)
    labels = _shared(tmp_path, ShareKind.POSIX, group_80001="team", group_80002="other", others="staff")
    assert labels.label("closed/a.txt") == {"team"}
    assert labels.label("closed/deep/b.txt") == frozenset()  # those in both could; one group alone cannot say that
    (tmp_path / "closed").chmod(0o640)  # to be listed, not to be passed
    assert _shared(tmp_path, ShareKind.POSIX, group_80001="team").label("closed/a.txt") == frozenset()


@needs_root
def test_access_control_lists_of_the_file_system_are_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    _file(tmp_path, "a.txt", 0o600)
    acl = _acl(("u::", 6, 0), ("g::", 0, 0), ("g", 4, OTHER), ("m", 4, 0), ("o", 0, 0))
    try:
        os.setxattr(tmp_path / "a.txt", "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system keeps no access control lists")
    labels = _shared(tmp_path, ShareKind.POSIX, group_80002="named", group_80001="owning")
    assert labels.label("a.txt") == {"named"}


def test_rights_that_cannot_be_read_refuse_the_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentRejected, match=r"The rights of .gone\.txt. on its share cannot be read"):
        PosixRights(tmp_path).of("gone.txt")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DocumentRejected, match=r"The rights of .a\.txt. on its share cannot be read"):
        _shared(tmp_path, ShareKind.NTFS).label("a.txt")  # no such attribute on this file system
    (tmp_path / "link").symlink_to("a.txt")
    with pytest.raises(DocumentRejected, match="are those of a link"):
        PosixRights(tmp_path).of("link")


def test_modes_that_this_machine_makes_up_are_not_believed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    rights = PosixRights(tmp_path, _kinds={tmp_path.stat().st_dev: "cifs"})
    with pytest.raises(DocumentRejected, match=r"made up by this machine \(cifs\)"):
        rights.of("a.txt")


HR, LAW = "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-1106"


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        (f"D:AI(A;ID;FA;;;SY)(A;ID;0x1200a9;;;{HR})", {"S-1-5-18", HR}),
        (f"O:BAG:DUD:PAI(A;OICI;FR;;;{HR})S:AI(AU;SA;FA;;;WD)", {HR}),
        (f"D:(A;OICIIO;FA;;;CO)(A;;FX;;;{LAW})(A;;FR;;;{HR})", {HR}),  # passed on only; may run it, not read it
        ("D:(A;;GR;;;WD)(A;;CCLC;;;AU)(A;;LC;;;BU)", {"S-1-1-0", "S-1-5-11"}),
        (f"D:(D;;FR;;;{LAW})(A;;FA;;;{HR})", set()),
        (f"D:(A;;FA;;;{HR})(D;ID;FA;;;{LAW})", set()),  # a denial counts wherever it stands
        (f"D:(D;;FW;;;{LAW})(A;;FR;;;{HR})", {HR}),  # writing is denied
        (f"D:(D;OIIO;FA;;;{LAW})(A;;FR;;;{HR})", {HR}),
        (f"D:(OA;;FR;;;{HR})", set()),
        ("D:", set()),
    ],
)
def test_lists_in_words_give_those_who_may_read(text: str, readers: set[str]) -> None:
    assert readers_of(parsed_text(text)).readers == readers


@pytest.mark.parametrize(
    "text",
    ["", "D", "D:(A;;FA;;;WD", "D:(Q;;FA;;;WD)", "D:(A;;QQ;;;WD)", "D:(A;;F;;;WD)", "D:(A;;FA)", "D:NO_ACCESS_CONTROL",
     'D:(XA;;FR;;;WD;(@User.Title=="PM"))', "two lists for one path", "O:BAG:DU"],
)  # fmt: skip
def test_lists_in_words_that_are_not_understood_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        parsed_text(text)


def _sid(text: str) -> bytes:
    _, _, authority, *parts = text.split("-")
    return (
        bytes([1, len(parts)]) + int(authority).to_bytes(6, "big") + b"".join(struct.pack("<I", int(p)) for p in parts)
    )


def _descriptor(*entries: tuple[int, int, int, str], control: int = 0x8004) -> bytes:
    body = b""
    for kind, flags, rights, whom in entries:
        sid = _sid(whom)
        body += struct.pack("<BBHI", kind, flags, 8 + len(sid), rights) + sid
    listed = struct.pack("<BBHHH", 2, 0, 8 + len(body), len(entries), 0) + body
    return struct.pack("<BBHIIII", 1, 0, control, 0, 0, 0, 20) + listed


def test_lists_in_bytes_say_the_same_as_lists_in_words() -> None:
    found = parsed_descriptor(
        _descriptor((0, 0, 0x1200A9, HR), (0, 0x10, 0x1F01FF, "S-1-5-18"), (0, 0x0B, 0x1F01FF, LAW))
    )
    assert readers_of(found).readers == {HR, "S-1-5-18"}
    denied = parsed_descriptor(_descriptor((1, 0, 1, LAW), (0, 0, 0x1F01FF, HR)))
    assert (readers_of(denied).readers, LAW in readers_of(denied).remark) == (frozenset(), True)


@pytest.mark.parametrize("control", [0x8000, 0])
def test_no_list_at_all_opens_nothing(control: int) -> None:
    with pytest.raises(ValueError, match="no list"):
        parsed_descriptor(_descriptor((0, 0, 1, HR), control=control))


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_a_list_or_an_error(data: bytes) -> None:
    for given_bytes in (data, _descriptor((0, 0, 1, HR))[: len(data)] + data):
        try:
            parsed_descriptor(given_bytes)
        except ValueError:
            continue


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16", "utf-8"])
def test_an_export_of_icacls_labels_the_files_it_lists(tmp_path: Path, encoding: str) -> None:
    lines = f"HR\\Gehälter.docx\r\nD:AI(A;ID;FR;;;{HR})\r\nopen.txt\r\nD:(A;;FR;;;WD)\r\ntwice.txt\r\nD:(A;;FR;;;WD)\r\nTWICE.TXT\r\nD:(A;;FR;;;WD)\r\n"
    (tmp_path / EXPORT).write_bytes(lines.encode(encoding))
    labels = _shared(tmp_path, ShareKind.ICACLS, **{HR: "hr", "s-1-1-0": "staff"})
    assert labels.label("hr/Geha\u0308lter.docx") == {"hr"}
    assert labels.label("open.txt") == {"staff"}
    assert labels.label("new.txt") == frozenset()
    assert "export the rights again" in labels.finding("new.txt").remark
    with pytest.raises(DocumentRejected, match="not understood"):
        labels.label("twice.txt")


def test_a_name_that_windows_keeps_apart_from_a_listed_one_has_none_of_its_rights(tmp_path: Path) -> None:
    (tmp_path / EXPORT).write_text(f"Straße.txt\nD:(A;;FR;;;{HR})\nkelvin.txt\nD:(A;;FR;;;{HR})\n")
    labels = _shared(tmp_path, ShareKind.ICACLS, **{HR: "hr"})
    assert labels.label("STRAße.txt") == {"hr"} and labels.label("KELVIN.txt") == {"hr"}
    for other in ("Strasse.txt", "STRASSE.TXT", "\u212aelvin.txt"):
        assert "export the rights again" in labels.finding(other).remark


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", " ", "\u3000"])
def test_a_name_cannot_pose_as_another_line_or_another_name(tmp_path: Path, sign: str) -> None:
    lines = ["hr\\salaries.md", f"D:(A;;FR;;;{LAW})", f"team\\x{sign}hr\\pay.md", f"D:(A;;FR;;;{HR})"]
    lines += [f"{sign}open.md", f"D:(A;;FR;;;{HR})"]
    (tmp_path / EXPORT).write_text("\r\n".join(lines) + "\r\n", "utf-8", newline="")
    labels = _shared(tmp_path, ShareKind.ICACLS, **{HR: "hr", LAW: "law"})
    assert labels.label("hr/salaries.md") == label({"law"})
    assert labels.label(f"team/x{sign}hr/pay.md") == label({"hr"})
    for unlisted in ("hr/pay.md", "open.md"):
        assert labels.label(unlisted) == frozenset()


def test_an_export_that_is_written_anew_counts_at_once(tmp_path: Path) -> None:
    (tmp_path / EXPORT).write_text(f"a.txt\nD:(A;;FR;;;{HR})\n")
    assert _shared(tmp_path, ShareKind.ICACLS, **{HR: "hr"}).label("a.txt") == label({"hr"})
    (tmp_path / EXPORT).write_text(f"a.txt\nD:(A;;FR;;;{LAW})\n")
    assert _shared(tmp_path, ShareKind.ICACLS, **{HR: "hr"}).label("a.txt") == frozenset()


@pytest.mark.parametrize("content", [b"a.txt\n", b"\xff\xfe\x00", b"\xff\xff"])
def test_a_missing_or_broken_export_refuses_everything(tmp_path: Path, content: bytes) -> None:
    labels = _shared(tmp_path, ShareKind.ICACLS, **{HR: "hr"})
    with pytest.raises(DocumentRejected, match="cannot be read"):
        labels.label("a.txt")
    (tmp_path / EXPORT).write_bytes(content)
    with pytest.raises(DocumentRejected, match="nobody may see it"):
        labels.label("a.txt")
