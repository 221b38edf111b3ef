"""The 22 attacks on a query log, in one table: who can do it, what finds it, and where that is tried.

The first 13 are carried out here on one signed log, in a file and in PostgreSQL, each with all that such an attacker has:
the folder of the log, its rows without a trigger or a right in the way, and for some the key of the signer or an older
backup. Each is judged twice: *alone*, by what the attacker left beside the log, and with one signed checkpoint and the
public key that were carried out before. Where the log alone does not show it, the test says so: that is why checkpoints
are carried out. The others need more than that; the table names the tests that carry them out.
docs/operations/query-log.md shows the same table to auditors.
"""

from __future__ import annotations

import importlib
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.audit import checkpoint, note, signatures, verifier
from appliance.audit.checkpoint import ORIGIN
from appliance.audit.entries import AdminAction, Entry, LogClosed, LogOpened, LogRead, QuestionReceived, SignInFailed
from appliance.audit.log import QueryLog
from appliance.audit.records import to_text
from appliance.audit.signer import Signer
from appliance.audit.verify import verify
from appliance.errors import AuditBroken

from . import postgresql_server, victims
from .postgresql_server import Server
from .test_log_verification import delete, flip, set_head, set_payload, swap
from .victims import ENTRIES, EVERY, Entries, Victim

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
CARRIED = 40  # entries in the checkpoint that was carried out


def in_the_rows(change: Callable[[Any], object]) -> Callable[[Victim], None]:
    def attack(victim: Victim) -> None:
        with victim.as_owner() as rows:
            change(rows)

    return attack


def yesterday(entries: Entries) -> None:
    day_before = datetime.now(UTC) - timedelta(days=1)
    entries[30] = ({**entries[30][0], "time": to_text(day_before)}, entries[30][1])


def other_actor(entries: Entries) -> None:
    entries[:] = [({**facts, "actor": "00" * 32}, payload) for facts, payload in entries]


def forge_a_checkpoint(victim: Victim) -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signatures.keep(victim.path, note.sign(victim.checkpoints()[50].text(), ORIGIN, stranger))


def remove_all_checkpoints(victim: Victim) -> None:
    shutil.rmtree(checkpoint.latest_path(victim.path).parent)


@dataclass(frozen=True)
class Attack:
    """One of the 22. `alone`: whether the log shows it without anything from outside.

    `in_postgresql` says how it is carried out where the rows are in a database. `tried_in` names tests for either store;
    where the two need different ones, `tried_in_postgresql` names those of the database.
    """

    what: str
    alone: bool
    carry_out: Callable[[Victim], object] | None = None
    in_postgresql: str = "the same, by a superuser"
    tried_in: tuple[str, ...] = ()
    tried_in_postgresql: tuple[str, ...] = ()


VERIFICATION, DURABILITY, DATABASE = "test_log_verification", "test_log_durability", "test_postgresql"
CONTRACT = "tests.contracts.test_query_log"
FILES = "the same: files beside the rows"

ATTACKS = {
    1: Attack("change a bit of what an entry holds", True, in_the_rows(lambda db: set_payload(db, 30, flip))),
    2: Attack("change who asked", True, in_the_rows(lambda db: set_head(db, 30, leaf_too=True, actor="00" * 32))),
    3: Attack("delete an entry in the middle", True, in_the_rows(lambda db: delete(db, 30))),
    4: Attack(
        "delete one, renumber, rebuild the tree, without the key", True, lambda v: v.rebuild(lambda e: e.pop(30))
    ),
    5: Attack("swap two entries", True, in_the_rows(lambda db: swap(db, heads_too=True))),
    6: Attack("repeat an entry, rebuild", True, lambda v: v.rebuild(lambda e: e.insert(30, e[30]))),
    7: Attack("cut the end, keep the checkpoints", True, lambda v: v.rebuild(lambda e: e.__delitem__(slice(50, None)))),
    8: Attack(
        "cut the end and the checkpoints of it",
        False,
        lambda v: v.rebuild(lambda e: e.__delitem__(slice(30, None)), keep_notes=lambda notes: notes[:1]),
    ),
    9: Attack("rewrite the whole log with the key of the signer", False, lambda v: v.rebuild_and_sign(other_actor)),
    10: Attack(
        "put an older backup back",
        False,
        lambda v: v.put_the_backup_back(),
        "a dump of then is restored, with the files of then",
    ),
    11: Attack("set the clock back, with the key", True, lambda v: v.rebuild_and_sign(yesterday)),
    12: Attack("forge a checkpoint", True, forge_a_checkpoint, FILES),
    13: Attack("delete all checkpoints", False, remove_all_checkpoints, FILES),
    14: Attack(
        "sign two logs of one size (split view)",
        False,
        in_postgresql="the same: the signer sees no rows",
        tried_in=(
            "test_signing:test_two_logs_of_one_size_are_not_both_signed",
            "test_witness:test_two_signed_logs_of_one_size_are_a_split_view",
            "test_witness:test_another_log_is_not_cosigned_however_well_it_is_signed",
        ),
    ),
    15: Attack(
        "crash it between an entry and a checkpoint",
        True,
        in_postgresql="the writer is killed, or the server under it",
        tried_in=(
            f"{DURABILITY}:test_an_acknowledged_entry_survives_a_kill_at_ten_random_moments",
            "tests.faults.test_log_faults:test_a_fault_in_a_sample_of_the_system_calls_leaves_a_log_that_verifies",
        ),
        tried_in_postgresql=(
            f"{DATABASE}:test_what_was_acknowledged_survives_a_kill_of_the_writer",
            f"{DATABASE}:test_no_entry_is_lost_or_doubled_by_a_server_that_is_killed_in_the_middle",
        ),
    ),
    16: Attack(
        "write from many processes at once",
        True,
        in_postgresql="the same, in sessions of their own",
        tried_in=(f"{DURABILITY}:test_four_processes_write_one_log_without_gap_or_duplicate",),
        tried_in_postgresql=(f"{CONTRACT}:test_many_writers_leave_no_gap_and_no_number_twice",),
    ),
    17: Attack(
        "fill the disk",
        True,
        in_postgresql="the disk of the server",
        tried_in=(f"{DURABILITY}:test_a_full_disk_stops_the_log_and_room_on_it_starts_it_again",),
        tried_in_postgresql=(f"{DATABASE}:test_a_full_disk_of_the_server_stops_the_log_and_room_starts_it_again",),
    ),
    18: Attack(
        "exchange the database under the running appliance",
        True,
        in_postgresql="an older database under its name; other rows",
        tried_in=(
            f"{VERIFICATION}:test_a_file_exchanged_under_a_running_appliance_stops_the_log",
            f"{VERIFICATION}:test_rows_changed_under_a_running_appliance_stop_the_log",
        ),
        tried_in_postgresql=(
            f"{DATABASE}:test_an_older_database_under_its_name_stops_the_running_log",
            f"{CONTRACT}:test_a_log_that_is_cut_under_the_running_appliance_takes_no_more_entries",
        ),
    ),
    19: Attack(
        "write a checkpoint nearly right",
        True,
        in_postgresql=FILES,
        tried_in=(
            "test_checkpoint:test_a_text_that_is_nearly_a_checkpoint_is_refused",
            "test_note:test_a_note_with_anything_changed_is_refused",
            "test_verifier:test_forged_checkpoints_are_found",
        ),
    ),
    20: Attack(
        "put what one person asked under another",
        True,
        tried_in=(f"{CONTRACT}:test_a_payload_put_under_another_entry_is_not_opened_however_well_the_log_is_rebuilt",),
    ),
    21: Attack(
        "put back keys of before an erasure",
        True,
        in_postgresql=FILES,
        tried_in=(f"{CONTRACT}:test_keys_from_a_backup_of_before_an_erasure_bring_nothing_back_and_are_noticed",),
    ),
    22: Attack(
        "switch the log off and on",
        True,
        in_postgresql="the same",
        tried_in=(f"{CONTRACT}:test_a_log_that_was_switched_off_and_on_shows_it",),
    ),
}
ON_ROWS = [number for number, attack in ATTACKS.items() if attack.carry_out]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql_server.running() as started:
        yield started


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Victim:
    folder = tmp_path_factory.mktemp("attacks")
    if request.param == "sqlite":
        return victims.in_a_file(folder)
    return victims.in_a_database(folder, request.getfixturevalue("server"))


@pytest.fixture
def victim(whole: Victim, tmp_path: Path) -> Victim:
    return whole.copied(tmp_path)


@pytest.fixture(scope="module")
def carried(whole: Victim) -> tuple[str, str]:
    """The signed checkpoint of 40 entries and the public key, from outside the house."""
    return signatures.signed_notes(whole.path)[CARRIED // EVERY - 1], signatures.public_key(whole.path)


@pytest.mark.parametrize("number", ON_ROWS)
def test_an_attack_is_found_alone_where_that_is_promised_and_with_one_carried_checkpoint_always(
    victim: Victim, carried: tuple[str, str], number: int
) -> None:
    attack, (signed, key) = ATTACKS[number], carried
    assert attack.carry_out is not None
    assert victim.alone() == ENTRIES
    assert verify(victim.store, *signatures.checked(victim.path, [signed], key)).size == ENTRIES
    attack.carry_out(victim)
    with pytest.raises(AuditBroken):
        verify(victim.store, *signatures.checked(victim.path, [signed], key))
    if not attack.alone:
        victim.alone()  # without a word: this is what checkpoints are carried out for
        return
    with pytest.raises(AuditBroken):
        victim.alone()


@pytest.mark.parametrize("number", [8, 9, 10])
def test_whoever_owns_the_rows_and_not_the_checkpoints_beside_them_is_found_by_the_log_alone(
    victim: Victim, tmp_path: Path, number: int
) -> None:
    """As the administrator of a database that the appliance keeps its log in."""
    beside, attack = checkpoint.latest_path(victim.path).parent, ATTACKS[number]
    assert attack.carry_out is not None
    shutil.copytree(beside, tmp_path / "checkpoints")
    attack.carry_out(victim)
    shutil.rmtree(beside)
    shutil.copytree(tmp_path / "checkpoints", beside)
    with pytest.raises(AuditBroken):
        victim.alone()


def test_checkpoints_that_were_removed_are_found_with_an_unsigned_copy_too(victim: Victim) -> None:
    """The rule of attack 13 by itself: every checkpoint that was carried out must be in the log."""
    carried = victim.checkpoints()[CARRIED]
    victim.rebuild_and_sign(other_actor)
    remove_all_checkpoints(victim)
    with pytest.raises(AuditBroken, match="not those of the checkpoint"):
        verify(victim.store, *signatures.checked(victim.path, [carried.text()]))


@pytest.mark.parametrize("number", [number for number in ATTACKS if number not in ON_ROWS])
def test_an_attack_that_takes_more_than_rows_is_tried_where_the_table_says(number: int) -> None:
    assert ATTACKS[number].tried_in
    for place in ATTACKS[number].tried_in + ATTACKS[number].tried_in_postgresql:
        module, test = place.split(":")
        name = module if "." in module else f"{__package__}.{module}"
        assert callable(getattr(importlib.import_module(name), test)), place


def test_the_manual_shows_this_table() -> None:
    text = (ROOT / "docs" / "operations" / "query-log.md").read_text("utf-8")
    for number, attack in ATTACKS.items():
        alone = "found" if attack.alone else "**missed**"
        assert f"| {number} | {attack.what} | {alone} | found | {attack.in_postgresql} |" in text
    assert len(ATTACKS) == 22


# no false alarm


def any_entry(chance: random.Random) -> Entry:
    text = "".join(chance.choices('aé \n"\\\u2028\U0001f600\x00\ud800ß“', k=chance.randrange(30)))
    person = f"u-{chance.randrange(3)}"
    return chance.choice(
        (
            QuestionReceived(f"q{chance.random()}", person, text, (text,), "c1", text, "browser"),
            SignInFailed(chance.choice(("", person)), text),
            LogRead(person, text, text),
            AdminAction(person, "test.written", text, text),
        )
    )


def clean_log(path: Path, chance: random.Random) -> tuple[list[str], str]:
    """A log as it may come about: restarts, clocks set forth and back, signed now and then. Its signed notes, its key."""
    signer_folder = path.parent.with_name("signer")
    signer_folder.mkdir(parents=True)
    signer, known, clock = Signer(signer_folder), 0, [datetime(2026, 1, 31, 23, 59, tzinfo=UTC)]
    for _ in range(chance.randrange(1, 4)):
        with QueryLog(path, clock=lambda: clock[0]) as log:
            checkpoint.put(signatures.key_path(path), signer.key.text().encode())
            log.append(LogOpened("1"))
            for _ in range(chance.randrange(6)):
                clock[0] += timedelta(seconds=chance.choice((0, 1e-6, 1, 60, 86_400, -0.9, -3_600)))
                log.append(any_entry(chance))
                if chance.random() < 0.4:
                    size = log.size()
                    proof = log.consistency_proof(known)[0] if known else ()
                    signatures.keep(path, signer.sign(log.checkpoint().text(), list(proof)))
                    known = size
            if chance.random() < 0.7:
                log.append(LogClosed())
    return signatures.signed_notes(path), signer.key.text()


def no_false_alarm(folder: Path, seed: int) -> None:
    chance, path = random.Random(seed), folder / "log" / "queries.db"
    notes, key = clean_log(path, chance)
    carried = chance.sample(notes, min(1, len(notes)))
    size = verify(path, *signatures.checked(path, carried, key if notes else "")).size
    with QueryLog(path) as log:
        for with_content in (True, False):
            lines = log.export(with_content=with_content)
            assert verifier.verify(lines, carried, key if notes else "").entries == size
        some = chance.sample(range(size), chance.randrange(1, size + 1))
        assert verifier.verify(log.export(some)).entries == len(some)


@pytest.mark.parametrize("seed", range(15))
def test_a_clean_log_gives_no_false_alarm(tmp_path: Path, seed: int) -> None:
    no_false_alarm(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_logs_of_all_kinds_give_no_false_alarm(tmp_path: Path) -> None:
    for seed in range(1000, 2000):
        no_false_alarm(tmp_path / str(seed), seed)
        shutil.rmtree(tmp_path / str(seed))
