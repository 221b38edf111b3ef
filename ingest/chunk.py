"""Cuts a parsed document into chunks that fit the embedding model and keep their place.

Rules this module keeps:

1. A chunk with its context never has more tokens than the embedding model reads: nothing is cut silently.
2. A chunk lies on one page, so that a citation opens the page it stands on.
3. Headings stay with what follows them; a new heading starts a new chunk unless the current one is still small.
4. Page headers and footers are not searched.
5. A long text is cut between sentences, or else lines, clauses, words, in this order: never inside a number.
6. A long table is cut between rows. Each piece begins with the head of the table, which is part of what it quotes: rows
   say nothing without it. The line above the table stays with the first piece, and is context of the others.
7. A chunk is in its own language, where that is clear; otherwise in that of its document.

Why, and what was measured: docs/decisions/0025-where-a-text-is-cut.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from appliance.domain import Box, Chunk, Place, chunk_id
from appliance.inference.port import SPECIAL_TOKENS, Embedder
from ingest.parse.elements import Element, ElementKind, Parsed
from ingest.parse.language import clear_language_of

CUTTER_VERSION = "2"
"""Part of every version id: raise it when the same elements would give other chunks; documents are then read again."""

_CONTEXT_SHARE = 4  # the context may take a quarter of a chunk
_LEVEL_DOWN = " > "
_SMALL_SHARE = 3  # a chunk below a third of its budget takes the next section in
_HEAD_SHARE = 4  # the head of a table may take a quarter of each of its chunks
_HEAD_LINES = 3
_CAPTION_CHARACTERS = 200

_PERIOD = re.compile(r"(?:\d{1,2}[./-]){0,2}(?:19|20)\d\d(?:[/-]\d{2,4})?")  # "2024", "31.12.2024", "2023/24"
_LINE = re.compile(r"[^\n]*\n+|[^\n]+")
_CLAUSE = re.compile(r".+?(?:[,.;:]\s+|[，；。？！]|\Z)", re.DOTALL)
_WORD = r"(?:\d{1,3}(?: \d{3})+(?!\d)|\S)+\s*"  # "1 234 567" is one

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
    caption: str = ""  # of the table that it goes on with
    later: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)  # headings that begin inside
    texts: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    tokens: int = 0
    only_leads: bool = True  # headings, and the line above a table


def split(
    parsed: Parsed,
    *,
    document_id: str,
    version_id: str,
    title: str,
    embedder: Embedder,
    limits: ChunkLimits,
    language: str = "",
) -> list[Chunk]:
    """The chunks of a parsed document, in reading order, numbered from 0; all in `language` if it is given."""
    budget = min(limits.chunk, embedder.max_tokens - SPECIAL_TOKENS - embedder.max_tokens // _CONTEXT_SHARE)
    room_for_context = embedder.max_tokens - SPECIAL_TOKENS - budget
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
                context=_context((title, *draft.headings, draft.caption), room_for_context, embedder.count_tokens),
                place=Place(draft.page, draft.label, tuple(draft.boxes), draft.headings, tuple(draft.later)),
                language=language or clear_language_of(text) or parsed.language,
                token_count=draft.tokens,
            )
        )
    return chunks


def retitled(chunk: Chunk, former: str, title: str, embedder: Embedder) -> Chunk:
    """The chunk of a document of the same content that is called `title`, where this one is called `former`."""
    headings = chunk.place.headings
    above = _LEVEL_DOWN.join(_parts_of((former, *headings)))
    if title == former or not chunk.context.startswith(above):  # a title that did not fit is not there
        return chunk
    caption = chunk.context[len(above) :].removeprefix(_LEVEL_DOWN)
    room = max(embedder.max_tokens // _CONTEXT_SHARE, embedder.count_tokens(chunk.context) + 1)
    return replace(chunk, context=_context((title, *headings, caption), room, embedder.count_tokens))


def _drafts(elements: Sequence[Element], budget: int, overlap: int, count: CountTokens) -> Iterator[_Draft]:
    draft: _Draft | None = None
    headings: list[tuple[int, str]] = []
    caption = ""
    searched = [element for element in elements if _is_searched(element)]
    for element, following in zip_longest(searched, searched[1:]):
        if element.level:
            headings = [(level, text) for level, text in headings if level < element.level]
            headings.append((element.level, element.text))
        path = tuple(text for _, text in headings)
        table = following if following is not None and _is_caption(element, following) else None
        for text, tokens in _pieces(element, _room(draft, element, budget), overlap, count):
            with_table = tokens if table is None else tokens + 1 + count(table.text)
            if draft is None or _must_start(draft, element, tokens, with_table, budget):
                if draft is not None:
                    yield draft
                draft = _Draft(element.page, element.label, path, caption)
            _add(draft, element, text, tokens, path, leads=bool(element.level) or table is not None)
        if not _goes_on(element, following):
            caption = element.text if table is not None else ""
    if draft is not None:
        yield draft


def _is_searched(element: Element) -> bool:
    return element.kind not in (ElementKind.HEADER, ElementKind.FOOTER) and bool(element.text.strip())


def _is_caption(element: Element, following: Element) -> bool:
    """Whether an element is the line above a table."""
    return (
        (element.kind, following.kind) == (ElementKind.TEXT, ElementKind.TABLE)
        and len(element.text) <= _CAPTION_CHARACTERS
        and (element.page, element.label) == (following.page, following.label)
    )


def _goes_on(element: Element, following: Element | None) -> bool:
    """Whether both are parts of one table, which begin with its head."""
    if following is None or {element.kind, following.kind} != {ElementKind.TABLE}:
        return False
    return element.text.partition("\n")[0] == following.text.partition("\n")[0]


def _room(draft: _Draft | None, element: Element, budget: int) -> int:
    """Tokens for a piece of `element`: less where it would be parted from the heading or caption that it follows."""
    if draft is None or not draft.only_leads or _is_elsewhere(draft, element) or 2 * draft.tokens > budget:
        return budget
    return budget - draft.tokens


def _is_elsewhere(draft: _Draft, element: Element) -> bool:
    return (draft.page, draft.label) != (element.page, element.label)


def _must_start(draft: _Draft, element: Element, tokens: int, with_table: int, budget: int) -> bool:
    """Whether a piece of `element` starts a chunk. `with_table`: its tokens and those of the table that it is above."""
    if _is_elsewhere(draft, element) or draft.tokens + tokens + 1 > budget:
        return True
    if with_table > tokens and not draft.only_leads and draft.tokens + with_table + 1 > budget:
        return True
    return bool(element.level) and not draft.only_leads and draft.tokens * _SMALL_SHARE >= budget


def _add(draft: _Draft, element: Element, text: str, tokens: int, path: tuple[str, ...], *, leads: bool) -> None:
    if draft.only_leads:
        draft.headings = path
    elif element.level:
        draft.later.append((sum(len(said) + 1 for said in draft.texts), path))
    draft.texts.append(text)
    draft.tokens += tokens + 1  # the line break between texts
    draft.boxes.extend(box for box in element.boxes if box not in draft.boxes)
    draft.only_leads = draft.only_leads and leads


def _pieces(element: Element, budget: int, overlap: int, count: CountTokens) -> Iterator[tuple[str, int]]:
    """A text that fits, as it is; a longer one in overlapping pieces cut between sentences, a table between rows."""
    text = element.text
    tokens = count(text)
    if tokens < budget:
        yield text, tokens
        return
    if element.kind is ElementKind.TABLE:
        pieces = _split_rows(text.split("\n"), budget - 1, count)
    else:
        pieces = iter(_split_sentences(text, budget - 1, min(overlap, budget // 2), count))
    for piece in pieces:
        yield piece, count(piece)


def _split_rows(rows: Sequence[str], budget: int, count: CountTokens) -> Iterator[str]:
    """Rows that fit together, each time after the head; one that does not fit is cut as other texts are."""
    head = _head(rows, budget, count)
    start = sum(count(row) + 1 for row in head)
    piece, used = list(head), start
    for row in rows[len(head) :]:
        room = budget - start
        parts = [row] if count(row) < room else _split_sentences(row, room - 1, 0, count)
        for part in parts:
            tokens = count(part) + 1
            if len(piece) > len(head) and used + tokens > budget:
                yield "\n".join(piece)
                piece, used = list(head), start
            piece.append(part)
            used += tokens
    yield "\n".join(piece)


def _head(rows: Sequence[str], budget: int, count: CountTokens) -> Sequence[str]:
    """The first rows to one of several cells, as long as they hold words and periods and are short; else nothing."""
    head: list[str] = []
    columns = 0
    for row in rows[:_HEAD_LINES]:
        cells = [cell.strip() for cell in row.split("|") if cell.strip()]
        if any(map(_is_figure, cells)) or (columns > 1 and not all(map(_PERIOD.fullmatch, cells))):
            break
        head.append(row)
        columns = max(columns, len(cells))
    is_short = sum(count(row) + 1 for row in head) * _HEAD_SHARE <= budget
    return head if columns > 1 and is_short and len(head) < len(rows) else ()


def _is_figure(cell: str) -> bool:
    has = {"letter" if sign.isalpha() else "digit" for sign in cell if sign.isalnum()}
    return has == {"digit"} and not _PERIOD.fullmatch(cell)


def _split_sentences(text: str, budget: int, overlap: int, count: CountTokens) -> list[str]:
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(
        chunk_size=budget,
        chunk_overlap=overlap,
        tokenizer=lambda part: [""] * count(part),  # only the length is used
        chunking_tokenizer_fn=_parts,
        secondary_chunking_regex=_WORD,
        include_metadata=False,
        include_prev_next_rel=False,
    )
    pieces = [piece for piece in splitter.split_text(text) if piece.strip()]
    return [part for piece in pieces for part in _halve(piece, budget, count)]


def _parts(text: str) -> list[str]:
    """The sentences of a text; the lines of a sentence; the clauses of a line."""
    from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer

    sentences = split_by_sentence_tokenizer()(text)
    if len(sentences) > 1:
        return sentences
    lines: list[str] = _LINE.findall(text)
    return lines if len(lines) > 1 else _CLAUSE.findall(text)


def _halve(text: str, budget: int, count: CountTokens) -> Iterator[str]:
    """Cuts what has no place to be cut at (a hash, a line of dots) in the middle until it fits."""
    if count(text) <= budget or len(text) <= 1:
        yield text
        return
    middle = len(text) // 2
    yield from _halve(text[:middle], budget, count)
    yield from _halve(text[middle:], budget, count)


def _context(above: Sequence[str], room: int, count: CountTokens) -> str:
    """Title, headings and caption in one line, from the left dropping what does not fit (the nearest says most)."""
    parts = _parts_of(above)
    while parts:
        line = _LEVEL_DOWN.join(parts)
        if count(line) < room:
            return line
        parts = parts[1:]
    return ""


def _parts_of(above: Sequence[str]) -> list[str]:
    return [part for part in dict.fromkeys(above) if part]
