"""Acts of people, on record before they are done.

Rules this module keeps:

1. An act is written down before it takes effect. What cannot be written down is not done.
2. An act that was written down and then failed is written down once more, with the code of the error: it was not done,
   or not to its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType

from appliance.audit.entries import AdminAction
from appliance.errors import code_of

Record = Callable[[AdminAction], object]


@dataclass(frozen=True, slots=True)
class Begun:
    """An act on record. What is done inside its `with` is the act."""

    record: Record
    act: AdminAction

    def __enter__(self) -> None:
        """Begin to do it."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Put on record that it failed. Raises AuditUnavailable."""
        if isinstance(error, Exception):
            self.record(replace(self.act, error=code_of(error)))


def begun(record: Record, act: AdminAction) -> Begun:
    """Put an act on record, to be done inside a `with` of what comes back. Raises AuditUnavailable: it is not done."""
    record(act)
    return Begun(record, act)
