"""The paper of an evidence package: its entries for people, in the order of the log. It says nothing they do not."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from appliance.audit import checkpoint, note
from appliance.audit.entries import (
    ActDecided,
    ActProposed,
    AnswerClosed,
    AnswerReviewed,
    CaseNoted,
    CaseOpened,
    CaseQueryAdded,
    Entry,
    FeedbackGiven,
    PassagesRetrieved,
    QuestionCompleted,
    QuestionReceived,
)
from appliance.audit.records import Recorded
from appliance.audit.telling import KINDS, act_in_words, happened, why_unreadable
from appliance.compliance.paper import Paper
from appliance.flags import WORDS
from appliance.wording import VERDICTS, moment_to_the_second, outcome

_UNREAD = "This entry is of a kind that this paper does not show. It is in entries.jsonl."
_Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """An entry for people: what kind it is, its short facts, and its texts, each with a label or none."""

    name: str
    facts: _Pairs = ()
    texts: _Pairs = ()


def report(
    title: str, queries: Mapping[str, Sequence[Recorded]], own: Sequence[Recorded], signed: str, signer_key: str
) -> bytes:
    """A PDF of some questions, and of the case `own` that they are in, if they are."""
    paper = Paper(f"Evidence: {title}", "The file entries.jsonl")
    paper.facts(_proof(signed, signer_key))
    paper.text(
        "What proves that these entries were recorded, and not altered since, is entries.jsonl; readme.txt says how."
    )
    if own:
        paper.heading(title)
        outcomes = _outcomes(own)
        for recorded in own:
            _write(paper, recorded, "What came of it, as its closing was proposed" * (recorded.seq in outcomes))
    for number, (query_id, entries) in enumerate(queries.items(), 1):
        paper.heading(f"Question {number}")
        paper.facts([("Query", query_id)])
        for recorded in entries:
            _write(paper, recorded)
    return paper.pdf()


def _proof(signed: str, signer_key: str) -> _Pairs:
    shown = checkpoint.parse(note.opened(signed, note.verifier_key(signer_key)))
    return (
        ("Log", shown.origin),
        ("Checkpoint", f"{shown.size:,} entries, signed"),
        ("Root of the tree", shown.root.hex()),
        ("Key of the signer", signer_key),
    )


def _outcomes(own: Sequence[Recorded]) -> frozenset[int]:
    """The notes with which the closing of a case was proposed: the last one before each proposal, by their numbers."""
    notes = [recorded.seq for recorded in own if isinstance(recorded.entry, CaseNoted)]
    proposed = [recorded.seq for recorded in own if isinstance(recorded.entry, ActProposed)]
    return frozenset(max((seq for seq in notes if seq < proposal), default=0) for proposal in proposed)


def _write(paper: Paper, recorded: Recorded, name: str = "") -> None:
    """Write an entry, under a name that says more than that of its kind, or under that."""
    if recorded.entry is None:
        told = _Told(happened(recorded), texts=(("", why_unreadable(recorded)),))
    else:
        told = _told(recorded.entry)
    paper.entry(f"{name or told.name} · {moment_to_the_second(recorded.time)}")
    for label, words in told.texts:
        if label and words:
            paper.label(label)
        if words:
            paper.text(words)
    paper.facts([*told.facts, ("Entry", str(recorded.seq)), ("Leaf hash", recorded.leaf_hash.hex())])


@functools.singledispatch
def _told(entry: Entry) -> _Told:
    return _Told(KINDS[entry.type], texts=(("", _UNREAD),))


@_told.register
def _(entry: QuestionReceived) -> _Told:
    person = (("Person", f"{entry.actor_name} ({entry.actor})"), ("Groups then", ", ".join(entry.groups)))
    return _Told("Question", person, (("", entry.question),))


@_told.register
def _(entry: QuestionCompleted) -> _Told:
    model = ("Model", entry.rewritten.model.name)
    return _Told("Follow-up completed", (model,), (("Searched for", entry.searched_for),))


@_told.register
def _(entry: PassagesRetrieved) -> _Told:
    model = " ".join(part for part in (entry.model.provider, entry.model.name, entry.model.quantisation) if part)
    hashes = (("Model digest", entry.model.digest), ("Prompt SHA-256", entry.prompt_sha256))
    return _Told("Passages found", (("Model", model or "none"), *hashes), (("", "\n".join(_passages(entry))),))


@_told.register
def _(entry: AnswerClosed) -> _Told:
    facts = (
        ("Outcome", outcome(entry.error or entry.kind)),
        ("Cited", ", ".join(f"[{citation.number}]" for citation in entry.citations)),
        ("Flags", ", ".join(WORDS.get(flag.name, flag.name) for flag in entry.flags)),
        ("Answer SHA-256", entry.answer_sha256),
    )
    return _Told("Answer", facts, (("", entry.answer), ("Shown before, and taken back", entry.withdrawn)))


@_told.register
def _(entry: FeedbackGiven) -> _Told:
    return _Told("Feedback", (("Verdict", VERDICTS.get(entry.verdict, entry.verdict)),), (("", entry.comment),))


@_told.register
def _(entry: AnswerReviewed) -> _Told:
    return _Told("Judged", (("Officer", entry.actor_name), ("Verdict", entry.verdict)), (("", entry.notes),))


@_told.register
def _(entry: CaseOpened) -> _Told:
    return _Told("Case opened", (("Officer", entry.actor_name), ("Title", entry.title)), (("Reason", entry.reason),))


@_told.register
def _(entry: CaseQueryAdded) -> _Told:
    return _Told("Put in the case", (("Officer", entry.actor_name), ("Query", entry.query_id)))


@_told.register
def _(entry: CaseNoted) -> _Told:
    return _Told("Note", (("Officer", entry.actor_name),), (("", entry.note),))


@_told.register
def _(entry: ActProposed) -> _Told:
    return _Told(act_in_words(entry), (_officer(entry),), (("", entry.reason),))


@_told.register
def _(entry: ActDecided) -> _Told:
    return _Told(act_in_words(entry), (_officer(entry),), (("", entry.note),))


def _officer(entry: ActProposed | ActDecided) -> tuple[str, str]:
    return ("Officer", entry.actor_name) if entry.actor_name else ("Account", entry.actor)


def _passages(entry: PassagesRetrieved) -> Iterator[str]:
    for found in entry.retrieved:
        number = f"[{found.number}] " if found.number is not None else ""
        page = f", page {found.page}" if found.page is not None else ""
        yield f"{found.rank}. {number}{found.title}{page} ({found.path}; version {found.version_sha256[:16]}…)"
