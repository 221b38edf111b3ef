"""Runs a command with no way out and counts its attempts to leave.

    python tests/offline/trap.py [--same-network] [--report FILE] -- COMMAND...

The command runs in a network namespace of its own with only the loopback up (unless --same-network), under strace.
Every connect, sendto, sendmsg and sendmmsg of every process it starts is read; one to an address that is not loopback
is an attempt, whether it could have worked or not: a blocked call still shows intent. The exit status is the command's,
or LEAKED when there was an attempt. Only calls that fail or succeed on IPv4 and IPv6 count; local sockets do not.
SIGTERM is passed on to the command.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

LEAKED = 97

_ADDRESS = re.compile(
    r"sin_addr=inet_addr\(\"(?P<v4>[^\"]+)\"\)|inet_pton\(AF_INET6, \"(?P<v6>[^\"]+)\"|sin6_addr=in6addr_(?P<named>\w+)"
)
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_NAMED = {"loopback": "::1", "any": "::"}


def attempts(trace: Iterable[str]) -> Counter[str]:
    """Addresses outside of loopback that a trace of strace shows, with how often."""
    found: Counter[str] = Counter()
    for line in trace:
        match = _ADDRESS.search(line)
        if match is None:
            continue
        text = match["v4"] or match["v6"] or _NAMED.get(match["named"], match["named"])
        port = _PORT.search(line)
        if not _stays(text):
            found[f"{text} port {port.group(1) if port else '?'}"] += 1
    return found


def _stays(text: str) -> bool:
    """Whether traffic to this address stays on the machine. The unspecified address means this host (RFC 1122)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def _pass_on_sigterm(pid: Path) -> None:
    """Passes SIGTERM on to the command, whose process id is in a file. (strace itself blocks it while it traces.)"""

    def pass_on(number: int, _: object) -> None:
        if pid.exists() and (digits := pid.read_text("utf-8").strip()):
            os.kill(int(digits), number)

    signal.signal(signal.SIGTERM, pass_on)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--same-network", action="store_true", help="count only; do not take the network away")
    parser.add_argument("--report", type=Path, help="write the attempts here too")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("no command")
    if not given.same_network:
        command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]
    with tempfile.TemporaryDirectory(prefix="trap-") as folder:
        trace, pid = Path(folder) / "trace", Path(folder) / "pid"
        _pass_on_sigterm(pid)
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        status = subprocess.run(
            [
                "strace",
                "-f",
                "--seccomp-bpf",
                "-qq",
                "-s",
                "0",
                "-e",
                calls,
                "-e",
                "signal=none",
                "-o",
                trace,
                "sh",
                "-c",
                'echo $$ >"$0" && exec "$@"',
                pid,
                *command,
            ],
            check=False,
            env={**os.environ, "STRONGROOM_TEST_TRAPPED": "1"},
        ).returncode
        with trace.open(encoding="utf-8", errors="replace") as lines:
            found = attempts(lines)
    summary = "\n".join(f"  {count} x {address}" for address, count in found.most_common())
    report = f"Attempts to leave this machine: {sum(found.values())}\n{summary}".rstrip()
    print(report, file=sys.stderr)
    if given.report:
        given.report.write_text(report + "\n", "utf-8")
    return LEAKED if found else status


if __name__ == "__main__":
    sys.exit(main())
