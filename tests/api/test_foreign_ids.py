"""What belongs to somebody else looks like what does not exist, at every address that names a thing.

The addresses come from the OpenAPI schema: a new one fails until `tests/access/matrix.py` says whose its things are.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.testclient import TestClient

from appliance.wiring import Appliance
from tests.access import matrix
from tests.api.conftest import Desk, events
from tests.api.test_roles import ALLOWED, routes

_PARAMETER = re.compile(r"\{(\w+)\}")
MALFORMED = (
    "x", "0", "-1", "null", "%00", "%0a", "%2e%2e", "..%2f..%2fetc%2fpasswd", "'%20OR%20'1'='1", quote("٣"), "%ff",
    "x" * 5000, "00000000-0000-0000-0000-000000000000", "%7b%7d", "*", "%25",
)  # fmt: skip


def _addresses(appliance: Appliance) -> set[str]:
    return {route.split(" ", 1)[1] for route in routes(appliance) if "{" in route}


def test_the_table_says_of_every_address_whose_its_things_are(desk: Desk) -> None:
    own = {address for address in matrix.OWN if "{" in address}
    found = _addresses(desk.appliance)
    assert own <= found
    unsaid = {address for address in found - own if not address.startswith(matrix.OF_THE_ROLE)}
    assert not unsaid, "say in tests/access/matrix.py whose these things are"


@pytest.fixture
def closed(desk: Desk) -> Iterator[dict[str, str]]:
    """The ids of things of 'hr', and of a document that waits for a curator who is in that group."""
    key = desk.add(
        desk.folder(
            **{
                "salaries__md": "# Salaries\n\nAn engineer earns 118,000 CHF a year.\n",
                ".access__toml": 'groups = ["hr"]\n',
            }
        )
    )
    waiting = desk.add(
        desk.folder(pending__md="# Pending\n\nA text that waits for somebody.\n"), curated=True, groups=["hr"]
    )
    desk.sync(key)
    desk.sync(waiting)
    theirs = desk.client("hr")
    asked = events(theirs.post("/api/ask", json={"question": "What does an engineer earn?"}))
    answer = json.loads(dict(asked)["answer"])
    token = theirs.post("/api/tokens", json={"label": "hr's own", "scopes": ["ask"]})
    assert token.status_code == 201, token.text
    yield {
        "query_id": answer["query_id"],
        "conversation_id": answer["conversation_id"],
        "document_id": desk.id_of(key, "salaries.md"),
        "version_id": answer["citations"][0]["version_id"],
        "chunk_id": answer["citations"][0]["chunk_id"],
        "token_id": theirs.get("/api/tokens").json()[-1]["id"],
        "pending_id": desk.id_of(waiting, "pending.md"),
    }


def _unknown(known: str) -> str:
    return "0" * 63 + "1" if len(known) == 64 else str(uuid.uuid5(uuid.NAMESPACE_URL, known))


def _asked(client: TestClient, method: str, address: str, ids: dict[str, str], version: str) -> httpx.Response:
    path = _PARAMETER.sub(lambda match: "1" if match[1] == "page" else ids[match[1]], address)
    given: dict[str, Any] = {}
    if address.endswith("/changes"):
        given["params"] = {"older": version, "newer": version}
    elif method != "GET":
        given["json"] = _body(address, version)
    return client.request(method, path, **given)


def _body(address: str, version: str) -> dict[str, str]:
    bodies = {"feedback": {"verdict": "up"}, "approve": {"version_id": version}}
    bodies["reject"] = {"version_id": version, "reason": "It is out of date."}
    return bodies.get(address.rsplit("/", 1)[1], {})


def _same(one: httpx.Response, other: httpx.Response) -> None:
    assert one.status_code == other.status_code
    assert one.content == other.content
    assert list(one.headers.items()) == list(other.headers.items())


OWN_ROUTES = sorted(
    (route, role) for route, roles in ALLOWED.items() for role in roles if route.split(" ", 1)[1] in matrix.OWN
)


def test_a_foreign_thing_and_an_unknown_one_get_the_same_answer_to_the_byte(desk: Desk, closed: dict[str, str]) -> None:
    refused = 0
    for route, role in OWN_ROUTES:
        method, address = route.split(" ", 1)
        ids = dict(closed)
        if "/reviews/" in address:
            ids["document_id"] = closed["pending_id"]
        client = desk.client(role)
        foreign = _asked(client, method, address, ids, closed["version_id"])
        unknown = _asked(
            client,
            method,
            address,
            {name: _unknown(value) for name, value in ids.items()},
            _unknown(closed["version_id"]),
        )
        _same(foreign, unknown)
        assert foreign.status_code == 404, (route, role, foreign.text)
        refused += 1
    assert refused == len(OWN_ROUTES) >= 13


def test_what_is_ones_own_is_there_all_the_same(desk: Desk, closed: dict[str, str]) -> None:
    theirs = desk.client("hr")
    for address in ("/api/conversations/{conversation_id}", "/api/documents/{document_id}", "/api/passages/{chunk_id}"):
        assert _asked(theirs, "GET", address, closed, closed["version_id"]).status_code == 200
    assert desk.client("hr-admin").get(f"/api/reviews/{closed['pending_id']}").status_code == 200


def test_a_foreign_conversation_cannot_be_gone_on_with(desk: Desk, closed: dict[str, str]) -> None:
    other = desk.client("employee")
    asked = [
        other.post("/api/ask", json={"question": "And now?", "conversation_id": key})
        for key in (closed["conversation_id"], _unknown(closed["conversation_id"]))
    ]
    _same(*asked)
    assert asked[0].status_code == 404


def test_a_query_for_a_foreign_name_finds_as_much_as_one_for_an_unknown_name(
    desk: Desk, closed: dict[str, str]
) -> None:
    other = desk.client("employee")
    for query in (
        {"text": "salaries"},
        {"text": "118,000"},
        {"source": desk.admin.get("/api/sources").json()[0]["name"]},
    ):
        found = other.get("/api/documents", params=query)
        unknown = other.get("/api/documents", params=dict.fromkeys(query, "Zzyzx"))
        _same(found, unknown)


FOR_TWO_OFFICERS = ("GET /api/log/subjects/{name}", "GET /api/log/subjects/{name}/account")
"""What says nothing of a name, not even whether there is one, before two officers agreed."""


@pytest.mark.parametrize("malformed", MALFORMED)
def test_an_id_that_is_none_is_refused_without_being_repeated(desk: Desk, malformed: str) -> None:
    for route, roles in ALLOWED.items():
        method, address = route.split(" ", 1)
        if "{" not in address:
            continue
        path = _PARAMETER.sub(malformed, address)
        for role in roles:
            answer = desk.client(role).request(method, path, json={"verdict": "up"})
            refused = {404, 405, 409, 422} | ({403} if route in FOR_TWO_OFFICERS else set())
            assert answer.status_code in refused, (route, role, answer.status_code)
            if len(malformed) > 16:
                assert malformed not in answer.text


def test_the_reference_shows_the_table() -> None:
    written = Path("docs/reference/access.md").read_text("utf-8")
    assert written == "\n".join(matrix.document()) + "\n", "python -m tests.access.matrix > docs/reference/access.md"


def test_a_role_for_each_column_and_no_more() -> None:
    assert {role for roles in ALLOWED.values() for role in roles} == set(matrix.ROLES)
    assert {role for roles in matrix.PAGES.values() for role in roles} == set(matrix.ROLES)
