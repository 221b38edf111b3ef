"""A log in a temporary folder, with questions, answers, sign-ins and acts to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.audit.entries import (
    AdminAction,
    AnswerClosed,
    Entry,
    Latency,
    LogOpened,
    QuestionReceived,
    RaisedFlag,
    SignedIn,
    SignInFailed,
)
from appliance.audit.log import QueryLog

SECRETS = ("u-records", "records", "Zinnober", "Vermilion", "203.0.113.7", "salaries.pdf", "DE89", "mallory")
"""What the entries below hold that must never be told outside."""


def entries() -> list[Entry]:
    """One of each sort."""
    return [
        LogOpened(release="1"),
        SignedIn("u-records", "records", "s1", "203.0.113.7"),
        SignInFailed("", "mallory", "203.0.113.7", "wrong password"),
        QuestionReceived(
            "q1", "u-records", "records", ("hr",), "c1", "What is Zinnober, DE89370400440532013000?", "web"
        ),
        AnswerClosed(
            query_id="q1",
            actor="u-records",
            answer="Vermilion [1].",
            answer_sha256="01" * 32,
            kind="generated",
            citations=(),
            notices=(),
            unknown_markers=(),
            latency=Latency(12.0, 20.0, 900.0),
            flags=(RaisedFlag("personal_data.iban", "question", "1 × DE"), RaisedFlag("no_citation", "answer")),
        ),
        AnswerClosed(
            "q2", "u-records", "", "01" * 32, "generated", (), (), (), Latency(1.0, None, 2.0), error="internal"
        ),
        AdminAction("u-records", "source.added", "salaries.pdf", "Zinnober"),
    ]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[QueryLog]:
    with QueryLog(tmp_path / "log" / "queries.db") as opened:
        yield opened


def fill(log: QueryLog) -> None:
    """Put one entry of each sort into a log."""
    for entry in entries():
        log.append(entry)
