"""Administration: folders, files, people, and how the parts are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import streamlit as st

from appliance.api.schemas import (
    CheckOut,
    FileOut,
    Me,
    NewPassword,
    PersonCreated,
    PersonIn,
    PersonOut,
    PersonPatch,
    RunOut,
    RunState,
    SourceGroups,
    SourceIn,
    SourceOut,
)
from appliance.domain import EVERYONE, DocumentState, Role
from ui import pieces
from ui.client import Client, checked
from ui.inert import Html, text

_FILES = 25
_POLL_S = 1.5
_STATES: dict[DocumentState, tuple[str, pieces.Tone]] = {
    DocumentState.INDEXED: ("indexed", "good"),
    DocumentState.REFUSED: ("refused", "warn"),
    DocumentState.NEEDS_PASSWORD: ("needs a password", "warn"),
    DocumentState.FAILED: ("failed", "bad"),
    DocumentState.GONE: ("gone", "quiet"),
}
_CHECKS: dict[str, tuple[str, pieces.Tone]] = {
    "ok": ("OK", "good"),
    "warning": ("Look at this", "warn"),
    "error": ("Not working", "bad"),
}
_PASSWORD = "strongroom_new_password"  # noqa: S105 - the name of a place, not a secret


def page(client: Client, me: Me) -> None:
    """Show the four tabs."""
    pieces.heading("Administration", wide=True)
    known = client.sources()
    shown: dict[str, Callable[[], None]] = {
        "Sources": lambda: _show_sources(client, known),
        "Files": lambda: _show_files(client, known),
        "People": lambda: _show_people(client, me, known),
        "Health": lambda: _show_health(client),
    }
    tabs = st.tabs(list(shown), key="admin-tab", on_change="rerun")
    for tab, show in zip(tabs, shown.values(), strict=True):
        with tab, pieces.problems_shown():
            if tab.open:
                show()


# sources


def _show_sources(client: Client, sources: list[SourceOut]) -> None:
    runs = _latest(client.runs())
    if not sources:
        pieces.show(pieces.notice("No folder is kept in sync yet. Add the first one below."))
    for source in sources:
        with st.container(border=True, key=f"sr-panel-{source.id}"):
            pieces.show(_source(source))
            _show_run(client, runs.get(source.id))
            _offer_source_acts(client, source)
    with st.expander("Add a folder", expanded=not sources):
        _add_source(client, sources)


def _latest(runs: Iterable[RunOut]) -> dict[str, RunOut]:
    latest: dict[str, RunOut] = {}
    for run in runs:
        if run.source_id not in latest or run.started_at > latest[run.source_id].started_at:
            latest[run.source_id] = run
    return latest


def _source(source: SourceOut) -> Html:
    states = [
        pieces.badge(f"{number:,} {_STATES[state][0]}", _STATES[state][1]) for state, number in source.states.items()
    ]
    return Html(
        f'<div class="sr-source"><div><h2>{text(source.name)}</h2><p><code>{text(source.path)}</code></p>'
        f"<p>Seen by {text(pieces.listed(source.groups))}</p><p>{pieces.join(states)}</p></div></div>"
    )


def _show_run(client: Client, run: RunOut | None) -> None:
    if run is None:
        pieces.show(pieces.line("Not synced yet."))
    elif run.state is RunState.RUNNING:
        st.fragment(_follow, run_every=_POLL_S)(client, run.id)
    elif run.state is RunState.FAILED:
        pieces.show(pieces.notice(f"The last sync failed: {run.message}", "bad"))
    else:
        pieces.show(pieces.line(f"Synced {pieces.moment(run.finished_at)}: {_counts(run) or 'nothing to do'}."))


def _follow(client: Client, run_id: str) -> None:
    """Draw a running sync again and again until it ends; then the whole page once."""
    with pieces.problems_shown():
        run = next((run for run in client.runs() if run.id == run_id), None)
        if run is None or run.state is not RunState.RUNNING:
            st.rerun(scope="app")
        elif run.total:
            st.progress(min(1.0, run.done / run.total), text=f"{run.done:,} of {run.total:,} files")
            pieces.show(pieces.line(run.current, "sr-muted sr-cut"))
        else:
            pieces.show(pieces.line("Walking the folder."))


def _counts(run: RunOut) -> str:
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in run.counts.items() if number)


def _offer_source_acts(client: Client, source: SourceOut) -> None:
    with st.container(horizontal=True, gap="small"):
        if st.button("Sync now", key=f"sync-{source.id}"):
            client.sync(source.id)
            st.rerun()
        if st.button("Change groups", key=f"groups-{source.id}"):
            _change_groups(client, source)
        if st.button("Remove", key=f"remove-{source.id}", type="tertiary"):
            _remove_source(client, source)


def _add_source(client: Client, sources: list[SourceOut]) -> None:
    with st.form("add-source", border=False):
        name = st.text_input("Name", placeholder="Policies")
        path = st.text_input("Folder on this machine", placeholder="/srv/documents/policies")
        groups = _groups_input("Who may see its documents", _groups_of(sources), [EVERYONE], "add-source-groups")
        if st.form_submit_button("Add folder", type="primary"):
            added = client.add_source(checked(SourceIn, name=name, path=path, groups=groups))
            pieces.say_after_rerun(f"Added {added.name}. Sync it to read its files.")
            st.rerun()


def _groups_input(words: str, known: Iterable[str], chosen: Iterable[str], key: str) -> list[str]:
    chosen = list(chosen)
    options = sorted({EVERYONE, *known, *chosen})
    return st.multiselect(
        words, options, chosen, accept_new_options=True, key=key, placeholder="Choose groups, or type a new one"
    )


def _groups_of(sources: Iterable[SourceOut]) -> set[str]:
    return {group for source in sources for group in source.groups}


@st.dialog("Change groups")
def _change_groups(client: Client, source: SourceOut) -> None:
    with pieces.problems_shown():
        pieces.show(pieces.line(f"Who may see the documents of {source.name}, unless a file says otherwise."))
        groups = _groups_input("Groups", source.groups, source.groups, f"change-{source.id}")
        if st.button("Save", type="primary", key=f"save-groups-{source.id}"):
            client.set_source_groups(source.id, checked(SourceGroups, groups=groups))
            pieces.say_after_rerun(
                f"{source.name}: {pieces.listed(groups)}. The source is being synced, so that it acts now."
            )
            st.rerun()


@st.dialog("Remove this source?")
def _remove_source(client: Client, source: SourceOut) -> None:
    with pieces.problems_shown():
        pieces.show(
            pieces.line(
                f"{source.name} is no longer kept in sync, and its documents leave the index. "
                "The files stay where they are."
            )
        )
        if st.button("Remove source", type="primary", key=f"confirm-remove-{source.id}"):
            client.remove_source(source.id)
            pieces.say_after_rerun(f"Removed {source.name}.")
            st.rerun()


# files


def _show_files(client: Client, sources: list[SourceOut]) -> None:
    names = {"": "All sources"} | {source.id: source.name for source in sources}
    states = {"": "All states"} | {state.value: words.capitalize() for state, (words, _) in _STATES.items()}
    search, by_source, by_state = st.columns([2, 1, 1])
    wanted = search.text_input("Search by path", key="files-text")
    source = by_source.selectbox("Source", list(names), format_func=names.__getitem__, key="files-source")
    state = by_state.selectbox("State", list(states), format_func=states.__getitem__, key="files-state")
    if (wanted, source, state) != st.session_state.get("files-asked"):
        st.session_state["files-asked"] = (wanted, source, state)
        st.session_state["files-page"] = 0
    offset = int(st.session_state.get("files-page", 0)) * _FILES
    found = client.files(source, state, wanted, _FILES, offset)
    pieces.show(pieces.line(pieces.count(found.total, "file")))
    if found.files:
        columns = ("File", "State", "Reason", "Seen by", "Size")
        pieces.show(pieces.table(columns, [_file_row(file) for file in found.files]))
    pieces.pager("files-page", found.total, _FILES)


def _file_row(file: FileOut) -> tuple[Html, ...]:
    return (
        Html(f"{text(file.path)}<br><small>{text(file.source)}</small>"),
        pieces.badge(*_STATES[file.state]),
        text(file.reason),
        text(pieces.listed(file.groups)),
        text(pieces.size(file.size_bytes)),
    )


# people


def _show_people(client: Client, me: Me, sources: list[SourceOut]) -> None:
    _show_password_once()
    people = client.people()
    known = _groups_of(sources) | {group for person in people for group in person.groups}
    for person in people:
        with st.container(border=True, key=f"sr-panel-{person.id}"):
            pieces.show(_person(person))
            with st.container(horizontal=True, gap="small"):
                if st.button("Change", key=f"change-{person.id}"):
                    _change_person(client, person, known)
                if st.button("New password", key=f"password-{person.id}"):
                    _reset_password(client, person)
                words = "Enable" if person.disabled else "Disable"
                if person.name != me.name and st.button(words, key=f"disable-{person.id}", type="tertiary"):
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
        groups = _groups_input("Groups", set(known) - {EVERYONE}, [], "add-person-groups")
        pieces.show(pieces.line("A password is made up and shown once. Hand it over in person."))
        if st.form_submit_button("Add person", type="primary"):
            person = checked(PersonIn, name=name, display_name=display_name, roles=roles, groups=groups)
            _keep_password(client.add_person(person))
            st.rerun()


@st.dialog("Change a person")
def _change_person(client: Client, person: PersonOut, known: Iterable[str]) -> None:
    with pieces.problems_shown():
        pieces.show(_person(person))
        roles = _roles_input(person.roles, f"roles-{person.id}")
        groups = _groups_input("Groups", known, person.groups, f"groups-{person.id}")
        if st.button("Save", type="primary", key=f"save-{person.id}"):
            client.change_person(person.id, checked(PersonPatch, roles=roles, groups=groups))
            pieces.say_after_rerun(f"Changed {person.name}.")
            st.rerun()


@st.dialog("Set a new password?")
def _reset_password(client: Client, person: PersonOut) -> None:
    with pieces.problems_shown():
        pieces.show(pieces.line(f"The password of {person.name} stops working, and their sessions end."))
        if st.button("Make a new password", type="primary", key=f"confirm-password-{person.id}"):
            _keep_password(client.set_password(person.id, NewPassword()))
            st.rerun()


def _keep_password(created: PersonCreated) -> None:
    if created.password:
        st.session_state[_PASSWORD] = (created.name, created.password)


def _show_password_once() -> None:
    """The made-up password, until the admin says it was noted."""
    if _PASSWORD not in st.session_state:
        return
    name, password = st.session_state[_PASSWORD]
    with st.container(border=True, key="sr-password"):
        pieces.show(
            Html(
                f"<p>The password of <strong>{text(name)}</strong>. It is shown this once and stored nowhere.</p>"
                f'<p class="sr-secret"><code>{text(password)}</code></p>'
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
