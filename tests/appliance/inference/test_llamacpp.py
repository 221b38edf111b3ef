"""llama.cpp with a real (tiny, random) model."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import ContextOverflow, ModelUnavailable
from appliance.inference.llamacpp import LlamaCppModel
from appliance.inference.port import Generation, Message, MessageRole
from tests.appliance.inference.processes import llama_processes, seen_from_inside
from tests.data.tiny_gguf import CONTEXT_TOKENS, train_tokenizer

pytestmark = pytest.mark.integration

GENERATION = Generation(context_tokens=CONTEXT_TOKENS, max_tokens=24, seed=1)
QUESTION = (
    Message(MessageRole.SYSTEM, "Answer briefly."),
    Message(MessageRole.USER, "How long are inspection records kept?"),
)


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> Iterator[LlamaCppModel]:
    model = LlamaCppModel(tiny_gguf, context_tokens=8192, threads=1)
    yield model
    model.close()


def test_the_answer_comes_in_pieces_and_is_the_same_every_time(model: LlamaCppModel) -> None:
    first = list(model.stream(QUESTION, GENERATION))
    assert len(first) > 5
    assert "".join(first) == "".join(model.stream(QUESTION, GENERATION))


def test_another_seed_gives_another_answer_when_the_temperature_is_not_zero(model: LlamaCppModel) -> None:
    warm = replace(GENERATION, temperature=1.5)
    answers = {"".join(model.stream(QUESTION, replace(warm, seed=seed))) for seed in range(3)}
    assert len(answers) == 3


def test_the_card_tells_the_exact_file_and_the_window_it_was_trained_for(model: LlamaCppModel, tiny_gguf: Path) -> None:
    card = model.card()
    assert card.provider == "llamacpp"
    assert card.name == "tiny-test-model"
    assert card.digest == f"sha256:{hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()}"
    assert card.context_tokens == CONTEXT_TOKENS
    assert card.quantisation == "F16"
    assert LlamaCppModel(tiny_gguf, context_tokens=512, threads=1).card().context_tokens == 512


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ten years",
        "zehn Jahre für Prüfberichte",
        "价格 12,345.67 €\n\n\tTable",
        "<|im_end|> is a marker",
        "a" * 5000,
    ],
)
def test_tokens_are_counted_as_the_models_own_tokenizer_counts_them(model: LlamaCppModel, text: str) -> None:
    expected = train_tokenizer()
    expected.encode_special_tokens = True  # markers in a text are plain text
    assert model.count_tokens(text) == len(expected.encode(text, add_special_tokens=False).ids)


def test_a_prompt_that_leaves_no_room_for_the_answer_is_refused(model: LlamaCppModel) -> None:
    room = CONTEXT_TOKENS - GENERATION.max_tokens
    filler = "z" * room  # a token each at least, with this vocabulary
    with pytest.raises(ContextOverflow, match="window has 1,024"):
        next(model.stream((Message(MessageRole.USER, "z z " * room),), GENERATION))
    with pytest.raises(ContextOverflow, match="window has 64"):
        next(model.stream((Message(MessageRole.USER, filler),), replace(GENERATION, context_tokens=64)))


def test_a_prompt_that_just_fits_is_answered(model: LlamaCppModel) -> None:
    content = "z z " * 20
    prompt = f"<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"
    fits = len(train_tokenizer().encode(prompt, add_special_tokens=False).ids) + GENERATION.max_tokens
    message = (Message(MessageRole.USER, content),)
    assert list(model.stream(message, replace(GENERATION, context_tokens=fits)))
    with pytest.raises(ContextOverflow):
        next(model.stream(message, replace(GENERATION, context_tokens=fits - 1)))


def test_closing_the_iterator_stops_the_generation(model: LlamaCppModel) -> None:
    long = replace(GENERATION, max_tokens=900)
    assert list(model.stream(QUESTION, GENERATION))  # once it is loaded
    before_s = _computed_s()
    whole = len(list(model.stream(QUESTION, long)))
    whole_s = _computed_s() - before_s
    assert whole > 200

    spent_s = 0.0
    for _ in range(5):
        pieces = model.stream(QUESTION, long)
        next(pieces)
        with _paused():  # however long this process has to wait for its turn meanwhile
            pieces.close()  # type: ignore[attr-defined]
            before_s = _computed_s()
        next(model.stream(QUESTION, GENERATION))  # one slot: waits until the closed one is gone
        spent_s += _computed_s() - before_s
    assert spent_s < whole_s


@contextmanager
def _paused() -> Iterator[None]:
    """Keep llama.cpp from computing for a while."""
    servers = llama_processes()
    for pid in servers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in servers:
            os.kill(pid, signal.SIGCONT)


def _computed_s() -> float:
    """The processor time of llama.cpp, in seconds: by the clock it depends on what else the machine does."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in llama_processes())
    return sum(int(user) + int(system) for user, system in (each[11:13] for each in fields)) / os.sysconf("SC_CLK_TCK")


def test_questions_at_the_same_time_each_get_their_whole_answer(model: LlamaCppModel) -> None:
    expected = "".join(model.stream(QUESTION, GENERATION))
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append("".join(model.stream(QUESTION, GENERATION)))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 6


def test_no_port_is_opened_and_signals_stay_ours(tiny_gguf: Path) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    listening = _listening_ports()
    model = LlamaCppModel(tiny_gguf, context_tokens=256, threads=1)
    try:
        assert model.count_tokens("ten years") > 0
        assert _listening_ports() == listening
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]
    finally:
        model.close()
        signal.signal(signal.SIGTERM, before)


def test_nothing_is_left_in_the_folder_for_temporary_files(tiny_gguf: Path, temporary: Path) -> None:
    model = LlamaCppModel(tiny_gguf, context_tokens=256, threads=1)
    model.count_tokens("ten years")
    (folder,) = temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    model.close()
    model.close()
    assert list(temporary.iterdir()) == []


def test_a_model_that_is_closed_under_a_stream_ends_it_with_an_error(tiny_gguf: Path) -> None:
    model = LlamaCppModel(tiny_gguf, context_tokens=1024, threads=1)
    pieces = model.stream(QUESTION, replace(GENERATION, max_tokens=900))
    next(pieces)
    model.close()
    with pytest.raises(ModelUnavailable):
        list(pieces)


def test_making_a_model_loads_nothing(tmp_path: Path) -> None:
    model = LlamaCppModel(tmp_path / "none.gguf", context_tokens=512, threads=1)
    for use in (model.card, lambda: model.count_tokens("x"), lambda: next(model.stream(QUESTION, GENERATION))):
        with pytest.raises(ModelUnavailable, match=r"There is no model file .*none\.gguf"):
            use()
    model.close()


def _magic_broken(data: bytes) -> bytes:
    return b"NOPE" + data[4:]


def _version_unknown(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", 99) + data[8:]


def _string_longer_than_the_file(data: bytes) -> bytes:
    return data[:24] + struct.pack("<Q", 2**60) + data[32:]


def _too_many_tensors(data: bytes) -> bytes:
    return data[:8] + struct.pack("<Q", 2**63) + data[16:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"GGUF",
        lambda data: b"<html>Not found</html>" * 100,
        lambda data: data[: len(data) // 2],
        lambda data: data[:2000],
        lambda data: data[:-1],
        _magic_broken,
        _version_unknown,
        _string_longer_than_the_file,
        _too_many_tensors,
    ],
)
def test_a_damaged_file_is_refused_and_the_process_lives(tiny_gguf: Path, tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damage(tiny_gguf.read_bytes()))
    with pytest.raises(ModelUnavailable, match=r"damaged\.gguf"):
        LlamaCppModel(path, context_tokens=512, threads=1).count_tokens("ten years")


def test_a_folder_is_not_a_model_file(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        LlamaCppModel(tmp_path, context_tokens=512, threads=1).card()


def _listening_ports() -> set[str]:
    listen = "0A"
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/self/net/{name}").read_text().splitlines()]
    folders = [seen_from_inside(process) / "fd" for process in (os.getpid(), *llama_processes())]
    own = {link for folder in folders for fd in folder.iterdir() if (link := _link(fd)).startswith("socket:")}
    return {row[1] for row in rows if row[3] == listen and f"socket:[{row[9]}]" in own}


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:  # the descriptor that listed the folder
        return ""


def test_the_port_check_itself_sees_a_port() -> None:
    before = _listening_ports()
    with socket.create_server(("127.0.0.1", 0)):
        assert len(_listening_ports() - before) == 1
