"""Runs a command for which whatever it writes counts as on the disk at once.

    python tests/unsynced.py COMMAND...

The kernel answers fsync and fdatasync of the command, and of all that it starts, with success and does nothing, as
`systemd-nspawn --suppress-sync` has it (seccomp(2)). No test takes the power away, and what a process wrote outlives the
process without them; waiting for the disk took longer than most tests that make an index or a log. That the product
asks for them, when, and what it does when they fail, is tested where the calls are made.

Where the kernel takes no filter the command runs as it is.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

# linux/audit.h, and the numbers of asm/unistd.h
_MACHINES = {
    "x86_64": (0xC000003E, {"seccomp": 317, "fsync": 74, "fdatasync": 75}),
    "aarch64": (0xC00000B7, {"seccomp": 277, "fsync": 82, "fdatasync": 83}),
}

# linux/seccomp.h and linux/filter.h
_SET_MODE_FILTER, _SUCCESS, _ALLOW = 1, 0x00050000, 0x7FFF0000  # an error with the number 0 is none
_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06
_PR_SET_NO_NEW_PRIVS = 38


def _filter(architecture: int, numbers: dict[str, int]) -> bytes:
    """What the kernel asks about each call: its number stands at 0 of struct seccomp_data, the architecture at 4."""
    lines = [
        (_LOAD, 0, 0, 4),
        (_EQUALS, 0, 4, architecture),
        (_LOAD, 0, 0, 0),
        (_EQUALS, 1, 0, numbers["fsync"]),
        (_EQUALS, 0, 1, numbers["fdatasync"]),
        (_RETURN, 0, 0, _SUCCESS),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def main() -> None:
    """The command line."""
    machine = _MACHINES.get(platform.machine())
    if machine is not None:
        libc = ctypes.CDLL(None)
        if os.geteuid() != 0:  # what needs no privileges must not gain any under a filter
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        program = _filter(*machine)
        lines = ctypes.create_string_buffer(program, len(program))
        described = struct.pack("@HP", len(program) // 8, ctypes.addressof(lines))
        libc.syscall(machine[1]["seccomp"], _SET_MODE_FILTER, 0, ctypes.c_char_p(described))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
