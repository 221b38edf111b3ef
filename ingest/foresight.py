"""What reading files will come to, as far as their names and sizes tell: what a preview can know that opens none.

It goes by what the parsers go by (`parse/detect`, `parse/legacy`). A file that said something once and is empty now
fails, as one that is damaged does. A file whose content is not what its name says may still end otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from appliance.catalog import FileFacts
from ingest.parse.detect import EMPTY, refusal_by_name
from ingest.parse.legacy import refusal_by_machine
from ingest.plan import READ_STATES, Action, Plan, Step, said_something


def foreseen(plan: Plan) -> Plan:
    """The plan, with what is to be read and will be refused, or found empty, called so."""
    return replace(plan, steps=tuple(map(_foreseen, plan.steps)))


def _foreseen(step: Step) -> Step:
    if step.action not in (Action.READ, Action.READ_AGAIN):
        return step
    if not step.file.size_bytes and not said_something(step.known):
        return replace(step, action=Action.EMPTY, reason=f"The file {EMPTY}.")
    told = "" if _was_read(step.known) else refusal_by_name(step.path) or refusal_by_machine(step.path)
    return replace(step, action=Action.REFUSE, reason=f"By its name, the file {told}.") if told else step


def _was_read(known: FileFacts | None) -> bool:
    """Whether the content has shown already that it can be read, whatever the file is called."""
    return known is not None and known.state in READ_STATES
