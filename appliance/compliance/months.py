"""Months as the keys of the log count them: "2026-03", in UTC. As texts they sort as they follow each other."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from appliance.invalid import MONTH


def is_month(text: str) -> bool:
    """Whether this is a month."""
    return bool(text) and re.fullmatch(MONTH, text) is not None


def later(month: str, by: int) -> str:
    """The month so many months later; earlier where `by` is negative."""
    year, number = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + by, 12)
    return f"{year:04d}-{number + 1:02d}"


def begins(month: str) -> datetime:
    """The first moment of a month."""
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)
