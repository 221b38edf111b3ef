"""Taking documents in: discover, parse, chunk, embed, index.

The story is told in `ingest.pipeline`; the parts serve it. Files are untrusted: they are only ever opened by the
sandboxed workers of `ingest.parse`, and every file ends in a state with a reason.
"""
