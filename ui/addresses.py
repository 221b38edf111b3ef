"""The addresses of the pages. Streamlit calls any other unknown, in words of its own, so the server answers those."""

from __future__ import annotations

PAGES = ("ask", "library", "admin", "compliance", "review", "cases", "protection", "account")
DOOR = "start"
"""What stands before the pages, at the root, and leads to the first of them. Its name is no address."""
