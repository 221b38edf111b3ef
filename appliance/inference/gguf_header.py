"""Reads what a GGUF file says about itself, and refuses a file that is damaged before native code sees it.

The layout is that of ggml/docs/gguf.md, versions 2 and 3, little-endian: magic, version, counts, key-value pairs,
tensor descriptions, padding, tensor data. Every length is checked against what is left of the file.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ModelUnavailable
from appliance.inference.file_digest import sha256_of

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MAX_ENTRIES = 1_000_000  # pairs or tensors; the largest models have a few thousand
_MAX_DIMENSIONS = 4
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_KEPT = ("general.architecture", "general.name", "general.file_type", "general.alignment")
_KEPT_OF_ARCHITECTURE = (".context_length", ".pooling_type")
_POOLING_RANK = 4  # enum llama_pooling_type
_RANKING_LAYERS = (b"cls.weight", b"cls.output.weight")

_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip
"""Names of `general.file_type`, from llama.cpp's `enum llama_ftype`."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """`context_tokens` is the length the model was trained for; 0 if the file does not say.

    `ranks` says whether it was made to judge texts: it has the layer that does, or names that as its purpose.
    """

    architecture: str
    name: str
    context_tokens: int
    quantisation: str
    ranks: bool


def read_gguf_header(path: Path) -> GgufHeader:
    """What the file says about its model.

    Raises:
        ModelUnavailable: There is no such file, it cannot be read, or it is not a whole GGUF file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).header()
    except FileNotFoundError as error:
        raise ModelUnavailable(
            f"There is no model file {path}. Copy a GGUF file there, or correct the setting that names it."
        ) from error
    except OSError as error:
        raise ModelUnavailable(f"The model file {path} cannot be read: {error.strerror}. Check its owner.") from error
    except _Damaged as error:
        raise ModelUnavailable(
            f"{path} is not a usable GGUF file: {error}. Copy it again and compare digests."
        ) from error
    except (ValueError, OverflowError, struct.error) as error:
        # mmap refuses an empty file with ValueError; the others come from lengths that make no sense.
        raise ModelUnavailable(f"{path} is empty or damaged. Copy it again and compare digests.") from error


def digest_of_gguf(path: Path) -> str:
    """Names the exact weights; reads the whole file the first time. Raises ModelUnavailable."""
    try:
        return f"sha256:{sha256_of(path)}"
    except OSError as error:
        raise ModelUnavailable(f"The model file {path} cannot be read. Check its owner.") from error


class _Damaged(Exception):
    """A file breaks the format."""


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0
        self._kept: dict[str, int | float | bool | str] = {}

    def header(self) -> GgufHeader:
        if self._take(4) != _MAGIC:
            raise _Damaged("it does not begin with 'GGUF'")
        if (version := self._number("I")) not in _VERSIONS:
            raise _Damaged(f"format version {version} is not known")
        tensors, pairs = self._number("Q"), self._number("Q")
        if not 0 < tensors <= _MAX_ENTRIES or pairs > _MAX_ENTRIES:
            raise _Damaged("its table of contents makes no sense")
        for _ in range(int(pairs)):
            self._pair()
        found = [self._tensor() for _ in range(int(tensors))]
        self._check_offsets([offset for _, offset in found])
        architecture = str(self._kept.get("general.architecture", ""))
        if not architecture:
            raise _Damaged("it does not name its architecture")
        return GgufHeader(
            architecture,
            str(self._kept.get("general.name", "")),
            int(self._kept.get(f"{architecture}.context_length", 0)),
            _FILE_TYPES.get(int(self._kept.get("general.file_type", -1)), ""),
            ranks=self._kept.get(f"{architecture}.pooling_type") == _POOLING_RANK
            or any(name in _RANKING_LAYERS for name, _ in found),
        )

    def _pair(self) -> None:
        key = self._string().decode("utf-8", "replace")
        value = self._value(int(self._number("I")))
        if value is not None and (key in _KEPT or key.endswith(_KEPT_OF_ARCHITECTURE)):
            self._kept[key] = value

    def _value(self, kind: int) -> int | float | bool | str | None:
        if kind == _STRING:
            return self._string().decode("utf-8", "replace")
        if kind == _ARRAY:
            self._skip_array()
            return None
        if kind not in _SCALARS:
            raise _Damaged(f"value type {kind} is not known")
        return self._number(_SCALARS[kind])

    def _skip_array(self) -> None:
        kind, length = int(self._number("I")), int(self._number("Q"))
        if kind == _STRING:
            for _ in range(length):
                self._skip(int(self._number("Q")))
        elif kind in _SCALARS:
            self._skip(length * struct.calcsize(_SCALARS[kind]))
        else:
            raise _Damaged(f"arrays of type {kind} are not known")

    def _tensor(self) -> tuple[bytes, int]:
        """Read one description: the name, and where its data begins, counted from the start of the data."""
        name = self._string()
        dimensions = int(self._number("I"))
        if not 0 < dimensions <= _MAX_DIMENSIONS:
            raise _Damaged(f"a tensor has {dimensions} dimensions")
        self._skip(8 * dimensions + 4)  # the sizes, and the type
        return name, int(self._number("Q"))

    def _check_offsets(self, offsets: list[int]) -> None:
        alignment = int(self._kept.get("general.alignment", 32))
        if alignment <= 0:
            raise _Damaged("its alignment makes no sense")
        start = -(-self._at // alignment) * alignment
        if start + max(offsets) >= len(self._data):
            raise _Damaged("it ends before its last tensor")

    def _string(self) -> bytes:
        return self._take(int(self._number("Q")))

    def _number(self, code: str) -> int | float | bool:
        value: int | float | bool = struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]
        return value

    def _take(self, size: int) -> bytes:
        start = self._at
        self._skip(size)
        return self._data[start : self._at]

    def _skip(self, size: int) -> None:
        if size > len(self._data) - self._at:
            raise _Damaged("it ends in the middle of its header")
        self._at += size
