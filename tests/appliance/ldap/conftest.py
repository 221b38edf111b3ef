"""One slapd for a module, and settings that name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.config.identity import LdapSettings
from appliance.ldap.directory import LdapDirectory
from tests.appliance.ldap import organisation, slapd

SettingsFor = Callable[..., LdapSettings]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slapd.Slapd]:
    with slapd.running(tmp_path_factory.mktemp("slapd"), organisation.ldif()) as running:
        yield running


@pytest.fixture(scope="module")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "password"
    path.write_text(slapd.SERVICE_PASSWORD + "\n")
    return path


@pytest.fixture
def settings_for(server: slapd.Slapd, password_file: Path) -> SettingsFor:
    def settings(**changes: Any) -> LdapSettings:
        usual: dict[str, Any] = {
            "urls": (server.ldaps,),
            "ca_file": server.ca_file,
            "bind_dn": slapd.SERVICE_DN,
            "bind_password_file": str(password_file),
            "people_base": organisation.PEOPLE,
            "groups_base": organisation.GROUPS,
            "include_groups": ("rag-*",),
        }
        return LdapSettings.model_validate(usual | changes)

    return settings


@pytest.fixture
def directory(settings_for: SettingsFor) -> LdapDirectory:
    return LdapDirectory(settings_for())
