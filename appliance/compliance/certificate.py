"""The certificate of an erasure: what was erased, and what proves it. No personal data but the id of an account."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from appliance.compliance.erasures import Erasure
from appliance.compliance.paper import Paper
from appliance.errors import Conflict
from appliance.wording import day, moment_to_the_second

_COVERS = (
    "Erased are the keys to what the query log holds of this account in these months, and what they had sealed; the "
    "conversations of these months and what evaluations found out about their questions; and requests for access. "
    "The log still proves that entries were made, when, and that no other was changed or removed. "
    "Not covered are the account itself, what others wrote about the person, and copies that were carried out before. "
    "Backups of before hold entries of the log, conversations and the words of requests for access sealed. They hold "
    "in plain text: which groups were asked for; what the person wrote into proposals and holds; entries of before "
    "the log had keys; and conversations and requests, where a release made the backup that did not seal them yet."
)


def certified(order: Erasure) -> dict[str, Any]:
    """The certificate as plain values. Raises Conflict while the erasure is not complete."""
    if order.completed_at is None or order.key_backups_until is None:
        raise Conflict("This erasure is not complete: a legal hold keeps a part of it. Release the hold first.")
    return {
        "certificate": "Erasure of what is on record of a person",
        "erasure": order.id,
        "account": order.person_id,
        "ordered_at": _text(order.ordered_at),
        "completed_at": _text(order.completed_at),
        "key_backups_may_exist_until": order.key_backups_until.date().isoformat(),
        "up_to_month": order.until,
        "months": list(order.months),
        "log_entries_erased": order.entries,
        "conversation_turns_erased": order.turns,
        "entries_of_the_log_that_say_so": list(order.seqs),
        "checkpoint_before": order.before,
        "checkpoint_after": order.after,
        "covers": _COVERS,
    }


def on_paper(order: Erasure) -> bytes:
    """The certificate as a PDF. Raises Conflict while the erasure is not complete."""
    facts = certified(order)
    paper = Paper("Certificate of erasure")
    paper.facts(
        [
            ("Erasure", facts["erasure"]),
            ("Account", facts["account"]),
            ("Ordered", moment_to_the_second(order.ordered_at)),
            ("Complete", moment_to_the_second(order.completed_at)),
            ("Up to", facts["up_to_month"]),
            ("Months erased", ", ".join(facts["months"]) or "none: nothing was on record"),
            ("Entries of the log", f"{order.entries:,}"),
            ("Turns of conversations", f"{order.turns:,}"),
            ("On record as entry", ", ".join(str(seq) for seq in order.seqs)),
        ]
    )
    until = day(date.fromisoformat(facts["key_backups_may_exist_until"]))
    paper.heading("Backups of the keys")
    paper.text(
        f"Backups of the keys are kept for two weeks. Until {until} one of before the "
        "erasure may exist; with it and a backup of the log or of the database of before, the content could be "
        "read. After that day nothing opens what was sealed, wherever a copy of it lies."
    )
    paper.heading("What this covers")
    paper.text(_COVERS)
    if order.before or order.after:
        paper.heading("Checkpoints of the log")
    for name, checkpoint in (("Before", order.before), ("After", order.after)):
        if checkpoint:
            paper.label(name)
            paper.text(checkpoint.rstrip("\n"))
    return paper.pdf()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
