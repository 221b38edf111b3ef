"""What tests of several parts of the appliance ask with: a query log, a database, a few passages under two labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.audit.log import QueryLog
from appliance.database import Database
from tests.appliance.retrieval.test_retriever import LEGAL, Shop
from tests.data.migrated import migrated


@pytest.fixture
def log(tmp_path: Path) -> Iterator[QueryLog]:
    with QueryLog(tmp_path / "log" / "queries.db") as opened:
        yield opened


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = migrated(tmp_path / "strongroom.db")
    yield made
    made.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "shop")
    shop.add("leave.txt", "Parental leave is 16 weeks.", "Unpaid leave needs a reason.")
    shop.add("case.txt", "The parental leave case is open.", groups=LEGAL.groups)
    yield shop
    shop.index.close()
    shop.database.close()
