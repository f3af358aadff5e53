"""SQL of DuckDB as SQL of Spark.

sqlglot translates; what is here are the places in which its Spark would give another result than DuckDB gives:
functions that only DuckDB has, division, decimal literals, names of types. Spark is taken in ANSI mode, with UTC as its
time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import TokenType, exp

DOUBLE = exp.DataType.build("double")


def to_spark(query: str, parameters: Sequence[Any] | None = None, file_format: str = "parquet") -> list[str]:
    """The statements of Spark that do what one statement of DuckDB does.

    ``parameters``: values of its ``?`` or ``$1``. ``file_format``: of the tables that it makes.

    Raises ``sqlglot.errors.SqlglotError`` for what is no SQL of DuckDB's.
    """
    return list(_translated(with_values(query, parameters) if parameters else query, file_format))


@lru_cache(maxsize=512)
def _translated(query: str, file_format: str) -> tuple[str, ...]:
    tree = sqlglot.parse_one(query, read="duckdb")
    for node in reversed(list(tree.walk(bfs=True))):  # what a node holds comes before it
        change = _CHANGES.get(type(node))
        changed = node if change is None else change(node)
        if node is tree:
            tree = changed
        elif changed is not node:
            node.replace(changed)
    statements = []
    if isinstance(tree, exp.Create) and tree.kind == "TABLE":
        if tree.args.get("replace"):
            # Tables of files cannot be replaced on Spark.
            tree.set("replace", False)
            statements.append(f"DROP TABLE IF EXISTS {_text(tree.this)}")
        tree.set("properties", exp.Properties(expressions=[exp.FileFormatProperty(this=exp.var(file_format.upper()))]))
    return (*statements, _text(tree))


def _text(tree: exp.Expr) -> str:
    # In a text `${` would be the beginning of a variable of Spark's.
    text: str = tree.sql(dialect="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    return text.replace("${", "\\u0024{")


def with_values(query: str, parameters: Sequence[Any]) -> str:
    """A query of DuckDB with its parameters written out."""
    pieces, end, following = [], 0, iter(parameters)
    tokens = sqlglot.tokenize(query, read="duckdb")
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.text.startswith("?") and token.token_type in (TokenType.PLACEHOLDER, TokenType.QDCOLON):
            value, last = next(following), token.start
        elif token.token_type == TokenType.PARAMETER and after is not None:
            value, last = parameters[int(after.text) - 1], after.end
        else:
            continue
        pieces += [query[end : token.start], duckdb_literal(value)]
        end = last + 1
    return "".join([*pieces, query[end:]])


def duckdb_literal(value: Any) -> str:
    """A value of Python's as SQL of DuckDB. Raises ``TypeError`` for a kind that no query here has."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, float):
        return f"cast('{value!r}' as double)"
    if isinstance(value, Decimal):
        return f"({value:f})"
    if isinstance(value, datetime):
        return f"cast('{value.replace(tzinfo=None).isoformat(sep=' ')}' as timestamp)"
    if isinstance(value, date):
        return f"cast('{value.isoformat()}' as date)"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise TypeError(f"a parameter of type {type(value).__name__}")


def _extreme(node: exp.Expr) -> exp.Expr:
    """``min(x, n)``, the n smallest: Spark's ``min_by`` with a number, from Spark 4.2 on."""
    count = node.args.get("count")
    if count is None:
        return node
    name = "min_by" if isinstance(node, exp.Min) else "max_by"
    return exp.Anonymous(this=name, expressions=[node.this.copy(), node.this.copy(), count.copy()])


def _function(node: exp.Expr) -> exp.Expr:
    name = str(node.this).lower()
    arguments = [argument.copy() for argument in node.expressions]
    if name == "hash":
        return exp.Anonymous(this="xxhash64", expressions=arguments)
    if name == "isfinite":
        return _is_finite(arguments[0])
    if name == "error":
        return exp.Anonymous(this="raise_error", expressions=arguments)
    return node


def _full_match(node: exp.Expr) -> exp.Expr:
    pattern = exp.Literal.string(f"\\A(?:{node.expression.this})\\z")
    return exp.RegexpLike(this=node.this.copy(), expression=pattern)


def _is_finite(value: exp.Expr) -> exp.Expr:
    """Null for null: Spark's ``isnan`` says false."""
    number = exp.cast(value, DOUBLE)
    limits = [exp.NEQ(this=number.copy(), expression=_double(text)) for text in ("Infinity", "-Infinity", "NaN")]
    return exp.paren(exp.and_(*limits, copy=False), copy=False)


def _is_nan(node: exp.Expr) -> exp.Expr:
    return exp.paren(exp.EQ(this=exp.cast(node.this.copy(), DOUBLE), expression=_double("NaN")), copy=False)


def _double(text: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(text), DOUBLE)


def _literal(node: exp.Expr) -> exp.Expr:
    """``1.5`` is a decimal in both, but Spark computes with decimals where DuckDB has turned to double."""
    text = str(node.this)
    if isinstance(node, exp.Literal) and not node.is_string and not text.isdecimal() and not _is_in_cast(node):
        return _double(text)
    return node


def _is_in_cast(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Cast | exp.Interval)


def _division(node: exp.Expr) -> exp.Expr:
    """``/`` is a division of doubles in DuckDB, and by zero gives infinity or NaN; ANSI SQL raises an error."""
    above, below = exp.cast(node.this.copy(), DOUBLE), exp.cast(node.expression.copy(), DOUBLE)
    quotient = exp.Div(this=above.copy(), expression=below.copy(), typed=False, safe=False)
    divisor = node.expression.unnest()
    if isinstance(divisor, exp.Literal) and float(divisor.this) != 0:
        return exp.paren(quotient, copy=False)
    zero = _double("0")
    at_zero = exp.Case(
        ifs=[
            exp.If(this=exp.GT(this=above.copy(), expression=zero.copy()), true=above_or_infinite(above)),
            exp.If(this=exp.LT(this=above.copy(), expression=zero.copy()), true=_double("-Infinity")),
            exp.If(this=exp.EQ(this=above.copy(), expression=zero.copy()), true=_double("NaN")),
        ]
    )
    return exp.Case(
        ifs=[
            exp.If(this=exp.NEQ(this=below.copy(), expression=zero.copy()), true=quotient),
            exp.If(this=exp.EQ(this=below.copy(), expression=zero.copy()), true=at_zero),
        ]
    )


def above_or_infinite(above: exp.Expr) -> exp.Expr:
    """Infinity for a positive number; NaN, which Spark takes for greater than every number, stays NaN."""
    is_nan = exp.EQ(this=above.copy(), expression=_double("NaN"))
    return exp.Case(ifs=[exp.If(this=is_nan, true=_double("NaN"))], default=_double("Infinity"))


def _exists(node: exp.Expr) -> exp.Expr:
    """Spark's grammar takes ``exists`` for no operand of a comparison unless it stands in parentheses."""
    return node if isinstance(node.parent, exp.Paren) else exp.paren(node.copy(), copy=False)


def _type(node: exp.Expr) -> exp.Expr:
    kinds = exp.DataType.Type
    kind = node.this
    if kind == kinds.INT128:
        return exp.DataType.build("decimal(38, 0)")
    if kind in (kinds.TIMESTAMP, kinds.TIMESTAMPNTZ):
        return exp.DataType(this=kinds.TIMESTAMPNTZ)
    return node


_CHANGES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Min: _extreme,
    exp.Max: _extreme,
    exp.Anonymous: _function,
    exp.Literal: _literal,
    exp.Exists: _exists,
    exp.Div: _division,
    exp.IsNan: _is_nan,
    exp.RegexpFullMatch: _full_match,
    exp.DataType: _type,
}
