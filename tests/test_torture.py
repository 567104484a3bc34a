"""The faults of `make torture`, each tried a few times."""

import pytest
from torture.rows import ROWS, run

QUICK = {"damage", "not_numbers", "physics"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ROWS]
)
def test_no_fault_loses_anything(name, tmp_path):
    tally = run(name, tmp_path, full=False)
    assert tally.tried > 0
    assert not tally.lost
