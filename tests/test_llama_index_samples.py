"""The examples for llama-index, run as they stand, on a real appliance."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from appliance.audit.records import LogFilter
from appliance.config import ModelSettings, Provider, Settings
from appliance.domain import EVERYONE, Role, Source
from appliance.wiring import opened
from tests.api.conftest import PASSWORD, write_documents
from tests.data.embedding_model import models_loaded_once

SAMPLES = Path(__file__).parents[1] / "samples" / "llama_index"


def _sample(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def _a_model_is_loaded_once() -> Iterator[None]:
    with models_loaded_once():
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of an appliance that has taken a few documents in."""
    root = tmp_path_factory.mktemp("samples")
    made = Settings(data_dir=root / "data", model=ModelSettings(provider=Provider.NONE))
    source = Source("source-1", "Handbook", str(write_documents(root / "documents")), frozenset({EVERYONE}))
    with opened(made) as appliance:
        for name, groups in (("erin", []), ("hanna", ["hr"])):
            appliance.accounts.add(name, PASSWORD, [Role.EMPLOYEE], groups)
        appliance.catalog.add_source(source)
        run = appliance.runs.start(source)
        appliance.runs.wait(run.id)
        assert run.error is None
    return made


def test_a_query_engine_answers_from_what_the_reader_may_see(settings: Settings) -> None:
    ask = _sample("query_engine").ask
    told = ask(settings, "How long are invoices kept?", "erin")
    assert told.splitlines()[0].startswith("- Handbook/retention.txt")
    assert "salaries.md" not in ask(settings, "senior engineer salary", "erin")
    assert ask(settings, "senior engineer salary", "hanna").startswith("- Handbook/hr/salaries.md")
    with opened(settings) as appliance:
        on_record = [query.question for query in appliance.log.queries(LogFilter(text="senior engineer"), limit=9)]
    assert [question and (question.groups, question.origin) for question in on_record] == [
        (("everyone", "hr"), "llama-index"),
        (("everyone",), "llama-index"),
    ]


def test_a_query_engine_writes_with_an_llm_over_our_passages(settings: Settings) -> None:
    from llama_index.core.llms import MockLLM

    told = _sample("query_engine").ask(settings, "Which filter is replaced?", "erin", llm=MockLLM())
    assert "The hydraulic filter is replaced" in told.split("\n- ")[0], "the mock says what it was asked"
    assert "- Handbook/manual.pdf, page 2" in told


def test_a_model_of_llama_index_writes_the_answers_of_the_appliance(settings: Settings) -> None:
    text, cited = _sample("own_model").ask(settings, "How long are invoices kept?", "erin").split("\n")
    assert text == "Invoices are kept for ten years [1]."
    assert cited == "retention.txt"


@pytest.mark.parametrize("name", ["query_engine", "own_model"])
def test_a_sample_says_in_words_what_is_wrong(settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("STRONGROOM_MODEL__PROVIDER", "none")
    for arguments, told in (([], "Give the question"), (["How long?", "nobody"], "nobody")):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SAMPLES / f"{name}.py"), run_name="__main__")
        assert told in str(ended.value.code)
