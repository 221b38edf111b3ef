"""Directories: where people come from who have no account here, how that stands, and a sync on demand."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.directories import DirectoryDetail
from ui import pieces
from ui.client import Client
from ui.inert import Html, text

_NONE = (
    "Everybody has an account here. People can sign in with what they have already: name a directory (LDAP, Active "
    "Directory) or single sign-on in the settings."
)


def page(client: Client) -> None:
    """Show a panel for each directory."""
    found = [client.directory(directory.name) for directory in client.directories()]
    if not found:
        pieces.show(pieces.notice(_NONE))
    for directory in found:
        with st.container(border=True, key=f"sr-panel-directory-{directory.name}"):
            pieces.show(_about(directory))
            if directory.can_sync:
                with pieces.problems_shown():
                    _offer_sync(client, directory)


def _offer_sync(client: Client, directory: DirectoryDetail) -> None:
    many = st.checkbox("Many people may be missing", key=f"missing-{directory.name}") if directory.problem else False
    if st.button("Sync now", key=f"sync-{directory.name}"):
        with st.spinner("Asking the directory..."):
            after = client.sync_directory(directory.name, accept_missing=many)
        words = f"{after.name} was not synced." if after.problem else f"{after.name} is in sync."
        pieces.say_after_rerun(words, "warn" if after.problem else "good")
        st.rerun()


def _about(directory: DirectoryDetail) -> Html:
    mark = _mark(directory)
    came = pieces.dotted(
        pieces.count(directory.people, "person", "people"),
        pieces.count(directory.groups, "group"),
        f"{directory.gone} gone" if directory.gone else "",
        f"{directory.stale} whose word does not count now" if directory.stale else "",
    )
    heard = f"Last heard from: {pieces.moment(directory.synced_at)}"
    counts = f"What it says of somebody counts for {pieces.duration(directory.max_age_s)}."
    lines = "".join(f"<p>{text(words)}</p>" for words in (came, heard, counts))
    said = [pieces.notice(directory.problem, "bad")] if directory.problem else []
    said += [pieces.notice(note, "warn") for note in directory.notes]
    heading = f"<h2>{text(directory.name)} {pieces.badge(directory.kind)}{mark}</h2>"
    return Html(f'<div class="sr-source"><div>{heading}{lines}{pieces.join(said)}</div></div>')


def _mark(directory: DirectoryDetail) -> Html:
    if not directory.configured:
        return pieces.badge("not in the settings", "warn")
    return pieces.badge("cannot be asked", "bad") if directory.problem else Html("")
