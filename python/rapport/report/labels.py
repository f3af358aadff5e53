"""What the names of the warehouse are called on the page."""

from __future__ import annotations

from collections.abc import Mapping

UTILIZATION: Mapping[str, str] = {
    "teletherapy": "Teletherapy",
    "telecoaching": "Telecoaching",
    "both": "Both",
    "total": "Total",
}

TERMS: Mapping[str, str] = {
    "(Intercept)": "(Intercept)",
    "age_years": "Age (years)",
    "male": "Sex (male)",
    "time_in_care": "Time in care (days)",
    "baseline_score": "Baseline well-being",
    "alliance": "Alliance score",
    "telecoaching": "Telecoaching",
    "both": "Both",
    "total_sessions": "Total sessions",
    "alliance:telecoaching": "Alliance × telecoaching",
    "alliance:both": "Alliance × both",
    "alliance:baseline_score": "Alliance × baseline well-being",
    "alliance:total_sessions": "Alliance × total sessions",
}

MODERATIONS: Mapping[str, str] = {
    "moderation_by_utilization": "utilization type",
    "moderation_by_baseline": "baseline well-being",
    "moderation_by_sessions": "number of sessions",
}

LEVELS: Mapping[str, str] = {
    "low": "Low (mean − SD)",
    "mean": "Mean",
    "high": "High (mean + SD)",
    **UTILIZATION,
}

GROUPS: Mapping[str, str] = {
    "female": "females",
    "male": "males",
    "within_usa": "participants within {home}",
    "outside_usa": "participants outside {home}",
    "positive": "participants who screened positive",
    "negative": "participants who screened negative",
    "teletherapy": "teletherapy",
    "telecoaching": "telecoaching",
    "both": "both modalities",
}

# analysis: the two groups, the terms of their medians, and what is compared
TWO_GROUPS: Mapping[str, tuple[str, str, str, str, str]] = {
    "alliance_by_sex": ("female", "male", "female", "male", "sex"),
    "alliance_by_country": ("outside_usa", "within_usa", "outside_usa", "within_usa", "country"),
    "alliance_by_depression_screen": (
        "positive",
        "negative",
        "screened_positive",
        "screened_negative",
        "depression screen",
    ),
}

LAYERS: Mapping[str, str] = {
    "files": "Files of the export",
    "raw": "Raw rows",
    "accepted": "Rows in use",
    "rows": "Accounting of rows",
    "volumes": "Volumes",
    "cohort": "Size of the cohort",
    "candidates": "Participants and Table 1",
    "findings": "Findings",
}

CRITERIA: Mapping[str, str] = {
    "all": "Participants in the export",
    "adult": "Adults",
    "sponsored": "With the employer's benefit",
    "registered": "Who registered on the platform",
    "session": "With a completed session in the study window",
    "baseline": "With a baseline assessment",
    "followup": "With a follow-up assessment",
    "rating": "With an alliance rating: the cohort",
}
