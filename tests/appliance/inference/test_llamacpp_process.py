"""The process llama.cpp runs in: what its death does, what the death of its parent does, and what is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import ModelUnavailable
from appliance.inference.llamacpp import LlamaCppModel
from appliance.inference.llamacpp_process import LlamaCppProcess
from appliance.inference.llamacpp_server import Job
from appliance.inference.port import Generation, Message, MessageRole
from tests.appliance.inference.processes import llama_processes, seen_from_inside

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("temporary")]

QUESTION = (Message(MessageRole.USER, "How long are inspection records kept?"),)
GENERATION = Generation(context_tokens=1024, max_tokens=24, seed=1)
LONG = replace(GENERATION, max_tokens=900)
_TRACER_S = 0.5  # a tracer takes note of a stop; strace ends with all it traces if the stopped one is killed meanwhile
_SOON_S = 10.0
_FATAL = {
    signal.strsignal(number)
    for number in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP)
}


@pytest.fixture
def model(tiny_gguf: Path) -> Iterator[LlamaCppModel]:
    with contextlib.closing(LlamaCppModel(tiny_gguf, context_tokens=1024, threads=1)) as model:
        yield model


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that takes for ever to load: a pipe, to which nobody writes."""
    path = tmp_path / "endless.gguf"
    os.mkfifo(path)
    return path


def _loading(parent: int | None = None) -> int:
    """The one process of a parent, once native code waits for the pipe. Skips the test where that is not to be seen."""
    deadline, waits_for = time.monotonic() + _SOON_S, set[str]()
    while time.monotonic() < deadline:
        for pid in llama_processes(parent):
            waits_for = {file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/wchan")}
            if any(name.startswith(("wait_for_partner", "fifo_open")) for name in waits_for):
                return pid
        time.sleep(0.02)
    if waits_for and waits_for <= {"", "0"}:
        pytest.skip("the kernel does not show what a process waits for")
    raise AssertionError("it does not load")


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + _SOON_S
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _becomes_empty(folder: Path) -> bool:
    deadline = time.monotonic() + _SOON_S
    while list(folder.iterdir()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# its own death


def test_a_process_killed_in_the_middle_of_an_answer_is_reported_and_the_next_question_is_answered(
    model: LlamaCppModel, temporary: Path
) -> None:
    expected = "".join(model.stream(QUESTION, GENERATION))
    (before,) = llama_processes()
    pieces = model.stream(QUESTION, LONG)
    next(pieces)
    os.kill(before, signal.SIGKILL)
    with pytest.raises(ModelUnavailable, match=r"llama\.cpp died at its work \(Killed\)\. Ask again"):
        list(pieces)
    assert "".join(model.stream(QUESTION, GENERATION)) == expected
    (after,) = llama_processes()
    assert before != after
    assert len(list(temporary.iterdir())) == 1


def test_a_process_that_died_while_nobody_looked_is_started_anew(model: LlamaCppModel) -> None:
    expected = model.count_tokens("ten years")
    (before,) = llama_processes()
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert model.count_tokens("ten years") == expected


def test_many_readers_share_one_process(model: LlamaCppModel) -> None:
    counts: list[int] = []
    readers = [threading.Thread(target=lambda: counts.append(model.count_tokens("ten years"))) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(counts) == 8
    assert len(llama_processes()) == 1


def test_a_file_that_breaks_native_code_harms_nobody_else(tiny_gguf: Path, tmp_path: Path, temporary: Path) -> None:
    key, data = b"qwen2.block_count", tiny_gguf.read_bytes()
    value = data.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4
    path = tmp_path / "no-layers.gguf"
    path.write_bytes(data[:value] + struct.pack("<I", 0) + data[value + 4 :])
    model = LlamaCppModel(path, context_tokens=512, threads=1)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match=r"cannot load .*no-layers\.gguf") as raised:
            model.count_tokens("ten years")
        assert str(raised.value.__cause__) in _FATAL  # llama.cpp did die of it
        assert llama_processes() == []
        assert list(temporary.iterdir()) == []


def test_a_model_that_does_not_load_in_time_is_given_up(endless: Path, temporary: Path) -> None:
    process = LlamaCppProcess(endless, context_tokens=512, threads=1)
    with pytest.raises(ModelUnavailable, match=r"did not load .*endless\.gguf within 0\.5 seconds"):
        process.wait_until_loaded(0.5)
    assert process.has_ended
    assert llama_processes() == []
    assert list(temporary.iterdir()) == []


# the end that is asked for


def test_closing_leaves_no_process_and_no_folder(model: LlamaCppModel, temporary: Path) -> None:
    pieces = model.stream(QUESTION, LONG)
    next(pieces)
    assert len(llama_processes()) == 1
    model.close()
    assert llama_processes() == []
    assert list(temporary.iterdir()) == []
    with pytest.raises(ModelUnavailable, match="was stopped"):
        list(pieces)


def test_stopping_does_not_wait_for_a_model_that_loads(endless: Path, temporary: Path) -> None:
    process = LlamaCppProcess(endless, context_tokens=512, threads=1)
    _loading()
    stopping = threading.Timer(0.2, process.stop)
    stopping.start()
    with pytest.raises(ModelUnavailable, match="was stopped"):
        process.wait_until_loaded(60)
    stopping.join()
    assert list(temporary.iterdir()) == []


def test_what_a_service_manager_sends_to_all_processes_does_not_break_an_answer_off(model: LlamaCppModel) -> None:
    expected = "".join(model.stream(QUESTION, LONG))
    pieces = model.stream(QUESTION, LONG)
    text = next(pieces)
    (pid,) = llama_processes()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert text + "".join(pieces) == expected


# the end of its parent


def _parent(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs a model, and has said so."""
    parent = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    return parent


_IDLE = """
import sys, time
from pathlib import Path
from appliance.inference.llamacpp import LlamaCppModel
from appliance.inference.port import Generation, Message, MessageRole
model = LlamaCppModel(Path(sys.argv[1]), context_tokens=1024, threads=1)
model.count_tokens("ten years")
"""
_TALKING = f"""{_IDLE}
next(model.stream((Message(MessageRole.USER, "How long?"),), Generation(context_tokens=1024, max_tokens=900)))
"""
_LOADING = """
import sys, time
from pathlib import Path
from appliance.inference.llamacpp_process import LlamaCppProcess
process = LlamaCppProcess(Path(sys.argv[1]), context_tokens=1024, threads=1)
"""
_WAIT = "print('ready', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize("program", [_IDLE, _TALKING])
def test_it_does_not_outlive_a_parent_that_is_killed(tiny_gguf: Path, temporary: Path, program: str) -> None:
    parent = _parent(program + _WAIT, str(tiny_gguf))
    (pid,) = llama_processes(parent.pid)
    parent.kill()
    parent.communicate()
    assert _is_gone(pid)
    assert _becomes_empty(temporary)


def test_it_does_not_outlive_a_parent_that_is_killed_while_the_model_loads(endless: Path) -> None:
    parent = _parent(_LOADING + _WAIT, str(endless))
    pid = _loading(parent.pid)
    parent.kill()
    parent.communicate()
    assert _is_gone(pid)


def test_a_folder_stays_no_longer_than_to_the_next_start_when_both_are_killed(
    tiny_gguf: Path, endless: Path, temporary: Path
) -> None:
    parent = _parent(_IDLE + _WAIT, str(tiny_gguf))
    (pid,) = llama_processes(parent.pid)
    os.kill(parent.pid, signal.SIGSTOP)  # or it could see the other end
    time.sleep(_TRACER_S)
    os.kill(pid, signal.SIGKILL)
    parent.kill()
    parent.communicate()
    (left,) = temporary.iterdir()
    os.utime(left, (0, 0))
    LlamaCppProcess(endless, context_tokens=512, threads=1).stop()
    assert list(temporary.iterdir()) == []


def test_it_outlives_the_thread_that_started_it(model: LlamaCppModel) -> None:
    starting = threading.Thread(target=model.count_tokens, args=("ten years",))
    starting.start()
    starting.join()
    before = llama_processes()
    time.sleep(0.5)
    assert model.count_tokens("ten years") > 0
    assert llama_processes() == before


def test_a_parent_that_ends_without_closing_leaves_nothing(tiny_gguf: Path, temporary: Path) -> None:
    parent = _parent(_IDLE + "print('ready', flush=True)\nsys.stdin.readline()\n", str(tiny_gguf))
    parent.communicate("\n")
    assert parent.returncode == 0
    assert _becomes_empty(temporary)


_BOTH = f"""
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.openvino.runtime import Precision
embedder = OpenVinoEmbedder(None, threads=1, precision=Precision.INT8)
embedder.embed_query("ten years")
{_WAIT}
"""


def test_a_process_with_the_fast_embedder_and_a_language_model_ends_cleanly_when_told_to(
    tiny_gguf: Path, temporary: Path
) -> None:
    parent = _parent(_IDLE + _BOTH, str(tiny_gguf))
    (pid,) = llama_processes(parent.pid)
    parent.terminate()
    parent.communicate()
    assert parent.returncode == 7
    assert _is_gone(pid)
    assert _becomes_empty(temporary)


# what it is given


def test_llama_cpp_is_not_loaded_into_the_parent(tiny_gguf: Path) -> None:
    parent = _parent(_IDLE + "print('xllamacpp' in sys.modules or 'ready', flush=True)", str(tiny_gguf))
    parent.communicate()
    assert parent.returncode == 0


def test_it_gets_the_offline_switches_and_its_own_variables_but_no_secret_and_no_open_file(
    model: LlamaCppModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STRONGROOM_INDEX__API_KEY", "strongroom_index__api_key", "QDRANT_API_KEY", "LLAMA_API_KEY"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with (tmp_path / "log").open("w") as log:
        os.set_inheritable(log.fileno(), True)
        model.count_tokens("ten years")
    (pid,) = llama_processes()
    seen = seen_from_inside(pid)
    environment = (seen / "environ").read_bytes()
    assert b"hunter2" not in environment
    assert {b"HF_HUB_OFFLINE=1", b"CUDA_VISIBLE_DEVICES=1"} <= set(environment.split(b"\0"))
    assert str(tmp_path / "log") not in [str(file.readlink()) for file in (seen / "fd").iterdir()]


def test_no_core_is_dumped_neither_to_a_file_nor_to_a_program() -> None:
    program = (
        "import ctypes, resource\n"
        "from appliance.inference import llamacpp_server as server\n"
        "def look(job):\n"
        "    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE\n"
        "    raise RuntimeError(f'{dumpable} {resource.getrlimit(resource.RLIMIT_CORE)}')\n"
        "server._loaded = look\n"
        "server.main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], input=Job("", 0, 0, "", ranks=False).to_line(), capture_output=True, check=True
    )
    assert ran.stdout == b"0 (0, 0)\n"
