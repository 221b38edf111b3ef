"""Who may do what: every route and every page, by role. The tests and docs/reference/access.md are made from this.

python -m tests.access.matrix > docs/reference/access.md
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance.domain import Role
from tests.api.test_roles import ALLOWED, ANYBODY, BY_PROVIDER, OWN_ACCOUNT, SIGNING_IN, scope_of

ROLES = tuple(role.value for role in Role)

PAGES = {
    "Ask": {"employee"},
    "Library": {"employee"},
    "Administration": {"admin"},
    "Query log": {"compliance"},
    "Data protection": {"compliance"},
    "Review queue": {"compliance"},
    "Cases": {"compliance"},
    "Your account": {"employee", "admin", "compliance"},
}
"""The pages of the screens, by their titles, and whose they are."""

OWN = {
    "/api/ask (conversation_id)": "the person who asked",
    "/api/queries/{query_id}/feedback": "the person who asked",
    "/api/conversations/{conversation_id}": "the person who asked",
    "/api/documents/{document_id}": "who may see the document",
    "/api/documents/{document_id}/changes": "who may see the document",
    "/api/documents/{document_id}/pages/{page}.png": "who may see the document",
    "/api/passages/{chunk_id}": "who may see the document",
    "/api/passages/{chunk_id}/page.png": "who may see the document",
    "/api/reviews/{document_id}": "curators who may see the document",
    "/api/reviews/{document_id}/pages/{page}.png": "curators who may see the document",
    "/api/reviews/{document_id}/approve": "curators who may see the document",
    "/api/reviews/{document_id}/reject": "curators who may see the document",
    "/api/tokens/{token_id}": "the owner of the token",
}
"""Addresses with something in them that is not everybody's of the role, and whose it is."""

OF_THE_ROLE = (
    "/api/sources/", "/api/runs/", "/api/files/", "/api/people/", "/api/directories/", "/api/evaluations/",
    "/api/access/documents/", "/api/access/people/", "/api/access/requests/", "/api/log/queries/",
    "/api/compliance/", "/api/log/subjects/",
)  # fmt: skip
"""Addresses with something in them that everybody of the role looks after, so that nothing there is foreign."""


def document() -> Iterator[str]:
    """The lines of docs/reference/access.md."""
    yield "# Who may do what"
    yield ""
    yield "Made by `python -m tests.access.matrix`, from the table that the tests hold every route against. A route that"
    yield "is not in the table, or that a page of documentation does not show, fails them."
    yield ""
    yield "## Pages"
    yield ""
    yield f"| page | {' | '.join(ROLES)} |"
    yield f"|---|{'---|' * len(ROLES)}"
    for title, roles in PAGES.items():
        yield f"| {title} | {' | '.join(_mark(role in roles) for role in ROLES)} |"
    yield ""
    yield "A page of another role says at its address that it is not for this account. What it would show the API"
    yield "refuses besides."
    yield ""
    yield "## Routes"
    yield ""
    yield "A person can hold several roles, but never admin and compliance. `scope` is what an API token needs besides"
    yield "the role of its owner; without one no token opens the route."
    yield ""
    yield f"| route | {' | '.join(ROLES)} | scope |"
    yield f"|---|{'---|' * (len(ROLES) + 1)}"
    for route in sorted({*ALLOWED, *ANYBODY}, key=lambda route: route.split(" ")[::-1]):
        yield _row(route)
    yield ""
    yield "## Beside the API"
    yield ""
    yield "What is below `/login/oidc` is there where single sign-on is configured."
    yield ""
    yield "| route | who |"
    yield "|---|---|"
    by_whom = {
        **dict.fromkeys(SIGNING_IN, "anybody"),
        **dict.fromkeys(BY_PROVIDER, "the provider of single sign-on, with a token that it signed"),
        **dict.fromkeys(OWN_ACCOUNT, "whoever holds a session, of any role"),
    }
    for route in sorted(by_whom, key=lambda route: route.split(" ")[::-1]):
        yield f"| `{route}` | {by_whom[route]} |"
    yield ""
    yield "## Things of one's own"
    yield ""
    yield "What somebody may not see looks exactly like what does not exist: status, headers and body are the same to the"
    yield "byte, and how long it takes tells as little (`bench/timing.py`)."
    yield ""
    yield "| address | whose |"
    yield "|---|---|"
    for address, whose in OWN.items():
        yield f"| `{address}` | {whose} |"


def _row(route: str) -> str:
    if route in ANYBODY:
        return f"| `{route}` | {' | '.join(['anybody'] * len(ROLES))} | |"
    marks = " | ".join(_mark(role in ALLOWED[route]) for role in ROLES)
    if route == "GET /api/session":
        return f"| `{route}` | {marks} | any |"
    scope = scope_of(route)
    return f"| `{route}` | {marks} | {scope.value if scope else ''} |"


def _mark(allowed: bool) -> str:
    return "yes" if allowed else "-"


if __name__ == "__main__":
    print("\n".join(document()))
