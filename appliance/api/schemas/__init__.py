"""The wire types of the API, a module for each noun. The user interface knows the appliance through these alone.

Rules these modules keep:

1. Texts of documents and models travel as plain text. Whoever shows them treats them as untrusted.
2. Scores never travel: a rank says what a reader needs, a score may say more.
3. Times are ISO 8601 in UTC.
"""
