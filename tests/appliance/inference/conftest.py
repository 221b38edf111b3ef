"""The tiny model, made once per run, and llama.cpp's own HTTP server running it: a real OpenAI-compatible peer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.tiny_gguf import make_tiny_gguf, serve_over_http


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def llama_server(tiny_gguf: Path) -> Iterator[str]:
    """The base URL of a llama.cpp server on loopback, with a window of 1,024 tokens."""
    with serve_over_http(tiny_gguf, context_tokens=1024) as base_url:
        yield base_url


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, of this process and those it starts: one of a short name, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        monkeypatch.setattr("tempfile.tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)
