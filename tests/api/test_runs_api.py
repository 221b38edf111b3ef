"""Runs and their reports over HTTP, and whether index and catalog agree."""

from __future__ import annotations

import csv
import io
import threading
from datetime import datetime
from functools import partial

import pytest

from appliance.api.schemas.runs import ReportOut
from appliance.wiring import put_on_record
from appliance.wording import moment
from tests.api.conftest import Desk, write


def test_a_run_tells_how_much_was_read_and_how_it_ended(desk: Desk) -> None:
    key = desk.add(desk.folder(one__txt="The pump is blue.", two__txt="The valve is red.", broken__pdf=b"%PDF-1.7"))
    run = desk.sync(key)
    assert run["counts"] == {"indexed": 2, "failed": 1}
    assert (run["total"], run["done"], run["failures"], run["chunks"]) == (3, 3, 1, 2)
    assert (run["state"], run["current"], run["seconds_left"]) == ("finished", "", None)
    assert run["finished_at"] >= run["started_at"]
    assert desk.runs()[0] == run
    ended = [(subject, detail) for action, subject, detail in desk.acts() if action == "source.sync_ended"]
    assert ended == [(desk.name(key), "failed: 1, indexed: 2")]


def test_a_sync_that_nobody_asked_for_is_on_record_as_any_other(desk: Desk) -> None:
    folder = desk.folder(one__txt="The pump is blue.", two__txt="The valve is red.")
    key = desk.add(folder)
    desk.sync(key)
    write(folder / "three.txt", "The tank is green.")
    (source,) = [source for source in desk.appliance.catalog.sources() if source.id == key]
    runs, log = desk.appliance.runs, desk.appliance.log
    runs.wait(runs.request(source, on_end=partial(put_on_record.synced, log)).id)
    ended = [detail for action, _, detail in desk.acts() if action == "source.sync_ended"]
    assert sorted(ended) == ["indexed: 1, unchanged: 2", "indexed: 2"]


def test_runs_outlive_the_process_that_made_them(desk: Desk) -> None:
    key = desk.add(desk.folder(one__txt="The pump is blue."))
    run = desk.sync(key)
    with desk.appliance.runs._lock:
        desk.appliance.runs._runs.clear()  # as after a restart
    assert desk.runs_of(key) == [run]
    assert desk.admin.get(f"/api/runs/{run['id']}/report", params={"format": "json"}).json()["run"] == run


HOSTILE = ["=1+1.txt", "+cmd.txt", "-2.txt", "@sum.txt", 'a"b,c.txt']


def test_a_report_lists_what_happened_to_each_file_and_no_cell_is_a_formula(desk: Desk) -> None:
    folder = desk.folder()
    for number, name in enumerate(HOSTILE):
        write(folder / name, f"Pump number {number} is blue.")
    write(folder / "broken.pdf", b"%PDF-1.7 broken")
    key = desk.add(folder)
    run = desk.sync(key)
    answer = desk.admin.get(f"/api/runs/{run['id']}/report", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="sync-')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["path"] for row in rows} == {
        "'=1+1.txt", "'+cmd.txt", "'-2.txt", "'@sum.txt", 'a"b,c.txt', "broken.pdf"
    }  # fmt: skip
    assert {row["outcome"] for row in rows if row["path"] != "broken.pdf"} == {"indexed"}
    [broken] = [row for row in rows if row["path"] == "broken.pdf"]
    assert broken["outcome"] == "failed"
    assert broken["reason"]
    answer = desk.admin.get(f"/api/runs/{run['id']}/report", params={"format": "json"})
    report = ReportOut.model_validate_json(answer.content)
    assert report.run.id == run["id"]
    assert {file.path for file in report.files} == {*HOSTILE, "broken.pdf"}
    assert all(file.chunks == 1 for file in report.files if file.outcome == "indexed")


def test_files_that_are_as_they_were_are_counted_and_not_listed(desk: Desk) -> None:
    key = desk.add(desk.folder(one__txt="The pump is blue."))
    desk.sync(key)
    run = desk.sync(key)
    report = desk.admin.get(f"/api/runs/{run['id']}/report", params={"format": "json"}).json()
    assert (report["files"], report["run"]["counts"]) == ([], {"unchanged": 1})
    [row] = csv.DictReader(io.StringIO(desk.admin.get(f"/api/runs/{run['id']}/report").text))
    when = moment(datetime.fromisoformat(run["finished_at"]))
    told = {"path": "", "outcome": "", "reason": f"Nothing changed: 1 file was looked at, {when}."}
    assert row == told | {"pages": "0", "chunks": "0"}


def test_a_sync_that_reached_no_file_says_so_in_its_report(desk: Desk) -> None:
    folder = desk.folder()
    key = desk.add(folder)
    run = desk.sync(key)
    [row] = csv.DictReader(io.StringIO(desk.admin.get(f"/api/runs/{run['id']}/report").text))
    assert row["reason"].startswith("Nothing changed: no file is there, ")
    folder.rmdir()
    run = desk.sync(key)
    assert run["state"] == "failed"
    [row] = csv.DictReader(io.StringIO(desk.admin.get(f"/api/runs/{run['id']}/report").text))
    assert (row["outcome"], row["reason"]) == ("", run["message"])  # no file failed


def test_a_run_that_is_unknown_or_a_format_that_is_none_is_refused(desk: Desk) -> None:
    assert desk.admin.get("/api/runs/unknown/report").status_code == 404
    assert desk.admin.get("/api/runs/unknown/report", params={"format": "xml"}).status_code == 422


def test_an_index_that_lost_or_kept_too_much_is_compared_and_repaired(desk: Desk) -> None:
    key = desk.add(desk.folder(one__txt="The pump is blue.", two__txt="The valve is red."))
    desk.sync(key)
    whole = {"surplus": 0, "incomplete": 0, "repaired": False}
    assert desk.admin.get("/api/index/difference").json() == whole
    desk.appliance.index.delete_document(desk.id_of(key, "one.txt"))
    assert desk.admin.get("/api/index/difference").json() == whole | {"incomplete": 1}
    assert not desk.finds("employee", "The pump is blue.")
    assert desk.admin.post("/api/index/reconcile").json() == {"surplus": 0, "incomplete": 1, "repaired": True}
    assert desk.admin.get("/api/index/difference").json() == whole
    assert desk.finds("employee", "The pump is blue.")
    assert desk.actions()[-1] == "index.reconciled"


def test_the_index_is_not_repaired_while_a_source_is_synced(desk: Desk) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with desk.appliance.runs.alone():
            entered.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(60)
    try:
        answer = desk.admin.post("/api/index/reconcile")
        assert answer.status_code == 409
        assert answer.json()["message"]
        assert "index.reconciled" not in desk.actions()
    finally:
        leave.set()
        holder.join()


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_receipts_come_in_pages(desk: Desk, limit: str) -> None:
    assert desk.admin.get("/api/receipts", params={"limit": limit}).status_code == 422
