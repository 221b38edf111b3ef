"""The admin's pages for taking documents in, and what the library shows of it, against the stand-in API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from appliance.api.schemas.runs import RunOut
from appliance.api.schemas.sources import LabelRuleOut, Reread, ShareOut, SyncIn
from appliance.domain import DocumentState, ShareKind
from tests.ui.api_standin import HANDBOOK, POLICY, Standin
from tests.ui.ingest_standin import CLOSED, LONG_SCAN, WITHDRAWABLE, Intake
from ui import pieces

pytestmark = pytest.mark.integration

Open = Callable[..., AppTest]


@pytest.fixture
def intake(state: Standin) -> Intake:
    return state.intake


def _run_admin(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import admin

    client = Client(url, "adam")
    with pieces.problems_shown():
        pieces.say_what_was_kept()
        admin.page(client, client.me())


def _run_library(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import library

    with pieces.problems_shown():
        library.page(Client(url, "erin"))


@pytest.fixture
def opened(base_url: str) -> Open:
    """Opens a tab of the administration."""

    def opening(tab: str = "Sources", **kept: object) -> AppTest:
        at = AppTest.from_function(_run_admin, kwargs={"url": base_url}, default_timeout=20)
        at.session_state["admin-tab"] = tab
        for name, value in kept.items():
            at.session_state[name] = value
        return at.run()

    return opening


@pytest.fixture
def library(base_url: str) -> AppTest:
    return AppTest.from_function(_run_library, kwargs={"url": base_url}, default_timeout=20).run()


def shown(at: AppTest) -> str:
    """All the HTML on the page."""
    assert not at.exception, at.exception
    return "\n".join(element.proto.body for element in at.get("html"))


def press(at: AppTest, words: str, dialog: str = "") -> AppTest:
    """Press the one button with these words, in the dialog that the button with the key `dialog` opens."""
    (button,) = [button for button in at.button if button.label == words]
    button.click()
    return again(at, dialog)


def again(at: AppTest, dialog: str = "") -> AppTest:
    """Run once more. The test runner knows no runs of a dialog alone, so the button that opens it is held down."""
    if dialog:
        at.button(key=dialog).click()
    return at.run()


def field(at: AppTest, kind: str, words: str) -> object:
    """The one field with this label."""
    (found,) = [field for field in at.get(kind) if field.label == words]
    return found


# sources


def test_a_panel_says_how_a_source_is_kept(opened: Open) -> None:
    page = shown(opened())
    for words in (
        "41 indexed",
        "2 need a password",
        "Compared every hour, watched for changes",
        "Compared every day, not watched",
        "Owner: Records office",
        "Language: en",
        "Takes in only **/*.pdf, **/*.docx",
        "Leaves out drafts/**",
        "tried again 20 Nov 2026, 10:10 UTC",
        ">uploads<",
        ">curated<",
        "1 waiting for review",
    ):
        assert words in page, words
    assert "/var/lib/strongroom/uploads" not in page  # nobody is to put files there by hand


def test_a_source_is_paused_and_resumed(opened: Open, intake: Intake) -> None:
    at = opened()
    at.button(key="pause-s-1").click().run()
    assert intake.source("s-1").paused
    assert "Neither compared nor watched while it is paused" in shown(at)
    assert "Compared every hour" not in shown(at)
    assert "Policies is left as it is until you resume it." in shown(at)
    assert at.button(key="sync-s-1").disabled
    at.button(key="resume-s-1").click().run()
    assert not intake.source("s-1").paused
    assert not at.button(key="sync-s-1").disabled


def test_what_cannot_be_shown_is_said_in_its_place_and_the_rest_of_the_page_comes(opened: Open, state: Standin) -> None:
    state.down = {("GET", "/api/runs"), ("GET", "/api/access/terms")}
    at = opened()
    page = shown(at)
    assert page.index("/api/runs does not answer") < page.index("Policies") < page.index("Handbooks")
    assert page.index("Contracts") < page.index("/api/access/terms does not answer")
    assert "Not synced yet" not in page  # nobody knows
    assert field(at, "text_input", "Name of the place")
    at = opened("Files")
    assert "60 files" in shown(at)


def test_an_act_that_is_refused_takes_nothing_away(opened: Open, state: Standin) -> None:
    state.down = {("POST", "/api/sources/s-1/pause")}
    at = opened()
    at.button(key="pause-s-1").click().run()
    page = shown(at)
    assert page.index("Policies") < page.index("/api/sources/s-1/pause does not answer") < page.index("Handbooks")
    for key in ("pause-s-1", "remove-s-1", "sync-s-2", "remove-s-3"):
        assert at.button(key=key)
    assert field(at, "text_input", "Folder on this machine")


def test_health_is_shown_although_the_sources_cannot_be(opened: Open, state: Standin) -> None:
    state.down = {("GET", "/api/sources")}
    assert "/api/sources does not answer" in shown(opened())
    health = shown(opened("Health"))
    assert "your attention" in health
    assert health.index("Language model") < health.index("Disk space") < health.index("Catalog")  # the worst first


@pytest.mark.parametrize(
    ("reason", "found", "told"),
    [
        ("It is damaged.", False, "It is damaged. Nobody sees what it says."),
        (
            "Turned down by a curator: wrong edition",
            True,
            "Turned down by a curator: wrong edition. What was read of it before is still found.",
        ),
    ],
)
def test_why_a_document_is_seen_says_that_its_file_was_not_taken_in(
    opened: Open, state: Standin, reason: str, found: bool, told: str
) -> None:
    state.doorkeeper.not_taken_in, state.doorkeeper.is_found = reason, found
    at = opened("Access")
    at.radio(key="access-view").set_value("Why a document is seen").run()
    assert f">The file as it is now was not taken in: {told}<" in shown(at)


def test_a_source_on_its_way_out_says_what_it_waits_for_and_offers_nothing(opened: Open, intake: Intake) -> None:
    intake.removes_at_once = False
    intake.begin("s-2")
    at = opened()
    at.button(key="remove-s-1").click().run()
    press(at, "Remove source", "remove-s-1")
    page = shown(at)
    assert "Nobody sees the documents of Policies any more." in page
    assert ">being removed<" in page
    assert "It waits for the sync of Handbooks to end." in page
    assert "paused" not in page
    assert "sync-s-1" not in [button.key for button in at.button]
    assert at.button(key="remove-s-2")


def test_a_removal_that_failed_says_why_in_its_panel(opened: Open, intake: Intake) -> None:
    intake.change("s-1", removing=True, paused=True, removal_problem="The index <b>does</b> not answer.")
    page = shown(opened())
    assert "Removing it failed, and is tried again every minute." in page
    assert "The index &lt;b&gt;does&lt;/b&gt; not answer." in page


def test_a_panel_says_what_may_let_others_see_a_document(opened: Open, intake: Intake) -> None:
    intake.change("s-2", rules=[LabelRuleOut(paths=["hr/**"], groups=["hr"])])
    page = shown(opened())
    assert "Seen by everyone, unless an access file says otherwise" in page
    assert "Seen by claims, underwriting, unless an access file or a rule says otherwise" in page
    assert "Seen by claims<" in page  # nobody puts access files among uploads
    intake.change("s-1", share=ShareOut(kind=ShareKind.POSIX))
    assert "Seen by whoever may read them on their share, unless" in shown(opened())


def test_a_preview_warns_when_the_patterns_leave_out_every_file(opened: Open, intake: Intake) -> None:
    intake.all_left_out = True
    at = opened()
    at.button(key="preview-s-1").click().run()
    assert "leave out every file" in shown(at)
    assert "touch no file" not in shown(at)


def test_a_preview_says_what_a_sync_would_do_and_starts_it_as_it_was_looked_at(opened: Open, intake: Intake) -> None:
    at = opened()
    at.button(key="preview-s-1").click().run()
    page = shown(at)
    assert "Files to be read (new)" in page
    assert "Files left out by the patterns" in page
    assert "new/report.pdf" in page
    assert "It is new." in page
    assert ">try to read<" in page  # nothing was parsed yet
    assert "would keep their documents and ask first" not in page
    at.radio(key="preview-again-s-1").set_value(Reread.EVERYTHING)
    again(at, "preview-s-1")
    assert "would keep their documents and ask first" in shown(at)
    press(at, "Sync like this", "preview-s-1")
    assert intake.wishes == [("s-1", SyncIn(again=Reread.EVERYTHING))]


def test_files_are_read_again_as_chosen(opened: Open, intake: Intake) -> None:
    at = opened()
    at.button(key="reread-s-2").click().run()
    at.radio(key="reread-what-s-2").set_value(Reread.EVERYTHING)
    press(at, "Read again now", "reread-s-2")
    assert intake.wishes == [("s-2", SyncIn(again=Reread.EVERYTHING))]


def test_missing_files_are_removed_only_after_a_confirmation(opened: Open, intake: Intake) -> None:
    at = opened()
    assert "They were kept" in shown(at)
    at.button(key="missing-s-2").click().run()
    assert intake.wishes == []
    assert "30 documents of Handbooks leave the index" in shown(at)
    press(at, "Remove them from the index", "missing-s-2")
    assert intake.wishes == [("s-2", SyncIn(missing_ok=True))]


def test_a_sync_that_runs_is_followed_after_a_reload(opened: Open, intake: Intake) -> None:
    run = intake.begin("s-1")
    intake.files_per_s = 1
    intake.runs[0] = (intake.runs[0][0] - 30, run)  # half of it is done
    at = opened()
    page = shown(at)
    assert "pages/s" in page
    assert "left" in page
    assert "file to look at" in page
    assert "policies/document-" in page
    assert at.button(key="sync-s-1").disabled


def test_settings_send_only_what_was_changed(opened: Open, intake: Intake, state: Standin) -> None:
    at = opened()
    at.button(key="settings-open-s-1").click().run()
    at.text_area(key="exclude-s-1").set_value("drafts/**\n\n  old/** \n")
    at.selectbox(key="every-s-1").set_value(0)
    before = intake.source("s-1")
    press(at, "Save settings", "settings-open-s-1")
    assert intake.source("s-1") == before.model_copy(
        update={"exclude": ["drafts/**", "old/**"], "compare_every_minutes": 0}
    )
    assert "The settings of Policies are changed." in shown(at)
    at.button(key="settings-open-s-1").click().run()
    press(at, "Save settings", "settings-open-s-1")
    assert "Nothing was changed." in shown(at)
    assert [method for method, path, _ in state.requests if path == "/api/sources/s-1"] == ["PATCH"]


def test_a_folder_is_looked_at_first_and_added_with_its_settings(opened: Open, intake: Intake) -> None:
    at = opened()
    field(at, "text_input", "Name").set_value("Claims")  # type: ignore[attr-defined]
    field(at, "text_input", "Folder on this machine").set_value("/srv/claims")  # type: ignore[attr-defined]
    at.text_area(key="include-add").set_value("**/*.md")
    at.text_input(key="language-add").set_value("DE")
    at.checkbox(key="curated-add").set_value(True)
    assert at.selectbox(key="level-add").options == [
        "As the settings have it",
        "public",
        "internal",
        "confidential",
        "secret",
    ]
    at.selectbox(key="level-add").set_value("secret")
    press(at, "Preview first")
    assert "Nothing in Claims is changed by looking." in shown(at)
    assert len(intake.sources) == 3
    press(at, "Add folder")
    added = intake.sources[-1]
    assert (added.name, added.include, added.language, added.curated) == ("Claims", ["**/*.md"], "de", True)
    assert added.level == "secret"
    assert "Added Claims. Its files are being read." in shown(at)
    assert intake.wishes == [(added.id, SyncIn())]


def test_a_folder_that_is_added_but_not_read_says_so(opened: Open, intake: Intake, state: Standin) -> None:
    state.down = {("POST", "/api/sources/s-4/sync")}
    at = opened()
    field(at, "text_input", "Name").set_value("Claims")  # type: ignore[attr-defined]
    field(at, "text_input", "Folder on this machine").set_value("/srv/claims")  # type: ignore[attr-defined]
    press(at, "Add folder")
    page = shown(at)
    assert "Its files are not read yet: /api/sources/s-4/sync does not answer" in page
    assert "Not synced yet. Sync it once" in page


def test_a_place_for_uploads_is_added_and_files_are_handed_over(opened: Open, intake: Intake) -> None:
    at = opened()
    field(at, "text_input", "Name of the place").set_value("Expert opinions")  # type: ignore[attr-defined]
    press(at, "Add place for uploads")
    assert intake.sources[-1].kind == "uploads"
    assert intake.sources[-1].curated
    at = opened()
    assert "Nothing was uploaded yet." in shown(at)
    assert "Expert opinions" in shown(at)
    at.file_uploader(key="files-s-3").set_value(
        [("annex.pdf", b"%PDF-", "application/pdf"), (".hidden", b"x", "text/plain")]
    )
    next(button for button in at.button if button.label == "Take these files in").click().run()
    assert intake.uploaded == [("s-3", "annex.pdf", 5)]
    page = shown(at)
    assert "1 of 2 files taken" in page
    assert "is a hidden name" in page
    assert page.index(".hidden") < page.index("annex.pdf")  # what went wrong comes first
    row = page.split("annex.pdf")[1].split("</tr>")[0]
    assert "sr-badge" in row


def test_uploading_nothing_says_so(opened: Open, intake: Intake) -> None:
    at = opened()
    press(at, "Take these files in")
    assert "Choose the files to upload first." in shown(at)
    assert intake.uploaded == []


def test_the_latest_uploads_are_listed_when_the_page_is_opened_again(opened: Open, intake: Intake) -> None:
    intake.uploaded = [("s-3", "annex.pdf", 5), ("s-3", "lease.pdf", 7)]
    page = shown(opened())
    assert "Latest uploads" in page
    assert page.index("lease.pdf") < page.index("annex.pdf")


def test_what_stands_and_what_the_last_sync_did_are_told_apart(opened: Open, intake: Intake) -> None:
    run = intake.begin("s-1")
    intake.runs[0] = (intake.runs[0][0] - 60, run)  # it ended long ago
    page = shown(opened())
    assert "All its files now:" in page
    did = page.split("What the last sync did")[1].split("</p>")[0]
    assert "3 read and indexed, 55 unchanged, 1 needing a password, 1 failed" in did


def test_what_a_sync_that_has_ended_left_is_shown_although_it_ended_while_the_page_was_drawn(
    opened: Open, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.begin("s-2")
    intake.files_per_s = 1_000_000  # it has ended as soon as somebody asks for the runs
    runs_now = intake.runs_now

    def ended() -> list[RunOut]:
        intake.change("s-2", states={DocumentState.INDEXED: 15})
        return runs_now()

    monkeypatch.setattr(intake, "runs_now", ended)
    page = shown(opened())
    assert page.count("What the last sync did") == 1
    assert "15 indexed" in page


def test_a_page_is_drawn_anew_once_a_sync_begins_unless_a_dialog_is_open(opened: Open, intake: Intake) -> None:
    at = opened()
    assert not at.button(key="sync-s-1").disabled
    intake.begin("s-1")
    at.button(key="settings-open-s-2").click().run()  # the whole page, with what began
    assert at.button(key="sync-s-1").disabled
    assert at.session_state["strongroom_dialog_is_open"]
    at.run()
    assert not at.session_state["strongroom_dialog_is_open"]


# runs


def test_the_runs_are_listed_with_their_reports(opened: Open) -> None:
    page = shown(opened("Runs"))
    assert "12 unchanged, 30 missing and kept" in page
    assert "4 s" in page
    assert 'href="/api/runs/r-0/report?format=csv"' in page
    assert 'href="/api/runs/r-0/report?format=json"' in page


# files


def test_every_state_can_be_asked_for(opened: Open) -> None:
    at = opened("Files")
    offered = set(at.selectbox(key="files-state").options)
    assert {"Duplicate", "Waiting for review", "Quarantined", "Needs a password", "Gone"} <= offered
    at.selectbox(key="files-state").set_value("quarantined").run()
    page = shown(at)
    assert "It broke its parser 3 times." in page
    assert ">indexed<" not in page


def test_a_size_nobody_knows_is_not_told(opened: Open) -> None:
    page = shown(opened("Files", **{"files-state": "needs_password"}))
    assert "needs a password" in page
    assert "bytes" not in page


def test_a_file_in_trouble_says_how_often_it_was_tried_and_when_again(opened: Open) -> None:
    page = shown(opened("Files", **{"files-state": "failed"}))
    assert "tried 3 times" in page
    assert "tried again 20 Nov 2026, 11:30 UTC" in page


def test_the_pages_of_a_long_file_come_in_groups_and_each_says_how_it_was_read(opened: Open) -> None:
    at = opened("Files")
    at.button(key=f"open-{LONG_SCAN}").click().run()
    page = shown(at)
    assert page.count("<li><a class=") == 200
    assert 'title="Page 3 · Read from the image, not surely · 940 characters · sure to 41%"' in page
    assert 'title="Page 11 · No text · 0 characters · The page is blank."' in page
    assert f'href="/api/documents/{LONG_SCAN}/pages/3.png"' in page
    groups = at.selectbox(key=f"group-file-{LONG_SCAN}")
    assert groups.options[6] == "1,201 to 1,400, 18 without text, 30 unsure"
    groups.set_value(6)
    again(at, f"open-{LONG_SCAN}")
    assert "/pages/1400.png" in shown(at)
    at.number_input(key=f"page-file-{LONG_SCAN}").set_value(1_203)
    again(at, f"open-{LONG_SCAN}")
    assert f'<img class="sr-page" src="/api/documents/{LONG_SCAN}/pages/1203.png"' in shown(at)


def test_pages_somebody_may_not_read_are_counted_but_not_opened(opened: Open) -> None:
    at = opened("Files")
    at.button(key=f"open-{CLOSED}").click().run()
    page = shown(at)
    assert page.count('<li><span class="sr-cell') == 24
    assert ".png" not in page
    assert "shown to those who may read them: board" in page


def test_a_password_is_given_once_and_not_kept(opened: Open, intake: Intake) -> None:
    at = opened("Files")
    at.button(key="open-d-2").click().run()
    field(at, "text_input", "Password of the file").set_value("a long secret")  # type: ignore[attr-defined]
    press(at, "Open with this password", "open-d-2")
    assert intake.passwords == [("d-2", "a long secret")]
    assert "is being read with the password" in shown(at)
    assert "a long secret" not in shown(at)
    assert "a long secret" not in str(at.session_state._state.filtered_state)


def test_one_file_or_all_in_trouble_are_tried_again(opened: Open, intake: Intake) -> None:
    at = opened("Files")
    at.button(key="open-d-3").click().run()
    press(at, "Try again", "open-d-3")
    assert intake.retried == ["d-3"]
    at = opened("Files", **{"files-source": "s-1"})
    press(at, "Try 3 files in trouble again")
    assert intake.wishes == [("s-1", SyncIn(again=Reread.TROUBLED))]


def test_only_an_upload_can_be_withdrawn(opened: Open, intake: Intake) -> None:
    at = opened("Files")
    at.button(key="open-d-1").click().run()
    assert not [button for button in at.button if button.label == "Withdraw file"]
    at.button(key=f"open-{WITHDRAWABLE}").click().run()
    press(at, "Withdraw file", f"open-{WITHDRAWABLE}")
    assert intake.withdrawn == [WITHDRAWABLE]


def test_of_a_file_that_was_not_read_nothing_is_said_of_its_kind(opened: Open, intake: Intake) -> None:
    unread = next(file for file in intake.files() if file.state is DocumentState.FAILED)
    at = opened("Files", **{"files-state": "failed"})
    at.button(key=f"open-{unread.document_id}").click().run()
    page = shown(at)
    assert "This file was not read, so nothing is known of its pages." in page
    assert "has no pages" not in page


def test_a_file_that_is_gone_shows_its_receipt(opened: Open) -> None:
    at = opened("Files")
    at.button(key="open-d-8").click().run()
    page = shown(at)
    assert "12 before, 0 after" in page
    assert "sr-strip" not in page
    assert not [button for button in at.button if button.label in ("Try again", "Read again")]


def test_a_file_that_was_read_is_read_again_not_tried(opened: Open, intake: Intake) -> None:
    at = opened("Files")
    at.button(key="open-d-1").click().run()
    press(at, "Read again", "open-d-1")
    assert intake.retried == ["d-1"]


# review


def test_a_document_is_reviewed_and_approved_as_it_was_seen(opened: Open, intake: Intake) -> None:
    at = opened("Review")
    assert "2 documents wait for review." in shown(at)
    assert "2 more wait for somebody who may read them." in shown(at)
    at.button(key="review-w-0").click().run()
    page = shown(at)
    assert "Added: 612 lines, here are the first 1" in page
    assert '<span class="sr-hidden">Removed: </span><del dir="auto">Notice is given six months' in page
    assert "4 Termination" in page
    assert "/api/reviews/w-0/pages/1.png" in page
    press(at, "Approve", "review-w-0")
    assert intake.approved == [("w-0", "w-0-v")]
    assert "1 document waits for review." in shown(at)


def test_a_document_is_turned_down_with_a_reason_only(opened: Open, intake: Intake) -> None:
    at = opened("Review")
    assert shown(at).count("a copy of a released document") == 1
    at.button(key="review-w-1").click().run()
    assert "The very same file is released already: old/annex-b.docx (Archive)." in shown(at)
    press(at, "Turn down", "review-w-1")
    assert "Say why you turn it down" in shown(at)
    assert intake.turned_down == []
    field(at, "text_input", "Reason, if you turn it down").set_value("Superseded by annex C.")  # type: ignore[attr-defined]
    press(at, "Turn down", "review-w-1")
    assert intake.turned_down == [("w-1", "Superseded by annex C.")]


# library


def test_a_search_of_the_library_that_finds_nothing_says_what_to_try(library: AppTest) -> None:
    assert "Nothing that you may see" not in shown(library)
    library.text_input(key="library-text").set_value("zeppelin").run()
    assert "Nothing that you may see has this in its title or path." in shown(library)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("2000-01-01T00:00:00+00:00", "1 Jan 2000"),
        ("2026-02-03", "3 Feb 2026"),
        ("2026-02-03T14:05:00+01:00", "3 Feb 2026, 13:05 UTC"),
        ("2026-02-03T14:05:00", "3 Feb 2026"),
        ("in the spring", "in the spring"),
        ("", ""),
    ],
)
def test_a_time_that_a_file_names_is_told_as_all_others(named: str, told: str) -> None:
    assert pieces.written(named) == told


def test_the_library_says_when_a_file_was_changed_not_when_it_was_read(library: AppTest) -> None:
    assert "changed 24 Feb 2024, 09:30 UTC" in shown(library)


def test_what_a_document_does_not_show_leaves_its_other_tabs(library: AppTest, state: Standin) -> None:
    state.down = {("GET", f"/api/documents/{POLICY}/changes"), ("GET", "/api/access/terms")}
    assert "Send request" in [button.label for button in library.run().button]
    library.button(key=f"open-{POLICY}").click().run()
    page = shown(library)
    assert page.index(f"/api/documents/{POLICY}/changes does not answer") < page.index("Files in it")


def test_the_history_of_a_document_shows_what_each_version_changed(library: AppTest, state: Standin) -> None:
    library.button(key=f"open-{POLICY}").click().run()
    page = shown(library)
    assert "since 20 Nov 2026, 09:30 UTC" in page
    assert "now in force" in page
    assert "Notice is given three months" in page
    library.selectbox(key=f"changes-{POLICY}").set_value(1)
    again(library, f"open-{POLICY}")
    asked = [query for _, path, query in state.requests if path.endswith("/changes")]
    assert asked[0] == {"older": "v-2", "newer": "v-3"}
    assert asked[-1] == {"older": "v-1", "newer": "v-2"}


def test_what_belongs_to_a_document_is_listed_with_what_it_says_of_itself(library: AppTest) -> None:
    library.button(key=f"open-{POLICY}").click().run()
    page = shown(library)
    for words in ("Files in it", "Mails of the same conversation", "Copies", "87% of the text in common"):
        assert words in page, words
    assert "Records office" in page
    assert "3 Feb 2026" in page
    assert page.count("Answers name this one for all of them") == 2  # beside the facts, and above the copies
    assert "1 file with the same content lies beside this one" in page
    assert library.button(key=f"related-files-{HANDBOOK}").label == "Open document"
    keys = [str(button.key) for button in library.button]
    assert not [key for key in keys if key.startswith("related-copies-")]  # it is no document of its own
