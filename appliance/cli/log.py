"""`strongroom log ...`: verify, show, export, subject access."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from appliance.cli.acting import admin_action, log_store, new_file, opened_for, record, recorded
from appliance.cli.terminal import err, new_table, out, printable
from appliance.config import Settings, load_settings
from appliance.errors import AuditBroken, AuditUnavailable, InvalidRequest
from appliance.wording import ANSWERS

if TYPE_CHECKING:
    from appliance.audit.records import QueryRecord
    from appliance.audit.verifier import Report

Reason = Annotated[
    str, typer.Option("--reason", help="Why the log is read, in three words or more; this goes on record.")
]

log_app = typer.Typer(help="The query log: verify, show, export, subject access.", no_args_is_help=True)


@log_app.command("verify")
def log_verify(
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint carried out earlier, or many in one file; may be repeated.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The public key of the signer, as it was carried out.")] = None,
    witness_key: Annotated[
        list[Path] | None, typer.Option(help="The public key of a witness, as it was carried out; may be repeated.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Verify an exported log instead of the live one.")] = None,
) -> None:
    """Check every entry, the whole tree and every signature; names the first entry that is wrong."""
    from appliance.audit.signatures import checked, last_cosigned, signed_checkpoints
    from appliance.audit.stores import store_for
    from appliance.audit.verifier import NotJudged, Wrong
    from appliance.audit.verify import verify
    from appliance.data_folder import DataFolder

    carried = [text for path in checkpoint or () for text in _checkpoints_in(path)]
    trusted = _read(key) if key else ""
    witnesses = [_read(path) for path in witness_key or ()]
    settings = load_settings()
    path = DataFolder(settings.data_dir).log
    try:
        if export is not None:
            _verify_export(export, carried, trusted, witnesses)
            return
        store = store_for(settings.log, path)
        with store.errors():
            if not store.is_there():
                raise InvalidRequest(f"There is no query log {store}. Set data_dir, or start the appliance once.")
        found = verify(store, *checked(path, carried, trusted, witnesses))
        signed = max((signed.size for signed in signed_checkpoints(path)), default=0)
        if trusted and not signed:
            raise NotJudged(
                "The log agrees with itself, but nothing of it is signed, and so the key that was given says nothing. "
                "A log is signed when the appliance starts; 'strongroom doctor' says if it is not. Otherwise the "
                "signatures were removed."
            )
    except NotJudged as error:
        err.print(f"[red]Not judged:[/red] {escape(str(error))}")
        if error.report is not None:
            _tell(error.report)
        raise typer.Exit(2) from error
    except (AuditBroken, Wrong) as error:
        where = "" if error.seq is None else f" First bad entry: {error.seq}."
        err.print(f"[red]The query log does NOT verify.[/red]{where} {escape(str(error))}")
        if export is None:
            _put_failure_on_record(settings, str(error))
        raise typer.Exit(1) from error
    out.print(f"The query log verifies. {found.size} entries, root {found.root.hex()}")
    if signed < found.size:
        out.print(f"The last signature covers {signed} of {found.size} entries.")
    for seen in last_cosigned(path):
        out.print(f"The witness '{seen.name}' had seen {seen.size} entries by {seen.time:%Y-%m-%d %H:%M} UTC.")


def _put_failure_on_record(settings: Settings, told: str) -> None:
    """Only while the appliance runs, and writes to the log anyway: one that is stopped is kept as it was found."""
    from appliance.data_folder import running_at

    if running_at(settings) is not None:
        with contextlib.suppress(AuditUnavailable, AuditBroken):
            record(settings, admin_action("log.not_verified", "log", told))


def _verify_export(path: Path, carried: list[str], key: str, witnesses: list[str]) -> None:
    from appliance.audit.verifier import verify

    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            report = verify(lines, carried, key, witnesses)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read ({getattr(error, 'strerror', 'it is not text')}).") from error
    out.print("The export verifies.")
    _tell(report)


def _tell(report: Report) -> None:
    from appliance.audit.verifier import as_moment, held_in

    out.print(f"{report.checkpoint.size} entries in the log, root {report.checkpoint.root.hex()}")
    out.print(f"In the export: {report.entries} entries, {held_in(report)}.")
    for seen in report.cosigned:
        out.print(f"The witness '{seen.name}' had seen {seen.size} entries by {as_moment(seen.time)}.")
    for remark in report.remarks:
        out.print(remark)


def _checkpoints_in(path: Path) -> list[str]:
    """The texts of the checkpoints in a file, signed or not.

    Ends with status 2 when one of them is none: then nothing is said of the log.
    """
    from appliance.audit.checkpoint import parse
    from appliance.audit.verifier import PASSED_OVER, as_carried

    found, passed_over = as_carried(_read(path))
    try:
        for text in found:
            parse(text.rpartition("\n\n")[0] + "\n" if "\n\n" in text else text)
    except AuditBroken as error:
        err.print(
            f"[red]Error:[/red] {escape(str(path))} holds no checkpoint, so the log was not judged. "
            "Give a file as 'strongroom log checkpoint' or the browser's 'Print a checkpoint' made it."
        )
        raise typer.Exit(2) from error
    if passed_over:
        out.print(f"{escape(str(path))}: {PASSED_OVER}")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"There is no readable file at {path}.") from error


@log_app.command("show")
def log_show(
    reason: Reason,
    limit: Annotated[int, typer.Option(help="How many queries.")] = 20,
    text: Annotated[str, typer.Option(help='Only those that hold all these words, or "a phrase".')] = "",
) -> None:
    """The latest queries on record. The reading is itself recorded."""
    from appliance.audit.entries import LogRead
    from appliance.audit.log import QueryLog
    from appliance.audit.records import LogFilter
    from appliance.audit.telling import why_unreadable
    from appliance.compliance.pseudonyms import pseudonyms_of

    settings = load_settings()
    opened = opened_for(reason)
    what = f"the latest {limit} queries, on the command line"
    record(settings, opened, LogRead("operator", what, session_id=opened.session_id))
    table = new_table("entry", "time (UTC)", "who", "question", "result")
    with QueryLog(log_store(settings)) as log:
        pseudonyms = pseudonyms_of(log.path)
        for query in log.queries(LogFilter(text=text), limit=limit):
            question = query.question
            table.add_row(
                str(query.asked.seq),
                query.asked.time.strftime("%Y-%m-%d %H:%M:%S") if query.asked.time else "not known",
                pseudonyms.of(question.actor) if question else "",
                escape(printable(question.question)) if question else why_unreadable(query.asked),
                _result(query),
            )
    out.print(table)


def _result(query: QueryRecord) -> str:
    """What came of a question, in the words of the screens."""
    if query.answer is None or query.answer.error:
        return query.state.value
    return ANSWERS.get(query.answer.kind, query.answer.kind)


@log_app.command("checkpoint")
def log_checkpoint(
    key: Annotated[bool, typer.Option("--key", help="The public key of the signer instead.")] = False,
) -> None:
    """Print the latest signed checkpoint, to carry out of the house: on paper, or into a file elsewhere. On record."""
    from appliance.audit.entries import LogRead
    from appliance.audit.log import QueryLog
    from appliance.audit.signatures import public_key, signed_notes
    from appliance.data_folder import found_folder

    settings = load_settings()
    path = found_folder(settings).log
    text = f"{public_key(path)}\n" if key else "".join(signed_notes(path)[-1:])
    if not text.strip():
        raise InvalidRequest(
            "Nothing has been signed yet. Start the appliance; 'strongroom doctor' says if it does not sign."
        )
    what = "the public key of the signer" if key else f"the signed checkpoint of {text.splitlines()[1]} entries"
    record(settings, LogRead("operator", f"{what}, on the command line"))
    typer.echo(text, nl=False)
    if not key:
        with QueryLog(log_store(settings)) as log:
            covered, there = int(text.split("\n")[1]), log.size()
        if covered < there:
            err.print(
                f"[yellow]It covers {covered} of {there} entries: {there - covered} came after it was signed.[/yellow] "
                "In the browser, 'Print a checkpoint' and its file sign all there are."
            )


@log_app.command("ask-witness")
def log_ask_witness(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    witness: Annotated[str, typer.Option(help="The name of the witness, when there are several.")] = "",
    since: Annotated[int | None, typer.Option(min=0, help="What it cosigned last, if it says so.")] = None,
) -> None:
    """Write a request for a witness on another machine: the latest signed checkpoint, and a proof that reaches it."""
    from appliance.audit.cosigning import request
    from appliance.audit.log import QueryLog

    with QueryLog(log_store(load_settings())) as log:
        text = request(log, witness, since)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written ({error.strerror}). Name a new file.") from error
    out.print(
        f"Written to {target}. The witness runs: python3 verifier.py {target} --key KEY --witness FOLDER > COSIGNED"
    )


@log_app.command("keep-cosigned")
def log_keep_cosigned(
    source: Annotated[Path, typer.Argument(help="What the witness wrote.")],
    witness_key: Annotated[Path | None, typer.Option(help="The public key of the witness, the first time.")] = None,
) -> None:
    """Keep a checkpoint that a witness cosigned; from then on it is verified with the log and goes into exports.

    That a witness is trusted from now on is recorded.
    """
    from appliance.audit.note import Kind, verifier_key
    from appliance.audit.signatures import keep_cosigned, witnesses
    from appliance.data_folder import DataFolder

    settings = load_settings()
    path, came_back, key = DataFolder(settings.data_dir).log, _read(source), _read(witness_key) if witness_key else ""
    with contextlib.ExitStack() as acts:
        if key and (witness := verifier_key(key, Kind.WITNESS)) not in witnesses(path):
            acts.enter_context(recorded(settings, admin_action("witness.trusted", witness.name, witness.text())))
        found = keep_cosigned(path, came_back, key)
    out.print(f"Kept. The witness '{found.name}' had seen {found.size} entries by {found.time:%Y-%m-%d %H:%M} UTC.")


@log_app.command("verifier")
def log_verifier(target: Annotated[Path, typer.Argument(help="The file to write.")]) -> None:
    """Write the verifier: one Python file that checks exports anywhere, without the appliance."""
    from appliance.audit import verifier

    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(Path(verifier.__file__).read_text("utf-8"))
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written ({error.strerror}). Name a new file.") from error
    out.print(f"Written to {target}. Run it anywhere with: python3 {target} EXPORT --key KEY --checkpoint CHECKPOINT")


@log_app.command("export")
def log_export(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    reason: Reason = "",
    proof_only: Annotated[
        bool, typer.Option("--proof-only", help="Leave out what the entries hold; the log still verifies.")
    ] = False,
) -> None:
    """Write the whole log as JSON lines that verify without the appliance. The export is itself recorded.

    It wants a reason unless it is the proof only.
    """
    from appliance.audit.entries import LogExported
    from appliance.audit.log import QueryLog

    settings = load_settings()
    what = "the proof of the whole log" if proof_only else "the whole log"
    opened = () if proof_only else (opened_for(reason),)
    session = opened[0].session_id if opened else ""
    record(settings, *opened, LogExported("operator", f"{what}, on the command line", session))
    with QueryLog(log_store(settings)) as log:
        try:
            with new_file(target) as file:
                for line in log.export(with_content=not proof_only):
                    file.write((line.rstrip("\n") + "\n").encode())
        except OSError as error:
            raise InvalidRequest(f"{target} cannot be written ({error.strerror}). Name a new file.") from error
    out.print(f"Written to {target}. Check it anywhere with: strongroom log verify --export {target}")


@log_app.command("move-to-postgresql")
def log_move() -> None:
    """Move the log from its file to the database that log.postgresql names. The appliance must be stopped."""
    from appliance.audit.acts import begun
    from appliance.audit.log import QueryLog
    from appliance.audit.moving import copy
    from appliance.audit.sqlite import SqliteStore
    from appliance.audit.stores import store_for
    from appliance.data_folder import found_folder, owned

    settings = load_settings()
    if not settings.log.postgresql:
        raise InvalidRequest("Set log.postgresql to the database that the log is to be moved to.")
    folder = found_folder(settings)
    source, target = SqliteStore(folder.log), store_for(settings.log, folder.log)
    if not source.is_there():
        raise InvalidRequest(
            f"There is no query log {source}. A new one begins in the database when the appliance starts."
        )
    with owned(folder):
        with QueryLog(source) as log, begun(log.append, admin_action("log.moved", "log", str(target))):
            found = copy(source, target)
        kept = folder.log.rename(folder.log.with_name("queries.moved.db"))
    out.print(
        f"The query log is {escape(str(target))} now, and verifies: {found.size} entries, root {found.root.hex()}"
    )
    out.print(f"Erasures do not reach {escape(str(kept))} any more: remove it when the database is backed up.")


@log_app.command("subject")
def log_subject(
    name: Annotated[str, typer.Argument(help="The name that the person signs in with.")],
    target: Annotated[Path, typer.Argument(help="The file to write: *.pdf for people, anything else is JSON.")],
    reason: Reason,
) -> None:
    """Write everything there is about a person, for them. The export is itself recorded, with the reason."""
    from appliance.audit.entries import LogExported
    from appliance.audit.log import QueryLog
    from appliance.compliance import subject_access, subject_paper
    from appliance.compliance.pseudonyms import pseudonyms_of
    from appliance.personnel import subject_of

    settings = load_settings()
    with QueryLog(log_store(settings)) as log, subject_of(settings, name, log) as (person, conversations, requests):
        opened, what = opened_for(reason), f"everything about the account {person.id}, on the command line"
        log.append(opened)
        log.append(LogExported("operator", what, opened.session_id))
        lasts_s, pseudonyms = settings.log.opening_lasts_s, pseudonyms_of(log.path)
        about = subject_access.gather(log, person, pseudonyms, conversations, requests, lasts_s)
    is_paper = target.suffix.casefold() == ".pdf"
    written = subject_paper.on_paper(about) if is_paper else subject_access.as_json(about).encode("utf-8", "replace")
    try:
        with new_file(target) as file:
            file.write(written)
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written ({error.strerror}). Name a new file.") from error
    out.print(f"Written to {target}: {len(about.own)} entries of their own, {len(about.by_others)} of others.")
