"""The HTTP interface: one module per noun, wire types in `schemas`, every error mapped in one place."""
