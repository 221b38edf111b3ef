"""The addresses of the pages. Streamlit calls any other unknown, in words of its own, so the server answers those."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from appliance.api.schemas.pages import NEXT, page_address

DOOR = "start"
"""What stands before the pages, at the root, and leads to the first of them. Its name is no address."""

CASE = "case"
"""The parameter of the cases' address that names the one that is open, by its id."""

ENTRY = "entry"
"""The parameter of the query log's address that names the question whose entry is open, by its id."""

DOCUMENT = "document"
"""The parameter of the library's address that names the document that was opened from its list, by its id."""

SOURCE = "source"
"""The parameter of a conversation's address that names the source that is open: the id of its question, its number."""


def and_back(step: str, here: str, given: Mapping[str, str]) -> str:
    """The address of a step that comes first, from which a reader comes back to the page that is open.

    Args:
        step: Its own address.
        here: The address of the page.
        given: The parameters of that.
    """
    goal = page_address(urlsplit(here).path.strip("/"), given)
    return f"{step}?{urlencode({NEXT: goal})}" if goal else step
