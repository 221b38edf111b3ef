"""Finds the passages for a question among those the reader may see."""
