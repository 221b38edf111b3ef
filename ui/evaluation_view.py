"""How evaluations look: charts and tables, made of escaped words and of numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from appliance.api.schemas.evaluations import (
    ComparisonOut,
    EvaluationOut,
    EvaluationState,
    FoundPlaceOut,
    MetricChangeOut,
    MetricOut,
    QuestionChangeOut,
    QuestionResultOut,
    ThresholdOut,
)
from appliance.wording import absent_since, cited_in, not_yet_measured, questions_asked, read_as, went_otherwise
from ui import pieces
from ui.inert import Html, one_line, text

_CITED = "citation_precision"
MAIN = ("recall@10", "ndcg@10", "right_document@5", "abstention_auroc", _CITED)
"""The metrics of the charts and of the history."""

STATES: Mapping[EvaluationState, tuple[str, pieces.Tone]] = {
    EvaluationState.RUNNING: ("running", "quiet"),
    EvaluationState.FINISHED: ("finished", "good"),
    EvaluationState.FAILED: ("not finished", "bad"),
}
_BARS = 24
_SHOWN_PLACES = 3
_SAME = 0.0005  # less is not seen
_DASH = "\N{EN DASH}"


def named(run: EvaluationOut) -> str:
    """An evaluation in a list of choices."""
    return pieces.dotted(pieces.moment(run.started_at), one_line(run.name, 60), run.id[:8])


def figure(name: str, value: float | None) -> str:
    """A metric for people."""
    if value is None:
        return _DASH
    return f"{value:,.0f} ms" if "_ms_" in name else f"{value:.3f}"


def charts(runs: Sequence[EvaluationOut], metrics: Iterable[MetricOut]) -> Html:
    """A chart for each main metric over the runs, oldest first."""
    titles = {metric.name: metric.title for metric in metrics}
    drawn = (_chart(name, titles.get(name, name), runs[-_BARS:]) for name in MAIN)
    return Html(f'<div class="sr-charts">{"".join(drawn)}</div>')


def _chart(name: str, title: str, runs: Sequence[EvaluationOut]) -> str:
    alike = [run for run in runs if name != _CITED or run.answers == runs[-1].answers]  # quoted, or as people get them
    known = [(run, value) for run in alike if (value := run.metrics.get(name)) is not None]
    if not known:
        return ""
    told = (
        f"{title} over {pieces.count(len(known), 'evaluation')}: {', '.join(figure(name, value) for _, value in known)}"
    )
    bars = "".join(
        f'<i style="height: {100 * min(1.0, max(0.0, value)):.1f}%"'
        f' title="{text(pieces.dotted(figure(name, value), pieces.moment(run.started_at)))}"></i>'
        for run, value in known
    )
    return (
        f'<figure class="sr-chart" role="img" aria-label="{text(told)}">'
        f"<figcaption>{text(title)} <b>{text(figure(name, known[-1][1]))}</b></figcaption>"
        f'<div class="sr-bars">{bars}</div></figure>'
    )


def history(runs: Iterable[EvaluationOut], metrics: Iterable[MetricOut]) -> Html:
    """The evaluations there were."""
    titles = {metric.name: metric.title for metric in metrics}
    columns = ("Evaluation", "Golden set", *(titles.get(name, name) for name in MAIN))
    return pieces.table(columns, [_history_row(run) for run in runs])


def _history_row(run: EvaluationOut) -> tuple[Html, ...]:
    state = pieces.badge(*STATES[run.state]) if run.state is not EvaluationState.FINISHED else Html("")
    began = Html(f"{text(pieces.moment(run.started_at))}<br><small>{text(run.id[:8])}</small> {state}")
    if run.hidden:
        return (began, Html(f"<small>{text(told_of_hidden(run))}</small>"))
    told = run.message or pieces.dotted(asked(run), read_as(run.groups, run.own_groups), _cited_in(run))
    lines = [text(run.name), f"<small>{text(told)}</small>"]
    what = Html("<br>".join([*lines, *([pieces.badge("measured nothing", "bad")] if run.asked_nothing else [])]))
    return (began, what, *(pieces.unbroken(figure(name, run.metrics.get(name))) for name in MAIN))


def asked(run: EvaluationOut) -> str:
    """How many questions an evaluation asked by now, of those that its golden set has."""
    return questions_asked(run.done - run.not_asked, run.total)


def _cited_in(run: EvaluationOut) -> str:
    """In which answers the citations were measured, if they were."""
    found = cited_in(run.answers, run.metrics.get(_CITED), run.metrics.get("written_by_model"))
    return f"citations of {found}" if found else "with answers" if run.answers else ""


def told_of_hidden(run: EvaluationOut) -> str:
    """What may be said of an evaluation that is not for whoever looks."""
    by = run.started_by or "somebody who is gone"
    return f"By {by}. Not for your groups: it was read with groups or levels that you do not have."


def meanings(metrics: Iterable[MetricOut]) -> Html:
    """What every metric says."""
    rows = [(text(metric.title), text(metric.meaning), text(_direction(metric))) for metric in metrics]
    return pieces.table(("Metric", "What it says", "Better"), rows)


def _direction(metric: MetricOut) -> str:
    better = "higher" if metric.higher_is_better else "lower"
    return better if metric.gated else f"{better}; not part of the gate"


def figures(run: EvaluationOut, metrics: Iterable[MetricOut]) -> Html:
    """Every figure of one evaluation."""
    known = [(metric, value) for metric in metrics if (value := run.metrics.get(metric.name)) is not None]
    return pieces.fields((metric.title, pieces.unbroken(figure(metric.name, value))) for metric, value in known)


def notices(run: EvaluationOut) -> list[Html]:
    """Which questions of an evaluation do not count, and why."""
    tone: pieces.Tone = "bad" if run.asked_nothing else "warn"
    return [pieces.notice(one_line(words, 2000), tone) for words in run.notices]


def thresholds(found: Sequence[ThresholdOut]) -> Html:
    """What another threshold would do with the questions of an evaluation."""
    columns = ("Answered from", "Turned away, of those the documents answer", "Caught, of those they do not")
    return pieces.table(columns, [_threshold_row(item) for item in found])


def _threshold_row(item: ThresholdOut) -> tuple[Html, ...]:
    mark = f" {pieces.badge('in force', 'good')}" if item.is_in_force else ""
    return (
        Html(f"{pieces.unbroken(f'{item.answerable_above:.2f}')}{mark}"),
        pieces.unbroken(_share(item.turned_away, item.answerable)),
        pieces.unbroken(_share(item.caught, item.unanswerable)),
    )


def _share(some: int, of: int) -> str:
    return f"{some:,} of {of:,} ({some / of:.0%})" if of else _DASH


def in_force(run: EvaluationOut) -> Html:
    """What was in force during an evaluation."""
    return pieces.fields((name, text(value)) for name, value in sorted(run.settings.items()))


def questions(results: Iterable[QuestionResultOut]) -> Html:
    """How questions went: where the evidence stood, and what stood at the first places."""
    columns = ("Question", "First evidence", "nDCG@10", "Answered", "First places")
    return pieces.table(columns, [_question_row(result) for result in results])


def _question_row(result: QuestionResultOut) -> tuple[Html, ...]:
    said = f"{text(result.question)}<br>" if result.question else ""
    not_asked = result.absent or result.closed
    rank = (
        "no answer to find"
        if not result.answerable
        else f"names what is not in the appliance: {', '.join(map(_where, result.places))}"
        if result.absent
        else f"closed to the groups it is asked with: {', '.join(map(_where, result.places))}"
        if result.closed
        else f"place {result.first_rank}"
        if result.first_rank
        else "not found"
    )
    cited = "" if result.citations is None else f"{result.right_citations} of {result.citations} citations right"
    answered = (
        "not asked" if not_asked else "refused: too long?" if result.failed else "no" if result.abstained else "yes"
    )
    found = () if not_asked else result.places[:_SHOWN_PLACES]
    right = not result.failed and not not_asked and result.abstained is not result.answerable
    tone: pieces.Tone = "good" if right else "warn"
    return (
        Html(f"{said}<small>{text(result.question_id)}</small>"),
        text(rank),
        pieces.unbroken(_DASH if result.ndcg is None else f"{result.ndcg:.2f}"),
        Html(f"{pieces.badge(answered, tone)}<br><small>{text(cited)}</small>"),
        Html("<br>".join(map(_place, found))),
    )


def _place(place: FoundPlaceOut) -> str:
    where = text(_where(place))
    return f"<strong>{where}</strong>" if place.relevant else f"<small>{where}</small>"


def _where(place: FoundPlaceOut) -> str:
    return pieces.dotted(place.path, f"page {place.page}" if place.page is not None else "")


def verdict(found: ComparisonOut) -> Html:
    """Whether the later evaluation may stand."""
    went = went_otherwise(found.better, found.worse, found.both_ways, found.p_value)
    changed = f"Over {pieces.count(found.shared, 'question')} that both asked, {went}"
    if found.before_only or found.after_only:
        changed += f" {found.before_only:,} questions of the earlier one were not asked, {found.after_only:,} are new."
    if found.passes:
        return pieces.notice(f"No metric got worse by more than {found.max_drop:g}. {changed}", "good")
    return pieces.notice(" ".join([*_reasons(found), changed]), "bad")


def _reasons(found: ComparisonOut) -> Iterator[str]:
    """Why a comparison does not pass."""
    if found.not_yet:
        yield not_yet_measured(found.not_yet)
    if found.absent:
        yield one_line(absent_since(found.absent, found.absent_named), 3000)
    if failing := ", ".join(metric.title for metric in found.metrics if metric.fails):
        yield f"Worse by more than {found.max_drop:g}: {failing}."


def changes(metrics: Iterable[MetricChangeOut]) -> Html:
    """The metrics side by side."""
    known = [metric for metric in metrics if metric.before is not None or metric.after is not None]
    return pieces.table(("Metric", "Before", "After", "Change"), [_change_row(metric) for metric in known])


def _change_row(metric: MetricChangeOut) -> tuple[Html, ...]:
    change, sides = Html(""), (metric.before, metric.after)
    if metric.before is not None and metric.after is not None:
        difference = metric.after - metric.before
        if abs(difference) < _SAME:
            return (text(metric.title), *(pieces.unbroken(figure(metric.name, value)) for value in sides), text("same"))
        words = f"{difference:+,.0f} ms" if "_ms_" in metric.name else f"{difference:+.3f}"
        gain = difference if metric.higher_is_better else -difference
        change = pieces.badge(words, "bad" if metric.fails else "good" if gain > 0 else "quiet")
    return (text(metric.title), *(pieces.unbroken(figure(metric.name, value)) for value in sides), change)


def settings_changed(found: ComparisonOut) -> Html:
    """What was in force in one and not in the other."""
    rows = [(text(item.name), text(item.before or "none"), text(item.after or "none")) for item in found.settings]
    if not rows:
        return pieces.line("The same settings were in force in both.")
    return pieces.table(("What differs", "Before", "After"), rows)


def question_changes(found: Iterable[QuestionChangeOut]) -> Html:
    """The questions that went otherwise."""
    rows = []
    for item in found:
        said = f"{text(item.question)}<br>" if item.question else ""
        tone: pieces.Tone = "good" if item.after > item.before else "bad"
        rows.append(
            (
                Html(f"{said}<small>{text(item.question_id)}</small>"),
                text(item.what),
                pieces.unbroken(f"{item.before:.2f}"),
                pieces.unbroken(f"{item.after:.2f}"),
                pieces.badge(f"{item.after - item.before:+.2f}", tone),
            )
        )
    return pieces.table(("Question", "What changed", "Before", "After", "Change"), rows)
