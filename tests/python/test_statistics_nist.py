"""Digits that agree with the certified values of NIST's Statistical Reference Datasets.

The figure is the log relative error, −log10 |computed − certified| / |certified|, at most 15:
the number of significant digits that agree. Each data set is reduced twice: by DuckDB to sums of whole
numbers, as in the warehouse (decimals by moving the point), and by numpy to moments in double precision
(two-pass), and concluded from by the package.

``python tests/python/test_statistics_nist.py`` prints the table of docs/numerical-accuracy.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from statsmodels.datasets import longley

from rapport.statistics import (
    CrossProducts,
    GroupMoments,
    hierarchical_regression,
    least_squares,
    one_way_anova,
)

DATA = Path(__file__).parent / "nist"
MOST_DIGITS = 15.0

Digits = dict[str, float]
Values = list[Fraction]
Groups = list[Values]


def agreeing_digits(computed: float | None, certified: float) -> float:
    assert computed is not None
    error = abs(computed - certified) / abs(certified)
    return MOST_DIGITS if error == 0 else min(MOST_DIGITS, -math.log10(error))


# --- One-way analysis of variance ---------------------------------------------------------


def as_floats(values: Values) -> np.ndarray:
    return np.array([float(value) for value in values])


def moments_by_numpy(groups: Groups) -> dict[str, GroupMoments]:
    return {
        str(i): GroupMoments(len(group), float(as_floats(group).mean()), float(as_floats(group).var(ddof=1)))
        for i, group in enumerate(groups)
    }


def without_point(values: Values) -> tuple[list[int], int]:
    """Return the values as whole numbers, and what they were multiplied by."""
    factor = math.lcm(*(value.denominator for value in values))
    return [int(value * factor) for value in values], factor


def moments_by_duckdb(groups: Groups) -> dict[str, GroupMoments]:
    whole, factor = without_point([value for group in groups for value in group])
    label = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    observations = pd.DataFrame({"label": label, "y": whole})
    connection = duckdb.connect()
    connection.register("observations", observations)
    query = "select label, count(*), sum(y), sum(y::hugeint * y) from observations group by label"
    return {
        str(label): GroupMoments(
            n, Fraction(total, factor * n), Fraction(n * squares - total**2, factor**2 * n * (n - 1))
        )
        for label, n, total, squares in connection.execute(query).fetchall()
    }


def simon_lesage(leading: int, replicates: int) -> tuple[Groups, float, float]:
    """Return the groups, F and R² of a generated set (Simon & Lesage 1989).

    Group means are leading + 0.4, 0.3, 0.5, 0.3, 0.5 …; each group holds its mean once and then
    alternates 0.1 below and above it.
    """
    groups = []
    for tenths in (4, 3, 5, 3, 5, 3, 5, 3, 5):
        pattern = [tenths, *itertools.islice(itertools.cycle((-1, 1)), replicates - 1)]
        values = [tenths, *(tenths + step for step in pattern[1:])]
        groups.append([leading + Fraction(value, 10) for value in values])
    between = Fraction(8, 100) * replicates
    within = Fraction(9, 100) * (replicates - 1)
    return groups, float(replicates), float(between / (between + within))


def nist_anova(name: str) -> tuple[Groups, float, float]:
    lines = (DATA / f"{name}.dat").read_text().splitlines()
    f = next(float(line.split()[-1]) for line in lines if line.startswith("Between"))
    r_squared = next(float(line.split()[-1]) for line in lines if "Certified R-Squared" in line)
    pairs = [line.split() for line in lines[60:] if line.strip()]
    labels = sorted({label for label, _ in pairs})
    groups = [[Fraction(y) for of, y in pairs if of == label] for label in labels]
    return groups, f, r_squared


ANOVA_SETS: dict[str, Callable[[], tuple[Groups, float, float]]] = {
    "SiRstv": lambda: nist_anova("SiRstv"),
    "AtmWtAg": lambda: nist_anova("AtmWtAg"),
    **{
        f"SmLs0{i}": lambda leading=leading, replicates=replicates: simon_lesage(leading, replicates)
        for i, (leading, replicates) in enumerate(itertools.product((1, 10**6, 10**12), (21, 201, 2001)), start=1)
    },
}
ANOVA_REDUCTIONS = {"whole sums": moments_by_duckdb, "floats": moments_by_numpy}


def anova_digits(name: str, reduction: str) -> Digits:
    groups, f, r_squared = ANOVA_SETS[name]()
    result = one_way_anova(ANOVA_REDUCTIONS[reduction](groups))
    return {
        "F": agreeing_digits(result.statistic, f),
        "R²": agreeing_digits(result.effect_size, r_squared),
    }


# --- Linear regression --------------------------------------------------------------------

Columns = dict[str, Values]


def products_by_numpy(columns: Columns) -> CrossProducts:
    matrix = np.column_stack([as_floats(values) for values in columns.values()])
    centred = matrix - matrix.mean(axis=0)
    *terms, outcome = columns
    return CrossProducts(terms, outcome, len(matrix), matrix.mean(axis=0), centred.T @ centred)


def products_by_duckdb(columns: Columns) -> CrossProducts:
    names = [f"x{i}" for i in range(len(columns))]
    whole, factors = zip(*(without_point(values) for values in columns.values()), strict=True)
    connection = duckdb.connect()
    connection.register("sample", pd.DataFrame(dict(zip(names, whole, strict=True))))
    sums = [f"sum({name})" for name in names]
    products = [f"sum({row}::hugeint * {column})" for row in names for column in names]
    values = connection.execute(f"select {', '.join(sums + products)} from sample").fetchall()[0]
    n, size = len(whole[0]), len(names)
    totals = values[:size]
    means = [Fraction(total, n * factor) for total, factor in zip(totals, factors, strict=True)]
    matrix = [
        [
            Fraction(n * values[size + size * i + j] - totals[i] * totals[j], n * factors[i] * factors[j])
            for j in range(size)
        ]
        for i in range(size)
    ]
    *terms, outcome = columns
    return CrossProducts(terms, outcome, n, means, matrix)


REGRESSION_REDUCTIONS = {"whole sums": products_by_duckdb, "floats": products_by_numpy}

# NIST's certified estimates and standard deviations of Longley, intercept first.
LONGLEY_ESTIMATES = {
    "(Intercept)": (-3482258.63459582, 890420.383607373),
    "GNPDEFL": (15.0618722713733, 84.9149257747669),
    "GNP": (-0.358191792925910e-01, 0.334910077722432e-01),
    "UNEMP": (-2.02022980381683, 0.488399681651699),
    "ARMED": (-1.03322686717359, 0.214274163161675),
    "POP": (-0.511041056535807e-01, 0.226073200069370),
    "YEAR": (1829.15146461355, 455.478499142212),
}
NORRIS_ESTIMATES = {
    "(Intercept)": (-0.262323073774029, 0.232818234301152),
    "x": (1.00211681802045, 0.429796848199937e-03),
}


def norris_columns() -> Columns:
    lines = (DATA / "Norris.dat").read_text().splitlines()[60:]
    pairs = [[Fraction(v) for v in line.split()] for line in lines if line.strip()]
    return {"x": [x for _, x in pairs], "y": [y for y, _ in pairs]}


def longley_columns() -> Columns:
    data = longley.load_pandas().data
    return {name: [Fraction(str(value)) for value in data[name]] for name in [*list(LONGLEY_ESTIMATES)[1:], "TOTEMP"]}


REGRESSION_SETS = {
    "Norris": (norris_columns, NORRIS_ESTIMATES, 5436385.54079785, 0.999993745883712),
    "Longley": (longley_columns, LONGLEY_ESTIMATES, 330.285339234588, 0.995479004577296),
}


def regression_digits(name: str, reduction: str) -> Digits:
    load, certified, f, r_squared = REGRESSION_SETS[name]
    data = REGRESSION_REDUCTIONS[reduction](load())
    coefficients = least_squares(data)
    (fit,) = hierarchical_regression(data, [data.terms])
    assert list(coefficients) == list(certified)
    return {
        "b": min(agreeing_digits(coefficients[term].estimate, estimate) for term, (estimate, _) in certified.items()),
        "SE": min(
            agreeing_digits(coefficients[term].std_error, std_error) for term, (_, std_error) in certified.items()
        ),
        "F": agreeing_digits(fit.f_change, f),
        "R²": agreeing_digits(fit.r_squared, r_squared),
    }


# --- Tests --------------------------------------------------------------------------------

# Tenths near 10⁶ and 10¹² are not representable in double precision: as floats the data hold only about 9 and 3 of
# the digits of SmLs04–06 and SmLs07–09.
FEWEST_DIGITS_OF_FLOATS = {
    "SiRstv": 12.0,
    "AtmWtAg": 8.0,
    **{"SmLs01": 14.0, "SmLs02": 13.5, "SmLs03": 12.0},
    **{"SmLs04": 8.0, "SmLs05": 8.0, "SmLs06": 8.0},
    **{"SmLs07": 2.0, "SmLs08": 2.0, "SmLs09": 2.0},
    **{"Norris": 9.5, "Longley": 11.0},
}
# The certified values are printed with fifteen digits, the last of them rounded.
FEWEST_DIGITS = 14.3


def fewest(name: str, reduction: str) -> float:
    return FEWEST_DIGITS if reduction == "whole sums" else FEWEST_DIGITS_OF_FLOATS[name]


@pytest.mark.parametrize("reduction", ANOVA_REDUCTIONS)
@pytest.mark.parametrize("name", ANOVA_SETS)
def test_anova_agrees_with_certified_values(name: str, reduction: str) -> None:
    digits = anova_digits(name, reduction)
    assert min(digits.values()) >= fewest(name, reduction), digits


@pytest.mark.parametrize("reduction", REGRESSION_REDUCTIONS)
@pytest.mark.parametrize("name", REGRESSION_SETS)
def test_regression_agrees_with_certified_values(name: str, reduction: str) -> None:
    digits = regression_digits(name, reduction)
    assert min(digits.values()) >= fewest(name, reduction), digits


def main() -> None:
    """Print the measured digits as Markdown."""
    print("| data set | figure | sums of whole numbers | moments in double precision |")
    print("|---|---|---|---|")
    for names, measure in ((ANOVA_SETS, anova_digits), (REGRESSION_SETS, regression_digits)):
        for name in names:
            exact, floats = measure(name, "whole sums"), measure(name, "floats")
            for figure, digits in exact.items():
                print(f"| {name} | {figure} | {digits:.1f} | {floats[figure]:.1f} |")


if __name__ == "__main__":
    main()
