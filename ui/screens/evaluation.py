"""Evaluation: run a golden set, watch how the answers do over time, and see what a change made better or worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from appliance.api.schemas.evaluations import (
    EvaluationDetail,
    EvaluationOut,
    EvaluationsOut,
    EvaluationState,
    QuestionChangeOut,
)
from appliance.api.schemas.people import Me
from appliance.domain import EVERYONE
from appliance.wording import of_threshold
from ui import evaluation_view, pieces
from ui.client import Client
from ui.inert import Html, one_line, text

_POLL_S = 1.0
_LISTED = 10
_QUESTIONS = 20
_BEGUN = "strongroom_evaluations_begun"
_SORTS: dict[str, Callable[[QuestionChangeOut], tuple[float | str, str]]] = {
    "Worst first": lambda change: (change.after - change.before, change.question_id),
    "Best first": lambda change: (change.before - change.after, change.question_id),
    "By question": lambda change: (change.question_id, change.what),
}


def page(client: Client, me: Me) -> None:
    """Show what is running, the history, one evaluation, and what it changed."""
    known = client.evaluations()
    running = next((run for run in known.evaluations if run.state is EvaluationState.RUNNING), None)
    begun = st.session_state.get(_BEGUN, 0)
    # under another key once one is begun: so it is folded again, and how far that is stands right below
    start = st.expander("Start an evaluation", expanded=not known.evaluations, key=f"evaluate-{begun}")
    with start, pieces.problems_shown():
        _start(client, me)
    looked_at = None
    if not known.evaluations:
        pieces.show(pieces.notice("Nothing was measured yet. Bring a golden set: questions whose answers are known."))
    else:
        if running is not None:
            st.fragment(_follow, run_every=_POLL_S)(client, running.id)
        else:
            _show_history(known)
        with pieces.problems_shown():
            looked_at = _show_one(client, known)
    with st.expander("What the metrics mean"):
        pieces.show(evaluation_view.meanings(known.metrics))
    with st.expander("From which score on a question is answered"):
        _explain_threshold(known.answerable_above)
        if looked_at is not None and looked_at.thresholds:
            _show_other_thresholds(looked_at)


# running


def _follow(client: Client, run_id: str) -> None:
    """Draw a running evaluation and the history again and again until it ends; then the whole page once."""
    with pieces.problems_shown():
        known = client.evaluations()
        run = next((run for run in known.evaluations if run.id == run_id), None)
        if run is None or run.state is not EvaluationState.RUNNING:
            st.rerun(scope="app")
        if run.hidden:
            pieces.show(pieces.line(f"{one_line(evaluation_view.told_of_hidden(run))} It is running."))
        else:
            st.progress(run.done / max(1, run.total), text=evaluation_view.asked(run))
            pieces.show(pieces.line(f"{one_line(run.name)}. Questions that people ask come first."))
        if st.button("Cancel the evaluation", key=f"cancel-{run.id}"):
            client.cancel_evaluation(run.id)
            pieces.say_after_rerun("The evaluation ends.", "warn")
            st.rerun(scope="app")
        _show_history(known)


def _start(client: Client, me: Me) -> None:
    with st.form("evaluate", clear_on_submit=True, border=False):
        file = st.file_uploader("Golden set (JSON lines)", type=["jsonl", "json", "txt"], key="golden")
        own = sorted(set(me.groups) - {EVERYONE})
        groups = _choose_groups(own)
        answers = st.checkbox("Answer too, and check the citations (slow with a language model)", key="golden-answers")
        limit = st.number_input("Ask only the first (0: all)", min_value=0, value=0, step=10, key="golden-limit")
        with st.container(horizontal=True, gap="small"):
            given = st.form_submit_button("Run the golden set", type="primary")
            praised = st.form_submit_button("Run what people found helpful")
        pieces.show(
            pieces.line(
                "What people found helpful is asked as the people who asked it, with the groups they have now. You see "
                "figures, not their questions."
            )
        )
    if given and file is None:
        pieces.show(pieces.notice("Choose the file with the golden set first.", "warn"))
    elif given and file is not None:
        client.evaluate(file.name, file.getvalue(), groups, limit=limit or None, answers=answers)
        _begun()
    elif praised:
        client.evaluate_feedback(limit=limit or None, answers=answers)
        _begun()


def _begun() -> None:
    st.session_state[_BEGUN] = st.session_state.get(_BEGUN, 0) + 1
    st.rerun()


def _choose_groups(own: Sequence[str]) -> list[str]:
    if not own:
        pieces.show(pieces.line("Read as everyone: you are in no group of your own."))
        return []
    return st.multiselect(
        "Read with these groups of yours, besides everyone",
        own,
        key="golden-groups",
        help="A question that names groups of its own is asked with those, if they are yours too.",
    )


def _explain_threshold(answerable_above: float) -> None:
    """What the threshold means that stands in force, and how another is chosen and set."""
    pieces.show(pieces.line(of_threshold(answerable_above)))
    pieces.show(
        pieces.line(
            "To choose one, run a golden set of your own in which some questions are not answered by the documents "
            '("answerable": false). Below stands, for the evaluation that is shown and while it is compared with no '
            "other, how many questions of either kind other thresholds would turn away. To set it, write "
            "answerable_above under [retrieval] in strongroom.toml, start the appliance again, and compare a new run "
            "with the one before."
        )
    )


def _show_other_thresholds(detail: EvaluationDetail) -> None:
    pieces.show(_small_head("What another threshold would do"))
    pieces.show(
        pieces.line(
            f"With the questions of {evaluation_view.named(detail)}, by their scores alone. A name that stands "
            "in no passage, or a language model that finds no answer, turns away besides."
        )
    )
    pieces.show(evaluation_view.thresholds(detail.thresholds))


# the history


def _show_history(known: EvaluationsOut) -> None:
    shown = [run for run in known.evaluations if not run.hidden]
    same = _like(shown, shown[0]) if shown else []
    whole = [run for run in same if run.state is EvaluationState.FINISHED]
    if len(whole) > 1:
        pieces.show(_small_head(f"The last {len(whole):,} of {one_line(whole[0].name)}"))
        pieces.show(evaluation_view.charts(list(reversed(whole)), known.metrics))
    pieces.show(_small_head("History"))
    offset = pieces.offset("evaluations-page", _LISTED)
    pieces.show(evaluation_view.history(known.evaluations[offset : offset + _LISTED], known.metrics))
    pieces.pager("evaluations-page", len(known.evaluations), _LISTED)


def _like(runs: Sequence[EvaluationOut], run: EvaluationOut) -> list[EvaluationOut]:
    """The runs of the same golden set."""
    return [
        other
        for other in runs
        if (other.set_sha256, other.name) == (run.set_sha256, run.name) or _both_of_people(other, run)
    ]


def _both_of_people(one: EvaluationOut, other: EvaluationOut) -> bool:
    return one.from_feedback and other.from_feedback


# one evaluation


def _show_one(client: Client, known: EvaluationsOut) -> EvaluationDetail | None:
    """Show the one that is chosen, and give it back; None where there is none, or two are compared."""
    finished = (run for run in known.evaluations if run.state is EvaluationState.FINISHED)
    whole = {run.id: run for run in finished if not run.hidden}
    if not whole:
        return None
    pieces.show(_small_head("One evaluation"))
    left, right = st.columns(2)
    newest = next(iter(whole))
    chosen = left.selectbox(
        "Evaluation",
        list(whole),
        format_func=lambda key: evaluation_view.named(whole[key]),
        key=f"evaluation-{newest}",  # a new run is looked at when it has ended
    )
    run = whole[chosen]
    others = {other.id: other for other in whole.values() if other.id != chosen}
    before = right.selectbox(
        "Compare with",
        ["", *_likely_first(list(others.values()), run)],
        format_func=lambda key: evaluation_view.named(others[key]) if key else "Nothing",
        key=f"before-{chosen}",
    )
    if before:
        _show_comparison(client, chosen, before)
        return None
    _show_notices(run)
    detail = client.evaluation(chosen, _QUESTIONS, pieces.offset(f"questions-{chosen}", _QUESTIONS))
    with st.expander("Figures and what was in force"):
        pieces.show(evaluation_view.figures(run, known.metrics))
        pieces.show(evaluation_view.in_force(run))
        if st.button("Remove this evaluation", key=f"remove-{chosen}", type="tertiary"):
            client.remove_evaluation(chosen)
            pieces.say_after_rerun("The evaluation and its questions are removed. The query log keeps its record.")
            st.rerun()
    last = "; at the end those that were not asked" if run.not_asked else ""
    pieces.show(_small_head(f"Questions, those that went worst first{last}"))
    pieces.show(evaluation_view.questions(detail.questions))
    pieces.pager(f"questions-{chosen}", detail.question_count, _QUESTIONS)
    return detail


def _likely_first(others: Sequence[EvaluationOut], run: EvaluationOut) -> list[str]:
    """What to compare with: earlier runs of the same set before anything else."""
    like = {other.id for other in _like(others, run) if other.started_at < run.started_at}
    return [other.id for other in sorted(others, key=lambda other: other.id not in like)]


def _show_comparison(client: Client, after: str, before: str) -> None:
    left, right = st.columns(2)
    max_drop = left.number_input(
        "A metric may get worse by", min_value=0.0, max_value=1.0, value=0.02, step=0.01, key="max-drop"
    )
    order = right.selectbox("Sort the questions", list(_SORTS), key="change-order")
    found = client.compare_evaluations(after, before, max_drop)
    pieces.show(evaluation_view.verdict(found))
    _show_notices(found.after)
    pieces.show(evaluation_view.changes(found.metrics))
    pieces.show(evaluation_view.settings_changed(found))
    if not found.questions:
        pieces.show(pieces.line("No question went otherwise."))
        return
    listed = sorted(found.questions, key=_SORTS[order])
    place = f"changes-{after}-{before}"
    offset = pieces.offset(place, _QUESTIONS)
    pieces.show(_small_head("Questions that went otherwise"))
    pieces.show(evaluation_view.question_changes(listed[offset : offset + _QUESTIONS]))
    pieces.pager(place, len(listed), _QUESTIONS)


def _show_notices(run: EvaluationOut) -> None:
    for notice in evaluation_view.notices(run):
        pieces.show(notice)


def _small_head(words: str) -> Html:
    return Html(f'<h2 class="sr-small-head">{text(words)}</h2>')
