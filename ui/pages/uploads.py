"""Uploading: files go from the browser to a place for uploads, and what became of each is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from appliance.api.schemas import SourceOut
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
    """Offer to upload files to a source, and show what became of those sent last."""
    with st.form(f"upload-{source.id}", clear_on_submit=True, border=False):
        files = st.file_uploader("Files to upload", accept_multiple_files=True, key=f"files-{source.id}")
        if st.form_submit_button("Take these files in"):
            _send(client, source, files)
            st.rerun()
    sent = sorted(st.session_state.get(_place(source), ()), key=lambda file: not file.problem)  # what went wrong first
    if sent:
        columns = ("File", "State", "Reason")
        pieces.show(pieces.table(columns, [_row(client, source, file) for file in sent[:_FOLLOWED]]))
    if len(sent) > _FOLLOWED:
        pieces.show(pieces.line(f"And {len(sent) - _FOLLOWED:,} more: they are listed under Files."))


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
    pieces.say_after_rerun(f"{taken:,} of {pieces.count(len(sent), 'file')} taken. They are being read now.", tone)


def _send_one(client: Client, source: SourceOut, file: UploadedFile) -> _Sent:
    try:
        client.upload(source.id, file.name, file.getvalue())
    except ApiProblem as problem:
        if problem.signed_out:
            raise
        return _Sent(file.name, problem.message)
    return _Sent(file.name)


def _row(client: Client, source: SourceOut, sent: _Sent) -> tuple[Html, ...]:
    if sent.problem:
        return (text(sent.name), pieces.badge("not taken", "bad"), text(sent.problem))
    found = client.files(source.id, text=sent.name, limit=_FOLLOWED).files
    now = next((file for file in found if file.path == sent.name), None)
    if now is None:
        return (text(sent.name), pieces.badge("taken"), Html(""))
    return (text(sent.name), states.badge(now.state), text(now.reason))
