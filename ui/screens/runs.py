"""Syncs: the one that is running in a source's panel, and the latest ones with their reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from appliance import wording
from appliance.api.schemas.calling import segment
from appliance.api.schemas.runs import RunOut, RunState
from appliance.api.schemas.sources import SourceOut, SyncIn
from appliance.domain import SourceKind
from ui import pieces, states
from ui.client import Client
from ui.following import BUSY_S, IDLE_S, dialog, redraw
from ui.inert import Html, text

_LISTED = 15


def latest_by_source(runs: Iterable[RunOut]) -> dict[str, RunOut]:
    """The newest run of each source."""
    latest: dict[str, RunOut] = {}
    for run in runs:
        if run.source_id not in latest or run.started_at > latest[run.source_id].started_at:
            latest[run.source_id] = run
    return latest


def show_latest(client: Client, source: SourceOut, run: RunOut | None) -> None:
    """Show how the newest run of a source goes, or ended. What it asks to be confirmed is offered."""
    if run is None and source.kind is SourceKind.UPLOADS:
        pieces.show(pieces.line("Nothing was uploaded yet. What is uploaded here is read at once."))
    elif run is None:
        pieces.show(pieces.line("Not synced yet. Sync it once: it is kept in sync from then on."))
    elif run.state is RunState.RUNNING:
        st.fragment(_follow, run_every=BUSY_S)(client, run.id)
    elif run.state is RunState.FAILED:
        _show_failed(client, source, run)
    else:
        did = wording.outcomes(run.counts) or "nothing to do"
        pieces.show(pieces.line(f"What the last sync did, {pieces.moment(run.finished_at)}: {did}."))


def _follow(client: Client, run_id: str) -> None:
    """Draw a running sync again and again until it ends; then the whole page once. Its lines are always as many."""
    with pieces.problems_shown():
        run = next((run for run in client.runs() if run.id == run_id), None)
        if run is None or run.state is not RunState.RUNNING:
            redraw()
            pieces.show(pieces.line("The sync has ended."))
            return
        if run.total:
            st.progress(min(1.0, run.done / run.total), text=f"{run.done:,} of {pieces.count(run.total, 'file')}")
        else:
            st.progress(0.0, text="Looking through the folder")
        pieces.show(
            pieces.join([pieces.line(_speed(run), "sr-muted sr-speed"), pieces.line(_doing(run), "sr-muted sr-cut")])
        )


def _doing(run: RunOut) -> str:
    """What it has at hand. A blank keeps the line when nothing is to be said."""
    return wording.doing(run.current, run.done, run.total) or "\u00a0"


def _speed(run: RunOut) -> str:
    rate = "" if run.pages_per_s is None else f"{run.pages_per_s:,.1f} pages/s"
    left = "" if run.seconds_left is None else f"about {pieces.duration(run.seconds_left)} left"
    trouble = pieces.count(run.failures, "file to look at", "files to look at") if run.failures else ""
    return pieces.dotted(pieces.count(run.pages, "page"), pieces.count(run.chunks, "passage"), rate, left, trouble)


def _show_failed(client: Client, source: SourceOut, run: RunOut) -> None:
    missing = run.counts.get(wording.MISSING, 0)
    if source.paused and not missing:
        pieces.show(pieces.line(run.message))
        return
    pieces.show(pieces.notice(run.message, "warn" if missing else "bad"))
    if missing and not source.paused and st.button("Remove missing files", key=f"missing-{source.id}"):
        _confirm_missing(client, source, missing)


@dialog("Remove the missing files?")
def _confirm_missing(client: Client, source: SourceOut, missing: int) -> None:
    with pieces.problems_shown():
        number = pieces.count(missing, "document")
        pieces.show(
            pieces.line(
                f"{number} of {source.name} leave the index, because their files are no longer in the folder. If the "
                "folder is only not mounted, mount it and sync again instead."
            )
        )
        if st.button("Remove them from the index", type="primary", key=f"confirm-missing-{source.id}"):
            client.sync(source.id, SyncIn(missing_ok=True))
            st.rerun()


# the list


def page(client: Client) -> None:
    """Show the latest runs, again and again; more often as long as one goes on."""
    busy = _is_one_running(client.runs())
    st.fragment(_list, run_every=BUSY_S if busy else IDLE_S)(client, busy=busy)


def _is_one_running(runs: Iterable[RunOut]) -> bool:
    return any(run.state is RunState.RUNNING for run in runs)


def _list(client: Client, *, busy: bool) -> None:
    with pieces.problems_shown():
        runs = client.runs()
        if _is_one_running(runs) is not busy:
            redraw()
        if not runs:
            pieces.show(pieces.notice("No source was synced yet."))
            return
        _table(runs)


def _table(runs: Sequence[RunOut]) -> None:
    offset = pieces.offset("runs-page", _LISTED)
    columns = ("Source", "Started", "Took", "How it ended", "Report")
    pieces.show(pieces.table(columns, [_row(run) for run in runs[offset : offset + _LISTED]]))
    pieces.pager("runs-page", len(runs), _LISTED)


def _row(run: RunOut) -> tuple[Html, ...]:
    took = "" if run.finished_at is None else pieces.duration((run.finished_at - run.started_at).total_seconds())
    did = f"In this sync: {wording.outcomes(run.counts)}" if run.counts else ""
    read = pieces.dotted(pieces.count(run.pages, "page"), pieces.count(run.chunks, "passage")) if run.pages else ""
    lines = "".join(f"<br><small>{text(words)}</small>" for words in (run.message, did, read) if words)
    return (
        text(run.source),
        text(pieces.moment(run.started_at)),
        text(took),
        Html(f"{pieces.badge(*states.RUN_STATES[run.state])}{lines}"),
        _report_links(run),
    )


def _report_links(run: RunOut) -> Html:
    address = f"/api/runs/{segment(run.id)}/report?format="
    return Html(
        '<span class="sr-links">'
        + pieces.text_link("CSV", f"{address}csv", f"Report of {run.source} as CSV", download=True)
        + pieces.text_link("JSON", f"{address}json", f"Report of {run.source} as JSON", download=True)
        + "</span>"
    )
