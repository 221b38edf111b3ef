"""Uploading: files go from the browser to a place for uploads, and what became of each is said.

What the appliance took in is asked of it, so that a page that is opened again shows it too. What it did not take is
remembered here, for this window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from appliance.api.schemas.sources import SourceOut
from ui import pieces, states
from ui.client import ApiProblem, Client
from ui.inert import Html, text

_FOLLOWED = 20


@dataclass(frozen=True, slots=True)
class _Sent:
    """A file that was sent. `problem` is why the appliance did not take it, empty when it did."""

    name: str
    problem: str = ""


def show_uploads(client: Client, source: SourceOut) -> None:
    """Offer to upload files to a source, and show what became of the latest ones."""
    with st.form(f"upload-{source.id}", clear_on_submit=True, border=False):
        files = st.file_uploader("Files to upload", accept_multiple_files=True, key=f"files-{source.id}")
        if st.form_submit_button("Take these files in"):
            _send(client, source, files)
            st.rerun()
    rows = _rows(client, source)
    if rows:
        pieces.show(Html('<h3 class="sr-small-head">Latest uploads</h3>'))
        pieces.show(pieces.table(("File", "State", "Reason"), rows[:_FOLLOWED]))
    if len(rows) > _FOLLOWED:
        pieces.show(pieces.line("Those before are listed under Files."))


def _rows(client: Client, source: SourceOut) -> list[tuple[Html, ...]]:
    """What was sent from this window and is not read yet, what was not taken first; then what was read last."""
    known = client.latest_files(source.id, _FOLLOWED + 1)
    read = {file.path for file in known}
    sent: list[_Sent] = st.session_state.get(_place(source), [])
    waiting = [file for file in sent if file.problem or file.name not in read]
    return [
        *(_sent_row(file) for file in sorted(waiting, key=lambda file: not file.problem)),
        *((text(file.path), states.badge(file.state), text(file.reason)) for file in known),
    ]


def _place(source: SourceOut) -> str:
    return f"strongroom_sent_{source.id}"


def _send(client: Client, source: SourceOut, files: Sequence[UploadedFile]) -> None:
    if not files:
        pieces.say_after_rerun("Choose the files to upload first.", "warn")
        return
    sent: list[_Sent] = []
    st.session_state[_place(source)] = sent  # before the first is sent: a second click may end this run at any moment
    with st.spinner("Handing the files over"):
        for file in files:
            sent.append(_send_one(client, source, file))
    taken = sum(not file.problem for file in sent)
    tone: pieces.Tone = "good" if taken == len(sent) else "warn"
    pieces.say_after_rerun(f"{taken:,} of {pieces.count(len(sent), 'file')} taken, and being read now.", tone)


def _send_one(client: Client, source: SourceOut, file: UploadedFile) -> _Sent:
    try:
        client.upload(source.id, file.name, file.getvalue())
    except ApiProblem as problem:
        if problem.signed_out:
            raise
        return _Sent(file.name, problem.message)
    return _Sent(file.name)


def _sent_row(sent: _Sent) -> tuple[Html, ...]:
    mark = pieces.badge("not taken", "bad") if sent.problem else pieces.badge("taken")
    return (text(sent.name), mark, text(sent.problem))
