"""Putting a refused sign-in on record, in a time that does not tell whether there is an account of that name.

An entry is sealed with the key of whoever it is of, and to make the first one of a month takes longer than to find one
that is there. So a key is made every time: that of the account where it has none yet, and else one that nobody is given
and that is gone again in the same transaction.
"""

from __future__ import annotations

from datetime import UTC, datetime

from appliance.audit import keys
from appliance.audit.entries import SignInFailed
from appliance.audit.log import QueryLog
from appliance.audit.records import month_of, person_of
from appliance.audit.sqlite import PATIENCE_S, our_errors


def record_refusal(log: QueryLog, refused: SignInFailed) -> None:
    """Put it on record. Raises AuditUnavailable, AuditBroken."""
    path = keys.keys_path(log.path)
    with our_errors(path), keys.open_to_write(path, PATIENCE_S, may_be_new=False) as ring:
        ring.make_ready(person_of(refused), month_of(datetime.now(UTC)))
    log.append(refused)
