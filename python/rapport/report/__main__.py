"""Command line of the report: ``python -m rapport.report [--release FOLDER] [--out FILE] [--providers]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rapport.file_modes import FileModeError, file_mode, set_umask
from rapport.messages import escape_lines
from rapport.report.published import ReportError, read_release

DEFAULT_RELEASE, DEFAULT_OUT = "release", "reports/index.html"


def write(path: Path, page: str) -> None:
    """The whole page or the old one, with the permissions of ``RAPPORT_FILE_MODE``.

    Raises ``OSError`` if it cannot be written, and :class:`~rapport.file_modes.FileModeError`.
    """
    set_umask()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=file_mode(), exist_ok=False)
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; the exit code is 0, or 2 where there is nothing to report on."""
    parser = argparse.ArgumentParser(prog="python -m rapport.report", description=__doc__)
    parser.add_argument(
        "--release", type=Path, default=Path(DEFAULT_RELEASE), metavar="FOLDER", help=f"default: {DEFAULT_RELEASE}"
    )
    parser.add_argument("--out", type=Path, default=Path(DEFAULT_OUT), metavar="FILE", help=f"default: {DEFAULT_OUT}")
    parser.add_argument("--providers", action="store_true", help="with the alliance by provider, if the release has it")
    options = parser.parse_args(arguments)
    try:
        data = read_release(options.release, providers=options.providers)
        from rapport.report.page import build_page  # the figures' library is slow to load: only once there is data

        page = build_page(data)
        write(options.out, page)
    except (ReportError, FileModeError, OSError) as error:
        print(escape_lines(f"rapport.report: {error}"), file=sys.stderr)
        return 2
    print(f"{escape_lines(str(options.out))}: {len(page.encode()) / 1e6:.1f} MB, opens from disk in any browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
