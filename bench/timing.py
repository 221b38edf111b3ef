"""Measures whether the time that something takes tells what the asker may not know, and prints rows of docs/performance.md.

    python bench/timing.py [--rounds NUMBER] [--sign-ins NUMBER] [--documents NUMBER]

Each row is one pair of requests that must look alike: both are made in turn, in random order, in one process, and AUC is
how often the one takes longer than the other (0.5: time tells nothing; a guess by time is right so often at best). It is
measured at the application itself, without a network, whose noise would only hide things.

    foreign id       a document, passage, picture or conversation of others, against one that does not exist
    hidden document  a question with a word that stands in closed documents alone, against one with a word that stands
                     nowhere; which words are which is drawn by lot, so that they differ in nothing else
    sign-in          with a wrong password, under a name that exists against one that does not: an account in order, one
                     that is disabled, one without a password of ours, and both names while they are paused
    refusal          a refused sign-in put on record, under a name that exists against one that does not: of somebody who
                     is in the log of that month already, and of somebody who is not

--rounds     Of each pair (2000 are the standard); 0 for the sign-ins alone.
--sign-ins   Of each kind (a password check takes tens of milliseconds).
--documents  In the appliance, half of them closed to the reader.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from appliance.config import ModelSettings, Provider, ServerSettings, Settings, SignInSettings, go_offline

go_offline()

import numpy
from starlette.testclient import TestClient

from appliance.api.opening import record_failure
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.auth.accounts import wrong
from appliance.auth.sessions import Sessions, TokenKind
from appliance.domain import EVERYONE, AccessFilter, Role, Source
from appliance.errors import ApplianceError, NotSignedIn, TooManyAttempts
from appliance.personnel import sessions_of
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened

PASSWORD = "copper lantern under nine stairs"
BAR = 0.55
_WORDS = 400  # made-up ones, half of which stand in closed documents
_WARM = 50
_FILLER = "The terms of the agreement are kept with the records of the department and looked at once a year. "

Probe = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two things that must take the same time. Each is made anew for every round."""

    name: str
    one: Callable[[int], Probe]
    other: Callable[[int], Probe]


@dataclass(frozen=True, slots=True)
class House:
    """An appliance, half of whose documents are closed to its reader."""

    appliance: Appliance
    client: TestClient
    token: str
    known: Sequence[str]
    unknown: Sequence[str]
    documents: Sequence[str]
    chunks: Sequence[str]
    conversation: str

    @property
    def access(self) -> AccessFilter:
        """What the reader may see."""
        return self.appliance.cleared(self.appliance.sessions.authenticate(self.token, kind=TokenKind.SESSION)).access

    def get(self, path: str) -> Probe:
        """A request of the reader's."""
        return lambda: self.client.get(path)

    def search(self, word: str) -> Probe:
        """A search of the reader's."""
        access, question = self.access, f"What does the agreement with {word.capitalize()} say about records?"
        return lambda: self.appliance.retriever.retrieve(question, access)


def attempt(
    sessions: Sessions, name: str, refused_as: type[ApplianceError] = NotSignedIn, address: str = "192.0.2.1"
) -> Probe:
    """A sign-in with a wrong password."""

    def try_it() -> None:
        try:
            sessions.sign_in(name, "not the password", address)
        except refused_as:
            return
        raise SystemExit("a wrong password was let in: this is no measurement")

    return try_it


def recorded(house: House, name: str) -> Probe:
    """A refused sign-in put on record."""
    return lambda: record_failure(house.appliance, wrong(), name, "192.0.2.1")


def auc(one: Sequence[float], other: Sequence[float]) -> float:
    """How often the first takes longer than the second, ties halved."""
    both = numpy.concatenate([one, other])
    order = both.argsort(kind="stable")
    ranks = numpy.empty(len(both))
    _, first, counts = numpy.unique(both[order], return_index=True, return_counts=True)
    ranks[order] = numpy.repeat(first + (counts + 1) / 2, counts)
    rank_sum = float(ranks[: len(one)].sum())
    return (rank_sum - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


def timed(pair: Pair, rounds: int, lot: random.Random) -> tuple[list[float], list[float]]:
    """Seconds that each of both took, made in turn, which first is drawn by lot."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-_WARM, rounds):
        probes = [(0, pair.one(number)), (1, pair.other(number))]
        lot.shuffle(probes)
        for which, probe in probes:
            start = time.perf_counter()
            probe()
            if number >= 0:
                times[which].append(time.perf_counter() - start)
    return times


def pairs(house: House, lot: random.Random) -> Iterator[Pair]:
    """What is compared, but for signing in."""

    def unknown(_: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, str(lot.random())))

    def foreign(address: str, ids: Sequence[str]) -> Pair:
        return Pair(
            f"foreign id: {address}",
            lambda number: house.get(address.format(ids[number % len(ids)])),
            lambda number: house.get(address.format(unknown(number))),
        )

    yield foreign("/api/documents/{}", house.documents)
    yield foreign("/api/documents/{}/pages/1.png", house.documents)
    yield foreign("/api/passages/{}", house.chunks)
    yield foreign("/api/conversations/{}", [house.conversation])
    yield Pair(
        "hidden document: a search",
        lambda number: house.search(house.known[number % len(house.known)]),
        lambda number: house.search(house.unknown[number % len(house.unknown)]),
    )


def _signing_in(sessions: Sessions, name: str) -> Callable[[int], Probe]:
    return lambda _: attempt(sessions, name)


def sign_ins(house: House, paused: Sessions) -> Iterator[Pair]:
    """What is compared of signing in. `paused` are sessions of the same house, with a brake as it ships."""

    usual = house.appliance.sessions
    for what, name in (("a disabled account", "leaver"), ("a wrong password", "reader"), ("a program", "robot")):
        # each with an unknown name of its own: one that has failed before, under another pair, takes longer to count
        unknown = f"nobody-instead-of-{name}"
        yield Pair(
            f"sign-in: {what}",
            _signing_in(usual, name),
            _signing_in(usual, unknown),
        )
    yield Pair(
        "refusal: somebody in the log", lambda _: recorded(house, "reader"), lambda n: recorded(house, f"nobody-{n}")
    )
    yield Pair(
        "refusal: somebody not in it yet",
        lambda n: recorded(house, f"late-{n + _WARM}"),
        lambda n: recorded(house, f"none-{n + _WARM}"),
    )
    for name in ("reader", "nobody") * SignInSettings().max_failures_per_name:
        attempt(usual, name)()
    elsewhere = "192.0.2.2"  # the address of all that failed is paused too

    def refused(name: str) -> Probe:
        return attempt(paused, name, TooManyAttempts, elsewhere)

    yield Pair("sign-in: a paused name", lambda _: refused("reader"), lambda _: refused("nobody"))


@contextmanager
def built(folder: Path, documents: int, late: int, lot: random.Random) -> Iterator[House]:
    """An appliance on documents that were made up, with that many people who are not in its log yet."""
    words = sorted({"".join(lot.choice("bdfgklmnprst") + lot.choice("aeiou") for _ in range(4)) for _ in range(_WORDS)})
    lot.shuffle(words)
    known, unknown = words[: len(words) // 2], words[len(words) // 2 :]
    root = folder / "documents"
    for number in range(documents):
        place = root / ("closed" if number % 2 else "open")
        place.mkdir(parents=True, exist_ok=True)
        word = known[number // 2 % len(known)] if number % 2 else f"plain{number}"
        (place / f"{word}-{number}.md").write_text(
            f"# Agreement {word}\n\nOf {word}, number {number}. {_FILLER}{word}.\n"
        )
    (root / "closed" / ".access.toml").write_text('groups = ["board"]\n')
    settings = Settings(
        data_dir=folder / "data",
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
        # more by one name than any settings allow, so that nobody is paused meanwhile
        sign_in=SignInSettings(max_failures=10_000_000).model_copy(update={"max_failures_per_name": 10_000_000}),
    )
    with opened(settings) as appliance:
        for name, groups in (("reader", ()), ("board", ("board",))):
            appliance.accounts.add(name, PASSWORD, (Role.EMPLOYEE,), groups)
        leaver = appliance.accounts.add("leaver", PASSWORD, (Role.EMPLOYEE,), ())
        appliance.accounts.set_disabled(leaver.id, disabled=True)
        appliance.accounts.add_service("robot", (Role.EMPLOYEE,), ())
        for number in range(late):
            appliance.accounts.add_service(f"late-{number}", (Role.EMPLOYEE,), ())
        source = Source(str(uuid.uuid4()), "Agreements", str(root), frozenset({EVERYONE}))
        appliance.catalog.add_source(source)
        appliance.runs.wait(appliance.runs.start(source).id, 600)
        yield _house(appliance, source, known, unknown)


def _house(appliance: Appliance, source: Source, known: Sequence[str], unknown: Sequence[str]) -> House:
    app = create_headless_app(appliance)

    def client(name: str) -> tuple[TestClient, str]:
        made = TestClient(app, base_url="http://testserver")
        token = appliance.sessions.sign_in(name, PASSWORD, "127.0.0.1").token
        made.cookies.set(SESSION_COOKIE, token, domain="testserver.local", path="/")
        return made, token

    board, _ = client("board")
    board.post("/api/ask", json={"question": f"What does the agreement with {known[0]} say?"})
    closed = [item for item in appliance.catalog.every_file(source.id) if item.path.startswith("closed/")]
    if not closed or any(item.version_id is None for item in closed):
        raise SystemExit("the documents were not taken in: this is no measurement")
    chunks = [chunk.id for item in closed for chunk in appliance.catalog.document_chunks(item.document_id)]
    reader, token = client("reader")
    return House(
        appliance,
        reader,
        token,
        known,
        unknown,
        [item.document_id for item in closed],
        chunks,
        board.get("/api/conversations").json()[0]["id"],
    )


def told(pair: Pair, rounds: int, lot: random.Random) -> float:
    """Measures and prints a pair; how much it tells."""
    one, other = timed(pair, rounds, lot)
    found = auc(one, other)
    middle = [f"{float(numpy.median(times)) * 1000:.2f} ms" for times in (one, other)]
    print(f"| {pair.name} | {rounds:,} | {middle[0]} | {middle[1]} | {found:.3f} |", flush=True)
    return max(found, 1 - found)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2_000)
    parser.add_argument("--sign-ins", type=int, default=2_000)
    parser.add_argument("--documents", type=int, default=400)
    given = parser.parse_args()
    lot = random.Random(5)
    print("| pair | rounds | p50 of the one | of the other | AUC |\n|---|---|---|---|---|")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        built(Path(folder), given.documents, given.sign_ins + _WARM, lot) as house,
        house.client,  # one event loop for all requests
    ):
        braked = house.appliance.settings.model_copy(update={"sign_in": SignInSettings()})
        with sessions_of(braked) as paused:
            others = ((pair, given.rounds) for pair in pairs(house, lot) if given.rounds)
            names = ((pair, given.sign_ins) for pair in sign_ins(house, paused))  # a pause begins when it is measured
            worst = max(told(pair, rounds, lot) for pair, rounds in chain(others, names))
    print(f"\nThe worst tells with an AUC of {worst:.3f}; the bar is {BAR}.")


if __name__ == "__main__":
    main()
