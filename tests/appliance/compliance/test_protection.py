"""Erasure, holds and retention: what goes, what stays, and what is said about it."""

from __future__ import annotations

import io
import json
import shutil
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from sqlalchemy import select

from appliance.access_requests import AccessRequests, access_requests
from appliance.audit import checkpoint
from appliance.audit.entries import ContentErased, ExpiryAnnounced, HoldPlaced, LogOpened, SignInFailed
from appliance.audit.keys import Holding, Keyring
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter
from appliance.audit.verify import verify
from appliance.auth.accounts import Accounts
from appliance.compliance.certificate import certified, on_paper
from appliance.compliance.daily import Daily
from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.compliance.months import later
from appliance.compliance.protection import build
from appliance.config import RetentionSettings
from appliance.conversations import Conversations, conversations, turns
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import (
    AccessDenied,
    AuditUnavailable,
    CatalogUnavailable,
    Conflict,
    InvalidRequest,
    NotFound,
)
from tests.appliance.audit import older
from tests.appliance.compliance.conftest import Clock, Office

SECRET = "Ultramarin-Quartalsbericht"


def test_nothing_of_an_erased_person_is_in_any_file_of_the_data_folder(office: Office) -> None:
    """STANDARD A8, over log, keys, checkpoints and catalog."""
    accounts = Accounts(office.database)
    person = accounts.add("clerk", "seven brass keys on a ring", [Role.EMPLOYEE], []).id
    for number in range(30):
        office.asks(person, f"{SECRET} {number} " + "lang " * 200)
    stays = office.asks("u-stays", "What may stay?")
    AccessRequests(office.database, office.log, office.clock).ask(person, "", f"{SECRET} please")
    before = office.log.checkpoint()
    assert office.files_with(SECRET) == []  # all of it is sealed
    with office.database.read() as connection:
        owned = select(conversations.c.id).where(conversations.c.person_id == person)
        of_turns = select(turns.c.question).where(turns.c.conversation_id.in_(owned))
        sealed = list(connection.execute(of_turns.union_all(select(access_requests.c.reason))).scalars())
    assert len(sealed) == 31
    assert all(office.files_with(each[:32]) for each in sealed)
    order = office.erased(person)
    assert [each for each in sealed if office.files_with(each[:32])] == []
    assert (order.entries, order.turns, order.months, order.held) == (30, 30, ("2026-03",), ())
    assert office.readable(stays)
    assert len(Conversations(office.database, office.log).all_turns("u-stays")) == 1
    verify(office.log.path, before, checkpoint.parse(order.before), checkpoint.parse(order.after))
    office.log.close()
    office.database.close()
    assert [each for each in sealed if office.files_with(each[:32])] == []


def test_a_backup_of_before_an_erasure_holds_nothing_that_can_be_read_of_what_somebody_asked(office: Office) -> None:
    """A copy of the data folder, and one of its keys, which are kept apart."""
    person = Accounts(office.database).add("clerk", "seven brass keys on a ring", [Role.EMPLOYEE], []).id
    office.asks(person, f"{SECRET}?")
    AccessRequests(office.database, office.log, office.clock).ask(person, "", f"{SECRET} please")
    stays = office.asks("u-stays", "What may stay?")
    backup, keys_apart = office.folder / "backup", office.folder / "keys-apart"
    shutil.copytree(office.folder, backup, ignore=shutil.ignore_patterns("keys", "backup"))
    shutil.copytree(office.folder / "log" / "keys", keys_apart)
    office.erased(person)
    assert office.files_with(SECRET) == []  # the backup is among the files

    database = Database(backup / "strongroom.db")
    with_what_is_left = Conversations(database, office.log)
    assert [turn.is_readable for turn in with_what_is_left.all_turns(person)] == [False]
    assert [turn.query_id for turn in with_what_is_left.all_turns("u-stays") if turn.is_readable] == [stays]
    shutil.copytree(office.folder / "log" / "keys", backup / "log" / "keys")  # the latest ones
    with QueryLog(backup / "log" / "queries.db") as log:
        assert log.query(stays).question is not None
        assert [turn.is_readable for turn in Conversations(database, log).all_turns(person)] == [False]
        assert [record.question for record in log.queries()] == [log.query(stays).question, None]
    shutil.rmtree(backup / "log" / "keys")
    shutil.copytree(keys_apart, backup / "log" / "keys")
    with QueryLog(backup / "log" / "queries.db") as log:  # which is why backups of the keys are kept for two weeks
        assert [turn.question for turn in Conversations(database, log).all_turns(person)] == [f"{SECRET}?"]
    database.close()


def test_the_words_of_an_erased_officer_go_when_nobody_waits_for_them_any_more(office: Office) -> None:
    def proposed(act: str, said: str, officer: str = "officer-1") -> Proposal:
        return office.four_eyes.propose(officer, act, f"{said}-subject", f"{said}-reason", f"{said}-detail")

    place, release = office.protection.holds.place, office.protection.holds.propose_release
    proposed("lapses", SECRET)
    office.clock.forward(days=15)
    office.approved(proposed("approved", SECRET))
    office.four_eyes.decide("officer-2", proposed("refused", SECRET).id, approve=False)
    released = place("officer-1", "u-8", "", "", f"{SECRET} is being looked into")
    office.approved(release("officer-1", released.id, f"{SECRET} is over"))
    in_force = place("officer-1", "u-9", "", "", "Still a case")
    waiting, others = proposed("waits", "Ocker"), proposed("approved", "Zinnober", "officer-3")
    office.approved(others)
    assert office.files_with(SECRET)
    office.approved(office.protection.erasures.propose("officer-3", "officer-1", "", "They left the house."))
    assert office.files_with(SECRET) == []
    assert office.four_eyes.open_proposals() == (waiting,)
    assert office.protection.holds.in_force() == (in_force,)
    assert office.four_eyes.one(others.id).reason == "Zinnober-reason"
    office.approved(waiting)
    office.erased("officer-1")
    assert office.files_with("Ocker") == []


def test_an_erasure_needs_a_second_officer(office: Office) -> None:
    query_id = office.asks("u-1", "What is mine?")
    proposal = office.protection.erasures.propose("officer-1", "u-1", "", "They asked for it.")
    with pytest.raises(AccessDenied):
        office.four_eyes.decide("officer-1", proposal.id, approve=True)
    assert office.readable(query_id)
    assert office.protection.erasures.latest() == ()
    office.approved(proposal)
    assert not office.readable(query_id)


def test_an_erasure_up_to_a_month_leaves_what_came_later(office: Office) -> None:
    early = office.asks("u-1", "In March?", "c1")
    office.clock.forward(days=31)
    late = office.asks("u-1", "In April?", "c1")
    order = office.erased("u-1", until="2026-03")
    assert order.months == ("2026-03",)
    assert (office.readable(early), office.readable(late)) == (False, True)
    history = Conversations(office.database, office.log)
    assert [turn.question for turn in history.all_turns("u-1")] == ["In April?"]
    assert [item.title for item in history.recent("u-1", limit=9)] == ["In April?"]
    assert office.files_with("In March?") == []


def test_a_conversation_goes_on_after_a_part_of_it_was_erased(office: Office) -> None:
    office.asks("u-1", "In March?", "c1")
    office.clock.forward(days=31)
    office.asks("u-1", "In April?", "c1")
    office.erased("u-1", until="2026-03")
    office.asks("u-1", "And in May?", "c1")
    turns = Conversations(office.database, office.log).turns("c1", "u-1")
    assert [turn.question for turn in turns] == ["In April?", "And in May?"]


@pytest.mark.parametrize(
    ("person", "since", "until"), [("u-1", "", ""), ("", "", ""), ("", "2026-03", "2026-03"), ("u-1", "2026-01", "")]
)
def test_a_hold_beats_an_erasure_and_its_release_completes_it(
    office: Office, person: str, since: str, until: str
) -> None:
    query_id = office.asks("u-1", f"{SECRET}?")
    hold = office.holds(person, since, until)
    order = office.erased("u-1")
    assert (order.completed_at, order.held, order.entries) == (None, ("2026-03",), 0)
    assert office.readable(query_id)
    assert len(Conversations(office.database, office.log).all_turns("u-1")) == 1
    with pytest.raises(Conflict):
        certified(order)
    office.protection.daily.run()
    assert office.readable(query_id)
    office.approved(office.protection.holds.propose_release("officer-1", hold.id, "The case is closed."))
    done = office.protection.erasures.one(order.id)
    assert (done.completed_at, done.held, done.entries) == (office.clock(), (), 1)
    assert not office.readable(query_id)
    assert office.files_with(SECRET) == []


def test_a_hold_on_somebody_else_or_another_time_is_in_nobodys_way(office: Office) -> None:
    office.asks("u-1", "Mine?")
    theirs = office.asks("u-2", "Theirs?")
    office.holds("u-2")
    office.holds("u-1", "2025-01", "2026-02")
    office.holds("u-1", "2026-04")
    assert office.erased("u-1").held == ()
    assert office.erased("u-2").held == ("2026-03",)
    assert office.readable(theirs)


def test_a_hold_that_comes_in_the_middle_of_an_erasure_does_not_make_its_certificate_wrong(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    query_id, count = office.asks("u-1", "Mine?"), office.log.count
    other = threading.Thread(target=office.holds, args=("u-1",))

    def hold_and_count(holdings: Iterable[Holding]) -> int:
        other.start()
        other.join(0.2)
        return count(holdings)

    monkeypatch.setattr(office.log, "count", hold_and_count)
    order = office.erased("u-1")
    other.join(10)
    assert [hold.person_id for hold in office.protection.holds.in_force()] == ["u-1"]
    assert (order.completed_at, order.entries, order.held) == (office.clock(), 1, ())
    assert not office.readable(query_id)


def test_an_erasure_waits_while_the_person_is_being_answered(office: Office) -> None:
    query_id, other = office.asks("u-1", "Mine?"), office.asks("u-2", "Mine too?")
    proposal = office.protection.erasures.propose("officer-1", "u-1", "", "They asked for it.")
    office.answered.add("u-1")
    with pytest.raises(Conflict, match="is being answered"):
        office.approved(proposal)
    assert office.readable(query_id)
    assert office.erased("u-2").completed_at is not None
    assert not office.readable(other)
    with pytest.raises(Conflict):
        office.protection.erasures.run_pending()
    office.answered.clear()
    office.asks("u-1", "What came of it in between?")
    office.protection.daily.run()
    [order] = [order for order in office.protection.erasures.latest() if order.person_id == "u-1"]
    assert (order.completed_at, order.entries, order.turns) == (office.clock(), 2, 2)
    assert not office.readable(query_id)
    assert office.files_with("in between") == []


def test_an_answer_that_ends_while_its_person_is_erased_leaves_the_order_open(office: Office) -> None:
    office.asks("u-1", "Mine?")
    looked: list[str] = []

    def begins_in_between(person: str) -> bool:
        looked.append(person)
        return len(looked) == 2

    office.protection.erasures._is_answered = begins_in_between
    proposal = office.protection.erasures.propose("officer-1", "u-1", "", "They asked for it.")
    with pytest.raises(Conflict):
        office.approved(proposal)
    late = office.asks("u-1", "Late?")
    office.approved(proposal)
    [order] = office.protection.erasures.latest()
    assert order.completed_at is not None
    assert not office.readable(late)


def test_one_officer_does_not_release_a_hold(office: Office) -> None:
    hold = office.holds("u-1")
    proposal = office.protection.holds.propose_release("officer-1", hold.id, "The case is closed.")
    with pytest.raises(AccessDenied):
        office.four_eyes.decide("officer-1", proposal.id, approve=True)
    assert office.protection.holds.in_force() == (hold,)
    office.approved(proposal)
    assert office.protection.holds.in_force() == ()
    with pytest.raises(Conflict):
        office.protection.holds.propose_release("officer-1", hold.id, "Again.")


def test_a_hold_needs_a_reason_and_months_that_are_months(office: Office) -> None:
    place = office.protection.holds.place
    for person, since, until, reason in (
        ("u-1", "", "", " "),
        ("u-1", "2026-13", "", "A case."),
        ("u-1", "2026-03", "2026-02", "A case."),
    ):
        with pytest.raises(InvalidRequest):
            place("officer-1", person, since, until, reason)
    with pytest.raises(NotFound):
        office.protection.holds.propose_release("officer-1", "nothing", "A case.")
    assert office.protection.holds.in_force() == ()


def test_a_hold_is_on_record(office: Office) -> None:
    hold = office.holds("u-1", "2026-01")
    assert office.log.entry(0).entry == HoldPlaced("officer-1", hold.id, "u-1", "2026-01", "", "A case is open.")


def test_when_holds_cannot_be_read_nothing_is_erased(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    query_id = office.asks("u-1", "Mine?")

    def fail() -> None:
        raise CatalogUnavailable("The database cannot be read.")

    with monkeypatch.context() as broken:
        broken.setattr(office.protection.holds, "in_force", fail)
        with pytest.raises(CatalogUnavailable):
            office.erased("u-1")
    assert office.readable(query_id)


def test_a_certificate_on_paper_tells_when_to_the_second(office: Office) -> None:
    office.asks("u-1", "Mine?")
    office.clock.forward(seconds=7)
    words = words_on(on_paper(office.erased("u-1")))
    assert words.count("15 Mar 2026, 09:00:07 UTC") == 2
    assert "Checkpoints of the log" in words


def words_on(pdf: bytes) -> str:
    """What stands on the first page."""
    paper = pdfium.PdfDocument(io.BytesIO(pdf))
    words: str = paper[0].get_textpage().get_text_range()
    paper.close()
    return words


def test_what_a_hold_would_keep_of_an_erasure_is_known_before(office: Office) -> None:
    office.asks("u-1", "Mine?")
    erasures = office.protection.erasures
    assert erasures.kept_now("u-1") == ()
    office.holds("u-1", since="2026-03", until="2026-03")
    assert erasures.kept_now("u-1") == ("2026-03",)
    assert erasures.kept_now("u-1", until="2026-02") == ()
    assert erasures.kept_now("u-2") == ()


def test_a_certificate_tells_all_and_names_nobody(office: Office) -> None:
    office.asks("u-1", f"{SECRET}?")
    order = office.erased("u-1")
    facts = certified(order)
    assert facts["key_backups_may_exist_until"] == "2026-03-29"
    assert (facts["log_entries_erased"], facts["months"]) == (1, ["2026-03"])
    assert facts["checkpoint_after"].startswith("strongroom/query-log\n")
    entry = office.log.entry(facts["entries_of_the_log_that_say_so"][0]).entry
    assert isinstance(entry, ContentErased)
    assert entry.order_id == order.id
    for text in (json.dumps(facts), repr(on_paper(order))):
        assert "name of" not in text
        assert SECRET not in text
    assert on_paper(order).startswith(b"%PDF-")


def test_an_erasure_of_somebody_of_whom_nothing_is_on_record_is_complete_too(office: Office) -> None:
    order = office.erased("u-nobody")
    assert (order.completed_at, order.entries, order.months) == (office.clock(), 0, ())
    words = words_on(on_paper(order))
    assert "none: nothing was on record" in words
    assert "Checkpoints of the log" not in words


def test_an_erasure_that_was_cut_off_keeps_its_numbers(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.asks("u-1", f"{SECRET}?")

    def fail() -> None:
        raise CatalogUnavailable("The database is in use.")

    proposal = office.protection.erasures.propose("officer-1", "u-1", "", "They asked for it.")
    with monkeypatch.context() as broken:
        broken.setattr(office.database, "clear_side_files", fail)
        with pytest.raises(CatalogUnavailable):
            office.approved(proposal)
    assert office.protection.erasures.latest()[0].completed_at is None
    office.protection.daily.run()
    order = office.protection.erasures.latest()[0]
    assert (order.completed_at, order.entries, order.turns) == (office.clock(), 1, 1)
    assert office.files_with(SECRET) == []
    later = office.asks("u-1", "And after it?")
    office.approved(proposal)  # which was left open, because it had failed
    assert office.readable(later)
    assert office.protection.erasures.latest() == (order,)


@pytest.mark.parametrize("step", [(QueryLog, "erase"), (Keyring, "destroy"), (Conversations, "erase")])
def test_an_erasure_that_fails_again_and_again_counts_once(
    office: Office, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str]
) -> None:
    for number in range(3):
        office.asks("u-1", f"{SECRET} {number}?")

    def fail(*_: object) -> None:
        raise AuditUnavailable("The disk is full.")

    proposal = office.protection.erasures.propose("officer-1", "u-1", "", "They asked for it.")
    with monkeypatch.context() as broken:
        broken.setattr(*step, fail)
        for _ in range(2):
            with pytest.raises(AuditUnavailable):
                office.approved(proposal)
    office.protection.daily.run()
    (order,) = office.protection.erasures.latest()
    assert (order.completed_at, order.entries, order.turns) == (office.clock(), 3, 3)
    assert office.files_with(SECRET) == []


def test_an_erasure_counts_what_came_while_it_waited_for_a_hold(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.asks("u-1", "In March?")
    hold = office.holds("u-1", until="2026-03")
    office.clock.forward(days=31)
    office.asks("u-1", "In April?")
    order = office.erased("u-1")
    assert (order.completed_at, order.entries, order.months, order.held) == (None, 1, ("2026-04",), ("2026-03",))
    office.asks("u-1", "In April still?")

    def fail() -> None:
        raise CatalogUnavailable("The database is in use.")

    with monkeypatch.context() as broken:
        broken.setattr(office.database, "clear_side_files", fail)
        with pytest.raises(CatalogUnavailable):
            office.approved(office.protection.holds.propose_release("officer-1", hold.id, "The case is closed."))
    office.protection.daily.run()
    order = office.protection.erasures.one(order.id)
    assert (order.completed_at, order.entries, order.turns, order.held) == (office.clock(), 3, 3, ())


def test_what_is_kept_long_enough_is_announced_and_then_erased(office: Office) -> None:
    retention, old = office.protection.retention, office.asks("u-1", f"{SECRET}?")
    office.clock.now = datetime(2026, 9, 20, tzinfo=UTC)
    new = office.asks("u-1", "And now?")
    retention.run()
    assert retention.preview() == ()  # March is kept until the end of September
    office.clock.now = datetime(2026, 9, 25, tzinfo=UTC)
    retention.run()
    (expiry,) = retention.preview()
    assert (expiry.month, expiry.people, expiry.entries, expiry.turns, expiry.held) == ("2026-03", 1, 1, 1, 0)
    assert expiry.expires_at == datetime(2026, 10, 2, tzinfo=UTC)
    assert office.readable(old)
    announced = office.log.entries(LogFilter(type=ExpiryAnnounced.type))
    assert [each.entry for each in announced] == [ExpiryAnnounced(("2026-03",), "2026-10-02", "standard")]
    office.clock.now = datetime(2026, 10, 2, tzinfo=UTC)
    retention.run()
    assert (office.readable(old), office.readable(new)) == (False, True)
    assert office.files_with(SECRET) == []
    retention.run()
    assert [each.month for each in retention.preview()] == []
    verify(office.log.path)


def test_what_an_older_release_recorded_of_nobody_expires_once(
    tmp_path: Path, database: Database, clock: Clock
) -> None:
    path = tmp_path / "log" / "queries.db"
    carried = older.write(path, [LogOpened(SECRET), SignInFailed("", f"{SECRET}-2", "wrong name")])
    with QueryLog(path, clock=clock) as log:
        retention = build(
            database, log, FourEyes(database, log, clock), RetentionSettings(profile="standard"), lambda _: False, clock
        ).retention
        clock.now = datetime(2026, 8, 20, tzinfo=UTC)
        retention.run()
        assert [each.entries for each in retention.preview()] == [2]
        clock.forward(days=8)
        for _ in range(3):
            retention.run()
        assert [held for held in log.holdings() if held.month == "2026-01"] == []
        assert [each.entry.entries for each in log.entries(LogFilter(type=ContentErased.type))] == [2]  # type: ignore[union-attr]
        verify(path, carried)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()] == []


def test_a_hold_beats_expiry_and_its_release_lets_it_happen(office: Office) -> None:
    held, free = office.asks("u-1", "Mine?"), office.asks("u-2", "Theirs?")
    hold = office.holds("u-1")
    office.clock.now = datetime(2026, 11, 1, tzinfo=UTC)
    office.protection.daily.run()
    office.clock.forward(days=8)
    office.protection.daily.run()
    assert (office.readable(held), office.readable(free)) == (True, False)
    (expiry,) = [each for each in office.protection.retention.preview() if each.month == "2026-03"]
    assert (expiry.entries, expiry.held) == (0, 1)
    office.approved(office.protection.holds.propose_release("officer-1", hold.id, "The case is closed."))
    assert not office.readable(held)


def test_a_profile_that_was_set_by_mistake_erases_nothing_before_a_week(office: Office) -> None:
    query_id = office.asks("u-1", "Mine?")
    office.clock.now = datetime(2027, 6, 1, tzinfo=UTC)
    retention = office.protection.retention
    retention.run()
    assert [each.month for each in retention.preview()] == ["2026-03"]
    office.clock.forward(days=6)
    retention.settings = RetentionSettings(profile="bank")
    retention.run()
    assert retention.preview() == ()
    office.clock.forward(days=600)
    retention.run()
    assert office.readable(query_id)


def test_without_a_profile_nothing_expires(office: Office) -> None:
    query_id = office.asks("u-1", "Mine?")
    office.protection.retention.settings = RetentionSettings()
    for _ in range(2):
        office.clock.forward(days=20 * 365)
        office.protection.retention.run()
    assert office.readable(query_id)


def test_own_profiles_are_set_by_name_and_an_unknown_one_is_refused() -> None:
    assert RetentionSettings(profile="short", profiles={"short": 1}).months_of("short") == 1
    assert RetentionSettings(profile="bank").months_of("bank") == 60
    for wrong in ({"profile": "unknown"}, {"groups": {"trading": "unknown"}}):
        with pytest.raises(ValueError, match="bank"):
            RetentionSettings.model_validate(wrong)
    with pytest.raises(ValueError, match="gives a group no profile"):
        RetentionSettings(groups={"trading": ""})


def test_of_several_groups_the_longest_profile_counts() -> None:
    settings = RetentionSettings(
        profile="standard", profiles={"short": 1}, groups={"trading": "bank", "trainees": "short"}
    )
    assert settings.profile_of(["trainees", "everyone", "trading"]) == "bank"
    assert settings.profile_of(["trainees", "everyone"]) == "short"
    assert settings.profile_of(["everyone"]) == settings.profile_of([]) == "standard"


def test_what_a_group_asked_is_kept_as_its_profile_says(office: Office) -> None:
    retention = office.protection.retention
    retention.settings = RetentionSettings(
        profile="standard", profiles={"short": 1}, groups={"trading": "bank", "trainees": "short"}
    )
    trader, others = office.asks("u-1", "Mine?", groups=("everyone", "trading")), office.asks("u-2", "Theirs?")
    trainee = office.asks("u-3", f"{SECRET}?", groups=("trainees",))
    once = office.asks("u-4", "Before I went there?", groups=("trainees",))
    also = office.asks("u-4", "And after?", groups=("trading",))

    def left() -> list[bool]:
        return [office.readable(each) for each in (trader, others, trainee, once, also)]

    for now, profile, readable in (
        (datetime(2026, 5, 1, tzinfo=UTC), "short", [True, True, False, True, True]),
        (datetime(2026, 10, 1, tzinfo=UTC), "standard", [True, False, False, True, True]),
        (datetime(2031, 3, 24, tzinfo=UTC), "", [True, False, False, True, True]),
        (datetime(2031, 4, 1, tzinfo=UTC), "bank", [False] * 5),
    ):
        for days in (7, 0):  # once to announce it
            office.clock.now = now - timedelta(days=days)
            retention.run()
        assert left() == readable, now
        announced = [each.entry for each in office.log.entries(LogFilter(type=ExpiryAnnounced.type))]
        assert not profile or ExpiryAnnounced(("2026-03",), now.date().isoformat(), profile) in announced
    assert office.files_with(SECRET) == []
    verify(office.log.path)


def test_what_is_announced_is_told_by_profile(office: Office) -> None:
    retention = office.protection.retention
    retention.settings = RetentionSettings(profile="standard", profiles={"short": 1}, groups={"trainees": "short"})
    office.asks("u-1", "Mine?")
    office.asks("u-2", "Theirs?", groups=("trainees",))
    office.asks("u-3", "And theirs?", groups=("trainees",))
    office.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    retention.run()
    assert [(each.month, each.profile, each.people, each.entries) for each in retention.preview()] == [
        ("2026-03", "short", 2, 2),
        ("2026-03", "standard", 1, 1),
    ]


def test_groups_that_came_in_the_last_days_of_an_announced_month_count(office: Office) -> None:
    retention = office.protection.retention
    retention.settings = RetentionSettings(profiles={"at once": 0}, profile="at once", groups={"trading": "bank"})
    first = office.asks("u-1", "Mine?")
    office.clock.now = datetime(2026, 3, 28, tzinfo=UTC)
    retention.run()
    assert [each.profile for each in retention.preview()] == ["at once"]
    office.clock.forward(days=2)
    office.asks("u-1", "And now?", groups=("trading",))
    office.clock.forward(days=30)
    for _ in range(2):
        retention.run()
    assert office.readable(first)
    assert "2026-03" not in [each.month for each in retention.preview()]


def test_without_a_profile_for_all_only_what_a_group_asked_expires(office: Office) -> None:
    retention = office.protection.retention
    retention.settings = RetentionSettings(groups={"trainees": "standard"})
    mine, theirs = office.asks("u-1", "Mine?"), office.asks("u-2", "Theirs?", groups=("trainees",))
    for _ in range(2):
        office.clock.forward(days=20 * 365)
        retention.run()
    assert (office.readable(mine), office.readable(theirs)) == (True, False)


def test_months_follow_each_other_over_the_turn_of_the_year() -> None:
    assert [later("2025-11", by) for by in (-11, 0, 1, 2, 14)] == [
        "2024-12",
        "2025-11",
        "2025-12",
        "2026-01",
        "2027-01",
    ]


def test_daily_work_that_fails_says_why_and_leaves_the_other_alone() -> None:
    done: list[str] = []
    broken = [CatalogUnavailable("The disk is full."), ValueError("secret words")]

    def fail() -> None:
        if broken:
            raise broken.pop(0)

    daily = Daily({"first": fail, "second": lambda: done.append("second")})
    daily.run()
    assert daily.problems == {"first": "The disk is full."}
    daily.run()
    assert "secret" not in daily.problems["first"]
    daily.run()
    assert daily.problems == {}
    assert done == ["second"] * 3


def test_daily_work_is_done_at_the_start_and_ends_with_the_appliance() -> None:
    daily = Daily({"first": lambda: daily._stop.set()})
    daily.start()
    daily._thread.join(10)
    assert not daily._thread.is_alive()
    daily.close()


def test_a_week_is_the_shortest_notice(office: Office) -> None:
    office.asks("u-1", "Mine?")
    office.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    office.protection.retention.run()
    assert office.protection.retention.preview()[0].expires_at == office.clock() + timedelta(days=7)
