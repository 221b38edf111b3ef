"""Where somebody was going who has to sign in first.

Rules this module keeps:

1. A goal is the name of one of our own pages, with the names of those of its parts that are open. There is no part in
   it that a stranger could choose: whatever else a request names leads to the start page.
2. It is looked at again wherever it comes back from a browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from appliance.api.schemas.pages import NEXT, page_address


def goal_of(untrusted: Mapping[str, object]) -> str:
    """The page that the parameters of an address, the fields of a form or cookies name; empty for the start page."""
    named = str(untrusted.get(NEXT, ""))
    page, _, query = named.partition("?")
    goal = page_address(page, dict(parse_qsl(query)))
    return goal if goal == named else ""


def with_goal(path: str, goal: str) -> str:
    """The address of a step on the way to a goal."""
    return f"{path}?{urlencode({NEXT: goal})}" if goal else path
