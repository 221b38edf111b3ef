"""Checks an export of a query log, and is its witness. One file, Python's standard library, nothing else.

    python verifier.py EXPORT [--key FILE] [--witness-key FILE ...] [--checkpoint FILE ...]
    python verifier.py FOLDER [--key FILE] [--package-key FILE] [--witness-key FILE ...] [--checkpoint FILE ...]
    python verifier.py REQUEST --key FILE --witness FOLDER [--name NAME] > COSIGNED

The first checks. Give it the public keys of the signer and of the witnesses, and the checkpoints that were carried out
of the house before, as they were carried: what an export says of itself, whoever made it could have made up. It names
the first entry that is wrong.

The second is for whoever keeps watch over a log on another machine: it adds a cosignature to the checkpoint in a
request of the appliance (the form of C2SP tlog-witness) if that is proved to contain the one it cosigned last. FOLDER
is where it keeps its key and that one; keep one folder for each log.

Rules this file keeps:

1. Heads and contents are hashed as the text that stands in the export, never written anew. A complete export has every
   entry, and the tree (RFC 9162, 2.1) is built over them again; a partial one has a proof for each.
2. Every checkpoint, in the export or carried, must be what the log was at that size. Every signature must hold
   (C2SP signed-note, Ed25519). A signed checkpoint that was carried must also stand in the export.
3. Wall time does not go back by more than a second unless an entry says so.
4. What cannot be judged is told apart from what is wrong: status 2, not 1. That is also an export of which nothing was
   signed with the key given, and one that lacks content of other entries than the erasures on record name.
5. A witness cosigns (C2SP tlog-cosignature v1, Ed25519) nothing but what is proved to have grown from what it cosigned
   last, and what it cosigns is on its disk before anybody gets it. So it never vouches for two logs.
6. A folder is an evidence package, unpacked: its files are those of its signed manifest, no more and no fewer, and the
   proofs of its entries lead to its signed checkpoint.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import functools
import hashlib
import json
import os
import re
import sys
import time as clock
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT = "strongroom-log-export/2"
_CLOCK_TOLERANCE_S = 1.0
_TIME = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6})Z\Z")
_EMPTY_ROOT = hashlib.sha256(b"").digest()
_SHOWN_RANGES = 50
_OF_SIGNER, _OF_WITNESS = b"\x01", b"\x04"  # the kinds of Ed25519 keys in signed notes


class Wrong(Exception):
    """The export is not what was written. `seq` is the first bad entry, None when no single one is."""

    def __init__(self, message: str, seq: int | None = None) -> None:
        self.seq = seq
        super().__init__(message)


class NotJudged(Exception):
    """What was given does not say whether the export is right. `report` is what it says all the same, if anything."""

    def __init__(self, message: str, report: Report | None = None) -> None:
        self.report = report
        super().__init__(message)


@dataclass(frozen=True)
class Checkpoint:
    """How many entries a log had, and the root over them."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Cosigned:
    """What a witness vouches for: that by that time (POSIX) it had seen the log grow to that many entries."""

    name: str
    size: int
    time: int


@dataclass
class Report:
    """An export that holds together. Of entries `without_content` it proves that they are in the log, nothing more.

    One of `proofs_only` has no content at all, and gives no reason: it was not asked for. `cosigned` is the last that
    each witness vouches for, `signed` how many entries the last signature covers, `doubts` is why it cannot be judged.
    """

    checkpoint: Checkpoint
    complete: bool
    signatures: int
    signed: int = 0
    cosigned: list[Cosigned] = field(default_factory=list)
    entries: int = 0
    without_content: int = 0
    proofs_only: bool = False
    remarks: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def verify(lines: Iterable[str], carried: Sequence[str] = (), key: str = "", witnesses: Sequence[str] = ()) -> Report:
    """Check an export by itself, against checkpoints that were carried out before, and with keys that were.

    Raises:
        Wrong: Something was changed, is missing or is too much.
        NotJudged: Nothing in it was signed with the key that was given; what entries held is missing, and no erasure
            explains that; or a part of a log was to be compared with a checkpoint of another size.
    """
    rest = iter(lines)
    first = _object(next(rest, ""), None)
    if first.get("format") != FORMAT or not isinstance(first.get("complete"), bool):
        raise Wrong(f"This is not a log export of the form {FORMAT}.")
    own, notes = _parsed(first.get("checkpoint")), _notes(first)
    trusted = (
        _key(key or str(first.get("key") or "")) if key or notes or any("\n\n" in text for text in carried) else None
    )
    opened = {text: _opened(text, trusted) for text in dict.fromkeys((*notes, *carried))}  # many are in both
    expected = [own, *opened.values()]
    report = Report(own, first["complete"], sum("\n\n" in text for text in (*notes, *carried)))
    signed = [found for text, found in opened.items() if "\n\n" in text]
    _same_log(expected)
    _check_witnesses(first, list(opened), witnesses, report)
    kept = {_text(text) for text in notes}
    if report.complete and any("\n\n" in text and _text(text) not in kept for text in carried):
        raise Wrong("A signed checkpoint that was carried out is missing from the export: checkpoints were removed.")
    if report.signatures and not key:
        report.remarks.append(
            "The signatures were checked with the key in the export itself. Give the one carried out (--key)."
        )
    if report.complete:
        _verify_complete(rest, own, expected, report)
    else:
        _compare_notes(own, [opened[text] for text in notes])
        _verify_partial(rest, own, [opened[text] for text in carried], report)
    _judge_signatures(signed, report, key_is_given=bool(key))
    if report.doubts:
        raise NotJudged(" ".join(report.doubts), report)
    return report


# the two forms


def _verify_complete(lines: Iterable[str], own: Checkpoint, expected: list[Checkpoint], report: Report) -> None:
    tree, roots, history, held = Frontier(), _by_size(expected), _History(report), _Held()
    _compare(tree, roots)
    for text in lines:
        entry = _object(text, tree.size)
        facts = _facts(entry, tree.size)
        history.add(tree.size, facts)
        held.add(tree.size, entry, facts)
        tree.append(_leaf_hash(entry["head"]))
        _compare(tree, roots)
        _count(entry, report)
    if max(roots) > tree.size:
        raise Wrong(f"The export ends after {tree.size} entries; a checkpoint tells of {max(roots)}.", tree.size)
    if tree.size != own.size:
        raise Wrong(f"The export has entries that its checkpoint of {own.size} does not cover.", own.size)
    report.proofs_only = report.without_content == report.entries > 0 and not held.says_why
    if not report.proofs_only:
        held.judge(report)


def _compare_notes(own: Checkpoint, signed: list[Checkpoint]) -> None:
    """The checkpoint that the proofs lead to is what was signed, if one of its size was."""
    if any(checkpoint != own for checkpoint in signed if checkpoint.size == own.size):
        raise _another_log(own.size)


def _judge_signatures(signed: list[Checkpoint], report: Report, *, key_is_given: bool) -> None:
    """Whether what was signed says anything of these entries. A part is proved by its own checkpoint and no other."""
    size, covering = report.checkpoint.size, max((checkpoint.size for checkpoint in signed), default=0)
    if not report.complete and report.checkpoint not in signed:
        told = f"No signature is over the checkpoint of {size} entries that the proofs lead to."
        covering = 0
    else:
        told = "Nothing in the export is signed."
    report.signed = covering
    if not covering and key_is_given:
        report.doubts.append(
            f"{told} It agrees with itself, but whoever made it could have made it up: the key that was given signed "
            "none of it. If the log is younger than its first signature, or the signer is away, have it signed (Query "
            "log > Print a checkpoint) and take another export. Otherwise signatures were removed, or there was no log."
        )
    elif not covering:
        report.remarks.append(
            f"{told} Whoever made it could have made it up, but for what was compared with a checkpoint."
        )
    elif covering < size:
        report.remarks.append(
            f"The last signature covers {covering} of {size} entries. Those after it rest on the word of whoever made "
            "the export, unless a checkpoint that was carried out covers them."
        )


def _verify_partial(lines: Iterable[str], own: Checkpoint, carried: list[Checkpoint], report: Report) -> None:
    for checkpoint in carried:
        if checkpoint.size != own.size:
            raise NotJudged(
                f"The export is of a log of {own.size} entries and the checkpoint of {checkpoint.size}; a part of a "
                "log is only comparable at the same size. Use a complete export."
            )
        if checkpoint != own:
            raise _another_log(checkpoint.size)
    last, lacking = -1, _Numbers()
    for text in lines:
        entry = _object(text, None)
        seq = entry.get("seq")
        if not isinstance(seq, int) or seq <= last:
            raise Wrong("The entries of the export are not in order.", last + 1)
        _facts(entry, seq)
        if not _is_included(seq, own.size, _leaf_hash(entry["head"]), _proof(entry, seq), own.root):
            raise Wrong(f"Entry {seq} of the export is not in the log it claims to be from.", seq)
        _count(entry, report)
        if entry["content"] is None:
            lacking.add(seq)
        last = seq
    if lacking:
        report.remarks.append(
            f"Without what they held: {lacking}. Whether an erasure explains it, a complete export shows."
        )


def _compare(tree: Frontier, roots: dict[int, set[bytes]]) -> None:
    if tree.size in roots and roots[tree.size] != {tree.root()}:
        raise _another_log(tree.size)


def _by_size(checkpoints: list[Checkpoint]) -> dict[int, set[bytes]]:
    roots: dict[int, set[bytes]] = {}
    for checkpoint in checkpoints:
        roots.setdefault(checkpoint.size, set()).add(checkpoint.root)
    return roots


def _same_log(checkpoints: list[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        if checkpoint.origin != checkpoints[0].origin:
            raise Wrong(f"A checkpoint is of the log '{checkpoint.origin}', the export of '{checkpoints[0].origin}'.")


def _another_log(size: int) -> Wrong:
    return Wrong(
        f"The export is not of the log whose checkpoint has {size} entries: it was altered, or it is of another log."
    )


# entries


class _History:
    """What entries say about each other: time, and whether the appliance went down without a word."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last: datetime | None = None
        self._is_open = False

    def add(self, seq: int, facts: dict[str, Any]) -> None:
        """Look at the next entry."""
        kind = facts.get("type")
        try:
            time = datetime.fromisoformat(_TIME.findall(str(facts.get("time")))[0])
        except (IndexError, ValueError) as error:
            raise Wrong(f"Entry {seq} of the export has no time.", seq) from error
        back_s = (self._last - time).total_seconds() if self._last else 0
        if back_s > _CLOCK_TOLERANCE_S and kind != "clock.stepped":
            raise Wrong(f"Time goes back before entry {seq}, and no entry says so.", seq)
        if kind == "log.opened" and self._is_open:
            self._report.remarks.append(f"Before entry {seq} the appliance went down without saying so.")
        self._is_open = kind == "log.opened" or (self._is_open and kind != "log.closed")
        self._last = time


class _Numbers:
    """Numbers of entries, as ranges, and the hash over them that the log keeps of those it erased."""

    def __init__(self) -> None:
        self._ranges: list[list[int]] = []
        self._hash = hashlib.sha256()

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __str__(self) -> str:
        shown = [str(first) if first == last else f"{first}-{last}" for first, last in self._ranges[:_SHOWN_RANGES]]
        more = len(self._ranges) - len(shown)
        count = sum(last - first + 1 for first, last in self._ranges)
        return ", ".join(shown) + (f" and {more} more ranges, {count} entries in all" if more else "")

    def add(self, seq: int) -> None:
        """Take in the next number."""
        self._hash.update(b"%d\n" % seq)
        if self._ranges and self._ranges[-1][1] == seq - 1:
            self._ranges[-1][1] = seq
        else:
            self._ranges.append([seq, seq])

    def digest(self) -> str:
        """The hash over the numbers so far."""
        return self._hash.hexdigest()


class _Held:
    """Which entries of a complete export come without what they hold, and whether an erasure on record explains it.

    Only the log itself can say that: the last entry about an erasure names, by a hash in its head, all entries that
    hold nothing. What a line says of why it has no content is the word of whoever made the export.
    """

    def __init__(self) -> None:
        self._lacking, self._erased, self._keyless, self._untold = (_Numbers() for _ in range(4))
        self._on_record, self._told_by = _Numbers().digest(), 0

    def add(self, seq: int, entry: dict[str, Any], facts: dict[str, Any]) -> None:
        """Look at the next entry."""
        if facts.get("type") == "content.erased":
            self._on_record, self._told_by = str(facts.get("erased_sha256")), seq
        if entry["content"] is None:
            self._lacking.add(seq)
            told = {"erased": self._erased, "key": self._keyless}
            told.get(str(entry.get("without")), self._untold).add(seq)

    @property
    def says_why(self) -> bool:
        """Whether a line says why it has no content: then content was asked for."""
        return bool(self._erased or self._keyless)

    def judge(self, report: Report) -> None:
        """Say what is missing, and whether it may be."""
        erased = self._lacking if self._lacking.digest() == self._on_record else self._erased
        if erased.digest() != self._on_record:
            self._doubt(report, self._erased, _SAID_TO_BE_ERASED)
        elif erased:
            report.remarks.append(f"Erased, as entry {self._told_by} says, and so without what they held: {erased}.")
        if erased is not self._lacking:  # otherwise all are explained, also in exports of before lines said why
            self._doubt(report, self._keyless, _SAID_TO_LACK_KEYS)
            self._doubt(report, self._untold, _LEFT_OUT)
        if not self._lacking and self._on_record != self._lacking.digest():
            report.doubts.append(f"Entry {self._told_by} says that what entries held was erased; here all of it is.")

    def _doubt(self, report: Report, numbers: _Numbers, told: str) -> None:
        if numbers:
            says = f"entry {self._told_by} names others, or not all of them" if self._told_by else "there is none"
            report.doubts.append(
                f"Without what they held, and no erasure on record explains it ({says}): {numbers}. {told}"
            )


_LEFT_OUT = (
    "It was left out of the export, or its key is not there. That these entries were written is proved; what they say "
    "is not shown. Ask whoever made the export for it."
)
_SAID_TO_LACK_KEYS = (
    "Whoever made the export says that the keys to these are not there, which the log cannot prove. Ask how they were "
    "lost, and for their backup."
)
_SAID_TO_BE_ERASED = (
    "Whoever made the export says that these were erased. If that was while the export was being written, it is on "
    "record behind its end: take another export. Otherwise they were left out, or emptied by somebody."
)


def _facts(entry: dict[str, Any], seq: int) -> dict[str, Any]:
    """What a head says, once head and content agree with each other and with `seq`."""
    head, content = entry.get("head"), entry.get("content", 0)
    if entry.get("seq") != seq or not isinstance(head, str) or not (content is None or isinstance(content, str)):
        raise Wrong(f"Entry {seq} is missing from the export, or is not whole.", seq)
    facts = _object(head, seq)
    hashed = facts.get("payload_sha256" if facts.get("v") == 1 else "content_sha256")
    if facts.get("seq") != seq or (content is not None and hashlib.sha256(_bytes(content, seq)).hexdigest() != hashed):
        raise Wrong(f"Entry {seq} of the export was altered.", seq)
    return facts


def _count(entry: dict[str, Any], report: Report) -> None:
    report.entries += 1
    report.without_content += entry["content"] is None


def _proof(entry: dict[str, Any], seq: int) -> list[bytes]:
    try:
        return [base64.b64decode(part, validate=True) for part in entry["proof"]]
    except (KeyError, TypeError, ValueError) as error:
        raise Wrong(f"Entry {seq} of the export has no proof.", seq) from error


def _object(text: str, seq: int | None) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(text, seq).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Wrong("A line of the export cannot be read.", seq) from error
    if not isinstance(value, dict):
        raise Wrong("A line of the export is no entry.", seq)
    return value


def _bytes(text: str, seq: int | None) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Wrong("A line of the export cannot be read.", seq) from error


# the tree


def _leaf_hash(head: str) -> bytes:
    return hashlib.sha256(b"\x00" + head.encode("utf-8")).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that only grows: the perfect subtrees that have no parent yet, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Take in one leaf hash."""
        size, self.size = self.size, self.size + 1
        while size % 2:
            leaf, size = _node_hash(self._subtrees.pop(), leaf), size // 2
        self._subtrees.append(leaf)

    def root(self) -> bytes:
        """The root of the leaves so far."""
        if not self._subtrees:
            return _EMPTY_ROOT
        root = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            root = _node_hash(left, root)
        return root


def _is_included(index: int, size: int, leaf: bytes, proof: list[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2."""
    if not 0 <= index < size or any(len(part) != 32 for part in proof):
        return False
    position, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position % 2 or position == last:
            found = _node_hash(sibling, found)
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:
            found = _node_hash(found, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


# checkpoints and signatures


def _check_witnesses(first: dict[str, Any], notes: Sequence[str], given: Sequence[str], report: Report) -> None:
    for text in given or _texts(first.get("witnesses", [])):
        key = _key(text, _OF_WITNESS)
        found = [(_parsed(_text(note)).size, time) for note in notes for time in _cosigned(note, key)]
        if found:
            report.cosigned.append(Cosigned(key[0], *max(found)))
        elif given:
            raise Wrong(f"No checkpoint is cosigned by the witness '{key[0]}': what it cosigned was removed.")


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []


def _notes(first: dict[str, Any]) -> list[str]:
    notes = first.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(text, str) and "\n\n" in text for text in notes):
        raise Wrong("The signed checkpoints in the export are not whole.")
    return notes


def _parsed(text: object) -> Checkpoint:
    found = re.fullmatch("([!-*,-~]{1,255})\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", str(text))
    root = base64.b64decode(found[3]) if found else b""
    if not found or base64.b64encode(root).decode() != found[3] or (found[2] == "0" and root != _EMPTY_ROOT):
        raise Wrong("A checkpoint is not three lines: the name of the log, the number of entries, the root.")
    return Checkpoint(found[1], int(found[2]), root)


def _text(note: str) -> str:
    return note.rpartition("\n\n")[0] + "\n"


def _opened(note: str, key: tuple[str, bytes] | None) -> Checkpoint:
    """The checkpoint in a note that `key` signed, or in a text without signatures."""
    return _parsed(note if "\n\n" not in note or key is None else _signed_text(note, key))


def _signed_text(note: str, key: tuple[str, bytes]) -> str:
    """The text of a note that `key` signed."""
    ours = _signatures(note, key, _OF_SIGNER)
    if not ours or not all(_is_signed(key[1], _text(note).encode(), signature) for signature in ours):
        raise Wrong(f"The key of '{key[0]}' did not sign what is said to be signed: it is forged.")
    return _text(note)


def _cosigned(note: str, key: tuple[str, bytes]) -> list[int]:
    """When that witness cosigned this note (POSIX time)."""
    times = []
    for stamped in _signatures(note, key, _OF_WITNESS) if "\n\n" in note else ():
        time = int.from_bytes(stamped[:8], "big")
        if not _is_signed(key[1], _to_cosign(note, time), stamped[8:]):
            raise Wrong(
                f"The witness '{key[0]}' did not cosign a checkpoint that is said to be cosigned: it is forged."
            )
        times.append(time)
    return times


def _to_cosign(note: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{_text(note)}".encode()


def _signatures(note: str, key: tuple[str, bytes], kind: bytes) -> list[bytes]:
    """The signatures under a note that say they are of that key. A line that is none makes the whole note none."""
    lines = note.rpartition("\n\n")[2].split("\n")
    end, found = lines.pop(), [re.fullmatch("— ([^ +]+) ([A-Za-z0-9+/]+={0,2})", line) for line in lines]
    named = [(line[1], _decoded(line[2])) for line in found if line]
    if end or not 0 < len(named) <= 16 or len(named) < len(lines) or not all(data for _, data in named):
        raise Wrong("A signed text is not a text, an empty line and its signatures.")
    return [data[4:] for name, data in named if (name, data[:4]) == (key[0], _key_id(key, kind))]


def _key_id(key: tuple[str, bytes], kind: bytes) -> bytes:
    return hashlib.sha256(key[0].encode() + b"\n" + kind + key[1]).digest()[:4]


def _key(text: str, kind: bytes = _OF_SIGNER) -> tuple[str, bytes]:
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    data = _decoded(encoded)
    if not name or len(data) != 33 or data[:1] != kind or _key_id((name, data[1:]), kind).hex() != key_id:
        whose = "signer" if kind == _OF_SIGNER else "witness"
        raise Wrong(f"There is no public key of a {whose} to check signatures with, or it is not whole.")
    return name, data[1:]


def _key_text(key: tuple[str, bytes], kind: bytes) -> str:
    return f"{key[0]}+{_key_id(key, kind).hex()}+{base64.b64encode(kind + key[1]).decode()}"


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if base64.b64encode(data).decode("ascii") == text else b""  # one text for each value


# the witness


def cosign(request: str, folder: Path, key: str, *, name: str = "strongroom/witness", now: int) -> str:
    """The checkpoint in a request with a cosignature below.

    Args:
        request: "old" and a size, the proof of consistency from there, an empty line, the signed checkpoint.
        folder: Where the witness keeps its key and what it cosigned last; made at the first time.
        key: The public key of the signer, as it was carried out.
        name: What the witness is called, from the first time on.
        now: POSIX time.

    Raises:
        Wrong: The checkpoint is not of a log that only grew since; it is not cosigned.
        NotJudged: The request begins at another size than the one that was cosigned last.
    """
    old, proof, note = _request(request)
    trusted = _key(key)
    wanted = _opened(note, trusted)
    state = folder / "last-cosigned.txt"
    if not state.exists() and (folder / "witness-secret.key").exists():
        raise NotJudged(
            f"What was cosigned last, {state}, is gone: a shorter log could pass for the one it was. Restore it, or "
            "begin with an empty folder, under another name, and have its new key trusted."
        )
    known = _opened(state.read_bytes().decode("utf-8"), trusted) if state.exists() else None
    _check_growth(known, wanted, old, proof)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    own, secret = _own_key(folder, name)
    stamped = now.to_bytes(8, "big") + _sign(secret, _to_cosign(note, now))
    line = f"— {own[0]} {base64.b64encode(_key_id(own, _OF_WITNESS) + stamped).decode()}\n"
    cosigned = note + line
    _put(state, cosigned.encode())
    return cosigned


def _request(text: str) -> tuple[int, list[bytes], str]:
    asked, _, note = text.partition("\n\n")
    lines = asked.split("\n")
    size = re.fullmatch("old (0|[1-9][0-9]{0,18})", lines[0])
    proof = [_decoded(line) for line in lines[1:]]
    if not size or len(proof) > 63 or any(len(part) != 32 for part in proof) or "\n\n" not in note:
        raise Wrong("This is not a request of the appliance: a size, a proof and a signed checkpoint.")
    return int(size[1]), proof, note


def _check_growth(known: Checkpoint | None, wanted: Checkpoint, old: int, proof: list[bytes]) -> None:
    known_size = known.size if known else 0
    if known and wanted.origin != known.origin:
        raise Wrong(f"This is a checkpoint of the log '{wanted.origin}'; this witness watches '{known.origin}'.")
    if known and wanted.size == known.size and wanted.root != known.root:
        raise Wrong(
            f"SPLIT VIEW: two different logs of {known.size} entries were signed with one key. Keep this request and "
            "what is in the folder of the witness: together they prove it."
        )
    if wanted.size < known_size:
        raise Wrong(
            f"The checkpoint tells of {wanted.size} entries and {known_size} were cosigned before: the request is an "
            "old one, or the log was cut."
        )
    if wanted.size == 0:
        raise NotJudged("The log has no entry yet.")
    if old != known_size:
        raise NotJudged(
            f"The request begins at {old} entries, and {known_size} were cosigned last. Ask for one that begins there: "
            f"--since {known_size}. If more were cosigned once, the folder of the witness is not the one it was."
        )
    if known and not _is_consistent(known.size, wanted.size, proof, known.root, wanted.root):
        raise Wrong(
            f"The log of {wanted.size} entries is not shown to contain the {known.size} that were cosigned: it was "
            "rewritten, or it is another one. Keep this request and what is in the folder of the witness."
        )


def _is_consistent(old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes) -> bool:
    """RFC 9162, 2.1.4.2."""
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else proof
    if not proof or not 0 < old < new:
        return False
    position, last = old - 1, new - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position % 2 or position == last:
            before, after = _node_hash(sibling, before), _node_hash(sibling, after)
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:
            after = _node_hash(after, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and (before, after) == (old_root, new_root)


def _own_key(folder: Path, name: str) -> tuple[tuple[str, bytes], bytes]:
    """The key of the witness, public and secret; made at the first time."""
    public, secret = folder / "witness-key.txt", folder / "witness-secret.key"
    if not secret.exists():
        if public.exists() or (folder / "last-cosigned.txt").exists():
            raise NotJudged(f"The key {secret} of the witness is gone. Restore it, or begin with an empty folder.")
        if not re.fullmatch("[!-*,-~]{1,100}", name):
            raise NotJudged("The name of a witness is 1 to 100 characters without spaces and plus signs.")
        _put(secret, os.urandom(32))
    data = secret.read_bytes()
    if not public.exists():
        _put(public, f"{_key_text((name, _public(data)), _OF_WITNESS)}\n".encode())
    return _key(public.read_text("utf-8"), _OF_WITNESS), data


def _put(path: Path, data: bytes) -> None:
    """Whole or not at all, and on disk."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


# Ed25519 (RFC 8032, 5.1). Signing takes time that depends on the key: it is for a person at a machine of their own.

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]  # extended homogeneous coordinates
_NEUTRAL: _Point = (0, 1, 1, 0)


def _is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    return _equal(_times(s, _BASE), _add(r, _times(h, a)))


@functools.lru_cache(maxsize=8)
def _point(data: bytes) -> _Point | None:
    """RFC 8032, 5.1.3."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        return None
    x = _P - x if x % 2 != sign else x
    return (x, y, 1, x * y % _P)


def _add(p: _Point, q: _Point) -> _Point:
    """RFC 8032, 5.1.4."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(scalar: int, point: _Point) -> _Point:
    result = _NEUTRAL
    for multiples in _table(point):
        result, scalar = _add(result, multiples[scalar & 15]), scalar >> 4
    return result


@functools.lru_cache(maxsize=8)
def _table(point: _Point) -> list[list[_Point]]:
    """0 to 15 times 16^n times the point, n from 0 to 63: a log has thousands of signatures and few points."""
    table = []
    for _ in range(64):
        multiples = [_NEUTRAL]
        for _ in range(16):
            multiples.append(_add(multiples[-1], point))
        point = multiples.pop()
        table.append(multiples)
    return table


def _equal(p: _Point, q: _Point) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % _P == 0 and (p[1] * q[2] - q[1] * p[2]) % _P == 0


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")) or _NEUTRAL


def _sign(secret: bytes, message: bytes) -> bytes:
    """RFC 8032, 5.1.6."""
    scalar, prefix = _expanded(secret)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % _ORDER
    first = _encoded(_times(r, _BASE))
    h = int.from_bytes(hashlib.sha512(first + _public(secret) + message).digest(), "little") % _ORDER
    return first + ((r + h * scalar) % _ORDER).to_bytes(32, "little")


def _public(secret: bytes) -> bytes:
    return _encoded(_times(_expanded(secret)[0], _BASE))


def _expanded(secret: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(secret).digest()
    return int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254, digest[32:]


def _encoded(p: _Point) -> bytes:
    x, y = (value * pow(p[2], -1, _P) % _P for value in p[:2])
    return (y | (x & 1) << 255).to_bytes(32, "little")


# evidence packages

PACKAGE = "# strongroom/evidence-package/1"
"""The first line of a manifest. The others are lines of `sha256sum`, which reads the file too."""

MANIFEST, ENTRIES, CHECKPOINT, PACKAGE_KEY = "manifest.txt", "entries.jsonl", "checkpoint.txt", "package-key.txt"


def verify_files(folder: Path, key: str = "") -> str:
    """Check the files of an unpacked package against its manifest. Gives back a remark, empty if there is none.

    Raises:
        Wrong: A file was changed, is missing or is too much, or the manifest is not signed.
        OSError, UnicodeDecodeError: A file cannot be read.
    """
    manifest, own_key = ((folder / name).read_bytes().decode("utf-8", "replace") for name in (MANIFEST, PACKAGE_KEY))
    text = _signed_text(manifest, _key(key or own_key))
    first, *lines = text.removesuffix("\n").split("\n")
    named = {line[66:]: line[:64] for line in lines if re.fullmatch("[0-9a-f]{64}  [a-z.-]+", line)}
    if first != PACKAGE or len(named) != len(lines):
        raise Wrong(f"{MANIFEST} is not the manifest of an evidence package.")
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    if there != set(named):
        raise Wrong(f"Missing in the package, or too much: {', '.join(sorted(there ^ set(named)))}.")
    for name, digest in named.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise Wrong(f"{name} is not the file that was put in the package.")
    return "" if key else "The manifest was checked with the key in the package itself. Give the one carried out."


def _verify_package(folder: Path, carried: list[str], key: str, witnesses: list[str], package_key: str) -> Report:
    remark = verify_files(folder, package_key)
    own = (folder / CHECKPOINT).read_bytes().decode("utf-8")
    if "\n\n" not in own:
        raise Wrong(f"{CHECKPOINT} is not signed: whoever made the package could have made up its entries.")
    with (folder / ENTRIES).open(encoding="utf-8", newline="\n") as lines:
        report = verify(lines, [own, *carried], key, witnesses)
    if report.checkpoint != _parsed(_text(own)):
        raise Wrong(f"The entries are not those of {CHECKPOINT}: what is signed covers only some of them.")
    report.remarks += [remark] if remark else []
    return report


def main() -> int:
    """Check, or cosign, what the arguments name. 0: it is right. 1: it is wrong. 2: it could not be judged."""
    parser = argparse.ArgumentParser(description="Check an export of a query log, or cosign a checkpoint of it.")
    parser.add_argument("file", metavar="EXPORT|FOLDER|REQUEST", type=Path)
    parser.add_argument("--key", type=Path, help="the signer's public key, as it was carried out")
    parser.add_argument("--package-key", type=Path, help="the public key of evidence packages, as it was carried out")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        help="a checkpoint that was carried out, or many in a file",
    )
    parser.add_argument("--witness-key", type=Path, action="append", default=[], help="the public key of a witness")
    parser.add_argument(
        "--witness", metavar="FOLDER", type=Path, help="cosign a request, as the witness of this folder"
    )
    parser.add_argument("--name", default="strongroom/witness", help="what a new witness is called")
    given, carried = parser.parse_args(), list[str]()
    told = sys.stderr if given.witness else sys.stdout
    try:
        for path in given.checkpoint:
            found, passed_over = as_carried(path.read_bytes().decode("utf-8"))
            carried += found
            if passed_over:
                print(f"{path}: {PASSED_OVER}", file=told)
        return _cosign(given) if given.witness else _check(given, carried)
    except Wrong as error:
        where = "" if error.seq is None else f"First bad entry: {error.seq}. "
        what = "The request is NOT cosigned." if given.witness else "The export does NOT verify."
        print(f"{what} {where}{error}", file=told)
        return 1
    except (NotJudged, OSError, UnicodeDecodeError) as error:
        print(f"Not judged: {error}", file=told)
        _tell(getattr(error, "report", None), len(carried))
        return 2


def _check(given: argparse.Namespace, carried: list[str]) -> int:
    witnesses = [path.read_text("utf-8") for path in given.witness_key]
    key, package_key = (path.read_text("utf-8") if path else "" for path in (given.key, given.package_key))
    if given.file.is_dir():
        report = _verify_package(given.file, carried, key, witnesses, package_key)
    else:
        with given.file.open(encoding="utf-8", newline="\n") as lines:
            report = verify(lines, carried, key, witnesses)
    print("The export verifies.", end=" ")
    _tell(report, len(carried))
    return 0


def _tell(report: Report | None, carried: int) -> None:
    if report is None:
        return
    print(f"{report.checkpoint.size} entries in the log, root {report.checkpoint.root.hex()}")
    print(f"In the export: {report.entries} entries, {held_in(report)}.")
    print(f"Signatures that hold: {report.signatures}. Checkpoints carried out before: {carried}.")
    for found in report.cosigned:
        print(f"The witness '{found.name}' had seen {found.size} entries by {as_moment(found.time)}.")
    for remark in report.remarks:
        print(remark)


def _cosign(given: argparse.Namespace) -> int:
    if not given.key:
        raise NotJudged("A witness needs the public key of the signer: --key FILE.")
    request, now = given.file.read_bytes().decode("utf-8"), int(clock.time())
    cosigned = cosign(request, given.witness, given.key.read_text("utf-8"), name=given.name, now=now)
    sys.stdout.buffer.write(cosigned.encode())
    print(f"Cosigned at {as_moment(now)}. The public key is in {given.witness / 'witness-key.txt'}.", file=sys.stderr)
    return 0


PASSED_OVER = "What follows the last form feed was passed over. A crash leaves half a checkpoint there."


def as_carried(text: str) -> tuple[list[str], bool]:
    """The checkpoints in a file, as they were before they were typed or scanned: editors end lines in their own way.

    There may be many, each with a form feed behind it, as the appliance keeps those of a log. What follows the last
    form feed is passed over, as the appliance does, and given back is whether there was something.
    """
    *whole, rest = text.replace("\r\n", "\n").split("\f")
    return [f"{part.strip()}\n" for part in whole or [rest]], bool(whole and rest.strip())


def held_in(report: Report) -> str:
    """How many entries of an export come with what they hold, in words."""
    if report.proofs_only:
        return "none of them with what it holds: it proves the log, and shows nothing of it"
    return f"{report.without_content} of them without what they hold"


def as_moment(time: int) -> str:
    """A POSIX time for people."""
    return clock.strftime("%Y-%m-%d %H:%M UTC", clock.gmtime(min(time, 2**35)))


if __name__ == "__main__":
    sys.exit(main())
