"""Whether what was found is likely to answer, and for what it was found.

One rule for whoever answers, evaluates or measures: where the estimate turns a question away that ends with the form of
the answer, it is searched once more without that. Only such a question pays for a second search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.answering.abstention import answerability
from appliance.answering.form import without_form
from appliance.domain import Hit


@dataclass(frozen=True, slots=True)
class Searched:
    """What was searched for, what was found for it, and how likely that answers it (0 to 1)."""

    searched_for: str
    hits: Sequence[Hit]
    answerable: float
    is_enough: bool


def searched(
    searched_for: str, hits: Sequence[Hit], retrieve: Callable[[str], Sequence[Hit]], *, answerable_above: float
) -> Searched:
    """What is to be answered from: `hits`, or where they are not enough, what is found without the form of the answer.

    Where neither is enough it is what was found first. Raises what `retrieve` raises.
    """

    def judged(text: str, found: Sequence[Hit]) -> Searched:
        answerable = answerability(text, found)
        return Searched(text, found, answerable, bool(found) and answerable >= answerable_above)

    first, asked = judged(searched_for, hits), without_form(searched_for)
    if first.is_enough or not hits or asked == searched_for:
        return first
    again = judged(asked, retrieve(asked))
    return again if again.is_enough else first
