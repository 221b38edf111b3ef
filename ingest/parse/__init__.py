"""Reading documents: bytes in, text with its places out, in a subprocess that can reach nothing.

`sandbox.ParserPool` is the only door for the rest of the system. `parser_process` is one of its workers seen from
outside; `worker` is the same from inside, on the other side of a pipe, with the limits of `confine`. `detect` says what
a file is; `pdf`, `ocr`, `unstructured`, `sheets`, `plain` and `mail` read one family of formats each. Only `elements`
crosses the pipe, and it is checked on arrival.
"""
