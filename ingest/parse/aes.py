"""Members of a ZIP archive encrypted by AES (the WinZip scheme, method 99), which the standard library does not open.

extra field 0x9901: version, "AE", key strength, the real method        (APPNOTE.TXT 7.3; winzip.com/aes_info)
data: salt, 2 bytes to check the password by, the encrypted bytes, the first 10 bytes of their HMAC-SHA1
"""

from __future__ import annotations

import hashlib
import hmac
import io
import struct
import zipfile
from io import BufferedIOBase

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

METHOD = 99

_EXTRA = 0x9901
_ROUNDS = 1_000
_CHECK_BYTES, _HMAC_BYTES, _BLOCK_BYTES = 2, 10, 16
_LOCAL_HEADER = struct.Struct("<26xHH")
_MAX_BYTES = 512 * 1024**2


def open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, password: str) -> BufferedIOBase:
    """A member, decrypted and to be decompressed as it is read.

    Raises:
        zipfile.BadZipFile: The password is another, or the bytes are not those that were encrypted.
    """
    strength, method = _scheme(info.extra)
    raw = _raw_bytes(archive, info)
    salt_bytes, key_bytes = 4 * (strength + 1), 8 * (strength + 1)
    salt, check = raw[:salt_bytes], raw[salt_bytes : salt_bytes + _CHECK_BYTES]
    sealed, seal = raw[salt_bytes + _CHECK_BYTES : -_HMAC_BYTES], raw[-_HMAC_BYTES:]
    keys = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, _ROUNDS, 2 * key_bytes + _CHECK_BYTES)
    if not hmac.compare_digest(keys[2 * key_bytes :], check):
        raise zipfile.BadZipFile("the password is another")
    if not hmac.compare_digest(hmac.digest(keys[key_bytes : 2 * key_bytes], sealed, "sha1")[:_HMAC_BYTES], seal):
        raise zipfile.BadZipFile("the bytes are others")
    plain = zipfile.ZipInfo(info.filename)  # without a check sum: the HMAC has been checked
    plain.compress_type, plain.compress_size, plain.file_size = method, len(sealed), info.file_size
    return zipfile.ZipExtFile(io.BytesIO(_decrypted(sealed, keys[:key_bytes])), "r", plain)


def _scheme(extra: bytes) -> tuple[int, int]:
    """Key strength (1 to 3) and compression method."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _EXTRA and length >= 7 and len(extra) >= 11:
            strength, method = struct.unpack_from("<BH", extra, 8)
            if strength in (1, 2, 3) and method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
                return strength, method
        extra = extra[4 + length :]
    raise zipfile.BadZipFile("no such scheme")


def _raw_bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    source = archive.fp
    if source is None or info.compress_size > _MAX_BYTES:
        raise zipfile.BadZipFile("closed, or too large")
    source.seek(info.header_offset)
    header = source.read(30)
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile("no member there")
    source.seek(sum(_LOCAL_HEADER.unpack(header)), io.SEEK_CUR)
    raw = source.read(info.compress_size)
    if len(raw) < info.compress_size or len(raw) < _HMAC_BYTES + _CHECK_BYTES + 8:
        raise zipfile.BadZipFile("it breaks off")
    return raw


def _decrypted(sealed: bytes, key: bytes) -> bytes:
    """AES in counter mode; the counter begins at 1 and is written low byte first, unlike everywhere else."""
    blocks = -(-len(sealed) // _BLOCK_BYTES)
    counters = b"".join(number.to_bytes(_BLOCK_BYTES, "little") for number in range(1, blocks + 1))
    stream = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)[: len(sealed)]  # noqa: S305 - builds CTR
    return (int.from_bytes(sealed) ^ int.from_bytes(stream)).to_bytes(len(sealed))
