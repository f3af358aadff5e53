"""Which engine a connection belongs to, asked without importing any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from rapport.spark import SparkConnection


def is_spark(connection: Any) -> TypeGuard[SparkConnection]:
    """Whether a connection is one to Spark."""
    return getattr(connection, "engine", "") == "spark"
