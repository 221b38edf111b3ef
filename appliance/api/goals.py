"""Where somebody was going who has to sign in first.

Rules this module keeps:

1. A goal is the name of one of our own pages. It is no address, and no part of one that a stranger could choose:
   whatever else a request names leads to the start page.
2. It is looked at again wherever it comes back from a browser.
"""

from __future__ import annotations

from collections.abc import Mapping

from appliance.api.schemas.pages import NEXT, PAGES


def goal_of(untrusted: Mapping[str, object]) -> str:
    """The page that the parameters of an address, the fields of a form or cookies name; empty for the start page."""
    named = untrusted.get(NEXT)
    return next((page for page in PAGES if page == named), "")


def with_goal(path: str, goal: str) -> str:
    """The address of a step on the way to a goal."""
    return f"{path}?{NEXT}={goal}" if goal else path
