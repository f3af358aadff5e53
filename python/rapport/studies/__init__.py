"""Studies as definitions: ``studies/*.yml``, checked, and as typed objects.

:func:`load_study` reads a file, :class:`Study` is what a build is made by. dbt gets it before it parses anything
(``dbt_rapport``); SQL reads it by the macro ``study()``, a Python model by ``Study.of(dbt.config.get("study"))``.
"""

from rapport.studies.definition import (
    ALLIANCE,
    BASELINE,
    CARE,
    CARE_TYPES,
    FOLLOWUP,
    LINE_POINTS,
    SEX,
    Characteristic,
    Correlation,
    Criterion,
    Grouping,
    Instrument,
    Level,
    Moderator,
    Predictor,
    Regression,
    Study,
    StudyVar,
)
from rapport.studies.document import StudyError
from rapport.studies.load import load_study, study_names

__all__ = [
    "ALLIANCE",
    "BASELINE",
    "CARE",
    "CARE_TYPES",
    "FOLLOWUP",
    "LINE_POINTS",
    "SEX",
    "Characteristic",
    "Correlation",
    "Criterion",
    "Grouping",
    "Instrument",
    "Level",
    "Moderator",
    "Predictor",
    "Regression",
    "Study",
    "StudyError",
    "StudyVar",
    "load_study",
    "study_names",
]
