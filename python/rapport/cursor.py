"""What stands in for a connection to DuckDB has in common: rows that are handed out, and no transaction."""

from __future__ import annotations

from typing import Any


class Cursor:
    """Hands out the rows of the last result as a cursor of the DB-API does; each query is a transaction of its own."""

    def __init__(self) -> None:
        """No result yet."""
        self._rows: list[tuple[Any, ...]] = []

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last result that are left."""
        rows, self._rows = self._rows, []
        return rows

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """Some rows."""
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """A row, if one is left."""
        rows = self.fetchmany()
        return rows[0] if rows else None

    def begin(self) -> None:
        """Nothing to begin."""

    def commit(self) -> None:
        """Nothing to commit."""

    def rollback(self) -> None:
        """Nothing to take back."""

    def close(self) -> None:
        """The connection belongs to whoever made it."""
