"""Entries of the log in words for people: what happened, and why there may be nothing more to say.

Rules this module keeps:

1. There is one table for what happened. Screens, papers and the command line take their words from it, and a test
   walks every kind of entry and every act, so that none is shown by its stable name.
2. A name that a newer release wrote is told in its own words, with spaces for its signs: it is never kept back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from appliance.audit import entries
from appliance.audit.entries import Entry
from appliance.audit.records import Recorded

KINDS: Mapping[str, str] = {
    entries.QuestionReceived.type: "Asked a question",
    entries.QuestionCompleted.type: "Follow-up completed",
    entries.PassagesRetrieved.type: "Passages found",
    entries.AnswerClosed.type: "Answer given",
    entries.FeedbackGiven.type: "Judged an answer as its reader",
    entries.SignedIn.type: "Signed in",
    entries.SignInFailed.type: "Sign-in refused",
    entries.SignedOut.type: "Signed out",
    entries.DeskOpened.type: "Opened the query log",
    entries.LogRead.type: "Read the query log",
    entries.QueryReplayed.type: "Ran a question again",
    entries.LogExported.type: "Took out a copy of the log",
    entries.PersonNamed.type: "Was told who is behind a pseudonym",
    entries.AdminAction.type: "Changed the appliance",
    entries.ActProposed.type: "Proposed to a second officer",
    entries.ActDecided.type: "Decided as the second officer",
    entries.ContentErased.type: "Content erased",
    entries.HoldPlaced.type: "Placed a legal hold",
    entries.ExpiryAnnounced.type: "Announced what is to be erased when its time is over",
    entries.EvaluationEnded.type: "Evaluation ended",
    entries.SamplingRuleMade.type: "Made a rule of the review queue",
    entries.SamplingRuleEnded.type: "Ended a rule of the review queue",
    entries.AnswerReviewed.type: "Reviewed an answer",
    entries.CaseOpened.type: "Opened a case",
    entries.CaseQueryAdded.type: "Put a question in a case",
    entries.CaseNoted.type: "Wrote a note in a case",
    entries.LogOpened.type: "The appliance started",
    entries.LogClosed.type: "The appliance stopped",
    entries.ClockStepped.type: "The clock of the machine went back",
}
"""Every kind of entry: who acted stands beside it."""

ACTS: Mapping[str, str] = {
    "access.approved": "Approved a request for access",
    "access.declined": "Declined a request for access",
    "access.looked_up": "Looked up what a person can read",
    "access.withheld": "Kept something from a reader at the last moment",
    "alarm.over": "An alarm is over",
    "alarm.raised": "Raised an alarm",
    "directory.sign_out_refused": "Refused what was said to be a directory's sign-out of somebody",
    "directory.sync_requested": "Asked a directory about everybody",
    "evaluation.cancelled": "Cancelled an evaluation",
    "evaluation.removed": "Removed an evaluation",
    "evaluation.started": "Started an evaluation",
    "file.password_given": "Gave the password of a file",
    "file.retried": "Had a file read again",
    "file.uploaded": "Uploaded a file",
    "file.withdrawn": "Withdrew an uploaded file",
    "index.made_anew": "Made the index anew",
    "index.model_changed": "Changed to another embedding model",
    "index.model_changing": "Began to change to another embedding model",
    "index.reconciled": "Compared the index with the catalog",
    "log.moved": "Moved the query log to a database",
    "log.not_verified": "Verified the query log: it does NOT verify",
    "log.resumed": "Recording goes on",
    "log.verified": "Verified the query log: no fault",
    "password.changed": "Changed their password",
    "person.added": "Made an account",
    "person.clearance_set": "Set what a person is cleared for",
    "person.confirmed": "Confirmed that an officer has their account themselves",
    "person.disabled": "Disabled an account",
    "person.enabled": "Enabled an account",
    "person.gone": "A directory does not know a person any more",
    "person.groups_set": "Set the groups of a person",
    "person.made_known": "A directory made a person known",
    "person.password_set": "Set a person's password anew",
    "person.renewed": "A directory changed what a person is given",
    "person.roles_set": "Set the roles of a person",
    "person.second_factor_removed": "Took a person's second factor away",
    "person.sessions_ended": "Ended the sessions of a person",
    "person.signed_out": "A directory signed a person out",
    "person.unlocked": "Let a person try to sign in again",
    "review.approved": "Approved a document",
    "review.rejected": "Turned a document down",
    "second_factor.removed": "Took their second factor away",
    "second_factor.set_up": "Set up their second factor",
    "source.added": "Added a source",
    "source.changed": "Changed a source",
    "source.paused": "Paused a source",
    "source.removal_ended": "Ended the removal of a source",
    "source.removed": "Removed a source",
    "source.resumed": "Resumed a source",
    "source.sync_ended": "A sync ended",
    "source.synced": "Started a sync",
    "token.issued": "Issued a token",
    "token.revoked": "Ended a token",
    "witness.trusted": "Trusted the key of a witness of the query log",
}
"""Every act of `AdminAction`."""

OFFICERS_ACTS: Mapping[str, str] = {
    "case.closed": "close a case",
    "hold.released": "release a legal hold",
    "log.exported": "take out what the log holds",
    "officer.changed": "make or change the account of a compliance officer",
    "officer.confirmed": "confirm that a compliance officer has their account themselves",
    "person.erased": "erase a person",
    "person.named": "tell who is behind a pseudonym",
    "review.closed": "close the review of an answer",
}
"""Every act that two officers agree on."""

_OUTCOMES = {"approved": "Approved", "refused": "Refused"}

ERASED = "What this entry held was erased. That it is in the log is still proved."
SEALED = "The key to this entry is not there, so nobody can read it. That it is in the log is still proved."
DAMAGED = "This entry was altered after it was written. Verify the log."
OF_A_NEWER_RELEASE = "A newer release wrote this entry, and this one does not know its kind."


def why_unreadable(recorded: Recorded) -> str:
    """Why there is nothing to read where an entry is none."""
    if recorded.erased:
        return ERASED
    if recorded.sealed:
        return SEALED
    return DAMAGED if recorded.damaged else OF_A_NEWER_RELEASE


def happened(recorded: Recorded) -> str:
    """What an entry says happened, in a few words."""
    return act_in_words(recorded.entry) or KINDS.get(recorded.type) or _spaced(recorded.type) or "An entry"


def without_begun(told: Iterable[Recorded]) -> Iterator[Recorded]:
    """Entries, the newest first, without those acts of which a later one says that they failed: each act once."""
    failed: Counter[Entry] = Counter()
    for recorded in sorted(told, key=lambda each: each.seq, reverse=True):
        match recorded.entry:
            case entries.AdminAction(error="") as act if failed[act]:
                failed[act] -= 1
                continue
            case entries.AdminAction(error=error) as act if error:
                failed[replace(act, error="")] += 1
        yield recorded


def act_in_words(entry: Entry | None) -> str:
    """The words of an act that an entry names; empty for what its kind says already."""
    match entry:
        case entries.AdminAction():
            failed = " (it failed)" if entry.error else ""
            return (ACTS.get(entry.action) or _spaced(entry.action)) + failed
        case entries.ActProposed():
            return f"Proposed to {_of_officers(entry.act)}"
        case entries.ActDecided():
            return f"{_OUTCOMES.get(entry.outcome, _spaced(entry.outcome))} to {_of_officers(entry.act)}"
    return ""


def _of_officers(act: str) -> str:
    return OFFICERS_ACTS.get(act) or _spaced(act)


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ").capitalize()
