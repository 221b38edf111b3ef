"""How the query log is, for officers; and numbers for Prometheus, without content and without a person in them."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response

from appliance import __version__
from appliance.api.gate import Compliance, HealthAdmin, TheAppliance
from appliance.api.schemas.monitoring import AlarmOut, ConditionOut
from appliance.api.wire import verified_out
from appliance.errors import AuditBroken, AuditUnavailable
from appliance.monitoring.alarms import TITLES, AlarmName
from appliance.monitoring.monitor import Monitor
from appliance.monitoring.tally import CONTENT_TYPE, Metric, by_label, of_counts, single, written
from appliance.wiring import Appliance

router = APIRouter(tags=["monitoring"])


@router.get("/log/condition")
def condition(_officer: Compliance, appliance: TheAppliance) -> ConditionOut:
    """What is wrong with the log now, and how its latest verification went. Nothing of the log is read for it."""
    monitor = appliance.monitor
    latest = monitor.verification.latest
    return ConditionOut(
        alarms=[
            AlarmOut(name=it.name.value, title=TITLES[it.name], since=it.since, told=it.told)
            for it in monitor.alarms.raised
        ],
        verified=verified_out(latest) if latest else None,
        verify_at_hour=appliance.settings.monitoring.verify_at_hour,
    )


@router.get("/metrics", response_class=Response)
def metrics(_admin: HealthAdmin, appliance: TheAppliance) -> Response:
    """Numbers about the appliance in the text format of Prometheus, version 0.0.4."""
    monitor = appliance.monitor
    try:
        counts = monitor.tally.catch_up()
    except (AuditUnavailable, AuditBroken):  # that is what the alarms are for; what was counted before still holds
        counts = monitor.tally.counts
    told = (*of_counts(counts), *_of_log(monitor), *_of_appliance(appliance))
    return Response(written(told, counts), media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _of_log(monitor: Monitor) -> Iterator[Metric]:
    raised = {alarm.name for alarm in monitor.alarms.raised}
    alarms = {name.value: float(name in raised) for name in AlarmName}
    yield by_label("strongroom_alarm", "gauge", "Whether an alarm is raised.", "alarm", alarms)
    yield single("strongroom_log_entries", "gauge", "Entries in the query log.", monitor.log_size)
    if latest := monitor.verification.latest:
        at = latest.at.timestamp()
        yield single("strongroom_log_verified_timestamp_seconds", "gauge", "When the log was verified last.", at)
        yield single("strongroom_log_verified", "gauge", "Whether it verified then.", float(latest.ok))
    states = [feed.state for feed in monitor.feeds]
    behind = {state.name: state.behind for state in states}
    sent = {state.name: state.sent for state in states}
    lost = {state.name: state.lost for state in states}
    yield by_label("strongroom_feed_behind_entries", "gauge", "Entries that a feed has yet to send.", "feed", behind)
    yield by_label("strongroom_feed_sent_total", "counter", "Entries that a feed sent.", "feed", sent)
    yield by_label("strongroom_feed_lost_total", "counter", "Alarms that a feed could not send.", "feed", lost)


def _of_appliance(appliance: Appliance) -> Iterator[Metric]:
    yield Metric("strongroom_info", "gauge", "The release that runs.", (({"release": __version__}, 1),))
    states = {state.value: count for state, count in appliance.catalog.states().items()}
    yield by_label("strongroom_documents", "gauge", "Documents by their state.", "state", states)
