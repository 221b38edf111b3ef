"""Cuts a parsed document into chunks that fit the embedding model and keep their place.

Rules this module keeps:

1. A chunk with its context never has more tokens than the embedding model reads: nothing is cut silently.
2. A chunk lies on one page, so that a citation opens the page it stands on.
3. Headings stay with what follows them; a new heading starts a new chunk unless the current one is still small.
4. Page headers and footers are not searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from appliance.domain import Box, Chunk, Place, chunk_id
from appliance.inference.port import Embedder
from ingest.parse.elements import Element, ElementKind, Parsed

_SPECIAL_TOKENS = 2
_CONTEXT_SHARE = 4  # the context may take a quarter of a chunk
_SMALL_SHARE = 3  # a chunk below a third of its budget takes the next section in

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """Sizes in tokens of the embedding model: `chunk` for the text of a chunk, `overlap` between pieces of one text."""

    chunk: int
    overlap: int


@dataclass(slots=True)
class _Draft:
    """A chunk being filled."""

    page: int | None
    label: str
    headings: tuple[str, ...]
    texts: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    tokens: int = 0
    only_headings: bool = True


def split(
    parsed: Parsed, *, document_id: str, version_id: str, title: str, embedder: Embedder, limits: ChunkLimits
) -> list[Chunk]:
    """The chunks of a parsed document, in reading order, numbered from 0."""
    budget = min(limits.chunk, embedder.max_tokens - _SPECIAL_TOKENS - embedder.max_tokens // _CONTEXT_SHARE)
    room_for_context = embedder.max_tokens - _SPECIAL_TOKENS - budget
    chunks: list[Chunk] = []
    for draft in _drafts(parsed.elements, budget, limits.overlap, embedder.count_tokens):
        text = "\n".join(draft.texts)
        chunks.append(
            Chunk(
                id=chunk_id(version_id, len(chunks), embedder.model_id),
                document_id=document_id,
                version_id=version_id,
                number=len(chunks),
                text=text,
                context=_context(title, draft.headings, room_for_context, embedder.count_tokens),
                place=Place(draft.page, draft.label, tuple(draft.boxes), draft.headings),
                language=parsed.language,
                token_count=draft.tokens,
            )
        )
    return chunks


def _drafts(elements: Sequence[Element], budget: int, overlap: int, count: CountTokens) -> Iterator[_Draft]:
    draft: _Draft | None = None
    headings: list[tuple[int, str]] = []
    for element in elements:
        if element.kind in (ElementKind.HEADER, ElementKind.FOOTER) or not element.text.strip():
            continue
        if element.level:
            headings = [(level, text) for level, text in headings if level < element.level]
            headings.append((element.level, element.text))
        path = tuple(text for _, text in headings)
        for text, tokens in _pieces(element.text, _room(draft, element, budget), overlap, count):
            if draft is None or _must_start(draft, element, tokens, budget):
                if draft is not None:
                    yield draft
                draft = _Draft(element.page, element.label, path)
            _add(draft, element, text, tokens, path)
    if draft is not None:
        yield draft


def _room(draft: _Draft | None, element: Element, budget: int) -> int:
    """Tokens for a piece of `element`: less where it would part a heading, which leads the chunk, from its text."""
    if draft is None or not draft.only_headings or _is_elsewhere(draft, element) or 2 * draft.tokens > budget:
        return budget
    return budget - draft.tokens


def _is_elsewhere(draft: _Draft, element: Element) -> bool:
    return (draft.page, draft.label) != (element.page, element.label)


def _must_start(draft: _Draft, element: Element, tokens: int, budget: int) -> bool:
    if _is_elsewhere(draft, element) or draft.tokens + tokens + 1 > budget:
        return True
    return bool(element.level) and not draft.only_headings and draft.tokens * _SMALL_SHARE >= budget


def _add(draft: _Draft, element: Element, text: str, tokens: int, path: tuple[str, ...]) -> None:
    if draft.only_headings:
        draft.headings = path
    draft.texts.append(text)
    draft.tokens += tokens + 1  # the line break between texts
    draft.boxes.extend(box for box in element.boxes if box not in draft.boxes)
    draft.only_headings = draft.only_headings and bool(element.level)


def _pieces(text: str, budget: int, overlap: int, count: CountTokens) -> Iterator[tuple[str, int]]:
    """A text that fits, as it is; a longer one in overlapping pieces cut between sentences."""
    tokens = count(text)
    if tokens < budget:
        yield text, tokens
        return
    for piece in _split_sentences(text, budget - 1, min(overlap, budget // 2), count):
        yield piece, count(piece)


def _split_sentences(text: str, budget: int, overlap: int, count: CountTokens) -> list[str]:
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(
        chunk_size=budget,
        chunk_overlap=overlap,
        tokenizer=lambda part: [""] * count(part),  # only the length is used
        include_metadata=False,
        include_prev_next_rel=False,
    )
    pieces = [piece for piece in splitter.split_text(text) if piece.strip()]
    return [part for piece in pieces for part in _halve(piece, budget, count)]


def _halve(text: str, budget: int, count: CountTokens) -> Iterator[str]:
    """Cuts what has no place to be cut at (a hash, a line of dots) in the middle until it fits."""
    if count(text) <= budget or len(text) <= 1:
        yield text
        return
    middle = len(text) // 2
    yield from _halve(text[:middle], budget, count)
    yield from _halve(text[middle:], budget, count)


def _context(title: str, headings: tuple[str, ...], room: int, count: CountTokens) -> str:
    """Title and headings in one line, from the left dropping what does not fit (the nearest heading says most)."""
    parts = [part for part in dict.fromkeys((title, *headings)) if part]
    while parts:
        line = " > ".join(parts)
        if count(line) < room:
            return line
        parts = parts[1:]
    return ""
