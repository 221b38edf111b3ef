"""What of a model's answer is shown, as it is written: the same for a reader as for a replay.

Rules this module keeps:

1. What is shown has no character that a screen does not show, no marker that points at no passage, and no beginning
   that means "not in the documents". Where a model says so further on and cites nothing, the answer is that it says so.
2. A model that goes round in circles is stopped: it has failed.
3. Closing it stops the model.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from appliance.answering import notices
from appliance.answering.citations import MarkerGate, without_hidden
from appliance.answering.opening import LoopWatch, Opening, says_no
from appliance.domain import Citation
from appliance.errors import ModelUnavailable
from appliance.inference.wire import Ending, whole_characters


class Writing:
    """The texts to show, in their order; afterwards how it ended, and in `gate` what the markers pointed at."""

    def __init__(self, pieces: Generator[str, None, bool], passages: Sequence[Citation]) -> None:
        """Begin with the first piece. `passages` are those that were put before the model."""
        self._pieces = pieces
        self._ending = Ending(pieces)
        self._opening = Opening()
        self._shown = ""
        self.gate = MarkerGate(passages)

    @property
    def says_no(self) -> bool:
        """Whether the model said that the passages do not answer the question: at once, and nothing was shown, or when
        it had ended."""
        return self._opening.says_no or (not self.gate.citations and says_no(self._shown))

    @property
    def is_cut(self) -> bool:
        """Whether the answer was cut at its greatest length."""
        return self._ending.is_cut

    def __iter__(self) -> Iterator[str]:
        """Raises ModelUnavailable or ContextOverflow, also in mid-stream."""
        loop = LoopWatch()
        for piece in whole_characters(self._ending):
            yield from self._checked(self._opening.feed(without_hidden(piece)))
            if self._opening.says_no:
                return
            if loop.is_looping(piece):
                raise ModelUnavailable(notices.LOOP)
        yield from self._checked(self._opening.finish(), is_last=True)

    def _checked(self, piece: str, *, is_last: bool = False) -> Iterator[str]:
        text = self.gate.feed(piece) + (self.gate.finish() if is_last else "")
        if text:
            self._shown += text
            yield text

    def close(self) -> None:
        """Stop the model, if it is still writing."""
        self._pieces.close()
