"""The time left is told when the pace so far says something about it, and not before."""

from __future__ import annotations

import time

import pytest

from ingest.progress import Progress


def reading(files: int, each_bytes: int, of_bytes: int, *, took_s: float, since_s: float = 0.0) -> Progress:
    """A run that read some files in `took_s`, the last of them `since_s` ago."""
    now = time.monotonic()
    progress = Progress(to_read_bytes=of_bytes, reading_since=now - took_s - since_s)
    for number in range(files):
        progress.begin(f"{number}.txt", each_bytes)
        progress.end(f"{number}.txt")
    progress.last_read = now - since_s
    return progress


def test_a_few_large_files_tell_no_pace() -> None:
    assert reading(2, 40_000_000, 100_000_000, took_s=60).seconds_left is None


def test_a_small_part_of_all_there_is_tells_no_pace() -> None:
    assert reading(20, 1_000, 1_000_000, took_s=60).seconds_left is None


def test_many_files_tell_a_pace_by_their_bytes() -> None:
    assert reading(50, 1_000, 100_000, took_s=60).seconds_left == pytest.approx(60, abs=2)


def test_the_time_left_runs_down_while_the_next_file_is_read() -> None:
    assert reading(50, 1_000, 100_000, took_s=60, since_s=20).seconds_left == pytest.approx(40, abs=2)


def test_a_file_that_takes_longer_than_all_the_rest_was_to_take_leaves_no_estimate() -> None:
    assert reading(50, 1_000, 100_000, took_s=60, since_s=70).seconds_left is None


def test_a_file_is_at_hand_until_it_has_ended_and_the_one_at_hand_for_the_longest_time_is_named() -> None:
    progress = Progress()
    assert progress.current == ""
    progress.begin("slow.pdf", 9)
    progress.begin("b.txt", 1)
    progress.end("b.txt")
    assert (progress.current, progress.read_bytes) == ("slow.pdf", 1)
    progress.end("slow.pdf")
    progress.end("never begun.txt")
    assert (progress.current, progress.read_bytes, progress.read_files) == ("", 10, 2)


def test_a_run_that_has_not_begun_to_read_tells_nothing() -> None:
    assert Progress(total=3).seconds_left is None
