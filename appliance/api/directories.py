"""One directory that people come from: how it stands, and a sync on demand. For admins."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from appliance.api.gate import PeopleAdmin, TheAppliance, record_act
from appliance.api.people_wire import directory_out
from appliance.api.schemas.directories import DirectoryDetail, DirectorySyncIn
from appliance.auth.identity import DirectoryState
from appliance.errors import NotFound
from appliance.ldap.sync import DirectorySync
from appliance.wiring import Appliance

router = APIRouter(prefix="/directories/{name}", tags=["people"])


@router.get("")
def directory(name: str, _admin: PeopleAdmin, appliance: TheAppliance) -> DirectoryDetail:
    """How a directory stands, and what came of it."""
    return _detail(appliance, _state(appliance, name))


@router.post("/sync")
def sync(name: str, wanted: DirectorySyncIn, admin: PeopleAdmin, appliance: TheAppliance) -> DirectoryDetail:
    """Ask a directory now about everybody of it who is known here. The answer says how it went."""
    syncing = _syncing(appliance, _state(appliance, name).name)
    if syncing is None:
        raise NotFound("That directory cannot be synced: it tells of people when they sign in.")
    detail = "many may be missing" if wanted.accept_missing else ""
    with record_act(appliance, admin, "directory.sync_requested", name, detail):
        syncing.run(admin.id, confirmed=wanted.accept_missing)
    return _detail(appliance, _state(appliance, name))


def _state(appliance: Appliance, name: str) -> DirectoryState:
    for state in appliance.accounts.directories():
        if state.name == name:
            return state
    raise NotFound("There is no such directory. Choose one from the list.")


def _syncing(appliance: Appliance, name: str) -> DirectorySync | None:
    found = appliance.directory_sync
    return found if found is not None and found.directory.name == name else None


def _detail(appliance: Appliance, state: DirectoryState) -> DirectoryDetail:
    people = [person for person in appliance.accounts.people() if person.directory == state.name]
    syncing = _syncing(appliance, state.name)
    latest = syncing.latest if syncing is not None else None
    if latest is not None and latest.problem:  # a sign-in that went well since does not make up for it
        state = replace(state, problem=latest.problem)
    return DirectoryDetail(
        **directory_out(state).model_dump(),
        can_sync=syncing is not None,
        notes=list(latest.notes) if latest is not None else [],
        people=len(people),
        gone=sum(person.gone for person in people),
        stale=sum(not person.is_fresh for person in people),
        groups=len({one.group for person in people for one in person.memberships if one.origin == state.name}),
    )
