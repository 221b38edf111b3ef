"""A database and a query log under one clock that the test holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.audit.log import QueryLog
from appliance.compliance.four_eyes import FourEyes
from appliance.database import Database


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
    database = Database(tmp_path / "strongroom.db")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def four_eyes(database: Database, log: QueryLog, clock: Clock) -> FourEyes:
    return FourEyes(database, log, clock)
