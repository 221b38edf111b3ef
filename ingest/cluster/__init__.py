"""Parsing and embedding on other machines, through Ray; one writer stays here.

    parsers.py, embedder.py   what the pipeline sees
    link.py                   the child process that speaks Ray, and what is sent to it
    bridge.py, crew.py        in that process: the connection to the cluster, and the workers hired there
    node.py                   what runs on the machines of the cluster
    wire.py                   the messages between all of them

Ray is imported in `bridge.py` and `crew.py` only, which no other module imports. It ends the process it runs in when
the head of its cluster stays away for a minute, and it unpickles what comes from the nodes: neither may happen to the
process that owns the index, the catalog and the query log.
"""
