"""Run every row in full, and print the table: `make torture`."""

import sys
import tempfile
import time
from pathlib import Path

from torture.rows import ROWS, run


def main() -> None:
    names = sys.argv[1:] or list(ROWS)
    print("| fault | tried | lost | measured beside | test |", "|---|---|---|---|---|", sep="\n", flush=True)
    total, lost = 0, []
    for name in names:
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as home:
            tally = run(name, Path(home), full=True)
        total, lost = total + tally.tried, lost + [f"{name}: {what}" for what in tally.lost]
        row = ROWS[name]
        notes = "; ".join(tally.notes) or "-"
        count = f"{tally.tried:,} {row.unit}"
        print(f"| {row.fault} | {count} | {len(tally.lost)} | {notes} | `{name}` |", flush=True)
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    print(f"\n{total:,} tried, {len(lost)} lost. A test is `pytest tests/test_torture.py -k NAME`.")
    print(*lost, sep="\n", file=sys.stderr)
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
