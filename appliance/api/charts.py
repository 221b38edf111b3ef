"""What was counted from the log, in the wire types of the charts."""

from __future__ import annotations

from appliance.api.schemas.charts import ChartsOut, CountOut, SpanOut
from appliance.compliance.charts import MIN_PEOPLE, Counted
from appliance.flags import MEANINGS


def charts_out(counted: Counted) -> ChartsOut:
    """What there is to draw."""
    return ChartsOut(
        since=counted.since,
        until=counted.until,
        whole=counted.whole,
        min_people=MIN_PEOPLE,
        spans=[SpanOut(start=span.start, asked=span.asked, unanswered=span.unanswered) for span in counted.spans],
        cited=[CountOut(title=title, count=number) for title, number in counted.cited],
        flags=[CountOut(title=MEANINGS.get(name, name), count=number, name=name) for name, number in counted.flags],
    )
