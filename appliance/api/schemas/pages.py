"""The addresses of the screens, which the sign-in leads back to."""

from __future__ import annotations

PAGES = ("ask", "library", "admin", "compliance", "review", "cases", "protection", "account")
NEXT = "next"
"""The parameter of the sign-in page that names the one of them that somebody came for."""
