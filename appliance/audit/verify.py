"""Checks a log from its first byte to its last.

Rules this module keeps:

1. It trusts nothing the database could enforce: no trigger, no key, no order. It builds the whole tree again from the
   heads and compares every stored node, and hashes every payload again.
2. It opens the log read-only and holds one row of each table at a time, whatever the size of the log.
3. An entry may hold nothing if its content was erased, and the last entry about an erasure must name exactly those that
   do: nobody can empty another one.
4. It names the first bad entry. What it cannot know is what was cut from the end, or rewritten as a whole: a checkpoint
   that was kept elsewhere shows that, up to its size.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.audit import canonical, erasing, records, tree
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.entries import ClockStepped, ContentErased
from appliance.audit.sqlite import PATIENCE_S
from appliance.audit.store import Connection, Store, store_of
from appliance.errors import AuditBroken

_KEEP = "Keep it as it is, and restore the latest backup that verifies."


@dataclass(frozen=True, slots=True)
class Verified:
    """A log without fault: how many entries it has, and the root over them."""

    size: int
    root: bytes


def verify(place: Path | Store, *checkpoints: Checkpoint | None, busy_timeout_s: float = PATIENCE_S) -> Verified:
    """Check every entry, every node and, if any are given, the checkpoints that the log must contain.

    Raises:
        AuditBroken: The log, or a part of it, is not what was written; `seq` is the first bad entry where one is.
        AuditUnavailable: The log cannot be read now, which says nothing about it.
    """
    store = store_of(place, busy_timeout_s)
    with store.errors():
        if not store.is_there():
            raise AuditBroken(f"There is no query log {store}. Restore the latest backup that verifies.")
        with contextlib.closing(store.open_to_read()) as connection:
            walk = _Walk(connection, [checkpoint for checkpoint in checkpoints if checkpoint is not None])
            try:
                with connection.snapshot():
                    return walk.run()
            except store.ERRORS as error:
                if not store.shows_damage(error):
                    raise
                raise AuditBroken(f"The query log is damaged or not a log. {_KEEP}", walk.reached) from error


class _Walk:
    """One pass over heads, payloads and nodes, side by side."""

    def __init__(self, connection: Connection, checkpoints: list[Checkpoint]) -> None:
        self._connection = connection
        self._expected: dict[int, set[bytes]] = {}  # the roots that the log must have had, by its size
        for checkpoint in checkpoints:
            self._expected.setdefault(checkpoint.size, set()).add(checkpoint.root)
        self._frontier = tree.Frontier()
        self._nodes: list[Iterator[tuple[Any, Any]]] = []  # one cursor for each level of the tree
        self._last_time: datetime | None = None
        self._emptied = erasing.Digest()
        self._stated: tuple[int, str] | None = None  # the last entry about an erasure, and what it says of all of them

    @property
    def reached(self) -> int | None:
        """The entry the walk is at; None before the first."""
        return self._frontier.size or None

    def run(self) -> Verified:
        if not self._connection.has_the_expected_schema():
            raise AuditBroken(f"The tables of the query log were changed. {_KEEP}")
        self._walk()
        if not self._connection.is_sound():
            raise AuditBroken(f"The query log is damaged outside its entries. {_KEEP}")
        return Verified(self._frontier.size, self._frontier.root())

    def _walk(self) -> None:
        self._compare_with_checkpoints()
        payloads = self._connection.stream("SELECT seq, payload FROM payloads ORDER BY seq")
        for seq, head in self._connection.stream("SELECT seq, head FROM heads ORDER BY seq"):
            expected = self._frontier.size
            if seq != expected:
                raise AuditBroken(f"Entry {expected} is missing from the query log. {_KEEP}", expected)
            self._check_entry(seq, head, next(payloads, None))
            self._check_nodes(seq, head)
            self._compare_with_checkpoints()
        self._check_the_end(next(payloads, None))

    def _check_entry(self, seq: int, head: Any, payload_row: tuple[Any, Any] | None) -> None:
        if payload_row is None or payload_row[0] != seq:
            raise AuditBroken(f"The content of entry {seq} is missing from the query log. {_KEEP}", seq)
        try:
            facts = canonical.from_bytes(head)
            time = records.to_time(facts["time"])
            erased = payload_row[1] == records.ERASED
            sealed = erased or facts["payload_sha256"] == hashlib.sha256(payload_row[1]).hexdigest()
            wrong = facts["seq"] != seq or not sealed
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _altered(seq) from error
        if wrong:
            raise _altered(seq)
        if (
            self._last_time
            and self._last_time - time > records.CLOCK_TOLERANCE
            and facts.get("type") != ClockStepped.type
        ):
            raise AuditBroken(
                f"Time goes back before entry {seq}, and no entry says so: the log was not written by the appliance. "
                f"{_KEEP}",
                seq,
            )
        self._last_time = time
        if erased:
            self._emptied.add(seq)
        if facts.get("type") == ContentErased.type:
            self._stated = (seq, str(facts.get("erased_sha256")))

    def _check_nodes(self, seq: int, head: bytes) -> None:
        for node in self._frontier.append(tree.leaf_hash(head)):
            if node.level == len(self._nodes):
                self._nodes.append(
                    self._connection.stream("SELECT idx, hash FROM nodes WHERE level = ? ORDER BY idx", (node.level,))
                )
            if next(self._nodes[node.level], None) != (node.index, node.hash):
                raise _altered(seq)

    def _check_the_end(self, payload_left_over: tuple[Any, Any] | None) -> None:
        size = self._frontier.size
        self._check_erasures()
        if payload_left_over is not None:
            raise AuditBroken(f"The query log has content without an entry. {_KEEP}", size)
        if any(next(level, None) is not None for level in self._nodes) or self._more_levels():
            raise AuditBroken(f"The tree of the query log is larger than its {size} entries: it was cut. {_KEEP}", size)
        largest = max(self._expected, default=0)
        if largest > size:
            raise AuditBroken(
                f"The query log has {size} entries and the checkpoint tells of {largest}: it was cut. {_KEEP}",
                size,
            )

    def _check_erasures(self) -> None:
        last = self._emptied.last
        if last is not None and (self._stated is None or last > self._stated[0]):
            raise AuditBroken(f"The content of entry {last} is missing from the query log. {_KEEP}", last)
        if self._stated is not None and self._stated[1] != self._emptied.hexdigest():
            raise AuditBroken(f"Other entries of the query log are empty than were erased. {_KEEP}")

    def _more_levels(self) -> bool:
        others = "SELECT 1 FROM nodes WHERE level < 0 OR level >= ? LIMIT 1"
        return self._connection.execute(others, (len(self._nodes),)).fetchone() is not None

    def _compare_with_checkpoints(self) -> None:
        size = self._frontier.size
        if size in self._expected and self._expected[size] != {self._frontier.root()}:
            raise AuditBroken(
                f"The first {size} entries of the query log are not those of the checkpoint: they were rewritten, or "
                "it is the checkpoint of another log. "
                f"{_KEEP}"
            )


def _altered(seq: int) -> AuditBroken:
    return AuditBroken(f"Entry {seq} of the query log was altered. {_KEEP}", seq)
