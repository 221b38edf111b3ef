"""Asks a directory again about somebody who asks for something: a group taken away there does not wait for a sync.

Rules this module keeps:

1. Somebody is asked about when they ask for something, and not again for `every_s`. Nobody else is asked about.
2. Nobody waits for the answer longer than a moment: until it is there, the directory's last word counts, as it does
   while the directory is down. Once a question failed, nobody's is put for `every_s`: no more than `_AT_ONCE` wait for
   a directory that hangs.
3. Whom the directory knows no more is left to a sync, which begins at once: it can tell one who left from a wrong base.
   There is none where one began since the question was put, or less than `every_s` ago: then they are asked about again
   first. No other question waits for it.
4. An answer is said until it was taken over. Once it is `every_s` old the directory is asked again, and what it said
   before counts where that does not answer in time: whoever takes it over knows when it was asked.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from appliance.auth.identity import Told
from appliance.auth.standing import Person
from appliance.errors import ApplianceError
from appliance.ldap.sync import DirectorySync

_log = logging.getLogger(__name__)
_AT_ONCE = 4
_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class _Look:
    """A question about somebody. The answer is None where none came."""

    answer: Future[Told | None]

    @property
    def told(self) -> Told | None:
        """The answer, once it is done."""
        return None if self.answer.cancelled() else self.answer.result()


class SecondLook:
    """Asks the directory of a sync. Threads may share it."""

    def __init__(self, sync: DirectorySync, *, every_s: float) -> None:
        """Ask nothing yet."""
        self._directory = sync.directory
        self._sync = sync
        self._every_s = every_s
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self._looks: dict[str, _Look] = {}
        self._not_before = 0.0
        self._is_closed = False
        self._syncing: Future[None] | None = None
        self._one_thread = ThreadPoolExecutor(1, thread_name_prefix="second-look-sync")
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="second-look")

    def close(self) -> None:
        """Begin no more."""
        with self._lock:
            self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._one_thread.shutdown(wait=False, cancel_futures=True)

    def told(self, person: Person) -> Told | None:
        """What the directory says of somebody; None where it was not asked, has not answered, or was heard already."""
        if person.directory != self._directory.name:
            return None
        with self._lock:
            look, before, wait_s = self._looks.get(person.subject), None, 0.0
            if look is not None and look.answer.done() and (look.told is None or self._is_due(person.subject)):
                look, before = None, self._looks.pop(person.subject).told
            if look is None and self._is_due(person.subject):
                self._asked[person.subject] = time.monotonic()
                look, wait_s = _Look(self._threads.submit(self._ask, person.subject)), _WAIT_S
                self._looks[person.subject] = look
        if look is None:
            return before
        until_s = time.monotonic() + wait_s
        try:
            told = look.answer.result(wait_s)
        except (TimeoutError, CancelledError):
            return before
        if told is not None and told.identity is None and self._syncing is not None:
            wait([self._syncing], max(0.0, until_s - time.monotonic()))  # so that it shuts them out now, if it does
        return told or before

    def taken(self, person: Person, told: Told) -> None:
        """This was taken over, and is not said again."""
        with self._lock:
            look = self._looks.get(person.subject)
            if look is not None and look.answer.done() and look.told is told:
                del self._looks[person.subject]

    def _is_due(self, subject: str) -> bool:
        now = time.monotonic()
        return (
            not self._is_closed
            and now >= self._not_before
            and now - self._asked.get(subject, -self._every_s) >= self._every_s
        )

    def _ask(self, subject: str) -> Told | None:
        asked_s = time.monotonic()
        if asked_s < self._not_before:  # it was in the queue while another question failed
            return None
        try:
            census = self._directory.census([subject])
        except ApplianceError as error:
            self._not_before = time.monotonic() + self._every_s
            _log.warning("The directory could not be asked about somebody again: %s", error)
            return None
        except Exception as error:  # noqa: BLE001 - the edge of a background job: it is no error of who asks
            _log.warning("The directory could not be asked about somebody again: %s", type(error).__name__)
            return None
        found = {identity.subject: identity for identity in census.identities}.get(subject)
        if found is None:
            self._begin_sync(asked_s)
        return Told(census.asked_at, found)

    def _begin_sync(self, asked_s: float) -> None:
        with self._lock:
            if not self._is_closed and (self._syncing is None or self._syncing.done()):
                self._syncing = self._one_thread.submit(self._sync_for, asked_s)

    def _sync_for(self, asked_s: float) -> None:
        self._sync.run_unless_begun(min(asked_s, time.monotonic() - self._every_s))
