"""Counts of people as a linear system: what the published ones tell of the others.

A *population* is a set of people that is classified by *attributes*; each attribute puts everybody into exactly one of
its levels. A :class:`Count` is how many fulfil a condition on some attributes. All counts of a population are sums of
the cells of one joint table, and that is all that an attacker knows of them beside what is published: every "adds up
to the total", every "is part of" and every "cannot be negative" follows from it.

The joint table is not written out. Only attributes that occur together in some count are crossed; the cliques of the
triangulated graph of such attributes, with equal margins where two of them overlap, have the same margins as the joint
table, in whole numbers too (Lauritzen, *Graphical Models*, 1996, §4.4: decomposable tables).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, hstack

Levels = frozenset[str]
Members = NDArray[np.int64]
Where = Mapping[str, str | Iterable[str]]

SECONDS = 20.0
"""Time limit of one optimisation; it takes milliseconds."""


class DisclosureError(Exception):
    """What cannot be published, and why. Nothing is."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many people of ``population`` have, in each attribute of ``where``, one of the levels given there."""

    population: str
    where: frozenset[tuple[str, Levels]] = frozenset()

    def narrow(self, where: Where) -> Count:
        """Those of the count who also fulfil ``where``; raises ``ValueError`` if an attribute has a condition."""
        added = {
            attribute: frozenset((levels,)) if isinstance(levels, str) else frozenset(levels)
            for attribute, levels in where.items()
        }
        if taken := self.attributes & added.keys():
            raise ValueError(f"{self}: a second condition on {', '.join(sorted(taken))}")
        return Count(self.population, self.where | frozenset(added.items()))

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that have a condition."""
        return frozenset(attribute for attribute, _ in self.where)

    def __str__(self) -> str:
        """For messages: ``cohort(sex=female)``."""
        conditions = (f"{attribute}={'|'.join(sorted(levels))}" for attribute, levels in sorted(self.where, key=str))
        return f"{self.population}({', '.join(conditions)})"


def is_protected(bounds: tuple[int, int], min_cell: int) -> bool:
    """Whether a count between two numbers is none of few people, or may be ``min_cell`` and as many numbers."""
    low, high = bounds
    return low >= min_cell or high == 0 or (high >= min_cell and high - low >= min_cell - 1)


def count(population: str, **where: str | Iterable[str]) -> Count:
    """Return the count of a population under conditions; a condition is a level or several."""
    return Count(population).narrow(where)


@dataclass(frozen=True, slots=True)
class Population:
    """People and their attributes.

    Attributes:
        attributes: the levels of each; ``None`` = those that the published tables name.
        is_part: the count of another population that is the whole of this one.
    """

    attributes: Mapping[str, Sequence[str] | None] = field(default_factory=dict)
    is_part: Count | None = None


@dataclass(slots=True)
class _Table:
    """One crossed table of a population: its attributes, and where its cells are among the variables."""

    attributes: tuple[str, ...]
    cells: list[tuple[str, ...]]
    start: int


class CountSystem:
    """The variables and identities behind a set of counts.

    Args:
        populations: by name, with the levels of every attribute that a count uses.
        counts: all counts that will be asked for; any count on the same attributes as one of them can be asked for.

    Raises:
        DisclosureError: a count names a population, an attribute or a level that is not declared.
    """

    def __init__(self, populations: Mapping[str, Population], counts: Iterable[Count]) -> None:
        """Cross the attributes that occur together, and tie the tables to each other."""
        self._populations = populations
        used = {population.is_part for population in populations.values() if population.is_part is not None}
        used |= set(counts)
        self._attribute_sets: dict[str, set[frozenset[str]]] = {}
        for one in used:
            self._require_declared(one)
            self._attribute_sets.setdefault(one.population, set()).add(one.attributes)
        self._tables: dict[str, list[_Table]] = {}
        self._sums: dict[Count, Members] = {}
        self._size = 0
        ties: list[tuple[Members, Members]] = []
        for name in sorted(populations):
            ties += self._add_population(name)
        for name in sorted(populations):
            whole = populations[name].is_part
            if whole is not None:
                ties.append((self._members(whole), self._members(Count(name))))
        self._identities = self._matrix([one for one, _ in ties]) - self._matrix([other for _, other in ties])

    def cells(self, counts: Iterable[Count]) -> list[Count]:
        """Every count that follows from the given ones by subtraction within their own attributes.

        For each set of attributes: the cells of the coarsest table that separates all conditions on exactly these.
        """
        by_attributes: dict[tuple[str, frozenset[str]], list[Count]] = {}
        for one in counts:
            by_attributes.setdefault((one.population, one.attributes), []).append(one)
        found: dict[Count, None] = {}
        for (population, attributes), members in by_attributes.items():
            parts = []
            for attribute in sorted(attributes):
                conditions = sorted(
                    {levels for one in members for name, levels in one.where if name == attribute}, key=sorted
                )
                classes: dict[tuple[bool, ...], set[str]] = {}
                for level in self._levels(population, attribute):
                    classes.setdefault(tuple(level in levels for levels in conditions), set()).add(level)
                parts.append([(attribute, frozenset(levels)) for levels in classes.values()])
            found |= dict.fromkeys(Count(population, frozenset(cell)) for cell in product(*parts))
        return list(found)

    def is_consistent(self, known: Mapping[Count, int]) -> bool:
        """Whether any people at all have these counts."""
        return self._optimise(np.zeros(self._size), known, ()) is not None

    def bounds(self, of: Count, known: Mapping[Count, int], at_least_one: Collection[Count] = ()) -> tuple[int, int]:
        """Return the smallest and the largest number that ``of`` can be, given all that is known.

        ``at_least_one`` are counts that are known not to be zero. An upper bound of :meth:`ceiling` means none.
        """
        objective = self._rows([of]).toarray()[0]
        extremes = [self._optimise(sign * objective, known, at_least_one) for sign in (1, -1)]
        low, high = (None if table is None else round(float(objective @ table)) for table in extremes)
        if low is None or high is None:
            raise DisclosureError(f"{of}: no numbers of people fit the published figures")
        return low, high

    def cheapest_cover(
        self,
        of: Count,
        known: Mapping[Count, int],
        at_least_one: Collection[Count],
        cost: Callable[[Count], float],
        width: int,
        reach: int,
    ) -> set[Count] | None:
        """Choose which of the ``known`` counts to withhold, so that ``of`` is protected.

        Protected is what an attacker finds possible to be ``width`` + 1 or more, and to differ by ``width``: there are
        two tables of people, both in agreement with all that stays known, between whose counts ``of`` moves so far.
        Both are looked for within ``reach`` of the true counts; of all choices the one with the least total cost is
        taken (the cell suppression problem: Fischetti and Salazar, Management Science 47, 2001). Zeros are never
        withheld. Returns ``None`` if there is no such choice.
        """
        some = self._optimise(np.zeros(self._size), known, at_least_one)
        if some is None:
            raise DisclosureError(f"{of}: no numbers of people fit the published figures")
        chosen_from = [one for one, value in known.items() if value > 0]
        fixed = [one for one, value in known.items() if value == 0]
        n, k = self._size, len(chosen_from)
        unit = float(width + 1)  # changes in units of about 1: the solver's tolerances are absolute
        rows, others, target = self._rows(chosen_from), self._rows(at_least_one), self._rows([of])
        switches = csr_array(reach * np.eye(k) / unit)
        # The variables are the changes from some table that fits to the upper one, those to the lower one, and for
        # each count whether it is withheld and may change.
        constraints = []
        for matrix, switch, low, high in (
            (self._identities, None, 0.0, 0.0),
            (self._rows(fixed), None, 0.0, 0.0),
            (others, None, (1 - others @ some) / unit, np.inf),
            (rows, None, (1 - rows @ some) / unit, np.inf),
            (rows, -switches, -np.inf, 0.0),
            (rows, switches, 0.0, np.inf),
        ):
            if matrix.shape[0]:
                nothing = csr_array(matrix.shape)
                switch = csr_array((matrix.shape[0], k)) if switch is None else switch
                constraints.append(LinearConstraint(hstack([matrix, nothing, switch], format="csr"), low, high))
                constraints.append(LinearConstraint(hstack([nothing, matrix, switch], format="csr"), low, high))
        nothing, no_switch = csr_array((1, n)), csr_array((1, k))
        constraints += [
            LinearConstraint(
                hstack([target, nothing, no_switch], format="csr"), (width + 1 - target @ some) / unit, np.inf
            ),
            LinearConstraint(hstack([target, -target, no_switch], format="csr"), width / unit, np.inf),
        ]
        most = 10.0 * reach / unit
        lowest = -np.minimum(some / unit, most)
        result = milp(
            np.concatenate([np.zeros(2 * n), [cost(one) for one in chosen_from]]),
            constraints=constraints,
            integrality=np.repeat([0, 1], [2 * n, k]),
            bounds=Bounds(
                np.concatenate([lowest, lowest, np.zeros(k)]), np.concatenate([np.full(2 * n, most), np.ones(k)])
            ),
            options={"time_limit": SECONDS},
        )
        if result.x is None:
            return None
        return {one for one, taken in zip(chosen_from, result.x[2 * n :], strict=True) if taken > 0.5}

    @staticmethod
    def ceiling(known: Mapping[Count, int]) -> int:
        """More people than an attacker thinks of in any cell."""
        return 2 * max(known.values(), default=0) + 100_000

    def _optimise(
        self, objective: NDArray[np.float64], known: Mapping[Count, int], at_least_one: Collection[Count]
    ) -> NDArray[np.float64] | None:
        """Return the tables of people that fit and have the least objective, as whole numbers; ``None`` = none fits."""
        constraints = []
        if self._identities.shape[0]:
            constraints.append(LinearConstraint(self._identities, 0, 0))
        if known:
            values = np.array(list(known.values()), dtype=np.float64)
            constraints.append(LinearConstraint(self._rows(known), values, values))
        if at_least_one:
            constraints.append(LinearConstraint(self._rows(at_least_one), 1, np.inf))
        result = milp(
            objective,
            constraints=constraints,
            integrality=np.ones(self._size, dtype=np.int64),
            bounds=Bounds(0, float(self.ceiling(known))),
            options={"time_limit": SECONDS},
        )
        if result.status == 2:
            return None
        if result.status != 0:
            raise DisclosureError(f"the bounds of a count cannot be computed: {result.message}")
        return np.round(result.x)

    def _require_declared(self, one: Count) -> None:
        for attribute, levels in one.where:
            if unknown := levels - set(self._levels(one.population, attribute)):
                raise DisclosureError(f"{one}: {', '.join(sorted(unknown))} is no declared level of {attribute}")
        if one.population not in self._populations:
            raise DisclosureError(f"{one}: no such population is declared")

    def _levels(self, population: str, attribute: str) -> Sequence[str]:
        declared = self._populations[population].attributes if population in self._populations else {}
        levels = declared.get(attribute)
        if levels is None:
            raise DisclosureError(f"population {population} has no declared attribute {attribute}")
        return levels

    def _add_population(self, name: str) -> list[tuple[Members, Members]]:
        sets = self._attribute_sets.get(name, set())
        attributes = sorted({attribute for one in sets for attribute in one})
        # Numbers, not names: the order in which names are hashed differs between runs.
        number = {attribute: i for i, attribute in enumerate(attributes)}
        graph = nx.Graph()
        graph.add_nodes_from(range(len(attributes)))
        graph.add_edges_from(pair for one in sets for pair in combinations(sorted(number[a] for a in one), 2))
        cliques: list[tuple[int, ...]] = [()]
        if attributes:
            chordal, _ = nx.complete_to_chordal_graph(graph)
            cliques = sorted(tuple(sorted(clique)) for clique in nx.chordal_graph_cliques(chordal))
        tables = self._tables[name] = []
        for clique in cliques:
            crossed = tuple(attributes[i] for i in clique)
            cells = list(product(*(self._levels(name, attribute) for attribute in crossed)))
            tables.append(_Table(crossed, cells, self._size))
            self._size += len(cells)
        overlaps = nx.Graph()
        overlaps.add_nodes_from(range(len(cliques)))
        for first, second in combinations(range(len(cliques)), 2):
            overlaps.add_edge(first, second, weight=len(set(cliques[first]) & set(cliques[second])))
        ties = []
        for first, second in sorted(nx.maximum_spanning_tree(overlaps).edges):
            shared = [attributes[i] for i in sorted(set(cliques[first]) & set(cliques[second]))]
            for cell in product(*(self._levels(name, attribute) for attribute in shared)):
                where = {attribute: frozenset((level,)) for attribute, level in zip(shared, cell, strict=True)}
                ties.append((_sum(tables[first], where), _sum(tables[second], where)))
        return ties

    def _members(self, of: Count) -> Members:
        """The variables whose sum the count is."""
        if of in self._sums:
            return self._sums[of]
        self._require_declared(of)
        for table in self._tables[of.population]:
            if of.attributes <= set(table.attributes):
                self._sums[of] = _sum(table, dict(of.where))
                return self._sums[of]
        raise DisclosureError(f"{of}: these attributes were not declared to occur together")

    def _rows(self, counts: Collection[Count]) -> csr_array:
        return self._matrix([self._members(one) for one in counts])

    def _matrix(self, sums: Sequence[Members]) -> csr_array:
        """One row per sum; shape (sums, variables)."""
        rows = np.repeat(np.arange(len(sums)), [len(members) for members in sums])
        columns = np.concatenate([*sums, np.empty(0, dtype=np.int64)])
        return csr_array(coo_array((np.ones(len(columns)), (rows, columns)), shape=(len(sums), self._size)))


def _sum(table: _Table, where: Mapping[str, Levels]) -> Members:
    conditions = [where.get(attribute) for attribute in table.attributes]
    return np.array(
        [
            table.start + i
            for i, cell in enumerate(table.cells)
            if all(levels is None or level in levels for level, levels in zip(cell, conditions, strict=True))
        ],
        dtype=np.int64,
    )
