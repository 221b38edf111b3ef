"""Data protection: what waits for a second officer, legal holds, what expires, erasing, everything about a person."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import streamlit as st

from appliance.api.schemas.calling import segment
from appliance.api.schemas.compliance import ConfirmationIn, ProposalDecisionIn, ProposalOut
from appliance.api.schemas.protection import (
    ErasureIn,
    ErasureOut,
    ExpiryOut,
    HoldIn,
    HoldOut,
    ReleaseIn,
    RetentionOut,
    SubjectOut,
)
from ui import fields, pieces, taking_out
from ui.addresses import CASE
from ui.client import ApiProblem, Client, checked
from ui.inert import Html, text
from ui.log_opening import log_is_open
from ui.person_view import named
from ui.read_once import read_once

_CALLED = {
    "person": "Name of the person",
    "since": "First month",
    "until": "Last month",
    "reason": "Reason",
}
"""What the forms call what the API has other names for."""

_DECIDED_WHERE_READ: dict[str, tuple[str, Callable[[ProposalOut], str]]] = {
    "case.closed": ("Look at it under Cases", lambda proposal: f"/cases?{urlencode({CASE: proposal.subject})}"),
    "review.closed": ("Look at it in the review queue", lambda _: "/review?reviews-tab=Second+officer"),
}
"""The acts that are about what stands in the log alone: nobody decides about them before they have read it there."""


def page(client: Client) -> None:
    """Show all six, the first to an officer whose account another one has yet to confirm."""
    pieces.heading("Data protection", "Holds, retention, erasure and access. Every act here is on record.", wide=True)
    for show in (
        _ask_to_be_confirmed,
        _show_waiting,
        _show_holds,
        lambda client: _show_retention(client.retention()),
        _show_erasures,
        _show_subject_access,
    ):
        with st.container(), pieces.problems_shown():  # a container each: what one says moves none of the others
            show(client)


# an account that an administrator had a hand in


def _ask_to_be_confirmed(client: Client) -> None:
    if not client.account().handed_over:
        return
    pieces.show(
        pieces.notice(
            "An administrator made your account, or changed how you sign in. Until another officer confirmed that you "
            "have it yourself, you decide about nothing here, and take out nothing that two officers agreed on. Once "
            "confirmed you sign in again, and choose another password where it is kept here.",
            "warn",
        )
    )
    with st.form("ask-to-be-confirmed", border=False):
        reason = fields.line("How another officer can tell that it is you", "confirmation-reason")
        if st.form_submit_button("Ask another officer to confirm it", type="primary"):
            client.ask_to_be_confirmed(checked(ConfirmationIn, reason=reason))
            _say_it_waits("confirmation-reason")


# what waits for a second officer


def _show_waiting(client: Client) -> None:
    st.subheader("Waiting for a second officer", anchor=False)
    waiting = client.proposals()
    if not waiting:
        pieces.show(pieces.line("Nothing waits."))
    for proposal in waiting:
        with st.container(border=True, key=f"sr-panel-{proposal.id}"):
            pieces.show(_proposal(proposal))
            if proposal.own or proposal.about_reader:
                continue
            if proposal.act in _DECIDED_WHERE_READ:
                words, address = _DECIDED_WHERE_READ[proposal.act]
                pieces.show(pieces.link_button(words, address(proposal)))
            else:
                _ask_decision(client, proposal)


def _proposal(proposal: ProposalOut) -> Html:
    facts = pieces.dotted(
        f"proposed by {proposal.proposed_by}, {pieces.moment(proposal.proposed_at)}",
        f"lapses {pieces.moment(proposal.lapses_at)}",
        "yours: another officer decides" if proposal.own else "",
        "about yourself: another officer decides" if proposal.about_reader else "",
    )
    return Html(
        f'<div class="sr-source"><div><strong>{text(proposal.words)}</strong>'
        f"<p>{text(proposal.about or pieces.dotted(proposal.subject, proposal.detail))}</p>"
        f"<p>Reason: {text(proposal.reason)}</p><p>{text(facts)}</p></div></div>"
    )


def _ask_decision(client: Client, proposal: ProposalOut) -> None:
    note = st.text_input("Note (optional)", key=f"note-{proposal.id}")
    with st.container(horizontal=True, gap="small"):
        approved = st.button("Approve", type="primary", key=f"approve-{proposal.id}")
        refused = st.button("Refuse", key=f"refuse-{proposal.id}")
    if approved or refused:
        decided = client.decide_proposal(proposal.id, checked(ProposalDecisionIn, approve=approved, note=note))
        pieces.say_after_rerun(f"{proposal.words}: {decided.outcome}.")
        st.rerun()


# holds


def _show_holds(client: Client) -> None:
    st.subheader("Legal holds", anchor=False)
    pieces.show(pieces.line("What a hold covers is neither erased nor does it expire. Two officers release it."))
    for hold in client.holds():
        with st.container(border=True, key=f"sr-panel-{hold.id}"):
            pieces.show(_hold(hold))
            reason = fields.line("Reason for the release", f"release-reason-{hold.id}")
            if st.button("Propose the release", key=f"release-{hold.id}"):
                client.propose_release(hold.id, checked(ReleaseIn, reason=reason))
                _say_it_waits(f"release-reason-{hold.id}")
    with st.expander("Place a hold"), st.form("place-hold", border=False), pieces.problems_shown():
        person = fields.line("Name of the person (empty: everybody)", "hold-person")
        left, right = st.columns(2)
        with left:
            since = fields.line("First month (2026-03; empty: from the beginning)", "hold-since")
        with right:
            until = fields.line("Last month (empty: no end)", "hold-until")
        reason = fields.line("Reason for the hold", "hold-reason")
        if st.form_submit_button("Place the hold", type="primary"):
            client.place_hold(checked(HoldIn, _CALLED, person=person, since=since, until=until, reason=reason))
            fields.accepted("hold-person", "hold-since", "hold-until", "hold-reason")
            pieces.say_after_rerun("The hold is in force.")
            st.rerun()


def _hold(hold: HoldOut) -> Html:
    months = f"{hold.since or 'the beginning'} to {hold.until or 'no end'}"
    return Html(
        f'<div class="sr-source"><div><strong>{text(hold.person or "Everybody")}, {text(months)}</strong>'
        f"<p>Reason: {text(hold.reason)}</p>"
        f"<p>{text(f'placed by {hold.placed_by}, {pieces.moment(hold.placed_at)}')}</p></div></div>"
    )


# retention


def _show_retention(found: RetentionOut) -> None:
    st.subheader("Retention", anchor=False)
    for problem in found.problems:
        pieces.show(pieces.notice(problem, "bad"))
    if found.months is None and not found.groups:
        words = "If that is not meant, have an administrator set retention.profile in the settings."
        pieces.show(pieces.notice(f"No profile is set: questions and answers are kept for ever. {words}"))
        return
    for of_group in found.groups:
        pieces.show(pieces.line(f"What people of {of_group.group} asked: {_kept(of_group.profile, of_group.months)}."))
    others = "All else: " if found.groups else "Content: "
    pieces.show(pieces.line(f"{others}{_kept(found.profile, found.months)}."))
    pieces.show(pieces.line(f"What expires is shown here {found.notice_days} days before."))
    if found.coming:
        columns = (
            "Month", "Profile", "Erased on", "People", "Log entries", "Turns of conversations", "People kept by a hold"
        )  # fmt: skip
        pieces.show(pieces.table(columns, [_expiry(expiry) for expiry in found.coming]))
    else:
        pieces.show(pieces.line("Nothing is about to expire."))


def _kept(profile: str, months: int | None) -> str:
    if months is None:
        return "kept for ever"
    return f"kept for {pieces.count(months, 'month')} after its own month (profile '{profile}')"


def _expiry(expiry: ExpiryOut) -> tuple[Html, ...]:
    numbers = (expiry.people, expiry.entries, expiry.turns, expiry.held)
    return (
        text(expiry.month),
        text(expiry.profile),
        text(pieces.moment(expiry.expires_at)),
        *(text(f"{number:,}") for number in numbers),
    )


# erasure


def _show_erasures(client: Client) -> None:
    st.subheader("Erase a person", anchor=False)
    pieces.show(
        pieces.line(
            "Destroys the keys to what the log holds of a person, and what they keep here. It cannot be undone, and "
            "needs a second officer."
        )
    )
    with st.expander("Propose an erasure"), st.form("propose-erasure", border=False), pieces.problems_shown():
        person = fields.line("Name of the person", "erase-person")
        until = fields.line("Last month (2026-03; empty: every month so far)", "erase-until")
        reason = fields.line("Reason for the erasure", "erase-reason")
        if st.form_submit_button("Propose", type="primary"):
            wanted = checked(ErasureIn, _CALLED, person=person, until=until, reason=reason)
            held = client.propose_erasure(wanted).held
            if held:
                words = f"A legal hold keeps {', '.join(held)}: that is erased once two officers released the hold."
                pieces.say_after_rerun(words, "warn")
            _say_it_waits("erase-person", "erase-until", "erase-reason")
    orders = client.erasures()
    if orders:
        columns = ("Ordered", "Person", "Up to", "Erased", "State", "Certificate")
        pieces.show(pieces.table(columns, [_erasure(order) for order in orders]))


def _erasure(order: ErasureOut) -> tuple[Html, ...]:
    state = pieces.badge("complete", "good") if order.completed_at else pieces.badge("waits", "warn")
    held = f"A hold keeps {', '.join(order.held)}." if order.held else ""
    counts = (pieces.count(order.entries, "entry", "entries"), pieces.count(order.turns, "turn"))
    return (
        text(pieces.moment(order.ordered_at)),
        text(order.person) if order.person else Html(f"{pieces.code(order.account)} (account is gone)"),
        text(order.until),
        text(pieces.dotted(*counts)),
        Html(f"{state} {text(held)}"),
        _certificate(order),
    )


def _certificate(order: ErasureOut) -> Html:
    if order.completed_at is None:
        return text("")
    path = f"/api/compliance/erasures/{segment(order.id)}/certificate"
    links = [
        pieces.text_link(words, f"{path}?form={form}", f"Certificate of erasure as {words}", download=True)
        for words, form in (("PDF", "pdf"), ("JSON", "json"))
    ]
    return Html(" ".join(links))


# subject access


def _show_subject_access(client: Client) -> None:
    st.subheader("Everything about a person", anchor=False)
    if not log_is_open(client):
        return
    name = st.text_input("Whom it is about (name)", key="subject-name").strip()
    if name and taking_out.is_agreed(client, "subject"):
        found = read_once("subject", name, lambda: _subject(client, name))
        if isinstance(found, str):
            pieces.show(pieces.notice(found, "bad"))
            return
        path = f"/api/log/subjects/{segment(found.name)}"
        pieces.show(pieces.line(f"Everything about {named(found.display_name, found.name)}:"))
        taking_out.show({"Download as PDF": f"{path}?form=pdf", "Download as JSON": f"{path}?form=json"})


def _subject(client: Client, name: str) -> SubjectOut | str:
    """Whom a name stands for, or why there is nobody. Either is kept, for asking is an entry of the log."""
    try:
        return client.subject(name)
    except ApiProblem as problem:
        if problem.code != "not_found":
            raise
        return problem.message


def _say_it_waits(*written: str) -> None:
    fields.accepted(*written)
    pieces.say_after_rerun("Proposed. Another officer decides.")
    st.rerun()
