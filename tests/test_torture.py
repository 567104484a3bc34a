"""Nothing is lost: the rows of `make torture`, short."""

import pytest
from torture.rows import ROWS, run


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_nothing_is_lost(name, tmp_path):
    tally = run(name, tmp_path, full=False)
    assert tally.tried > 0
    assert not tally.lost
