"""Settings of what watches over the log, and of who is told."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, model_validator

from appliance.config.section import Section

_LOCAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("127.0.0.0/8", "::1/128"),
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
        *("fc00::/7", "169.254.0.0/16", "fe80::/10"),  # RFC 4193, link-local
    )
)
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}  # RFC 5426, 6587 and 5425


class MonitoringSettings(Section):
    """When the whole log is verified, and where log heads, flags and alarms go. No feed unless it is named."""

    verify_at_hour: Annotated[int, Field(ge=0, le=23)] = 3  # every day, by the machine's own clock
    syslog: str = ""  # udp://HOST, tcp://HOST, tls://HOST, each with a port or none, or unix:///dev/log
    syslog_ca_file: str = ""  # whom tls:// believes; empty: whoever the machine believes
    ocsf_file: str = ""  # OCSF events, one JSON object a line, are appended to it

    @model_validator(mode="after")
    def _is_local(self) -> MonitoringSettings:
        if self.syslog and not _is_destination(self.syslog):
            raise ValueError(
                "has an address in 'syslog' that is none of udp://HOST, tcp://HOST, tls://HOST and unix:///PATH, "
                "or is not in a private network"
            )
        if self.ocsf_file and not Path(self.ocsf_file).is_absolute():
            raise ValueError("needs a whole path in 'ocsf_file', beginning with a slash")
        return self

    @property
    def syslog_address(self) -> tuple[str, int]:
        """Host and port of the syslog receiver."""
        address = urlsplit(self.syslog)
        return address.hostname or "", address.port or _PORTS[address.scheme]


def is_local(host: str) -> bool:
    """Whether an address is of this machine or a private network."""
    address = ipaddress.ip_address(host)
    return any(address in network for network in _LOCAL if network.version == address.version)


def _is_destination(text: str) -> bool:
    try:
        address = urlsplit(text)
        if address.scheme == "unix":
            return address.netloc == "" and address.path.startswith("/")
        return address.scheme in _PORTS and _names_a_host(address)
    except ValueError:  # a port or a bracket that is none
        return False


def _names_a_host(address: SplitResult) -> bool:
    host = address.hostname or ""
    if not host or address.path.strip("/") or address.query or address.username or address.port == 0:
        return False
    try:
        return is_local(host)
    except ValueError:  # a name; it is looked up, and judged, when it is called
        return True
