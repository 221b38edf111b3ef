"""What tells linear work from quadratic must be able to fail."""

from __future__ import annotations

import pytest

from tests.growth import assert_linear


def test_linear_work_passes_and_quadratic_work_does_not() -> None:
    assert_linear(lambda size: sum(range(size)), int, 200_000)
    with pytest.raises(AssertionError, match=r"4 times the input takes \d\d times as long"):
        assert_linear(lambda size: [sum(range(size)) for _ in range(size)], int, 1_000)
