"""The addresses of the screens, which the sign-in leads back to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

PAGES = ("ask", "library", "admin", "compliance", "review", "cases", "protection", "account")
PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "admin": {
        "admin-tab": (
            "Sources", "Runs", "Files", "Review", "People", "Access", "Directories", "Evaluation", "Health"
        ),
        "access-view": ("Requests", "What somebody sees", "What groups would see", "Why a document is seen"),
    },
    "compliance": {"log-tab": ("Questions", "Charts", "People", "Other events")},
    "review": {"reviews-tab": ("Waiting", "Second officer", "In a case", "Closed", "Rules")},
}  # fmt: skip
"""By page, the parameters of its address that say which part of it is open, and what each may say."""

NEXT = "next"
"""The parameter of the sign-in page that names the one of them that somebody came for."""


def page_address(page: str, given: Mapping[str, str]) -> str:
    """A page, and those of the parameters given that say which part of it is open; empty for what is no page.

    It is put together of the words above: whatever else is given is left out.
    """
    if page not in PAGES:
        return ""
    known = PARTS.get(page, {})
    said = [(name, part) for name, parts in known.items() for part in parts if given.get(name) == part]
    return f"{page}?{urlencode(said)}" if said else page
