"""Administration: sources, syncs, files, what waits for review, people, evaluations, and how the parts are."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from appliance.api.schemas.people import Me
from appliance.api.schemas.upkeep import CheckOut
from ui import pieces
from ui.client import Client
from ui.following import begin
from ui.inert import Html, text
from ui.part import keep_in_address
from ui.screens import access, directories, evaluation, files, people, review, runs, sources
from ui.screens.sources import groups_of

_CHECKS: dict[str, tuple[str, pieces.Tone]] = {
    "ok": ("OK", "good"),
    "warning": ("Look at this", "warn"),
    "error": ("Not working", "bad"),
}


def page(client: Client, me: Me) -> None:
    """Show the tabs; only the open one asks the appliance for anything."""
    begin()
    pieces.heading("Administration", wide=True)
    shown: dict[str, Callable[[], None]] = {
        "Sources": lambda: sources.page(client),
        "Runs": lambda: runs.page(client),
        "Files": lambda: files.page(client, client.sources()),
        "Review": lambda: review.page(client),
        "People": lambda: people.page(client, me, client.sources()),
        "Access": lambda: access.page(client, groups_of(client.sources())),
        "Directories": lambda: directories.page(client),
        "Evaluation": lambda: evaluation.page(client, me),
        "Health": lambda: _show_health(client),
    }
    keep_in_address("admin-tab", list(shown))
    tabs = st.tabs(list(shown), key="admin-tab", on_change="rerun")
    for tab, show in zip(tabs, shown.values(), strict=True):
        with tab, pieces.problems_shown():
            if tab.open:
                show()


# health


def _show_health(client: Client) -> None:
    checks = client.health().checks
    bad = sum(check.status != "ok" for check in checks)
    if bad:
        pieces.show(pieces.notice(f"{pieces.count(bad, 'check needs', 'checks need')} your attention.", "warn"))
    else:
        pieces.show(pieces.notice("Every part is well.", "good"))
    first = sorted(
        checks, key=lambda check: (-list(_CHECKS).index(check.status), not check.remedy)
    )  # the rest as it was
    pieces.show(pieces.table(("Part", "Status", "What was found"), [_check_row(check) for check in first]))
    st.button("Check again", key="health-again")


def _check_row(check: CheckOut) -> tuple[Html, ...]:
    remedy = f'<p class="sr-remedy">{text(check.remedy)}</p>' if check.remedy else ""
    return (
        text(check.name[:1].upper() + check.name[1:]),
        pieces.badge(*_CHECKS[check.status]),
        Html(f"{text(check.detail)}{remedy}"),
    )
