"""What the appliance knows of languages: a file of words for each of them.

A speaker of a language can check its file (`de.toml`) without reading a program. The rules that go by the words stand
where they are applied, and name no word of their own but where a rule is of one language's grammar.
"""
