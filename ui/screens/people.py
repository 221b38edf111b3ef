"""People, for admins: who may sign in, what they are in and where that came from, and what keeps them out."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from appliance.api.schemas.people import (
    AgreementIn,
    DirectoryOut,
    Me,
    NewPassword,
    PersonIn,
    PersonOut,
    PersonPatch,
    TokenRequest,
)
from appliance.api.schemas.sources import SourceOut
from appliance.domain import EVERYONE, Role, Scope
from ui import fields, pieces, shown_once
from ui.client import Client, checked
from ui.inert import Html, label, text
from ui.person_view import memberships, named
from ui.screens.source_form import groups_input
from ui.screens.sources import groups_of


def page(client: Client, me: Me, known_sources: list[SourceOut]) -> None:
    """Everybody, with what can be done about each."""
    with pieces.problems_shown():
        for directory in client.directories():
            pieces.show(_directory(directory))
    people = client.people()
    known = groups_of(known_sources) | {group for person in people for group in person.groups}
    for person in people:
        with st.container(border=True, key=f"sr-panel-{person.id}"):
            pieces.show(_person(person))
            if person.name == me.name:
                pieces.show(pieces.line("This is you. Another administrator changes your account."))
                continue
            with pieces.problems_shown(), st.container(horizontal=True, gap="small"):
                _offer_changes(client, person, known)
    with st.expander("Add a person"), pieces.problems_shown():
        _add_person(client, known)
    with st.expander("Make or change a compliance officer"), pieces.problems_shown():
        _ask_officers(client)


def _offer_changes(client: Client, person: PersonOut, known: Iterable[str]) -> None:
    if st.button("Change", key=f"change-{person.id}"):
        _change_person(client, person, known)
    if person.service and st.button("New token", key=f"token-{person.id}"):
        _make_token(client, person)
    if not person.service and not person.directory and st.button("New password", key=f"password-{person.id}"):
        _reset_password(client, person)
    if person.paused_s and st.button("Unlock", key=f"unlock-{person.id}"):
        client.unlock(person.id)
        _done(f"{person.name} may sign in again.")
    if person.second_factor and st.button("Remove second factor", key=f"factor-{person.id}"):
        _remove_second_factor(client, person)
    words = "Enable" if person.disabled else "Disable"
    # The key holds the word, so that the second half of a double click does not undo the first.
    if st.button(words, key=f"{words.lower()}-{person.id}", type="tertiary"):
        if not person.disabled:
            _disable(client, person)
            return
        client.change_person(person.id, PersonPatch(disabled=False))
        _done(f"{person.name} is enabled.")


def _done(words: str) -> None:
    pieces.say_after_rerun(words)
    st.rerun()


def _person(person: PersonOut) -> Html:
    roles = pieces.badges(role.value for role in person.roles)
    states = pieces.join(pieces.badge(words, tone) for words, tone in _states(person))
    heading = text(named(person.display_name, person.name))
    lines = f"<p>{roles}{states}</p>{memberships(person.memberships)}{_origin(person)}"
    return Html(f'<div class="sr-source"><div><strong>{heading}</strong>{lines}</div></div>')


def _states(person: PersonOut) -> Iterable[tuple[str, pieces.Tone]]:
    if person.disabled:
        yield "disabled", "warn"
    if person.gone:
        yield f"gone from {person.directory}", "warn"
    if person.paused_s:
        yield f"wrong passwords: paused for {pieces.duration(person.paused_s)}", "warn"
    if person.must_change_password:
        yield "must change the password", "quiet"
    if person.second_factor:
        yield "second factor", "good"
    if person.service:
        yield "a program", "quiet"


def _origin(person: PersonOut) -> Html:
    if not person.directory:
        return Html("")
    if person.heard_at is None:
        return pieces.line(
            f"From {person.directory}, which signed them out: what it gave counts once they sign in again"
        )
    return pieces.line(f"From {person.directory}, last heard of {pieces.moment(person.heard_at)}")


def _directory(directory: DirectoryOut) -> Html:
    heard = f"last heard from {pieces.moment(directory.synced_at)}" if directory.synced_at else "not heard from yet"
    words = f"Directory {directory.name} ({directory.kind}), {heard}."
    if not directory.configured:
        return pieces.notice(f"{words} It is configured no more, so what it gave people counts for nothing.", "warn")
    if directory.problem:
        return pieces.notice(f"{words} The last attempt failed: {directory.problem}", "warn")
    return pieces.line(words)


def _roles_input(chosen: list[Role], key: str) -> list[Role]:
    return st.multiselect("Roles", list(Role), chosen, format_func=lambda role: role.value.capitalize(), key=key)


def _add_person(client: Client, known: Iterable[str]) -> None:
    with st.form("add-person", border=False):
        name = st.text_input("Sign-in name")
        display_name = st.text_input("Name or function (optional)")
        roles = _roles_input([Role.EMPLOYEE], "add-person-roles")
        groups = groups_input("Groups", set(known) - {EVERYONE}, [], "add-person-groups")
        service = st.checkbox("A program: it cannot sign in, and holds tokens")
        pieces.show(
            pieces.line("A password is made up and shown once. Hand it over in person; it must be changed at once.")
        )
        if st.form_submit_button("Add person", type="primary"):
            person = checked(
                PersonIn,
                {"name": "Sign-in name"},
                name=name,
                display_name=display_name,
                roles=roles,
                groups=groups,
                service=service,
            )
            shown_once.keep("The password of", lambda: _added(client, person), once_for=name)
            st.rerun()


def _added(client: Client, person: PersonIn) -> tuple[str, str]:
    made = client.add_person(person)
    _warn_of_new(made)
    return made.name, made.password


def _warn_of_new(person: PersonOut) -> None:
    if person.new_groups:
        pieces.say_after_rerun(
            f"No document, source or other person has this group yet: {', '.join(person.new_groups)}. Check how it is "
            "written.",
            "warn",
        )


def _ask_officers(client: Client) -> None:
    pieces.show(
        pieces.line(
            "Once there are two compliance officers, one of them agrees before you make somebody an officer, or give "
            "one a new password, other roles or their sign-in back, or remove their second factor. "
            "Disabling needs nobody."
        )
    )
    for agreed in client.agreements():
        pieces.show(pieces.line(f"Agreed for {agreed.name} until {pieces.moment(agreed.until)}: {agreed.reason}"))
    with st.form("ask-officers", border=False):
        name = fields.line("Which account (the name it signs in with)", "agreement-name")
        reason = fields.line("What is to be done, and why", "agreement-reason")
        if st.form_submit_button("Ask a compliance officer"):
            client.ask_officers(
                checked(
                    AgreementIn, {"name": "Which account", "reason": "What is to be done"}, name=name, reason=reason
                )
            )
            fields.accepted("agreement-name", "agreement-reason")
            _done("It waits for a compliance officer, on their page Data protection.")


@st.dialog("Change a person")
def _change_person(client: Client, person: PersonOut, known: Iterable[str]) -> None:
    with pieces.problems_shown():
        pieces.show(_person(person))
        if person.directory:
            pieces.show(pieces.line(f"What {person.directory} gave stays. This is given here, on top of it."))
        roles = _roles_input(person.given_roles, f"roles-{person.id}")
        groups = groups_input("Groups", known, person.given_groups, f"groups-{person.id}")
        if st.button("Save", type="primary", key=f"save-{person.id}"):
            _warn_of_new(client.change_person(person.id, checked(PersonPatch, roles=roles or None, groups=groups)))
            _done(f"Changed {person.name}.")


@st.dialog("Disable this person?")
def _disable(client: Client, person: PersonOut) -> None:
    with pieces.problems_shown():
        who = named(person.display_name, person.name)
        if person.service:
            words = f"{who}: its tokens stop working at once."
        else:
            words = f"{who} is signed out at once, and cannot sign in any more."
        pieces.show(pieces.line(f"{words} What is on record stays. Enable undoes it."))
        if st.button(f"Disable {label(person.name)}", type="primary", key=f"confirm-disable-{person.id}"):
            client.change_person(person.id, PersonPatch(disabled=True))
            _done(f"{person.name} is disabled.")


@st.dialog("Set a new password?")
def _reset_password(client: Client, person: PersonOut) -> None:
    with pieces.problems_shown():
        pieces.show(pieces.line(f"The password of {person.name} stops working; their sessions and tokens end."))
        if st.button("Make a new password", type="primary", key=f"confirm-password-{person.id}"):
            shown_once.keep(
                "The password of", lambda: (person.name, client.set_password(person.id, NewPassword()).password)
            )
            st.rerun()


@st.dialog("Remove the second factor?")
def _remove_second_factor(client: Client, person: PersonOut) -> None:
    with pieces.problems_shown():
        pieces.show(pieces.line(f"From now on the password of {person.name} is enough, until they set up another one."))
        if st.button("Remove it", type="primary", key=f"confirm-factor-{person.id}"):
            client.remove_second_factor(person.id)
            _done(f"{person.name} has no second factor any more.")


@st.dialog("Make a token")
def _make_token(client: Client, person: PersonOut) -> None:
    with pieces.problems_shown():
        wanted = token_input(f"new-token-{person.id}")
        if wanted is not None:
            shown_once.keep("The token of", lambda: (person.name, client.issue_token_for(person.id, wanted).token))
            st.rerun()


def token_input(key: str) -> TokenRequest | None:
    """Ask what a token is to be for; None until it was asked for."""
    with st.form(key, border=False):
        label = st.text_input("What it is for", key=f"{key}-label")
        scopes = st.multiselect("It may be used for", list(Scope), [Scope.ASK], key=f"{key}-scopes")
        days = st.number_input("Good for how many days", 1, 366, 90, key=f"{key}-days")
        if not st.form_submit_button("Make a token", type="primary"):
            return None
    called = {"label": "What it is for", "scopes": "It may be used for", "days": "Good for how many days"}
    return checked(TokenRequest, called, label=label, scopes=scopes, days=days)
