"""Sources over HTTP, on an appliance of their own: folders come, get other groups, and are read while others look on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from appliance.api import source_folders
from appliance.config import IngestSettings, LogSettings, ModelSettings, Provider, ServerSettings, Settings
from appliance.config.identity import LdapSettings
from appliance.domain import EVERYONE, AccessFilter, DocumentState, Role
from appliance.errors import InvalidRequest
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.api.conftest import BASE, PASSWORD, Desk, write, write_documents
from tests.ingest.parse.documents import archive, mail

MAIL = mail()
SLOW = b"# Head\n\n* item *one* [a](b)\n" * 100_000  # takes longer to read than any of these tests


@contextmanager
def _opened(folder: Path) -> Iterator[Appliance]:
    settings = Settings(
        data_dir=folder / "data",
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
        ingest=IngestSettings(workers=1),
    )
    with opened(settings) as appliance:
        yield appliance


def _signed_in(appliance: Appliance, name: str) -> TestClient:
    client = TestClient(create_headless_app(appliance), base_url=BASE, follow_redirects=False)
    token = appliance.sessions.sign_in(name, PASSWORD, "127.0.0.1").token
    client.cookies.set("strongroom_session", token, domain="testserver.local", path="/")
    return client


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    with _opened(tmp_path) as built:
        yield built


@pytest.fixture
def admin(appliance: Appliance) -> TestClient:
    appliance.accounts.add("admin", PASSWORD, (Role.ADMIN,), ())
    return _signed_in(appliance, "admin")


def _add(admin: TestClient, path: Path, name: str = "Handbook") -> str:
    answer = admin.post("/api/sources", json={"name": name, "path": str(path), "groups": [EVERYONE]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _wait(appliance: Appliance) -> None:
    for run in appliance.runs.latest():
        appliance.runs.wait(run.id, 180)
        assert (run.finished_at is not None, run.error) == (True, None)


def _busy(appliance: Appliance) -> None:
    """Until the latest run has a document at hand."""
    limit = time.monotonic() + 60
    while not appliance.runs.latest()[0].progress.total and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(0.5)
    assert appliance.runs.latest()[0].finished_at is None


def test_no_folder_that_is_holds_or_lies_in_the_data_folder_becomes_a_source(
    admin: TestClient, appliance: Appliance, tmp_path: Path
) -> None:
    data = appliance.folder.path
    (tmp_path / "link").symlink_to(data / "log")
    for path in (data, data / "log", data / "index", tmp_path, Path("/"), tmp_path / "link", data / "log" / ".."):
        answer = admin.post("/api/sources", json={"name": "Own", "path": str(path), "groups": [EVERYONE]})
        assert answer.status_code == 422, path
        assert "data folder" in answer.json()["message"]
    assert appliance.catalog.sources() == []
    beside = tmp_path / "data-room"
    beside.mkdir()
    _add(admin, beside)


def test_nothing_of_the_machine_itself_becomes_a_source(admin: TestClient, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(f"/proc/{os.getpid()}")
    for path in (f"/proc/{os.getpid()}", "/proc", "/sys/kernel", "/dev", "/dev/shm", "/run", tmp_path / "link"):
        answer = admin.post("/api/sources", json={"name": "Own", "path": str(path), "groups": [EVERYONE]})
        assert (answer.status_code, "file system of the machine" in answer.text) == (422, True), path
        assert admin.post("/api/sources/preview", json={"name": "Own", "path": str(path)}).status_code == 422


def test_a_made_up_file_system_is_told_by_its_kind_and_a_disk_in_run_is_none(
    admin: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jail, disk = tmp_path / "jail", tmp_path / "a disk"
    (jail / "kernel" / "1").mkdir(parents=True)
    (disk / "documents").mkdir(parents=True)
    mounts = tmp_path / "mountinfo"
    named = str(disk).replace(" ", r"\040")
    mounts.write_text(
        f"21 1 0:21 / / rw - ext4 /dev/a rw\n22 21 0:22 / {jail}/kernel rw shared:1 - proc proc rw\n"
        f"23 21 0:23 / {tmp_path} rw - tmpfs tmpfs rw\n24 23 8:1 / {named} rw - vfat /dev/b rw\n"
    )
    monkeypatch.setattr("ingest.mounts._TABLE", mounts)
    monkeypatch.setattr(source_folders, "_OF_THE_SYSTEM", (tmp_path,))
    for path in (jail / "kernel" / "1", jail / "kernel", jail, tmp_path / "data-room"):
        path.mkdir(exist_ok=True)
        answer = admin.post("/api/sources", json={"name": "Own", "path": str(path), "groups": [EVERYONE]})
        assert answer.status_code == 422, path
    _add(admin, disk / "documents")


def test_no_folder_with_the_settings_or_a_secret_of_theirs_becomes_a_source(
    appliance: Appliance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc, documents = tmp_path / "etc", tmp_path / "srv" / "documents"
    for folder in (etc / "secrets", etc / "elsewhere", documents, tmp_path / "signer" / "keys"):
        folder.mkdir(parents=True)
    (etc / "strongroom.toml").write_text("")
    (etc / "secrets" / "ldap").write_text("secret")
    monkeypatch.setenv("STRONGROOM_CONFIG", str(etc / "strongroom.toml"))
    ldap = LdapSettings(bind_password_file=str(etc / "secrets" / "ldap"))
    log = LogSettings(signer_folder=str(tmp_path / "signer"))
    house = replace(appliance, settings=appliance.settings.model_copy(update={"ldap": ldap, "log": log}))
    for path in (etc, etc / "secrets"):
        with pytest.raises(InvalidRequest, match="holds the settings of the appliance or a file with a secret"):
            source_folders.require_folder(house, str(path))
    with pytest.raises(InvalidRequest, match="folder of the signer"):
        source_folders.require_folder(house, str(tmp_path / "signer" / "keys"))
    assert source_folders.require_folder(house, str(documents)) == documents
    ingest = IngestSettings(roots=(tmp_path / "srv",))
    house = replace(house, settings=house.settings.model_copy(update={"ingest": ingest}))
    assert source_folders.require_folder(house, str(documents)) == documents
    with pytest.raises(InvalidRequest, match=r"'ingest\.roots'"):
        source_folders.require_folder(house, str(etc / "elsewhere"))


def test_narrower_groups_act_by_a_sync_that_starts_at_once(
    admin: TestClient, appliance: Appliance, tmp_path: Path
) -> None:
    key = _add(admin, write_documents(tmp_path / "documents"))
    assert admin.post(f"/api/sources/{key}/sync").status_code == 202
    _wait(appliance)
    everyone, board = (AccessFilter(frozenset({group})) for group in (EVERYONE, "board"))

    def seen(access: AccessFilter) -> int:
        return appliance.catalog.library(access, text="", source_id=None, limit=1, offset=0).total

    assert (seen(everyone), seen(board)) == (3, 0)
    answer = admin.patch(f"/api/sources/{key}", json={"groups": ["board"]})
    assert (answer.status_code, answer.json()["groups"]) == (200, ["board"])
    runs = admin.get("/api/runs").json()
    assert [run["source_id"] for run in runs] == [key, key]
    _wait(appliance)
    assert (seen(everyone), seen(board)) == (0, 3)
    assert admin.get("/api/runs").json()[0]["counts"] == {"relabelled": 3, "unchanged": 1}


def test_new_groups_do_not_wait_for_a_long_sync_to_end(admin: TestClient, appliance: Appliance, tmp_path: Path) -> None:
    folder = write_documents(tmp_path / "documents")
    key = _add(admin, folder)
    admin.post(f"/api/sources/{key}/sync")
    _wait(appliance)
    (folder / "slow.md").write_bytes(SLOW)
    admin.post(f"/api/sources/{key}/sync")
    _busy(appliance)
    assert admin.patch(f"/api/sources/{key}", json={"groups": ["board"]}).status_code == 200
    (folder / "slow.md").unlink()
    everyone = AccessFilter(frozenset({EVERYONE}))
    limit = time.monotonic() + 60
    while appliance.catalog.library(everyone, text="", source_id=None, limit=1, offset=0).total:
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_page_picture_does_not_queue_behind_a_long_document_and_neither_does_the_end(tmp_path: Path) -> None:
    folder = write_documents(tmp_path / "documents")
    with ExitStack() as stack:
        appliance = stack.enter_context(_opened(tmp_path))
        appliance.accounts.add("admin", PASSWORD, (Role.ADMIN,), ())
        appliance.accounts.add("employee", PASSWORD, (Role.EMPLOYEE,), ())
        admin, employee = _signed_in(appliance, "admin"), _signed_in(appliance, "employee")
        key = _add(admin, folder)
        admin.post(f"/api/sources/{key}/sync")
        _wait(appliance)
        manual = next(item for item in admin.get("/api/files").json()["files"] if item["path"] == "manual.pdf")
        (folder / "slow.md").write_bytes(SLOW)
        admin.post(f"/api/sources/{key}/sync")
        _busy(appliance)
        picture = employee.get(f"/api/documents/{manual['document_id']}/pages/1.png")
        assert picture.status_code == 200
        assert picture.content.startswith(b"\x89PNG")
        run = appliance.runs.latest()[0]
        assert run.finished_at is None
        began = time.monotonic()
        stack.close()
        assert time.monotonic() - began < 15
    assert run.error is not None
    assert "was stopped" in run.error
    with _opened(tmp_path) as again:
        assert again.catalog.states() == {DocumentState.INDEXED: 4}


def test_a_source_keeps_what_it_was_given_and_takes_changes(desk: Desk) -> None:
    key = desk.add(
        desk.folder(), name="Contracts", groups=["legal", "board"], include=["**/*.txt"], exclude=["drafts/**"],
        owner="Legal", language="de", compare_every_minutes=5, watched=False, curated=True,
    )  # fmt: skip
    given = desk.admin.get("/api/sources").json()[0]
    assert given | {"path": "", "states": {}, "retry_at": None} == {
        "id": key, "name": "Contracts", "path": "", "groups": ["board", "legal"], "states": {}, "kind": "folder",
        "include": ["**/*.txt"], "exclude": ["drafts/**"], "owner": "Legal", "language": "de",
        "compare_every_minutes": 5, "watched": False, "curated": True, "paused": False, "removing": False, "removal_problem": "",
        "retry_at": None,
        "level": "", "rules": [], "share": {"kind": "none", "groups": {}},
    }  # fmt: skip
    changes = {"name": "Treaties", "owner": "", "compare_every_minutes": 0}
    assert desk.admin.patch(f"/api/sources/{key}", json=changes).json() == given | changes
    assert desk.runs_of(key) == []  # nothing about the documents changed
    assert desk.admin.patch(f"/api/sources/{key}", json={}).json() == given | changes
    assert desk.admin.patch(f"/api/sources/{key}", json={"exclude": []}).json()["exclude"] == []
    assert len(desk.runs_of(key)) == 1
    added, renamed, *_ = desk.acts()
    assert added == ("source.added", "Contracts", "kind: folder; groups: board, legal; curated")
    assert renamed == ("source.changed", "Contracts", "compare_every_s: 0; name: Treaties; owner: ")


@pytest.mark.parametrize(
    "wrong", [["/etc/**"], ["../**"], ["a/../../b"], ["{1..5000}"], ["x\0"], ["{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"] * 30]
)
def test_a_pattern_that_can_match_nothing_or_too_much_is_refused_in_a_sentence(desk: Desk, wrong: list[str]) -> None:
    key = desk.add(desk.folder())
    body = {"name": "Other", "path": str(desk.folder()), "groups": [EVERYONE], "include": wrong}
    answers = (
        desk.admin.post("/api/sources", json=body),
        desk.admin.post("/api/sources/preview", json=body),
        desk.admin.patch(f"/api/sources/{key}", json={"exclude": wrong}),
    )
    for answer in answers:
        assert answer.status_code == 422
        assert "pattern" in answer.json()["message"]
    assert len(desk.admin.get("/api/sources").json()) == 1


def test_what_a_new_pattern_leaves_out_is_gone_after_the_sync_that_follows(desk: Desk) -> None:
    key = desk.add(desk.folder(kept__txt="The pump is blue.", left__txt="The valve is red."))
    desk.sync(key)
    desk.admin.patch(f"/api/sources/{key}", json={"exclude": ["left*"]})
    desk.wait()
    assert desk.states(key) == {"kept.txt": "indexed"}
    assert not desk.finds("employee", "The valve is red.")


def test_a_preview_counts_what_a_sync_would_do_and_changes_nothing(desk: Desk) -> None:
    folder = desk.folder(same__txt="The pump is blue.", old__txt="The valve is red.", gone__txt="The hose is long.")
    key = desk.add(folder, exclude=["*.tmp"])
    desk.sync(key)
    files, acts, runs = desk.files(key), desk.acts(), desk.runs()
    write(folder / "old.txt", "The valve is green, and larger than it was.")
    write(folder / "new.txt", "The seal is new.")
    write(folder / "left.tmp", "Nobody wants this.")
    write(folder / "large.txt", b"x" * 3_000_001)
    (folder / "gone.txt").unlink()
    preview = desk.admin.get(f"/api/sources/{key}/preview").json()
    assert preview["counts"] == {"leave": 1, "read_again": 1, "read": 1, "refuse": 1, "remove": 1, "left_out": 1}
    assert {file["path"]: file["action"] for file in preview["files"]} == {
        "old.txt": "read_again", "new.txt": "read", "large.txt": "refuse", "gone.txt": "remove"
    }  # fmt: skip
    assert all(file["reason"] for file in preview["files"])
    assert not preview["needs_confirmation"]
    again = desk.admin.get(f"/api/sources/{key}/preview", params={"again": "everything"}).json()
    assert again["counts"]["read_again"] == 2
    write(folder / ".access.toml", 'groups = ["hr"]')
    assert desk.admin.get(f"/api/sources/{key}/preview").json()["counts"]["relabel"] == 1
    assert (desk.files(key), desk.acts(), desk.runs()) == (files, acts, runs)
    assert desk.finds("employee", "The valve is red.")


def test_a_folder_can_be_looked_at_before_it_becomes_a_source(desk: Desk, tmp_path: Path) -> None:
    folder = desk.folder(one__txt="The pump is blue.", two__pdf="no pdf")
    body = {"name": "New", "path": str(folder), "groups": [EVERYONE], "include": ["*.txt"]}
    preview = desk.admin.post("/api/sources/preview", json=body).json()
    assert preview["counts"] == {"read": 1, "left_out": 1}
    assert desk.admin.get("/api/sources").json() == []
    assert desk.acts() == []
    assert desk.admin.post("/api/sources/preview", json=body | {"kind": "uploads", "path": ""}).status_code == 422
    inside = desk.appliance.folder.path / "log"
    assert desk.admin.post("/api/sources/preview", json=body | {"path": str(inside)}).status_code == 422


def test_pausing_ends_a_running_sync_and_nothing_starts_until_it_is_resumed(desk: Desk) -> None:
    folder = desk.folder(first__txt="The pump is blue.")
    write(folder / "long.txt", "".join(f"Sentence {number} is about the press.\n" for number in range(40_000)))
    key = desk.add(folder)
    desk.admin.post(f"/api/sources/{key}/sync")
    assert desk.admin.post(f"/api/sources/{key}/pause").json()["paused"]
    desk.wait()
    run = desk.runs_of(key)[0]
    assert run["state"] == "failed"
    assert "paused" in run["message"]
    assert desk.states(key).get("long.txt") is None
    (folder / "long.txt").unlink()
    answer = desk.admin.post(f"/api/sources/{key}/sync")
    assert answer.status_code == 409
    assert "Resume it first" in answer.json()["message"]
    assert desk.admin.patch(f"/api/sources/{key}", json={"owner": "Works"}).status_code == 200
    source = desk.appliance.catalog.source(key)
    desk.appliance.runs.request(source)  # as the watcher would, if it saw the source a moment before
    desk.wait()
    assert "paused" in desk.runs_of(key)[0]["message"]
    assert desk.states(key) == {} or "first.txt" in desk.states(key)
    assert not desk.admin.post(f"/api/sources/{key}/resume").json()["paused"]
    desk.wait()
    assert desk.runs_of(key)[0]["state"] == "finished"
    assert desk.states(key) == {"first.txt": "indexed"}
    assert [action for action in desk.actions() if action != "source.synced"] == [
        "source.added", "source.paused", "source.changed", "source.resumed"
    ]  # fmt: skip


def test_narrower_groups_act_at_once_on_a_paused_source_and_wider_ones_once_it_is_resumed(desk: Desk) -> None:
    key = desk.add(desk.folder(a__txt="The pump is blue."))
    desk.admin.post(f"/api/sources/{key}/sync")
    desk.wait()
    before = len(desk.runs_of(key))
    desk.admin.post(f"/api/sources/{key}/pause")
    document = desk.appliance.catalog.files(key)["a.txt"].document_id

    def label() -> frozenset[str]:
        return desk.appliance.catalog.facts(document).groups

    assert desk.admin.patch(f"/api/sources/{key}", json={"groups": ["hr"]}).status_code == 200
    assert "everyone" not in label()
    desk.wait()
    assert len(desk.runs_of(key)) == before
    assert desk.admin.patch(f"/api/sources/{key}", json={"groups": ["everyone"]}).status_code == 200
    desk.wait()
    assert "everyone" not in label()
    desk.admin.post(f"/api/sources/{key}/resume")
    desk.wait()
    assert label() == {"everyone"}


def test_when_most_files_are_missing_their_documents_are_kept_until_somebody_confirms(desk: Desk) -> None:
    folder = desk.folder()
    for number in range(24):
        write(folder / f"{number:02}.txt", f"Pump number {number} is blue.")
    key = desk.add(folder)
    desk.sync(key)
    documents = {path: file["document_id"] for path, file in desk.files(key).items()}
    for number in range(22):
        (folder / f"{number:02}.txt").unlink()
    assert desk.admin.get(f"/api/sources/{key}/preview").json()["needs_confirmation"]
    run = desk.sync(key)
    assert run["state"] == "failed"
    assert "22 documents" in run["message"]
    assert "confirm" in run["message"]
    assert run["counts"] == {"missing": 22, "unchanged": 2}
    assert run["failures"] == 22
    assert len(desk.states(key)) == 24
    assert desk.finds("employee", "Pump number 3 is blue.")
    run = desk.sync(key, missing_ok=True)
    assert (run["state"], run["counts"]) == ("finished", {"gone": 22, "unchanged": 2})
    assert not desk.finds("employee", "Pump number 3 is blue.")
    receipts = desk.admin.get("/api/receipts", params={"limit": 22}).json()
    assert {receipt["path"] for receipt in receipts} == {f"{number:02}.txt" for number in range(22)}
    assert all((receipt["chunks_before"], receipt["chunks_after"]) == (1, 0) for receipt in receipts)
    [own] = desk.admin.get("/api/receipts", params={"document_id": documents["03.txt"]}).json()
    assert own["path"] == "03.txt"
    assert ("source.synced", desk.name(key), "missing files may go") in desk.acts()


def test_a_folder_that_is_suddenly_empty_needs_confirming_too(desk: Desk) -> None:
    folder = desk.folder(one__txt="The pump is blue.")
    key = desk.add(folder)
    desk.sync(key)
    (folder / "one.txt").unlink()
    assert desk.admin.get(f"/api/sources/{key}/preview").json()["needs_confirmation"]
    assert "is empty" in desk.sync(key)["message"]
    assert desk.sync(key, missing_ok=True)["counts"] == {"gone": 1}


def test_removing_a_source_leaves_a_receipt_for_each_document_and_the_files_where_they_are(desk: Desk) -> None:
    folder = desk.folder(one__txt="The pump is blue.", letter__eml=MAIL)
    key = desk.add(folder)
    desk.sync(key)
    held = {file["document_id"] for file in desk.files(key).values() if file["state"] == "indexed"}
    assert len(held) == 3  # the mail's table is a document of its own
    desk.remove(key)
    receipts = [item for item in desk.admin.get("/api/receipts").json() if item["document_id"] in held]
    assert {(item["chunks_before"] > 0, item["chunks_after"]) for item in receipts} == {(True, 0)}
    assert {item["document_id"] for item in receipts} == held
    assert not desk.finds("employee", "The pump is blue.")
    assert desk.appliance.index.count() == 0
    assert sorted(path.name for path in folder.iterdir()) == ["letter.eml", "one.txt"]
    assert "source.removed" in desk.actions()


def test_while_a_source_is_removed_no_other_is_synced_and_puts_back_what_is_half_removed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = desk.add(desk.folder(one__txt="The pump is blue.")), desk.add(desk.folder(two__txt="The seal is new."))
    desk.sync(key)
    catalog, runs = desk.appliance.catalog, desk.appliance.runs
    record, meanwhile = catalog.record, []

    def record_while_another_is_asked_for(*given: Any, **how: Any) -> None:
        run = runs.request(catalog.source(other))  # as the watcher would
        runs.wait(run.id, 0.5)
        meanwhile.append(run.finished_at)
        record(*given, **how)

    monkeypatch.setattr(catalog, "record", record_while_another_is_asked_for)
    desk.remove(key)
    monkeypatch.undo()
    assert meanwhile == [None]
    desk.wait()
    assert desk.states(other) == {"two.txt": "indexed"}
    assert desk.appliance.index.count() == 1


def test_a_source_is_out_of_sight_at_once_while_another_is_synced_and_gone_when_that_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.api.sources._WAIT_S", 0.1)
    folder = desk.folder(one__txt="The pump is blue.")
    key = desk.add(folder)
    desk.sync(key)
    with desk.appliance.runs.alone():  # as a sync is
        assert desk.admin.delete(f"/api/sources/{key}").status_code == 202
        assert not desk.finds("employee", "The pump is blue.")
        assert [item["removing"] for item in desk.admin.get("/api/sources").json() if item["id"] == key] == [True]
        for act in ("sync", "resume"):
            answer = desk.admin.post(f"/api/sources/{key}/{act}")
            assert (answer.status_code, "is being removed" in answer.json()["message"]) == (409, True)
        overlapping = {"name": "Again", "path": str(folder), "groups": [EVERYONE]}
        assert "is being removed" in desk.admin.post("/api/sources", json=overlapping).json()["message"]
        assert desk.admin.delete(f"/api/sources/{key}").status_code == 202
    assert desk.appliance.removals.wait(key, 60)
    assert desk.appliance.index.count() == 0
    assert desk.admin.delete(f"/api/sources/{key}").status_code == 404
    assert desk.actions().count("source.removed") == 1
    assert desk.actions()[-1] == "source.removal_ended"


def test_a_removal_that_failed_says_why_in_the_list_and_on_health(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = desk.add(desk.folder(one__txt="The pump is blue."))
    desk.sync(key)
    with monkeypatch.context() as patched:
        patched.setattr("appliance.api.sources._WAIT_S", 0.0)
        patched.setattr(desk.appliance.index, "delete_document", lambda _: None)
        assert desk.admin.delete(f"/api/sources/{key}").status_code == 202
        latest = time.monotonic() + 30
        while not desk.appliance.removals.problem(key) and time.monotonic() < latest:
            time.sleep(0.05)
        [source] = [item for item in desk.admin.get("/api/sources").json() if item["id"] == key]
        assert source["removal_problem"].startswith("The index still holds 1 chunks")
        checks = {check["name"]: check for check in desk.admin.get("/api/health").json()["checks"]}
        assert checks["removals"]["status"] == "warning"
        assert source["removal_problem"] in checks["removals"]["detail"]
    desk.appliance.removals.begin(key)
    assert desk.appliance.removals.wait(key, 60)
    names = {check["name"] for check in desk.admin.get("/api/health").json()["checks"]}
    assert "removals" not in names


def test_a_sync_of_a_source_ends_when_the_source_is_removed(
    admin: TestClient, appliance: Appliance, tmp_path: Path
) -> None:
    folder = write_documents(tmp_path / "documents")
    key = _add(admin, folder)
    (folder / "slow.md").write_bytes(SLOW)
    admin.post(f"/api/sources/{key}/sync")
    _busy(appliance)
    began = time.monotonic()
    assert admin.delete(f"/api/sources/{key}").status_code in (202, 204)
    assert appliance.removals.wait(key, 60)
    assert time.monotonic() - began < 60
    assert admin.get("/api/sources").json() == []
    assert appliance.index.count() == 0


def test_a_preview_calls_what_will_be_refused_or_is_empty_so_and_health_does_not_mind_the_latter(desk: Desk) -> None:
    files = {
        "budget__numbers": archive(("Index/Document.iwa", b"x")),
        "mail__p7s": b"0\x82",
        "void__txt": b"",
        "kept__txt": "The pump is blue.",
    }
    folder = desk.folder(**files)
    key = desk.add(folder)
    preview = desk.admin.get(f"/api/sources/{key}/preview").json()
    assert preview["counts"] == {"refuse": 2, "read": 1, "empty": 1, "left_out": 0}
    told = {file["path"]: (file["action"], file["reason"]) for file in preview["files"]}
    assert told["budget.numbers"] == (
        "refuse",
        "By its name, the file is an Apple Numbers file, a kind that is not read; export it as .xlsx.",
    )
    assert told["void.txt"] == ("empty", "The file is empty: there is nothing in it to read.")
    desk.sync(key)
    assert desk.states(key) == {
        "budget.numbers": "refused", "mail.p7s": "refused", "void.txt": "empty", "kept.txt": "indexed"
    }  # fmt: skip
    checks = {check["name"]: check for check in desk.admin.get("/api/health").json()["checks"]}
    assert (checks["catalog"]["status"], checks["catalog"]["detail"]) == ("warning", "1 indexed, 1 empty, 2 refused")
    for name in ("budget.numbers", "mail.p7s"):
        (folder / name).unlink()
    desk.sync(key)
    checks = {check["name"]: check for check in desk.admin.get("/api/health").json()["checks"]}
    assert (checks["catalog"]["status"], checks["catalog"]["detail"]) == ("ok", "1 indexed, 1 empty, 2 gone")


def test_the_latest_sync_of_a_source_is_told_of_however_many_others_there_were_since(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, busy = (
        desk.add(desk.folder(one__txt="The pump is blue.")),
        desk.add(desk.folder(two__txt="The seal is new.")),
    )
    first = desk.sync(quiet)["id"]
    latest = desk.appliance.history.latest
    for _ in range(2):
        desk.sync(busy)
    monkeypatch.setattr(desk.appliance.history, "latest", lambda: latest(1))
    assert first in [run["id"] for run in desk.runs_of(quiet)]


def test_reading_everything_again_reads_what_did_not_change(desk: Desk) -> None:
    key = desk.add(desk.folder(one__txt="The pump is blue.", two__pdf=b"%PDF-1.7 broken"))
    desk.sync(key)
    assert desk.sync(key)["counts"] == {"unchanged": 1, "failed": 1}
    before = desk.files(key)["two.pdf"]["updated_at"]
    desk.sync(key, again="troubled")
    assert desk.files(key)["two.pdf"]["updated_at"] > before
    assert desk.sync(key, again="everything")["counts"] == {"indexed": 1, "failed": 1}
    assert desk.admin.post(f"/api/sources/{key}/sync", json={"again": "sometimes"}).status_code == 422
