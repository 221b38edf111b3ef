"""Does a prompt fit the model's window, and did the server really read all of it?

Adapters call `require_room` before a request and `require_whole_prompt` when the server has told its figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from appliance.errors import ContextOverflow
from appliance.inference.port import Generation, Message
from appliance.inference.token_bound import (
    MESSAGE_OVERHEAD_TOKENS,
    PROMPT_OVERHEAD_TOKENS,
    at_least_tokens,
    at_most_tokens,
)

_OVERFLOW = re.compile(
    r"context[ _-]?(length|size|window)|exceed_context_size|(maximum|max) (model|input|sequence) length"
    r"|maximum number of tokens|prompt is too long",
    re.IGNORECASE,
)


def at_most_prompt_tokens(
    messages: Sequence[Message], generation: Generation, window_tokens: int, count: Callable[[str], int]
) -> int:
    """A number of tokens the chat stays below, the chat template's own included, where `count` does so for a text.

    Counted only where the bound (see `token_bound`) leaves too little room for the answer.
    """
    bound = _prompt_tokens(messages, at_most_tokens)
    fits = bound + generation.max_tokens <= window_tokens
    return bound if fits else _prompt_tokens(messages, count)


def _prompt_tokens(messages: Sequence[Message], count: Callable[[str], int]) -> int:
    content = sum(count(message.content) + MESSAGE_OVERHEAD_TOKENS for message in messages)
    return content + PROMPT_OVERHEAD_TOKENS


def require_room(prompt_tokens: int, generation: Generation, window_tokens: int) -> None:
    """Refuse a prompt that leaves too little room for the answer.

    Raises:
        ContextOverflow: Prompt and answer together do not fit into `window_tokens`.
    """
    if prompt_tokens + generation.max_tokens > window_tokens:
        raise ContextOverflow(
            f"The prompt takes up to {prompt_tokens:,} tokens and the answer {generation.max_tokens:,}, but the "
            f"model's window has {window_tokens:,}. Use fewer passages, or raise model.context_tokens if the model "
            "allows it."
        )


def require_whole_prompt(
    messages: Sequence[Message],
    generation: Generation,
    *,
    prompt_tokens: int | None,
    answer_tokens: int | None,
    stopped_by_length: bool,
) -> None:
    """Hold the server's figures against what was sent. None (or 0) means that the server did not tell.

    Raises:
        ContextOverflow: The server read fewer tokens than the prompt has words, so it cut the prompt; or the answer
            ended for want of room before it had `max_tokens`, so prompt and answer did not fit.
    """
    words = sum(at_least_tokens(message.content) for message in messages)
    if prompt_tokens and prompt_tokens < words:
        raise ContextOverflow(
            f"The model server read {prompt_tokens:,} tokens of a prompt of {words:,} words: it cut the prompt. "
            "Do not use this answer; give the server a longer context or lower model.context_tokens."
        )
    if stopped_by_length and answer_tokens and answer_tokens < generation.max_tokens:
        raise ContextOverflow(
            f"The model's window was full after {answer_tokens:,} of {generation.max_tokens:,} tokens of the answer. "
            "Do not use this answer; use fewer passages, or give the server a longer context."
        )


def tells_of_overflow(server_message: str) -> bool:
    """Whether an error text of a model server says that the prompt is too long for the window."""
    return _OVERFLOW.search(server_message) is not None
