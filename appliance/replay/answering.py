"""Makes the answer on record again, in the way in which it was made: by the model, by quotation, or by judgement.

Each way either gives a text or a `Note` that says why it cannot be gone any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from appliance.answering import notices
from appliance.answering.abstention import answerability
from appliance.answering.citations import MarkerGate
from appliance.answering.extract import for_others, is_quotable, laid_out, quotations
from appliance.answering.prompt import Prompt
from appliance.answering.writing import Writing
from appliance.audit.entries import ModelUsed, PassagesRetrieved
from appliance.domain import Citation, Hit
from appliance.errors import ModelUnavailable
from appliance.inference.port import Embedder, Generation, LanguageModel
from appliance.replay.outcome import Finding, Note


def written(
    retrieval: PassagesRetrieved, prompt: Prompt, model: LanguageModel | None, *, language: str, time_s: float
) -> str | Note:
    """What the model writes when it is asked the same again, as a reader would be shown it."""
    parameters = retrieval.parameters
    if model is None or parameters is None:
        return Note(Finding.MODEL_MISSING, _missing(retrieval.model, "no model is set up now"), prevents=True)
    generation = Generation(
        context_tokens=parameters.context_tokens,
        max_tokens=parameters.max_tokens,
        temperature=parameters.temperature or 0.0,
        seed=parameters.seed or 0,
        time_s=time_s,
    )
    try:
        with closing(Writing(model.stream(prompt.messages, generation), prompt.passages)) as writing:
            text = "".join(writing).strip()
    except ModelUnavailable as error:
        return Note(Finding.MODEL_MISSING, _missing(retrieval.model, str(error)), prevents=True)
    return notices.not_said(language) if writing.says_no else text


def other_model(then: ModelUsed, model: LanguageModel | None) -> Note | None:
    """What is to be said of the model that would be asked; None when it is the very same."""
    if model is None:
        return Note(Finding.MODEL_MISSING, _missing(then, "no model is set up now"), prevents=True)
    try:
        card = model.card()
    except ModelUnavailable as error:
        return Note(Finding.MODEL_MISSING, _missing(then, str(error)), prevents=True)
    if (card.provider, card.name, card.digest) == (then.provider, then.name, then.digest):
        if then.digest:
            return None
        return Note(Finding.MODEL_UNPROVEN, f"Whether {then.name} has the same weights as then, its server cannot say.")
    if then.digest and card.digest == then.digest:
        return None  # the same weights under another name
    now = f"{card.name} ({card.digest or 'without digest'})"
    return Note(Finding.MODEL_CHANGED, f"{_named(then)} wrote the answer. Set up now is {now}.", prevents=True)


def quoted(
    searched_for: str, follow_up: str, passages: Sequence[Citation], embedder: Embedder, *, has_failed: bool
) -> str | Note:
    """The quotation of the passages, as a reader would be shown it; `has_failed` says that a model was to answer."""
    made = [] if has_failed else for_others(searched_for, follow_up, passages)
    try:
        text = laid_out(made or quotations(searched_for, passages, embedder, follow_up=follow_up)).text
    except ModelUnavailable as error:
        return Note(Finding.EMBEDDING_CHANGED, f"The embedding model is not there. {error}", prevents=True)
    gate = MarkerGate(passages)
    return gate.feed(text) + gate.finish()


def judged(
    searched_for: str,
    follow_up: str,
    hits: Sequence[Hit],
    passages: Sequence[Citation],
    *,
    answerable_above: float,
    language: str,
) -> str:
    """That the documents do not say, where that is what is judged again; else nothing, for nothing was written.

    `passages` are those that would have been quoted, none where it did not come to that.
    """
    is_enough = bool(hits) and answerability(searched_for, hits) >= answerable_above
    is_quoted = not passages or is_quotable(searched_for, follow_up, passages)
    return "" if is_enough and is_quoted else notices.not_said(language)


def _missing(then: ModelUsed, why: str) -> str:
    return f"{_named(then)} wrote the answer and cannot be asked: {why}"


def _named(then: ModelUsed) -> str:
    parts = " ".join(part for part in (then.name, then.quantisation) if part) or "A model"
    return f"{parts} ({then.digest or 'without digest'})"
