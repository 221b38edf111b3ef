"""Accounts, sessions and groups for the command line, alone: the appliance may be running meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from appliance.auth.accounts import Accounts
from appliance.auth.groups import groups_in_use
from appliance.auth.sessions import Sessions
from appliance.catalog import Catalog
from appliance.config import Settings
from appliance.data_folder import database_in, make_folder


def accounts_of(settings: Settings) -> AbstractContextManager[Accounts]:
    """The accounts alone, for the command line; the appliance may be running meanwhile."""

    @contextmanager
    def accounts() -> Iterator[Accounts]:
        folder = make_folder(settings)
        with contextlib.closing(database_in(folder)) as database:
            yield Accounts(database)

    return accounts()


def known_groups(settings: Settings) -> frozenset[str]:
    """The groups in use, for the command line; the appliance may be running meanwhile."""
    with contextlib.closing(database_in(make_folder(settings))) as database:
        return groups_in_use(Accounts(database), Catalog(database))


def sessions_of(settings: Settings) -> AbstractContextManager[Sessions]:
    """The sessions alone, for issuing tokens on the command line."""

    @contextmanager
    def sessions() -> Iterator[Sessions]:
        folder = make_folder(settings)
        with contextlib.closing(database_in(folder)) as database:
            yield Sessions(database, settings.sign_in)

    return sessions()
