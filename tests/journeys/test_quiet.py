"""What keeps the journeys steady and makes their failures speak."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.journeys import browser as browser_module
from tests.journeys.browser import visit
from tests.journeys.quiet import Runs, wait_until_quiet

NOWHERE = "http://127.0.0.1:9"
ACTS = {"check", "click", "dblclick", "fill", "hover", "press", "press_sequentially", "select_option", "tap", "type"}

IN_JERKS = """<button style="position: absolute" onclick="document.title = document.getAnimations().length">Go</button>
<script>
document.querySelector('button').animate(
  [{left: '0px'}, {left: '600px'}], {duration: 1500, easing: 'steps(3)', fill: 'forwards'}
).finished.then(one => { one.commitStyles(); one.cancel(); });
</script>"""
RESTLESS = """<button style="position: absolute">Go</button>
<script>setInterval(() => { document.querySelector('button').style.left = performance.now() + 'px'; }, 20);</script>"""


def test_a_click_waits_until_the_target_has_come_to_rest(browser: Browser) -> None:
    with visit(browser, NOWHERE) as visiting:
        visiting.page.set_content(IN_JERKS)
        visiting.click(visiting.page.get_by_role("button"))
        assert visiting.page.title() == "0"


def test_a_page_that_never_rests_is_reported_with_the_reason(browser: Browser) -> None:
    with visit(browser, NOWHERE) as visiting:
        visiting.page.set_content(RESTLESS)
        with pytest.raises(AssertionError, match="the controls change places"):
            wait_until_quiet(visiting.page, Runs(visiting.page), limit_s=1)


def test_a_run_is_pending_from_the_question_to_the_end_of_its_own_run(browser: Browser) -> None:
    with visit(browser, NOWHERE) as visiting:
        runs = Runs(visiting.page)
        asked, started, early, done = BackMsg(), ForwardMsg(), ForwardMsg(), ForwardMsg()
        asked.rerun_script.SetInParent()
        started.new_session.SetInParent()
        early.script_finished = ForwardMsg.FINISHED_EARLY_FOR_RERUN
        done.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
        assert not runs.pending
        runs.on_sent(asked.SerializeToString())
        runs.on_received(done.SerializeToString())  # of a run before
        assert runs.pending
        for message in (started, early, started):
            runs.on_received(message.SerializeToString())
            assert runs.pending
        runs.on_received(done.SerializeToString())
        assert not runs.pending


def test_a_window_leaves_nobody_signed_in_and_nothing_kept_to_the_next(browser: Browser) -> None:
    kept = "[document.cookie, localStorage.length, sessionStorage.length]"
    contexts = []
    for _ in range(2):
        with visit(browser, NOWHERE, checked=False) as visiting:
            contexts.append(visiting.page.context)
            visiting.page.route(f"{NOWHERE}/", lambda route: route.fulfill(body="Here"))
            visiting.page.goto(f"{NOWHERE}/")
            assert (visiting.page.evaluate(kept), visiting.page.context.cookies()) == (["", 0, 0], [])
            visiting.page.evaluate("document.cookie = 'seen=1'; localStorage.seen = sessionStorage.seen = 1")
            session = {"name": "strongroom_session", "value": "erin", "url": NOWHERE, "httpOnly": True}
            visiting.page.context.add_cookies([session])
            assert visiting.page.evaluate(kept) == ["seen=1", 1, 1]
    assert contexts[0] is contexts[1]  # what was loaded is shared


def test_a_failure_tells_what_the_window_showed(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_module, "FAILURES", tmp_path)
    with pytest.raises(AssertionError) as caught, visit(browser, NOWHERE) as visiting:
        visiting.page.set_content("<p>The folder is not there.</p>")
        raise AssertionError
    assert "The folder is not there." in caught.value.__notes__[0]
    assert "The folder is not there." in next(tmp_path.glob("*.txt")).read_text("utf-8")
    assert next(tmp_path.glob("*.png")).stat().st_size > 1000


@pytest.mark.parametrize("journey", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda path: path.stem)
def test_a_journey_acts_through_the_visit_alone(journey: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(journey.read_text("utf-8"))) if isinstance(node, ast.Call)]
    acts = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in ACTS]
    assert [ast.unparse(act) for act in acts if ast.unparse(act.value) != "visiting"] == []
