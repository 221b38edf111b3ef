"""When a page is quiet: nothing is on its way, nothing moves, and a click lands on what was aimed at.

Rules this module keeps:

1. A run of the script that the page asked for is over. The page's own word comes late: between a click and the server's
   first message it still says "not running". So the messages themselves are watched.
2. No animation of limited length is under way. An expander opens over half a second, and what is in it moves until then:
   a button pressed meanwhile is no longer under the pointer when it is let go, and the browser makes no click of it.
3. Every control is where it was the last few times one looked.
"""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_LIMIT_S = 60
_LOOK_MS = 100
_LOOKS = 3

_LOOK = """() => {
  const streamlit = document.getElementById('root') !== null;
  const app = document.querySelector('[data-test-script-state]');
  const state = streamlit ? app?.dataset.testScriptState ?? 'not loaded' : 'notRunning';
  const moving = document.getAnimations().filter(
    one => one.playState === 'running' && Number.isFinite(one.effect?.getComputedTiming().endTime));
  const places = [...document.querySelectorAll('a, button, input, textarea, summary, [role=tab], [role=dialog]')].map(
    node => Object.values(node.getBoundingClientRect().toJSON()).map(Math.round).join());
  return {
    busy: [state === 'notRunning' ? '' : 'the script is ' + state,
           moving.length ? 'moving: ' + [...new Set(moving.map(one => one.effect.target?.tagName))].join() : '',
           document.readyState === 'complete' ? '' : 'the page is loading'].filter(Boolean).join('; '),
    streamlit,
    places: [location.href, ...places].join(' '),
  };
}"""


class Runs:
    """The runs of the script a page has asked for, as told by the messages between the page and the server."""

    def __init__(self, page: Page) -> None:
        self._state = ""
        page.on("websocket", self._on_websocket)

    @property
    def pending(self) -> str:
        """What is still to come; empty when nothing is."""
        return self._state

    def _on_websocket(self, socket: WebSocket) -> None:
        self._state = "the page connects"
        socket.on("framesent", self.on_sent)
        socket.on("framereceived", self.on_received)

    def on_sent(self, payload: str | bytes) -> None:
        """Take note of a message of the page."""
        if isinstance(payload, bytes) and BackMsg.FromString(payload).WhichOneof("type") == "rerun_script":
            self._state = "a run was asked for"

    def on_received(self, payload: str | bytes) -> None:
        """Take note of a message of the server."""
        if not isinstance(payload, bytes):
            return
        message = ForwardMsg.FromString(payload)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._state = "a run is under way"
        elif kind == "script_finished" and self._state == "a run is under way":
            again = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
            self._state = "the next run starts" if again else ""


def wait_until_quiet(page: Page, runs: Runs, limit_s: float = _LIMIT_S) -> None:
    """Come back once the page has been quiet for several looks. Raises AssertionError with the reason if it never is."""
    deadline = time.monotonic() + limit_s
    quiet, places, reason = 0, "", "nothing was seen"
    while time.monotonic() < deadline:
        look = _look(page)
        # Without a root element this is no page of Streamlit, and what its predecessor asked for is nobody's business.
        reason = look["busy"] or (runs.pending if look["streamlit"] else "")
        if not reason and look["places"] != places:
            reason = "the controls change places"
        quiet = 0 if reason else quiet + 1
        if quiet == _LOOKS:
            return
        places = look["places"]
        page.wait_for_timeout(_LOOK_MS)
    raise AssertionError(f"The page did not come to rest in {limit_s} s: {reason}.")


def _look(page: Page) -> dict[str, Any]:
    try:
        found: dict[str, Any] = page.evaluate(_LOOK)
    except PlaywrightError as error:  # the page went away under the look
        return {"busy": f"the page cannot be looked at ({error.message})", "places": "", "streamlit": False}
    return found
