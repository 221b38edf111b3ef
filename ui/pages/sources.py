"""Sources: the folders kept in sync and the places for uploads, each with how it stands and what can be done."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from appliance import wording
from appliance.api.schemas.runs import RunState
from appliance.api.schemas.sources import PreviewFileOut, PreviewOut, Reread, SourceIn, SourceOut, SyncIn
from appliance.domain import SourceKind
from ui import pieces, states
from ui.client import Client
from ui.following import dialog, follow
from ui.inert import Html, text
from ui.pages import runs, uploads
from ui.pages.source_form import add_folder_form, add_uploads_form, change_form, schedule

_AGAIN = {
    Reread.NOTHING: "What changed",
    Reread.TROUBLED: "What changed, and the files in trouble",
    Reread.EVERYTHING: "Everything",
}


def page(client: Client, sources: list[SourceOut]) -> None:
    """Show a panel for each source, and the forms to add one."""
    known_runs = client.runs()
    follow(client, known_runs)
    latest = runs.latest_by_source(known_runs)
    if not sources:
        pieces.show(pieces.notice("No folder is kept in sync yet. Add the first one below."))
    for source in sources:
        run = latest.get(source.id)
        with st.container(border=True, key=f"sr-panel-{source.id}"):
            pieces.show(_about(source))
            runs.show_latest(client, source, run)
            _offer_acts(client, source, sources, running=run is not None and run.state is RunState.RUNNING)
            if source.kind is SourceKind.UPLOADS:
                uploads.show_uploads(client, source)
    with st.expander("Add a folder", expanded=not sources):
        asked = add_folder_form(groups_of(sources))
        if asked is not None and asked.only_look:
            _preview_folder(client, asked.source)
        elif asked is not None:
            _add(client, asked.source, "Sync it to read its files.")
    with st.expander("Add a place for uploads"):
        place = add_uploads_form(groups_of(sources))
        if place is not None:
            _add(client, place, "Upload files to it.")


def groups_of(sources: Iterable[SourceOut]) -> set[str]:
    """The groups that sources are labelled with."""
    return {group for source in sources for group in source.groups}


def _add(client: Client, wanted: SourceIn, next_step: str) -> None:
    added = client.add_source(wanted)
    pieces.say_after_rerun(f"Added {added.name}. {next_step}")
    st.rerun()


def _about(source: SourceOut) -> Html:
    marks = [
        pieces.badge("paused", "warn") if source.paused else Html(""),
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
        pieces.dotted(f"Seen by {pieces.listed(source.groups)}", owner, language),
        schedule(source) if source.kind is SourceKind.FOLDER else "",
        f"Takes in only {', '.join(source.include)}" if source.include else "",
        f"Leaves out {', '.join(source.exclude)}" if source.exclude else "",
        due,
    ]


def _offer_acts(client: Client, source: SourceOut, sources: list[SourceOut], *, running: bool) -> None:
    with st.container(horizontal=True, gap="small"):
        if st.button("Sync now", key=f"sync-{source.id}", disabled=running or source.paused):
            client.sync(source.id)
            st.rerun()
        if st.button("Preview", key=f"preview-{source.id}"):
            _preview(client, source)
        _offer_pause(client, source)
        if st.button("Read again", key=f"reread-{source.id}", disabled=running or source.paused):
            _read_again(client, source)
        if st.button("Settings", key=f"settings-open-{source.id}"):
            _settings(client, source, groups_of(sources))
        if st.button("Remove", key=f"remove-{source.id}", type="tertiary"):
            _remove(client, source)


def _offer_pause(client: Client, source: SourceOut) -> None:
    words = "Resume" if source.paused else "Pause"
    # The key holds the word, so that the second half of a double click does not undo the first.
    if st.button(words, key=f"{words.lower()}-{source.id}"):
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
        pieces.show(pieces.line("Close this, and add the folder if it is what you expect."))


def _show_preview(found: PreviewOut, name: str) -> None:
    pieces.show(pieces.line(f"Nothing in {name} is changed by looking."))
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
        patch = change_form(source, known)
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
        pieces.show(pieces.line(f"{source.name} is no longer kept in sync, and its documents leave the index. {fate}"))
        if st.button("Remove source", type="primary", key=f"confirm-remove-{source.id}"):
            client.remove_source(source.id)
            pieces.say_after_rerun(f"Removed {source.name}.")
            st.rerun()
