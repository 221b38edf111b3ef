"""What the appliance asks of its models.

Rules every implementation keeps:

1. Nothing is downloaded, ever: a model is a local folder or file, or a server that is already there.
2. Importing an implementation loads nothing; the model loads on first use.
3. Only errors of `appliance.errors` come out: `ModelUnavailable` when the model cannot be loaded or reached,
   `ContextOverflow` when a prompt does not fit. A server that dies in mid-stream raises too; nothing ends silently.
4. A language model's `count_tokens` never counts too few.
5. `stream` never lets a server cut the prompt: it sets the context window itself and refuses what does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from numpy import float32
from numpy.typing import NDArray

Vectors = NDArray[float32]

SPECIAL_TOKENS = 2
"""Tokens an embedding model puts around each text, one before and one after: `count_tokens` leaves them out."""


class Embedder(Protocol):
    """Turns text into vectors of length 1."""

    @property
    def model_id(self) -> str:
        """Name and content digest of the model, stable across machines; part of every chunk id."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text the model reads, special tokens included; the rest would be ignored."""

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has, without special tokens and without truncation."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimension), in the order given."""

    def embed_query(self, text: str) -> Vectors:
        """A vector of shape (dimension,) for a question."""


class Reranker(Protocol):
    """Judges how well passages answer a question, each read together with it: slower than vectors, and sharper."""

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """A finite number for each text, in the order given; higher is better. Comparable within one call only.

        A text's score depends on the question and on that text alone. Raises ModelUnavailable.
        """

    def digest(self) -> str:
        """Names the exact model. Raises ModelUnavailable."""

    def close(self) -> None:
        """Let go of the model; the next use loads it again. Closing twice is no error."""


class MessageRole(StrEnum):
    """Who says a message of a chat."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: MessageRole
    content: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is on record about the model that answered. `digest` names the exact weights where the provider tells.

    `takes_sampling` says whether temperature and seed of a `Generation` reach it; the other limits always hold.
    """

    provider: str
    name: str
    digest: str
    context_tokens: int
    quantisation: str = ""
    takes_sampling: bool = True


@dataclass(frozen=True, slots=True)
class Generation:
    """How to generate. `context_tokens` is the window for prompt and answer; `max_tokens` the part of the answer.

    An answer that is not finished after `time_s` ends with ModelUnavailable; the model is never silent for longer. So
    does one that is not wanted any more: `is_wanted` is asked at least every few seconds, from any thread.
    """

    context_tokens: int
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    time_s: float = 300.0
    is_wanted: Callable[[], bool] = field(default=lambda: True, compare=False, repr=False)


class LanguageModel(Protocol):
    """Writes an answer to a chat, piece by piece."""

    def card(self, generation: Generation | None = None) -> ModelCard:
        """Which model this is, asked of the provider now. Raises ModelUnavailable when it cannot be reached.

        Where it is asked for a `generation`, the call ends as that would: when its time is over or nobody wants it.
        """

    def count_tokens(self, text: str) -> int:
        """How many tokens a text takes at most."""

    def stream(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        """Pieces of the answer as they are made. Raises ModelUnavailable or ContextOverflow, also in mid-stream.

        Closing the generator stops the generation. Its return value is True when the answer was cut at `max_tokens` or
        at the end of the window, as far as the provider tells; see `wire.Ending`.
        """

    def close(self) -> None:
        """Let go of the model. Closing twice is no error."""
