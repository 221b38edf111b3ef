"""What stands in a person's paper of an entry besides what happened: who did it, why, and what it says, in one line.

Rules this module keeps:

1. Whoever acted for the organisation is told by their office, never by name.
2. Identifiers, hashes and settings are left to the JSON.
"""

from __future__ import annotations

from appliance.audit import entries
from appliance.audit.entries import ActProposed, AdminAction
from appliance.audit.records import Recorded
from appliance.audit.telling import happened, why_unreadable
from appliance.auth.standing import Person
from appliance.compliance import officers
from appliance.compliance.subject_access import About

_FOR_PROGRAMS = ("_id", "_name", "sha256", "digest", "actor", "key_epoch", "action", "act", "findings", "metrics")
"""How the names of fields end that this paper leaves to the JSON."""
_LABELS = {"what": "", "subject": "", "detail": "", "origin": "from ", "verdict": "", "outcome": ""}
"""What stands before the parts of an entry that need no name of their own."""
_ONE_QUESTION = "one query"
"""What `LogRead` says where it was about one question."""


def called(person: Person) -> str:
    """How somebody is called, with what they sign in as where that is something else."""
    is_named = person.display_name not in ("", person.name)
    return f"{person.display_name} ({person.name})" if is_named else person.name


def count(number: int, one: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else one + 's'}"


def sentences(*parts: str) -> str:
    """Parts as sentences; empty ones are left out."""
    return ". ".join(filter(None, parts))


def who(recorded: Recorded) -> str:
    """Whoever acted, by their office."""
    actor = getattr(recorded.entry, "actor", "")
    if actor in ("", entries.ITSELF):
        return "The appliance"
    if actor == "operator":
        return "The operator of the machine"
    match recorded.entry:
        case AdminAction() | ActProposed(act=officers.ACT):
            return "An administrator"
    return "A compliance officer"


def view(about: About, recorded: Recorded) -> str:
    """What somebody did that concerns the person, and why they had opened the log for it."""
    why = about.reasons.get(recorded.seq, "")
    more = told(recorded, about.person)
    what = happened(recorded) if more in ("", _ONE_QUESTION) else f"{happened(recorded)}: {more}"
    return sentences(what, f"Reason: {why}" if why else "")


def told(recorded: Recorded, person: Person) -> str:
    """What an entry says besides what happened, in one line."""
    if recorded.entry is None:
        return why_unreadable(recorded)
    content = entries.split(recorded.entry)[1]
    parts = {name: _words(value) for name, value in content.items() if not name.endswith(_FOR_PROGRAMS)}
    words = "; ".join(f"{_label(name)}{value}" for name, value in parts.items() if value)
    return words.replace(person.id, person.name)


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " ") + ": ")


def _words(value: object) -> str:
    """A recorded value for people."""
    if isinstance(value, dict):
        return " ".join(_words(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return ", ".join(_words(inner) for inner in value)
    return "" if value in (None, "") else str(value)
