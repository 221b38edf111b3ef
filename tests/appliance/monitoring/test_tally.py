"""What is scraped: well-formed, right, and without content or person."""

from __future__ import annotations

import re

from appliance.audit.log import QueryLog
from appliance.monitoring.tally import Metric, Tally, by_label, of_counts, single, written
from tests.appliance.monitoring.conftest import SECRETS, fill

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)')


def samples(text: str) -> dict[str, float]:
    """The samples of an exposition, each below the type and the help of its metric."""
    found: dict[str, float] = {}
    described = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            described = line.split(" ")[2]
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == described
            assert line.split(" ")[3] in ("counter", "gauge", "histogram")
        else:
            match = _SAMPLE.fullmatch(line)
            assert match, line
            assert match[1].startswith(described)
            name = f"{match[1]}{{{match[2]}}}" if match[2] else match[1]
            assert name not in found
            found[name] = float(match[3])
    return found


def test_what_was_recorded_is_counted_by_stable_names(log: QueryLog) -> None:
    tally = Tally(log)
    fill(log)
    fill(log)
    counts = tally.catch_up()
    found = samples(written(of_counts(counts), counts))
    assert found['strongroom_entries_total{type="answer.closed"}'] == 4
    assert found['strongroom_answers_total{kind="generated"}'] == 2
    assert found['strongroom_answer_errors_total{code="internal"}'] == 2
    assert found['strongroom_flags_total{flag="personal_data.iban"}'] == 2
    assert found['strongroom_answer_seconds_bucket{le="0.5"}'] == 2
    assert found['strongroom_answer_seconds_bucket{le="1"}'] == 4
    assert found['strongroom_answer_seconds_bucket{le="+Inf"}'] == found["strongroom_answer_seconds_count"] == 4
    assert found["strongroom_answer_seconds_sum"] == 1.804


def test_nothing_of_content_or_person_is_in_it(log: QueryLog) -> None:
    tally = Tally(log)
    fill(log)
    counts = tally.catch_up()
    text = written(of_counts(counts), counts)
    (subject,) = {outline.actor for outline in log.outlines(3, limit=1)}
    assert [secret for secret in (*SECRETS, subject, "q1") if secret in text] == []


def test_it_counts_from_the_start_of_the_appliance_and_each_entry_once(log: QueryLog) -> None:
    fill(log)
    tally = Tally(log)
    assert tally.catch_up().entries.total() == 0
    fill(log)
    assert tally.catch_up().entries.total() == tally.catch_up().entries.total() == 7


def test_labels_are_escaped(log: QueryLog) -> None:
    odd = by_label("strongroom_odd", "gauge", "Odd.", "name", {'a"b\\c\nd': 1.5})
    text = written([odd, single("strongroom_one", "gauge", "One.", 2.0)], Tally(log).counts)
    assert 'strongroom_odd{name="a\\"b\\\\c\\nd"} 1.5\n' in text
    assert samples(text)["strongroom_one"] == 2
    assert isinstance(odd, Metric)
