"""What of a model's answer is shown, as it is written: the same for a reader as for a replay.

Rules this module keeps:

1. What is shown has no marker that points at no passage, and no beginning that means "not in the documents".
2. A model that goes round in circles is stopped: it has failed.
3. Closing it stops the model.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from appliance.answering import notices
from appliance.answering.citations import MarkerGate
from appliance.answering.opening import LoopWatch, Opening
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
        self.gate = MarkerGate(passages)

    @property
    def says_no(self) -> bool:
        """Whether the model said that the passages do not answer the question. Nothing was shown then."""
        return self._opening.says_no

    @property
    def is_cut(self) -> bool:
        """Whether the answer was cut at its greatest length."""
        return self._ending.is_cut

    def __iter__(self) -> Iterator[str]:
        """Raises ModelUnavailable or ContextOverflow, also in mid-stream."""
        loop = LoopWatch()
        for piece in whole_characters(self._ending):
            text = self.gate.feed(self._opening.feed(piece))
            if text:
                yield text
            if self.says_no:
                return
            if loop.is_looping(piece):
                raise ModelUnavailable(notices.LOOP)
        text = self.gate.feed(self._opening.finish()) + self.gate.finish()
        if text:
            yield text

    def close(self) -> None:
        """Stop the model, if it is still writing."""
        self._pieces.close()
