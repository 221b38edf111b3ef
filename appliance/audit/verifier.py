"""Checks an export of a query log. One file, Python's standard library, nothing else: it runs anywhere.

    python verifier.py EXPORT [--key FILE] [--checkpoint FILE ...]

Give it the public key of the signer and the checkpoints that were carried out of the house before, as they were
carried: what an export says of itself, whoever made it could have made up. It names the first entry that is wrong.

Rules this file keeps:

1. Heads and contents are hashed as the text that stands in the export, never written anew. A complete export has every
   entry, and the tree (RFC 9162, 2.1) is built over them again; a partial one has a proof for each.
2. Every checkpoint, in the export or carried, must be what the log was at that size. Every signature must hold
   (C2SP signed-note, Ed25519). A signed checkpoint that was carried must also stand in the export.
3. Wall time does not go back by more than a second unless an entry says so.
4. What cannot be judged is told apart from what is wrong: status 2, not 1.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT = "strongroom-log-export/2"
_CLOCK_TOLERANCE_S = 1.0
_TIME = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6})Z\Z")
_EMPTY_ROOT = hashlib.sha256(b"").digest()


class Wrong(Exception):
    """The export is not what was written. `seq` is the first bad entry, None when no single one is."""

    def __init__(self, message: str, seq: int | None = None) -> None:
        self.seq = seq
        super().__init__(message)


class NotJudged(Exception):
    """What was given does not say whether the export is right."""


@dataclass(frozen=True)
class Checkpoint:
    """How many entries a log had, and the root over them."""

    origin: str
    size: int
    root: bytes


@dataclass
class Report:
    """An export that holds together. Of entries `without_content` it proves that they are in the log, nothing more."""

    checkpoint: Checkpoint
    complete: bool
    signatures: int
    entries: int = 0
    without_content: int = 0
    remarks: list[str] = field(default_factory=list)


def verify(lines: Iterable[str], carried: Sequence[str] = (), key: str = "") -> Report:
    """Check an export by itself, against checkpoints that were carried out before, and with a key that was.

    Raises:
        Wrong: Something was changed, is missing or is too much.
        NotJudged: A part of a log cannot be compared with a checkpoint of another size.
    """
    rest = iter(lines)
    first = _object(next(rest, ""), None)
    if first.get("format") != FORMAT or not isinstance(first.get("complete"), bool):
        raise Wrong(f"This is not a log export of the form {FORMAT}.")
    own, notes = _parsed(first.get("checkpoint")), _notes(first)
    trusted = (
        _key(key or str(first.get("key") or "")) if key or notes or any("\n\n" in text for text in carried) else None
    )
    expected = [own] + [_opened(text, trusted) for text in (*notes, *carried)]
    report = Report(own, first["complete"], sum("\n\n" in text for text in (*notes, *carried)))
    _same_log(expected)
    lost = [text for text in carried if "\n\n" in text and _text(text) not in {_text(found) for found in notes}]
    if lost and report.complete:
        raise Wrong("A signed checkpoint that was carried out is missing from the export: checkpoints were removed.")
    if notes and not key:
        report.remarks.append(
            "The signatures were checked with the key in the export itself. Give the one carried out."
        )
    if report.complete:
        _verify_complete(rest, own, expected, report)
    else:
        _verify_partial(rest, own, expected[len(notes) + 1 :], report)
    return report


# the two forms


def _verify_complete(lines: Iterable[str], own: Checkpoint, expected: list[Checkpoint], report: Report) -> None:
    tree, roots, history = Frontier(), _by_size(expected), _History(report)
    _compare(tree, roots)
    for text in lines:
        entry = _object(text, tree.size)
        facts = _facts(entry, tree.size)
        history.add(tree.size, facts)
        tree.append(_leaf_hash(entry["head"]))
        _compare(tree, roots)
        _count(entry, report)
    if max(roots) > tree.size:
        raise Wrong(f"The export ends after {tree.size} entries; a checkpoint tells of {max(roots)}.", tree.size)
    if tree.size != own.size:
        raise Wrong(f"The export has entries that its checkpoint of {own.size} does not cover.", own.size)


def _verify_partial(lines: Iterable[str], own: Checkpoint, carried: list[Checkpoint], report: Report) -> None:
    for checkpoint in carried:
        if checkpoint.size != own.size:
            raise NotJudged(
                f"The export is of a log of {own.size} entries and the checkpoint of {checkpoint.size}; a part of a "
                "log is only comparable at the same size. Use a complete export."
            )
        if checkpoint != own:
            raise _another_log(checkpoint.size)
    last = -1
    for text in lines:
        entry = _object(text, None)
        seq = entry.get("seq")
        if not isinstance(seq, int) or seq <= last:
            raise Wrong("The entries of the export are not in order.", last + 1)
        _facts(entry, seq)
        if not _is_included(seq, own.size, _leaf_hash(entry["head"]), _proof(entry, seq), own.root):
            raise Wrong(f"Entry {seq} of the export is not in the log it claims to be from.", seq)
        _count(entry, report)
        last = seq


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
    if "\n\n" not in note or key is None:
        return _parsed(note)
    name, public = key
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    lines = note.rpartition("\n\n")[2].split("\n")
    if (
        lines.pop()
        or not 0 < len(lines) <= 16
        or any(not re.fullmatch("— [^ +]+ [A-Za-z0-9+/]+={0,2}", x) for x in lines)
    ):
        raise Wrong("A signed checkpoint is not a text, an empty line and its signatures.")
    signatures = [_decoded(line.split(" ")[2]) for line in lines if line.split(" ")[1] == name]
    ours = [signature[4:] for signature in signatures if signature[:4] == key_id]
    if not ours or not all(_is_signed(public, _text(note).encode(), signature) for signature in ours):
        raise Wrong(f"The key of '{name}' did not sign a checkpoint that is said to be signed: it is forged.")
    return _parsed(_text(note))


def _key(text: str) -> tuple[str, bytes]:
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    data = _decoded(encoded)
    if (
        not name
        or len(data) != 33
        or data[0] != 1
        or hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8] != key_id
    ):
        raise Wrong("There is no public key of a signer to check signatures with, or it is not whole.")
    return name, data[1:]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


# Ed25519 (RFC 8032, 5.1): verification only, so nothing here is secret

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


def main() -> int:
    """Check what the arguments name. 0: it is right. 1: it is wrong. 2: it could not be judged."""
    parser = argparse.ArgumentParser(description="Check an export of a query log.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", type=Path, help="the signer's public key, as it was carried out")
    parser.add_argument(
        "--checkpoint", type=Path, action="append", default=[], help="a checkpoint that was carried out"
    )
    given = parser.parse_args()
    try:
        carried = [path.read_bytes().decode("utf-8") for path in given.checkpoint]
        with given.export.open(encoding="utf-8", newline="\n") as lines:
            report = verify(lines, carried, given.key.read_text("utf-8") if given.key else "")
    except Wrong as error:
        where = "" if error.seq is None else f"First bad entry: {error.seq}. "
        print(f"The export does NOT verify. {where}{error}")
        return 1
    except (NotJudged, OSError, UnicodeDecodeError) as error:
        print(f"Not judged: {error}")
        return 2
    print(f"The export verifies. {report.checkpoint.size} entries in the log, root {report.checkpoint.root.hex()}")
    print(f"In the export: {report.entries} entries, {report.without_content} of them without what they hold.")
    print(f"Signatures that hold: {report.signatures}. Checkpoints carried out before: {len(carried)}.")
    for remark in report.remarks:
        print(remark)
    return 0


if __name__ == "__main__":
    sys.exit(main())
