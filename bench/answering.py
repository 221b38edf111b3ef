"""Measures answering in front of a stub model server, and prints rows of docs/performance.md.

    python bench/answering.py [--documents FOLDER] [--questions FILE.jsonl] [--data FOLDER] [--times NUMBER]
                              [--people NUMBER] [--rounds NUMBER] [--first-token-ms NUMBER] [--tokens-per-s NUMBER]

The appliance is the real one, `strongroom serve` in a process of its own with the samples ingested, or with `--data` what
`bench/search.py --keep` filled that folder with, and asked its questions (accounts and log entries are added to it). The
model server is a stub in another process: it speaks Ollama's API, waits for `--first-token-ms`, then sends words at `--tokens-per-s`,
whatever the prompt and however many ask. So what is measured is what the appliance adds, not a model.

--times      One person asks so often; each time the model server is then asked the same prompt without the appliance. What
             is compared is the time until the first piece of the answer. 0: leave it out.
--people     So many people, each with an account of their own, ask at the same moment, `--rounds` times over. An answer
             that is not the model's to its last word is an error. 0: leave it out.

People, appliance and stub share one machine; the more people, the more of the time is theirs. Figures are only comparable
within one run on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

import httpx
from memory import Memory, watched
from serving import Served, await_ready, free_port, serving, stop
from synthetic import ALL_IN_ONE, Corpus

from appliance.api.schemas.asking import AskEvent
from appliance.auth.passwords import generate_password
from appliance.domain import EVERYONE, AnswerKind, Role, Source
from appliance.evaluation.metrics import percentile
from appliance.wiring import opened

_ROOT = Path(__file__).parents[1]
_MODEL = "stub:latest"
_ANSWER = ["The", " passages", " say", *(f" this{number}" for number in range(60)), " [1]", "."]
_TIMEOUT_S = 120
_MADE_UP = 60  # questions
_FEWEST = 20  # of fewer answers, the slowest twentieth is none
_FIRST_COLUMNS = ("answers", "model server alone, p50", "p95", "through the appliance, p50", "p95", "added, p50", "p95",
                  "load")  # fmt: skip
_CROWD_COLUMNS = ("people", "answers", "errors", "first token, p50", "p95", "of it the model server", "memory at start",
                  "at the end", "peak", "load")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the stub is."""

    first_token_s: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """How an answer went: seconds to its first piece (None if there was none), and what was wrong with it, if anything."""

    first_token_s: float | None
    error: str = ""


def serve_stub(port: int, pace: Pace) -> None:
    """Serve the stub until stopped. `/last` gives back the request for the latest answer."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    last = b"{}"
    details = {"format": "gguf", "quantization_level": "Q4_K_M"}
    tags = {"models": [{"name": _MODEL, "model": _MODEL, "digest": "0" * 64, "details": details}]}
    shown = {"details": details, "model_info": {"stub.context_length": 32_768}, "capabilities": ["completion"]}

    async def answer(prompt_tokens: int) -> AsyncIterator[bytes]:
        begun = time.perf_counter() + pace.first_token_s
        for number, word in enumerate(_ANSWER):  # by the clock: what is late once is not late for ever
            await asyncio.sleep(begun + number / pace.tokens_per_s - time.perf_counter())
            yield _line(message={"role": "assistant", "content": word}, done=False)
        yield _line(done=True, done_reason="stop", prompt_eval_count=prompt_tokens, eval_count=len(_ANSWER))

    async def chat(request: Request) -> Response:
        nonlocal last
        last = await request.body()
        words = sum(len(message["content"].split()) for message in json.loads(last)["messages"])
        return StreamingResponse(answer(2 * words), media_type="application/x-ndjson")

    async def known(request: Request) -> Response:
        return JSONResponse(tags if request.url.path == "/api/tags" else shown)

    async def latest(_request: Request) -> Response:
        return Response(last, media_type="application/json")

    routes = [
        Route("/api/chat", chat, methods=["POST"]),
        Route("/api/show", known, methods=["POST"]),
        Route("/api/tags", known),
        Route("/last", latest),
    ]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error", access_log=False)


def _line(**part: Any) -> bytes:
    return json.dumps({"model": _MODEL, "created_at": "2026-01-01T00:00:00Z", "message": {}, **part}).encode() + b"\n"


@contextmanager
def _stub(pace: Pace) -> Iterator[str]:
    port = free_port()
    options = ["--first-token-ms", str(pace.first_token_s * 1000), "--tokens-per-s", str(pace.tokens_per_s)]
    process = subprocess.Popen([sys.executable, __file__, "--stub", str(port), *options])
    try:
        await_ready(f"http://127.0.0.1:{port}/api/tags", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def ingest(data: Path, documents: Path) -> None:
    """Take the documents in, for everyone."""
    with opened(_settings(data)) as appliance:
        source = Source("documents", "Documents", str(documents.resolve()), frozenset({EVERYONE}), watched=False)
        appliance.catalog.add_source(source)
        run = appliance.runs.start(source)
        appliance.runs.wait(run.id)
        if run.error:
            raise SystemExit(run.error)


def admit(data: Path, people: int) -> list[str]:
    """Make the accounts; a token for each."""
    new, groups = uuid.uuid4().hex[:8], sorted(ALL_IN_ONE.groups - {EVERYONE})
    with opened(_settings(data)) as appliance:
        persons = [
            appliance.accounts.add(f"person-{new}-{number}", generate_password(), [Role.EMPLOYEE], groups)
            for number in range(people)
        ]
        return [appliance.sessions.issue_token(person.id, "bench", timedelta(days=1)) for person in persons]


def made_up_questions(data: Path) -> list[str]:
    """Questions about what `bench/search.py` filled a folder with. Raises SystemExit where it is another one."""
    with opened(_settings(data)) as appliance:
        if not appliance.index.count():
            raise SystemExit("--data is a folder that bench/search.py --keep has filled; this one has no passages.")
        return list(Corpus(appliance.embedder, groups=1).questions(_MADE_UP))


def _settings(data: Path) -> Settings:
    return Settings(data_dir=data, model=ModelSettings(provider=Provider.NONE))


def ask(client: httpx.Client, url: str, token: str, question: str) -> Asked:
    """Ask the appliance, and read the answer to its end."""
    start, first, event, kind = time.perf_counter(), None, "", ""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with client.stream("POST", f"{url}/api/ask", json={"question": question}, headers=headers) as answer:
            if not answer.is_success:
                return Asked(None, f"status {answer.status_code}")
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                    if event == AskEvent.TOKEN and first is None:
                        first = time.perf_counter() - start
                elif line.startswith("data: ") and event == AskEvent.ANSWER:
                    kind = json.loads(line.removeprefix("data: "))["kind"]
    except httpx.HTTPError as error:
        return Asked(first, type(error).__name__)
    return Asked(first, "" if kind == AnswerKind.GENERATED else f"ended with '{kind or event}'")


def ask_stub(client: httpx.Client, url: str, request: bytes) -> float:
    """Seconds until the model server's first piece of an answer to the same request."""
    start = time.perf_counter()
    with client.stream("POST", f"{url}/api/chat", content=request) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if json.loads(line)["message"].get("content"):
                return time.perf_counter() - start
    raise SystemExit("The stub answered with nothing.")


def first_token(served: Served, stub: str, token: str, questions: Sequence[str], times: int) -> None:
    """One person's time to the first piece of an answer, with the appliance and without it, in turns."""
    ours, alone = [], []
    with _client() as client, _client() as direct:
        for question in itertools.islice(itertools.cycle(questions), times):
            asked = ask(client, served.url, token, question)
            if asked.error or asked.first_token_s is None:
                raise SystemExit(f"An answer of the appliance went wrong: {asked.error}.")
            ours.append(asked.first_token_s)
            alone.append(ask_stub(direct, stub, direct.get(f"{stub}/last").content))
    added = [with_us - without for with_us, without in zip(ours, alone, strict=True)]
    row = (str(times), *(_ms(values, share) for values in (alone, ours, added) for share in (0.5, 0.95)), _load())
    print(f"\n| {' | '.join(_FIRST_COLUMNS)} |\n|{'---|' * len(_FIRST_COLUMNS)}\n| {' | '.join(row)} |")


def crowd(served: Served, tokens: Sequence[str], questions: Sequence[str], rounds: int, pace: Pace) -> None:
    """Many people at the same moment, again and again."""
    together = threading.Barrier(len(tokens))

    def person(number: int) -> list[Asked]:
        asked = []
        with _client() as client:
            for turn in range(rounds):
                together.wait()
                question = questions[(number + turn) % len(questions)]
                asked.append(ask(client, served.url, tokens[number], question))
        return asked

    with watched(served.pid) as memory, ThreadPoolExecutor(len(tokens)) as threads:
        answers = [asked for one in threads.map(person, range(len(tokens))) for asked in one]
    _print_crowd(len(tokens), answers, memory, pace)


def _print_crowd(people: int, answers: Sequence[Asked], memory: Memory, pace: Pace) -> None:
    errors = [asked.error for asked in answers if asked.error]
    first = [asked.first_token_s for asked in answers if asked.first_token_s is not None]
    for error in sorted(set(errors)):
        print(f"  {errors.count(error)} times: {error}")
    print(f"  {memory.told()}")
    start, end = memory.ends
    row = (str(people), str(len(answers)), str(len(errors)), _ms(first, 0.5), _ms(first, 0.95),
           f"{pace.first_token_s * 1000:.0f} ms", f"{start / 1e9:.2f} GB", f"{end / 1e9:.2f} GB",
           f"{memory.peak / 1e9:.2f} GB", _load())  # fmt: skip
    print(f"\n| {' | '.join(_CROWD_COLUMNS)} |\n|{'---|' * len(_CROWD_COLUMNS)}\n| {' | '.join(row)} |")


def _answered(served: Served, token: str, questions: Sequence[str]) -> list[str]:
    """The questions that the model is asked at all: those of which the documents say something. Warms everything up."""
    with _client() as client:
        asked = [(ask(client, served.url, token, question).error, question) for question in questions]
    for error, count in Counter(error for error, _ in asked).items():
        print(f"  {count} of {len(asked)} questions: {error or 'answered by the model'}")
    found = [question for error, question in asked if not error]
    if not found:
        raise SystemExit("There is nothing to measure: the model answers none of the questions.")
    return found


def _client() -> httpx.Client:
    return httpx.Client(timeout=_TIMEOUT_S, trust_env=False)


def _ms(values: Sequence[float], share: float) -> str:
    return f"{(percentile(values, share) or 0.0) * 1000:.0f} ms"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, default=_ROOT / "samples" / "documents" / "everyone")
    parser.add_argument("--questions", type=Path, default=_ROOT / "samples" / "questions.jsonl")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--first-token-ms", type=float, default=200)
    parser.add_argument("--tokens-per-s", type=float, default=30)
    parser.add_argument("--stub", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    pace = Pace(given.first_token_ms / 1000, given.tokens_per_s)
    if given.stub:
        serve_stub(given.stub, pace)
        return
    if 0 < given.times < _FEWEST or 0 < given.people * given.rounds < _FEWEST:
        parser.error(f"there have to be {_FEWEST} answers at least")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _stub(pace) as stub:
        data = given.data or Path(name)
        if given.data is None:
            ingest(data, given.documents)
            lines = given.questions.read_text("utf-8").splitlines()
            asked = [json.loads(line)["question"] for line in lines if line.strip()]
        else:
            asked = made_up_questions(data)
        tokens = admit(data, max(1, given.people))
        environ = {"STRONGROOM_MODEL__PROVIDER": "ollama", "STRONGROOM_MODEL__NAME": _MODEL, "OLLAMA_HOST": stub}
        with serving(data, environ) as served:
            questions = _answered(served, tokens[0], asked)
            if given.times:
                first_token(served, stub, tokens[0], questions, given.times)
            if given.people:
                crowd(served, tokens, questions, given.rounds, pace)


if __name__ == "__main__":
    main()
