"""The names of groups: one way to write each.

Rules this module keeps:

1. Groups are compared as they are written, everywhere. No name is ever folded into another, so nobody comes to see more
   than was written for them.
2. Two names that differ in upper and lower case alone would be two groups that people take for one. The second is
   refused where somebody gives it; where it stands already (in an access file, from before), the doctor names both.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from appliance.auth.accounts import Accounts
from appliance.catalog import Catalog
from appliance.domain import EVERYONE
from appliance.errors import InvalidRequest


def groups_in_use(accounts: Accounts, catalog: Catalog) -> frozenset[str]:
    """Every group a person is in, or a source or a document is labelled with; and everyone's."""
    return accounts.groups() | catalog.groups() | {EVERYONE}


def require_one_spelling(wanted: Iterable[str], in_use: Iterable[str]) -> None:
    """Raises InvalidRequest when a name is written otherwise than one in use, or than another one of those wanted."""
    known = set(in_use)
    for name in wanted:
        alike = next((other for other in sorted(known) if other != name and _folded(other) == _folded(name)), None)
        if alike is not None and name not in known:
            raise InvalidRequest(
                f"'{name}' and '{alike}' differ only in upper and lower case: they would be two groups, and who is in "
                f"one would not see what is for the other. Write '{alike}'."
            )
        known.add(name)


def written_differently(names: Iterable[str]) -> list[list[str]]:
    """Names that differ only in upper and lower case, together."""
    alike: dict[str, list[str]] = {}
    for name in sorted(names):
        alike.setdefault(_folded(name), []).append(name)
    return [found for found in alike.values() if len(found) > 1]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()
