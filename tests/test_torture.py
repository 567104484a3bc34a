"""The faults of `make torture`, each tried a few times."""

import pytest
from torture.rows import ROWS, run

QUICK = {"damage", "not_numbers", "physics"}
# As much work as the other rows: `--dist loadscope` gives the tests of a class to one process.
HALF = QUICK | {"kill", "interrupt", "arguments"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder that all rows share, so that what several of them need is made once."""
    return tmp_path_factory.mktemp("torture")


def rows(names):
    marked = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ROWS if name in names]
    return pytest.mark.parametrize("name", marked)


def check(name, home):
    tally = run(name, home, full=False)
    assert tally.tried > 0
    assert not tally.lost


class TestOneHalf:
    @rows(HALF)
    def test_no_fault_loses_anything(self, name, home):
        check(name, home)


class TestOtherHalf:
    @rows(ROWS.keys() - HALF)
    def test_no_fault_loses_anything(self, name, home):
        check(name, home)
