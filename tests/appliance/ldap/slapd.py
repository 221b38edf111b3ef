"""Debian's slapd, really running on the loopback with TLS, on a directory that a test gives it as LDIF."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PROGRAM = shutil.which("slapd") or "/usr/sbin/slapd"
SUFFIX = "dc=example,dc=org"
SERVICE_DN = f"cn=strongroom,{SUFFIX}"
SERVICE_PASSWORD = "service-account-secret"

_SCHEMA = """
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.96 NAME 'pwdLastSet' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL MAY ( sAMAccountName $ objectGUID $ userAccountControl $ accountExpires $ pwdLastSet ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST cn MAY member )
"""
"""As much of Active Directory's schema as the appliance reads."""

_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
include {folder}/ad.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
disallow bind_anon
sizelimit size.soft={size_limit} size.hard={size_limit} size.prtotal=unlimited
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{suffix}"
rootdn "cn=root,{suffix}"
rootpw root
directory {folder}/data
maxsize 67108864
dbnosync
index objectClass,uid,cn,member,uniqueMember,memberUid,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,{suffix}"
"""


@dataclass(slots=True)
class Authority:
    """A certificate authority of a test's own."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def write(self, path: Path) -> Path:
        """Its own certificate, as PEM."""
        path.write_bytes(self._sign("Test authority", self.key, is_authority=True))
        return path

    def issue(self, folder: Path, *, host: str = "127.0.0.1", days: int = 30, from_days: int = -1) -> None:
        """A certificate and key for a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        folder.joinpath("server.pem").write_bytes(self._sign(host, key, days=days, from_days=from_days))
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        folder.joinpath("server.key").write_bytes(key.private_bytes(*pem))

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        is_authority: bool = False,
        days: int = 30,
        from_days: int = -1,
    ) -> bytes:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now + timedelta(days=from_days))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            names: list[x509.GeneralName] = [x509.DNSName(name)]
            if name[0].isdigit():
                names = [x509.IPAddress(ip_address(name))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Slapd:
    """A running server."""

    folder: Path
    tls_port: int
    plain_port: int

    @property
    def ldaps(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def ldap(self) -> str:
        return f"ldap://127.0.0.1:{self.plain_port}"

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def change(self, ldif: str) -> None:
        """Apply changes, as LDIF."""
        who = ["-x", "-H", self.ldap, "-D", f"cn=root,{SUFFIX}", "-w", "root"]
        environment = {"LDAPNOINIT": "1", "PATH": os.environ["PATH"]}
        subprocess.run(["ldapmodify", *who], input=ldif, text=True, check=True, capture_output=True, env=environment)


@contextmanager
def running(folder: Path, ldif: str, *, size_limit: str = "unlimited", **certificate: object) -> Iterator[Slapd]:
    """A server on free ports, with the given directory in it."""
    folder.joinpath("data").mkdir(parents=True)
    folder.joinpath("ad.schema").write_text(_SCHEMA)
    configuration = folder / "slapd.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, suffix=SUFFIX, size_limit=size_limit))
    authority = Authority()
    authority.write(folder / "ca.pem")
    authority.issue(folder, **certificate)  # type: ignore[arg-type]
    slapadd = [PROGRAM, "-T", "add", "-q", "-f", str(configuration)]
    subprocess.run(slapadd, input=ldif, text=True, check=True, capture_output=True)
    server = Slapd(folder, _free_port(), _free_port())
    command = [PROGRAM, "-f", str(configuration), "-h", f"{server.ldaps}/ {server.ldap}/", "-d", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(server, process)
            yield server
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(server: Slapd, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "slapd ended at once"
        try:
            socket.create_connection(("127.0.0.1", server.tls_port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("slapd does not listen")
