"""Keeps what the appliance knows of a directory's people up to date: at the start, every so often, and when asked.

Rules this module keeps:

1. The directory is asked first, about everybody who is known here. Only its whole answer is taken over, in one
   transaction: a sync that fails midway changes nothing, and what the last one brought grows old.
2. What changes for a person is on record before it is done.
3. When much more of the people is missing than leaves an organisation at once, somebody has to confirm it: a wrong base
   or filter looks the same.
4. A failure is kept for whoever looks, and tried again sooner than usual; it never ends the keeping.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from appliance.audit.acts import begun
from appliance.audit.entries import ITSELF, AdminAction
from appliance.auth.accounts import Accounts
from appliance.auth.identity import Identity
from appliance.auth.standing import Person
from appliance.config.identity import LdapSettings
from appliance.errors import ApplianceError, DirectoryUnavailable
from appliance.ldap.directory import LdapDirectory

_log = logging.getLogger(__name__)

_AGAIN_S = 60.0
_END_S = 10.0
_FEW = 2  # so many may be missing whatever their share: a small team's one colleague who left


@dataclass(frozen=True, slots=True)
class Report:
    """How a sync went. `notes` name what of the directory was left out; `problem` is why nothing was taken over."""

    at: datetime
    notes: tuple[str, ...] = ()
    problem: str = ""


class DirectorySync:
    """Syncs one directory. Threads may share it."""

    def __init__(
        self,
        directory: LdapDirectory,
        accounts: Accounts,
        settings: LdapSettings,
        record: Callable[[AdminAction], object],
    ) -> None:
        self._directory = directory
        self._accounts = accounts
        self._settings = settings
        self._record = record
        self._latest: Report | None = None
        self._began_s = -math.inf  # the latest one, by the processor's clock
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="directory-sync", daemon=True)

    @property
    def directory(self) -> LdapDirectory:
        """What is asked."""
        return self._directory

    @property
    def latest(self) -> Report | None:
        """How the latest sync of this process went, None before there was one."""
        return self._latest

    def start(self) -> None:
        """Begin to sync by itself, now and then every so often."""
        self._keeper.start()

    def close(self) -> None:
        """Start no more, and wait for the one that runs; not for ever: what it brings after that is not taken over."""
        self._stop.set()
        if self._keeper.is_alive():
            self._keeper.join(_END_S)

    def run(self, by: str = ITSELF, *, confirmed: bool = False) -> Report:
        """Sync now.

        Args:
            by: Who wants it, for the record.
            confirmed: Somebody says that it is right for many people to be missing.

        Returns:
            How it went; a directory that cannot be asked is a report as well.
        """
        with self._one_at_a_time:
            return self._run(by, confirmed=confirmed)

    def run_unless_begun(self, since_s: float) -> None:
        """Sync now, unless one began since then, by the processor's clock; wait for the one that runs, if any.

        It raises nothing: how it went is in `latest`.
        """
        problem = self._try(since_s)
        if problem:
            _log.warning("The directory is not synced at the moment: %s", problem)

    def _run(self, by: str, *, confirmed: bool) -> Report:
        self._began_s = time.monotonic()
        try:
            self._latest = self._renew(by, confirmed=confirmed)
        except ApplianceError as error:
            self._latest = Report(datetime.now(UTC), problem=str(error))
            self._accounts.directory_failed(self._directory.name, str(error))
        return self._latest

    def _renew(self, by: str, *, confirmed: bool) -> Report:
        name = self._directory.name
        known = {person.subject: person for person in self._accounts.people() if person.directory == name}
        census = self._directory.census(known)
        told = {identity.subject: identity for identity in census.identities}
        if self._stop.is_set():
            raise DirectoryUnavailable("The appliance is being stopped. Sync again when it runs.")
        if not confirmed:
            self._refuse_many_missing([person for person in known.values() if not person.gone], told)
        with ExitStack() as acts:
            for act in _changes(by, known, told):
                acts.enter_context(begun(self._record, act))
            self._accounts.renew(name, census.identities, census.asked_at)
        return Report(census.asked_at, census.notes)

    def _refuse_many_missing(self, present: list[Person], told: Mapping[str, Identity]) -> None:
        missing = sum(person.subject not in told for person in present)
        if missing > _FEW and missing > self._settings.max_missing_share * len(present):
            raise DirectoryUnavailable(
                f"The directory '{self._directory.name}' names {missing} of its {len(present)} people no more. Nothing "
                "was changed. Check ldap.people_base and ldap.people_filter; if they have left, confirm it with "
                "'strongroom directory sync --accept-missing'."
            )

    def _keep(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            wait_s = self._settings.sync_every_s
            problem = self._try()
            if problem:
                wait_s = min(wait_s, _AGAIN_S)
                _log.warning("The directory is not synced at the moment: %s", problem)

    def _try(self, unless_begun_since_s: float = math.inf) -> str:
        """Why a sync failed; empty if it did not, or if there was one already."""
        try:
            with self._one_at_a_time:
                is_done = self._began_s >= unless_begun_since_s
                return "" if is_done else self._run(ITSELF, confirmed=False).problem
        except ApplianceError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end
            return type(error).__name__


def _changes(by: str, known: Mapping[str, Person], told: Mapping[str, Identity]) -> Iterator[AdminAction]:
    """What is different from before, one act for each person."""
    for subject, person in known.items():
        identity = told.get(subject)
        if identity is None and not person.gone:
            yield AdminAction(by, "person.gone", person.name, f"directory: {person.directory}")
        elif identity is not None and _differs(person, identity):
            rights = f"roles: {', '.join(sorted(identity.roles))}; groups: {', '.join(sorted(identity.groups))}"
            yield AdminAction(by, "person.renewed", person.name, rights)


def _differs(person: Person, identity: Identity) -> bool:
    return person.told != (identity.name, False, identity.roles, identity.groups)
