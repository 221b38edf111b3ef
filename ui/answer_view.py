"""An answer as its reader was shown it: with the numbers of its sources, and what is marked in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from appliance.api.schemas.asking import GroundingOut
from ui.inert import Html, Mark, render


def answer(
    words: str,
    numbers: Collection[int],
    *,
    is_quoted: bool,
    highlights: Sequence[tuple[int, int]],
    grounding: GroundingOut | None,
) -> Html:
    """The answer; marked are the numbers that its passages do not have, or the sentences nearest to the question.

    Args:
        words: What it says.
        numbers: Those of the passages that it cites.
        is_quoted: Whether it is put together of quotations, and no language model wrote it.
        highlights: The characters (start, end) nearest to the question.
        grounding: How it was held against its passages, if it was.
    """
    if grounding is None:
        return render(words, numbers, marked=highlights, rows=is_quoted)
    doubted = [span for statement in grounding.statements for span in statement.missing_at]
    return render(words, numbers, marked=doubted, mark=Mark.NOT_FOUND)
