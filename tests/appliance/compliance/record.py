"""Answers to put into a log, as the appliance records them. The company is invented."""

from __future__ import annotations

from appliance.audit.entries import (
    AnswerClosed,
    CitedPassage,
    Latency,
    ModelUsed,
    PassagesRetrieved,
    QuestionReceived,
    RaisedFlag,
    RetrievedPassage,
)
from appliance.audit.log import QueryLog
from appliance.domain import Principal, Role, document_id

SOURCE = "00000000-0000-0000-0000-00000000000a"
ANNA = Principal("officer-anna", "anna", frozenset({Role.COMPLIANCE}), frozenset())
BELA = Principal("officer-bela", "bela", frozenset({Role.COMPLIANCE}), frozenset())


def answered(
    log: QueryLog,
    query_id: str,
    *,
    question: str = "How long are invoices kept?",
    answer: str = "Ten years [1].",
    actor: str = "reader-1",
    flags: tuple[str, ...] = (),
    cites: tuple[str, str] = ("", "retention.pdf"),
    error: str = "",
) -> int:
    """Put a question and its answer on record; the number of the entry that closes it. `cites` is source and path."""
    source, path = cites
    inside = tuple(path.split(" › "))
    cited = document_id(source, *inside)
    found = RetrievedPassage("c1", cited, "v1", "ab" * 32, path, "Retention", 4, 1, 0.5, 0.7, 1)
    other = RetrievedPassage(
        "c2", document_id(SOURCE, "x.txt"), "v2", "cd" * 32, "x.txt", "Other", None, 2, 0.1, 0.2, 2
    )
    log.append(QuestionReceived(query_id, actor, "erin", ("everyone",), "conv", question, "browser"))
    log.append(PassagesRetrieved(query_id, actor, question, (found, other), ModelUsed(), "", "", None))
    raised = tuple(RaisedFlag(name, "question") for name in flags)
    latency = Latency(1.0, None, 2.0)
    return log.append(
        AnswerClosed(
            query_id,
            actor,
            answer,
            "01" * 32,
            "extractive",
            (CitedPassage(1, "c1"),),
            (),
            (),
            latency,
            error,
            "",
            None,
            raised,
        )
    ).seq
