"""The vector index behind one protocol: Qdrant in-process (`edge`) or a Qdrant server (`server`)."""
