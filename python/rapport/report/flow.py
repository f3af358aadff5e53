"""The flow of participants, in the form of STROBE."""

from __future__ import annotations

from dataclasses import dataclass

from rapport.report.labels import CRITERIA, UTILIZATION
from rapport.report.published import Published
from rapport.report.rich import Rich, count, joined, plain, rich


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


def steps(data: Published) -> list[Step]:
    """Return the boxes from everyone in the export to the cohort."""
    found = []
    for record in data.records("eligibility_flow"):
        criterion = record.text("criterion")
        excluded = None
        reasons: tuple[Rich, ...] = ()
        if record.row["step"] != 0:
            excluded = rich("Excluded: {n}", n=count(record.number("excluded")))
            reasons = tuple(
                rich("{reason}: {n}", reason=reason.text("reason"), n=count(reason.number("participants")))
                for reason in data.records("exclusion_reasons", criterion=criterion)
            )
        quarantined = record.number("quarantined")
        if quarantined.value or quarantined.is_hidden:
            template = (
                "not read, in quarantine: {n}" if record.row["step"] == 0 else "of these with rows in quarantine: {n}"
            )
            reasons = (*reasons, rich(template, n=count(quarantined)))
        found.append(
            Step(
                rich("{name}: {n}", name=CRITERIA[criterion], n=count(record.number("participants"))), excluded, reasons
            )
        )
    return found


def analysed(data: Published) -> list[Rich]:
    """Return whom each aim is about."""
    groups = joined(
        [
            rich("{name} {n}", name=UTILIZATION[group].lower(), n=count(data.cell("participants", "n", group)))
            for group in ("teletherapy", "telecoaching", "both")
        ]
    )
    return [
        rich("Aim 1, alliance: {n} ({groups})", n=count(data.cell("participants", "n")), groups=groups),
        rich("Aim 2, well-being: {n} who screened positive", n=count(data.cell("screened_positive", "n"))),
        rich(
            "Aim 3, alliance and well-being: {n} who screened positive and whose sex is reported",
            n=count(data.finding("alliance_predicts_wellbeing", "alliance").number("n")),
        ),
        *(
            [plain("Nobody is eligible: every analysis below says so.")]
            if data.cell("participants", "n").value == 0
            else []
        ),
    ]
