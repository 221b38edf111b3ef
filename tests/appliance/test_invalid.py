"""What is wrong with a value is said in plain words, and without the value."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from appliance.api.schemas.asking import Question
from appliance.api.schemas.sources import SourceIn
from appliance.config import load_settings
from appliance.errors import ConfigurationError
from appliance.invalid import named, told

_GIVEN = "<Geheim/7>"


def refusal(kind: type[BaseModel], /, **values: object) -> str:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(values)
    return "; ".join(f"{named(item['loc'])} {told(item['type'], item.get('ctx'))}" for item in caught.value.errors())


def test_a_sentence_says_what_is_allowed() -> None:
    source = {"name": "Policies", "groups": ["hr"]}
    for changed, said in (
        ({"groups": ["hr", _GIVEN]}, "groups (number 2) must be 1 to 100 letters, digits, spaces and signs of . @ _ -"),
        ({"groups": []}, "groups must not be empty"),
        ({"kind": _GIVEN}, "kind must be 'folder' or 'uploads'"),
        ({"language": _GIVEN}, "language must be two small letters, such as 'de', or nothing"),
        ({"compare_every_minutes": -1}, "compare_every_minutes must be at least 0"),
        ({"compare_every_minutes": _GIVEN}, "compare_every_minutes must be a whole number"),
        ({"watched": _GIVEN}, "watched must be true or false"),
        ({"name": ""}, "name must not be empty"),
        ({"name": "x" * 201}, "name may have at most 200 characters"),
        ({"include": ["a"] * 201}, "include may have at most 200 entries"),
        ({"surprise": _GIVEN}, "surprise is not known here; leave it out"),
    ):
        assert refusal(SourceIn, **source | changed) == said
    assert refusal(Question) == "question is missing"


def test_a_setting_of_the_wrong_kind_is_told_in_the_same_words() -> None:
    with pytest.raises(
        ConfigurationError, match=r"'server\.port' must be a whole number; 'model\.provider' must be 'a"
    ):
        load_settings(environ={"STRONGROOM_SERVER__PORT": _GIVEN, "STRONGROOM_MODEL__PROVIDER": _GIVEN})


def test_what_nobody_foresaw_is_still_a_sentence() -> None:
    assert told("a_kind_of_tomorrow") == "is not valid"
