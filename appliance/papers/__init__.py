"""Papers that data protection and the law on artificial intelligence ask for, written from how the appliance is set up.

Rules this package keeps:

1. What is said to be so was looked at in the running appliance at that moment, or follows from its code and is named
   with the test that shows it. A measure that is switched off is said to be off.
2. What only the organisation knows is left to it, visibly, and never guessed.
3. Nothing of a document, a question, an answer or a name of a person is in them.
4. They are no legal advice, and say so.
"""
