"""Who is behind a pseudonym of the desk: two officers agree that it is needed, and both are told for a while."""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.gate import Officer, OpenedLog, TheAppliance
from appliance.api.schemas.namings import NamedOut, NamingIn, NamingOut

router = APIRouter(prefix="/compliance/namings", tags=["compliance"])


@router.post("", status_code=202)
def ask_for_name(wanted: NamingIn, officer: Officer, _: OpenedLog, appliance: TheAppliance) -> None:
    """Put it before a second officer; see the proposals."""
    appliance.naming.ask(officer.id, wanted.person, wanted.reason)


@router.get("")
def namings(officer: Officer, _: OpenedLog, appliance: TheAppliance) -> list[NamingOut]:
    """What one may be told now, the latest approval first."""
    return [
        NamingOut(id=granted.id, person=granted.subject, reason=granted.reason, until=granted.until)
        for granted in appliance.naming.granted(officer.id)
    ]


@router.post("/{naming_id}/telling")
def tell_name(naming_id: str, officer: Officer, _: OpenedLog, appliance: TheAppliance) -> NamedOut:
    """Who it is. Being told goes on record."""
    named = appliance.naming.tell(officer.id, naming_id)
    return NamedOut(pseudonym=named.pseudonym, name=named.name, display_name=named.display_name, until=named.until)
