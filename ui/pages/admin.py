"""Administration: sources, syncs, files, what waits for review, people, evaluations, and how the parts are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

import streamlit as st

from appliance.api.schemas.people import Me, NewPassword, PersonCreated, PersonIn, PersonOut, PersonPatch
from appliance.api.schemas.sources import SourceOut
from appliance.api.schemas.upkeep import CheckOut
from appliance.domain import EVERYONE, Role
from ui import pieces
from ui.client import Client, checked
from ui.following import begin
from ui.inert import Html, text
from ui.pages import evaluation, files, review, runs, sources
from ui.pages.source_form import groups_input
from ui.pages.sources import groups_of

_CHECKS: dict[str, tuple[str, pieces.Tone]] = {
    "ok": ("OK", "good"),
    "warning": ("Look at this", "warn"),
    "error": ("Not working", "bad"),
}
_PASSWORD = "strongroom_new_password"  # noqa: S105 - the name of a place, not a secret


def page(client: Client, me: Me) -> None:
    """Show the tabs; only the open one asks the appliance for anything."""
    begin()
    pieces.heading("Administration", wide=True)
    known = client.sources()
    shown: dict[str, Callable[[], None]] = {
        "Sources": lambda: sources.page(client, known),
        "Runs": lambda: runs.page(client),
        "Files": lambda: files.page(client, known),
        "Review": lambda: review.page(client),
        "People": lambda: _show_people(client, me, known),
        "Evaluation": lambda: evaluation.page(client, me),
        "Health": lambda: _show_health(client),
    }
    tabs = st.tabs(list(shown), key="admin-tab", on_change="rerun")
    for tab, show in zip(tabs, shown.values(), strict=True):
        with tab, pieces.problems_shown():
            if tab.open:
                show()


# people


def _show_people(client: Client, me: Me, known_sources: list[SourceOut]) -> None:
    _show_password_once()
    people = client.people()
    known = groups_of(known_sources) | {group for person in people for group in person.groups}
    for person in people:
        with st.container(border=True, key=f"sr-panel-{person.id}"):
            pieces.show(_person(person))
            with st.container(horizontal=True, gap="small"):
                if st.button("Change", key=f"change-{person.id}"):
                    _change_person(client, person, known)
                if st.button("New password", key=f"password-{person.id}"):
                    _reset_password(client, person)
                words = "Enable" if person.disabled else "Disable"
                # The key holds the word, so that the second half of a double click does not undo the first.
                key = f"{words.lower()}-{person.id}"
                if person.name != me.name and st.button(words, key=key, type="tertiary"):
                    client.change_person(person.id, PersonPatch(disabled=not person.disabled))
                    pieces.say_after_rerun(f"{person.name} is {'enabled' if person.disabled else 'disabled'}.")
                    st.rerun()
    with st.expander("Add a person"):
        _add_person(client, known)


def _person(person: PersonOut) -> Html:
    roles = pieces.badges(role.value for role in person.roles)
    state = pieces.badge("disabled", "warn") if person.disabled else Html("")
    groups = f"Groups: {pieces.listed(person.groups) or 'none of their own'}"
    named = pieces.dotted(person.display_name, person.name) if person.display_name else person.name
    lines = f"<p>{roles}{state}</p><p>{text(groups)}</p>"
    return Html(f'<div class="sr-source"><div><strong>{text(named)}</strong>{lines}</div></div>')


def _roles_input(chosen: list[Role], key: str) -> list[Role]:
    return st.multiselect("Roles", list(Role), chosen, format_func=lambda role: role.value.capitalize(), key=key)


def _add_person(client: Client, known: Iterable[str]) -> None:
    with st.form("add-person", border=False):
        name = st.text_input("Sign-in name")
        display_name = st.text_input("Name or function (optional)")
        roles = _roles_input([Role.EMPLOYEE], "add-person-roles")
        groups = groups_input("Groups", set(known) - {EVERYONE}, [], "add-person-groups")
        pieces.show(pieces.line("A password is made up and shown once. Hand it over in person."))
        if st.form_submit_button("Add person", type="primary"):
            person = checked(PersonIn, name=name, display_name=display_name, roles=roles, groups=groups)
            _keep_password(lambda: client.add_person(person), once_for=name)
            st.rerun()


@st.dialog("Change a person")
def _change_person(client: Client, person: PersonOut, known: Iterable[str]) -> None:
    with pieces.problems_shown():
        pieces.show(_person(person))
        roles = _roles_input(person.roles, f"roles-{person.id}")
        groups = groups_input("Groups", known, person.groups, f"groups-{person.id}")
        if st.button("Save", type="primary", key=f"save-{person.id}"):
            client.change_person(person.id, checked(PersonPatch, roles=roles, groups=groups))
            pieces.say_after_rerun(f"Changed {person.name}.")
            st.rerun()


@st.dialog("Set a new password?")
def _reset_password(client: Client, person: PersonOut) -> None:
    with pieces.problems_shown():
        pieces.show(pieces.line(f"The password of {person.name} stops working, and their sessions end."))
        if st.button("Make a new password", type="primary", key=f"confirm-password-{person.id}"):
            _keep_password(lambda: client.set_password(person.id, NewPassword()))
            st.rerun()


@dataclass
class _MadeUp:
    """The password made up last, until the admin says it was noted; empty when there is none."""

    name: str = ""
    password: str = ""
    making: Lock = field(default_factory=Lock)


def _made_up() -> _MadeUp:
    found: _MadeUp = st.session_state.setdefault(_PASSWORD, _MadeUp())
    return found


def _keep_password(make: Callable[[], PersonCreated], *, once_for: str = "") -> None:
    """Have a password made and keep it, and none if the one that is kept is `once_for` this person.

    A second click begins a second run beside the first, and the first ends as soon as it touches the session's state.
    What is stored nowhere else must not be lost with it: so the place is taken from the state before the password is
    made, and the second run waits for the first.
    """
    place = _made_up()
    with place.making:
        if once_for and once_for == place.name:
            return
        created = make()
        if created.password:
            place.name, place.password = created.name, created.password


def _show_password_once() -> None:
    """The made-up password, until the admin says it was noted."""
    made = _made_up()
    if not made.password:
        return
    with st.container(border=True, key="sr-password"):
        pieces.show(
            Html(
                f"<p>The password of <strong>{text(made.name)}</strong>. It is shown this once and stored nowhere.</p>"
                f'<p class="sr-secret"><code>{text(made.password)}</code></p>'
            )
        )
        st.button("I have noted it", key="password-noted", on_click=_forget_password)


def _forget_password() -> None:
    st.session_state.pop(_PASSWORD, None)


# health


def _show_health(client: Client) -> None:
    checks = client.health().checks
    bad = sum(check.status != "ok" for check in checks)
    if bad:
        pieces.show(pieces.notice(f"{pieces.count(bad, 'check needs', 'checks need')} your attention.", "warn"))
    else:
        pieces.show(pieces.notice("Every part is well.", "good"))
    pieces.show(pieces.table(("Part", "Status", "What was found"), [_check_row(check) for check in checks]))
    st.button("Check again", key="health-again")


def _check_row(check: CheckOut) -> tuple[Html, ...]:
    remedy = f'<p class="sr-remedy">{text(check.remedy)}</p>' if check.remedy else ""
    return (
        text(check.name[:1].upper() + check.name[1:]),
        pieces.badge(*_CHECKS[check.status]),
        Html(f"{text(check.detail)}{remedy}"),
    )
