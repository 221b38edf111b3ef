"""The story of a search that a program makes for a person: record -> retrieve -> record -> hand over.

Rules this module keeps:

1. The question is on record before anything is searched, and what was found and what of it is handed over before the
   program sees any of it. What cannot be recorded is not handed over.
2. A search that fails is closed on record too, with the reason.
3. What the program makes of the passages is its own: the appliance neither sees nor records it, and the record says
   that passages were handed over, not that there was an answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from appliance.answering.answerer import Record
from appliance.answering.course import Course, closed, numbered, received, retrieved
from appliance.answering.flagging import raised
from appliance.answering.sentences import has_words
from appliance.audit.entries import SearchState
from appliance.domain import MAX_QUESTION_CHARACTERS, Answer, AnswerKind, Citation, Conversation, Hit, Principal
from appliance.errors import InvalidRequest, code_of
from appliance.retrieval.retriever import Retriever
from appliance.retrieval.superseded import packed


class Searcher:
    """Searches for a person, on record."""

    def __init__(
        self, retriever: Retriever, log: Record, state: Callable[[], SearchState | None] = lambda: None
    ) -> None:
        """Put the parts together. `state` tells what a search depends on now, for the record."""
        self._retriever = retriever
        self._log = log
        self._state = state

    def search(self, question: str, principal: Principal, *, limit: int, origin: str) -> list[Hit]:
        """The best hits for a question within what this person may see, at most `limit`; `origin` names the door.

        A question without a word or number finds nothing: whatever is nearest to it says nothing.

        Raises:
            InvalidRequest: The question is longer than any may be. It is not on record.
            AuditUnavailable: The log cannot be written; nothing is handed over.
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; there is no partial result.
        """
        if len(question) > MAX_QUESTION_CHARACTERS:
            raise InvalidRequest(
                f"A question may have {MAX_QUESTION_CHARACTERS:,} characters, and this one has {len(question):,}. "
                "Ask a shorter one."
            )
        course = Course(
            query_id=str(uuid.uuid4()),
            question=question,
            searched_for=question,
            principal=principal,
            conversation=Conversation(str(uuid.uuid4())),
        )
        self._log.append(received(course, origin))  # no record, no search
        try:
            self._find(course, limit)
        except Exception as error:  # the edge of a search: whatever it was, nothing was handed over
            self._close(course, _handed_over(), error=code_of(error))
            raise
        self._close(course, _handed_over(*course.passages))
        return [citation.hit for citation in course.passages]

    def _close(self, course: Course, answer: Answer, *, error: str = "") -> None:
        self._log.append(closed(course, answer, raised(course, answer, error=error), error=error))

    def _find(self, course: Course, limit: int) -> None:
        course.state = self._state()
        if has_words(course.question):
            course.hits = self._retriever.retrieve(
                course.question, course.principal.access, most=limit, on_withheld=course.note_withheld
            )
        course.retrieval_ms = course.elapsed_ms()
        course.passages = numbered(packed(course.hits, limit))
        self._log.append(retrieved(course, None, None))


def _handed_over(*passages: Citation) -> Answer:
    return Answer("", AnswerKind.PASSAGES, passages, ())
