"""What goes wrong between two machines, tried against a real server or a socket that misbehaves."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import DirectoryUnavailable
from appliance.ldap import ber, filters
from appliance.ldap.connection import Server, WrongPassword, connect
from tests.appliance.ldap import organisation, slapd

pytestmark = pytest.mark.integration

EVERYTHING = filters.present("objectClass")


@pytest.fixture
def reachable(server: slapd.Slapd) -> Server:
    return Server(server.ldaps, server.ca_file, timeout_s=5)


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it is told; gives its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    stream, _ = listening.accept()
                    with stream, contextlib.suppress(OSError):
                        answer(stream)

        threading.Thread(target=serve, daemon=True).start()
        yield str(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_a_password_is_checked_over_tls_either_way(server: slapd.Slapd, reachable: Server, scheme: str) -> None:
    with connect(replace(reachable, url=getattr(server, scheme))) as connection:
        connection.bind(organisation.dn("anna"), organisation.PASSWORD)
    with connect(replace(reachable, url=getattr(server, scheme))) as connection, pytest.raises(WrongPassword):
        connection.bind(organisation.dn("anna"), "wrong")


@pytest.mark.parametrize(("dn", "password"), [("", ""), (organisation.dn("anna"), ""), ("", "secret")])
def test_a_bind_without_a_name_or_a_password_never_reaches_the_server(
    reachable: Server, dn: str, password: str
) -> None:
    with connect(reachable) as connection, pytest.raises(WrongPassword):
        connection.bind(dn, password)


@pytest.mark.parametrize(
    ("certificate", "told"),
    [
        ({"days": -1, "from_days": -9}, "has expired"),
        ({"from_days": 3}, "not valid yet: check the clocks"),
        ({"host": "another.example.org"}, "for another name"),
    ],
)
def test_a_certificate_that_is_not_good_is_told_by_what_is_wrong_with_it(
    tmp_path: Path, certificate: dict[str, Any], told: str
) -> None:
    with slapd.running(tmp_path / "slapd", organisation.ldif(), **certificate) as wrong:
        for url in (wrong.ldaps, wrong.ldap):
            with pytest.raises(DirectoryUnavailable, match=told):
                connect(Server(url, wrong.ca_file, timeout_s=5))


def test_a_certificate_of_an_unknown_authority_is_refused(reachable: Server, tmp_path: Path) -> None:
    stranger = slapd.Authority().write(tmp_path / "ca.pem")
    for ca_file in ("", str(stranger)):
        with pytest.raises(
            DirectoryUnavailable, match=r"not from an authority that is trusted|certificate is not good"
        ):
            connect(replace(reachable, ca_file=ca_file))


def test_a_file_of_authorities_that_holds_none_is_named(reachable: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    for path in (tmp_path / "empty.pem", tmp_path / "absent.pem"):
        with pytest.raises(DirectoryUnavailable, match=r"ldap\.ca_file"):
            connect(replace(reachable, ca_file=str(path)))


def test_plain_text_is_for_the_loopback_alone(server: slapd.Slapd) -> None:
    with connect(Server(server.ldap, "", timeout_s=5, plain=True)) as connection:
        connection.bind(slapd.SERVICE_DN, slapd.SERVICE_PASSWORD)
    with pytest.raises(DirectoryUnavailable, match="only be on the loopback"):
        connect(Server("ldap://192.0.2.1", "", timeout_s=5, plain=True))


def test_a_server_that_is_down_is_told_as_such(reachable: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ldaps://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DirectoryUnavailable, match="cannot be reached"):
            connect(replace(reachable, url=url))


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_a_server_that_accepts_and_says_nothing_is_given_up(reachable: Server, scheme: str) -> None:
    began = time.monotonic()
    with answering(lambda _: time.sleep(60)) as port, pytest.raises(DirectoryUnavailable, match="said nothing for"):
        connect(replace(reachable, url=f"{scheme}://127.0.0.1:{port}", timeout_s=0.3))
    assert time.monotonic() - began < 30


def test_a_server_that_drips_is_given_up_as_well(reachable: Server) -> None:
    def drip(stream: socket.socket) -> None:
        for _ in range(600):
            stream.sendall(b"\x30\x84\x00\x00\xff\xff" if _ == 0 else b"\x00")
            time.sleep(0.1)

    began = time.monotonic()
    with answering(drip) as port, pytest.raises(DirectoryUnavailable, match="said nothing for"):
        connect(replace(reachable, url=f"ldap://127.0.0.1:{port}", timeout_s=0.5))
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak LDAP"),
        (b"\x30\x84\x7f\xff\xff\xff", "the limit is"),
        (b"", "closed the connection"),
    ],
)
def test_what_is_no_directory_is_told_as_such(reachable: Server, answer: bytes, told: str) -> None:
    def say(stream: socket.socket) -> None:
        stream.recv(100)
        stream.sendall(answer)

    with answering(say) as port, pytest.raises(DirectoryUnavailable, match=told):
        connect(replace(reachable, url=f"ldap://127.0.0.1:{port}"))


def test_tls_on_a_port_without_it_is_told_as_such(server: slapd.Slapd, reachable: Server) -> None:
    with pytest.raises(DirectoryUnavailable, match=r"TLS could not be agreed|cannot be reached"):
        connect(replace(reachable, url=server.ldap.replace("ldap:", "ldaps:")))


def test_a_word_in_clear_text_after_tls_was_agreed_ends_it(reachable: Server) -> None:
    """Somebody on the way must not put an answer in front of those that the server gives under TLS."""
    agreed = ber.element(
        ber.SEQUENCE, ber.integer(1), ber.element(0x78, ber.integer(0, ber.ENUMERATED), ber.text(""), ber.text(""))
    )
    planted = ber.element(
        ber.SEQUENCE, ber.integer(2), ber.element(0x61, ber.integer(0, ber.ENUMERATED), ber.text(""), ber.text(""))
    )

    def say(stream: socket.socket) -> None:
        stream.recv(100)
        stream.sendall(agreed + planted)
        time.sleep(0.5)

    with answering(say) as port, pytest.raises(DirectoryUnavailable, match="clear text after TLS"):
        connect(replace(reachable, url=f"ldap://127.0.0.1:{port}"))


def test_pages_bring_everything_and_a_limit_on_size_is_an_error(tmp_path: Path) -> None:
    many = "\n".join(organisation.person(f"person{number}") + "\n" for number in range(60))
    with slapd.running(tmp_path / "slapd", organisation.ldif() + "\n" + many, size_limit="20") as small:
        with _as_service(small) as connection:
            people = filters.equal("objectClass", "shadowAccount")
            assert len(connection.search(organisation.PEOPLE, people, ("uid",), at_most=1000, page=7)) == 72
        with _as_service(small) as connection, pytest.raises(DirectoryUnavailable, match="less than was asked for"):
            connection.search(organisation.PEOPLE, people, ("uid",), at_most=50, page=50)


def test_no_referral_is_followed(server: slapd.Slapd) -> None:
    with _as_service(server) as connection:
        found = connection.search(slapd.SUFFIX, EVERYTHING, ("1.1",), at_most=1000)
        assert not any("elsewhere" in entry.dn for entry in found)
    with _as_service(server) as connection, pytest.raises(DirectoryUnavailable, match="refers to another server"):
        connection.search(f"ou=elsewhere,{slapd.SUFFIX}", EVERYTHING, ("1.1",), at_most=10)


def test_a_base_that_is_not_there_is_named(server: slapd.Slapd) -> None:
    with _as_service(server) as connection, pytest.raises(DirectoryUnavailable, match=r"ldap\.people_base"):
        connection.search(f"ou=nowhere,{slapd.SUFFIX}", EVERYTHING, ("1.1",), at_most=10)


def test_no_other_ldap_settings_of_the_machine_are_read(
    server: slapd.Slapd, reachable: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".ldaprc").write_text("URI ldap://192.0.2.1\nTLS_REQCERT never\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LDAPTLS_REQCERT", "never")
    monkeypatch.setenv("LDAPURI", "ldap://192.0.2.1")
    with pytest.raises(DirectoryUnavailable, match="certificate"):
        connect(replace(reachable, ca_file=str(slapd.Authority().write(tmp_path / "ca.pem"))))


def _as_service(server: slapd.Slapd) -> Any:
    connection = connect(Server(server.ldaps, server.ca_file, timeout_s=5))
    connection.bind(slapd.SERVICE_DN, slapd.SERVICE_PASSWORD)
    return connection
