"""Who may read what this project writes: its owner, and those whom ``RAPPORT_FILE_MODE`` names.

The database, what a build converts and spills, logs, ``target``, reports and copies of the marts hold rows of people,
or keys. A file gets the mode of ``RAPPORT_FILE_MODE`` (default 0600), a folder the same with leave to enter it (0700).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "RAPPORT_FILE_MODE"
OWNER = 0o600
MODES = {"0600": 0o600, "0640": 0o640, "0644": 0o644}
"""Nobody but the owner may write, and nothing is a program."""


class FileModeError(ValueError):
    """``RAPPORT_FILE_MODE`` is none of :data:`MODES`."""


def file_mode() -> int:
    """The permissions of a file. Raises :class:`FileModeError`."""
    given = os.environ.get(VARIABLE, "")
    if not given:
        return OWNER
    mode = MODES.get(re.sub(r"\A(0o|0*)(?=[0-7]{3}\Z)", "0", given))
    if mode is None:
        raise FileModeError(
            f"{VARIABLE} is {given!a}: it has to be one of {', '.join(MODES)} (owner only, owner and group, everybody)"
        )
    return mode


def folder_mode() -> int:
    """The permissions of a folder: who may read may enter. Raises :class:`FileModeError`."""
    mode = file_mode()
    return mode | (mode & 0o444) >> 2


def set_umask() -> None:
    """What this process makes from now on has these permissions. Raises :class:`FileModeError`."""
    os.umask(0o777 & ~folder_mode())


def set_modes(paths: Iterable[Path]) -> None:
    """Give files, and folders with all that lies in them, these permissions; what is not there, or another's, stays.

    Raises :class:`FileModeError`.
    """
    for path in paths:
        _set_mode(path)
        if path.is_dir() and not path.is_symlink():
            for folder, names, files in os.walk(path):
                for name in (*names, *files):
                    _set_mode(Path(folder, name))


def _set_mode(path: Path) -> None:
    try:
        state = path.lstat()
        if state.st_uid != os.geteuid():
            return
        if stat.S_ISREG(state.st_mode):
            wanted = file_mode()
        elif stat.S_ISDIR(state.st_mode):
            wanted = folder_mode() | state.st_mode & stat.S_ISGID
        else:
            return
        if stat.S_IMODE(state.st_mode) != wanted:
            path.chmod(wanted)
    except FileNotFoundError:
        return
