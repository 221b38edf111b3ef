"""A database with two people, hashed once and copied for each test: real hashes are slow on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.auth.accounts import Accounts
from appliance.auth.sessions import Sessions
from appliance.config import SignInSettings
from appliance.database import Database, metadata
from appliance.domain import Principal, Role

PASSWORD = "seven brass keys on a ring"


@dataclass
class Clock:
    """A clock that stands until it is told to go."""

    now: datetime = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Staff:
    admin: Principal
    clerk: Principal


@pytest.fixture(scope="session")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Staff]:
    path = tmp_path_factory.mktemp("staffed") / "strongroom.db"
    database = Database(path)
    with database.write() as connection:
        metadata.create_all(connection)
    accounts = Accounts(database)
    admin = accounts.add("admin", PASSWORD, [Role.ADMIN, Role.EMPLOYEE], [])
    clerk = accounts.add("Clerk", PASSWORD, [Role.EMPLOYEE], ["claims", "legal"])
    database.close()
    return path, Staff(admin, clerk)


@pytest.fixture
def database(staffed: tuple[Path, Staff], tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "strongroom.db"
    shutil.copy(staffed[0], path)
    database = Database(path)
    yield database
    database.close()


@pytest.fixture
def staff(staffed: tuple[Path, Staff]) -> Staff:
    return staffed[1]


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> SignInSettings:
    return SignInSettings(
        idle_timeout_s=3600, lifetime_s=6 * 3600, max_failures=2, max_failures_per_name=4, failure_window_s=300
    )


@pytest.fixture
def sessions(database: Database, settings: SignInSettings, clock: Clock) -> Sessions:
    return Sessions(database, settings, clock)
