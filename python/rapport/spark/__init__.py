"""What the project's Python needs on Spark: a connection that is used as one of DuckDB is, errors, and the snapshot.

Nothing here imports Spark: whoever has a connection hands over a function that runs one statement
(:data:`rapport.spark.connection.Run`), be it dbt's adapter, a session or a Thrift server.
"""

from rapport.spark.connection import Run, SparkConnection, SparkRelation

__all__ = ["Run", "SparkConnection", "SparkRelation"]
