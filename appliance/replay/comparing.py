"""Two answers, word by word; and what was found then and now, passage by passage. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from appliance.audit.entries import RetrievedPassage
from appliance.domain import Hit
from appliance.replay.outcome import Change, Fate, Finding, Note, PassageNow, PassageThen, Piece

_WORD = re.compile(r"\s*\S+\s*?(?=\s|\Z)|\s+\Z")


def compared(then: str, now: str, *, is_hidden: bool) -> tuple[Piece, ...]:
    """The answer on record and the one of now, in the order of the words; new ones without text if `is_hidden`."""
    return tuple(_pieces(_WORD.findall(then), _WORD.findall(now), is_hidden))


def _pieces(then: list[str], now: list[str], is_hidden: bool) -> Iterator[Piece]:
    for kind, start, end, start_now, end_now in SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        if end > start:
            yield Piece(Change.SAME if kind == "equal" else Change.GONE, "".join(then[start:end]), end - start)
        if kind != "equal" and end_now > start_now:
            text = "" if is_hidden else "".join(now[start_now:end_now])
            yield Piece(Change.NEW, text, end_now - start_now)


def passages_then(
    retrieved: Sequence[RetrievedPassage], fates: Mapping[str, Fate], now: Sequence[Hit]
) -> tuple[PassageThen, ...]:
    """The passages on record, best first, and how they stand now."""
    rank_now = {hit.chunk.id: hit.rank for hit in now}
    return tuple(
        PassageThen(
            chunk_id=it.chunk_id,
            document_id=it.document_id,
            title=it.title,
            page=it.page,
            number=it.number,
            rank_then=it.rank,
            rank_now=rank_now.get(it.chunk_id),
            fate=fates[it.chunk_id],
        )
        for it in sorted(retrieved, key=lambda it: it.rank)
    )


def found_now(
    retrieved: Sequence[RetrievedPassage], now: Sequence[Hit], titles: Mapping[str, str]
) -> tuple[PassageNow, ...]:
    """What is found now and was not then, best first. `titles` are those of the documents that may be named."""
    then = {it.chunk_id for it in retrieved}
    return tuple(
        PassageNow(hit.chunk.id, hit.rank, titles.get(hit.chunk.document_id, ""))
        for hit in now
        if hit.chunk.id not in then
    )


def search_differs(then: Sequence[PassageThen], others: Sequence[PassageNow]) -> Iterator[Note]:
    """Whether the search finds something else, or in another order."""
    again = [it for it in then if it.rank_now is not None]
    in_place = [it for it in again if it.rank_now == it.rank_then]
    if len(in_place) < len(then) or others:
        yield Note(
            Finding.SEARCH_DIFFERS,
            f"The search found {len(then):,} passages then. It finds {len(again):,} of them now, {len(in_place):,} at "
            f"the same rank, and {len(others):,} others.",
        )
