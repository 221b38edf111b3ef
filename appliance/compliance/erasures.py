"""Erasing what is on record of one person: ordered by two officers, done at once, and certified.

Rules this module keeps:

1. An order names a person and a last month, reason and all; it is done when a second officer approves.
2. What a hold covers waits. It is erased when the hold is released, by whoever releases it or by the daily run.
3. What is to be erased is counted before, and once, so that an order that was cut off is completed with its numbers.
   While it is under way it says of nothing that it is held: so one that was cut off is told from one that waits.
4. While a question of the person is being answered the order is not done: what comes of it would stay.
5. A certificate names the person by the id of their account alone, and says until when backups of the keys may exist.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Integer, Row, String, Table, Text, insert, select, update

from appliance.audit.erasing import Erased
from appliance.audit.records import month_of
from appliance.auth.accounts import now_utc
from appliance.compliance.eraser import Eraser, PersonMonth
from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.compliance.months import is_month
from appliance.database import Database, Moment, metadata
from appliance.errors import Conflict, InvalidRequest, NotFound

ERASED = "person.erased"
"""The act that two officers do; its subject is the id of the account, its detail the last month."""

KEY_BACKUPS_KEPT = timedelta(days=14)
"""For how long backups of the keys may be kept (docs/operations/query-log.md)."""

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("person_id", String(64), nullable=False),
    Column("until", String(7), nullable=False),
    Column("ordered_at", Moment, nullable=False),
    Column("completed_at", Moment, nullable=True),
    Column("months", Text, nullable=False),  # that were erased, as JSON
    Column("held", Text, nullable=False),  # months that a hold covers still, as JSON
    Column("entries", Integer, nullable=False),
    Column("turns", Integer, nullable=False),
    Column("seqs", Text, nullable=False),  # the entries of the log that say so, as JSON
    Column("before", Text, nullable=False),  # checkpoints
    Column("after", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """An order to erase, and how far it is; `completed_at` is None while a hold keeps a part of it."""

    id: str
    person_id: str
    until: str
    ordered_at: datetime
    completed_at: datetime | None = None
    months: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    entries: int = 0
    turns: int = 0
    seqs: tuple[int, ...] = ()
    before: str = ""
    after: str = ""

    @property
    def key_backups_until(self) -> datetime | None:
        """Until when a backup of the keys may still hold the keys; None while it is not complete."""
        return self.completed_at + KEY_BACKUPS_KEPT if self.completed_at else None


class Erasures:
    """The orders there are."""

    def __init__(
        self,
        database: Database,
        eraser: Eraser,
        four_eyes: FourEyes,
        is_answered: Callable[[str], bool],
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        """Put the parts together; `is_answered` says of an account whether a question of theirs is being answered."""
        self._database = database
        self._eraser = eraser
        self._four_eyes = four_eyes
        self._is_answered = is_answered
        self._clock = clock

    def propose(self, officer: str, person_id: str, until: str, reason: str) -> Proposal:
        """Put an erasure before a second officer: of all months up to `until`, of all there are if that is empty.

        Raises:
            InvalidRequest: No reason is given, or the month is none.
            Conflict: The erasure of this person waits for a second officer already.
        """
        if until and not is_month(until):
            raise InvalidRequest("Write the last month as 2026-03, or none to erase everything.")
        return self._four_eyes.propose(officer, ERASED, person_id, reason, until)

    def kept_now(self, person_id: str, until: str = "") -> tuple[str, ...]:
        """The months of which a hold keeps what an erasure up to `until` would erase, as it stands now."""
        wanted = Erasure("", person_id, until or month_of(self._clock()), self._clock())
        return self._eraser.held_months(each for each in self._eraser.present() if _is_of(wanted, each))

    def carry_out_approved(self, proposal: Proposal) -> None:
        """Do what two officers want. Doing it again is no error, and erases nothing that came later.

        Raises:
            Conflict: A question of the person is being answered. It is done later, at the latest by the daily run.
            AuditUnavailable, AuditBroken, CatalogUnavailable: It could not be done to its end: do it again.
        """
        until = proposal.detail or month_of(self._clock())
        order = Erasure(str(uuid.uuid5(uuid.NAMESPACE_OID, proposal.id)), proposal.subject, until, self._clock())
        with self._database.write() as connection:
            if connection.execute(select(erasures.c.id).where(erasures.c.id == order.id)).first() is None:
                connection.execute(insert(erasures).values(**_values(order)))
        self._carry_out(order.id)

    def run_pending(self) -> None:
        """Go on with every order that is not complete. What a hold covers still waits.

        Raises:
            Conflict: A question of one of the people is being answered; all other orders were gone on with.
            AuditUnavailable, AuditBroken, CatalogUnavailable: It could not be done to its end: do it again.
        """
        query = select(erasures.c.id).where(erasures.c.completed_at.is_(None)).order_by(erasures.c.ordered_at)
        with self._database.read() as connection:
            waiting = list(connection.execute(query).scalars())
        put_off: Conflict | None = None
        for order_id in waiting:
            try:
                self._carry_out(order_id)
            except Conflict as error:
                put_off = error
        if put_off is not None:
            raise put_off

    def one(self, order_id: str) -> Erasure:
        """One order. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(erasures).where(erasures.c.id == order_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such erasure.")
        return _erasure(row)

    def latest(self, limit: int = 100) -> tuple[Erasure, ...]:
        """The latest orders, the newest first."""
        query = select(erasures).order_by(erasures.c.ordered_at.desc(), erasures.c.id).limit(limit)
        with self._database.read() as connection:
            return tuple(_erasure(row) for row in connection.execute(query))

    def _carry_out(self, order_id: str) -> None:
        with self._eraser.alone:  # what is counted, what is erased and what a hold is said to keep are of one moment
            order = self.one(order_id)
            if order.completed_at is None:
                self._carry_out_alone(order)

    def _carry_out_alone(self, order: Erasure) -> None:
        self._require_silence(order)
        kept = self._eraser.look(each for each in self._eraser.present() if _is_of(order, each))
        counted = () if order.held else order.months  # by an attempt that was cut off
        uncounted = (each for each in kept.present if each.month not in counted)
        fresh = self._eraser.look(uncounted) if counted else kept
        order = replace(
            order,
            months=tuple(sorted({*order.months, *kept.months})),
            held=(),
            entries=order.entries + fresh.entries,
            turns=order.turns + fresh.turns,
        )
        self._keep(order)
        erased = self._eraser.erase(kept.present, order.id)
        if erased is not None:
            order = _with(order, erased)
        self._keep(order)
        self._require_silence(order)
        held = tuple(sorted({each.month for each in kept.held}))
        self._keep(replace(order, held=held, completed_at=None if held else self._clock()))

    def _require_silence(self, order: Erasure) -> None:
        if self._is_answered(order.person_id):
            raise Conflict(
                "A question of this person is being answered, and the answer would stay. Approve the erasure again in "
                "a minute, or leave it to the daily run. Disable their account first if they go on asking."
            )

    def _keep(self, order: Erasure) -> None:
        with self._database.write() as connection:
            connection.execute(update(erasures).where(erasures.c.id == order.id).values(**_values(order)))


def _is_of(order: Erasure, each: PersonMonth) -> bool:
    return each.person_id == order.person_id and each.month <= order.until


def _with(order: Erasure, erased: Erased) -> Erasure:
    before = order.before or erased.before.text()
    return replace(order, seqs=(*order.seqs, erased.seq), before=before, after=erased.after.text())


_LISTS = ("months", "held", "seqs")


def _values(order: Erasure) -> dict[str, Any]:
    values = {name: getattr(order, name) for name in erasures.c.keys()}  # noqa: SIM118 - not a dict
    return values | {name: json.dumps(values[name]) for name in _LISTS}


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(**{**row._mapping, **{name: tuple(json.loads(row._mapping[name])) for name in _LISTS}})
