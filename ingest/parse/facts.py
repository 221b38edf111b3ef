"""What a document says of itself, in one form: dates in ISO 8601, names on one line.

Dates are given as exactly as they were: a day stays a day, and a time without a zone gets none.
"""

from __future__ import annotations

import datetime as dt
import re

from ingest.parse.elements import clean_line

_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.\d+)? ?(?P<zone>Z|[+-]\d\d:?\d\d)?)?.{0,10}"
)


def iso(moment: dt.datetime) -> str:
    """A point in time, to the second, with its distance to UTC in whole minutes if it has one."""
    return iso_text(moment.isoformat("T", "seconds"))


def iso_text(untrusted_text: str) -> str:
    """A date in (roughly) ISO 8601 as exactly that; empty when it is none."""
    found = _ISO.fullmatch(clean_line(untrusted_text, 60))
    if found is None:
        return ""
    try:
        dt.date.fromisoformat(found["day"])
        if found["time"] is None:
            return found["day"]
        dt.time.fromisoformat(found["time"])
    except ValueError:
        return ""
    zone = (found["zone"] or "").replace(":", "")
    return f"{found['day']}T{found['time']}" + (f"{zone[:3]}:{zone[3:]}" if len(zone) > 1 else zone)
