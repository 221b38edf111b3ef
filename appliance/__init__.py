"""Strongroom's core: retrieval under access control, answers with citations, and a query log that proves itself.

Importing any module of this package does nothing: no file is read but its own (the words of `language`), no socket
opened, no model loaded.
"""

__version__ = "0.1.0"
