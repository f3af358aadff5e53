"""One protected release: everything that leaves the warehouse, in one folder, once.

``make_release`` reads the published aggregates and the history of builds, takes them through
:mod:`rapport.disclosure`, and writes a folder of tables with a manifest. The report is made from that folder alone.
"""

from rapport.release.folder import NoRelease, Release, earlier_releases, open_release
from rapport.release.make import Made, make_release
from rapport.release.publication import Impossible, Publication, Refused, read_publication

__all__ = [
    "Impossible",
    "Made",
    "NoRelease",
    "Publication",
    "Refused",
    "Release",
    "earlier_releases",
    "make_release",
    "open_release",
    "read_publication",
]
