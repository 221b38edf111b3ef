"""Asks a directory again about somebody who asks for something: a group taken away there does not wait for a sync.

Rules this module keeps:

1. Somebody is asked about when they ask for something, and not again for `every_s`. Nobody else is asked about.
2. Nobody waits for the answer longer than a moment: until it is there, the directory's last word counts, as it does
   while the directory is down. Who is down is not asked again for `every_s`, by nobody.
3. Whom the directory knows no more is left to a sync, which begins at once: it can tell one who left from a wrong base.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from appliance.auth.identity import Identity
from appliance.auth.standing import Person
from appliance.errors import ApplianceError
from appliance.ldap.directory import LdapDirectory

_log = logging.getLogger(__name__)
_AT_ONCE = 4
_WAIT_S = 1.0

Told = tuple[Identity, ...]
"""What a directory says of somebody: nothing, where it knows them no more."""


class SecondLook:
    """Asks one directory. Threads may share it."""

    def __init__(self, directory: LdapDirectory, sync: Callable[[], object], *, every_s: float) -> None:
        """Ask nothing yet. `sync` takes over what the directory says of everybody."""
        self._directory = directory
        self._sync = sync
        self._every_s = every_s
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self._looks: dict[str, Future[Told]] = {}
        self._not_before = 0.0
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="second-look")

    def close(self) -> None:
        """Begin no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def told(self, person: Person) -> Told | None:
        """What the directory says of somebody now; None where it was not asked, or has not answered yet."""
        if person.directory != self._directory.name:
            return None
        with self._lock:
            look, wait_s = self._looks.get(person.subject), 0.0
            if look is None and self._is_due(person.subject):
                self._asked[person.subject] = time.monotonic()
                look, wait_s = self._threads.submit(self._ask, person.subject), _WAIT_S
                self._looks[person.subject] = look
        if look is None:
            return None
        try:
            return look.result(wait_s)
        except TimeoutError:
            return None
        except ApplianceError as error:
            _log.warning("The directory could not be asked about somebody again: %s", error)
            return None
        finally:
            with self._lock:
                if look.done() and self._looks.get(person.subject) is look:
                    del self._looks[person.subject]

    def forget(self, person: Person) -> None:
        """What it said was not taken over: ask it again at the next request."""
        with self._lock:
            self._asked.pop(person.subject, None)

    def _is_due(self, subject: str) -> bool:
        now = time.monotonic()
        return now >= self._not_before and now - self._asked.get(subject, -self._every_s) >= self._every_s

    def _ask(self, subject: str) -> Told:
        try:
            told = self._directory.census([subject]).identities
        except ApplianceError:
            self._not_before = time.monotonic() + self._every_s
            raise
        if not told:
            self._sync()
        return told
