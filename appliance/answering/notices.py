"""What a reader is told about an answer besides the answer itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from appliance.answering.conflicts import Difference
from appliance.answering.followup import own_stems
from appliance.answering.sentences import words
from appliance.answering.subjects import called
from appliance.domain import Citation, Grounding, Hit
from appliance.language.words import LANGUAGES
from appliance.retrieval.editions import Newer, newer, undecided

CUT_OFF = "The language model stopped before its answer was finished; what it had written is not shown."
NOTHING = "The language model returned nothing that can be read."
QUOTED_INSTEAD = "The passages themselves are quoted instead."  # behind why the model did not answer
LOOP = "The language model went round in circles."
LENGTH = (
    "The answer reached the longest length that is set (model.max_answer_tokens) and breaks off. Ask for a part of it."
)
NO_CITATION = "This answer names no passage as its source. Check it against the passages before you rely on it."
UNKNOWN_MARKER = "The language model pointed at passages that do not exist; those references were removed."
NO_WORDS = "The question holds no word or number to search for."
NO_DOCUMENTS = "There is no document here that you may see. Ask an administrator which documents are taken in for you."
WITHDRAWN = (
    "A document that this answer draws on is gone, or was closed to you while the answer was written, so it is not "
    "shown. Ask again."
)
NOT_GROUNDED = "No sentence of this answer stands in the passages it cites. Do not rely on it."
NOTHING_STANDS_OUT = (
    "Nothing that is quoted here stands out as the answer: look through it, the documents may not answer this."
)
OTHER_QUESTION = (
    "Nothing that is quoted here has the words of this follow-up question: it may answer only the question before it."
)

FOR_OTHERS = "The table has a row that may be for others; whether it holds for this, the documents do not say."

_UNDECIDED = "Neither names nor dates tell which is newer: either may be superseded."

_MOST_NUMBERS = 12
_MOST_NAMES = 4
_LONGEST_QUOTE = 160


def not_said(language: str) -> str:
    """That the documents do not answer, in the language of the question."""
    return LANGUAGES.get(language, LANGUAGES["en"]).not_said


def of_nearest(title: str) -> str:
    """Which document is nearest to a question that the documents do not answer."""
    return f"Nearest to the question: {_short(title)}."


def of_grounding(checked: Grounding, *, cites: bool) -> Iterator[str]:
    """What the reader must know about how far an answer stands on its passages."""
    if not cites:
        yield NO_CITATION
        return
    if checked.judged and not any(check.supported for check in checked.judged):
        yield NOT_GROUNDED
    missing = tuple(dict.fromkeys(number for check in checked.statements for number in check.numbers_missing))
    if missing:
        listed = ", ".join(missing[:_MOST_NUMBERS]) + (" …" if len(missing) > _MOST_NUMBERS else "")
        yield f"Not found in the cited passages, and marked in the answer: {listed}. Check before you rely on it."


def of_quoted(
    quoted: str, follow_up: str, *, is_marked: bool, is_for_others: bool, unnamed: Sequence[str]
) -> Iterator[str]:
    """How far quotations have to do with the question.

    Args:
        quoted: What is quoted.
        follow_up: The question as it was asked, where another one was searched for.
        is_marked: Whether something of it is near to the question; of an older edition that is told, and not marked.
        is_for_others: Whether it is quoted only for a row that is for what its table does not name.
        unnamed: The names of the question that it does not hold.
    """
    own = own_stems(follow_up)
    if not quoted:
        return
    if is_for_others and unnamed:
        yield f"Nothing that is quoted here names {_listed(unnamed)}. {FOR_OTHERS}"
    elif not is_marked and own and own.isdisjoint(words(quoted)):
        yield OTHER_QUESTION
    elif unnamed:
        yield f"Nothing that is quoted here names {_listed(unnamed)}: the documents may not answer it."
    elif not is_marked:
        yield NOTHING_STANDS_OUT


def of_conflict(found: Difference) -> str:
    """Two passages that say the same thing differently, by number and title, with what each says, and the newer one."""
    one, other = found.one, found.other
    ours, theirs = called(one, other)
    return (
        f"Passages [{one.number}] ({ours}) and [{other.number}] ({theirs}) differ: "
        f"“{_short(found.one_says)}” and “{_short(found.other_says)}”{_which_is_newer(one, other)}"
    )


def of_more_conflicts(count: int) -> str:
    """That more pairs of passages differ than are named."""
    pairs = "1 more pair of passages differs" if count == 1 else f"{count} more pairs of passages differ"
    return f"{pairs} in the same way and {'is' if count == 1 else 'are'} not listed here."


def of_things(told: Sequence[tuple[int, str]]) -> str:
    """That passages, by number, tell the same of things that are called so, each of its own."""
    listed = ", ".join(f"[{number}] {_short(name)}" for number, name in told)
    return f"The documents tell this of several things: {listed}. Say which one you mean."


def of_newer_edition(cited: Citation, later: Citation, found: Newer[Hit]) -> str:
    """That what an answer cites has a newer edition among the passages that it does not cite."""
    return (
        f"A newer edition of what is cited as [{cited.number}] ({cited.hit.title}) was found, and is not cited: "
        f"[{later.number}] ({later.hit.title}; {found.why[0]}, [{cited.number}]: {found.why[1]})."
    )


def of_older_edition(cited: Citation, later: Citation, found: Newer[Hit]) -> str:
    """That one of two passages that an answer cites is of an older edition."""
    ours, theirs = called(cited, later)
    return (
        f"[{cited.number}] ({ours}) is an older edition of [{later.number}] ({theirs}; "
        f"{found.why[0]}, [{cited.number}]: {found.why[1]}): what [{cited.number}] alone says may not hold any more."
    )


def of_undecided_editions(one: Citation, other: Citation) -> str:
    """That two passages are of editions of one document, of which nothing tells the newer one."""
    ours, theirs = called(one, other)
    return f"[{one.number}] ({ours}) and [{other.number}] ({theirs}) seem to be editions of one document. {_UNDECIDED}"


def _which_is_newer(one: Citation, other: Citation) -> str:
    found = newer(one.hit, other.hit)
    if found is None:
        return f" {_UNDECIDED}" if undecided(one.hit, other.hit) else ""
    later, earlier = (one, other) if found.hit is one.hit else (other, one)
    return f" [{later.number}] is the newer edition ({found.why[0]}; [{earlier.number}]: {found.why[1]})."


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(f"“{_short(name)}”" for name in names[:_MOST_NAMES])
    return f"{listed} …" if len(names) > _MOST_NAMES else listed


def _short(untrusted_sentence: str) -> str:
    line = " ".join(untrusted_sentence.split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE].rsplit(' ', 1)[0]} …"
