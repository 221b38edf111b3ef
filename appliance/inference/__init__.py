"""Models behind protocols (`port`); one module per vendor."""
