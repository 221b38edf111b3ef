"""The header of a GGUF file, and files that break the format."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import LlamaFileType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import ModelUnavailable
from appliance.inference import gguf_header
from appliance.inference.gguf_header import GgufHeader, read_gguf_header

EXPECTED = GgufHeader("qwen2", "tiny-test-model", 1024, "F16", ranks=False)


def test_the_header_tells_architecture_name_window_and_quantisation(tiny_gguf: Path) -> None:
    assert read_gguf_header(tiny_gguf) == EXPECTED


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_to_the_header_is_read_or_refused(tiny_gguf: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(tiny_gguf.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 13_000))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert isinstance(read_gguf_header(damaged), GgufHeader)
    except ModelUnavailable as error:
        assert "damaged.gguf" in str(error)


@pytest.mark.parametrize("kept_bytes", [0, 3, 4, 23, 24, 100, 5_000, 13_000, 20_000, -400_000])
def test_a_file_cut_short_is_refused(tiny_gguf: Path, tmp_path: Path, kept_bytes: int) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(tiny_gguf.read_bytes()[:kept_bytes])
    with pytest.raises(ModelUnavailable, match="Copy it again"):
        read_gguf_header(short)


def test_the_names_of_quantisations_are_llama_cpps() -> None:
    known = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in LlamaFileType}
    for number, name in gguf_header._FILE_TYPES.items():
        assert known[number] == name
