"""The words of requests for access: sealed, and plain about it when their key is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.access_requests import AccessRequests
from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import InvalidRequest

LOST = "This cannot be read any more: its key is gone."


@pytest.fixture
def requests(database: Database, log: QueryLog) -> AccessRequests:
    return AccessRequests(database, log)


@pytest.fixture
def ann(database: Database) -> str:
    return Accounts(database).add("ann", "seven brass keys on a ring", [Role.EMPLOYEE], []).id


def test_reason_and_answer_come_back_and_no_file_holds_them(requests: AccessRequests, ann: str, tmp_path: Path) -> None:
    requests.ask(ann, "legal", "Ultramarin, please")
    (waiting,) = requests.waiting()
    assert (waiting.person, waiting.group, waiting.reason, waiting.answer) == ("ann", "legal", "Ultramarin, please", "")
    requests.decide(waiting.id, "admin", approved=True, answer="Zinnober is yours")
    (decided,) = requests.of(ann)
    assert (decided.reason, decided.answer, decided.approved) == ("Ultramarin, please", "Zinnober is yours", True)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert [content for content in files if b"Ultramarin" in content or b"Zinnober" in content] == []


def test_a_request_whose_key_is_gone_says_so_and_is_decided_all_the_same(
    requests: AccessRequests, log: QueryLog, ann: str
) -> None:
    for group in ("legal", "board"):
        requests.ask(ann, group, "I need it.")
    first = next(item for item in requests.waiting() if item.group == "legal")
    requests.decide(first.id, "admin", approved=False, answer="Not now.")
    log.erase(log.holdings())
    lost = {item.group: (item.reason, item.answer) for item in requests.of(ann)}
    assert lost == {"legal": (LOST, LOST), "board": (LOST, "")}
    (waiting,) = requests.waiting()
    requests.decide(waiting.id, "admin", approved=True, answer="Yes.")
    assert (requests.one(waiting.id).reason, requests.one(waiting.id).answer) == (LOST, "Yes.")


def test_half_a_character_is_refused_and_nothing_is_stored(requests: AccessRequests, ann: str) -> None:
    with pytest.raises(InvalidRequest, match="lone surrogate"):
        requests.ask(ann, "", "half a \ud83d smile")
    assert requests.of(ann) == []
