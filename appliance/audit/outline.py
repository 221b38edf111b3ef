"""What may be told of an entry outside the log: its head, and of what it holds only names that are the same for all.

Rules this module keeps:

1. Nothing that a person typed, read or is named by is in an outline, nor the id of an account. Who acted stands in it
   under the pseudonym of the head.
2. Of the content it has stable names and numbers alone: flags, kind of answer, code of an error, name of an act, time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.audit import canonical
from appliance.audit.entries import AdminAction, AnswerClosed
from appliance.audit.records import Recorded

_SEALED_LAYOUT = 2


@dataclass(frozen=True, slots=True)
class Outline:
    """An entry without what it holds. What it does not say, or what a damaged or sealed entry hides, is empty.

    `actor` is the pseudonym, `leaf` the hash of the head in hex, `act` the stable name of an admin's act, `code` that
    of an error, `total_ms` how long an answer took.
    """

    seq: int
    type: str
    time: datetime | None
    actor: str = ""
    query_id: str = ""
    leaf: str = ""
    kind: str = ""
    code: str = ""
    act: str = ""
    flags: tuple[str, ...] = ()
    total_ms: float | None = None


def outline(recorded: Recorded, head: bytes, leaf: bytes | None) -> Outline:
    """The outline of an entry that was read."""
    facts = _facts(head)
    entry = recorded.entry
    answer = entry if isinstance(entry, AnswerClosed) else None
    return Outline(
        seq=recorded.seq,
        type=recorded.type,
        time=recorded.time,
        actor=str(facts.get("actor", "")) if facts.get("v") == _SEALED_LAYOUT else "",
        query_id=str(facts.get("query_id", "")),
        leaf=leaf.hex() if leaf else "",
        kind=answer.kind if answer and not answer.error else "",
        code=answer.error if answer else "",
        act=entry.action if isinstance(entry, AdminAction) else "",
        flags=tuple(dict.fromkeys(flag.name for flag in answer.flags)) if answer else (),
        total_ms=answer.latency.total_ms if answer else None,
    )


def _facts(head: bytes) -> dict[str, Any]:
    try:
        return canonical.from_bytes(head)
    except (ValueError, AttributeError):
        return {}
