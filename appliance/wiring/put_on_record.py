"""What the appliance puts on record of itself, nobody having asked for it."""

from __future__ import annotations

import logging

from appliance import __version__
from appliance.audit.entries import ITSELF, AdminAction, LogOpened, SettingInForce
from appliance.audit.log import QueryLog
from appliance.auth.identity import News, SignedOut
from appliance.config import Settings
from appliance.config.in_force import digest, not_as_delivered
from appliance.domain import Source
from ingest.pipeline import Outcome
from ingest.runs import Run, sync_ended

WITHHELD = "access.withheld"
"""The act on record that says that the last check of access was not in vain."""

_DEEDS = frozenset({Outcome.INDEXED, Outcome.RELABELLED, Outcome.DUPLICATE, Outcome.GONE})

_log = logging.getLogger(__name__)


def started(log: QueryLog, settings: Settings) -> None:
    """The appliance started, with these settings."""
    differing = not_as_delivered(settings)
    told = tuple(SettingInForce(name, value) for name, value in differing.items())
    log.append(LogOpened(__version__, digest(settings), told))


def news_of(person: News) -> AdminAction:
    """What a directory changed for somebody who signed in."""
    given = f"roles: {', '.join(sorted(person.roles))}; groups: {', '.join(sorted(person.groups))}"
    action = "person.made_known" if person.is_new else "person.renewed"
    return AdminAction(ITSELF, action, person.name, f"directory: {person.directory}; {given}")


def signed_out(log: QueryLog, directory: str, person: SignedOut) -> None:
    """A directory signed somebody out, who is so already."""
    told = f"directory: {directory}; sessions ended: {person.sessions}"
    if person.withdrawn:
        told += "; what it gave them counts for nothing until they sign in again"
    log.append(AdminAction(ITSELF, "person.signed_out", person.name, told))


def sign_out_refused(log: QueryLog, directory: str, why: str) -> None:
    """Something that was said to be the sign-out of a directory ended nothing."""
    log.append(AdminAction(ITSELF, "directory.sign_out_refused", directory, why))


def withheld(log: QueryLog, what: str) -> None:
    """Something was kept from a reader at the last moment; `strongroom doctor` says so too."""
    _log.warning("Access: %s", what)
    log.append(AdminAction(ITSELF, WITHHELD, "access", what))


def synced(log: QueryLog, run: Run) -> None:
    """A sync that nobody asked for ended, if it did anything."""
    if run.error or _DEEDS & run.progress.counts.keys():
        log.append(sync_ended(ITSELF, run))


def removed(log: QueryLog, source: Source) -> None:
    """The removal of a source ended."""
    log.append(AdminAction(ITSELF, "source.removal_ended", source.name, "nothing of it is left"))


def index_made_anew(log: QueryLog) -> None:
    """The index is begun again, and filled from the catalog."""
    log.append(AdminAction(ITSELF, "index.made_anew", "index", "an older release had written it in another form"))
