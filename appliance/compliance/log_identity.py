"""Which log the desk's rows are about: numbers of entries mean nothing in another one.

A log that was lost is moved away and a new one begins, beside the old catalog. What was kept about the old one stays
for the day it is put back, and is not taken for something about the new one.
"""

from __future__ import annotations

from sqlalchemy import update

from appliance.audit.log import QueryLog
from appliance.database import Database, metadata

LOG_ID_LENGTH = 64


def log_id(log: QueryLog) -> str:
    """What tells this log from every other one: the leaf hash of its first entry. Empty while there is none."""
    return next((first.leaf_hash.hex() for first in log.several([0])), "")


def adopt(database: Database, log: QueryLog) -> None:
    """Let what was kept before it said which log it is about be about this one."""
    here = log_id(log)
    with database.write() as connection:
        for name in ("cases", "case_entries", "reviews", "sampling_rules", "sampling_progress"):
            table = metadata.tables[name]
            connection.execute(update(table).where(table.c.log == "").values(log=here))
