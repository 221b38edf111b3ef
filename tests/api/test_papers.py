"""The papers say how the appliance is set up, and leave to the organisation what only it knows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import (
    LogSettings,
    ModelSettings,
    MonitoringSettings,
    Provider,
    RetentionSettings,
    ServerSettings,
    Settings,
    SignInSettings,
)
from appliance.domain import Role
from appliance.papers.facts import facts_of, without_secrets
from appliance.papers.written import NAMES, cell, written
from appliance.wiring import Appliance
from appliance.wiring.models import build_model
from tests.api.conftest import DOCUMENTS, Client

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def papers(appliance: Appliance) -> dict[str, str]:
    """As the appliance of these tests stands: no language model, nothing set that need not be."""
    return {paper.name: paper.markdown for paper in written(facts_of(appliance))}


@pytest.fixture(scope="module")
def others(appliance: Appliance) -> dict[str, str]:
    """Those of an appliance that is set up otherwise, with a model on another machine that does not answer."""
    silent = build_model(ModelSettings(provider=Provider.OPENAI, base_url="http://127.0.0.1:9/v1", name="house-model"))
    settings = Settings(
        data_dir=appliance.settings.data_dir,
        server=ServerSettings(secure_cookie=True),
        model=ModelSettings(provider=Provider.OPENAI, base_url="http://192.0.2.7:8000/v1", name="house-model"),
        sign_in=SignInSettings(second_factor_roles=(Role.ADMIN,), idle_timeout_s=900),
        log=LogSettings(postgresql="postgresql://strongroom@10.1.2.8/log"),
        retention=RetentionSettings(profile="standard", groups={"trading": "bank"}),
        monitoring=MonitoringSettings(syslog="tls://10.1.2.9", ocsf_file="/var/log/strongroom.jsonl"),
    )
    facts = facts_of(replace(appliance, settings=settings, model=silent))
    return {paper.name: paper.markdown for paper in written(facts)}


def test_admins_and_officers_are_given_every_paper(client: Client) -> None:
    for who in ("admin", "compliance"):
        found = client(who).get("/api/papers").json()["papers"]
        assert [paper["name"] for paper in found] == list(NAMES)


def test_what_is_switched_on_is_said_as_it_is(papers: dict[str, str], others: dict[str, str]) -> None:
    ours, theirs = papers["record-of-processing"], others["record-of-processing"]
    for words, there in {
        "no retention profile is set": True,
        "what people of 'trading' asked: 60 whole months after the month itself (profile 'bank'); all else: 6 whole": False,
        "offered, and a duty for nobody": True,
        "a duty for local accounts with the role admin": False,
        "not demanded (`server.secure_cookie` is off)": True,
        "set up to be reached by TLS alone": False,
        "end after 15 minutes without use": False,
        "none: answers are quotations of the documents": True,
        "house-model, which does not answer now": False,
        "language model on another machine: http://192.0.2.7:8000/v1": False,
        "database of the query log on another machine: 10.1.2.8:5432/log": False,
        "syslog receiver on another machine: tls://10.1.2.9": False,
        "what reads the OCSF file on this machine (/var/log/strongroom.jsonl)": False,
        "every day at 3 o'clock": True,
        "where the other machines stand, and who runs them": False,
        "argon2": True,
    }.items():
        assert (words in ours) is there, words
        assert (words in theirs) is not there or words in ("argon2", "every day at 3 o'clock"), words


def test_the_state_of_the_sandbox_and_of_the_log_is_what_the_doctor_found(client: Client, appliance: Appliance) -> None:
    checks = {check["name"]: check for check in client("admin").get("/api/health").json()["checks"]}
    record = client("admin").get("/api/papers").json()["papers"][0]["markdown"]
    assert cell(checks["parser sandbox"]["detail"]) in record
    assert cell(checks["offline switches"]["detail"]) in record
    assert "Merkle tree" in record
    if checks["parser sandbox"]["status"] != "ok":
        assert "**Not as it should be:**" in record


def test_the_papers_count_people_and_documents_and_name_none(papers: dict[str, str], appliance: Appliance) -> None:
    record = papers["record-of-processing"]
    assert f"| people with an account | {len(appliance.accounts.people())} |" in record
    said = [line for text in DOCUMENTS.values() for line in text.splitlines() if len(line) > 10]
    for text in papers.values():
        assert not any(words in text for words in (*DOCUMENTS, *said))


def test_the_papers_name_what_signing_in_leaves_and_whom_a_pseudonym_hides_from(papers: dict[str, str]) -> None:
    (row,) = [line for line in papers["record-of-processing"].splitlines() if line.startswith("| whoever signs in")]
    assert "network address" in row and "a hash of what was typed there" in row
    (watched,) = [line for line in papers["dpia-inputs"].splitlines() if line.startswith("| employees are watched")]
    measure, left = watched.split(" | ")[1], watched.split(" | ")[3]
    assert "month" not in measure
    assert "the same over months and years" in left


def test_what_only_the_organisation_knows_is_left_to_it(papers: dict[str, str]) -> None:
    for name, text in papers.items():
        assert text.count("**To be filled in:**") >= 4, name
        assert "no legal advice" in text, name
        assert not re.search(r"\$\w|TODO|TBD|example|\{\w", text), name
    record = papers["record-of-processing"]
    for point in "abcdefg":
        assert f"## ({point})" in record
    for needed in ("name and contact details of the controller", "the legal basis of each purpose"):
        assert f"**To be filled in:** {needed}" in record
    for point in "abcd":
        assert f"## ({point})" in papers["dpia-inputs"]


def test_every_test_and_document_that_a_paper_names_is_there(papers: dict[str, str]) -> None:
    named = {path for text in papers.values() for path in re.findall(r"`((?:tests|docs)/[\w./-]+|README.md)`", text)}
    assert len(named) > 10
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_table_of_a_paper_is_whole(papers: dict[str, str], others: dict[str, str]) -> None:
    for text in (*papers.values(), *others.values()):
        for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1, block


def test_an_address_is_named_without_what_opens_it() -> None:
    assert without_secrets("http://user:secret@10.0.0.7:8000/v1") == "http://10.0.0.7:8000/v1"
    assert without_secrets("ldaps://one.example, ldaps://a:b@two.example") == "ldaps://one.example, ldaps://two.example"
    assert without_secrets("127.0.0.1:11434") == "127.0.0.1:11434"
