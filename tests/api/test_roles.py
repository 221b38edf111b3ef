"""Every route refuses the wrong role. The routes come from the OpenAPI schema, so that none can be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from appliance.api.app import create_api, create_openai_api
from appliance.api.app import routes as every_route
from appliance.config import ModelSettings, Provider, Settings
from appliance.config.identity import OidcSettings
from appliance.domain import Scope
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.api.conftest import BASE, PASSWORD, Client

ANYBODY = {"GET /api/ready", "POST /api/session"}
SIGNED_IN = {
    "GET /api/session", "DELETE /api/session", "POST /api/session/password", "GET /api/account",
    "GET /api/tokens", "POST /api/tokens", "DELETE /api/tokens/{token_id}",
    "GET /api/passages/{chunk_id}", "GET /api/passages/{chunk_id}/page.png",
    "GET /api/access/terms",
}  # fmt: skip
EMPLOYEE = {
    "POST /api/ask", "POST /api/queries/{query_id}/feedback",
    "GET /api/conversations", "GET /api/conversations/{conversation_id}", "DELETE /api/conversations/{conversation_id}",
    "GET /api/documents", "GET /api/documents/{document_id}", "GET /api/documents/{document_id}/changes",
    "POST /api/access/requests", "GET /api/access/requests/mine",
    "GET /v1/models", "POST /v1/chat/completions",
}  # fmt: skip
EMPLOYEE_OR_ADMIN = {"GET /api/documents/{document_id}/pages/{page}.png"}
ADMIN_OR_COMPLIANCE = {"GET /api/papers"}
ADMIN = {
    "GET /api/sources", "POST /api/sources", "POST /api/sources/preview",
    "PATCH /api/sources/{source_id}", "DELETE /api/sources/{source_id}",
    "POST /api/sources/{source_id}/sync", "GET /api/sources/{source_id}/preview",
    "POST /api/sources/{source_id}/pause", "POST /api/sources/{source_id}/resume",
    "POST /api/sources/{source_id}/uploads",
    "GET /api/runs", "GET /api/runs/{run_id}/report",
    "GET /api/files", "POST /api/files/retry", "POST /api/files/{document_id}/password",
    "DELETE /api/files/{document_id}", "GET /api/files/{document_id}/coverage",
    "GET /api/reviews", "GET /api/reviews/{document_id}", "GET /api/reviews/{document_id}/pages/{page}.png",
    "POST /api/reviews/{document_id}/approve", "POST /api/reviews/{document_id}/reject",
    "GET /api/index/difference", "POST /api/index/reconcile", "GET /api/receipts",
    "GET /api/index/model-change",
    "GET /api/people", "POST /api/people", "PATCH /api/people/{person_id}", "POST /api/people/{person_id}/password",
    "POST /api/people/{person_id}/unlock", "DELETE /api/people/{person_id}/second-factor", "GET /api/directories",
    "GET /api/people/agreements", "POST /api/people/agreements",
    "GET /api/people/{person_id}/tokens", "POST /api/people/{person_id}/tokens",
    "DELETE /api/people/{person_id}/tokens/{token_id}",
    "GET /api/directories/{name}", "POST /api/directories/{name}/sync",
    "GET /api/evaluations", "POST /api/evaluations", "POST /api/evaluations/feedback",
    "GET /api/evaluations/{evaluation_id}", "DELETE /api/evaluations/{evaluation_id}",
    "GET /api/evaluations/{evaluation_id}/comparison", "POST /api/evaluations/{evaluation_id}/cancel",
    "GET /api/health", "GET /api/metrics",
    "GET /api/access/documents/{document_id}", "GET /api/access/people/{person_id}", "GET /api/access/preview",
    "GET /api/access/requests", "POST /api/access/requests/{request_id}",
}  # fmt: skip
COMPLIANCE = {
    "GET /api/log/queries", "GET /api/log/queries/{query_id}", "GET /api/log/events", "POST /api/log/verify",
    "GET /api/log/export", "GET /api/log/checkpoint", "GET /api/log/checkpoint/file",
    "POST /api/log/openings", "GET /api/log/openings/mine",
    "GET /api/log/charts", "POST /api/log/exports", "GET /api/log/exports/mine",
    "GET /api/compliance/namings", "POST /api/compliance/namings", "POST /api/compliance/namings/{naming_id}/telling",
    "GET /api/compliance/proposals", "POST /api/compliance/proposals/{proposal_id}/decision",
    "POST /api/compliance/confirmations",
    "GET /api/compliance/holds", "POST /api/compliance/holds", "POST /api/compliance/holds/{hold_id}/release",
    "GET /api/compliance/retention", "GET /api/compliance/erasures", "POST /api/compliance/erasures",
    "GET /api/compliance/erasures/{erasure_id}/certificate",
    "GET /api/log/subjects/{name}", "GET /api/log/subjects/{name}/account",
    "GET /api/log/condition",
    "GET /api/compliance/rules", "POST /api/compliance/rules", "DELETE /api/compliance/rules/{rule_id}",
    "GET /api/compliance/reviews", "POST /api/compliance/reviews/{query_id}",
    "GET /api/compliance/cases", "POST /api/compliance/cases", "GET /api/compliance/cases/{case_id}",
    "POST /api/compliance/cases/{case_id}/queries", "POST /api/compliance/cases/{case_id}/notes",
    "POST /api/compliance/cases/{case_id}/closing", "GET /api/compliance/cases/{case_id}/package",
    "GET /api/compliance/package", "GET /api/compliance/package/questions",
    "POST /api/log/queries/{query_id}/replay",
}  # fmt: skip
WITHOUT_REASON = {
    "GET /api/log/checkpoint", "GET /api/log/checkpoint/file", "GET /api/log/condition",
    "POST /api/log/verify", "POST /api/log/openings", "GET /api/log/openings/mine",
    "GET /api/log/exports/mine",
    "GET /api/compliance/proposals", "POST /api/compliance/proposals/{proposal_id}/decision",
    "POST /api/compliance/confirmations",
    "GET /api/compliance/holds", "POST /api/compliance/holds", "POST /api/compliance/holds/{hold_id}/release",
    "GET /api/compliance/retention", "GET /api/compliance/erasures", "POST /api/compliance/erasures",
    "GET /api/compliance/erasures/{erasure_id}/certificate",
    "GET /api/compliance/rules", "POST /api/compliance/rules", "DELETE /api/compliance/rules/{rule_id}",
    "POST /api/compliance/reviews/{query_id}",
    "POST /api/compliance/cases", "POST /api/compliance/cases/{case_id}/queries",
    "POST /api/compliance/cases/{case_id}/notes", "POST /api/compliance/cases/{case_id}/closing",
}  # fmt: skip
"""What officers do that shows nothing of what the query log holds."""

WHEN_TWO_AGREED = {"GET /api/log/subjects/{name}", "GET /api/log/subjects/{name}/account"}
"""What tells an officer nothing, not even whether there is somebody of a name, before a second one agreed."""

ALLOWED = {
    **dict.fromkeys(SIGNED_IN, {"employee", "admin", "compliance"}),
    **dict.fromkeys(EMPLOYEE, {"employee"}),
    **dict.fromkeys(EMPLOYEE_OR_ADMIN, {"employee", "admin"}),
    **dict.fromkeys(ADMIN_OR_COMPLIANCE, {"admin", "compliance"}),
    **dict.fromkeys(ADMIN, {"admin"}),
    **dict.fromkeys(COMPLIANCE, {"compliance"}),
}

SIGNING_IN = {
    "GET /login", "POST /login", "GET /login.css", "GET /favicon.ico", "POST /logout",
    "GET /login/oidc", "GET /login/oidc/return", "GET /login/arrived",
}  # fmt: skip
"""Pages of ours beside the API that are there for strangers; what of OpenID Connect, where it is configured."""

BY_PROVIDER = {"POST /login/oidc/signed-out"}
"""What the provider of single sign-on calls, with a token that it signed (`test_sign_outs.py`)."""

OWN_ACCOUNT = {
    "GET /password", "POST /password",
    "GET /second-factor", "POST /second-factor", "POST /second-factor/remove",
}  # fmt: skip
"""Pages of whoever holds a session, of any role."""


WITHOUT_TOKEN = (
    {route for route in SIGNED_IN if "passages" not in route and route != "GET /api/session"}
    | {route for route in ADMIN if "/api/people" in route and not route.startswith("GET")}
    - {"POST /api/people/{person_id}/unlock", "DELETE /api/people/{person_id}/tokens/{token_id}"}
    | {"POST /api/reviews/{document_id}/approve"}
    | {route for route in EMPLOYEE | ADMIN if "/api/access/" in route}
    | {route for route in COMPLIANCE if re.search("/api/(compliance|log/exports|log/subjects)", route)}
)
SCOPES = {
    Scope.ASK: ("/v1/", "/api/ask", "/api/queries", "/api/passages"),
    Scope.HISTORY: ("/api/conversations",),
    Scope.LIBRARY: ("/api/documents",),
    Scope.INGEST: ("/api/sources", "/api/runs", "/api/files", "/api/reviews", "/api/index", "/api/receipts"),
    Scope.PEOPLE: ("/api/people", "/api/directories"),
    Scope.EVALUATE: ("/api/evaluations",),
    Scope.HEALTH: ("/api/health", "/api/metrics", "/api/papers"),
    Scope.LOG: ("/api/log",),
}
"""Which scope a token needs, by how the path begins."""


def scope_of(route: str) -> Scope | None:
    path = route.split(" ", 1)[1]
    found = [scope for scope, beginnings in SCOPES.items() if path.startswith(beginnings)]
    return None if route in WITHOUT_TOKEN else found[0]


def routes(appliance: Appliance) -> Iterator[str]:
    for prefix, app in (("/api", create_api(appliance)), ("/v1", create_openai_api(appliance))):
        for path, methods in app.openapi()["paths"].items():
            for method in methods:
                yield f"{method.upper()} {prefix}{path}"


def call(client: Any, route: str) -> Any:
    method, path = route.split(" ", 1)
    for name in ("{page}",):
        path = path.replace(name, "1")
    while "{" in path:
        path = path[: path.index("{")] + "unknown" + path[path.index("}") + 1 :]
    return client.request(method, path, json={})


def test_the_table_names_every_route(appliance: Appliance) -> None:
    assert set(routes(appliance)) == ANYBODY | set(ALLOWED)


def test_the_tables_name_every_page_beside_the_api(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        model=ModelSettings(provider=Provider.NONE),
        oidc=OidcSettings(issuer="http://127.0.0.1:9", client_id="strongroom", public_url="https://strongroom.example"),
    )
    with opened(settings) as with_single_sign_on:
        pages = [route for route in every_route(with_single_sign_on) if isinstance(route, Route)]
    named = {f"{method} {page.path}" for page in pages for method in cast("set[str]", page.methods) - {"HEAD"}}
    assert named == SIGNING_IN | BY_PROVIDER | OWN_ACCOUNT


@pytest.mark.parametrize("page", sorted(OWN_ACCOUNT))
@pytest.mark.parametrize("cookie", ["", "x" * 43])
def test_whoever_holds_no_session_is_led_from_the_pages_of_an_account_to_sign_in(
    client: Client, page: str, cookie: str
) -> None:
    stranger = client("")
    stranger.cookies.set("strongroom_session", cookie)
    response = stranger.request(*page.split(" "), follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/login")


@pytest.mark.parametrize("page", sorted(page for page in OWN_ACCOUNT if page.startswith("GET")))
@pytest.mark.parametrize("role", ["employee", "admin", "compliance"])
def test_the_pages_of_an_account_are_there_for_every_role(client: Client, page: str, role: str) -> None:
    assert client(role).request(*page.split(" ")).status_code == 200


@pytest.mark.parametrize("who", ["", "admin"])
def test_the_schema_of_the_api_is_served_to_nobody(client: Client, who: str) -> None:
    for path in ("/api/openapi.json", "/v1/openapi.json", "/openapi.json", "/api/docs", "/api/redoc"):
        assert client(who).get(path).status_code == 404, path


@pytest.mark.parametrize("route", sorted(ALLOWED))
def test_a_stranger_is_refused(client: Client, route: str) -> None:
    response = call(client(""), route)
    assert response.status_code == 401
    assert response.json()["code"] == "not_signed_in"


@pytest.mark.parametrize("route", sorted(ALLOWED))
def test_a_forged_cookie_and_a_forged_token_are_refused(client: Client, route: str) -> None:
    forged = client("")
    forged.cookies.set("strongroom_session", "x" * 43)
    assert call(forged, route).status_code == 401
    bearer = client("")
    bearer.headers["Authorization"] = "Bearer sr_" + "x" * 43
    assert call(bearer, route).status_code == 401


@pytest.mark.parametrize(
    ("route", "role"),
    [(route, role) for route in sorted(ALLOWED) for role in ("employee", "admin", "compliance")],
)
def test_a_role_is_admitted_or_refused_as_the_table_says(client: Client, route: str, role: str) -> None:
    if role in ALLOWED[route]:
        if route == "DELETE /api/session":
            return  # would end the session the other tests share; test_signin.py has its own
        agreed = route in WHEN_TWO_AGREED and client(role).get("/api/log/exports/mine").json()["until"]
        response = call(client(role), route)
        if route in WHEN_TWO_AGREED and not agreed:  # in another test that shares these people two may have
            assert "two officers agree before it is taken out" in response.json()["message"]
        else:
            assert response.status_code not in (401, 403)
    else:
        response = call(client(role), route)
        assert response.status_code == 403
        assert response.json()["code"] == "access_denied"


@pytest.mark.parametrize("route", sorted(COMPLIANCE))
def test_what_the_log_holds_is_shown_to_whoever_wrote_down_why(
    client: Client, appliance: Appliance, unopened: str, route: str
) -> None:
    officer = client("")
    officer.cookies.set("strongroom_session", unopened, domain="testserver.local", path="/")
    response = call(officer, route)
    if route in WITHOUT_REASON:
        assert response.status_code not in (401, 403)
    else:
        assert (response.status_code, response.json()["code"]) == (403, "log_not_opened")


@pytest.fixture(scope="module")
def unopened(appliance: Appliance) -> str:
    """A session of an officer who gave no reason."""
    return appliance.sessions.sign_in("compliance", PASSWORD, "127.0.0.1").token


class Program:
    """A program with tokens of its own, for each role and whatever scopes the test wants."""

    def __init__(self, appliance: Appliance) -> None:
        self._sessions = appliance.sessions
        self._people = {person.name: person.id for person in appliance.accounts.people()}
        self._client = TestClient(create_headless_app(appliance), base_url=BASE)

    def call(self, role: str, scopes: set[Scope], route: str) -> Any:
        token = self._sessions.issue_token(self._people[role], "sweep", timedelta(hours=1), scopes)
        self._client.headers["Authorization"] = f"Bearer {token}"
        if role == "compliance" and Scope.LOG in scopes:
            assert self._client.post("/api/log/openings", json={"reason": "A sweep of the routes"}).is_success
        return call(self._client, route)


@pytest.fixture(scope="module")
def program(appliance: Appliance) -> Program:
    return Program(appliance)


@pytest.mark.parametrize("route", sorted(set(ALLOWED) - {"GET /api/session"}))
def test_a_token_opens_what_its_scope_names_and_nothing_else(program: Program, route: str) -> None:
    role, needed = min(ALLOWED[route]), scope_of(route)
    refused = program.call(role, set(Scope) - {needed} if needed else set(Scope), route)
    assert refused.status_code in (401, 403)
    assert refused.json()["code"] in ("access_denied", "not_signed_in")
    if needed is not None:
        assert program.call(role, {needed}, route).status_code not in (401, 403)


def test_a_scope_adds_nothing_to_the_rights_of_its_owner(program: Program) -> None:
    assert program.call("employee", set(Scope), "GET /api/log/events").status_code == 403
    assert program.call("admin", set(Scope), "GET /api/log/events").status_code == 403
    assert program.call("compliance", set(Scope), "GET /api/people").status_code == 403


def test_a_refused_request_is_refused_before_its_body_is_looked_at(client: Client) -> None:
    response = client("employee").post("/api/people", content=b"{not json")
    assert response.status_code == 403
