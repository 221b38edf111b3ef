"""Golden sets: questions with the place of their answer, as people write them down. Pure.

One JSON object a line (`docs/operations/evaluation.md` tells how to write one). Rules this module keeps:

1. A line that cannot be used is an error that names the line and says what to do; no question is left out silently.
2. Keys that are not known are passed over: sets carry notes of their own.
3. The hash of a set covers what a run depends on, and nothing else: not the order of keys, not the notes.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from appliance.domain import MAX_QUESTION_CHARACTERS
from appliance.errors import InvalidRequest
from appliance.invalid import GROUP_NAME

MAX_QUESTIONS = 20_000
SHORTEST_QUOTE = 5
"""Words that must be found before a longer quote counts, and that a quote of somebody who may not read every document
must have: fewer are a guess at what stands there."""

_MAX_QUOTE = 1_000  # where it is compared, which takes time that grows with the square of its length
_MAX_EVIDENCE = 100  # of one question
_MAX_GROUPS = 100  # of one question
_MAX_READERS = 100  # of a set: what it names is looked up for each, among all documents
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where an answer stands: a document, and in it a page (from 1), a quote or a passage where one is given.

    `doc` is a file name, a path in its source, a title or a document's id. What says more exactly where is what counts:
    the page, else the quote, else the passage (a chunk's id, or the name of a document that is one passage).
    """

    doc: str = ""
    page: int | None = None
    quote: str = ""
    passage: str = ""


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question whose right answer is known: where it stands, or that the documents do not hold it.

    One that is said to be answerable without evidence counts for abstention alone. `groups` are those of the person who
    asks it, in order; empty when it is asked with whatever groups the set is asked with.
    """

    id: str
    question: str
    evidence: tuple[Evidence, ...]
    answerable: bool = True
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """Questions, under the name of the file they came in."""

    name: str
    questions: tuple[GoldenQuestion, ...]

    @property
    def sha256(self) -> str:
        """What tells two sets apart."""
        lines = (json.dumps(_hashed(question), ensure_ascii=False, sort_keys=True) for question in self.questions)
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _hashed(question: GoldenQuestion) -> dict[str, Any]:
    """What of a question counts for the hash of its set: without groups, what counted before there were such."""
    return {name: value for name, value in asdict(question).items() if name != "groups" or value}


def compared_words(text: str) -> list[str]:
    """The words of a quote or passage as they are compared: without regard to case, spaces and punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def read_golden(name: str, untrusted: bytes, *, limit: int | None = None, shortest_quote: int = 0) -> GoldenSet:
    """The golden set of a JSONL file; with a `limit` its first questions. Quotes have `shortest_quote` words or more.

    Raises:
        InvalidRequest: A line cannot be used; the message names it.
    """
    try:
        lines = untrusted.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        at = untrusted.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(f"Line {at} of the golden set is not UTF-8. Save the file as UTF-8.") from error
    return golden_set(name, _questions(lines, shortest_quote), limit=limit)


def golden_set(name: str, questions: Iterable[GoldenQuestion], *, limit: int | None = None) -> GoldenSet:
    """A set of these questions. Raises InvalidRequest when it has none, or too many."""
    found = tuple(questions)
    if not found:
        raise InvalidRequest("The golden set holds no question. Write one JSON object a line, with 'question'.")
    if len(found) > MAX_QUESTIONS:
        raise InvalidRequest(f"The golden set has {len(found):,} questions; the limit is {MAX_QUESTIONS:,}. Split it.")
    readers = {question.groups for question in found}
    if len(readers) > _MAX_READERS:
        raise InvalidRequest(
            f"The questions of the golden set are for {len(readers):,} readers, each with other 'groups'; the limit is "
            f"{_MAX_READERS}. Split it."
        )
    return GoldenSet(name, found[:limit])


def _questions(lines: Sequence[str], shortest_quote: int) -> Iterator[GoldenQuestion]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        question = _Line(number, shortest_quote).read(line)
        if question.id in seen:
            raise InvalidRequest(
                f"Line {number} of the golden set has the same 'id' as line {seen[question.id]}. Give it another."
            )
        seen[question.id] = number
        yield question


class _Line:
    """One line: what it holds, or what is wrong with it."""

    def __init__(self, number: int, shortest_quote: int) -> None:
        self._number = number
        self._shortest_quote = shortest_quote

    def read(self, line: str) -> GoldenQuestion:
        """The question of the line. Raises InvalidRequest."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._wrong("is not JSON. Write one object a line, without line breaks inside it") from error
        if not isinstance(values, dict):
            raise self._wrong('is not a JSON object. Write {"question": ..., "evidence": [...]}')
        question = self._text(values, "question")
        if not question:
            raise self._wrong("has no 'question'. Write the question as a text")
        answerable = values.get("answerable", True)
        if not isinstance(answerable, bool):
            raise self._wrong("has an 'answerable' that is neither true nor false")
        evidence = self._evidence(values) if answerable else ()
        if not evidence and "answerable" not in values:
            raise self._wrong("names no 'evidence'. Say where the answer stands, or set \"answerable\"")
        return GoldenQuestion(self._id(values), question, evidence, answerable, self._groups(values))

    def _id(self, values: dict[str, Any]) -> str:
        given = values.get("id")
        if isinstance(given, int) and not isinstance(given, bool):
            return str(given)
        return self._text(values, "id") or f"line {self._number}"

    def _evidence(self, values: dict[str, Any]) -> tuple[Evidence, ...]:
        given = values.get("evidence") or []
        if not isinstance(given, list) or len(given) > _MAX_EVIDENCE:
            raise self._wrong(f"has an 'evidence' that is not a list of at most {_MAX_EVIDENCE} places")
        return tuple(dict.fromkeys(self._place(item) for item in given))

    def _groups(self, values: dict[str, Any]) -> tuple[str, ...]:
        given = values.get("groups") or []
        if not isinstance(given, list) or len(given) > _MAX_GROUPS:
            raise self._wrong(f"has 'groups' that are not a list of at most {_MAX_GROUPS} names")
        if not all(isinstance(group, str) and re.fullmatch(GROUP_NAME, group) for group in given):
            raise self._wrong("has 'groups' with something that is not the name of a group")
        return tuple(sorted(set(given)))

    def _place(self, item: object) -> Evidence:
        if not isinstance(item, dict):
            raise self._wrong('has a piece of evidence that is not an object. Write {"doc": "file.pdf", "page": 3}')
        page = item.get("page")
        if page is not None and (not isinstance(page, int) or isinstance(page, bool) or page < 1):
            raise self._wrong("has a 'page' that is not a whole number from 1 on")
        doc, passage = self._text(item, "doc"), self._text(item, "passage")
        quote = self._text(item, "quote", limit=_MAX_QUOTE if page is None else MAX_QUESTION_CHARACTERS)
        if not doc and not passage:
            raise self._wrong("has a piece of evidence without 'doc'. Name the file, its path or its title")
        if quote and page is None and len(compared_words(quote)) < self._shortest_quote:
            raise self._wrong(
                f"has a 'quote' of fewer than {self._shortest_quote} words. Quote the whole sentence, or run the set "
                "on the machine with 'strongroom eval'"
            )
        return Evidence(doc, page, quote, passage)

    def _text(self, values: dict[str, Any], name: str, *, limit: int = MAX_QUESTION_CHARACTERS) -> str:
        given = values.get(name)
        if given is None:
            return ""
        if not isinstance(given, str) or len(given) > limit:
            raise self._wrong(f"has a '{name}' that is not a text of at most {limit:,} characters")
        return given.strip()

    def _wrong(self, what: str) -> InvalidRequest:
        return InvalidRequest(f"Line {self._number} of the golden set {what}.")
