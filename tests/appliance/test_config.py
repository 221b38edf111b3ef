"""Settings: where they come from, which wins, and that nothing wrong or misspelt looks set."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from appliance.config import OFFLINE_SWITCHES, Provider, Settings, go_offline, load_settings
from appliance.config.identity import LdapSettings
from appliance.config.in_force import IS_SET, digest, in_force, not_as_delivered
from appliance.config.section import Section
from appliance.errors import ConfigurationError

# What each dependency was seen to do, and the value that stops it; kept apart from the code on purpose.
MUST_BE_SET = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "OTEL_SDK_DISABLED": "true",
    "ANONYMIZED_TELEMETRY": "False",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LANGCHAIN_TRACING_V2": "false",
    "OLLAMA_NO_CLOUD": "1",
    "QDRANT__TELEMETRY_DISABLED": "true",
    "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    path = Path("settings.toml")
    path.write_text(toml, encoding="utf-8")
    return load_settings(path, environ or {})


def refusal(toml: str = "", environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(toml, environ)
    return str(caught.value)


# offline


def test_every_switch_that_keeps_a_dependency_from_calling_out_is_set() -> None:
    environ: dict[str, str] = {}
    go_offline(environ)
    assert {name: environ.get(name) for name in MUST_BE_SET} == MUST_BE_SET


def test_going_offline_overwrites_what_the_environment_allowed_and_leaves_the_rest() -> None:
    environ = dict.fromkeys(OFFLINE_SWITCHES, "please call home") | {"PATH": "/bin"}
    go_offline(environ)
    assert environ == {**OFFLINE_SWITCHES, "PATH": "/bin"}


def test_going_offline_without_an_argument_sets_the_environment_of_the_process() -> None:
    code = "import os; from appliance.config import *; go_offline(); print(os.environ['HF_HUB_OFFLINE'])"
    environ = {name: value for name, value in os.environ.items() if name not in OFFLINE_SWITCHES}
    printed = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "1"


def test_hugging_face_takes_its_switches_the_way_they_are_written() -> None:
    code = (
        "from appliance.config import go_offline; go_offline()\n"
        "import huggingface_hub.constants as hub\n"
        "print(hub.HF_HUB_OFFLINE, hub.HF_HUB_DISABLE_TELEMETRY, hub.HF_HUB_DISABLE_UPDATE_CHECK)\n"
    )
    environ = {name: value for name, value in os.environ.items() if name not in OFFLINE_SWITCHES}
    printed = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "True True True"


# where settings come from


def test_without_a_file_and_environment_the_defaults_hold() -> None:
    assert load_settings(None, {}) == Settings()


def test_loading_creates_no_file() -> None:
    load_settings(None, {"STRONGROOM_DATA_DIR": "elsewhere"})
    assert list(Path().iterdir()) == []


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults() -> None:
    settings = load(
        '[server]\nport = 9000\nhost = "10.0.0.1"\n[index]\ntimeout_s = 5', {"STRONGROOM_SERVER__PORT": "9001"}
    )
    assert (settings.server.port, settings.server.host, settings.index.timeout_s) == (9001, "10.0.0.1", 5.0)
    assert settings.index.collection == "strongroom"


def test_a_settings_file_in_the_working_folder_is_found() -> None:
    Path("strongroom.toml").write_text("[server]\nport = 9000")
    assert load_settings(None, {}).server.port == 9000


def test_the_named_settings_file_is_taken_before_the_one_in_the_working_folder() -> None:
    Path("strongroom.toml").write_text("[server]\nport = 9000")
    Path("other.toml").write_text("[server]\nport = 9001")
    assert load_settings(None, {"STRONGROOM_CONFIG": "other.toml"}).server.port == 9001
    assert load_settings(Path("strongroom.toml"), {"STRONGROOM_CONFIG": "other.toml"}).server.port == 9000


def test_a_file_saved_with_a_byte_order_mark_is_read() -> None:
    assert load("\ufeff[server]\nport = 9000").server.port == 9000


def test_lists_are_written_in_the_environment_as_in_the_file() -> None:
    settings = load("", {"STRONGROOM_SERVER__ALLOWED_HOSTS": '["room.example.org", "10.0.0.1"]'})
    assert settings.server.allowed_hosts == ("room.example.org", "10.0.0.1")


def test_variables_of_other_tools_are_taken_below_our_own() -> None:
    aliases = {"QDRANT_URL": "http://127.0.0.1:6333", "OLLAMA_HOST": "http://127.0.0.1:9"}
    settings = load('[index]\nurl = "http://file"', aliases)
    assert (settings.index.url, settings.model.ollama_host) == ("http://127.0.0.1:6333", "http://127.0.0.1:9")
    assert load("", aliases | {"STRONGROOM_INDEX__URL": "http://own"}).index.url == "http://own"
    assert load("", {"QDRANT_URL": ""}).index.url == ""


def test_variables_of_the_tests_and_the_screens_are_no_settings() -> None:
    assert load("", {"STRONGROOM_TEST_QDRANT_URL": "x", "STRONGROOM_API_URL": "y", "OTHER": "z"}) == Settings()


# what is refused


@pytest.mark.parametrize(
    ("toml", "key"),
    [("prot = 1", "prot"), ("[server]\nprot = 1", "server.prot"), ("[sever]\nport = 1", "sever")],
)
def test_an_unknown_key_in_the_file_is_refused_by_name(toml: str, key: str) -> None:
    assert f"unknown setting '{key}'" in refusal(toml)


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("STRONGROOM_SERVER__PROT", "server.prot"),
        ("STRONGROOM_SERVER_PORT", "server_port"),
        ("STRONGROOM_SEVER__PORT", "sever"),
        ("STRONGROOM_SERVER__PORT__X", "server.port"),
        ("STRONGROOM_", ""),
        ("STRONGROOM_SERVER__", "server."),
    ],
)
def test_an_unknown_variable_is_refused_by_name(variable: str, key: str) -> None:
    assert f"'{key}'" in refusal("", {variable: "1"})


@settings(deadline=None)
@given(st.text("ABCDEFGHIJ_", min_size=1, max_size=12))
def test_no_made_up_variable_passes(name: str) -> None:
    with pytest.raises(ConfigurationError):
        load_settings(None, {f"STRONGROOM_{name}": "1"})


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("[server]\nport = 0", "server.port"),
        ('[server]\nport = "http"', "server.port"),
        ('[model]\nprovider = "cloud"', "model.provider"),
        ("[index]\ntimeout_s = inf", "index.timeout_s"),
        ("[retrieval]\nanswerable_above = nan", "retrieval.answerable_above"),
        ("[retrieval]\nanswerable_above = 1.5", "retrieval.answerable_above"),
        ("server = 1", "server"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_key(toml: str, key: str) -> None:
    assert f"'{key}'" in refusal(toml)


def test_a_section_and_a_value_of_the_same_name_are_refused() -> None:
    assert "'server'" in refusal("", {"STRONGROOM_SERVER": "x", "STRONGROOM_SERVER__PORT": "1"})
    assert "'server'" in refusal("server = 1", {"STRONGROOM_SERVER__PORT": "1"})


def test_a_file_that_is_missing_or_broken_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.toml cannot be read"):
        load_settings(Path("missing.toml"), {})
    with pytest.raises(ConfigurationError, match=r"missing\.toml cannot be read"):
        load_settings(None, {"STRONGROOM_CONFIG": "missing.toml"})
    assert "is not valid TOML" in refusal("port = = 1")
    Path("latin.toml").write_bytes(b'data_dir = "\xe9"')
    with pytest.raises(ConfigurationError, match=r"latin\.toml cannot be read"):
        load_settings(Path("latin.toml"), {})


def test_a_secret_in_a_misspelt_setting_is_in_no_message_and_no_traceback() -> None:
    for environ in ({"STRONGROOM_MODEL__API_KYE": "hunter2"}, {"STRONGROOM_MODEL__THREADS": "hunter2"}):
        with pytest.raises(ConfigurationError) as caught:
            load("", environ)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_secret_is_not_shown_when_settings_are_printed() -> None:
    settings = load("", {"STRONGROOM_MODEL__API_KEY": "hunter2", "STRONGROOM_INDEX__API_KEY": "hunter2"})
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.model.api_key.get_secret_value() == "hunter2"


# the model


@pytest.mark.parametrize(
    ("toml", "provider", "chosen"),
    [
        ("", Provider.OLLAMA, False),
        ("[model]\nthreads = 2", Provider.OLLAMA, False),
        ('[model]\ngguf_path = "m.gguf"', Provider.LLAMACPP, True),
        ('[model]\nbase_url = "http://127.0.0.1:8000/v1"', Provider.OPENAI, True),
        ('[model]\ngguf_path = "m.gguf"\nbase_url = "http://127.0.0.1:8000/v1"', Provider.LLAMACPP, True),
        ('[model]\nprovider = "none"\ngguf_path = "m.gguf"', Provider.NONE, True),
    ],
)
def test_the_provider_follows_from_what_is_set(toml: str, provider: Provider, chosen: bool) -> None:
    settings = load(toml)
    assert (settings.model.resolved_provider, settings.model.is_chosen) == (provider, chosen)


@pytest.mark.parametrize("name", ["oidc", "header"])
def test_a_directory_cannot_be_called_like_another_way_to_sign_in(name: str) -> None:
    values = {"urls": ["ldaps://ldap.example"], "bind_dn": "cn=a", "bind_password_file": "/a", "people_base": "dc=a"}
    assert LdapSettings.model_validate({**values, "name": "staff"}).is_set
    with pytest.raises(ValidationError, match="another way to sign in"):
        LdapSettings.model_validate({**values, "name": name})


# what is put on record of them


def test_what_is_not_as_delivered_is_told_by_name_and_value() -> None:
    found = load(
        """
        data_dir = "/srv/strongroom"
        [retention]
        profile = "long"
        profiles = { short = 3, long = 24 }
        [monitoring]
        syslog = ""
        verify_at_hour = 3
        [sign_in]
        passwords = "admins"
        second_factor_roles = ["admin", "compliance"]
        """
    )
    assert not_as_delivered(found) == {
        "data_dir": "/srv/strongroom",
        "retention.profile": "long",
        "retention.profiles": "long: 24, short: 3",
        "sign_in.passwords": "admins",
        "sign_in.second_factor_roles": "admin, compliance",
    }
    assert not_as_delivered(Settings()) == {}


def test_a_setting_that_is_changed_changes_the_digest_and_the_order_in_the_file_does_not() -> None:
    profiles = ["{ short = 3, long = 24 }", "{ long = 24, short = 3 }", "{ long = 25, short = 3 }"]
    one, same, other = (digest(load(f"[retention]\nprofiles = {it}")) for it in profiles)
    assert one == same != other
    assert digest(Settings()) == digest(load(""))


def test_no_secret_and_no_way_to_one_is_put_on_record() -> None:
    found = load(
        """
        [index]
        url = "http://qdrant:Zinnober@127.0.0.1:6333"
        api_key = "Zinnober"
        [model]
        base_url = "http://127.0.0.1:8000/v1?key=Zinnober"
        ollama_host = "http://Zinnober@127.0.0.1:11434"
        api_key = "Zinnober"
        [log]
        postgresql = "postgresql://strongroom@127.0.0.1:5432/strongroom"
        postgresql_password_file = "/etc/Zinnober"
        [trusted_header]
        user_header = "X-User"
        proxies = ["127.0.0.1"]
        secret_header = "X-Zinnober"
        secret = "Zinnober-Zinnober-Zinnober-Zinnober"
        """
    )
    told = not_as_delivered(found)
    assert "Zinnober" not in str(in_force(found))
    assert told["log.postgresql"] == "postgresql://strongroom@127.0.0.1:5432/strongroom"
    assert {name for name, value in told.items() if value == IS_SET} == {
        "index.url", "index.api_key", "model.base_url", "model.ollama_host", "model.api_key",
        "log.postgresql_password_file", "trusted_header.secret_header", "trusted_header.secret",
    }  # fmt: skip


def test_every_setting_that_is_kept_from_messages_is_kept_from_the_record() -> None:
    def secrets(section: Section, before: str = "") -> list[str]:
        named = [(f"{before}{name}", getattr(section, name)) for name in type(section).model_fields]
        deeper = [
            secret for name, value in named if isinstance(value, Section) for secret in secrets(value, f"{name}.")
        ]
        return deeper + [name for name, value in named if isinstance(value, SecretStr)]

    told = in_force(Settings())
    assert len(secrets(Settings())) >= 4
    assert {told[name] for name in secrets(Settings())} == {""}
    assert {name for name in told if "password_file" in name} == {
        "ldap.bind_password_file",
        "log.postgresql_password_file",
    }
