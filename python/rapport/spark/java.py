"""Java, without which Spark does not start: looked for before anything is installed or begun.

``python -m rapport.spark.java`` says how to get it where it is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rapport.messages import escape_controls

JAVA_AT_LEAST = 17
HOW_TO_GET_JAVA = (
    "install a JRE 17 or later (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install"
    " openjdk@17; others: adoptium.net), or let JAVA_HOME name it"
)


class SparkSessionError(Exception):
    """No session can be started; says what is missing and what to do."""


def check_java() -> None:
    """Look for Java, because pyspark ends without a word of it.

    Raises :class:`SparkSessionError` if there is none, or one that is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home, "bin", "java"))) if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME is {escape_controls(home)}, where there is none" if home else "none is on the PATH"
        raise SparkSessionError(f"Spark needs Java, and {where}: {HOW_TO_GET_JAVA}; nothing was read")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    if found is None or int(found.group(1)) < JAVA_AT_LEAST:
        version = found.group(1) if found else "of an unknown version"
        raise SparkSessionError(
            f"Spark needs Java {JAVA_AT_LEAST} or later, and {escape_controls(java)} is {version}:"
            f" {HOW_TO_GET_JAVA}; nothing was read"
        )


def main() -> int:
    """Exit code 1 with a message where there is no Java for Spark."""
    try:
        check_java()
    except SparkSessionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
