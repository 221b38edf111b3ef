"""Accounts: who may sign in, with which roles and groups. For admins.

Nobody changes their own rights here, whatever they are: another administrator does it. Where there is only one, whoever
runs the machine does it on the command line, which is on record as the operator's act.

Before somebody is made compliance officer, or the sign-in of one is touched, an officer agrees (`compliance.officers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

from fastapi import APIRouter, Response

from appliance.api.access import require_level
from appliance.api.gate import Admin, PeopleAdmin, TheAppliance, record_act, require_known_spelling
from appliance.api.people_wire import directory_out, person_out, token_out
from appliance.api.schemas.people import (
    AgreementIn,
    AgreementOut,
    DirectoryOut,
    IssuedToken,
    NewPassword,
    PersonCreated,
    PersonIn,
    PersonOut,
    PersonPatch,
    TokenInfo,
    TokenRequest,
)
from appliance.api.session import told_of_token
from appliance.auth.groups import groups_in_use
from appliance.auth.passwords import generate_password
from appliance.auth.standing import Person
from appliance.compliance.officers import is_officer, require_enough_with
from appliance.domain import Principal, Role
from appliance.errors import AccessDenied, InvalidRequest
from appliance.wiring import Appliance

router = APIRouter(tags=["people"])


@router.get("/people")
def people(_admin: PeopleAdmin, appliance: TheAppliance) -> list[PersonOut]:
    """Every account, by name."""
    found = appliance.accounts.people()
    pauses = appliance.sessions.pauses(person.name for person in found)
    return [person_out(person, pauses.get(person.name, timedelta(0)).total_seconds()) for person in found]


@router.get("/directories")
def directories(_admin: PeopleAdmin, appliance: TheAppliance) -> list[DirectoryOut]:
    """The directories that people come from, and when each was last heard from."""
    return [directory_out(state) for state in appliance.accounts.directories()]


@router.post("/people", status_code=201)
def add_person(wanted: PersonIn, admin: Admin, appliance: TheAppliance) -> PersonCreated:
    """Make an account. A password that was made up is in the answer, this once."""
    require_known_spelling(appliance, wanted.groups)
    agreed = Role.COMPLIANCE in wanted.roles and appliance.officers.require(admin.id, wanted.name)
    accounts, new = appliance.accounts, _new_groups(appliance, wanted.groups)
    made_up = "" if wanted.password or wanted.service else generate_password()
    with record_act(appliance, admin, "person.added", wanted.name, _told_of_new(wanted)):
        if wanted.service:
            made = accounts.add_service(wanted.name, wanted.roles, wanted.groups, wanted.display_name)
        else:
            made = accounts.add(
                wanted.name,
                wanted.password or made_up,
                wanted.roles,
                wanted.groups,
                wanted.display_name,
                must_change=True,
                handed_over=agreed,
            )
    return _with_password(appliance, made.id, made_up).model_copy(update={"new_groups": new})


@router.patch("/people/{person_id}")
def change_person(person_id: str, wanted: PersonPatch, admin: Admin, appliance: TheAppliance) -> PersonOut:
    """Change roles, groups, level, or whether the account may sign in; all that is asked, or nothing.

    Acts on the next request of that person.
    """
    person = _somebody_else(appliance, person_id, admin)
    require_known_spelling(appliance, wanted.groups or ())
    require_level(appliance, wanted.clearance or "")
    enough_left = partial(require_enough_with, person_id=person_id, roles=wanted.roles or person.given_roles)
    enough_left(appliance.accounts.people())  # before an officer is asked for what cannot be
    agreed = _concerns_officers(person, wanted) and _require_agreement(appliance, admin, person)
    new = _new_groups(appliance, wanted.groups or ())
    with ExitStack() as acts:
        for action, detail in _acts_of(wanted):
            acts.enter_context(record_act(appliance, admin, action, person.name, detail))
        appliance.accounts.change(
            person_id,
            roles=wanted.roles,
            groups=wanted.groups,
            clearance=wanted.clearance,
            disabled=wanted.disabled,
            handed_over=agreed,
            roles_allowed=enough_left,  # once more: another one may have lost the role since
        )
    return _shown(appliance, person_id).model_copy(update={"new_groups": new})


@router.post("/people/{person_id}/password")
def set_password(person_id: str, wanted: NewPassword, admin: Admin, appliance: TheAppliance) -> PersonCreated:
    """Set a password; ends the person's sessions and tokens. One that was made up is in the answer, this once."""
    person, agreed = _whose_sign_in(appliance, person_id, admin)
    made_up = "" if wanted.password else generate_password()
    with record_act(appliance, admin, "person.password_set", person.name):
        appliance.accounts.set_password(person_id, wanted.password or made_up, must_change=True, handed_over=agreed)
    return _with_password(appliance, person_id, made_up)


@router.post("/people/{person_id}/unlock")
def unlock(person_id: str, admin: PeopleAdmin, appliance: TheAppliance) -> PersonOut:
    """End the pause after too many failed sign-ins under this name."""
    person = appliance.accounts.person(person_id)
    with record_act(appliance, admin, "person.unlocked", person.name):
        appliance.sessions.lift(person.name)
    return _shown(appliance, person_id)


@router.delete("/people/{person_id}/second-factor")
def remove_second_factor(person_id: str, admin: Admin, appliance: TheAppliance) -> PersonOut:
    """Take a second factor away, whose device was lost. Where their role needs one they set up another at once."""
    person, agreed = _whose_sign_in(appliance, person_id, admin)
    with record_act(appliance, admin, "person.second_factor_removed", person.name):
        appliance.sessions.second_factors.remove(person_id, handed_over=agreed)
    return _shown(appliance, person_id)


@router.post("/people/agreements", status_code=202)
def ask_officers(wanted: AgreementIn, admin: Admin, appliance: TheAppliance) -> None:
    """Ask the compliance officers to agree that one makes or changes the account of an officer; see their proposals."""
    appliance.officers.ask(admin.id, wanted.name, wanted.reason)


@router.get("/people/agreements")
def agreements(admin: PeopleAdmin, appliance: TheAppliance) -> list[AgreementOut]:
    """Which accounts of officers one may make or change now, the latest approval first."""
    return [
        AgreementOut(name=grant.subject, reason=grant.reason, until=grant.until)
        for grant in appliance.officers.agreed(admin.id)
    ]


@router.get("/people/{person_id}/tokens")
def tokens(person_id: str, _admin: PeopleAdmin, appliance: TheAppliance) -> list[TokenInfo]:
    """The tokens of somebody that are still good, oldest first."""
    return [token_out(token) for token in appliance.sessions.tokens(appliance.accounts.person(person_id).id)]


@router.post("/people/{person_id}/tokens", status_code=201)
def issue_token(person_id: str, wanted: TokenRequest, admin: Admin, appliance: TheAppliance) -> IssuedToken:
    """A token for a program. People make their own: nobody gets one to act as somebody else."""
    program = appliance.accounts.person(person_id)
    if not program.service:
        raise InvalidRequest(f"'{program.name}' is a person, and makes tokens of their own. Make one for a program.")
    lifetime = timedelta(days=wanted.days)
    with record_act(appliance, admin, "token.issued", program.name, told_of_token(wanted)):
        token = appliance.sessions.issue_token(person_id, wanted.label, lifetime, wanted.scopes, issued_by=admin.id)
    return IssuedToken(token=token, label=wanted.label, expires_at=datetime.now(UTC) + lifetime)


@router.delete("/people/{person_id}/tokens/{token_id}", status_code=204)
def revoke_token(person_id: str, token_id: str, admin: PeopleAdmin, appliance: TheAppliance) -> Response:
    """End a token of somebody."""
    person = appliance.accounts.person(person_id)
    with record_act(appliance, admin, "token.revoked", person.name, token_id[:12]):
        appliance.sessions.revoke_token(person_id, token_id)
    return Response(status_code=204)


def _somebody_else(appliance: Appliance, person_id: str, admin: Principal) -> Person:
    """The person an admin wants to change. Raises NotFound, and AccessDenied if it is they themselves."""
    person = appliance.accounts.person(person_id)
    if person_id == admin.id:
        raise AccessDenied(
            "You cannot change your own account. Ask another administrator; where there is none, whoever runs the "
            "machine does it with 'strongroom user'. Your own password you change at /password."
        )
    return person


def _whose_sign_in(appliance: Appliance, person_id: str, admin: Principal) -> tuple[Person, bool]:
    """The person whose sign-in an admin wants to change, and whether an officer had to agree to it and did.

    Raises as `_somebody_else`, and if an officer has to agree and did not.
    """
    person = _somebody_else(appliance, person_id, admin)
    return person, is_officer(person) and _require_agreement(appliance, admin, person)


def _require_agreement(appliance: Appliance, admin: Principal, person: Person) -> bool:
    return appliance.officers.require(admin.id, person.name, person.id)


def _concerns_officers(person: Person, wanted: PersonPatch) -> bool:
    """Whether a change makes somebody officer, or gives one other roles or their sign-in back."""
    changes_roles = wanted.roles is not None and person.given_roles != set(wanted.roles)
    if is_officer(person):
        return changes_roles or wanted.disabled is False
    return changes_roles and Role.COMPLIANCE in (wanted.roles or ())


def _acts_of(wanted: PersonPatch) -> Iterator[tuple[str, str]]:
    """What a change does, as it is put on record: acts with their details."""
    if wanted.roles is not None:
        yield "person.roles_set", _rights(wanted.roles, ())
    if wanted.groups is not None:
        yield "person.groups_set", _rights((), wanted.groups)
    if wanted.clearance is not None:
        yield "person.clearance_set", wanted.clearance or "the default"
    if wanted.disabled is not None:
        yield "person.disabled" if wanted.disabled else "person.enabled", ""


def _with_password(appliance: Appliance, person_id: str, made_up: str) -> PersonCreated:
    return PersonCreated(**_shown(appliance, person_id).model_dump(), password=made_up)


def _shown(appliance: Appliance, person_id: str) -> PersonOut:
    person = appliance.accounts.person(person_id)
    pause = appliance.sessions.pauses([person.name]).get(person.name, timedelta(0))
    return person_out(person, pause.total_seconds())


def _new_groups(appliance: Appliance, given: Iterable[str]) -> list[str]:
    """Those of these groups that nothing has yet: they may be misspelt."""
    return sorted(set(given) - groups_in_use(appliance.accounts, appliance.catalog))


def _told_of_new(wanted: PersonIn) -> str:
    rights = _rights(wanted.roles, wanted.groups)
    return f"a program; {rights}" if wanted.service else rights


def _rights(roles: Iterable[str], groups: Iterable[str]) -> str:
    named = (("roles", sorted(roles)), ("groups", sorted(groups)))
    return "; ".join(f"{what}: {', '.join(values)}" for what, values in named if values)
