"""The watch over the served appliance must notice what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.served import can_trap, free_port, process

_LEAK = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"
_SERVER = """
import http.server, signal, socket, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
def stop(*_):
    try:
        {at_the_end}
    finally:  # in the middle of a request the server would survive the error of an address out of reach
        sys.exit()
signal.signal(signal.SIGTERM, stop)
http.server.HTTPServer(("127.0.0.1", {port}), Page).serve_forever()
"""


@pytest.mark.skipif(not can_trap(), reason="this machine shows nobody the calls of a process")
@pytest.mark.parametrize("leaks", [True, False])
def test_what_a_served_process_tries_up_to_its_end_is_counted(tmp_path: Path, leaks: bool) -> None:
    port, report = free_port(), tmp_path / "attempts.txt"
    code = _SERVER.format(port=port, at_the_end=_LEAK if leaks else "pass")
    served = process(["-c", code], port, tmp_path / "server.log", {}, report=report)
    if not leaks:
        with served:
            pass
        return
    with pytest.raises(AssertionError, match=r"1 x 192\.0\.2\.1 port 53"), served:
        pass
