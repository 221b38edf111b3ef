"""The rules by which answers come into the review queue, as compliance officers made them.

Rules this module keeps:

1. A rule is never changed: one is ended, and another one made. So for every answer that was ever given it is known
   which rules were in force.
2. Making and ending one are entries of the log, written before they take effect. The entry is where it takes effect.
3. A rule is of the log it was made in. In a new log there are none until an officer makes them: on record, there.
4. The secret of a rule is made here, shown to nobody, and named by its hash in the log: nobody can try one after the
   other until the sample suits them without leaving as many entries.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Integer, LargeBinary, Row, String, Table, insert, select, update

from appliance.audit.entries import SamplingRuleEnded, SamplingRuleMade
from appliance.audit.log import QueryLog
from appliance.compliance.log_identity import LOG_ID_LENGTH, log_id
from appliance.compliance.sampling import WHOLE, Rule
from appliance.database import Database, metadata
from appliance.domain import Selects
from appliance.errors import Conflict, InvalidRequest, NotFound

SECRET_BYTES = 32
MAX_IN_FORCE = 100

sampling_rules = Table(
    "sampling_rules",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("selects", String(16), nullable=False),  # a domain.Selects
    Column("subject", String(128), nullable=False),  # the name of a flag, or the id of a source
    Column("share", Integer, nullable=False),  # hundredths of a percent
    Column("secret", LargeBinary, nullable=False),
    Column("since", Integer, nullable=False),  # the entry of the log that made it
    Column("until", Integer, nullable=True),  # the entry that ended it
    Column("log", String(LOG_ID_LENGTH), nullable=False, server_default=""),  # the one it is about (`log_identity`)
)


class SamplingRules:
    """The rules there are and were."""

    def __init__(self, database: Database, log: QueryLog) -> None:
        self._database = database
        self._log = log
        self._changing = threading.Lock()

    def all(self) -> list[Rule]:
        """Every rule there ever was, the oldest first."""
        own = select(sampling_rules).where(sampling_rules.c.log == log_id(self._log)).order_by(sampling_rules.c.since)
        with self._database.read() as connection:
            return [_rule(row) for row in connection.execute(own)]

    @contextlib.contextmanager
    def held(self) -> Iterator[list[Rule]]:
        """Every rule there ever was; meanwhile none is made or ended, so that no answer falls between two states."""
        with self._changing:
            yield self.all()

    def in_force(self) -> list[Rule]:
        """The rules that act on the next answer, the oldest first."""
        return [rule for rule in self.all() if rule.until is None]

    def make(self, officer: str, selects: Selects, subject: str, share: int) -> Rule:
        """Make a rule.

        Raises:
            InvalidRequest: It would draw nothing, or names no source.
            Conflict: There are too many, or one that looks at the same answers.
            AuditUnavailable: It cannot be recorded, so it is not made.
        """
        if not 0 < share <= WHOLE:
            raise InvalidRequest("Set a share between 0.01 and 100 percent.")
        subject = "" if selects is Selects.ALL else subject
        if selects is Selects.SOURCE and not subject:
            raise InvalidRequest("Name the source whose documents are cited.")
        with self._changing:
            self._require_new(selects, subject)
            rule_id, secret = str(uuid.uuid4()), secrets.token_bytes(SECRET_BYTES)
            shown = hashlib.sha256(secret).hexdigest()
            made = self._log.append(SamplingRuleMade(officer, rule_id, selects.value, subject, share, shown))
            rule = Rule(rule_id, selects, subject, share, secret, made.seq, None)
            here = log_id(self._log)
            with self._database.write() as connection:
                connection.execute(insert(sampling_rules).values(**_values(rule), log=here))
        return rule

    def end(self, officer: str, rule_id: str) -> None:
        """End a rule. What it drew stays in the queue. Raises NotFound, AuditUnavailable."""
        with self._changing:
            if all(rule.id != rule_id for rule in self.in_force()):
                raise NotFound("There is no such rule in force.")
            ended = self._log.append(SamplingRuleEnded(officer, rule_id))
            with self._database.write() as connection:
                connection.execute(update(sampling_rules).where(sampling_rules.c.id == rule_id).values(until=ended.seq))

    def _require_new(self, selects: Selects, subject: str) -> None:
        in_force = self.in_force()
        if any((rule.selects, rule.subject) == (selects, subject) for rule in in_force):
            raise Conflict("A rule looks at these answers already. End it first.")
        if len(in_force) >= MAX_IN_FORCE:
            raise Conflict(f"There are {MAX_IN_FORCE} rules. End some first.")


def _values(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in sampling_rules.c.keys() if name != "log"}  # noqa: SIM118 - not a dict


def _rule(row: Row[Any]) -> Rule:
    return Rule(row.id, Selects(row.selects), row.subject, row.share, row.secret, row.since, row.until)
