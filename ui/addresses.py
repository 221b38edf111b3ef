"""The addresses of the pages. Streamlit calls any other unknown, in words of its own, so the server answers those."""

from __future__ import annotations

from urllib.parse import urlsplit

from appliance.api.schemas.pages import NEXT, PAGES

DOOR = "start"
"""What stands before the pages, at the root, and leads to the first of them. Its name is no address."""


def and_back(step: str, here: str) -> str:
    """The address of a step that comes first, from which a reader comes back to the page whose address this is."""
    page = urlsplit(here).path.strip("/")
    return f"{step}?{NEXT}={page}" if page in PAGES else step
