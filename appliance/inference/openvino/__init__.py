"""The OpenVINO engine for embeddings on a CPU. OpenVINO's types stop at this package."""
