"""`strongroom ...`: parse, call, print. Errors are one sentence with the remedy, never a traceback."""

from __future__ import annotations

from appliance.config import go_offline

go_offline()  # before anything below imports a vendor

import contextlib  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from datetime import timedelta  # noqa: E402
from enum import StrEnum  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Annotated, Any  # noqa: E402

import typer  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.markup import escape  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: E402
from rich.table import Table  # noqa: E402

from appliance.api.schemas import Reread  # noqa: E402
from appliance.config import Settings, load_settings  # noqa: E402
from appliance.domain import EVERYONE, TROUBLED, DocumentState, Role  # noqa: E402
from appliance.errors import ApplianceError, AuditBroken, InvalidRequest, NotFound  # noqa: E402
from appliance.wording import STATES, action, actions, outcomes, standing  # noqa: E402

if TYPE_CHECKING:
    from appliance.api.schemas import (
        AnswerOut,
        ComparisonOut,
        EvaluationOut,
        EvaluationsOut,
        MetricOut,
        ModelChangeOut,
        PreviewOut,
        RunOut,
        SourceOut,
    )
    from appliance.audit.entries import Entry
    from appliance.auth.accounts import Accounts
    from appliance.auth.sessions import IssuedToken, Sessions
    from appliance.operator import Operator

# Commands import what they need: `strongroom log verify` must not wait for a web framework to load.

app = typer.Typer(
    help="Strongroom: answers from your own documents, with proof, in your own room.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
log_app = typer.Typer(help="The query log: verify, show, export.", no_args_is_help=True)
user_app = typer.Typer(help="Accounts: add, list, change.", no_args_is_help=True)
app.add_typer(log_app, name="log")
app.add_typer(user_app, name="user")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Groups = Annotated[list[str], typer.Option("--group", "-g", help="A group; may be given several times.")]


class ReportFormat(StrEnum):
    """How a report is written."""

    CSV = "csv"
    JSON = "json"


DEMO_ACCOUNTS: tuple[tuple[str, tuple[Role, ...], tuple[str, ...]], ...] = (
    ("employee", (Role.EMPLOYEE,), ("hr",)),
    ("admin", (Role.EMPLOYEE, Role.ADMIN), ()),
    ("compliance", (Role.COMPLIANCE,), ()),
)
SAMPLES = "Samples"
"""The name of the source that `init` makes."""

_RUN_ID_CHARACTERS = 8
_REGRESSION = 3  # the status of 'eval' when a metric fell too far
_LAST = "last"
_MAIN_METRICS = ("recall@10", "ndcg@10", "right_document@5", "abstention_auroc", "citation_precision")
_LISTED_CHANGES = 20
_TOKEN_ID_CHARACTERS = 12  # shown of a token's id; any beginning that only one token has is taken


def main() -> None:
    """The entry point."""
    os.umask(0o077)  # what a command writes, here or in the data folder, is its owner's alone
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except ApplianceError as error:
        err.print(f"[red]Error:[/red] {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        err.print(
            f"[red]Error:[/red] something unexpected happened ({type(error).__name__}). "
            "Run 'strongroom doctor', and report it with the command you gave."
        )
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        sys.exit(70)


@app.command()
def serve() -> None:
    """Serve the screens and the API until stopped."""
    from appliance.server import serve as serve_appliance

    def ready(address: str) -> None:
        out.print(f"Strongroom is ready at [bold]{address}[/bold]   (stop it with Ctrl+C)")

    serve_appliance(load_settings(), on_ready=ready)


@app.command()
def init(
    samples: Annotated[Path | None, typer.Option(help="A folder of sample documents to take in.")] = None,
) -> None:
    """Make the data folder and one account per role, and take the samples in. Changes nothing that is there already."""
    settings = load_settings()
    made = _make_demo_accounts(settings)
    if made:
        # before the samples: nothing that happens to them may cost the passwords
        out.print(_demo_accounts_table(made))
    if samples is not None and not _are_taken_in(settings, samples):
        with _operator(settings) as operator:
            ok = _ingest(operator, samples, name=SAMPLES, groups=[EVERYONE])
        raise typer.Exit(0 if ok else 1)
    if not made:
        out.print(f"{settings.data_dir} is set up already; nothing was changed.")


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="The folder to take in; given again, it is synced.")],
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="Who sees it; else everyone.")] = None,
    name: Annotated[str, typer.Option(help="What to call it; the folder's name if not given.")] = "",
    include: Annotated[list[str] | None, typer.Option(help="Take in only what matches, as '**/*.pdf'.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out what matches, as 'drafts/**'.")] = None,
    language: Annotated[str, typer.Option(help="Two letters; overrides what is detected.")] = "",
    curated: Annotated[bool, typer.Option("--curated", help="Nothing is found before a curator approved it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    reread: Annotated[
        Reread, typer.Option(help="Read files although they did not change: those in trouble, or everything.")
    ] = Reread.NOTHING,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="Whatever is missing from the folder may be removed.")
    ] = False,
) -> None:
    """Take a folder of documents in, or bring one up to date."""
    more = {"include": include, "exclude": exclude, "language": language, "curated": curated}
    given: dict[str, Any] = {key: value for key, value in more.items() if value}
    path = folder.expanduser().resolve()
    with _operator(load_settings()) as operator:
        source = _source_at(operator, path)
        if source is not None:
            _refuse_other_settings(source, name=name, groups=group, **given)
        wanted = (name or path.name or "root", str(path), group or [EVERYONE])
        if dry_run:
            _print_preview(operator.preview(source.id, reread) if source else operator.preview_new(*wanted, **given))
            return
        if source is None and (include or exclude):
            _require_some_file(operator.preview_new(*wanted, **given), path)
        source = source or operator.add_source(*wanted, **given)
        ok = _sync(operator, source, again=reread, missing_ok=missing_ok)
    raise typer.Exit(0 if ok else 1)


@app.command()
def report(
    run: Annotated[
        str,
        typer.Argument(metavar="[RUN]", help="The run's id, or its beginning, as 'status' shows it."),
    ] = "",
    kind: Annotated[ReportFormat, typer.Option("--format", help="For a spreadsheet, or for a program.")] = (
        ReportFormat.CSV
    ),
) -> None:
    """Print what a sync did with each file, and why."""
    with _operator(load_settings()) as operator:
        found = [item for item in operator.runs() if item.id.startswith(run.lower())]
        if not found:
            raise NotFound(f"No run begins with '{run}'. 'strongroom status' shows the latest of each source.")
        if run and len(found) > 1:
            raise InvalidRequest(f"{len(found)} runs begin with '{run}'. Give more of the id.")
        for piece in operator.report(found[0].id, kind.value):
            sys.stdout.write(piece)


@app.command()
def reconcile(
    check: Annotated[bool, typer.Option("--check", help="Only compare; the status is 1 when they differ.")] = False,
) -> None:
    """Compare the index with the catalog, which is the truth, and repair the index."""
    with _operator(load_settings()) as operator:
        found = operator.difference() if check else operator.reconcile()
    if not found.surplus and not found.incomplete:
        out.print("The index agrees with the catalog.")
        return
    what = f"{found.incomplete} documents were incomplete in the index, {found.surplus} in it should not be there"
    out.print(f"{what}: repaired." if found.repaired else f"{what}. Repair it with: strongroom reconcile")
    raise typer.Exit(0 if found.repaired else 1)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    group: Groups = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print the finished answer as JSON.")] = False,
) -> None:
    """Ask the documents everybody may see, and those of the groups you name. The question goes on record."""
    from appliance.api.schemas import AnswerOut, StartedOut, TokenOut

    shown, settings = "", load_settings()
    _require_one_spelling(settings, group)
    with _operator(settings, group) as operator:
        for event in operator.ask(question):
            if isinstance(event, StartedOut) and event.searched_for != question:
                err.print(f"[dim]Searched for: {escape(event.searched_for)}[/dim]")
            elif isinstance(event, TokenOut) and not as_json:
                shown += event.text
                out.print(escape(_printable(event.text)), end="")
            elif isinstance(event, AnswerOut):
                if as_json:
                    out.print_json(event.model_dump_json())
                else:
                    _print_answer(event, shown)


@app.command("eval")
def evaluate(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A golden set, JSON lines; '-' for standard input.")
    ] = None,
    from_feedback: Annotated[
        bool, typer.Option("--from-feedback", help="Ask what people asked and found helpfully answered.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Only list the evaluations there were.")] = False,
    group: Groups = [],  # noqa: B006
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first questions.")] = None,
    answers: Annotated[bool, typer.Option("--answers", help="Answer too, and check what is cited. Slow.")] = False,
    compare: Annotated[
        str, typer.Option(help="Compare with this evaluation: its id or its beginning, or 'last'.")
    ] = "",
    max_drop: Annotated[
        float, typer.Option(min=0, max=1, help="How much worse a metric may get before the status is 3.")
    ] = 0.02,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure the answers with questions whose answers are known, and compare with an earlier measurement."""
    if sum((file is not None, from_feedback, listed)) != 1:
        raise InvalidRequest("Give a golden set, or --from-feedback, or --list.")
    if from_feedback and group:
        raise InvalidRequest("With --from-feedback each question is asked as whoever asked it: leave --group out.")
    more: dict[str, Any] = {"answers": answers, **({"limit": limit} if limit else {})}
    settings = load_settings()
    _require_one_spelling(settings, group)
    with _operator(settings, group) as operator:
        known = operator.evaluations()
        if listed:
            _print_evaluations(known, as_json=as_json)
            return
        before = _evaluation_id(known, compare)
        run = operator.evaluate_feedback(**more) if file is None else operator.evaluate(*_golden(file), group, **more)
        run = _follow_evaluation(operator, run)
        comparison = _compared(operator, run, before, max_drop)
    if as_json:
        out.print_json(_as_json(run, comparison))
    else:
        _print_evaluation(run, known.metrics)
        if comparison is not None:
            _print_comparison(comparison)
    raise typer.Exit(_REGRESSION if comparison is not None and not comparison.passes else 0)


@app.command()
def status(
    files: Annotated[
        bool, typer.Option("--files", help="List the files that were not taken in, with reasons.")
    ] = False,
) -> None:
    """Whether it runs, what it holds, and how the files stand."""
    from appliance.data_folder import running_at

    settings = load_settings()
    address = running_at(settings)
    out.print(f"Appliance: {'running at ' + address if address else 'not running'}, data in {settings.data_dir}")
    with _operator(settings) as operator:
        runs: dict[str, RunOut] = {}
        for run in operator.runs():
            runs.setdefault(run.source_id, run)
        table = _table("source", "folder", "visible to", "files", "latest sync (UTC)")
        for source in operator.sources():
            counts = standing(source.states) or "not synced yet"
            latest = "paused" if source.paused else _run_told(runs.get(source.id))
            table.add_row(escape(source.name), escape(source.path), escape(", ".join(source.groups)), counts, latest)
        out.print(table)
        change = operator.model_change()
        if change is not None:
            _print_change(change)
        if files:
            _print_troubled(operator)


@app.command()
def doctor() -> None:
    """Check every part and say what to do."""
    marks = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "error": "[red]error[/red]"}
    with _operator(load_settings()) as operator:
        checks = operator.health().checks
    table = _table("part", "", "what was found", "what to do")
    for check in checks:
        table.add_row(check.name, marks[check.status], escape(check.detail), escape(check.remedy))
    out.print(table)
    raise typer.Exit(1 if any(check.status == "error" for check in checks) else 0)


@log_app.command("verify")
def log_verify(
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint carried out earlier, to check against.")] = None,
    export: Annotated[Path | None, typer.Option(help="Verify an exported log instead of the live one.")] = None,
) -> None:
    """Check every entry and the whole tree; names the first entry that is wrong."""
    from appliance.audit.checkpoint import read
    from appliance.audit.export import verify_export
    from appliance.audit.log import checkpoint_path
    from appliance.audit.verify import verify
    from appliance.data_folder import DataFolder

    path = DataFolder(load_settings().data_dir).log
    if checkpoint is not None and not checkpoint.is_file():
        raise InvalidRequest(f"There is no checkpoint file at {checkpoint}.")
    known = read(checkpoint) if checkpoint else read(checkpoint_path(path))
    try:
        if export is not None:
            with export.open(encoding="utf-8") as lines:
                result = verify_export(lines, read(checkpoint) if checkpoint else None)
            out.print(f"The export verifies. {result.checkpoint.size} entries, root {result.checkpoint.root.hex()}")
            return
        if not path.is_file():
            raise InvalidRequest(f"There is no query log at {path}. Set data_dir, or start the appliance once.")
        checked = verify(path, known)
    except OSError as error:
        raise InvalidRequest(f"{export} cannot be read ({error.strerror}).") from error
    except AuditBroken as error:
        where = "" if error.seq is None else f" First bad entry: {error.seq}."
        err.print(f"[red]The query log does NOT verify.[/red]{where} {escape(str(error))}")
        raise typer.Exit(1) from error
    out.print(f"The query log verifies. {checked.size} entries, root {checked.root.hex()}")


@log_app.command("show")
def log_show(
    limit: Annotated[int, typer.Option(help="How many queries.")] = 20,
    text: Annotated[str, typer.Option(help="Only those that hold this text.")] = "",
) -> None:
    """The latest queries on record. The reading is itself recorded."""
    from appliance.audit.entries import LogRead
    from appliance.audit.log import QueryLog
    from appliance.audit.records import LogFilter

    settings = load_settings()
    _record(settings, LogRead("operator", f"the latest {limit} queries, on the command line"))
    table = _table("entry", "time (UTC)", "who", "question", "result")
    with QueryLog(_log_path(settings)) as log:
        for query in log.queries(LogFilter(text=text), limit=limit):
            question = query.question
            table.add_row(
                str(query.asked.seq),
                query.asked.time.strftime("%Y-%m-%d %H:%M:%S") if query.asked.time else "",
                escape(question.actor_name) if question else "",
                escape(_printable(question.question)) if question else "(altered)",
                query.answer.kind if query.answer and not query.answer.error else query.state.value,
            )
    out.print(table)


@log_app.command("export")
def log_export(target: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the whole log as JSON lines that verify without the appliance. The export is itself recorded."""
    from appliance.audit.entries import LogExported
    from appliance.audit.log import QueryLog

    settings = load_settings()
    _record(settings, LogExported("operator", "the whole log, on the command line"))
    with QueryLog(_log_path(settings)) as log:
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                for line in log.export():
                    file.write(line.rstrip("\n") + "\n")
        except OSError as error:
            raise InvalidRequest(f"{target} cannot be written ({error.strerror}). Name a new file.") from error
    out.print(f"Written to {target}. Check it anywhere with: strongroom log verify --export {target}")


@user_app.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="What the person signs in with.")],
    role: Annotated[list[Role], typer.Option("--role", "-r", help="May be given several times.")],
    group: Groups = [],  # noqa: B006
) -> None:
    """Make an account; prints its password once."""
    from appliance.auth.accounts import generate_password
    from appliance.personnel import accounts_of

    settings, password = load_settings(), generate_password()
    _require_one_spelling(settings, group)
    with accounts_of(settings) as accounts:
        _record(settings, _admin_action("person.added", name))
        accounts.add(name, password, role, group)
    out.print(f"Account {escape(name)} made. Password (shown this once): [bold]{password}[/bold]")


@user_app.command("list")
def user_list() -> None:
    """Every account."""
    from appliance.personnel import accounts_of

    table = _table("name", "roles", "groups", "")
    with accounts_of(load_settings()) as accounts:
        for person in accounts.people():
            table.add_row(
                person.name,
                ", ".join(sorted(person.roles)),
                escape(", ".join(sorted(person.groups))),
                "disabled" if person.disabled else "",
            )
    out.print(table)


@user_app.command("password")
def user_password(name: str) -> None:
    """Set a new password, print it once, and end the person's sessions."""
    from appliance.auth.accounts import generate_password

    password = generate_password()
    with _person(name, "person.password_set") as (accounts, person_id):
        accounts.set_password(person_id, password)
    out.print(f"New password of {escape(name)} (shown this once): [bold]{password}[/bold]")


@user_app.command("groups")
def user_groups(name: str, group: Groups = []) -> None:  # noqa: B006
    """Set the groups of a person, replacing those they have."""
    _require_one_spelling(load_settings(), group)
    with _person(name, "person.groups_set", ", ".join(group)) as (accounts, person_id):
        accounts.set_groups(person_id, group)
    out.print(f"{escape(name)} is now in: {escape(', '.join(group)) or 'no group'}")


@user_app.command("disable")
def user_disable(name: str) -> None:
    """Refuse a person from now on, and end their sessions."""
    with _person(name, "person.disabled") as (accounts, person_id):
        accounts.set_disabled(person_id, disabled=True)
    out.print(f"{escape(name)} is disabled.")


@user_app.command("enable")
def user_enable(name: str) -> None:
    """Let a disabled person in again."""
    with _person(name, "person.enabled") as (accounts, person_id):
        accounts.set_disabled(person_id, disabled=False)
    out.print(f"{escape(name)} is enabled.")


@user_app.command("token")
def user_token(
    name: str,
    label: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is good.")] = 90,
) -> None:
    """Issue an API token for a person; prints it once."""
    from appliance.personnel import sessions_of

    settings = load_settings()
    with _person(name, "token.issued", label) as (_, person_id), sessions_of(settings) as sessions:
        token = sessions.issue_token(person_id, label, timedelta(days=days))
    out.print(f"Token of {escape(name)} (shown this once): [bold]{escape(token)}[/bold]")


@user_app.command("tokens")
def user_tokens(name: str) -> None:
    """The API tokens of a person that are still good. The tokens themselves cannot be shown again."""
    from appliance.personnel import accounts_of, sessions_of

    settings = load_settings()
    with accounts_of(settings) as accounts:
        person_id = _person_id(accounts, name)
    table = _table("id", "label", "created (UTC)", "last used (UTC)", "expires (UTC)")
    with sessions_of(settings) as sessions:
        for token in sessions.tokens(person_id):
            times = (token.created_at, token.last_seen_at, token.expires_at)
            table.add_row(
                token.id[:_TOKEN_ID_CHARACTERS],
                escape(_printable(token.label)),
                *(f"{time:%Y-%m-%d %H:%M}" for time in times),
            )
    out.print(table)


@user_app.command("revoke")
def user_revoke(
    name: str,
    token_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="The token's id, or its beginning, as 'user tokens' shows it.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every token and every session of the person.")] = False,
) -> None:
    """End one API token of a person, or with --all everything they are signed in with."""
    from appliance.personnel import accounts_of, sessions_of

    if bool(token_id) == everything:
        raise InvalidRequest("Give the id of one token ('strongroom user tokens' shows them), or --all.")
    settings = load_settings()
    with accounts_of(settings) as accounts, sessions_of(settings) as sessions:
        person_id = _person_id(accounts, name)
        if everything:
            _record(settings, _admin_action("person.sessions_ended", name))
            sessions.revoke_all(person_id)
            out.print(f"Every token and session of {escape(name)} has ended.")
            return
        token = _token(sessions, person_id, token_id)
        shown_id = token.id[:_TOKEN_ID_CHARACTERS]
        _record(settings, _admin_action("token.revoked", name, f"{token.label} ({shown_id})"))
        sessions.revoke_token(person_id, token.id)
    out.print(f"The token {shown_id} of {escape(name)} has ended.")


@contextlib.contextmanager
def _operator(settings: Settings, groups: list[str] | None = None) -> Iterator[Operator]:
    from appliance.operator import connected

    with connected(settings, groups or ()) as operator:
        yield operator


@contextlib.contextmanager
def _person(name: str, action: str, detail: str = "") -> Iterator[tuple[Accounts, str]]:
    """The accounts and the id of a person, with the act on record first."""
    from appliance.personnel import accounts_of

    settings = load_settings()
    with accounts_of(settings) as accounts:
        person_id = _person_id(accounts, name)
        _record(settings, _admin_action(action, name, detail))
        yield accounts, person_id


def _require_one_spelling(settings: Settings, groups: list[str]) -> None:
    """Raises InvalidRequest when a group is written otherwise than one that is in use."""
    from appliance.auth.groups import require_one_spelling
    from appliance.personnel import known_groups

    if groups:
        require_one_spelling(groups, known_groups(settings))


def _person_id(accounts: Accounts, name: str) -> str:
    for person in accounts.people():
        if person.name == name.casefold():
            return person.id
    raise InvalidRequest(f"There is no account '{name}'. 'strongroom user list' shows all.")


def _token(sessions: Sessions, person_id: str, beginning: str) -> IssuedToken:
    """The one token of a person whose id begins like this."""
    found = [token for token in sessions.tokens(person_id) if token.id.startswith(beginning.lower())]
    if not found:
        raise NotFound(f"No token of this person begins with '{beginning}'. 'strongroom user tokens' shows all.")
    if len(found) > 1:
        raise InvalidRequest(f"{len(found)} tokens begin with '{beginning}'. Give more of the id.")
    return found[0]


def _make_demo_accounts(settings: Settings) -> list[tuple[str, str]]:
    """The names and passwords of the accounts made: one per role in a new data folder, none in any other."""
    from appliance.auth.accounts import generate_password
    from appliance.personnel import accounts_of

    with accounts_of(settings) as accounts:
        if accounts.people():
            return []
        _record(settings, *(_admin_action("person.added", name) for name, _, _ in DEMO_ACCOUNTS))
        made = [(name, generate_password()) for name, _, _ in DEMO_ACCOUNTS]
        for (name, password), (_, roles, groups) in zip(made, DEMO_ACCOUNTS, strict=True):
            accounts.add(name, password, roles, groups)
    return made


def _demo_accounts_table(made: list[tuple[str, str]]) -> Table:
    table = _table("account", "password", "may", title="Accounts (the passwords are shown this once)")
    for (name, password), (_, roles, groups) in zip(made, DEMO_ACCOUNTS, strict=True):
        table.add_row(
            name, password, ", ".join((*(role.value for role in roles), *(f"group {group}" for group in groups)))
        )
    return table


def _are_taken_in(settings: Settings, samples: Path) -> bool:
    """Whether a sync of the samples got to their last file.

    Every file that a sync saw has a row in the catalog, so a file without one was not reached. Asked of the catalog
    itself: with nothing to do, `init` starts no server and loads no model. A source of that name over another folder is
    left alone.
    """
    from appliance.catalog import Catalog
    from appliance.data_folder import DataFolder
    from appliance.database import Database
    from ingest.discover import FoundFile, discover

    folder = samples.expanduser().resolve()
    with contextlib.closing(Database(DataFolder(settings.data_dir).database)) as database:
        catalog = Catalog(database)
        for source in catalog.sources():
            if source.path == str(folder):
                files = catalog.files(source.id)
                reached = all(found.path in files for found in discover(folder) if isinstance(found, FoundFile))
                return reached and any(facts.state is DocumentState.INDEXED for facts in files.values())
            if source.name == SAMPLES:
                return True
    return False


def _admin_action(action: str, subject: str, detail: str = "") -> Entry:
    from appliance.audit.entries import AdminAction

    return AdminAction("operator", action, subject, detail)


def _record(settings: Settings, *entries: Entry) -> None:
    """Put acts of the operator on record; the log may be open in the running appliance too."""
    from appliance.audit.log import QueryLog

    if entries:
        with QueryLog(_log_path(settings)) as log:
            for entry in entries:
                log.append(entry)


def _log_path(settings: Settings) -> Path:
    from appliance.data_folder import make_folder

    return make_folder(settings).log


def _source_at(operator: Operator, path: Path) -> SourceOut | None:
    """The source over a folder, None if there is none."""
    return next((item for item in operator.sources() if item.path == str(path)), None)


def _refuse_other_settings(source: SourceOut, *, name: str, groups: list[str] | None, **given: Any) -> None:
    """Raises InvalidRequest when options ask for other settings than a source has: they would do nothing."""
    asked = {"name": name, "group": groups, **given}
    stands = {**source.model_dump(), "group": source.groups}
    other = [option for option, value in asked.items() if value and _in_order(value) != _in_order(stands[option])]
    if other:
        options = ", ".join(f"--{option}" for option in other)
        raise InvalidRequest(
            f"'{source.name}' is a source already, with other settings than {options} would give it. "
            "Nothing was synced. Leave them out to sync it as it is, or change it in Admin > Sources."
        )


def _in_order(value: Any) -> Any:
    return sorted(set(value)) if isinstance(value, list) else value


def _require_some_file(preview: PreviewOut, folder: Path) -> None:
    """Raises InvalidRequest when the patterns leave nothing of a new folder."""
    if preview.matches_nothing:
        raise InvalidRequest(
            f"--include and --exclude leave out every file of {folder} ({preview.counts['left_out']:,}), so it was not "
            "added. Check the patterns: '**/*.pdf' stands for the PDFs in all its folders."
        )


def _ingest(operator: Operator, folder: Path, *, name: str, groups: list[str]) -> bool:
    """Add the folder if it is new, sync it, and say how it ended."""
    path = folder.expanduser().resolve()
    source = _source_at(operator, path) or operator.add_source(name, str(path), groups)
    return _sync(operator, source)


def _sync(operator: Operator, source: SourceOut, *, again: Reread = Reread.NOTHING, missing_ok: bool = False) -> bool:
    """Sync a source, show how far it is, and say how it ended."""
    run = None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"))
    figures = (TextColumn("{task.fields[figures]}"), TimeElapsedColumn())
    with Progress(*columns, *figures, console=err, transient=True) as bar:
        task = bar.add_task("Looking at the folder", total=None, figures="")
        for run in operator.sync(source.id, again=again, missing_ok=missing_ok):
            bar.update(
                task,
                total=run.total,
                completed=run.done,
                description=escape(_printable(run.current)[-40:] or "Reading"),
                figures=_figures(run),
            )
    if run is None:
        raise ApplianceError("The sync did not start. Run 'strongroom doctor'.")
    out.print(f"{escape(source.name)}, this sync: {outcomes(run.counts) or 'nothing to do: no files'}")
    if run.pages or run.chunks:
        out.print(f"Read {run.pages:,} pages, indexed {run.chunks:,} chunks.")
    if run.message:
        err.print(f"[red]Error:[/red] {escape(run.message)}")
    states = next((item.states for item in operator.sources() if item.id == source.id), {})
    out.print(f"{escape(source.name)}, all its files now: {standing(states) or 'none'}")
    _print_troubled(operator, source.id)
    return not run.message


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
    titles = {metric.name: metric.title for metric in known.metrics}
    table = _table("id", "started (UTC)", "golden set", "state", "questions", *(titles[name] for name in _MAIN_METRICS))
    for run in known.evaluations:
        figures = (_figure(name, run.metrics.get(name)) for name in _MAIN_METRICS)
        table.add_row(
            run.id[:_RUN_ID_CHARACTERS],
            f"{run.started_at:%Y-%m-%d %H:%M}",
            escape(_printable(run.name)),
            run.state.value,
            f"{run.done} of {run.total}" if run.done != run.total else str(run.total),
            *figures,
        )
    out.print(table)


def _print_evaluation(run: EvaluationOut, metrics: list[MetricOut]) -> None:
    read_as = ", ".join(run.groups) or "those who asked"
    head = f"{run.name}: {run.total:,} questions, read as {read_as}, evaluation {run.id[:_RUN_ID_CHARACTERS]}"
    out.print(escape(_printable(head)))
    table = _table("metric", "value", "what it says")
    for metric in metrics:
        if run.metrics.get(metric.name) is not None:
            table.add_row(metric.title, _figure(metric.name, run.metrics[metric.name]), metric.meaning)
    out.print(table)


def _print_comparison(found: ComparisonOut) -> None:
    """What changed: the verdict, the metrics, what was in force, and the questions that went otherwise."""
    before = f"{found.before.id[:_RUN_ID_CHARACTERS]} of {found.before.started_at:%Y-%m-%d %H:%M}"
    out.print(f"Compared with {before}, over {found.shared:,} questions both asked:")
    table = _table("metric", "before", "after", "")
    for metric in found.metrics:
        if metric.before is not None or metric.after is not None:
            figures = (_figure(metric.name, metric.before), _figure(metric.name, metric.after))
            table.add_row(metric.title, *figures, "[red]too much worse[/red]" if metric.fails else "")
    out.print(table)
    for setting in found.settings:
        out.print(escape(_printable(f"{setting.name}: {setting.before or 'none'} -> {setting.after or 'none'}")))
    out.print(f"{found.better} questions went better, {found.worse} worse (sign test: p = {found.p_value:.3f}).")
    changes = _table("question", "what", "before", "after", "")
    for change in found.questions[:_LISTED_CHANGES]:
        figures = (f"{change.before:.2f}", f"{change.after:.2f}")
        changes.add_row(escape(change.question_id), change.what, *figures, escape(_printable(change.question)))
    if found.questions:
        out.print(changes)
    if not found.passes:
        err.print(f"[red]A metric got worse by more than {found.max_drop:g}.[/red]")


def _figure(name: str, value: float | None) -> str:
    """A metric for people: shares to three digits, milliseconds whole; a dash where there was nothing to measure."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,.0f} ms" if "_ms_" in name else f"{value:.3f}"


def _run_told(run: RunOut | None) -> str:
    """When a source was synced last, how that ended, and what 'report' calls it."""
    if run is None:
        return ""
    return f"{run.started_at:%Y-%m-%d %H:%M}, {run.state.value}, run {run.id[:_RUN_ID_CHARACTERS]}"


def _figures(run: RunOut) -> str:
    """How a run is getting on, in numbers."""
    parts = [f"{run.pages:,} pages", f"{run.chunks:,} chunks"]
    if run.pages_per_s is not None:
        parts.append(f"{run.pages_per_s:.1f} pages/s")
    if run.seconds_left is not None:
        parts.append(f"{timedelta(seconds=round(run.seconds_left))} left")
    if run.failures:
        parts.append(f"[yellow]{run.failures:,} to look at[/yellow]")
    return ", ".join(parts)


def _print_preview(preview: PreviewOut) -> None:
    """What a sync would do, file by file as far as the API tells."""
    counts = ", ".join(f"{count:,} {words}" for words, count in actions(preview.counts))
    out.print(f"Files: {counts or 'none'}. Nothing was changed.")
    if preview.matches_nothing:
        err.print("[yellow]The patterns leave out every file of the folder. Check them.[/yellow]")
    if preview.needs_confirmation:
        err.print("[yellow]So many files are missing that their documents are kept without --missing-ok.[/yellow]")
    table = _table("file", "a sync would", "why")
    for file in preview.files:
        table.add_row(escape(_printable(file.path)), action(file.action), escape(_printable(file.reason)))
    if table.row_count:
        out.print(table)


def _print_change(change: ModelChangeOut) -> None:
    """How far the change to another embedding model is."""
    if change.replaces == change.model_id:
        out.print(escape(f"Embedding model: {change.model_id} answers. {change.error}"))
        return
    done = f"{change.done:,} of {change.total:,} passages are embedded"
    out.print(
        escape(f"Embedding model: {change.replaces} answers; {change.model_id} takes over when it is ready, {done}.")
    )
    if change.error:
        out.print(escape(f"It waits: {change.error}"))


def _print_troubled(operator: Operator, source_id: str = "") -> None:
    """The files that were not taken in, with their reasons."""
    table = _table("source", "file", "state", "reason")
    for state in TROUBLED:
        wanted: dict[str, str | int] = {"state": state.value, "limit": 500}
        if source_id:
            wanted["source_id"] = source_id
        for file in operator.files(**wanted).files:
            told = (file.source, file.path, STATES[state], file.reason)
            table.add_row(*(escape(_printable(words)) for words in told))
    if table.row_count:
        out.print(table)


def _print_answer(answer: AnswerOut, shown: str) -> None:
    if shown.strip() != answer.text:
        out.print(("\n\n" if shown else "") + escape(_printable(answer.text)), end="")
    out.print("")
    for notice in answer.notices:
        err.print(f"[yellow]{escape(notice)}[/yellow]")
    for passage in answer.citations:
        place = passage.place.label or (f"page {passage.place.page}" if passage.place.page else "")
        out.print(
            escape(f"  [{passage.number}] {_printable(passage.title)} ({passage.path}{', ' + place if place else ''})")
        )
    if answer.kind == "extractive":
        err.print("[dim]Quoted from the documents; no language model took part.[/dim]")


def _table(*columns: str, title: str = "") -> Table:
    """A table that folds what is long: a path or a reason that is cut off helps nobody."""
    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _printable(untrusted_text: str) -> str:
    """Text of a document or model without what a terminal would obey."""
    return "".join(character for character in untrusted_text if character.isprintable() or character in "\n\t")


if __name__ == "__main__":
    main()
