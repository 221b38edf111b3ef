"""Numbers about the log since the appliance started, and how they are written for Prometheus. No content, no person.

The form is the text exposition format 0.0.4 of Prometheus: few lines of plain text, so no library writes them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.audit.log import QueryLog
from appliance.audit.outline import Outline

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_BATCH = 500


@dataclass(slots=True)
class Counts:
    """What was counted, each by a stable name."""

    entries: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    seconds: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_S))
    timed: int = 0
    seconds_in_all: float = 0.0

    def take(self, outline: Outline) -> None:
        """Count an entry."""
        self.entries[outline.type] += 1
        self.flags.update(outline.flags)
        if outline.kind:
            self.answers[outline.kind] += 1
        if outline.code:
            self.errors[outline.code] += 1
        if outline.total_ms is not None:
            took_s = outline.total_ms / 1000
            self.timed += 1
            self.seconds_in_all += took_s
            for place, bound in enumerate(BUCKETS_S):
                self.seconds[place] += took_s <= bound


class Tally:
    """Counts what is recorded from now on. Threads may share it."""

    def __init__(self, log: QueryLog) -> None:
        self._log = log
        self._next = log.known_size
        self._lock = threading.Lock()
        self.counts = Counts()

    def catch_up(self) -> Counts:
        """Count what came since the last time. Raises AuditUnavailable."""
        with self._lock:
            while self._next < self._log.known_size:
                outlines = self._log.outlines(self._next, limit=_BATCH)
                if not outlines:
                    break
                for outline in outlines:
                    self.counts.take(outline)
                self._next = outlines[-1].seq + 1
            return self.counts


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and its values, each with its labels."""

    name: str
    kind: str
    help: str
    values: tuple[tuple[Mapping[str, str], float], ...]


def single(name: str, kind: str, help_: str, value: float) -> Metric:
    """A metric with one value."""
    return Metric(name, kind, help_, (({}, value),))


def by_label(name: str, kind: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    """A metric with a value for each value of one label."""
    return Metric(name, kind, help_, tuple(({label: key}, value) for key, value in sorted(values.items())))


def of_counts(counts: Counts) -> list[Metric]:
    """What the tally knows."""
    return [
        by_label("strongroom_entries_total", "counter", "Entries of the query log.", "type", counts.entries),
        by_label("strongroom_answers_total", "counter", "Answers that came to their end.", "kind", counts.answers),
        by_label("strongroom_answer_errors_total", "counter", "Answers that did not.", "code", counts.errors),
        by_label("strongroom_flags_total", "counter", "Answers with a flag.", "flag", counts.flags),
    ]


def written(metrics: Iterable[Metric], counts: Counts) -> str:
    """Metrics and the histogram of answers as text."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in metric.values]
    return "\n".join((*lines, *_histogram(counts))) + "\n"


def _histogram(counts: Counts) -> list[str]:
    name = "strongroom_answer_seconds"
    bounds = [*zip((_number(bound) for bound in BUCKETS_S), counts.seconds, strict=True), ("+Inf", counts.timed)]
    return [
        f"# HELP {name} How long answers took.",
        f"# TYPE {name} histogram",
        *(f'{name}_bucket{{le="{bound}"}} {count}' for bound, count in bounds),
        f"{name}_sum {_number(counts.seconds_in_all)}",
        f"{name}_count {counts.timed}",
    ]


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
