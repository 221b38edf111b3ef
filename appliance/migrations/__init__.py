"""Alembic migrations of the database in `appliance.database`."""
