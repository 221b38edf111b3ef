"""Sources: the folders kept in sync and the places for uploads, each with how it stands and what can be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from appliance import wording
from appliance.api.schemas.runs import RunOut, RunState
from appliance.api.schemas.sources import PreviewFileOut, PreviewOut, Reread, SourceIn, SourceOut, SyncIn
from appliance.domain import SourceKind
from ui import pieces, states
from ui.client import ApiProblem, Client
from ui.following import BUSY_S, dialog, follow, redraw
from ui.inert import Html, text
from ui.screens import runs, uploads
from ui.screens.source_form import add_folder_form, add_uploads_form, change_form, schedule

_AGAIN = {
    Reread.NOTHING: "What changed",
    Reread.TROUBLED: "What changed, and the files in trouble",
    Reread.EVERYTHING: "Everything",
}


def page(client: Client) -> None:
    """Show a panel for each source, and the forms to add one."""
    latest: Mapping[str, RunOut] | None = None
    with pieces.problems_shown():
        known_runs = client.runs()
        follow(client, known_runs)
        latest = runs.latest_by_source(known_runs)
    # After the runs: a sync that ends in between is drawn anew, but one that the runs show as ended is not.
    sources = client.sources()
    if not sources:
        pieces.show(pieces.notice("No folder is kept in sync yet. Add the first one below."))
    for source in sources:
        with st.container(border=True, key=f"sr-panel-{source.id}"):
            _show_panel(client, source, sources, latest)
    _offer_new(client, sources)


def groups_of(sources: Iterable[SourceOut]) -> set[str]:
    """The groups that sources are labelled with."""
    return {group for source in sources for group in source.groups}


def _show_panel(
    client: Client, source: SourceOut, sources: list[SourceOut], latest: Mapping[str, RunOut] | None
) -> None:
    """A source, as far as it is known; its runs are not when `latest` is None."""
    run = latest.get(source.id) if latest else None
    pieces.show(_about(source))
    if source.removing:
        st.fragment(_follow_removal, run_every=BUSY_S)(client, source.id)
        return
    if latest is not None:
        runs.show_latest(client, source, run)
    _offer_acts(client, source, sources, running=run is not None and run.state is RunState.RUNNING)
    if source.kind is SourceKind.UPLOADS:
        with pieces.problems_shown():
            uploads.show_uploads(client, source)


def _follow_removal(client: Client, source_id: str) -> None:
    """Say what a source that is to go waits for, again and again until it is gone; then draw the whole page once."""
    with pieces.problems_shown():
        source = next((source for source in client.sources() if source.id == source_id), None)
        if source is None:
            redraw()
            return
        if source.removal_problem:
            told = f"Removing it failed, and is tried again every minute. {source.removal_problem}"
            pieces.show(pieces.notice(told, "warn"))
        running = [run.source for run in client.runs() if run.state is RunState.RUNNING]
        waits = f"It waits for the sync of {running[-1]} to end." if running else "That is being done now."
        words = "Nobody sees its documents any more. They leave the index, and then it is gone from here."
        pieces.show(pieces.line(f"{words} {waits}"))


def _offer_new(client: Client, sources: list[SourceOut]) -> None:
    with st.expander("Add a folder", expanded=not sources), pieces.problems_shown():
        asked = add_folder_form(groups_of(sources), client.access_terms().levels)
        if asked is not None and asked.only_look:
            _preview_folder(client, asked.source)
        elif asked is not None:
            _add_folder(client, asked.source)
    with st.expander("Add a place for uploads"), pieces.problems_shown():
        place = add_uploads_form(groups_of(sources))
        if place is not None:
            added = client.add_source(place)
            pieces.say_after_rerun(f"Added {added.name}. Upload files to it.")
            st.rerun()


def _add_folder(client: Client, wanted: SourceIn) -> None:
    """Add a folder, and begin to read it: that is what somebody adds one for."""
    added = client.add_source(wanted)
    try:
        client.sync(added.id)
        pieces.say_after_rerun(f"Added {added.name}. Its files are being read.")
    except ApiProblem as problem:
        pieces.say_after_rerun(f"Added {added.name}. Its files are not read yet: {problem.message}", "warn")
    st.rerun()


def _about(source: SourceOut) -> Html:
    marks = [
        pieces.badge("being removed", "warn") if source.removing else Html(""),
        pieces.badge("paused", "warn") if source.paused and not source.removing else Html(""),
        pieces.badge("uploads") if source.kind is SourceKind.UPLOADS else Html(""),
        pieces.badge("curated") if source.curated else Html(""),
    ]
    where = f"<p><code>{text(source.path)}</code></p>" if source.kind is SourceKind.FOLDER else ""
    numbers = pieces.join(
        states.badge(state, wording.counted(state, source.states[state]))
        for state in wording.STATES
        if source.states.get(state)
    )
    standing = f'<span class="sr-muted">All its files now:</span> {numbers}' if numbers else ""
    lines = "".join(f"<p>{text(words)}</p>" for words in _facts(source) if words)
    return Html(
        f'<div class="sr-source"><div><h2>{text(source.name)} {pieces.join(marks)}</h2>{where}{lines}'
        f"<p>{standing}</p></div></div>"
    )


def _facts(source: SourceOut) -> list[str]:
    owner = f"Owner: {source.owner}" if source.owner else ""
    language = f"Language: {source.language}" if source.language else ""
    due = f"The next file in trouble is tried again {pieces.moment(source.retry_at)}" if source.retry_at else ""
    return [
        pieces.dotted("" if source.removing else f"Seen by {source.seen_by}", owner, language),
        schedule(source) if source.kind is SourceKind.FOLDER and not source.removing else "",
        f"Takes in only {', '.join(source.include)}" if source.include else "",
        f"Leaves out {', '.join(source.exclude)}" if source.exclude else "",
        due,
    ]


def _offer_acts(client: Client, source: SourceOut, sources: list[SourceOut], *, running: bool) -> None:
    """All the buttons first, then what one of them does: an act that is refused takes none of them away."""
    resting = running or source.paused
    pausing = "Resume" if source.paused else "Pause"
    with st.container(horizontal=True, gap="small"):
        acts: list[tuple[bool, Callable[[], None]]] = [
            (
                st.button("Sync now", key=f"sync-{source.id}", disabled=resting),
                lambda: _sync(client, source),
            ),
            (
                st.button("Preview", key=f"preview-{source.id}"),
                lambda: _preview(client, source),
            ),
            (
                # The key holds the word, so that the second half of a double click does not undo the first.
                st.button(pausing, key=f"{pausing.lower()}-{source.id}"),
                lambda: _pause(client, source),
            ),
            (
                st.button("Read again", key=f"reread-{source.id}", disabled=resting),
                lambda: _read_again(client, source),
            ),
            (
                st.button("Settings", key=f"settings-open-{source.id}"),
                lambda: _settings(client, source, groups_of(sources)),
            ),
            (
                st.button("Remove", key=f"remove-{source.id}", type="tertiary"),
                lambda: _remove(client, source),
            ),
        ]
    with pieces.problems_shown():
        for pressed, act in acts:
            if pressed:
                act()


def _sync(client: Client, source: SourceOut) -> None:
    client.sync(source.id)
    st.rerun()


def _pause(client: Client, source: SourceOut) -> None:
    (client.resume if source.paused else client.pause)(source.id)
    now = "is kept in sync again" if source.paused else "is left as it is until you resume it"
    pieces.say_after_rerun(f"{source.name} {now}.")
    st.rerun()


# the dialogs


@dialog("What a sync would do", "medium")
def _preview(client: Client, source: SourceOut) -> None:
    with pieces.problems_shown():
        again = _choose_again(source, "preview-again", list(_AGAIN))
        _show_preview(client.preview(source.id, again), source.name)
        if st.button("Sync like this", type="primary", key=f"preview-sync-{source.id}", disabled=source.paused):
            client.sync(source.id, SyncIn(again=again))
            st.rerun()


@dialog("What a sync would do", "medium")
def _preview_folder(client: Client, wanted: SourceIn) -> None:
    with pieces.problems_shown():
        _show_preview(client.preview_folder(wanted), wanted.name)
        if st.button("Add the folder and read its files", type="primary", key="preview-add"):
            _add_folder(client, wanted)


def _show_preview(found: PreviewOut, name: str) -> None:
    pieces.show(
        pieces.line(f"Nothing in {name} is changed by looking. Whether a file can be read, only a sync finds out.")
    )
    if found.needs_confirmation:
        words = "So many files are missing that a sync would keep their documents and ask first."
        pieces.show(pieces.notice(words, "warn"))
    pieces.show(
        pieces.fields((f"Files {words}", text(f"{number:,}")) for words, number in wording.actions(found.counts))
    )
    _show_touched(found)


def _show_touched(found: PreviewOut) -> None:
    if not found.files:
        if found.matches_nothing:
            pieces.show(pieces.notice("The patterns leave out every file of the folder. Check them.", "warn"))
        else:
            pieces.show(pieces.notice("A sync would touch no file.", "good"))
        return
    touched = sum(number for name, number in found.counts.items() if name not in ("leave", "left_out"))
    if touched > len(found.files):
        pieces.show(pieces.line(f"The first {len(found.files):,} of {pieces.count(touched, 'file')}."))
    with st.container(key="sr-touched"):
        pieces.show(pieces.table(("File", "A sync would", "Why"), [_touched(file) for file in found.files]))


def _touched(file: PreviewFileOut) -> tuple[Html, ...]:
    return (text(file.path), pieces.badge(wording.action(file.action)), text(file.reason))


def _choose_again(source: SourceOut, key: str, choices: list[Reread]) -> Reread:
    return st.radio("What is to be read", choices, format_func=_AGAIN.__getitem__, key=f"{key}-{source.id}")


@dialog("Read files again")
def _read_again(client: Client, source: SourceOut) -> None:
    with pieces.problems_shown():
        pieces.show(
            pieces.line(f"Files of {source.name} are read although nothing about them changed. What is found stays.")
        )
        again = _choose_again(source, "reread-what", [Reread.TROUBLED, Reread.EVERYTHING])
        if st.button("Read again now", type="primary", key=f"confirm-reread-{source.id}"):
            client.sync(source.id, SyncIn(again=again))
            st.rerun()


@dialog("Settings")
def _settings(client: Client, source: SourceOut, known: set[str]) -> None:
    with pieces.problems_shown():
        pieces.show(Html(f'<div class="sr-source"><div><h2>{text(source.name)}</h2></div></div>'))
        patch = change_form(source, known, client.access_terms().levels)
        if patch is None:
            return
        if not patch.model_fields_set:
            pieces.show(pieces.notice("Nothing was changed."))
            return
        changed = client.change_source(source.id, patch)
        pieces.say_after_rerun(f"The settings of {changed.name} are changed.")
        st.rerun()


@dialog("Remove this source?")
def _remove(client: Client, source: SourceOut) -> None:
    kept = source.kind is SourceKind.FOLDER
    fate = "The files stay where they are." if kept else "The uploaded files are deleted with it."
    with pieces.problems_shown():
        words = "is no longer kept in sync. From now on nobody sees its documents, and they leave the index."
        pieces.show(pieces.line(f"{source.name} {words} {fate}"))
        if st.button("Remove source", type="primary", key=f"confirm-remove-{source.id}"):
            gone = client.remove_source(source.id)
            going = f"Nobody sees the documents of {source.name} any more. They leave the index in the background."
            pieces.say_after_rerun(f"Removed {source.name}." if gone else going)
            st.rerun()
