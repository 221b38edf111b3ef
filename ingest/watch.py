"""Starts syncs by itself: soon after something changed in a watched folder, when a folder is to be compared again, and
when a file that failed is to be tried again.

Rules this module keeps:

1. What was noticed only tells when to look: a sync always compares the whole folder, since mounts lose events. Only who
   loses sight of what was named does not wait for that (`withdrawals`).
2. A folder that cannot be watched (a share without events, too few watches allowed) is still compared on its schedule;
   `unwatched` says which, and why.
3. Who may see what does not wait until a folder is quiet: when an access file changed, the sync begins at once.
4. What changed while nobody watched, as when the appliance was stopped, is looked for at once when a folder is watched,
   and before anybody is shown anything (`wait_until_looked_at`); also where it turns out that it cannot be watched, or
   not any more. A look that failed is tried again until one does not.
5. A paused source is not synced; who loses sight of something in it loses it all the same. A sync that is running is
   followed by another if something changed meanwhile.
6. A failure of the keeper's own is logged and tried again; it never ends the keeping, nor holds up another source.
7. A mount that does not answer holds nothing up: the thread that waits for it is waited for a while, then left behind.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from appliance.catalog import Catalog
from appliance.domain import Source
from appliance.errors import ApplianceError
from appliance.history import RunHistory, RunRecord
from ingest.folders import SIDECAR_SUFFIX
from ingest.inotify import WatchedFolder
from ingest.share.ntfs import EXPORT

_log = logging.getLogger(__name__)
_TICK_S = 1.0
_AT_MOST_SETTLES = 10  # a folder that is never quiet is synced after so many times `settle_s`
_WATCH_AGAIN_S = 60.0  # how long to wait before a folder that could not be watched is tried again
_LOOK_S = 0.5  # how long a watched folder is waited for before it is asked whether watching is to end
_LOOK_AGAIN_S = 2.0  # how long to wait before a look that failed is tried again
_SAY_WHO_MAY_SEE = (SIDECAR_SUFFIX, EXPORT)
_END_S = 5.0  # how long threads are waited for that look every half second whether they are to end


class _Notice(Protocol):
    def __call__(self, source_id: str, *, urgent: bool) -> None: ...


_Withdraw = Callable[[str, Iterable[str], threading.Event], object]


@dataclass(slots=True)
class _Noticed:
    """When changes of a folder were noticed first and last, on the monotonic clock, and whether one cannot wait."""

    first: float
    last: float
    urgent: bool


class Watcher:
    """Keeps sources in sync without anybody asking. Start it once."""

    def __init__(
        self,
        catalog: Catalog,
        history: RunHistory,
        request: Callable[[Source], object],
        *,
        withdraw: _Withdraw,
        is_running: Callable[[str], bool],
        settle_s: float,
    ) -> None:
        """Watch nothing yet.

        Args:
            request: Syncs a source in the background, once more if it is being synced.
            withdraw: Lets those who are to lose sight of something in a source lose it now; told the source, the paths
                inside it at which something changed, and what is set once it comes too late.
            is_running: Whether a source is being synced. The history may lack the end of a run, if it could not be
                written then.
            settle_s: How long a folder must be quiet before it is synced.
        """
        self._catalog = catalog
        self._history = history
        self._request = request
        self._withdraw = withdraw
        self._is_running = is_running
        self._settle_s = settle_s
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._is_keeping = threading.Event()
        self._lock = threading.Lock()
        self._noticed: dict[str, _Noticed] = {}
        self._eyes: dict[str, _Eye] = {}
        self._keeper = threading.Thread(target=self._keep, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to keep the sources in sync."""
        self._hurry.set()
        self._keeper.start()

    def wait_until_looked_at(self, timeout_s: float) -> bool:
        """Wait until who lost sight of something in a watched folder, while nobody watched it, has lost it here too.

        Returns:
            Whether that was done for every folder that is to be watched.
        """
        limit = time.monotonic() + timeout_s
        if not self._is_keeping.wait(timeout_s):
            return False
        return all(eye.looked.wait(max(0.0, limit - time.monotonic())) for eye in self._eyes.copy().values())

    def close(self) -> None:
        """Stop, and wait for it."""
        self._stop.set()
        self._hurry.set()
        if self._keeper.is_alive():
            self._keeper.join()
        limit = time.monotonic() + _END_S
        for eye in self._eyes.values():
            eye.stop()
        for eye in self._eyes.values():
            eye.wait(limit - time.monotonic())

    def unwatched(self) -> Mapping[str, str]:
        """Why a source that should be watched is not, by its id."""
        return {source_id: eye.problem for source_id, eye in self._eyes.copy().items() if eye.problem}

    def notice(self, source_id: str, *, urgent: bool = False) -> None:
        """Something changed in the folder of a source; if that is urgent, it is not waited for more."""
        now = time.monotonic()
        with self._lock:
            known = self._noticed.get(source_id, _Noticed(now, now, urgent))
            self._noticed[source_id] = _Noticed(known.first, now, known.urgent or urgent)
        if urgent:
            self._hurry.set()

    def _keep(self) -> None:
        while True:
            self._hurry.wait(min(_TICK_S, self._settle_s / 2 or _TICK_S))
            self._hurry.clear()
            if self._stop.is_set():
                return
            with _going_on():
                sources = [source for source in self._catalog.sources() if not source.removing]
                with _going_on():
                    self._look_at(sources)
                for source in sources:
                    if not source.paused:
                        with _going_on():
                            self._sync_if_due(source)

    def _look_at(self, sources: Iterable[Source]) -> None:
        """Watch the folders that are to be watched, and no others."""
        wanted = {source.id: source.path for source in sources if source.watched}
        again = set[str]()
        for source_id, eye in list(self._eyes.items()):
            if wanted.get(source_id) != eye.path or eye.is_over(_WATCH_AGAIN_S):
                if wanted.get(source_id) == eye.path:
                    again.add(source_id)
                eye.stop()
                del self._eyes[source_id]
        for source_id, path in wanted.items():
            if source_id not in self._eyes:
                is_first = source_id not in again
                self._eyes[source_id] = _Eye(source_id, path, self.notice, self._withdraw, is_first=is_first)
        self._is_keeping.set()

    def _sync_if_due(self, source: Source) -> None:
        latest = self._history.latest_of(source.id)
        if latest is None:
            return  # nobody has synced it yet: the first time is for a person to decide
        noticed = self._take_quiet(source.id)
        if noticed is None and not self._is_due(source, latest):
            return
        try:
            self._request(source)
        except Exception:
            if noticed is not None:
                self._put_back(source.id, noticed)
            raise

    def _is_due(self, source: Source, latest: RunRecord) -> bool:
        """Whether a source is to be synced although nothing was noticed."""
        if self._is_running(source.id):
            return False
        now = datetime.now(UTC)
        if source.compare_every_s and now - latest.started_at >= timedelta(seconds=source.compare_every_s):
            return True
        retry_at = self._catalog.next_retry(source.id, after=latest.started_at)
        return retry_at is not None and retry_at <= now

    def _take_quiet(self, source_id: str) -> _Noticed | None:
        """The changes that were noticed, if it has been quiet since, or never is."""
        now = time.monotonic()
        with self._lock:
            noticed = self._noticed.get(source_id)
            if noticed is None:
                return None
            quiet = now - noticed.last >= self._settle_s
            if quiet or noticed.urgent or now - noticed.first >= _AT_MOST_SETTLES * self._settle_s:
                return self._noticed.pop(source_id)
        return None

    def _put_back(self, source_id: str, noticed: _Noticed) -> None:
        with self._lock:
            later = self._noticed.get(source_id, noticed)
            self._noticed[source_id] = _Noticed(noticed.first, later.last, noticed.urgent or later.urgent)


@contextmanager
def _going_on() -> Iterator[None]:
    """Whatever fails in here is logged, and tried again soon."""
    try:
        yield
    except ApplianceError as error:
        _log.warning("Sources are not kept in sync at the moment: %s", error)
    except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end
        _log.error("Sources are not kept in sync at the moment (%s).", type(error).__name__)


class _Eye:
    """Watches one folder in a thread of its own, which the process does not wait for when it ends."""

    def __init__(
        self, source_id: str, path: str, notice: _Notice, withdraw: _Withdraw, *, is_first: bool = True
    ) -> None:
        """Begin. Something may have changed before that nobody was told of: so all of it is looked at first.

        `is_first`: no other has tried just before, and looked at it although it could not watch it.
        """
        self.path = path
        self.problem = ""
        self.looked = threading.Event()  # set once that was done
        self._is_first = is_first
        self._source_id = source_id
        self._notice = notice
        self._withdraw = withdraw
        self._stop = threading.Event()
        self._ended: float | None = None
        self._thread = threading.Thread(target=self._watch, name=f"watch-{source_id[:8]}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; its thread ends soon, unless the folder is on a mount that does not answer."""
        self._stop.set()

    def wait(self, timeout_s: float) -> None:
        """Wait for the thread, but not for ever: nothing can end a call that a dead mount does not answer."""
        self._thread.join(max(0.0, timeout_s))

    def is_over(self, for_s: float) -> bool:
        """Whether watching ended by itself so long ago."""
        return self._ended is not None and time.monotonic() - self._ended >= for_s

    def _watch(self) -> None:
        try:
            with closing(WatchedFolder(Path(self.path))) as folder:
                self._is_first = True  # should this one be lost, it is looked at as a whole
                self._keep_looking(folder)
        except Exception as error:  # noqa: BLE001 - the edge of a background job: it is tried again later
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            self.problem = f"The folder cannot be watched ({reason}); it is compared on its schedule instead."
            _log.warning("A source cannot be watched (%s); it is compared on its schedule instead.", reason)
            if self._is_first or self.looked.is_set():
                self._look_once()
        finally:
            self.looked.set()
            self._ended = time.monotonic()

    def _keep_looking(self, folder: WatchedFolder) -> None:
        """Look at all of it, then at what changes. Raises OSError: it cannot be watched any more."""
        changed, left, again_at = {""}, set[str](), 0.0
        while not self._stop.is_set():
            left |= changed
            if changed or (left and time.monotonic() >= again_at):
                if self._is_looked_at(left):
                    left = set()
                    self.looked.set()
                again_at = time.monotonic() + _LOOK_AGAIN_S
            if changed:
                self._say(changed)
            changed = folder.changes(_LOOK_S)

    def _look_once(self) -> None:
        """Look at all of it, since nobody will be told what changes."""
        while not self._is_looked_at([""]) and not self._stop.wait(_LOOK_AGAIN_S):
            pass
        self._say([""])

    def _is_looked_at(self, changed: Collection[str]) -> bool:
        """Whether those who lose sight of something there have lost it, or nobody is shown anything until they have."""
        failed = True
        with _going_on():
            self._withdraw(self._source_id, changed, self._stop)
            failed = False
        return not failed

    def _say(self, changed: Collection[str]) -> None:
        urgent = any(not path or path.endswith(_SAY_WHO_MAY_SEE) for path in changed)
        self._notice(self._source_id, urgent=urgent)
