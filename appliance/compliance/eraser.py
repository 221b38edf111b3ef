"""The one place that erases: what is on record of a person in a month, wherever it lies.

Rules this module keeps:

1. What a hold covers is not erased. Everything that erases goes through here.
2. What goes is the content of the query log, with its keys; the conversations of those months, with what evaluations
   found out about their questions; what the person asked to be given; and the words of an officer's proposals and
   holds that are over.
3. When this returns, no file of the data folder holds any of it, side files included. Erasing again is no error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.access_requests import AccessRequests
from appliance.audit.erasing import Erased
from appliance.audit.keys import Holding
from appliance.audit.log import QueryLog
from appliance.compliance.four_eyes import FourEyes
from appliance.compliance.holds import Holds
from appliance.conversations import Conversations
from appliance.database import Database


@dataclass(frozen=True, slots=True, order=True)
class PersonMonth:
    """What is on record of a person in a month. `person_id` is empty for what nobody did."""

    month: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is, of a selection: how many entries of the log and turns of conversations, and what a hold covers."""

    present: tuple[PersonMonth, ...]
    held: tuple[PersonMonth, ...]
    entries: int
    turns: int

    @property
    def months(self) -> tuple[str, ...]:
        """The months of what may be erased."""
        return tuple(sorted({each.month for each in set(self.present) - set(self.held)}))


class Eraser:
    """Erases, unless a hold forbids it. While somebody holds `alone`, nobody else erases, and no hold is placed."""

    def __init__(
        self,
        database: Database,
        log: QueryLog,
        conversations: Conversations,
        requests: AccessRequests,
        four_eyes: FourEyes,
        holds: Holds,
    ) -> None:
        self._database = database
        self._log = log
        self._conversations = conversations
        self._beside_the_log = (conversations, requests, four_eyes, holds)
        self._holds = holds
        self.alone = holds.erasing

    def present(self) -> frozenset[PersonMonth]:
        """Everything there is to erase."""
        kept = {PersonMonth(held.month, held.person) for held in self._log.holdings()}
        lying = (pair for place in self._beside_the_log for pair in place.months())
        return frozenset(kept | {PersonMonth(month, person) for person, month in lying})

    def look(self, wanted: Iterable[PersonMonth]) -> Kept:
        """What there is of these; entries and turns are those that may be erased."""
        present = self.present() & set(wanted)
        held = self._held(present)
        free = present - held
        entries = self._log.count(self._holdings(free))
        turns = sum(self._conversations.count(each.person_id, each.month) for each in free)
        return Kept(tuple(sorted(present)), tuple(sorted(held)), entries, turns)

    def held_months(self, wanted: Iterable[PersonMonth]) -> tuple[str, ...]:
        """The months of these that a hold covers."""
        return tuple(sorted({each.month for each in self._held(tuple(wanted))}))

    def erase(self, wanted: Iterable[PersonMonth], order_id: str = "") -> Erased | None:
        """Erase these, less what a hold covers. None when the log held nothing of them.

        Raises:
            AuditUnavailable, AuditBroken, CatalogUnavailable: It could not be done, or not to its end: do it again.
        """
        with self.alone:
            free = set(wanted) - self._held(wanted)
            erased = self._log.erase(self._holdings(free), order_id)
            for each in free:
                for place in self._beside_the_log:
                    place.erase(each.person_id, each.month)
            self._database.clear_side_files()
            return erased

    def _held(self, wanted: Iterable[PersonMonth]) -> set[PersonMonth]:
        in_force = self._holds.in_force()
        return {each for each in wanted if any(hold.covers(each.person_id, each.month) for hold in in_force)}

    def _holdings(self, wanted: Iterable[PersonMonth]) -> list[Holding]:
        chosen = set(wanted)
        return [held for held in self._log.holdings() if PersonMonth(held.month, held.person) in chosen]
