"""Measures the query log at its full size, and prints rows of docs/performance.md.

    python bench/log.py [--entries NUMBER] [--appends NUMBER] [--keep FOLDER] [--postgresql URL]

A log is filled with questions, passages and answers as they are recorded, three entries a question, some 2 KB each, of
200 people over months, with a signed checkpoint every hundred entries. Filling is the one thing that is not done as the
appliance does it: thousands of entries share a transaction, and checkpoints are signed without asking for a proof.
What is in the files is the same to the byte, and is what the verification then proves.

    append     one entry after the other, each on disk before the next, through `QueryLog`, at the full size of the log.
               In turn with each the same number of bytes goes into a bare table of the same database with the same
               settings: what the disk takes is in both, so the ratio is worth more than the milliseconds
    proof      that one entry is in the log: making and checking it, its size in an export
    verify     the whole log against all its signed checkpoints (`strongroom log verify`)
    verifier   an export of the whole log, by the one file that an auditor runs

--entries  In the log (1000000 are the standard).
--appends  To time.
--keep     Where to leave the log and the export, or find them from before. Needs 7 KB an entry.
--postgresql  The log is moved to that empty database first, and only appending is measured, there. As in the setting
           log.postgresql, without a password; the account owns the database.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.audit import checkpoint, keys, note, records, signatures, sqlite, tree, verifier
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.entries import (
    AnswerClosed,
    CitedPassage,
    Entry,
    GenerationParameters,
    Latency,
    ModelUsed,
    PassagesRetrieved,
    QuestionReceived,
    RetrievedPassage,
)
from appliance.audit.log import CHECKPOINT_EVERY, QueryLog
from appliance.audit.moving import copy
from appliance.audit.postgresql import PostgresqlStore
from appliance.audit.records import Moment
from appliance.audit.sqlite import SqliteStore
from appliance.audit.store import Store
from appliance.audit.verify import verify
from appliance.config import LogSettings

_PEOPLE = 200
_PAUSE = timedelta(seconds=20)  # between two entries of the filled log
_BATCH = 5_000
_PROOFS = 2_000
_WORDS = ("retention", "invoice", "contract", "archive", "supplier", "notice", "period", "account", "ledger", "audit")
_MODEL = ModelUsed("ollama", "a-model", f"sha256:{'12' * 32}", "Q4_K_M", 8192)


def made_up() -> Iterator[Entry]:
    """Entries as questions leave them, without end."""
    chance = random.Random(1)

    def words(count: int) -> str:
        return " ".join(chance.choices(_WORDS, k=count))

    for number in itertools.count():
        person, query = f"u-{chance.randrange(_PEOPLE)}", f"{chance.getrandbits(128):032x}"
        yield QuestionReceived(
            query, person, person, ("finance",), f"{number:032x}", words(15), "127.0.0.1", ("internal",)
        )
        passages = tuple(
            RetrievedPassage(
                f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(128):032x}",
                f"{chance.getrandbits(256):064x}", f"finance/{words(2)}.pdf", words(3), rank, rank,
                chance.random(), chance.random(), rank,
            )
            for rank in range(1, 9)
        )  # fmt: skip
        yield PassagesRetrieved(
            query, person, words(15), passages, _MODEL, "ef" * 32, "answer-1", GenerationParameters(0.0, 7, 1024, 8192)
        )
        cited = (CitedPassage(1, passages[0].chunk_id),)
        yield AnswerClosed(
            query, person, words(200), "01" * 32, "generated", cited, (), (), Latency(20.5, 300.0, 9000.0)
        )


def fill(path: Path, entries: int) -> None:
    """A log of that many entries, with its checkpoints."""
    private = Ed25519PrivateKey.generate()
    now = datetime.now(UTC) - entries * _PAUSE
    with QueryLog(path):
        pass  # makes the files
    frontier = tree.Frontier()
    notes: list[str] = []
    known: dict[tuple[str, str], keys.Key] = {}
    with (
        contextlib.closing(sqlite.open_to_append(path, 10)) as connection,
        keys.open_to_write(keys.keys_path(path), 10, may_be_new=True) as ring,
    ):
        source = made_up()
        while frontier.size < entries:
            with connection.transaction():
                for entry in itertools.islice(source, min(_BATCH, entries - frontier.size)):
                    now += _PAUSE
                    owner = records.person_of(entry), records.month_of(now)
                    key = known.get(owner) or known.setdefault(owner, ring.obtain(*owner))
                    _write(connection, frontier, entry, Moment(now, "boot", frontier.size), key)
                    if frontier.size % CHECKPOINT_EVERY == 0:
                        at = Checkpoint(ORIGIN, frontier.size, frontier.root())
                        notes.append(note.sign(at.text(), ORIGIN, private))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    checkpoint.put(
        signatures.key_path(path), note.VerifierKey(ORIGIN, private.public_key().public_bytes_raw()).text().encode()
    )
    checkpoint.put(signatures.notes_path(path), "".join(f"{text}\f\n" for text in notes).encode())


def _write(
    connection: sqlite3.Connection, frontier: tree.Frontier, entry: Entry, moment: Moment, key: keys.Key
) -> None:
    seq = frontier.size
    head, payload = records.seal(entry, seq, moment, key)
    connection.execute("INSERT INTO heads (seq, head) VALUES (?, ?)", (seq, head))
    connection.execute("INSERT INTO payloads (seq, payload) VALUES (?, ?)", (seq, payload))
    nodes = [(node.level, node.index, node.hash) for node in frontier.append(tree.leaf_hash(head))]
    connection.executemany("INSERT INTO nodes VALUES (?, ?, ?)", nodes)


def timed(act: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _row(*cells: tuple[str, str]) -> None:
    names, values = zip(*cells, strict=True)
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n| {' | '.join(values)} |\n")


@contextlib.contextmanager
def bare_in_a_file(path: Path) -> Iterator[Callable[[tuple[bytes, bytes]], object]]:
    """Inserts rows into a bare SQLite table beside the log."""
    file = path.with_name("bare.db")
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE IF NOT EXISTS rows (seq INTEGER PRIMARY KEY, head BLOB, payload BLOB)")
        yield lambda row: db.execute("INSERT INTO rows (head, payload) VALUES (?, ?)", row)
    file.unlink()


@contextlib.contextmanager
def bare_in_a_database(store: PostgresqlStore) -> Iterator[Callable[[tuple[bytes, bytes]], object]]:
    """Inserts rows into a bare table of the same database."""
    with contextlib.closing(store.open_to_append()) as db:
        db.script("CREATE SCHEMA bare; CREATE TABLE bare.rows (seq bigserial PRIMARY KEY, head bytea, payload bytea)")
        yield lambda row: db.execute("INSERT INTO bare.rows (head, payload) VALUES (?, ?)", row)
        db.script("DROP SCHEMA bare CASCADE")


def measure_appends(
    place: Store, bare_rows: contextlib.AbstractContextManager[Callable[[tuple[bytes, bytes]], object]], count: int
) -> None:
    """Appends in turn with as many bare insertions of as many bytes."""
    own, bare, sizes = [], [], []
    with QueryLog(place) as log, bare_rows as insert:
        for entry in itertools.islice(made_up(), count):
            own.append(timed(partial(log.append, entry)))
            row = _stored(place, log.size() - 1)
            bare.append(timed(partial(insert, row)))
            sizes.append(sum(map(len, row)))
        size = log.size()
    _row(
        ("entries in the log", f"{size:,}"), ("bytes of an entry", f"{statistics.mean(sizes):,.0f}"), ("appends", f"{count:,}"),
        ("p50", f"{1000 * statistics.median(own):.2f} ms"), ("p99", f"{1000 * _p99(own):.2f} ms"),
        ("bare p50", f"{1000 * statistics.median(bare):.2f} ms"), ("bare p99", f"{1000 * _p99(bare):.2f} ms"),
        ("ratio p50", f"{statistics.median(own) / statistics.median(bare):.1f}"),
        ("ratio p99", f"{_p99(own) / _p99(bare):.1f}"), ("load", f"{os.getloadavg()[0]:.1f}"),
    )  # fmt: skip


def _stored(place: Store, seq: int) -> tuple[bytes, bytes]:
    with contextlib.closing(place.open_to_read()) as connection:
        head, payload = connection.execute(
            "SELECT head, payload FROM heads JOIN payloads USING (seq) WHERE seq = ?", (seq,)
        ).fetchone()
    return head, payload


def measure_proofs(path: Path) -> None:
    """Proofs that random entries are in the log."""
    chance, times, sizes = random.Random(2), [], []
    with QueryLog(path) as log:
        for seq in chance.sample(range(log.size()), min(_PROOFS, log.size())):
            started = time.perf_counter()
            found = log.inclusion_proof(seq)
            at = found.checkpoint
            if not tree.verify_inclusion(seq, at.size, found.leaf_hash, found.path, at.root):
                raise SystemExit(f"The proof of entry {seq} does not hold.")
            times.append(time.perf_counter() - started)
            sizes.append(len(",".join(f'"{"A" * 44}"' for _ in found.path)))
    _row(
        ("proofs", f"{len(times):,}"), ("p50", f"{1000 * statistics.median(times):.2f} ms"),
        ("p99", f"{1000 * _p99(times):.2f} ms"), ("largest, in an export", f"{max(sizes):,} bytes"),
    )  # fmt: skip


def measure_verification(path: Path, export: Path) -> None:
    """The whole log, and its export by the one file."""
    expected = signatures.checked(path)
    reading_s = timed(lambda: signatures.checked(path))
    before_s = time.process_time()
    took_s = timed(lambda: verify(path, *expected))
    own_s = time.process_time() - before_s
    if not export.exists():
        with QueryLog(path) as log, export.open("w", encoding="utf-8") as file:
            file.writelines(log.export())
    command = [sys.executable, "-I", "-S", verifier.__file__, str(export)]
    export_s = timed(lambda: subprocess.run(command, check=True))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    _row(
        ("signed checkpoints", f"{len(expected) - 1:,}"), ("their signatures", f"{reading_s:.1f} s"),
        ("verify", f"{took_s:.1f} s"), ("of it computing", f"{own_s:.1f} s"), ("log on disk", f"{path.stat().st_size / 1e9:.2f} GB"),
        ("verifier.py", f"{export_s:.1f} s"), ("of it computing", f"{used.ru_utime + used.ru_stime:.1f} s"),
        ("its memory", f"{used.ru_maxrss / 1024:.0f} MB"),
        ("export", f"{export.stat().st_size / 1e9:.2f} GB"), ("load", f"{os.getloadavg()[0]:.1f}"),
    )  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--appends", type=int, default=3_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--postgresql", default="")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = folder / "log" / "queries.db"
        if not path.exists():
            print(f"filled in {timed(lambda: fill(path, given.entries)):.0f} s\n")
        if given.postgresql:
            store = PostgresqlStore(path, LogSettings(postgresql=given.postgresql))
            copy(SqliteStore(path), store)
            measure_appends(store, bare_in_a_database(store), given.appends)
            return
        measure_verification(path, folder / "export.jsonl")
        measure_appends(SqliteStore(path), bare_in_a_file(path), given.appends)
        measure_proofs(path)


if __name__ == "__main__":
    main()
