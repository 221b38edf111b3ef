"""Accounts: who may sign in, with which roles and groups. For admins."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from appliance.api.gate import Admin, TheAppliance, record_act, require_known_spelling
from appliance.api.schemas.people import NewPassword, PersonCreated, PersonIn, PersonOut, PersonPatch
from appliance.auth.passwords import generate_password
from appliance.auth.standing import Person

router = APIRouter(prefix="/people", tags=["people"])


@router.get("")
def people(_admin: Admin, appliance: TheAppliance) -> list[PersonOut]:
    """Every account, by name."""
    return [_person_out(person) for person in appliance.accounts.people()]


@router.post("", status_code=201)
def add_person(wanted: PersonIn, admin: Admin, appliance: TheAppliance) -> PersonCreated:
    """Make an account. A password that was made up is in the answer, this once."""
    require_known_spelling(appliance, wanted.groups)
    made_up = "" if wanted.password else generate_password()
    record_act(appliance, admin, "person.added", wanted.name, _rights(wanted.roles, wanted.groups))
    principal = appliance.accounts.add(
        wanted.name, wanted.password or made_up, wanted.roles, wanted.groups, wanted.display_name
    )
    return PersonCreated(**_person_out(appliance.accounts.person(principal.id)).model_dump(), password=made_up)


@router.patch("/{person_id}")
def change_person(person_id: str, wanted: PersonPatch, admin: Admin, appliance: TheAppliance) -> PersonOut:
    """Change roles, groups, or whether the account may sign in. Acts on the next request of that person."""
    person = appliance.accounts.person(person_id)
    require_known_spelling(appliance, wanted.groups or ())
    if wanted.roles is not None:
        record_act(appliance, admin, "person.roles_set", person.name, _rights(wanted.roles, ()))
        appliance.accounts.set_roles(person_id, wanted.roles)
    if wanted.groups is not None:
        record_act(appliance, admin, "person.groups_set", person.name, _rights((), wanted.groups))
        appliance.accounts.set_groups(person_id, wanted.groups)
    if wanted.disabled is not None:
        record_act(appliance, admin, "person.disabled" if wanted.disabled else "person.enabled", person.name)
        appliance.accounts.set_disabled(person_id, disabled=wanted.disabled)
    return _person_out(appliance.accounts.person(person_id))


@router.post("/{person_id}/password")
def set_password(person_id: str, wanted: NewPassword, admin: Admin, appliance: TheAppliance) -> PersonCreated:
    """Set a password; ends the person's sessions. One that was made up is in the answer, this once."""
    person = appliance.accounts.person(person_id)
    made_up = "" if wanted.password else generate_password()
    record_act(appliance, admin, "person.password_set", person.name)
    appliance.accounts.set_password(person_id, wanted.password or made_up)
    return PersonCreated(**_person_out(person).model_dump(), password=made_up)


def _rights(roles: Iterable[str], groups: Iterable[str]) -> str:
    named = (("roles", sorted(roles)), ("groups", sorted(groups)))
    return "; ".join(f"{what}: {', '.join(values)}" for what, values in named if values)


def _person_out(person: Person) -> PersonOut:
    return PersonOut(
        id=person.id,
        name=person.name,
        display_name=person.display_name,
        roles=sorted(person.roles),
        groups=sorted(person.groups),
        disabled=person.disabled,
        created_at=person.created_at,
    )
