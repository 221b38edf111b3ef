"""What a reader observes on the whole corpus is, byte for byte, what they observe on their own part of it alone.

Sources differ between the two as they must: one that holds nothing for the reader is not there in their part. Of what
is compared, only what is random (conversations, queries) or the moment of the run is set aside (`sides.Observer`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from appliance.auth.sessions import TokenKind
from appliance.domain import EVERYONE
from tests.access.corpora import SOURCES, Case, File, cases
from tests.access.echo_model import echo_model
from tests.access.sides import Observer, Side, embedded_once, side
from tests.data.embedding_model import models_loaded_once

pytestmark = [pytest.mark.integration, pytest.mark.timeout(14_400)]
_QUESTIONS = 10
"""That each reader asks of each corpus: each is a case."""


class Sides(NamedTuple):
    """The same appliance twice."""

    whole: Side
    part: Side


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    root = tmp_path_factory.mktemp("sides")
    with (
        models_loaded_once(),
        embedded_once(),
        echo_model() as url,
        side(root / "whole", url) as whole,
        side(root / "part", url) as part,
    ):
        yield Sides(whole, part)


# Not shrunk: each step of it takes a second. The case that failed is printed whole, with the first difference.
_BARE = settings(
    deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck), print_blob=False
)


@settings(_BARE, max_examples=4, derandomize=True)
@given(case=cases(_QUESTIONS))
def test_a_reader_observes_nothing_of_what_they_may_not_see(sides: Sides, case: Case) -> None:
    compare(sides, case)


@pytest.mark.slow
@settings(_BARE, max_examples=1_000)
@given(case=cases(_QUESTIONS))
def test_a_reader_observes_nothing_of_what_they_may_not_see_in_10_000_cases(sides: Sides, case: Case) -> None:
    compare(sides, case)


def test_a_reader_observes_nothing_of_newer_editions_that_they_may_not_see(sides: Sides) -> None:
    """They are looked for by name, in all there is: more of them than the index is asked for at once."""

    def rule(path: str, text: str, group: str = EVERYONE) -> File:
        label = frozenset({group})
        return File(0, path, label, f"# {path[:-3]}\n\n{text}\n".encode(), b"", label, released=True, level="")

    cost = "A hotel in Zurich may cost at most {} CHF per night."
    files = (
        rule("Travel policy 2023.md", "Travellers stay for 180 CHF in a house of their choice."),
        rule("Travel policy 2024.md", cost.format(200)),
        *(rule(f"Travel policy {year}.md", f"Staff sleep for {year} CHF.", "board") for year in range(2025, 2085)),
        *(rule(f"Hotel {number}.md", cost.format(number)) for number in range(10)),
    )
    asked = (("What may a hotel in Zurich cost?", "And in 2025?"), ("hotel Zurich verbatim", "And for guests?")) * 2
    compare(sides, Case(files, frozenset({"legal"}), "", asked))
    compare(sides, Case(files, frozenset({"board"}), "", asked))


def compare(sides: Sides, case: Case) -> None:
    """Look at both through every door of a reader."""
    sides.whole.hold(case.files)
    sides.part.hold(case.part)
    ids = sides.whole.ids()
    observed = [list(_observed(each, case, *ids)) for each in (sides.whole, sides.part)]
    for whole, part in zip(*observed, strict=True):
        if whole != part:
            at = next((place for place, (one, other) in enumerate(zip(whole, part, strict=False)) if one != other), 0)
            start = max(0, at - 200)  # the first difference may be the length, and what differs comes after the headers
            told = (f"{side}: ...{text[start : at + 4_000]!r}" for side, text in (("whole", whole), ("part", part)))
            pytest.fail("\n".join((*told, f"case: {case!r}")), pytrace=False)


def _observed(
    at: Side, case: Case, documents: Sequence[str], versions: Sequence[str], chunks: Sequence[str]
) -> Iterator[str]:
    at.be_in(case.groups, case.clearance)
    observer = Observer(at)
    for number, (question, follow_up) in enumerate(case.asked):
        yield from _asked(at, observer, number, question, follow_up)
    yield from _library(observer)
    yield from _documents(observer, documents, versions, chunks)


def _asked(at: Side, observer: Observer, number: int, question: str, follow_up: str) -> Iterator[str]:
    """A question through one of the doors, which take turns, and what a search by itself finds."""
    if number % 3 == 0:
        yield from _in_browser(at, observer, question, follow_up)
    else:
        body = {"messages": [{"role": "user", "content": question}], "stream": number % 3 == 1}
        yield observer.said("POST", "/v1/chat/completions", json=body)
    reader = at.appliance.cleared(at.appliance.sessions.authenticate(at.token, kind=TokenKind.SESSION))
    for hit in at.appliance.searcher.search(question, reader, limit=1000, origin="test"):
        yield repr(hit)  # with every score and rank, to the last bit


def _in_browser(at: Side, observer: Observer, question: str, follow_up: str) -> Iterator[str]:
    """The question and its follow-up, what the history says of them, and a verdict."""
    first = at.client.post("/api/ask", json={"question": question})
    yield observer.normal(first.text)
    started = json.loads(first.text.split("\n\n", 1)[0].split("data: ", 1)[1])
    talk, query = started["conversation_id"], started["query_id"]
    yield observer.said("POST", "/api/ask", json={"question": follow_up, "conversation_id": talk})
    yield observer.said("POST", f"/api/queries/{query}/feedback", json={"verdict": "up"})
    yield observer.said("GET", "/api/conversations")
    yield observer.said("GET", f"/api/conversations/{talk}")


def _library(observer: Observer) -> Iterator[str]:
    for query in (
        {}, {"limit": 2}, {"limit": 2, "offset": 2}, {"text": "policy"}, {"text": "zinnober"}, {"text": "%"},
        {"source": "Unknown"}, *({"source": name} for name in SOURCES),
    ):  # fmt: skip
        yield observer.said("GET", "/api/documents", params=query)


def _documents(
    observer: Observer, documents: Sequence[str], versions: Sequence[str], chunks: Sequence[str]
) -> Iterator[str]:
    for document in documents:
        yield observer.said("GET", f"/api/documents/{document}")
        yield observer.said("GET", f"/api/documents/{document}/pages/1.png")
        for version in versions[:3]:
            compared = {"older": version, "newer": versions[-1]}
            yield observer.said("GET", f"/api/documents/{document}/changes", params=compared)
    for chunk in chunks:
        yield observer.said("GET", f"/api/passages/{chunk}")
    for chunk in chunks[:3]:
        yield observer.said("GET", f"/api/passages/{chunk}/page.png")
