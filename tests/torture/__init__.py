"""What may go wrong, tried so often that a loss would have been seen: `make torture` prints it as a table.

A row is a function that tries things in a folder and counts them; `make test` runs the same rows, short.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Tally:
    """How many things a row has tried, what was lost in them, and what was measured beside that."""

    full: bool
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def often(self, full: int, short: int) -> int:
        """How often to try."""
        return full if self.full else short

    def expect(self, kept: bool, what: str) -> None:
        """Count a thing that was tried; `what` is lost unless it was `kept`."""
        self.tried += 1
        if not kept:
            self.lost.append(what)


@dataclass(frozen=True)
class Row:
    """A kind of fault, and what tries it."""

    fault: str
    unit: str  # of what is counted
    run: Callable[[Tally, Path], None]
