"""Measuring the answers over the API: roles and groups, what an admin is told, and what goes on record."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from appliance.api.schemas.evaluations import MAX_GOLDEN_BYTES
from appliance.audit.entries import AdminAction, EvaluationEnded, QuestionReceived
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.domain import Role
from appliance.server import create_headless_app
from appliance.wiring import Appliance
from tests.api.conftest import BASE, Client, events

HOTEL = "What may a hotel in Zurich cost per night?"
GOLDEN = (
    {"id": "hotel", "question": HOTEL, "evidence": [{"doc": "travel.md", "quote": "at most 240 CHF per night"}]},
    {"id": "filter", "question": "How often is the hydraulic filter replaced?", "evidence": [{"doc": "manual.pdf", "page": 2}]},
    {"id": "pay", "question": "What does a senior engineer earn a year?", "evidence": [{"doc": "hr/salaries.md"}]},
    {"id": "moon", "question": "Who walked on the moon in 1969?", "answerable": False},
)  # fmt: skip


def start(client: TestClient, golden: Any = GOLDEN, **wanted: Any) -> httpx.Response:
    body = golden if isinstance(golden, bytes) else "\n".join(json.dumps(line) for line in golden).encode()
    return client.post("/api/evaluations", content=body, params={"name": "set.jsonl", **wanted})


def ended(appliance: Appliance, client: TestClient, answer: httpx.Response) -> dict[str, Any]:
    """The evaluation that an answer tells of, once it has ended, with its questions."""
    assert answer.status_code == 202, answer.text
    appliance.evaluations.wait(100)
    return dict(client.get(f"/api/evaluations/{answer.json()['id']}").json())


def test_an_admin_runs_a_golden_set_and_sees_how_each_question_went(appliance: Appliance, client: Client) -> None:
    admin = client("admin")
    run = ended(appliance, admin, start(admin))
    assert (run["state"], run["done"], run["total"], run["groups"]) == ("finished", 4, 4, ["everyone"])
    questions = {item["question_id"]: item for item in run["questions"]}
    assert questions["hotel"]["first_rank"] == questions["filter"]["first_rank"] == 1
    assert questions["filter"]["places"][0]["page"] == 2
    assert questions["pay"]["closed"]  # as the salaries are to everyone
    assert run["questions"][-1]["question_id"] == "pay"  # it was not asked, and went neither way
    assert (run["metrics"]["recall@10"], run["not_asked"]) == (1.0, 1)
    (told,) = run["notices"]
    assert told.startswith("Some questions name a document that is closed to the groups they are asked with")
    assert told.endswith("They were not asked, and do not count: 1 of 4: pay (hr/salaries.md).")
    (now,) = [item for item in run["thresholds"] if item["is_in_force"]]
    assert (now["answerable_above"], now["turned_away"], now["answerable"], now["unanswerable"]) == (0.17, 0, 2, 1)
    assert admin.get("/api/evaluations").json()["answerable_above"] == 0.17
    assert run["metrics"]["citation_precision"] > 0  # of quoted passages, without answers
    assert run["settings"]["documents not yet as set"] == "0"
    assert run["settings"]["ingest.chunk_tokens"] == "200"
    assert run["settings"]["documents"] == "4"
    assert "minilm" in run["settings"]["embedding.model"].lower()
    page = admin.get(f"/api/evaluations/{run['id']}", params={"limit": 1, "offset": 1}).json()
    assert (len(page["questions"]), page["question_count"]) == (1, 4)


def test_nothing_a_document_says_is_told(appliance: Appliance, client: Client) -> None:
    admin = client("admin")
    run = ended(appliance, admin, start(admin, answers=True))
    told = json.dumps([run, admin.get("/api/evaluations").json()])
    assert run["metrics"]["citation_precision"] is not None
    assert "240 CHF" not in told
    assert "118,000" not in told
    assert "Salary bands" not in told  # a title comes from within


def test_a_run_reads_with_groups_of_ones_own(appliance: Appliance, client: Client) -> None:
    refused = start(client("admin"), group=["hr"])
    assert refused.status_code == 403
    assert "groups of your own" in refused.json()["message"]
    operator = client("")
    operator.headers["Authorization"] = f"Bearer {appliance.operator_token}"
    operator.headers["X-Strongroom-Groups"] = "hr"
    run = ended(appliance, operator, start(operator, group=["hr"]))
    assert run["groups"] == ["everyone", "hr"]
    assert run["metrics"]["recall@10"] == 1.0
    without = ended(appliance, operator, start(operator))
    assert without["groups"] == ["everyone"]  # what may be read is what is said, no more
    assert [item["question_id"] for item in without["questions"] if item["closed"]] == ["pay"]


def test_a_question_is_asked_with_the_groups_it_names_by_those_who_have_them(
    appliance: Appliance, client: Client
) -> None:
    golden = [GOLDEN[0], GOLDEN[2] | {"groups": ["hr"]}]
    operator = client("")
    operator.headers["Authorization"] = f"Bearer {appliance.operator_token}"
    run = ended(appliance, operator, start(operator, golden))
    assert (run["groups"], run["metrics"]["recall@10"], run["own_groups"]) == (["everyone", "hr"], 1.0, "1 of 2")
    assert run["notices"] == []
    admin = client("admin")
    assert admin.get(f"/api/evaluations/{run['id']}").status_code == 403  # it read with a group that is not theirs
    own = ended(appliance, admin, start(admin, golden))
    assert (own["groups"], own["not_asked"]) == (["everyone"], 1)
    assert "or are to be asked with groups that are not yours" in own["notices"][0]
    assert not [item["places"][0] for item in own["questions"] if item["closed"] and item["places"][0]["relevant"]]
    alone = ended(appliance, admin, start(admin, golden[1:]))
    assert alone["asked_nothing"]
    assert alone["notices"][0].startswith("No question could be asked, and nothing was measured")


def test_a_document_that_is_closed_meanwhile_does_not_take_its_questions_out_of_the_gate(
    appliance: Appliance, client: Client
) -> None:
    operator = client("")
    operator.headers["Authorization"] = f"Bearer {appliance.operator_token}"
    operator.headers["X-Strongroom-Groups"] = "hr"
    before = ended(appliance, operator, start(operator, group=["hr"]))
    after = ended(appliance, operator, start(operator))
    found = operator.get(f"/api/evaluations/{after['id']}/comparison", params={"before": before["id"]}).json()
    assert (found["passes"], found["absent"], found["absent_named"]) == (False, 1, "pay (hr/salaries.md)")


def test_a_run_is_shown_to_admins_who_could_have_started_it(appliance: Appliance, client: Client) -> None:
    operator = client("")
    operator.headers["Authorization"] = f"Bearer {appliance.operator_token}"
    operator.headers["X-Strongroom-Groups"] = "hr"
    with_hr = ended(appliance, operator, start(operator, [GOLDEN[2]], group=["hr"], name="pay of engineers"))
    admin = client("admin")
    own = ended(appliance, admin, start(admin, [GOLDEN[2]]))
    assert (own["hidden"], own["started_by"]) == (False, "admin")

    address = f"/api/evaluations/{with_hr['id']}"
    for refused in (
        admin.get(address),
        admin.get(f"{address}/comparison", params={"before": own["id"]}),
        admin.get(f"/api/evaluations/{own['id']}/comparison", params={"before": with_hr["id"]}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")
        assert "that you do not have" in refused.json()["message"]
    listed = {run["id"]: run for run in admin.get("/api/evaluations").json()["evaluations"]}
    told = {name: value for name, value in listed[with_hr["id"]].items() if value}
    assert told == {
        "id": with_hr["id"], "state": "finished", "started_by": "operator", "hidden": True,
        "started_at": with_hr["started_at"], "finished_at": with_hr["finished_at"],
    }  # fmt: skip
    assert listed[own["id"]]["metrics"]

    # with no group that the admin lacks: at a level that they lack, and at theirs
    secret = ended(appliance, operator, start(operator, [GOLDEN[2]], clearance="secret"))
    assert admin.get(f"/api/evaluations/{secret['id']}").status_code == 403
    as_everyone = ended(appliance, operator, start(operator, [GOLDEN[2]]))
    seen = admin.get(f"/api/evaluations/{as_everyone['id']}").json()
    assert (seen["hidden"], seen["name"], seen["groups"]) == (False, "set.jsonl", ["everyone"])
    assert start(operator, [GOLDEN[2]], clearance="cosmic").status_code == 422
    assert start(admin, [GOLDEN[2]], clearance="internal").status_code == 403
    assert operator.get(f"/api/evaluations/{own['id']}").status_code == 200


def test_a_duplicate_counts_as_the_document_it_is_kept_as(desk: Any) -> None:
    text = "# Canteen\n\nThe canteen serves lunch from eleven until two.\n"
    source = desk.add(desk.folder(aaa__md=text, copy__md=text))
    desk.sync(source)
    assert sorted(desk.states(source).values()) == ["duplicate", "indexed"]
    places = (
        {"doc": f"{name}.md"} | {"quote": quote}
        for name in ("aaa", "copy")
        for quote in ("", "serves lunch from eleven until two")
    )
    lines = [{"id": f"q{at}", "question": "When is lunch?", "evidence": [place]} for at, place in enumerate(places)]
    run = ended(desk.appliance, desk.admin, start(desk.admin, lines, answers=True))
    assert (run["metrics"]["recall@1"], run["metrics"]["right_document@5"]) == (1.0, 1.0)
    assert all(item["right_citations"] for item in run["questions"])
    assert run["notices"] == []
    desk.remove(source)


def test_a_question_about_what_is_not_in_the_appliance_is_told_and_does_not_count(
    appliance: Appliance, client: Client
) -> None:
    admin = client("admin")
    asked = ended(appliance, admin, start(admin, GOLDEN[:2]))
    gone = [
        {"id": "no file", "question": HOTEL, "evidence": [{"doc": "travel.md"}, {"doc": "forms/travel.pdf"}]},
        {"id": "no page", "question": "How often is the hydraulic filter replaced?", "evidence": [{"doc": "manual.pdf", "page": 9}]},
        {"id": "paper", "question": HOTEL, "evidence": [{"doc": "travel.md", "page": 1}]},
        {"id": "closed", "question": GOLDEN[2]["question"], "evidence": [{"doc": "Salary bands"}]},
    ]  # fmt: skip
    run = ended(appliance, admin, start(admin, [*GOLDEN[:2], *gone], answers=True))
    assert run["metrics"]["recall@10"] == asked["metrics"]["recall@10"] == 1.0
    assert (run["state"], run["done"], run["total"]) == ("finished", 6, 6)
    assert run["notices"] == [
        "Some questions name a document or a page that is not in the appliance. They were not asked, and do not count: "
        "4 of 6: no file (forms/travel.pdf), no page (manual.pdf, page 9), paper (travel.md, page 1), "
        "closed (Salary bands)."
    ]
    assert [item["question_id"] for item in run["questions"] if item["absent"]] == [
        "closed",
        "no file",
        "no page",
        "paper",
    ]
    assert {item["ndcg"] for item in run["questions"] if item["absent"]} == {None}
    recorded = appliance.log.entry(appliance.log.size() - 1).entry
    assert isinstance(recorded, EvaluationEnded)
    assert recorded.questions == 2
    compared = admin.get(f"/api/evaluations/{run['id']}/comparison", params={"before": asked["id"]}).json()
    assert (compared["shared"], compared["before_only"], compared["after_only"]) == (2, 0, 0)


def test_a_document_that_goes_does_not_take_its_questions_out_of_the_gate(desk: Any) -> None:
    text = "# Canteen\n\nThe canteen serves lunch from eleven until two.\n"
    source = desk.add(desk.folder(canteen__md=text))
    desk.sync(source)
    lunch = {"id": "lunch", "question": "When does the canteen serve lunch?", "evidence": [{"doc": "canteen.md"}]}
    before = ended(desk.appliance, desk.admin, start(desk.admin, [lunch]))
    desk.remove(source)
    gone = ended(desk.appliance, desk.admin, start(desk.admin, [lunch]))
    for address in ("comparison", f"comparison?before={before['id']}"):
        found = desk.admin.get(f"/api/evaluations/{gone['id']}/{address}").json()
        assert (found["before"]["id"], found["passes"], found["shared"]) == (before["id"], False, 0)
        assert (found["absent"], found["absent_named"]) == (1, "lunch (canteen.md)")
    assert (before["asked_nothing"], gone["asked_nothing"]) == (False, True)
    (told,) = gone["notices"]
    assert told.startswith("No question could be asked, and nothing was measured: ")
    assert "1 of 1: lunch (canteen.md). Add or sync the source that has them" in told


def test_whether_a_closed_document_has_a_title_or_a_page_is_not_told(appliance: Appliance, client: Client) -> None:
    admin, question = client("admin"), GOLDEN[2]["question"]
    titles = [
        {"id": title, "question": question, "evidence": [{"doc": title}]} for title in ("Salary bands", "Salary ranges")
    ]
    pages = [
        {"id": str(page), "question": question, "evidence": [{"doc": "hr/salaries.md", "page": page}]}
        for page in (1, 7)
    ]
    run = ended(appliance, admin, start(admin, [*titles, *pages]))
    told = {item["question_id"]: item["absent"] for item in run["questions"]}
    assert told == {"Salary bands": True, "Salary ranges": True, "1": False, "7": False}
    assert [item["closed"] for item in run["questions"] if not item["absent"]] == [True, True]
    operator = client("")
    operator.headers["Authorization"] = f"Bearer {appliance.operator_token}"
    operator.headers["X-Strongroom-Groups"] = "hr"
    run = ended(appliance, operator, start(operator, titles, group=["hr"]))
    assert {item["question_id"]: item["absent"] for item in run["questions"]} == {
        "Salary bands": False,
        "Salary ranges": True,
    }


def test_with_nothing_found_helpful_there_is_nothing_to_run(desk: Any) -> None:
    refused = desk.admin.post("/api/evaluations/feedback")
    assert refused.status_code == 422
    assert "found helpful yet" in refused.json()["message"]


def test_how_many_answers_found_helpful_are_left_out_is_told_and_nothing_else_of_them(desk: Any) -> None:
    kept = desk.add(desk.folder(travel__md="# Travel\n\nA hotel in Zurich may cost at most 240 CHF per night.\n"))
    gone = desk.add(desk.folder(canteen__md="# Canteen\n\nThe canteen serves lunch from eleven until two.\n"))
    reader, conversations = desk.client("employee"), []
    for source, question in ((kept, HOTEL), (gone, "When does the canteen serve lunch?")):
        desk.sync(source)
        answer = json.loads(dict(events(reader.post("/api/ask", json={"question": question})))["answer"])
        reader.post(f"/api/queries/{answer['query_id']}/feedback", json={"verdict": "up"})
        conversations.append(answer["conversation_id"])
    before = ended(desk.appliance, desk.admin, desk.admin.post("/api/evaluations/feedback"))
    assert before["notices"] == []
    desk.remove(gone)
    run = ended(desk.appliance, desk.admin, desk.admin.post("/api/evaluations/feedback"))
    assert run["total"] == before["total"] - 1
    assert run["notices"] == [
        "Some answers that were found helpful were left out: 1 because what the answer cites is gone, or closed to "
        "whoever asked."
    ]
    assert "canteen" not in json.dumps(run)
    desk.remove(kept)
    for conversation in conversations:
        reader.delete(f"/api/conversations/{conversation}")


def test_who_is_gone_from_their_directory_is_asked_no_more(desk: Any) -> None:
    house = desk.appliance
    house.accounts.set_directories([DirectoryTerms("corp", "ldap", 86_400)])
    left = Identity("corp", "1", "left", "", frozenset(), frozenset({Role.EMPLOYEE}))
    reader = TestClient(create_headless_app(house), base_url=BASE)
    reader.cookies.set("strongroom_session", house.sessions.open_for(left).token, domain="testserver.local", path="/")
    desk.sync(desk.add(desk.folder(travel__md="# Travel\n\nA hotel in Zurich may cost at most 240 CHF per night.\n")))
    answer = json.loads(dict(events(reader.post("/api/ask", json={"question": HOTEL})))["answer"])
    reader.post(f"/api/queries/{answer['query_id']}/feedback", json={"verdict": "up"})
    assert ended(house, desk.admin, desk.admin.post("/api/evaluations/feedback"))["done"] == 1
    house.accounts.renew("corp", [], datetime.now(UTC) + timedelta(minutes=6))
    assert desk.admin.post("/api/evaluations/feedback").status_code == 422
    house.accounts.set_directories(())


def test_a_run_is_on_record_at_both_ends_and_its_questions_are_not(appliance: Appliance, client: Client) -> None:
    size = appliance.log.size()
    run = ended(appliance, client("admin"), start(client("admin"), answers=True))
    begun, closed = [appliance.log.entry(seq).entry for seq in range(size, appliance.log.size())]
    assert isinstance(begun, AdminAction)
    assert (begun.action, begun.subject) == ("evaluation.started", "set.jsonl")
    assert run["set_sha256"] in begun.detail
    assert isinstance(closed, EvaluationEnded)
    assert (closed.questions, closed.set_sha256, closed.groups) == (3, run["set_sha256"], ("everyone",))
    assert {item.name: item.value for item in closed.metrics} == run["metrics"]
    listed = client("compliance").get("/api/log/events", params={"limit": 5}).json()["events"]
    told = next(event for event in listed if event["type"] == "evaluation.ended")
    assert told["detail"].startswith("set.jsonl: ")
    assert not any(words in told["detail"] for words in (closed.evaluation_id, "evaluation id", "metrics:"))
    assert "3 questions, with answers, read as everyone" in told["detail"]
    assert "Recall@10 1, MRR@10" in told["detail"]


def test_two_runs_are_compared_and_the_gate_says_which_may_not_stand(desk: Any) -> None:
    canteen = "# Canteen\n\nThe canteen serves lunch from eleven until two.\n"
    folder = desk.folder(canteen__md=canteen, garage__md="# Garage\n\nThe garage closes at eight in the evening.\n")
    source = desk.add(folder)
    desk.sync(source)
    golden = [
        {"id": "lunch", "question": "When is lunch?", "evidence": [{"doc": "canteen.md", "quote": "serves lunch from eleven until two"}]},
        {"id": "garage", "question": "When does the garage close?", "evidence": [{"doc": "garage.md"}]},
    ]  # fmt: skip
    better = ended(desk.appliance, desk.admin, start(desk.admin, golden))
    (folder / "canteen.md").write_text("# Canteen\n\nThe canteen is being renovated.\n", "utf-8")
    desk.sync(source)
    worse = ended(desk.appliance, desk.admin, start(desk.admin, golden))
    address = f"/api/evaluations/{worse['id']}/comparison"
    found = desk.admin.get(address, params={"before": better["id"]}).json()
    assert not found["passes"]
    assert found["shared"] == 2
    assert (found["better"], found["worse"], found["both_ways"]) == (0, 1, 0)
    assert found["questions"][0]["question_id"] == "lunch"
    assert {item["name"] for item in found["metrics"] if item["fails"]} >= {"recall@10", "ndcg@10"}
    assert desk.admin.get(address, params={"before": better["id"], "max_drop": 0.5}).json()["passes"]
    again = ended(desk.appliance, desk.admin, start(desk.admin, golden))
    last = desk.admin.get(f"/api/evaluations/{again['id']}/comparison").json()
    assert (last["before"]["id"], last["passes"]) == (better["id"], False)  # what failed is none to compare with
    told = desk.admin.get(f"/api/evaluations/{again['id']}/comparison", params={"before": worse["id"]}).json()
    assert (told["passes"], told["questions"], told["settings"]) == (True, [], [])
    desk.remove(source)


def test_nothing_to_compare_with_is_said(appliance: Appliance, client: Client) -> None:
    admin = client("admin")
    run = ended(appliance, admin, start(admin, [{**GOLDEN[0], "id": "only here"}]))
    missing = admin.get(f"/api/evaluations/{run['id']}/comparison")
    assert missing.status_code == 404
    assert "Name one to compare with" in missing.json()["message"]
    assert admin.get(f"/api/evaluations/{run['id']}/comparison", params={"before": "unknown"}).status_code == 404


def test_what_people_found_helpful_is_run_without_their_words(appliance: Appliance, client: Client) -> None:
    admin, reader = client("admin"), client("hr")
    question = "What does a senior engineer earn a year?"
    answer = json.loads(dict(events(reader.post("/api/ask", json={"question": question})))["answer"])
    query_id = answer["query_id"]
    reader.post(f"/api/queries/{query_id}/feedback", json={"verdict": "up"})
    run = ended(appliance, admin, admin.post("/api/evaluations/feedback"))
    assert run["from_feedback"]
    assert run["groups"] == []
    mine = next(item for item in run["questions"] if item["question_id"] == query_id)
    assert (mine["question"], mine["places"], mine["found"]) == ("", [], 1)  # found with the groups of who asked
    for secret in ("senior engineer", "salaries", '"hr"', '"everyone"'):
        assert secret not in json.dumps(run)
    recorded = appliance.log.entries(limit=1)[0].entry
    assert isinstance(recorded, EvaluationEnded)
    assert not isinstance(recorded, QuestionReceived)
    lines = [{"id": query_id, "question": question, "evidence": [{"doc": "travel.md"}]}, GOLDEN[0]]  # as a file of them
    brought = ended(appliance, admin, start(admin, lines))
    mine = next(item for item in brought["questions"] if item["question_id"] == query_id)
    assert (mine["question"], mine["places"]) == ("", [])
    assert question not in json.dumps(brought)
    assert HOTEL in json.dumps(brought)
    reader.delete(f"/api/conversations/{answer['conversation_id']}")
    assert admin.get(f"/api/evaluations/{run['id']}").json()["question_count"] == run["question_count"] - 1
    assert admin.get(f"/api/evaluations/{brought['id']}").json()["question_count"] == 1
    again = ended(appliance, admin, start(admin, lines))  # the file is still there, and the question on record
    assert [item["question_id"] for item in again["questions"]] == ["hotel"]
    assert question not in json.dumps(again)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "holds no question"),
        (b"{}", "Line 1 of the golden set has no 'question'"),
        (b'{"question": "a", "answerable": false}\nx', "Line 2 of the golden set is not JSON"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_before_anything_is_recorded(
    appliance: Appliance, client: Client, body: bytes, words: str
) -> None:
    size = appliance.log.size()
    refused = start(client("admin"), body)
    assert refused.status_code == 422
    assert words in refused.json()["message"]
    assert appliance.log.size() == size


GUESSES = ("118,000 CHF", "between 95,000", "earns ... 118,000 CHF")


@pytest.mark.parametrize("guess", GUESSES)
def test_an_admin_cannot_test_a_guess_of_a_few_words_and_the_operator_may(
    appliance: Appliance, client: Client, guess: str
) -> None:
    line = GOLDEN[2] | {"evidence": [{"doc": "hr/salaries.md", "quote": guess}]}
    size = appliance.log.size()
    refused = start(client("admin"), [GOLDEN[0], line])
    assert refused.status_code == 422
    assert "Line 2 of the golden set has a 'quote' of fewer than 5 words" in refused.json()["message"]
    assert "118,000" not in refused.text
    assert appliance.log.size() == size
    operator = client("")
    operator.headers["Authorization"] = f"Bearer {appliance.operator_token}"
    assert ended(appliance, operator, start(operator, [line]))["state"] == "finished"


def test_a_set_may_be_large_and_no_larger(client: Client) -> None:
    assert start(client("admin"), b" " * MAX_GOLDEN_BYTES).status_code == 422
    assert start(client("admin"), b" " * (MAX_GOLDEN_BYTES + 1)).status_code == 413


def test_a_run_can_be_removed_and_only_one_that_is_running_cancelled(appliance: Appliance, client: Client) -> None:
    admin = client("admin")
    run = ended(appliance, admin, start(admin))
    assert admin.post(f"/api/evaluations/{run['id']}/cancel").status_code == 404
    assert admin.delete(f"/api/evaluations/{run['id']}").status_code == 204
    assert admin.get(f"/api/evaluations/{run['id']}").status_code == 404


def test_every_metric_is_explained(client: Client) -> None:
    listed = client("admin").get("/api/evaluations").json()
    assert [metric["name"] for metric in listed["metrics"]][:3] == ["recall@1", "recall@5", "recall@10"]
    assert all(metric["meaning"].endswith(".") for metric in listed["metrics"])
