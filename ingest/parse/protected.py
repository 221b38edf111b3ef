"""Documents under a password, opened with the one that was given: Office (old and new), and OpenDocument.

What is opened goes on to the other readers, which know nothing of passwords. PDFs and archives are opened by theirs.
Office by msoffcrypto. OpenDocument here, by what part 3 of its standard says (4.8): AES-256, as LibreOffice writes it
since 2011.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib

import msoffcrypto  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree  # type: ignore[import-untyped]
from msoffcrypto.exceptions import InvalidKeyError  # type: ignore[import-untyped]

from appliance.errors import DocumentNeedsPassword
from ingest.parse.detect import ENCRYPTED, OLE_SIGNATURE, WRONG_PASSWORD
from ingest.parse.package import DAMAGE, tree

_UNKNOWN = "is encrypted in a way that no password opens here; save it without a password, and sync again"
_EVERYBODYS = ("VelvetSweatshop", "/01Hannes Ruescher/01")
"""Excel and PowerPoint encrypt files that are only protected against changes, under these, and open them unasked."""

_M = "{urn:oasis:names:tc:opendocument:xmlns:manifest:1.0}"
_MANIFEST = "META-INF/manifest.xml"
_PARTS = ("content.xml", "styles.xml", "meta.xml")
_MAX_ROUNDS = 2_000_000
_MAX_PART_BYTES = 512 * 1024**2


def opened(data: bytes, password: str) -> bytes:
    """The document without its encryption; as it is if it has none, or none that is known here.

    Raises:
        DocumentNeedsPassword: It is encrypted, and not by `password`.
    """
    if password and data.startswith(b"PK\x03\x04") and data[30:38] == b"mimetype":
        return _opened_package(data, password)
    if not data.startswith(OLE_SIGNATURE) or not _is_encrypted(data):
        return data
    for tried in (password, *_EVERYBODYS) if password else _EVERYBODYS:
        if plain := _decrypted(data, tried, is_given=tried == password):
            return plain
    raise DocumentNeedsPassword(WRONG_PASSWORD if password else ENCRYPTED)


def _is_encrypted(data: bytes) -> bool:
    try:
        return bool(msoffcrypto.OfficeFile(io.BytesIO(data)).is_encrypted())
    except Exception:  # noqa: BLE001 - the edge of an untrusted parser; the document's own reader will say more
        return False


def _decrypted(data: bytes, password: str, *, is_given: bool) -> bytes:
    """The plain document; empty if the password is another.

    Raises DocumentNeedsPassword when the library does not know the encryption, whatever the password somebody gave.
    """
    plain = io.BytesIO()
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(data))
        office.load_key(password=password, verify_password=True)
        office.decrypt(plain)
    except InvalidKeyError:
        return b""
    except Exception as error:
        if not is_given:
            return b""
        raise DocumentNeedsPassword(_UNKNOWN) from error
    return plain.getvalue()


def _opened_package(data: bytes, password: str) -> bytes:
    """The parts with text of an OpenDocument file, decrypted; the file itself if it is not encrypted."""
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
            if _MANIFEST not in source.namelist():
                return data
            manifest = tree(source.read(_MANIFEST))
            if manifest.find(f".//{_M}encryption-data") is None:
                return data
            target.writestr("mimetype", source.read("mimetype"))
            for entry in manifest.iter(f"{_M}file-entry"):
                name = entry.get(f"{_M}full-path")
                if name in _PARTS:
                    target.writestr(name, _part(source.read(name), entry.find(f"{_M}encryption-data"), password))
    except (zipfile.BadZipFile, etree.XMLSyntaxError):
        return data  # its own reader will say more
    except DAMAGE as error:
        raise DocumentNeedsPassword(WRONG_PASSWORD) from error
    return out.getvalue()


def _part(sealed: bytes, encryption: etree._Element | None, password: str) -> bytes:
    """One part in plain. Raises ValueError if the password is another, or the scheme one that is not known here."""
    if encryption is None:
        return sealed
    algorithm, derivation = (encryption.find(f"{_M}{name}") for name in ("algorithm", "key-derivation"))
    if algorithm is None or derivation is None or not algorithm.get(f"{_M}algorithm-name", "").endswith("#aes256-cbc"):
        raise ValueError("another scheme")
    rounds = int(derivation.get(f"{_M}iteration-count", "0"))
    if not 0 < rounds <= _MAX_ROUNDS:
        raise ValueError("another scheme")
    start, salt = hashlib.sha256(password.encode()).digest(), _bytes(derivation, "salt")
    key = hashlib.pbkdf2_hmac("sha1", start, salt, rounds, 32)
    decryptor = Cipher(algorithms.AES(key), modes.CBC(_bytes(algorithm, "initialisation-vector"))).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    packed = padded[: -padded[-1]] if padded and 0 < padded[-1] <= 16 else b""
    if hashlib.sha256(packed[:1024]).digest() != _bytes(encryption, "checksum"):
        raise ValueError("another password")
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _MAX_PART_BYTES)


def _bytes(item: etree._Element, name: str) -> bytes:
    return base64.b64decode(item.get(f"{_M}{name}", ""), validate=True)
