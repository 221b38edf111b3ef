"""Runs a question on record again, to see whether the same comes of it, and says what is not as it was.

Rules this package keeps:

1. A replay asks nothing in anybody's name: it leaves no question, no answer and no turn, but one entry that says who
   had it run and what came of it, on record before anybody sees it.
2. It shows nobody a document. What the entry on record holds is shown; of passages that are found now and were not
   then, their identifiers and ranks alone; and of an answer that is another now, its new words only to those who may
   read every document that was put before the model (`docs/decisions/0017-what-a-replay-shows.md`).
3. The model is asked again only if it is the same, by its digest, and only with the very prompt that is on record, by
   its hash. Everything else would compare something else.
4. What is not possible any more is said in words, and named: which document, which model, which setting.
"""
