"""`strongroom eval`: measures the answers, compares, and says by its status whether they got worse."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from appliance.cli.acting import Groups, as_operator, log_store, new_file, opened_for, require_one_spelling
from appliance.cli.terminal import ID_CHARACTERS, err, new_table, out, print_entry, printable
from appliance.config import load_settings
from appliance.errors import ApplianceError, InvalidRequest, NotFound
from appliance.wording import absent_since, cited_in, moment, not_yet_measured, questions_asked, read_as, went_otherwise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.api.schemas.evaluations import (
        ComparisonOut,
        EvaluationOut,
        EvaluationsOut,
        MetricOut,
        QuestionChangeOut,
    )
    from appliance.operator import Operator

_REGRESSION = 3  # the status of 'eval' when a metric fell too far
_LAST = "last"
_MAIN_METRICS = ("recall@10", "ndcg@10", "right_document@5", "abstention_auroc", "citation_precision")
_LISTED_CHANGES = 20


def evaluate(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A golden set, JSON lines; '-' for standard input.")
    ] = None,
    from_feedback: Annotated[
        bool, typer.Option("--from-feedback", help="Ask what people asked and found helpfully answered.")
    ] = False,
    written: Annotated[
        Path | None,
        typer.Option(
            "--write",
            help="With --from-feedback: write the set to this new file, with people's words; ask nothing.",
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why people's questions are written, in three words or more; on record.")
    ] = "",
    listed: Annotated[bool, typer.Option("--list", help="Only list the evaluations there were.")] = False,
    group: Groups = [],  # noqa: B006
    clearance: Annotated[
        str, typer.Option(help="Read up to this level; else as people of those groups are cleared.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first questions.")] = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="Let the language model answer too, and check what it cites. Slow.")
    ] = False,
    compare: Annotated[
        str,
        typer.Option(help="Compare with this evaluation: its id, its beginning, or 'last', the last that passed."),
    ] = "",
    max_drop: Annotated[
        float, typer.Option(min=0, max=1, help="How much worse a metric may get before the status is 3.")
    ] = 0.02,
    all_changes: Annotated[
        bool, typer.Option("--all-changes", help="List every question that went otherwise, not the worst alone.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure the answers with questions whose answers are known, and compare with an earlier measurement."""
    if sum((file is not None, from_feedback, listed)) != 1:
        raise InvalidRequest("Give a golden set, or --from-feedback, or --list.")
    if from_feedback and (group or clearance):
        raise InvalidRequest(
            "With --from-feedback each question is asked as whoever asked it: leave --group and --clearance out."
        )
    if written is not None:
        _write_feedback(written, reason, from_feedback=from_feedback)
        return
    more: dict[str, Any] = {"answers": answers, **({"limit": limit} if limit else {})}
    settings = load_settings()
    require_one_spelling(settings, group)
    with as_operator(settings, group) as operator:
        known = operator.evaluations()
        if listed:
            _print_evaluations(known, as_json=as_json)
            return
        before = _evaluation_id(known, compare)
        if file is None:
            run = operator.evaluate_feedback(**more)
        else:
            run = operator.evaluate(*_golden(file), group, clearance=clearance, **more)
        run = _follow_evaluation(operator, run)
        comparison = _compared(operator, run, before, max_drop)
    if as_json:
        out.print_json(_as_json(run, comparison))
    else:
        _print_evaluation(run, known.metrics)
        if comparison is not None:
            _print_comparison(comparison, all_changes=all_changes)
    if run.asked_nothing and comparison is None:
        raise ApplianceError(" ".join(run.notices))
    raise typer.Exit(_REGRESSION if comparison is not None and not comparison.passes else 0)


def _write_feedback(target: Path, reason: str, *, from_feedback: bool) -> None:
    """Write what people found helpful as a golden set. It is on record first, with the reason."""
    from appliance.audit.entries import LogExported
    from appliance.audit.log import QueryLog
    from appliance.evaluation.feedback import as_lines
    from appliance.praise import praised_of

    if not from_feedback:
        raise InvalidRequest("What is written is what people found helpful: give --from-feedback with --write.")
    settings, opened = load_settings(), opened_for(reason)
    with QueryLog(log_store(settings)) as log, praised_of(settings, log) as (found, catalog):
        what = f"{_questions(len(found.exercises))} found helpful, as a golden set, on the command line"
        log.append(opened)
        log.append(LogExported("operator", what, opened.session_id))
        lines = "".join(f"{line}\n" for line in as_lines(found.exercises, catalog))
    try:
        with new_file(target) as file:
            file.write(lines.encode("utf-8", "replace"))
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written ({error.strerror}). Name a new file.") from error
    out.print(f"Written to {escape(printable(str(target)))}: {_questions(len(found.exercises))}.")
    if found.left_out:
        err.print(f"[yellow]Some answers that were found helpful were left out: {found.left_out}.[/yellow]")
    err.print("It holds what people asked: no erasure and no term reaches it. Remove it when it is done with.")


def _golden(file: Path) -> tuple[str, bytes]:
    """The name and content of a golden set."""
    if str(file) == "-":
        return "standard input", sys.stdin.buffer.read()
    try:
        return file.name, file.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read ({error.strerror}). Name a golden set.") from error


def _evaluation_id(known: EvaluationsOut, beginning: str) -> str:
    """The id of the evaluation that is meant."""
    if beginning in ("", _LAST):
        return beginning
    found = [run.id for run in known.evaluations if run.id.startswith(beginning.lower())]
    if not found:
        raise NotFound(f"No evaluation begins with '{beginning}'. 'strongroom eval --list' shows all.")
    if len(found) > 1:
        raise InvalidRequest(f"{len(found)} evaluations begin with '{beginning}'. Give more of the id.")
    return found[0]


def _follow_evaluation(operator: Operator, run: EvaluationOut) -> EvaluationOut:
    """The evaluation when it has ended; interrupted here, it is cancelled there."""
    with Progress(TextColumn("Asking"), BarColumn(), MofNCompleteColumn(), console=err, transient=True) as bar:
        task = bar.add_task("", total=run.total)
        try:
            for now in operator.follow(run):
                bar.update(task, completed=now.done)
        except KeyboardInterrupt:
            operator.cancel_evaluation(run.id)
            raise
    if now.message:
        raise ApplianceError(now.message)
    return now


def _compared(operator: Operator, run: EvaluationOut, before: str, max_drop: float) -> ComparisonOut | None:
    """The comparison that was asked for; with 'last' none is no error: something has to be the first."""
    from appliance.operator import RemoteProblem

    if not before:
        return None
    try:
        return operator.comparison(run.id, before, max_drop)
    except RemoteProblem as problem:
        if before == _LAST and problem.code == NotFound.code:
            err.print("[yellow]There is nothing to compare with yet: this is the first such evaluation.[/yellow]")
            return None
        raise


def _as_json(run: EvaluationOut, comparison: ComparisonOut | None) -> str:
    told = {"evaluation": run.model_dump(mode="json")}
    if comparison is not None:
        told["comparison"] = comparison.model_dump(mode="json")
    return json.dumps(told)


def _print_evaluations(known: EvaluationsOut, *, as_json: bool) -> None:
    if as_json:
        out.print_json(known.model_dump_json())
        return
    if not known.evaluations:
        err.print("Nothing was measured yet. 'strongroom eval FILE' asks the questions of a golden set.")
    titles = {metric.name: metric.title for metric in known.metrics}
    for run in known.evaluations:
        asked = questions_asked(run.done - run.not_asked, run.total)
        measured = [name for name in _MAIN_METRICS if run.metrics.get(name) is not None]
        print_entry(
            f"{run.id[:ID_CHARACTERS]} {run.name}",
            f"{moment(run.started_at)}, {run.state.value}, {asked}",
            ", ".join(f"{titles[name]} {_figure(name, run.metrics[name])}" for name in measured),
        )


def _print_evaluation(run: EvaluationOut, metrics: list[MetricOut]) -> None:
    asked = questions_asked(run.done - run.not_asked, run.total)
    head = f"{run.name}: {asked}, {read_as(run.groups, run.own_groups)}, evaluation {run.id[:ID_CHARACTERS]}"
    out.print(escape(printable(head)))
    if run.asked_nothing:  # said at the end: as an error, or as the reason why a comparison does not pass
        return
    table = new_table("metric", "value", "what it says")
    for metric in metrics:
        if run.metrics.get(metric.name) is not None:
            table.add_row(metric.title, _figure(metric.name, run.metrics[metric.name]), metric.meaning)
    out.print(table)
    if cited := cited_in(run.answers, run.metrics.get("citation_precision"), run.metrics.get("written_by_model")):
        out.print(f"Citation precision is that of {cited}.")
    for notice in run.notices:
        err.print(f"[yellow]{escape(printable(notice))}[/yellow]")


def _print_comparison(found: ComparisonOut, *, all_changes: bool) -> None:
    """What changed: the verdict, the metrics, what was in force, and the questions that went otherwise."""
    before = f"{found.before.id[:ID_CHARACTERS]} of {found.before.started_at:%Y-%m-%d %H:%M}"
    out.print(f"Compared with {before}, over {_questions(found.shared)} both asked:")
    if found.before_only or found.after_only:
        err.print(
            f"[yellow]Not counted here: {_questions(found.before_only)} of the earlier one that this one did not ask, "
            f"and {found.after_only:,} that only this one asked.[/yellow]"
        )
    table = new_table("metric", "before", "after", "")
    for metric in found.metrics:
        if metric.before is not None or metric.after is not None:
            figures = (_figure(metric.name, metric.before), _figure(metric.name, metric.after))
            table.add_row(metric.title, *figures, "[red]too much worse[/red]" if metric.fails else "")
    out.print(table)
    for setting in found.settings:
        out.print(escape(printable(f"{setting.name}: {setting.before or 'none'} -> {setting.after or 'none'}")))
    out.print(went_otherwise(found.better, found.worse, found.both_ways, found.p_value))
    _print_changes(found.questions, found.questions if all_changes else found.questions[:_LISTED_CHANGES])
    _print_reasons(found)


def _print_changes(changed: Sequence[QuestionChangeOut], listed: Sequence[QuestionChangeOut]) -> None:
    """The questions that went otherwise, the worst first: those that are `listed`, and how many more there are."""
    changes = new_table("question", "what", "before", "after", "")
    for change in listed:
        figures = (f"{change.before:.2f}", f"{change.after:.2f}")
        changes.add_row(escape(change.question_id), change.what, *figures, escape(printable(change.question)))
    if listed:
        out.print(changes)
    if more := len(changed) - len(listed):
        err.print(
            f"[yellow]{more:,} more {'change is' if more == 1 else 'changes are'} not listed here. "
            "Administration > Evaluation lists all of them, and so does this command with --all-changes.[/yellow]"
        )


def _print_reasons(found: ComparisonOut) -> None:
    """Why the comparison does not pass, if it does not."""
    if found.not_yet:
        err.print(f"[red]{not_yet_measured(found.not_yet)}[/red]")
    if found.absent:
        err.print(f"[red]{escape(printable(absent_since(found.absent, found.absent_named)))}[/red]")
    if any(metric.fails for metric in found.metrics):
        err.print(f"[red]A metric got worse by more than {found.max_drop:g}.[/red]")


def _questions(number: int) -> str:
    return f"{number:,} {'question' if number == 1 else 'questions'}"


def _figure(name: str, value: float | None) -> str:
    """A metric for people: shares to three digits, milliseconds whole; a dash where there was nothing to measure."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,.0f} ms" if "_ms_" in name else f"{value:.3f}"
