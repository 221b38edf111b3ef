"""The appliance with a language model that llama-index speaks to: here one that quotes, in ten lines.

    python samples/llama_index/own_model.py "How long are invoices kept?" erin

The word after the question is the name of the reader's account.

Any other llama-index `LLM` takes its place. The question, what was found and what was shown go on record as always.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata

from appliance.answering.answerer import Answered
from appliance.config import Settings, go_offline, load_settings
from appliance.domain import Conversation
from appliance.ecosystem.model import LlamaIndexModel
from appliance.errors import ApplianceError
from appliance.wiring import opened


class QuotingLLM(CustomLLM):
    """Answers with the first sentence of the first passage it is shown."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="quoting", context_window=8192, num_output=256)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        passage = re.search(r"<<<passage \[1\].*?>>>\n(.*?)\n<<<end", prompt, re.DOTALL)
        words = passage[1].split("\n")[-1] if passage else "The documents do not say."
        return CompletionResponse(text=f"{words.split('. ')[0].rstrip('.')} [1].")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        text = ""
        for word in self.complete(prompt).text.split(" "):
            text += f"{word} "
            yield CompletionResponse(text=text, delta=f"{word} ")


def ask(settings: Settings, question: str, name: str) -> str:
    """What the appliance answers a reader."""
    with opened(settings, model=LlamaIndexModel(QuotingLLM())) as appliance:
        reader = appliance.reader(name)()
        for event in appliance.answerer.ask(question, reader, Conversation("example"), origin="api"):
            if isinstance(event, Answered):
                cited = ", ".join(citation.hit.path for citation in event.answer.citations)
                return f"{event.answer.text}\n{cited}"
    return ""


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('Give the question and the name of the reader: own_model.py "How long are invoices kept?" erin')
    go_offline()
    try:
        print(ask(load_settings(), sys.argv[1], sys.argv[2]))
    except ApplianceError as error:
        sys.exit(str(error))
