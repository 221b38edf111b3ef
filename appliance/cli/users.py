"""`strongroom user ...`: accounts, their groups, and the tokens of programs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from appliance.cli.acting import Groups, admin_action, recorded, require_one_spelling
from appliance.cli.terminal import new_table, out, printable
from appliance.config import load_settings
from appliance.domain import Role, Scope
from appliance.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from appliance.auth.accounts import Accounts
    from appliance.auth.sessions import IssuedToken, Sessions
    from appliance.auth.standing import Person

_TOKEN_ID_CHARACTERS = 12  # shown of a token's id; any beginning that only one token has is taken

MayKeep = Annotated[bool, typer.Option("--may-keep", help="They need not change the password when they sign in.")]

user_app = typer.Typer(help="Accounts: add, list, change.", no_args_is_help=True)


@user_app.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="What the person signs in with.")],
    role: Annotated[list[Role], typer.Option("--role", "-r", help="May be given several times.")],
    group: Groups = [],  # noqa: B006
    may_keep: MayKeep = False,
    service: Annotated[
        bool, typer.Option("--service", help="A program: it has no password, and holds tokens alone.")
    ] = False,
) -> None:
    """Make an account; prints its password once."""
    from appliance.auth.passwords import generate_password
    from appliance.personnel import accounts_of

    settings, password = load_settings(), generate_password()
    require_one_spelling(settings, group)
    act = admin_action("person.added", name, "a program" if service else "")
    with accounts_of(settings, may_make_folder=True) as accounts, recorded(settings, act):
        if service:
            accounts.add_service(name, role, group)
        else:
            accounts.add(name, password, role, group, must_change=not may_keep)
    if service:
        out.print(f"Account {escape(name)} made. Give it a token: strongroom user token {escape(name)}")
        return
    out.print(f"Account {escape(name)} made. Password (shown this once): [bold]{password}[/bold]")
    _tell_of_the_change(may_keep=may_keep)


@user_app.command("list")
def user_list() -> None:
    """Every account."""
    from appliance.personnel import accounts_of, sessions_of

    table, settings = new_table("name", "roles", "groups", ""), load_settings()
    with accounts_of(settings) as accounts, sessions_of(settings) as sessions:
        people = accounts.people()
        pauses = sessions.pauses(person.name for person in people)
        for person in people:
            table.add_row(
                person.name,
                ", ".join(sorted(person.roles)),
                escape(", ".join(_group_and_origin(person))),
                escape(", ".join(_state(person, pauses.get(person.name)))),
            )
    out.print(table)


@user_app.command("password")
def user_password(name: str, may_keep: MayKeep = False) -> None:
    """Set a new password, print it once, and end the person's sessions and tokens."""
    from appliance.auth.passwords import generate_password

    password = generate_password()
    with _person(name, "person.password_set") as (accounts, person_id):
        accounts.set_password(person_id, password, must_change=not may_keep)
    out.print(f"New password of {escape(name)} (shown this once): [bold]{password}[/bold]")
    _tell_of_the_change(may_keep=may_keep)


@user_app.command("roles")
def user_roles(
    name: str, role: Annotated[list[Role], typer.Option("--role", "-r", help="May be given several times.")]
) -> None:
    """Set the roles that a person is given here, replacing those given before."""
    with _person(name, "person.roles_set", ", ".join(role)) as (accounts, person_id):
        accounts.set_roles(person_id, role)
    out.print(f"{escape(name)} is now: {', '.join(role)}")


@user_app.command("groups")
def user_groups(name: str, group: Groups = []) -> None:  # noqa: B006
    """Set the groups that a person is given here, replacing those given before. Those of a directory stay."""
    require_one_spelling(load_settings(), group)
    with _person(name, "person.groups_set", ", ".join(group)) as (accounts, person_id):
        accounts.set_groups(person_id, group)
    out.print(f"{escape(name)} was given: {escape(', '.join(group)) or 'no group'}")


@user_app.command("clearance")
def user_clearance(name: str, level: Annotated[str, typer.Argument(metavar="[LEVEL]")] = "") -> None:
    """Set the level that a person is cleared for; without one, as the settings have it."""
    levels = load_settings().access.levels
    if level and level not in levels:
        raise InvalidRequest(f"'{level}' is no level. Choose from {', '.join(levels)}.")
    with _person(name, "person.clearance_set", level or "the default") as (accounts, person_id):
        accounts.set_clearance(person_id, level)
    out.print(f"{escape(name)} is now cleared for: {escape(level) or 'what the settings say'}")


@user_app.command("disable")
def user_disable(name: str) -> None:
    """Refuse a person from now on, and end their sessions."""
    with _person(name, "person.disabled") as (accounts, person_id):
        accounts.set_disabled(person_id, disabled=True)
    out.print(f"{escape(name)} is disabled.")


@user_app.command("enable")
def user_enable(name: str) -> None:
    """Let a disabled person in again."""
    with _person(name, "person.enabled") as (accounts, person_id):
        accounts.set_disabled(person_id, disabled=False)
    out.print(f"{escape(name)} is enabled.")


@user_app.command("confirm")
def user_confirm(name: str) -> None:
    """Confirm that an officer has their account themselves, where no other officer is left to say so."""
    with _person(name, "person.confirmed") as (accounts, person_id):
        accounts.confirm(person_id)
    out.print(f"{escape(name)} is confirmed, and signs in anew.")


@user_app.command("unlock")
def user_unlock(name: str) -> None:
    """End the pause after too many failed sign-ins under a name."""
    from appliance.personnel import sessions_of

    with _person(name, "person.unlocked"), sessions_of(load_settings()) as sessions:
        sessions.lift(name)
    out.print(f"{escape(name)} may sign in again.")


@user_app.command("second-factor")
def user_second_factor(name: str) -> None:
    """Take away the second factor of a person who lost the device."""
    from appliance.personnel import sessions_of

    settings = load_settings()
    with _person(name, "person.second_factor_removed") as (_, person_id), sessions_of(settings) as sessions:
        sessions.second_factors.remove(person_id)
    out.print(f"{escape(name)} has no second factor any more.")


@user_app.command("token")
def user_token(
    name: str,
    label: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is good.")] = 90,
    scope: Annotated[
        list[Scope], typer.Option("--scope", "-s", help="What it may be used for. May be given several times.")
    ] = [Scope.ASK],  # noqa: B006
) -> None:
    """Issue an API token for a person or a program; prints it once."""
    from appliance.personnel import sessions_of

    settings = load_settings()
    told = f"{label} (for {', '.join(sorted(scope))})"
    with _person(name, "token.issued", told) as (_, person_id), sessions_of(settings) as sessions:
        token = sessions.issue_token(person_id, label, timedelta(days=days), scope)
    out.print(f"Token of {escape(name)} (shown this once): [bold]{escape(token)}[/bold]")


@user_app.command("tokens")
def user_tokens(name: str) -> None:
    """The API tokens of a person that are still good. The tokens themselves cannot be shown again."""
    from appliance.personnel import accounts_of, sessions_of

    settings = load_settings()
    with accounts_of(settings) as accounts:
        person_id = _person_id(accounts, name)
    table = new_table("id", "label", "for", "created (UTC)", "last used (UTC)", "expires (UTC)")
    with sessions_of(settings) as sessions:
        for token in sessions.tokens(person_id):
            times = (token.created_at, token.last_seen_at, token.expires_at)
            table.add_row(
                token.id[:_TOKEN_ID_CHARACTERS],
                escape(printable(token.label)),
                ", ".join(sorted(token.scopes)),
                *(f"{time:%Y-%m-%d %H:%M}" if time else "never" for time in times),
            )
    out.print(table)


@user_app.command("revoke")
def user_revoke(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Whose.")] = "",
    token_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="The token's id, or its beginning, as 'user tokens' shows it.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every token and every session of the person.")] = False,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="Those of all people: after a restore, which brings back ended ones.")
    ] = False,
) -> None:
    """End one API token of a person, or everything that they, or all people, are signed in with."""
    from appliance.personnel import accounts_of, sessions_of

    if everybody and (name or token_id or everything):
        raise InvalidRequest("--everybody takes no name, no token and no --all.")
    if not everybody and (not name or bool(token_id) == everything):
        raise InvalidRequest(
            "Give a name, and the id of one token ('strongroom user tokens' shows them) or --all; or --everybody alone."
        )
    settings = load_settings()
    if everybody:
        with sessions_of(settings) as sessions, recorded(settings, admin_action("person.sessions_ended", "everybody")):
            count = sessions.revoke_everything()
        out.print(f"Every token and session of everybody has ended: {count:,}.")
        return
    with accounts_of(settings) as accounts, sessions_of(settings) as sessions:
        person_id = _person_id(accounts, name)
        if everything:
            with recorded(settings, admin_action("person.sessions_ended", name)):
                sessions.revoke_all(person_id)
            out.print(f"Every token and session of {escape(name)} has ended.")
            return
        token = _token(sessions, person_id, token_id)
        shown_id = token.id[:_TOKEN_ID_CHARACTERS]
        with recorded(settings, admin_action("token.revoked", name, f"{token.label} ({shown_id})")):
            sessions.revoke_token(person_id, token.id)
    out.print(f"The token {shown_id} of {escape(name)} has ended.")


def _tell_of_the_change(*, may_keep: bool) -> None:
    if not may_keep:
        out.print("They are asked for one of their own at the first sign-in with it.")


def _group_and_origin(person: Person) -> list[str]:
    """The groups that count, each with the directory it came from."""
    counting = [found for found in person.memberships if person.is_fresh or not found.origin]
    return [f"{found.group} ({found.origin})" if found.origin else found.group for found in counting]


def _state(person: Person, pause: timedelta | None) -> list[str]:
    states = {
        "disabled": person.disabled,
        f"gone from {person.directory}": person.gone,
        f"no fresh word from {person.directory}": not person.is_fresh,
        "a program": person.service,
        "must change the password": person.must_change_password,
        "second factor": person.totp_on,
        "to be confirmed by an officer": person.handed_over_at is not None,
        f"paused for {pause.total_seconds():.0f} s" if pause else "": pause is not None,
    }
    return [words for words, applies in states.items() if applies]


@contextlib.contextmanager
def _person(name: str, action: str, detail: str = "") -> Iterator[tuple[Accounts, str]]:
    """The accounts and the id of a person, with the act on record first."""
    from appliance.personnel import accounts_of

    settings = load_settings()
    with accounts_of(settings) as accounts:
        person_id = _person_id(accounts, name)
        with recorded(settings, admin_action(action, name, detail)):
            yield accounts, person_id


def _person_id(accounts: Accounts, name: str) -> str:
    for person in accounts.people():
        if person.name == name.casefold():
            return person.id
    raise InvalidRequest(f"There is no account '{name}'. 'strongroom user list' shows all.")


def _token(sessions: Sessions, person_id: str, beginning: str) -> IssuedToken:
    """The one token of a person whose id begins like this."""
    found = [token for token in sessions.tokens(person_id) if token.id.startswith(beginning.lower())]
    if not found:
        raise NotFound(f"No token of this person begins with '{beginning}'. 'strongroom user tokens' shows all.")
    if len(found) > 1:
        raise InvalidRequest(f"{len(found)} tokens begin with '{beginning}'. Give more of the id.")
    return found[0]
