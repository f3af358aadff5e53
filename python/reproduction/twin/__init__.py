"""The study's twin: a synthetic raw export, calibrated so that its tables print the figures of the study.

The study's data are private, but its figures are printed. Items, dates and visits are searched until the tables built
from them by the definitions print those figures. Nothing but the printed figures enters; every row is invented.
"""

from reproduction.twin.build import write_twin

__all__ = ["write_twin"]
