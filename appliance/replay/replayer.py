"""The story of a replay: read the record -> look at what is still there -> search again -> answer again -> record.

The rules it keeps are those of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from appliance.answering import notices
from appliance.answering.abstention import BEST
from appliance.answering.courtesies import reply_to
from appliance.answering.followup import as_follow_up
from appliance.answering.instructions import TEMPLATE
from appliance.answering.prompt import Prompt
from appliance.audit.entries import (
    AnswerClosed,
    PassagesRetrieved,
    QueryReplayed,
    QuestionReceived,
    RetrievedPassage,
    SearchState,
)
from appliance.audit.log import QueryLog
from appliance.audit.records import QueryRecord
from appliance.audit.telling import why_unreadable
from appliance.catalog import Catalog, StoredChunk
from appliance.domain import AccessFilter, AnswerKind, Hit, Principal, Turn, access_of
from appliance.errors import IndexUnavailable, ModelUnavailable, NotFound
from appliance.inference.language import question_language
from appliance.inference.port import Embedder, LanguageModel
from appliance.labels import NO_LEVEL
from appliance.replay import answering, comparing, rebuilding
from appliance.replay.outcome import Fate, Finding, Note, Outcome, Replay
from appliance.replay.state import ANSWERABLE_ABOVE, DEFAULT_LEVEL, changed_since, setting
from appliance.retrieval.retriever import Retriever
from appliance.retrieval.superseded import packed

_TOLD: dict[Fate, tuple[Finding, str]] = {
    Fate.ERASED: (Finding.DOCUMENT_ERASED, "is not stored any more: it was removed, or its text was erased."),
    Fate.CHANGED: (Finding.TEXT_CHANGED, "has another text now than was put before the model."),
    Fate.SUPERSEDED: (
        Finding.DOCUMENT_SUPERSEDED,
        "has a later version now. The one that was answered from is still stored, and no longer searched.",
    ),
    Fate.CLOSED: (Finding.DOCUMENT_CLOSED, "is closed now to the groups and levels that the person had then."),
}


@dataclass(frozen=True, slots=True)
class _Case:
    """A question on record, and what is still there of what it was answered from."""

    question: QuestionReceived
    retrieval: PassagesRetrieved
    answer: AnswerClosed
    access: AccessFilter
    stored: dict[str, StoredChunk]
    fates: dict[str, Fate]

    @property
    def language(self) -> str:
        if self.retrieval.state is not None:  # what it was taken for then, "" too
            return self.retrieval.language
        return self.retrieval.language or question_language(self.question.question)

    @property
    def follow_up(self) -> str:
        """The question as it was asked, where it was completed; else nothing."""
        return as_follow_up(self.question.question, self.retrieval.searched_for)

    @property
    def has_failed(self) -> bool:
        """Whether a model was to answer and did not: it had a prompt, or a notice tells that it did not come to one."""
        told = any(notice.endswith(notices.QUOTED_INSTEAD) for notice in self.answer.notices)
        return self.answer.kind == AnswerKind.EXTRACTIVE and (bool(self.retrieval.prompt_sha256) or told)

    @property
    def needed(self) -> list[RetrievedPassage]:
        """The passages that the answer was made from: those with a number, or the best, which are judged."""
        chosen = [it for it in self.retrieval.retrieved if it.number is not None]
        return chosen or sorted(self.retrieval.retrieved, key=lambda it: it.rank)[:BEST]

    @property
    def is_whole(self) -> bool:
        """Whether all of their texts are still there."""
        return all(rebuilding.is_there(self.fates[it.chunk_id]) for it in self.needed)


class Replayer:
    """Runs questions on record again, on record."""

    def __init__(
        self,
        *,
        log: QueryLog,
        catalog: Catalog,
        retriever: Retriever,
        embedder: Embedder,
        model: LanguageModel | None,
        state: Callable[[], SearchState],
        time_s: float,
    ) -> None:
        """Put the parts together: those that answer now. `time_s` is how long the model may write."""
        self._log = log
        self._catalog = catalog
        self._retriever = retriever
        self._embedder = embedder
        self._model = model
        self._state = state
        self._time_s = time_s

    def replay(self, query_id: str, officer: Principal, session: str = "") -> Replay:
        """What comes of a question on record today, and what is not as it was. `session` opened the log.

        Raises:
            NotFound: No such question is on record.
            CatalogUnavailable: The catalog cannot be read.
            AuditUnavailable: The log cannot be written; nothing is shown.
        """
        found = self._run(self._log.query(query_id), officer)
        names = tuple(dict.fromkeys(note.finding.value for note in found.notes))
        self._log.append(QueryReplayed(officer.id, query_id, found.outcome.value, names, session))
        return found

    def _run(self, record: QueryRecord, officer: Principal) -> Replay:
        question, retrieval, answer = record.question, record.retrieval, record.answer
        if question is None or retrieval is None or answer is None:
            why = _why_incomplete(record)
            return Replay(record.query_id, Outcome.IMPOSSIBLE, (Note(Finding.ENTRY_UNREADABLE, why, prevents=True),))
        case = self._case(question, retrieval, answer)
        notes = [*self._of_the_state(case), *_of_the_documents(case)]
        now = self._searched(case, notes)
        then = comparing.passages_then(retrieval.retrieved, case.fates, now or ())
        others = comparing.found_now(retrieval.retrieved, now or (), self._titles(now or (), officer))
        if now is not None:
            notes += comparing.search_differs(then, others)
        prompt = self._prompt(case, notes)
        made = self._made(case, prompt, notes)
        other = made if made is not None and made != answer.answer else None
        is_hidden = other is not None and not self._may_read(officer, case)
        return Replay(
            query_id=record.query_id,
            outcome=_outcome(case, made, now),
            notes=tuple(notes),
            prompt_then=retrieval.prompt_sha256,
            prompt_now=prompt.sha256 if prompt else "",
            passages=then,
            found_now=others,
            pieces=() if other is None else comparing.compared(answer.answer, other, is_hidden=is_hidden),
            is_hidden=is_hidden,
        )

    def _case(self, question: QuestionReceived, retrieval: PassagesRetrieved, answer: AnswerClosed) -> _Case:
        access = _access_then(question, retrieval.state)
        documents = {it.document_id for it in retrieval.retrieved}
        stored = self._catalog.stored_chunks(it.chunk_id for it in retrieval.retrieved)
        fates = rebuilding.fates(
            retrieval.retrieved,
            stored,
            self._catalog.versions_in_force(documents),
            self._catalog.admitted_documents(documents, access),
        )
        return _Case(question, retrieval, answer, access, stored, fates)

    def _of_the_state(self, case: _Case) -> Iterator[Note]:
        then = case.retrieval.state
        if then is not None:
            yield from changed_since(then, self._state())
        elif case.retrieval.retrieved:
            yield Note(
                Finding.RECORD_INCOMPLETE,
                "An older release wrote this entry, without the state of the index, the settings and the earlier turns "
                "in the prompt. What has changed since is known only in part.",
            )

    def _searched(self, case: _Case, notes: list[Note]) -> list[Hit] | None:
        """What is found now, for a reader as that one was then; None when nothing was searched, or cannot be."""
        if case.retrieval.state is None and not case.retrieval.retrieved:
            return None
        try:
            most = len(case.answer.citations) if case.answer.kind == AnswerKind.PASSAGES else None
            now = self._retriever.retrieve(case.retrieval.searched_for, case.access, most=most)
        except (IndexUnavailable, ModelUnavailable) as error:
            notes.append(Note(Finding.SEARCH_FAILED, f"Nothing could be searched again: {error}"))
            return None
        reranked_by = next((hit.reranked_by for hit in now if hit.reranked_by), "")
        if now and case.retrieval.retrieved and reranked_by != case.retrieval.reranker_digest:
            was, is_now = case.retrieval.reranker_digest or "none", reranked_by or "none"
            notes.append(Note(Finding.RERANKER_CHANGED, f"The reranking model was {was}; now it is {is_now}."))
        return now

    def _prompt(self, case: _Case, notes: list[Note]) -> Prompt | None:
        """The prompt that was put before the model, made again; None where there was none, or it cannot be."""
        retrieval = case.retrieval
        if not retrieval.prompt_sha256 or not case.is_whole:
            return None
        turns = rebuilding.turns(retrieval.turns, self._turn)
        if turns is None:
            why = "An earlier turn of the conversation, which was put before the model, cannot be read any more."
            notes.append(Note(Finding.TURN_ERASED, why, prevents=True))
            return None
        passages = rebuilding.numbered(retrieval.retrieved, case.stored)
        prompt = rebuilding.prompt(case.question.question, retrieval, case.language, passages, turns)
        if prompt.sha256 != retrieval.prompt_sha256:
            notes.append(_of_the_prompt(retrieval))
        return prompt

    def _turn(self, query_id: str) -> Turn | None:
        try:
            record = self._log.query(query_id)
        except NotFound:
            return None
        if record.question is None or record.answer is None:
            return None
        return Turn(record.question.question, record.answer.answer, query_id)

    def _made(self, case: _Case, prompt: Prompt | None, notes: list[Note]) -> str | None:
        """The answer made again; None when it cannot be, or when there was none."""
        answer, retrieval = case.answer, case.retrieval
        if answer.error:
            why = f"The answer ended early ({answer.error}): there is nothing whole to compare with."
            notes.append(Note(Finding.ENDED_EARLY, why, prevents=True))
        if any(note.prevents for note in notes) or answer.kind == AnswerKind.PASSAGES:
            return None
        passages = rebuilding.numbered(retrieval.retrieved, case.stored)
        if answer.kind == AnswerKind.EXTRACTIVE:
            looked_through = rebuilding.as_packed(retrieval.retrieved, case.stored)
            made = answering.quoted(
                retrieval.searched_for,
                case.follow_up,
                looked_through,
                self._embedder,
                has_failed=case.has_failed,
            )
        elif answer.kind == AnswerKind.COURTESY:
            made = reply_to(case.question.question)
        elif prompt is not None:
            made = self._written(case, prompt, notes)
        else:
            then = setting(retrieval.state, ANSWERABLE_ABOVE) or setting(self._state(), ANSWERABLE_ABOVE)
            hits = rebuilding.hits(retrieval.retrieved, case.stored)
            made = answering.judged(
                retrieval.searched_for,
                case.follow_up,
                hits,
                passages,
                answerable_above=float(then),
                language=case.language,
            )
        if isinstance(made, Note):
            notes.append(made)
            return None
        return made

    def _written(self, case: _Case, prompt: Prompt, notes: list[Note]) -> str | Note:
        other = answering.other_model(case.retrieval.model, self._model)
        if other is not None and other.prevents:
            return other
        if other is not None:
            notes.append(other)
        return answering.written(case.retrieval, prompt, self._model, language=case.language, time_s=self._time_s)

    def _titles(self, hits: Sequence[Hit], officer: Principal) -> dict[str, str]:
        """The titles of the documents that were found, by their ids, as far as the officer may see them."""
        found = {hit.chunk.document_id for hit in hits}
        return {edition.document_id: edition.title for edition in self._catalog.editions(found, officer.access)}

    def _may_read(self, officer: Principal, case: _Case) -> bool:
        """Whether an officer may read every passage that the answer was made from."""
        passages = {it.chunk_id for it in case.needed}
        return passages <= self._catalog.visible_chunks(passages, officer.access, current_only=False).keys()


def _access_then(question: QuestionReceived, state: SearchState | None) -> AccessFilter:
    """What whoever asked could read, by the groups and levels on record."""
    levels = frozenset(question.levels)
    if not levels or setting(state, DEFAULT_LEVEL) in levels:
        levels |= {NO_LEVEL}
    return access_of(frozenset(question.groups), levels)


def _of_the_documents(case: _Case) -> Iterator[Note]:
    """What became of the documents that the answer was made from; each once, for each thing that became of it."""
    told: set[tuple[str, Fate]] = set()
    for passage in case.needed:
        fate = case.fates[passage.chunk_id]
        if fate in _TOLD and (passage.document_id, fate) not in told:
            told.add((passage.document_id, fate))
            finding, words = _TOLD[fate]
            yield Note(finding, f"'{passage.title}' {words}", prevents=not rebuilding.is_there(fate))


def _of_the_prompt(retrieval: PassagesRetrieved) -> Note:
    if retrieval.prompt_template != TEMPLATE:
        words = (
            f"The prompt was worded by template '{retrieval.prompt_template}'; this release words it by '{TEMPLATE}'."
        )
        return Note(Finding.TEMPLATE_CHANGED, words, prevents=True)
    words = "The prompt made again is not the one on record, by its hash: this release packs or words it differently."
    return Note(Finding.PROMPT_DIFFERS, words, prevents=True)


def _outcome(case: _Case, made: str | None, now: Sequence[Hit] | None) -> Outcome:
    if case.answer.kind == AnswerKind.PASSAGES and not case.answer.error:
        return _of_a_search(case, now)
    if made is None:
        return Outcome.IMPOSSIBLE
    return Outcome.REPRODUCED if made == case.answer.answer else Outcome.DIFFERS


def _of_a_search(case: _Case, now: Sequence[Hit] | None) -> Outcome:
    """Whether a program that searched for a person would be handed the same passages."""
    if now is None:
        return Outcome.IMPOSSIBLE
    then = [passage.hit.chunk.id for passage in rebuilding.numbered(case.retrieval.retrieved, case.stored)]
    same = [hit.chunk.id for hit in packed(now, len(then))] == then and (bool(then) or not now)
    return Outcome.REPRODUCED if same else Outcome.DIFFERS


def _why_incomplete(record: QueryRecord) -> str:
    """Why a question cannot be run again where a part of its record is missing or cannot be read."""
    parts = (record.asked, record.searched, record.closed)
    unread = dict.fromkeys(why_unreadable(part) for part in parts if part is not None and part.entry is None)
    return " ".join(unread) or "A part of this record was never written: the question has no whole answer."
