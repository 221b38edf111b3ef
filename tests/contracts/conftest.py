"""What the contracts share with the tests of one kind."""

from tests.appliance.audit.conftest import asked, closed, judged

__all__ = ["asked", "closed", "judged"]
