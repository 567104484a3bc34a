"""The faults of `make torture`, each tried a few times."""

import pytest
from torture.rows import ROWS, run

QUICK = {"damage", "not_numbers", "physics"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder that all rows share, so that what several of them need is made once."""
    return tmp_path_factory.mktemp("torture")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ROWS]
)
def test_no_fault_loses_anything(name, home):
    tally = run(name, home, full=False)
    assert tally.tried > 0
    assert not tally.lost
