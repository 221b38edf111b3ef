"""What a parser process may not do, put in place by the process itself before it sees a document.

Layers, each of which holds without the others; `Confinement` says which of them this machine granted:

1. namespaces: no network device, own process tree (everything in it dies with its first process), a memory-backed
   scratch folder that no other process sees and that is gone when the process is;
2. a root folder of its own, read-only, with the programs and libraries in it: nothing else of the machine has a name;
3. Landlock: files can be read where the programs and libraries live, written in the scratch folder, and nowhere else;
4. seccomp: no socket of any family, no tracing, no mounts, no kernel keyring, no new namespaces, no reaching into
   another process, nothing that Landlock leaves open (file modes, owners, attributes);
5. limits: address space, processor time, file size, open files, processes, no core dump; no privilege gained by running
   a program. Processor time and file size grow with the document (`limit_job`). Short of memory, the kernel ends
   parsers first.

Linux only, through ctypes: these calls have no other Python interface. Numbers are from the kernel headers
(linux/prctl.h, sched.h, landlock.h, seccomp.h, filter.h).
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import shutil
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
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
_CLONE_NEW_ANYTHING = 0x7E020000  # the five above, cgroup and host name
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x8, 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2
_MOUNT_SETATTR, _AT_RECURSIVE, _ATTR_RDONLY_NOSUID = 442, 0x8000, 0x3
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 4, 38, 22, 2
_NOBODY = 65534

SCRATCH_BYTES = 512 * 1024**2
SCRATCH_FILES = 10_000
FILE_BYTES = 64 * 1024**2  # and four times the document
OPEN_FILES = 128
PROCESSES = 64
_PIDS = 300 + PROCESSES  # numbers below 300 are given out once only
_PIDS_PER_TREE_SINCE = (6, 14)  # before, the same file is the limit of the whole machine


@dataclass(frozen=True, slots=True)
class Confinement:
    """Which layers hold. `network` means that no socket can be opened, or that none could reach anything."""

    namespaces: bool
    own_root: bool
    landlock: bool
    seccomp: bool
    private_scratch: bool
    few_processes: bool

    @property
    def network(self) -> bool:
        """Whether the network is out of reach."""
        return self.namespaces or self.seccomp


@dataclass(frozen=True, slots=True)
class Separation:
    """What `guard` could do: own namespaces, an own root folder, an own scratch folder, a limit on processes."""

    namespaces: bool
    own_root: bool
    private_scratch: bool
    few_processes: bool


def guard(scratch: Path) -> Separation:
    """Go on in a new process inside new namespaces; the caller's process stays behind as its guard.

    The guard does nothing but wait: it ends when the inner process ends, with its exit code (128 + signal), and it
    kills the inner process when standard input loses its other end, so that no parser outlives the appliance.

    Returns: in the inner process only.
    """
    user, group = os.getuid(), os.getgid()
    separate = _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWIPC) == 0
    if separate:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{_NOBODY} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{_NOBODY} {group} 1")
    child = os.fork()
    if child:
        _wait_for(child, scratch)
    Path("/proc/self/oom_score_adj").write_text("1000")
    few = separate and _limit_processes(user)
    # Its own, after the fork: the guard keeps the machine's view, where it tidies up.
    private = separate and _libc.unshare(_CLONE_NEWNS) == 0 and _mount(None, Path("/"), _MS_REC | _MS_PRIVATE)
    own_root = private and _enter_root(scratch)
    return Separation(separate, own_root, own_root or (private and _mount_scratch(scratch)), few)


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
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _limit_processes(user: int) -> bool:
    """Whether this process tree can only grow so far. The machine's own root account knows no `RLIMIT_NPROC`."""
    if user != 0:
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
        return True
    if tuple(int(part) for part in platform.release().split(".")[:2]) < _PIDS_PER_TREE_SINCE:
        return False
    try:
        Path("/proc/sys/kernel/pid_max").write_text(str(_PIDS))
    except OSError:
        return False
    return True


# --- a root folder of one's own -------------------------------------------------------------------------------------


def _mount(
    source: Path | None, target: Path, flags: int, kind: bytes | None = None, options: bytes | None = None
) -> bool:
    return bool(_libc.mount(source and bytes(source), bytes(target), kind, flags, options) == 0)


def _mount_scratch(place: Path) -> bool:
    options = f"size={SCRATCH_BYTES},nr_inodes={SCRATCH_FILES},mode=0700".encode()
    return _mount(Path("tmpfs"), place, _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, b"tmpfs", options)


def _enter_root(scratch: Path) -> bool:
    """Make a root folder with what a parser may read and its scratch folder, and take it for one's own."""
    if platform.machine() not in _PIVOT_ROOT:
        return False
    root = scratch  # any folder will do to put it together on
    if not _mount(Path("tmpfs"), root, _MS_NOSUID | _MS_NODEV, b"tmpfs", b"size=1m,mode=0755"):
        return False
    if _furnish(root, scratch) and _take(root):
        return True
    _libc.umount2(bytes(root), _MNT_DETACH)
    return False


def _furnish(root: Path, scratch: Path) -> bool:
    try:
        for path in sorted(readable_paths(), key=len):
            inside = root / path.lstrip("/")
            if Path(path).exists() and not inside.exists():  # one may lie in another
                _place_for(Path(path), inside)
                if not _mount(Path(path), inside, _MS_BIND | _MS_REC):
                    return False
        inside = root / str(scratch).lstrip("/")
        inside.mkdir(parents=True)
    except OSError:
        return False
    return _make_read_only(root) and _mount_scratch(inside)


def _place_for(path: Path, inside: Path) -> None:
    if path.is_dir():
        inside.mkdir(parents=True)
    else:
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch()


def _make_read_only(root: Path) -> bool:
    attributes = struct.pack("<QQQQ", _ATTR_RDONLY_NOSUID, 0, 0, 0)
    done = _libc.syscall(_MOUNT_SETATTR, -100, bytes(root), _AT_RECURSIVE, attributes, len(attributes))
    return bool(done == 0)


def _take(root: Path) -> bool:
    """Put the folder in the place of the machine's root, and let go of that one."""
    os.chdir(root)
    if _libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b".") != 0 or _libc.umount2(b".", _MNT_DETACH) != 0:
        return False
    os.chdir("/")
    return True


# --- limits ---------------------------------------------------------------------------------------------------------


def restrict(scratch: Path, memory_bytes: int, separation: Separation) -> Confinement:
    """Give up everything a parser does not need, for this process and all it starts. There is no way back."""
    for kind, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _lower(kind, limit)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # no process of this account may look into this one
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no-new-privileges was refused")
    _drop_capabilities()
    return Confinement(
        namespaces=separation.namespaces,
        own_root=separation.own_root,
        landlock=_landlock(scratch),
        seccomp=_seccomp(),
        private_scratch=separation.private_scratch,
        few_processes=separation.few_processes,
    )


def limit_job(size_bytes: int, cpu_s: float, most_cpu_s: float) -> None:
    """Limit the process of one document by its size: memory, files it may write, and processor time.

    `cpu_s` holds until `allow_cpu` raises it, at most to `most_cpu_s`. Each program it starts has as much of its own.
    """
    addresses, _ = resource.getrlimit(resource.RLIMIT_AS)
    if addresses != resource.RLIM_INFINITY:  # much of the address space is code, and what is only reserved
        _lower(resource.RLIMIT_DATA, addresses * 7 // 16 + 4 * size_bytes)
    _lower(resource.RLIMIT_FSIZE, FILE_BYTES + 4 * size_bytes)
    hard = math.ceil(max(cpu_s, most_cpu_s)) + 1
    _lower(resource.RLIMIT_CPU, hard)
    allow_cpu(cpu_s)


def allow_cpu(cpu_s: float) -> None:
    """Let this process take so much processor time in all; beyond, it is killed (SIGXCPU)."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


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
    "/etc/libreoffice",
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
    _allow(ruleset, (str(scratch),), rights & ~1)  # all but running what lies there
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

_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _GIVE = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # where the filter finds them; the low half of arguments
_UNKNOWN_FROM = 467  # calls younger than this filter
_X32 = 0x40000000
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE, _PRLIMIT, _IOCTL = (
    {"x86_64": 56, "aarch64": 220},
    {"x86_64": 302, "aarch64": 261},
    {"x86_64": 16, "aarch64": 29},
)
_CLONE3 = 435
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_DENIED = {
    "x86_64": (
        # the network: socket, socketpair, connect, bind
        *(41, 53, 42, 49),
        # other processes: ptrace, process_vm_readv and _writev, kcmp, pidfd_getfd, process_madvise, migrate_pages,
        # move_pages, setpriority, ioprio_set, sched_setparam, _setscheduler, _setaffinity, _setattr
        *(101, 310, 311, 312, 438, 440, 256, 279, 141, 251, 142, 144, 203, 314),
        # what stays when a process ends, or when its group is killed: shmget, semget, msgget, mq_open, setsid, setpgid
        *(29, 64, 68, 240, 112, 109),
        # programs without a file: memfd_create, memfd_secret
        *(319, 447),
        # mounts and namespaces: mount, umount2, pivot_root, chroot, unshare, setns, open_tree, move_mount, fsopen,
        # fsconfig, fsmount, fspick, mount_setattr, name_to_handle_at, open_by_handle_at
        *(165, 166, 155, 161, 272, 308, 428, 429, 430, 431, 432, 433, 442, 303, 304),
        # what Landlock does not cover: truncate, chmod, fchmod, fchmodat, fchmodat2, chown, fchown, lchown, fchownat,
        # setxattr, lsetxattr, fsetxattr, setxattrat, removexattr, lremovexattr, fremovexattr, removexattrat,
        # utime, utimes, futimesat, utimensat
        *(76, 90, 91, 268, 452, 92, 93, 94, 260, 188, 189, 190, 463, 197, 198, 199, 466, 132, 235, 261, 280),
        # large parts of the kernel that a parser has no use for: keyctl, add_key, request_key, bpf, perf_event_open,
        # userfaultfd, io_uring_setup, _enter, _register, fanotify_init, lookup_dcookie, personality, modify_ldt
        *(250, 248, 249, 321, 298, 323, 425, 426, 427, 300, 212, 135, 154),
        # the machine: kexec_load, kexec_file_load, init_module, finit_module, delete_module, iopl, ioperm, reboot,
        # swapon, swapoff, acct, syslog, quotactl, settimeofday, clock_settime, clock_adjtime, adjtimex, sethostname,
        # setdomainname, vhangup
        *(246, 320, 175, 313, 176, 172, 173, 169, 167, 168, 163, 103, 179, 164, 227, 305, 159, 170, 171, 153),
    ),
    "aarch64": (
        *(198, 199, 203, 200),
        *(117, 270, 271, 272, 438, 440, 238, 239, 140, 30, 118, 119, 122, 274),
        *(194, 190, 186, 180, 157, 154),
        *(279, 447),
        *(40, 39, 41, 51, 97, 268, 428, 429, 430, 431, 432, 433, 442, 264, 265),
        *(45, 52, 53, 452, 55, 54, 5, 6, 7, 463, 14, 15, 16, 466, 88),
        *(219, 217, 218, 280, 241, 282, 425, 426, 427, 262, 18, 92),
        *(104, 294, 105, 273, 106, 142, 224, 225, 89, 116, 60, 170, 112, 266, 171, 161, 162, 58),
    ),
}
"""Calls that fail, by architecture, in the same order for both; some exist on x86-64 alone."""


def _seccomp() -> bool:
    machine = platform.machine()
    if machine not in _DENIED:
        return False
    program = b"".join(_filter(machine))
    code = ctypes.create_string_buffer(program)
    filter_program = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    return bool(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_program), 0, 0) == 0)


def _filter(machine: str) -> Iterator[bytes]:
    """The filter, as instructions of the kernel's packet filter. A jump skips so many instructions: (if, if not)."""
    refuse, unknown, allow = (_give(_ERRNO | _EPERM), _give(_ERRNO | _ENOSYS), _give(_ALLOW))
    yield from (_load(_ARCHITECTURE), _jump(_JUMP_EQUAL, _ARCHITECTURES[machine], 1, 0), _give(_KILL), _load(_NUMBER))
    yield from (_jump(_JUMP_AT_LEAST, _X32, 0, 1), refuse)  # another table of calls
    yield from (_jump(_JUMP_AT_LEAST, _UNKNOWN_FROM, 0, 1), unknown)
    yield from (_jump(_JUMP_EQUAL, _CLONE3, 0, 1), unknown)  # its flags are out of reach; libraries then use clone
    for number in _DENIED[machine]:
        yield from (_jump(_JUMP_EQUAL, number, 0, 1), refuse)
    yield from (_jump(_JUMP_EQUAL, _CLONE[machine], 0, 4), _load(_FIRST))
    yield from (_jump(_JUMP_ANY_BIT, _CLONE_NEW_ANYTHING, 0, 1), refuse, allow)
    yield from (_jump(_JUMP_EQUAL, _PRLIMIT[machine], 0, 4), _load(_FIRST))
    yield from (_jump(_JUMP_EQUAL, 0, 1, 0), refuse, allow)  # the limits of another process
    yield from (_jump(_JUMP_EQUAL, _IOCTL[machine], 0, 6), _load(_SECOND))
    for request in _TERMINAL_INPUT:
        yield from (_jump(_JUMP_EQUAL, request, 0, 1), refuse)
    yield from (allow, allow)


def _load(offset: int) -> bytes:
    return struct.pack("<HBBI", _LOAD, 0, 0, offset)


def _jump(kind: int, value: int, then: int, otherwise: int) -> bytes:
    return struct.pack("<HBBI", kind, then, otherwise, value)


def _give(verdict: int) -> bytes:
    return struct.pack("<HBBI", _GIVE, 0, 0, verdict)
