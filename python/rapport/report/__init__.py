"""The report: one self-contained HTML page about one release.

``read_release`` reads the folder of a release, and ``build_page`` of ``rapport.report.page`` turns it into the page. In
between everything is a pure function of those tables: sentences, tables, figures. Each number on the page carries its
place in the release and how it is shown. No database is opened.
"""

from rapport.report.published import Published, ReportError, Tables, read_release

__all__ = ["Published", "ReportError", "Tables", "read_release"]
