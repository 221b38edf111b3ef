"""Has a language model make a follow-up into a question that stands by itself.

Rules this module keeps:

1. The model sees the last turns of this reader's own conversation and the follow-up, nothing else, and has little time
   and few tokens. Whatever goes wrong costs nothing but that time: the rules of `followup` stand in.
2. What it says is taken only if it can be a question of this conversation: one line without markers, not much longer
   than what was asked, in the language of the follow-up, with most of its words and one of the questions before, and
   without a number or capitalised name that was said nowhere before. An answer is none.
3. Every turn stands on a line of its own, so that none can be forged from within another.
4. What it was asked and what it said go on record, taken or not, and what it had said when it failed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from appliance.answering.citations import without_markers
from appliance.answering.instructions import REWRITING_TEMPLATE
from appliance.answering.prompt import chat_sha256, inert, one_line
from appliance.answering.sentences import COMMON, words
from appliance.domain import Turn
from appliance.errors import ModelUnavailable
from appliance.inference.language import detect_language
from appliance.inference.port import Generation, LanguageModel, Message, MessageRole, ModelCard
from appliance.inference.wire import whole_characters
from appliance.language.words import ANY, RewritingInstructions

_TURNS = 3
_ANSWER_CHARACTERS = 400
_MAX_TOKENS = 96
_LONGER_BY = 200  # characters more than the follow-up and the question before it
_CLEAR_LETTERS = 30  # of fewer, the language is a guess
_NAME = re.compile(r"\b(?:[^\W\d_a-zß-ÿ]\w+|\w*\d\w*)\b")
_OPENERS = COMMON | frozenset(ANY.opening_words)
"""Words that a question begins with and that are no names, capital or not; `COMMON` has the longer ones."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a model made of a follow-up. `question` is empty when what it `said` was not taken, or not finished."""

    question: str
    said: str
    card: ModelCard
    generation: Generation
    prompt_sha256: str
    template: str = REWRITING_TEMPLATE


def rewrite(
    question: str, turns: Sequence[Turn], model: LanguageModel, generation: Generation, told: RewritingInstructions
) -> Rewriting | None:
    """The follow-up as the model completes it; None when the model could not be asked.

    `told` are the words in which it is asked, in the language of the question.
    """
    messages = _messages(question, turns, told)
    try:
        card = model.card(generation)
    except ModelUnavailable:
        return None
    said, is_whole = _said(model, messages, generation)
    taken = _taken(said, question, turns) if is_whole else ""
    return Rewriting(taken, said, card, generation, chat_sha256(messages))


def rewriting_generation(generation: Generation, time_s: float) -> Generation:
    """As an answer is generated, but short and soon."""
    return replace(generation, max_tokens=min(_MAX_TOKENS, generation.max_tokens), temperature=0.0, time_s=time_s)


def _said(model: LanguageModel, messages: Sequence[Message], generation: Generation) -> tuple[str, bool]:
    """What the model says to this, and whether it came to its end."""
    said = ""
    try:
        with closing(model.stream(messages, generation)) as pieces:
            for piece in whole_characters(pieces):
                said += piece
    except ModelUnavailable:
        return said, False
    return said, True


def _messages(question: str, turns: Sequence[Turn], told: RewritingInstructions) -> tuple[Message, ...]:
    said = "\n".join(
        f"{told.question} {one_line(inert(turn.question))}\n{told.answer} {_short(inert(without_markers(turn.answer)))}"
        for turn in turns[-_TURNS:]
    )
    asked = f"{told.conversation}\n{said}\n\n{told.last} {one_line(inert(question))}\n\n{told.rewritten}"
    return (Message(MessageRole.SYSTEM, told.rules), Message(MessageRole.USER, asked))


def _short(answer: str) -> str:
    line = one_line(answer)
    return line if len(line) <= _ANSWER_CHARACTERS else f"{line[:_ANSWER_CHARACTERS]} …"


def _taken(said: str, question: str, turns: Sequence[Turn]) -> str:
    """What the model said, if it can be a question of this conversation; otherwise nothing."""
    line = said.strip().strip("\"'“”„«»` ")
    before = " ".join([question, *(f"{turn.question} {turn.answer}" for turn in turns[-_TURNS:])])
    longest = len(question) + len(turns[-1].question) + _LONGER_BY
    asked, says = words(question), words(line)
    followed = words(" ".join(turn.question for turn in turns[-_TURNS:]))
    ours, theirs = (detect_language(text, letters=_CLEAR_LETTERS, probability=0.9) for text in (question, line))
    fits = (
        "\n" not in line
        and "[" not in line
        and 0 < len(line) <= longest
        and (not ours or not theirs or ours == theirs)
        and all(_opens(name, line) or _is_known(name[0], before) for name in _NAME.finditer(line))
        and len(asked & says) >= len(asked) / 2
        and bool(followed & says)
    )
    return line if fits else ""


def _opens(name: re.Match[str], line: str) -> bool:
    """Whether a sentence begins here, with a word that questions begin with."""
    start = name.start()
    begins = not line[:start].strip("¿¡ ") or line[:start].rstrip("¿¡ ").endswith((".", "?", "!", ":"))
    return begins and name[0].casefold() in _OPENERS


def _is_known(name: str, before: str) -> bool:
    """Whether a name (in any ending) or a number was said before."""
    if name.isalpha() and words(name):
        return words(name) <= words(before)
    return name.casefold() in map(str.casefold, _WORD.findall(before))
