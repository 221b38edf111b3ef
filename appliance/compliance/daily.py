"""What the appliance does by itself once a day.

Rules this module keeps:

1. A day's work is done soon after the start, and again when a day has passed; never twice at once.
2. One piece of work that fails leaves the others alone, is tried again an hour later, and says why until it succeeds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from appliance.errors import ApplianceError, place_of

_log = logging.getLogger(__name__)
_DAY_S = 24 * 3600.0
_AGAIN_S = 3600.0


class Daily:
    """Does some work once a day, in a thread of its own."""

    def __init__(self, work: Mapping[str, Callable[[], object]]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="daily", daemon=True)
        self.problems: dict[str, str] = {}

    def start(self) -> None:
        """Begin, now and then daily."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for what is being done."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def run(self) -> None:
        """Do the work of a day."""
        for name, do in self._work.items():
            if self._stop.is_set():
                return
            self._do(name, do)

    def _do(self, name: str, do: Callable[[], object]) -> None:
        try:
            do()
            self.problems.pop(name, None)
        except ApplianceError as error:
            self.problems[name] = str(error)
            _log.error("The daily work '%s' failed: %s", name, error)
        except Exception as error:  # noqa: BLE001 - the edge of a background job; its message may hold anything
            self.problems[name] = f"It failed ({type(error).__name__}). Look into the application's log."
            _log.error("The daily work '%s' failed: %s at %s", name, type(error).__name__, place_of(error))

    def _keep(self) -> None:
        while not self._stop.is_set():
            self.run()
            self._stop.wait(_AGAIN_S if self.problems else _DAY_S)
