"""Reranking by a model from a GGUF file, run by llama.cpp in a process of its own.

The model is one that llama.cpp knows to rank with: a cross-encoder (BERT, XLM-RoBERTa and the like, as bge-reranker) or
a reranking language model that brings a prompt for it (as Qwen3-Reranker); llama.cpp's own converter makes such files.

Rules this module keeps:

1. The file is checked before native code reads it, and loaded for the first question.
2. Of a pair that is longer than the model reads, the end of the passage is left out; a question has half of the room
   at most.
3. Each passage is judged by itself, and nothing of it is kept for the next.
4. A question waits for it no longer than a minute for the others and a minute for itself; then it goes without.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from appliance.errors import ModelUnavailable
from appliance.inference.gguf_header import digest_of_gguf, read_gguf_header
from appliance.inference.llamacpp_engine import TIMEOUT_S, Engine, EngineKeeper
from appliance.inference.llamacpp_process import LlamaCppProcess
from appliance.inference.wire import valid_text

_MOST_TOKENS = 1024  # of a pair; what is longer only costs memory, since passages have a few hundred
_SEAM_TOKENS = 4  # that joining two texts may add, where a prompt puts them into one
_NEXT_TO_NOTHING_S = 0.001
_ANOTHER = "Use another one, or correct or remove retrieval.reranker_path."
_FASTER = "Lower retrieval.rerank_candidates, or use a smaller model."


class LlamaCppReranker:
    """A `Reranker`. Safe to share between threads: the passages of one question are judged at a time."""

    def __init__(
        self, gguf_path: Path, *, threads: int, load_timeout_s: float = 600.0, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Load nothing yet.

        Args:
            gguf_path: The model file.
            threads: Threads for computing; 0 leaves it to llama.cpp, which takes one per core.
            load_timeout_s: Longest wait for the model to load.
            timeout_s: Longest time for the passages of one question, and longest wait for those of others.
        """
        self._path = gguf_path
        self._threads = threads
        self._timeout_s = timeout_s
        self._turn = threading.Lock()
        self._keeper = EngineKeeper(self._started, load_timeout_s=load_timeout_s)

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """A number for each text, higher for a better answer. Raises ModelUnavailable."""
        if not texts:
            return []
        if not self._turn.acquire(timeout=self._timeout_s):
            raise ModelUnavailable(f"The reranking model was busy for {self._timeout_s:g} s. {_FASTER}")
        try:
            engine = self._keeper.loaded()
            return engine.scores(valid_text(question), [valid_text(text) for text in texts], self._timeout_s)
        finally:
            self._turn.release()

    def digest(self) -> str:
        """SHA-256 of the file as it was loaded: what the scores depend on. Raises ModelUnavailable."""
        return self._keeper.loaded().digest

    def close(self) -> None:
        """Free the memory; the next use loads again."""
        self._keeper.close()

    def _started(self) -> _RankingEngine:
        header = read_gguf_header(self._path)
        if not header.ranks:  # llama.cpp would give numbers all the same
            raise ModelUnavailable(f"The model {self._path} is not made for reranking. {_ANOTHER}")
        window = min(_MOST_TOKENS, header.context_tokens or _MOST_TOKENS)
        digest = digest_of_gguf(self._path)
        process = LlamaCppProcess(self._path, context_tokens=window, threads=self._threads, ranks=True)
        return _RankingEngine(process, window, digest)


class _RankingEngine(Engine):
    """A model that judges how well texts answer a question, one question at a time."""

    def __init__(self, process: LlamaCppProcess, context_tokens: int, digest: str) -> None:
        super().__init__(process, context_tokens)
        self.digest = digest
        self._ends = 0.0  # by the clock of `time.monotonic`: until when the question may take

    def scores(self, question: str, texts: Sequence[str], timeout_s: float) -> list[float]:
        """A finite number for each text. Raises ModelUnavailable; what takes too long is ended with its process."""
        self._ends = time.monotonic() + timeout_s
        try:
            question = self._beginning(question, self._room // 2)
            left = self._room - self.count(question)
            return [self._score(question, self._beginning(text, left)) for text in texts]
        except ModelUnavailable:
            if self._time_left_s() > _NEXT_TO_NOTHING_S:
                raise
            self.process.stop()  # it may hang, and the next question would wait as long
            told = f"The reranking model did not judge {len(texts)} passages within {timeout_s:g} s. {_FASTER}"
            raise ModelUnavailable(told) from None

    def _time_left_s(self) -> float:
        return max(self._ends - time.monotonic(), _NEXT_TO_NOTHING_S)

    def _score(self, question: str, text: str) -> float:
        try:
            score = float(self._judged(question, text)["results"][0]["relevance_score"])
        except (LookupError, TypeError, ValueError):  # what is no number is "null"
            score = math.nan
        if not math.isfinite(score):
            raise ModelUnavailable(f"The reranking model gave no number. {_ANOTHER}")
        return score

    def _judged(self, question: str, text: str) -> dict[str, Any]:
        return self.post("/rerank", {"query": question, "documents": [text]}, hint=_ANOTHER)

    @cached_property
    def _room(self) -> int:
        """Tokens that question and text may have together: the window without what the model puts around them."""
        try:
            around = int(self._judged("a", "a")["usage"]["prompt_tokens"]) - 2 * self.count("a")
        except (LookupError, TypeError, ValueError):
            raise ModelUnavailable(f"llama.cpp does not tell how much the reranking model reads. {_ANOTHER}") from None
        room = self.context_tokens - around - _SEAM_TOKENS
        if room < 2:
            raise ModelUnavailable(
                f"The reranking model reads {self.context_tokens} tokens, which is too few. {_ANOTHER}"
            )
        return room

    def _beginning(self, text: str, tokens: int) -> str:
        """Of a text as much as has so many tokens at most."""
        while (count := self.count(text)) > tokens:
            text = text[: len(text) * tokens // count]
        return text
