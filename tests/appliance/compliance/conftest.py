"""A database and a query log under one clock that the test holds, and two officers who look after them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.audit.entries import QuestionReceived
from appliance.audit.log import QueryLog
from appliance.compliance.erasures import Erasure
from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.compliance.holds import Hold
from appliance.compliance.protection import Protection, build
from appliance.config import RetentionSettings
from appliance.conversations import Conversations, StoredTurn
from appliance.database import Database
from appliance.domain import AnswerKind
from tests.data.migrated import migrated


@dataclass
class Clock:
    """A clock that stands until it is told to go."""

    now: datetime = datetime(2026, 3, 15, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[QueryLog]:
    with QueryLog(tmp_path / "log" / "queries.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = migrated(tmp_path / "strongroom.db")
    yield database
    database.close()


@pytest.fixture
def four_eyes(database: Database, log: QueryLog, clock: Clock) -> FourEyes:
    return FourEyes(database, log, clock)


@pytest.fixture
def answered() -> set[str]:
    """Whose questions are being answered now."""
    return set()


@pytest.fixture
def protection(database: Database, log: QueryLog, four_eyes: FourEyes, clock: Clock, answered: set[str]) -> Protection:
    return build(
        database, log, four_eyes, RetentionSettings(profile="standard"), lambda person: person in answered, clock
    )


@dataclass
class Office:
    """Somebody asks, another one too, and two officers look after what is on record of them."""

    folder: Path
    database: Database
    log: QueryLog
    four_eyes: FourEyes
    protection: Protection
    clock: Clock
    answered: set[str]

    def asks(self, person: str, text: str, conversation: str = "", groups: tuple[str, ...] = ()) -> str:
        """A question of a person with these groups on record, and in their history."""
        query_id, conversations = str(uuid.uuid4()), Conversations(self.database, self.log)
        conversation = conversation or conversations.start()
        self.log.append(QuestionReceived(query_id, person, f"name of {person}", groups, conversation, text, "browser"))
        turn = StoredTurn(query_id, text, f"Answer: {text}", AnswerKind.EXTRACTIVE, (), (), self.clock())
        conversations.add(conversation, person, turn)
        return query_id

    def readable(self, query_id: str) -> bool:
        return self.log.query(query_id).question is not None

    def approved(self, proposal: Proposal) -> None:
        self.four_eyes.decide("officer-2", proposal.id, approve=True)

    def erased(self, person: str, until: str = "") -> Erasure:
        """An order to erase a person, approved."""
        self.approved(self.protection.erasures.propose("officer-1", person, until, "They asked for it."))
        return next(order for order in self.protection.erasures.latest() if order.person_id == person)

    def holds(self, person: str = "", since: str = "", until: str = "") -> Hold:
        return self.protection.holds.place("officer-1", person, since, until, "A case is open.")

    def files_with(self, words: str | bytes) -> list[str]:
        """Which files of the data folder hold these words, or bytes."""
        wanted = words.encode() if isinstance(words, str) else words
        everything = [path for path in self.folder.rglob("*") if path.is_file()]
        assert len(everything) >= 5
        return [path.name for path in everything if wanted in path.read_bytes()]


@pytest.fixture
def office(
    tmp_path: Path,
    database: Database,
    log: QueryLog,
    four_eyes: FourEyes,
    protection: Protection,
    clock: Clock,
    answered: set[str],
) -> Office:
    return Office(tmp_path, database, log, four_eyes, protection, clock, answered)
