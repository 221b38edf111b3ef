"""What a parser process may not do, put in place by the process itself before it sees a document.

Layers, each of which holds without the others; `Confinement` says which of them this machine granted:

1. namespaces: no network device, own process tree (everything in it dies with its first process), a memory-backed
   scratch folder that no other process sees and that is gone when the process is;
2. Landlock: files can be read where the programs and libraries live, written in the scratch folder, and nowhere else;
3. seccomp: no socket of any family, no tracing, no mounts, no kernel keyring, no new namespaces;
4. limits: address space, file size, open files, no core dump; no privilege gained by running a program.

Linux only, through ctypes: these calls have no other Python interface. Numbers are from the kernel headers
(linux/prctl.h, sched.h, landlock.h, seccomp.h, filter.h).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import appliance
import ingest

_libc = ctypes.CDLL(None, use_errno=True)

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = (
    0x20000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x4000, 0x40000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_NOBODY = 65534

SCRATCH_BYTES = 1024**3
FILE_BYTES = 512 * 1024**2
OPEN_FILES = 256


@dataclass(frozen=True, slots=True)
class Confinement:
    """Which layers hold. `network` means that no socket can be opened, or that none could reach anything."""

    namespaces: bool
    landlock: bool
    seccomp: bool
    private_scratch: bool

    @property
    def network(self) -> bool:
        """Whether the network is out of reach."""
        return self.namespaces or self.seccomp


def guard(scratch: Path) -> tuple[bool, bool]:
    """Go on in a new process inside new namespaces; the caller's process stays behind as its guard.

    The guard does nothing but wait: it ends when the inner process ends, with its exit code (128 + signal), and it
    kills the inner process when standard input loses its other end, so that no parser outlives the appliance.

    Returns: in the inner process only, whether it has its own namespaces and its own memory-backed scratch folder.
    """
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWNS | _CLONE_NEWIPC
    separate = _libc.unshare(flags) == 0
    if separate:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{_NOBODY} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{_NOBODY} {group} 1")
    child = os.fork()
    if child:
        _wait_for(child, scratch)
    return separate, separate and _mount_scratch(scratch)


def _wait_for(child: int, scratch: Path) -> None:
    import select

    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(0, 0)  # hang-up of the pipe is always reported
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == 0:
                _end_all(child, scratch)
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _end_all(child: int, scratch: Path) -> None:
    """The appliance is gone and cannot clear up after us any more."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _libc.umount2(bytes(scratch), 2)  # MNT_DETACH
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _mount_scratch(scratch: Path) -> bool:
    options = f"size={SCRATCH_BYTES},mode=0700".encode()
    private = _libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None) == 0
    return private and bool(_libc.mount(b"tmpfs", bytes(scratch), b"tmpfs", _MS_NOSUID | _MS_NODEV, options) == 0)


def restrict(scratch: Path, memory_bytes: int, *, separate: bool, private_scratch: bool) -> Confinement:
    """Give up everything a parser does not need, for this process and all it starts. There is no way back."""
    for kind, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, limit))
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no-new-privileges was refused")
    _drop_capabilities()
    return Confinement(separate, _landlock(scratch), _seccomp(), private_scratch)


def _drop_capabilities() -> None:
    header = struct.pack("<Ii", 0x20080522, 0)
    _libc.capset(header, bytes(24))


# --- Landlock -------------------------------------------------------------------------------------------------------

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture
_READ = 0b1101  # execute, read file, read folder
_RIGHTS_BY_ABI = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}
_FILE_RIGHTS = 0b111 | 0x4000 | 0x8000  # execute, write, read, truncate, device control: what makes sense for a file
_OPEN_PATH = os.O_PATH | os.O_CLOEXEC

SYSTEM_PATHS = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/etc/alternatives",
    "/etc/mime.types",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
PROC_FILES = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
)


def readable_paths() -> tuple[str, ...]:
    """Where the interpreter, its packages and the programs it starts live."""
    packages = {str(Path(str(module.__file__)).parent) for module in (appliance, ingest)}
    return (*SYSTEM_PATHS, *DEVICES, *PROC_FILES, *sorted({sys.prefix, sys.base_prefix} | packages))


def _landlock(scratch: Path) -> bool:
    abi = _libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if abi < 1:
        return False
    rights = _RIGHTS_BY_ABI.get(abi, 0xFFFF)
    handled = struct.pack("<Q", rights)
    if abi >= 6:  # TCP bind and connect; abstract sockets and signals to the outside
        handled = struct.pack("<QQQ", rights, 0b11, 0b11)
    ruleset = _libc.syscall(_LANDLOCK_CREATE, handled, len(handled), 0)
    if ruleset < 0:
        return False
    _allow(ruleset, readable_paths(), _READ)
    _allow(ruleset, DEVICES, 0b110)
    _allow(ruleset, (str(scratch),), rights & ~1)
    done = bool(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    os.close(ruleset)
    return done


def _allow(ruleset: int, paths: Sequence[str], rights: int) -> None:
    for path in paths:
        try:
            descriptor = os.open(path, _OPEN_PATH)
        except OSError:
            continue  # a path this machine does not have needs no permission
        granted = rights if Path(path).is_dir() else rights & _FILE_RIGHTS
        _libc.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("<Qi", granted, descriptor), 0)
        os.close(descriptor)


# --- seccomp --------------------------------------------------------------------------------------------------------

_EPERM = 1
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
# socket, socketpair, connect, bind, ptrace, mount, umount2, unshare, setns, keyctl, add_key, request_key, bpf,
# perf_event_open, userfaultfd, io_uring_setup, process_vm_readv, process_vm_writev, kexec_load, init_module
_DENIED = {
    "x86_64": (
        0xC000003E,
        (41, 53, 42, 49, 101, 165, 166, 272, 308, 250, 248, 249, 321, 298, 323, 425, 310, 311, 246, 175),
    ),
    "aarch64": (
        0xC00000B7,
        (198, 199, 203, 200, 117, 40, 39, 97, 268, 219, 217, 218, 280, 241, 282, 425, 270, 271, 104, 105),
    ),
}


def _seccomp() -> bool:
    arch, numbers = _DENIED.get(platform.machine(), (0, ()))
    if not numbers:
        return False
    load, jump_equal, jump_at_least, give = 0x20, 0x15, 0x35, 0x06
    program = [
        struct.pack("<HBBI", load, 0, 0, 4),  # the architecture
        struct.pack("<HBBI", jump_equal, 1, 0, arch),
        struct.pack("<HBBI", give, 0, 0, _KILL),
        struct.pack("<HBBI", load, 0, 0, 0),  # the call's number
        struct.pack("<HBBI", jump_at_least, len(numbers) + 1, 0, 0x40000000),  # the x32 table on x86-64
    ]
    for position, number in enumerate(numbers):
        program.append(struct.pack("<HBBI", jump_equal, len(numbers) - position, 0, number))
    program.append(struct.pack("<HBBI", give, 0, 0, _ALLOW))
    program.append(struct.pack("<HBBI", give, 0, 0, _ERRNO | _EPERM))
    code = ctypes.create_string_buffer(b"".join(program))
    filter_program = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))
    return bool(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_program), 0, 0) == 0)
