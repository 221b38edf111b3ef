"""A log in a temporary folder, and entries to put into it. The company is invented."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.audit.entries import (
    AnswerClosed,
    CitedPassage,
    FeedbackGiven,
    GenerationParameters,
    Latency,
    ModelUsed,
    PassagesRetrieved,
    QuestionReceived,
    RaisedFlag,
    RetrievedPassage,
)
from appliance.audit.log import QueryLog

Ask = Callable[..., QuestionReceived]
Close = Callable[..., AnswerClosed]
Judge = Callable[..., FeedbackGiven]


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "queries.db"


@pytest.fixture
def log(log_path: Path) -> Iterator[QueryLog]:
    with QueryLog(log_path) as opened:
        yield opened


@pytest.fixture
def filled(log_path: Path, asked: Ask) -> Path:
    """The path of a closed log of 12 questions."""
    with QueryLog(log_path) as opened:
        for number in range(12):
            opened.append(asked(f"q{number}"))
    return log_path


@pytest.fixture
def asked() -> Ask:
    def make(
        query_id: str = "q1", question: str = "How long are invoices kept?", actor: str = "u-records"
    ) -> QuestionReceived:
        return QuestionReceived(query_id, actor, "Records officer", ("finance", "everyone"), "c1", question, "browser")

    return make


@pytest.fixture
def searched() -> PassagesRetrieved:
    """What was found for question q1."""
    return PassagesRetrieved(
        query_id="q1",
        actor="u-records",
        searched_for="How long are invoices kept?",
        retrieved=(
            RetrievedPassage("ch1", "d1", "v1", "ab" * 32, "a/retention.pdf", "Retention", 4, 1, 0.5, 0.71, 1),
            RetrievedPassage("ch2", "d2", "v2", "cd" * 32, "b.txt", "Archive", None, 2, 1e-7, None, None),
        ),
        model=ModelUsed("ollama", "qwen", "sha256:12", "Q4_K_M", 8192),
        prompt_sha256="ef" * 32,
        prompt_template="answer-1",
        parameters=GenerationParameters(0.0, 7, 1024, 8192),
    )


@pytest.fixture
def closed() -> Close:
    def make(
        query_id: str = "q1", answer: str = "Ten years [1].", kind: str = "generated", error: str = ""
    ) -> AnswerClosed:
        return AnswerClosed(
            query_id=query_id,
            actor="u-records",
            answer=answer,
            answer_sha256="01" * 32,
            kind=kind,
            citations=(CitedPassage(1, "ch1"),),
            notices=("The answer is in German.",),
            unknown_markers=(9,),
            latency=Latency(12.5, None, 900.0),
            error=error,
            withdrawn="Ten years [7].",
            flags=(RaisedFlag("low_grounding", "answer", "a fifth of it stands in the passages it cites"),),
        )

    return make


@pytest.fixture
def judged() -> Judge:
    def make(query_id: str = "q1", verdict: str = "up", comment: str = "") -> FeedbackGiven:
        return FeedbackGiven(query_id, "u-records", verdict, comment)

    return make
