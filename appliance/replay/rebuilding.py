"""Makes again what was put before the model, from what is on record and the text that is still stored. Pure.

Rules this module keeps:

1. A text counts only if it is that of the chunk and version on record, by identifier and hash.
2. What is on record about a passage (title, path, rank, similarity) is taken from there, not from the catalog of today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from appliance.answering.instructions import instructions
from appliance.answering.prompt import Prompt, put_together
from appliance.audit.entries import EarlierTurn, PassagesRetrieved, RetrievedPassage
from appliance.catalog import StoredChunk
from appliance.domain import Chunk, Citation, Hit, Place, Turn, text_sha256
from appliance.replay.outcome import Fate
from appliance.retrieval.superseded import packed

EarlierAnswer = Callable[[str], Turn | None]
"""The turn that is on record under a query; None when it cannot be read any more."""


def fates(
    retrieved: Iterable[RetrievedPassage],
    stored: Mapping[str, StoredChunk],
    in_force: Mapping[str, str],
    admitted: frozenset[str],
) -> dict[str, Fate]:
    """What has become of each passage, by chunk.

    Args:
        retrieved: The passages on record.
        stored: Those whose text is there.
        in_force: The version in force of each document that has one.
        admitted: The documents that whoever asked could see now, with the groups and levels they had then.
    """

    def fate(passage: RetrievedPassage) -> Fate:
        found = stored.get(passage.chunk_id)
        if found is None or passage.document_id not in in_force or not _is_of(passage, found):
            return Fate.ERASED
        if passage.text_sha256 and text_sha256(found.chunk.text) != passage.text_sha256:
            return Fate.CHANGED
        if in_force[passage.document_id] != passage.version_id:
            return Fate.SUPERSEDED
        return Fate.IN_FORCE if passage.document_id in admitted else Fate.CLOSED

    return {passage.chunk_id: fate(passage) for passage in retrieved}


def is_there(fate: Fate) -> bool:
    """Whether the text that was found then can still be read."""
    return fate not in (Fate.ERASED, Fate.CHANGED)


def hits(retrieved: Sequence[RetrievedPassage], stored: Mapping[str, StoredChunk]) -> list[Hit]:
    """The hits as they were, best first; those without text that is stored have none."""
    return [_hit(passage, stored.get(passage.chunk_id)) for passage in sorted(retrieved, key=lambda it: it.rank)]


def numbered(retrieved: Sequence[RetrievedPassage], stored: Mapping[str, StoredChunk]) -> tuple[Citation, ...]:
    """The passages that had a number, in its order."""
    chosen = sorted((it.number, it) for it in retrieved if it.number is not None)
    return tuple(Citation(number, _hit(it, stored.get(it.chunk_id))) for number, it in chosen)


def as_packed(retrieved: Sequence[RetrievedPassage], stored: Mapping[str, StoredChunk]) -> tuple[Citation, ...]:
    """The passages that had a number, in the order in which they were packed: a quotation is numbered after it is made.

    A newest edition stands behind what it supersedes, whatever its rank; in entries that do not say so, at its rank.
    """
    place = {hit.chunk.id: at for at, hit in enumerate(packed(hits(retrieved, stored), len(retrieved)))}
    return tuple(sorted(numbered(retrieved, stored), key=lambda passage: place[passage.hit.chunk.id]))


def turns(earlier: Sequence[EarlierTurn], answer_of: EarlierAnswer) -> tuple[Turn, ...] | None:
    """The earlier turns in a prompt; None when one of them cannot be read any more."""
    found = [answer_of(turn.query_id) if turn.query_id else Turn(turn.question, turn.answer) for turn in earlier]
    read = tuple(turn for turn in found if turn is not None)
    return read if len(read) == len(found) else None


def prompt(
    question: str,
    retrieval: PassagesRetrieved,
    language: str,
    passages: tuple[Citation, ...],
    earlier: tuple[Turn, ...],
) -> Prompt:
    """The prompt as this release words it, in `language`."""
    return put_together(question, passages, earlier, instructions(language), retrieval.differing)


def _is_of(passage: RetrievedPassage, found: StoredChunk) -> bool:
    return (found.chunk.version_id, found.version_sha256) == (passage.version_id, passage.version_sha256)


def _hit(passage: RetrievedPassage, found: StoredChunk | None) -> Hit:
    return Hit(
        chunk=found.chunk if found else _without_text(passage),
        title=passage.title,
        path=passage.path,
        source="",
        version_sha256=passage.version_sha256,
        score=passage.score,
        rank=passage.rank,
        similarity=passage.similarity,
        reranking=passage.reranking,
        superseded_by=passage.superseded_by,
    )


def _without_text(passage: RetrievedPassage) -> Chunk:
    return Chunk(passage.chunk_id, passage.document_id, passage.version_id, 0, "", "", Place(), "", 0)
