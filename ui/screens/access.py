"""Access: what people asked for, what somebody may see and by what, what groups would, and why a document is seen.

Nothing here shows what a document says, nor its title: who runs the appliance need not be able to read everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from appliance.api.schemas.access import AccessRequestOut, DecisionIn, EffectiveOut, ExplanationOut, VisibleOut
from appliance.api.schemas.people import PersonPatch
from ui import pieces
from ui.client import Client, checked
from ui.inert import Html, text
from ui.part import keep_in_address
from ui.screens.source_form import groups_input

_LIMIT = 25


def page(client: Client, known_groups: Iterable[str]) -> None:
    """Show one of the four views."""
    views: Mapping[str, Callable[[], None]] = {
        "Requests": lambda: _show_requests(client),
        "What somebody sees": lambda: _show_person(client),
        "What groups would see": lambda: _show_preview(client, known_groups),
        "Why a document is seen": lambda: _show_explanation(client),
    }
    keep_in_address("access-view", list(views), within="admin-tab")
    chosen = st.radio("View", list(views), horizontal=True, key="access-view", label_visibility="collapsed")
    views[chosen]()


# requests


def _show_requests(client: Client) -> None:
    waiting = client.access_requests()
    if not waiting:
        pieces.show(pieces.notice("Nobody waits for an answer.", "good"))
    for request in waiting:
        with st.container(border=True, key=f"sr-panel-{request.id}"):
            pieces.show(_request(request))
            answer = st.text_input("Answer (optional)", key=f"answer-{request.id}")
            with pieces.problems_shown(), st.container(horizontal=True, gap="small"):
                words = "Add to the group" if request.group else "Mark as done"
                if st.button(words, type="primary", key=f"approve-{request.id}"):
                    _decide(client, request, answer, approved=True)
                if st.button("Decline", key=f"decline-{request.id}"):
                    _decide(client, request, answer, approved=False)


def _request(request: AccessRequestOut) -> Html:
    wanted = f"asks to be in the group '{request.group}'" if request.group else "asks for access"
    return Html(
        f'<div class="sr-source"><div><strong>{text(request.person)}</strong><p>{text(wanted)}</p>'
        f"<p>{text(request.reason)}</p><p>{text(pieces.moment(request.asked_at))}</p></div></div>"
    )


def _decide(client: Client, request: AccessRequestOut, answer: str, *, approved: bool) -> None:
    client.decide_access_request(request.id, checked(DecisionIn, approved=approved, answer=answer))
    pieces.say_after_rerun(f"{'Approved' if approved else 'Declined'}: {request.person}.")
    st.rerun()


# what somebody sees


def _show_person(client: Client) -> None:
    people = {person.name: person for person in client.people()}
    name = st.selectbox("Person", list(people), key="access-person")
    person = people[name]
    offset = pieces.offset(f"access-{person.id}", _LIMIT)
    found = client.effective_access(person.id, _LIMIT, offset)
    pieces.show(_held(found))
    with pieces.problems_shown():
        _ask_clearance(client, person.id, person.clearance)
    _show_visible(found, f"access-{person.id}")


def _held(found: EffectiveOut) -> Html:
    rows = [
        (
            text(its.group),
            text(its.origin or "given here"),
            text("yes" if its.counts else "no: the directory's word is old"),
        )
        for its in found.memberships
    ]
    groups = pieces.table(("Group", "Where it comes from", "Counts"), rows) if rows else pieces.line("In no group.")
    shut = pieces.notice("Disabled: sees nothing at present.", "warn") if found.disabled else Html("")
    cleared = pieces.line(f"Cleared for {found.clearance or 'nothing'}, by {found.clearance_by}.")
    return pieces.join([shut, cleared, groups])


def _ask_clearance(client: Client, person_id: str, now: str) -> None:
    levels = ["", *client.access_terms().levels]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        wanted = st.selectbox(
            "Clearance",
            levels,
            levels.index(now) if now in levels else 0,
            format_func=lambda level: level or "as the settings have it",
            key=f"clearance-{person_id}",
        )
        if st.button("Save clearance", key=f"save-clearance-{person_id}", disabled=wanted == now):
            client.change_person(person_id, PersonPatch(clearance=wanted))
            pieces.say_after_rerun("The clearance acts from their next question on.")
            st.rerun()


# what groups would see


def _show_preview(client: Client, known_groups: Iterable[str]) -> None:
    terms = client.access_terms()
    groups = groups_input("Groups", known_groups, [], "preview-groups")
    level = st.selectbox(
        "Cleared for", terms.levels, terms.levels.index(terms.default_clearance), key="preview-clearance"
    )
    offset = pieces.offset("access-preview", _LIMIT)
    _show_visible(client.preview_access(groups, level, _LIMIT, offset), "access-preview")


def _show_visible(found: VisibleOut, key: str) -> None:
    pieces.show(pieces.line(f"{pieces.count(found.total, 'document')} in all."))
    if not found.total:
        return
    counts = [(text(its.source), text(its.level), text(f"{its.documents:,}")) for its in found.counts]
    pieces.show(pieces.table(("Source", "Level", "Documents"), counts))
    rows = [
        (text(its.path), text(its.source), text(its.level), text(pieces.listed(its.groups))) for its in found.documents
    ]
    pieces.show(pieces.table(("Document", "Source", "Level", "Seen through"), rows))
    pieces.pager(key, found.total, _LIMIT)


# why a document is seen


def _show_explanation(client: Client) -> None:
    wanted = st.text_input("Search by path", key="explain-text")
    files = {file.document_id: file for file in client.files(text=wanted, limit=50).files}
    chosen = st.selectbox(
        "Document",
        list(files),
        format_func=lambda key: f"{files[key].source}: {files[key].path}",
        key="explain-document",
    )
    if chosen is not None:
        pieces.show(_explained(client.explain_access(chosen)))


def _explained(found: ExplanationOut) -> Html:
    parts = [
        pieces.line(f"Seen by {pieces.listed(found.groups) or 'nobody'}, at level {found.level}.", "sr-lead"),
        pieces.line(f"The level comes from {found.level_by}."),
    ]
    if found.grounds:
        rows = [(text(ground.group), text(ground.by)) for ground in found.grounds]
        parts.append(pieces.table(("Group", "Named by"), rows))
    if found.problem:
        parts.append(pieces.notice(found.problem, "warn"))
    if found.acts_later:
        when = "it acts from the next sync on, or if the content is another as well, once that is in force"
        parts.append(pieces.notice(f"This is how it is now; {when}.", "warn"))
    if found.unread:
        so = "What was read of it before is still found." if found.found else "Nobody sees what it says."
        why = found.unread.rstrip(". ")
        parts.append(pieces.notice(f"The file as it is now was not taken in: {why}. {so}", "warn"))
    elif not found.found:
        parts.append(pieces.notice("The document is not in force: nobody finds it.", "warn"))
    if found.people:
        people = [(text(seer.name), text(pieces.listed(seer.groups))) for seer in found.people]
        parts.append(pieces.table(("Person", "Sees it through"), people))
    elif found.found:
        parts.append(pieces.line("At present nobody may see it."))
    return pieces.join(parts)
