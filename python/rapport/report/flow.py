"""The flow of participants, in the form of STROBE."""

from __future__ import annotations

from dataclasses import dataclass

from rapport.report.labels import EVERYONE, utilization
from rapport.report.published import Number, Published
from rapport.report.rich import Rich, count, joined, plain, rich
from rapport.studies import ALLIANCE, CARE_TYPES
from rapport.studies.definition import filled


@dataclass(frozen=True, slots=True)
class Step:
    """A box of the diagram.

    Attributes:
        kept: who is still in.
        excluded: who left on the way to it; None for the first.
        reasons: why, with counts.
    """

    kept: Rich
    excluded: Rich | None
    reasons: tuple[Rich, ...]


def _people(data: Published, number: Number) -> Rich:
    """A number of people; ``≈`` before one that is rounded, as all but 0 are on real data."""
    return plain("≈ ") + count(number) if data.has_rounded_counts and number.value else count(number)


def steps(data: Published) -> list[Step]:
    """Return the boxes from everyone in the export to the cohort."""
    found = []
    labels = {"all": EVERYONE} | {one.id: filled(one.label, one.values) for one in data.study.criteria}
    for record in data.records("eligibility_flow"):
        criterion = record.text("criterion")
        excluded = None
        reasons: tuple[Rich, ...] = ()
        if record.row["step"] != 0:
            excluded = rich("Excluded: {n}", n=_people(data, record.number("excluded")))
            reasons = tuple(
                rich("{reason}: {n}", reason=reason.text("reason"), n=_people(data, reason.number("participants")))
                for reason in data.records("exclusion_reasons", criterion=criterion)
            )
        quarantined = record.number("quarantined")
        if quarantined.value or quarantined.is_hidden:
            template = (
                "not read, in quarantine: {n}" if record.row["step"] == 0 else "of these with rows in quarantine: {n}"
            )
            reasons = (*reasons, rich(template, n=_people(data, quarantined)))
        found.append(
            Step(
                rich("{name}: {n}", name=labels[criterion], n=_people(data, record.number("participants"))),
                excluded,
                reasons,
            )
        )
    return found


def analysed(data: Published) -> list[Rich]:
    """Return whom each aim is about."""
    names = utilization(data.study)
    groups = joined(
        [
            rich("{name} {n}", name=names[group].lower(), n=_people(data, data.cell("participants", "n", group)))
            for group in CARE_TYPES
        ]
    )
    factors = [one.grouping.label for one in data.study.covariates if one.grouping is not None]
    known = f" and whose {' and '.join(factors)} is reported" if factors else ""
    return [
        rich("Aim 1, alliance: {n} ({groups})", n=_people(data, data.cell("participants", "n")), groups=groups),
        rich(
            "Aim 2, well-being: {n} who screened positive",
            n=_people(data, data.finding("wellbeing_change", "followup - baseline").number("n")),
        ),
        rich(
            f"Aim 3, alliance and well-being: {{n}} who screened positive{known}",
            n=_people(data, data.finding(data.study.main_model, ALLIANCE).number("n")),
        ),
        *(
            [plain("Nobody is eligible: every analysis below says so.")]
            if data.cell("participants", "n").value == 0
            else []
        ),
    ]
