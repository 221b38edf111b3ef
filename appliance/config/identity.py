"""The settings of those who know the organisation's people: an identity provider, a reverse proxy, an LDAP directory.

Each is whole or wrong: one that is set says all that is needed, or the appliance does not start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from appliance.config.section import Section
from appliance.invalid import LABEL

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")  # no underscore, which some servers take for a hyphen


class SignatureAlgorithm(StrEnum):
    """What an identity provider may sign with. There is no `none` and nothing with a shared secret, on purpose."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    ED25519 = "EdDSA"


class OidcSettings(Section):
    """Single sign-on with OpenID Connect. None while `issuer` is empty. See docs/operations/single-sign-on.md."""

    issuer: str = ""  # exactly as the provider writes it
    name: Annotated[str, Field(min_length=1, max_length=64)] = "single sign-on"  # on the button
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")  # empty: a public client, with PKCE alone
    public_url: str = ""  # where people reach the appliance, without a path
    ca_file: str = ""  # PEM; empty: the authorities that this machine trusts
    scopes: tuple[str, ...] = ("openid", "profile")
    algorithms: tuple[SignatureAlgorithm, ...] = (SignatureAlgorithm.RS256, SignatureAlgorithm.ES256)
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    clock_skew_s: Annotated[int, Field(ge=0, le=300)] = 60
    name_claim: str = "preferred_username"
    display_name_claim: str = "name"
    groups_claim: str = "groups"  # dots lead inwards: realm_access.roles
    groups: Mapping[str, str] = {}  # group there -> group here; empty: all of them, as they are called there
    employee_groups: tuple[str, ...] = ()  # groups there; empty: everybody who signs in is an employee
    admin_groups: tuple[str, ...] = ()
    compliance_groups: tuple[str, ...] = ()
    userinfo: bool = False  # ask for the claims there too
    sign_out: bool = False  # signing out here leads to the provider's own signing out
    max_age_s: Annotated[float, Field(ge=60)] = 86_400.0  # then what it said of somebody counts for nothing

    @property
    def is_set(self) -> bool:
        """Whether there is a provider."""
        return bool(self.issuer)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.is_set:
            return self
        if missing := [key for key in ("client_id", "public_url") if not getattr(self, key)]:
            raise ValueError(f"needs {' and '.join(missing)} as well")
        if not _is_secured(self.issuer):
            raise ValueError("needs an 'issuer' that begins with https:// (http:// on this machine alone)")
        if not _is_secured(self.public_url) or urlsplit(self.public_url).path.strip("/"):
            raise ValueError("needs a 'public_url' such as https://strongroom.example, without a path")
        if "openid" not in self.scopes or not self.algorithms:
            raise ValueError("needs 'openid' among the scopes, and at least one of the algorithms")
        return self


class TrustedHeaderSettings(Section):
    """A reverse proxy that says who somebody is. None while `user_header` is empty."""

    user_header: str = ""
    groups_header: str = ""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","  # between groups
    display_name_header: str = ""
    proxies: tuple[str, ...] = ()  # addresses or networks that may send them
    secret_header: str = ""  # one that the proxy alone can fill in
    secret: SecretStr = SecretStr("")
    groups: Mapping[str, str] = {}  # group there -> group here; empty: all of them, as they are called there
    employee_groups: tuple[str, ...] = ()  # groups there; empty: everybody is an employee
    admin_groups: tuple[str, ...] = ()
    compliance_groups: tuple[str, ...] = ()
    sign_out_url: str = ""  # where the proxy ends its own session
    max_age_s: Annotated[float, Field(ge=60)] = 86_400.0  # then what it said of somebody counts for nothing

    @property
    def is_set(self) -> bool:
        """Whether there is a proxy that is believed."""
        return bool(self.user_header)

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header that the proxy alone may send, in small letters."""
        named = (self.user_header, self.groups_header, self.display_name_header, self.secret_header)
        return tuple(name.lower() for name in named if name)

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """From where they may come."""
        return tuple(_network(proxy) for proxy in self.proxies)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.is_set:
            return self
        if not self.networks:
            raise ValueError("needs 'proxies', the addresses that may send the header")
        if not all(_HEADER.fullmatch(name) for name in self.headers):
            raise ValueError("has a header that is not made of letters, digits and '-'")
        if len(set(self.headers)) != len(self.headers):
            raise ValueError("uses one header for two things")
        if bool(self.secret_header) != bool(self.secret.get_secret_value()):
            raise ValueError("needs both 'secret_header' and 'secret', or neither")
        return self


def _is_secured(address: str) -> bool:
    """Whether an address is one of TLS, or does not leave this machine."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # a port or a bracket that is none
        return False
    plain = parts.scheme == "http" and is_this_machine(host)
    unwanted = parts.query or parts.fragment or parts.username is not None
    return bool(host) and (parts.scheme == "https" or plain) and not unwanted


def is_this_machine(host: str) -> bool:
    """Whether a host is the loopback of this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _network(address: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(address)
    except ValueError:
        raise ValueError(f"has '{address}' among 'proxies', which is neither an address nor a network") from None


OIDC_DIRECTORY = "oidc"
HEADER_DIRECTORY = "header"
OTHER_DIRECTORIES = (OIDC_DIRECTORY, HEADER_DIRECTORY)
"""What people of these doors are kept under."""


class LdapKind(StrEnum):
    """Which directory it is: what its attributes are called."""

    OPENLDAP = "openldap"  # and what has the same schema, such as 389 Directory Server
    ACTIVE_DIRECTORY = "active_directory"


_LDAP_SCHEMAS: Mapping[LdapKind, Mapping[str, str]] = {
    LdapKind.OPENLDAP: {
        "name_attribute": "uid",
        "id_attribute": "entryUUID",
        "people_filter": "(objectClass=person)",
        "groups_filter": "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
    },
    LdapKind.ACTIVE_DIRECTORY: {
        "name_attribute": "sAMAccountName",
        "id_attribute": "objectGUID",
        "people_filter": "(&(objectCategory=person)(objectClass=user))",
        "groups_filter": "(objectClass=group)",
    },
}


class LdapSettings(Section):
    """A directory whose people sign in here. None while `urls` is empty. See docs/operations/ldap.md."""

    urls: tuple[str, ...] = ()  # ldaps://HOST, or ldap://HOST, which StartTLS secures; tried in this order
    kind: LdapKind = LdapKind.OPENLDAP
    name: Annotated[str, Field(pattern=LABEL)] = "ldap"  # what it is called here
    ca_file: str = ""  # PEM; empty: the authorities that this machine trusts
    plain_on_loopback: bool = False  # without TLS: for a test server on this machine
    bind_dn: str = ""
    bind_password_file: str = ""
    people_base: str = ""
    people_filter: str = ""  # this and the next three: empty for what is usual in a directory of this kind
    name_attribute: str = ""
    id_attribute: str = ""
    groups_filter: str = ""
    groups_base: str = ""  # empty: none of its groups counts here
    include_groups: tuple[str, ...] = ()  # patterns of cn, such as "rag-*": these arrive under their cn
    groups: Mapping[str, str] = {}  # DN or cn there -> group here
    admin_groups: tuple[str, ...] = ()  # DN or cn
    compliance_groups: tuple[str, ...] = ()
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    sync_every_s: Annotated[float, Field(ge=10)] = 900.0
    recheck_s: Annotated[float, Field(ge=0)] = 60.0  # who asks is looked up again after so long; 0: with each sync only
    max_age_s: Annotated[float, Field(ge=60)] = 86_400.0  # then what it said of somebody counts for nothing
    max_missing_share: Annotated[float, Field(gt=0, le=1)] = 0.5  # of its people gone at once, unconfirmed

    @property
    def is_set(self) -> bool:
        """Whether there is a directory."""
        return bool(self.urls)

    @model_validator(mode="after")
    def _is_whole(self) -> LdapSettings:
        if not self.is_set:
            return self
        if self.name in OTHER_DIRECTORIES:
            raise ValueError(f"has the 'name' '{self.name}', which another way to sign in goes by")
        needed = ("bind_dn", "bind_password_file", "people_base")
        if missing := [key for key in needed if not getattr(self, key)]:
            raise ValueError(f"needs {', '.join(missing)} as well")
        if not all(_is_ldap_address(url) for url in self.urls):
            raise ValueError("has an address in 'urls' that is not ldaps://HOST or ldap://HOST, with a port or none")
        if self.sync_every_s * 2 > self.max_age_s:
            raise ValueError(
                "needs a 'max_age_s' of at least twice 'sync_every_s', or one sync missed shuts people out"
            )
        return self

    def resolved(self, key: str) -> str:
        """A setting that is usual for the kind of directory when it is empty."""
        return str(getattr(self, key)) or _LDAP_SCHEMAS[self.kind][key]


def _is_ldap_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        usable = address.scheme in ("ldap", "ldaps") and address.hostname and (address.port is None or address.port)
    except ValueError:  # a port that is none
        return False
    return bool(usable) and not (address.path.strip("/") or address.query or address.username)
