"""What a language model is told, and how much of what was found fits. Pure.

Rules this module keeps:

1. The prompt fits the context window with room for the answer, counted in the model's own tokens. What does not fit
   is left out whole, passage by passage, and never cut by a server. A newest edition that does not fit beside the
   older one takes its place; where it does not fit there either, the older one stays. There is no prompt without a
   passage.
2. Passages stand between markers that cannot occur in them, in whatever language: their signs cannot, the words in
   them may. They are said to be quotations, not instructions. No text can forge a turn of the chat: what looks like a
   control token of a chat template is made harmless.
3. Bracketed numbers of a document's own, and those of earlier answers, are taken out: in an answer they would cite a
   passage that says something else.
4. The words around passages and question are those of `instructions`, whose name goes on record.
5. A passage says where it stands, by its document's title and the nearest headings, and none of them twice: not those
   of the title's words, nor those with which its text begins.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from appliance.answering.citations import in_round_brackets, without_markers
from appliance.domain import Citation, Hit, Turn
from appliance.errors import ContextOverflow, InvalidRequest
from appliance.inference.port import Message, MessageRole
from appliance.language.words import Instructions

_MESSAGE_OVERHEAD = 16  # tokens a chat template puts around one message, generously
_MAX_HISTORY_SHARE = 4  # earlier turns may take a quarter of the room
_NEAREST_HEADINGS = 2

_CHAT_MARKER = re.compile(r"<(?=[^\s\d=])|(?<=[|｜])>|\[(?=/?[A-Z_]+\])")
"""Where control tokens of Qwen, DeepSeek, Llama, Mistral and Gemma begin or end. llama.cpp obeys them in any text."""

_LOOKS_LIKE = {"<": "‹", ">": "›", "[": "⁅"}

CountTokens = Callable[[str], int]
Differing = Callable[[tuple[Citation, ...]], Sequence[tuple[int, int]]]
"""The pairs of passage numbers that say different things."""


def _nothing_differs(_passages: Sequence[Citation]) -> Sequence[tuple[int, int]]:
    return ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A chat ready to be sent, and what it was made of: the passages in it, numbered from 1, and the earlier turns.

    `differing` are the pairs of passages of which the model was told that they contradict each other.
    """

    messages: tuple[Message, ...]
    passages: tuple[Citation, ...]
    turns: tuple[Turn, ...] = ()
    differing: tuple[tuple[int, int], ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of the whole prompt, as it goes on record."""
        return chat_sha256(self.messages)


def chat_sha256(messages: Sequence[Message]) -> str:
    """The hash of a chat, as it goes on record."""
    text = "\0".join(f"{message.role}\0{message.content}" for message in messages)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def build_prompt(
    question: str,
    hits: Sequence[Hit],
    turns: Sequence[Turn],
    *,
    budget_tokens: int,
    max_passages: int,
    count_tokens: CountTokens,
    words: Instructions,
    differing: Differing = _nothing_differs,
) -> Prompt:
    """The prompt for a question, with as many of the best hits and latest turns as fit `budget_tokens`.

    Args:
        question: In the reader's words.
        hits: What was found, best first.
        turns: The conversation so far, oldest first.
        budget_tokens: What the whole prompt may take.
        max_passages: How many hits at most.
        count_tokens: Of the model, never too few.
        words: The instructions, in the language of the question.
        differing: Tells which of the packed passages contradict each other; the model is told in turn.

    Raises:
        InvalidRequest: The question alone leaves no room.
        ContextOverflow: None of the hits fits beside the question.
    """
    room = budget_tokens - _cost(words.rules, count_tokens)
    room_beside_question = room - _cost(_user_message(question, (), words), count_tokens)
    if room_beside_question <= 0:
        raise InvalidRequest(
            "The question is too long for the language model that is configured. Ask a shorter one, "
            "or raise model.context_tokens."
        )
    for remembered in (turns, ()):  # earlier turns give way to the first passage
        packed = _pack_turns(remembered, room_beside_question // _MAX_HISTORY_SHARE, count_tokens)
        left = room - sum(_cost_of_turn(turn, count_tokens) for turn in packed)
        passages = _pack_passages(question, hits[:max_passages], left, count_tokens, words)
        if passages:
            pairs = tuple(differing(passages))
            if pairs and _cost(_user_message(question, passages, words, pairs), count_tokens) > left:
                pairs = ()  # what differs is the least to lose: the reader is told of it anyway
            return put_together(question, passages, packed, words, pairs)
    raise ContextOverflow(
        "No passage fits beside the question into the context window of the language model. Ask a shorter question, "
        "or raise model.context_tokens."
    )


def put_together(
    question: str,
    passages: tuple[Citation, ...],
    turns: tuple[Turn, ...],
    words: Instructions,
    differing: tuple[tuple[int, int], ...],
) -> Prompt:
    """The prompt that is made of just this, whether it fits or not."""
    earlier = (message for turn in turns for message in _said(turn))
    asked = Message(MessageRole.USER, _user_message(question, passages, words, differing))
    return Prompt((Message(MessageRole.SYSTEM, words.rules), *earlier, asked), passages, turns, differing)


def _pack_passages(
    question: str, hits: Sequence[Hit], room: int, count_tokens: CountTokens, words: Instructions
) -> tuple[Citation, ...]:
    """The best hits with which the whole message fits. Counted as a whole: the tokens of parts do not add up."""
    everything = tuple(Citation(number, hit) for number, hit in enumerate(hits, start=1))
    if _cost(_user_message(question, everything, words), count_tokens) <= room:
        return everything
    packed: tuple[Citation, ...] = ()
    for hit in hits:
        for before in _before(hit, packed):
            attempt = (*before, Citation(len(before) + 1, hit))
            if _cost(_user_message(question, attempt, words), count_tokens) <= room:
                packed = attempt
                break  # where nothing fits, a shorter one further down may still do so
    return packed


def _before(hit: Hit, packed: tuple[Citation, ...]) -> Iterator[tuple[Citation, ...]]:
    """Behind what a hit may stand: all that is packed, else without the older edition whose place the newest takes."""
    yield packed
    document = hit.chunk.document_id
    is_first = all(citation.hit.chunk.document_id != document for citation in packed)
    if packed and packed[-1].hit.superseded_by == document and is_first:
        yield packed[:-1]


def _pack_turns(turns: Sequence[Turn], room: int, count_tokens: CountTokens) -> tuple[Turn, ...]:
    """The latest turns that fit, oldest first."""
    packed: list[Turn] = []
    for turn in reversed(turns):
        cost = _cost_of_turn(turn, count_tokens)
        if cost > room:
            break
        room -= cost
        packed.insert(0, turn)
    return tuple(packed)


def _cost_of_turn(turn: Turn, count_tokens: CountTokens) -> int:
    return sum(_cost(message.content, count_tokens) for message in _said(turn))


def _said(turn: Turn) -> tuple[Message, Message]:
    """An earlier turn as the model sees it."""
    answer = inert(without_markers(turn.answer))
    return Message(MessageRole.USER, inert(turn.question)), Message(MessageRole.ASSISTANT, answer)


def _user_message(
    question: str, passages: Sequence[Citation], words: Instructions, differing: Sequence[tuple[int, int]] = ()
) -> str:
    blocks = "\n\n".join(_passage(citation, words) for citation in passages)
    notes = "".join(f"{words.differ.format(f'[{one}][{other}]')}\n" for one, other in differing)
    return f"{words.passages}\n\n{blocks}\n\n{notes}{words.question} {inert(question)}"


def _passage(citation: Citation, words: Instructions) -> str:
    marker = f"[{citation.number}]"
    begin, end = words.begin.format(marker), words.end.format(marker)
    where = _quoted(" > ".join(_where(citation.hit, words)))
    return f"<<<{begin} {one_line(where)}>>>\n{_quoted(citation.hit.chunk.text)}\n<<<{end}>>>"


def _where(hit: Hit, words: Instructions) -> Iterator[str]:
    """The title, the nearest headings and the page or its name; no heading that is said already."""
    place, title = hit.chunk.place, one_line(hit.title)
    begins = hit.chunk.text.split("\n", len(place.headings))[: len(place.headings)]  # headings that lead a passage
    said = {_alike(text) for text in (title, *begins)}
    if title:
        yield title
    for heading in dict.fromkeys(map(one_line, place.headings[-_NEAREST_HEADINGS:])):
        if heading and _alike(heading) not in said:
            yield heading
    if place.label:
        yield place.label
    elif place.page is not None:
        yield words.page.format(place.page)


def _alike(text: str) -> str:
    return one_line(text).casefold()


def one_line(text: str) -> str:
    """A text with single spaces for its blanks and line breaks."""
    return " ".join(text.split())


def _quoted(untrusted_text: str) -> str:
    """A document's text, unable to end its own quotation or to look like a marker."""
    return inert(in_round_brackets(untrusted_text)).replace(">>>", "›››")


def inert(untrusted_text: str) -> str:
    """A text without what a chat template would take for the end of a message: "<|im_end|>", "</s>", "[INST]" ..."""
    return _CHAT_MARKER.sub(lambda match: _LOOKS_LIKE[match.group()], untrusted_text)


def _cost(text: str, count_tokens: CountTokens) -> int:
    return count_tokens(text) + _MESSAGE_OVERHEAD
