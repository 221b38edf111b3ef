"""Accounts, sessions and groups for the command line, alone: the appliance may be running meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from appliance.access_requests import AccessRequests
from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.auth.groups import groups_in_use
from appliance.auth.sessions import Sessions
from appliance.auth.standing import Person
from appliance.catalog import Catalog
from appliance.compliance.clock import steady_clock
from appliance.config import Settings
from appliance.conversations import Conversations
from appliance.data_folder import database_in, found_folder, make_folder
from appliance.database import Database
from appliance.sealing import seal_what_is_plain


@contextmanager
def accounts_of(settings: Settings, *, may_make_folder: bool = False) -> Iterator[Accounts]:
    """The accounts alone, for the command line; the appliance may be running meanwhile."""
    with _database_of(settings, may_make_folder=may_make_folder) as database:
        yield Accounts(database, steady_clock(database))


def known_groups(settings: Settings) -> frozenset[str]:
    """The groups in use, for the command line; the appliance may be running meanwhile."""
    with _database_of(settings) as database:
        return groups_in_use(Accounts(database), Catalog(database))


@contextmanager
def sessions_of(settings: Settings) -> Iterator[Sessions]:
    """The sessions alone, for issuing tokens on the command line."""
    with _database_of(settings) as database:
        yield Sessions(database, settings.sign_in, steady_clock(database))


@contextmanager
def subject_of(settings: Settings, name: str, log: QueryLog) -> Iterator[tuple[Person, Conversations, AccessRequests]]:
    """A person by name, and what they keep here, for the command line. Raises NotFound."""
    with _database_of(settings) as database:
        person = Accounts(database).named(name)
        seal_what_is_plain(database, log)  # no start may have come after an update yet
        yield person, Conversations(database, log), AccessRequests(database, log)


def _database_of(settings: Settings, *, may_make_folder: bool = False) -> AbstractContextManager[Database]:
    """Raises ConfigurationError when there is no data folder, and none may be made."""
    return contextlib.closing(database_in((make_folder if may_make_folder else found_folder)(settings)))
