"""One measured run of one process.

The process is started by a small one of this module's own: what a process takes before it becomes another program
counts in its ``ru_maxrss``, and it begins as a copy of the one that started it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """What a process cost; it and the children it waited for.

    Attributes:
        wall: seconds from start to end.
        cpu: user and system seconds.
        peak_bytes: the largest resident set of a process (``ru_maxrss``).
        written_bytes: bytes that it caused to be written to block devices (``ru_oublock``, in blocks of 512 bytes), by
            the kernel's own account: pages that were dirtied, whether or not they have reached the disk.
        failure: null if the process ended well; else why not, and the figures above are those of the attempt.
    """

    wall: float
    cpu: float
    peak_bytes: int
    written_bytes: int
    failure: str | None = None


def measure(
    command: Sequence[str | Path],
    output: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    memory_limit: int | None = None,
    timeout: float | None = None,
) -> Run:
    """Run a command to its end, its output in a file.

    Args:
        command: the program and its arguments.
        output: where its standard output and error go.
        environment: added to this process's.
        folder: the working directory.
        memory_limit: bytes; a process whose resident set is seen above it is killed (looked at ten times a second).
        timeout: seconds; a process that takes longer is killed.
    """
    arguments = {
        "command": [str(part) for part in command],
        "output": str(output),
        "environment": dict(environment or {}),
        "folder": None if folder is None else str(folder),
        "memory_limit": memory_limit,
        "timeout": timeout,
    }
    answer = subprocess.run(
        [sys.executable, "-I", "-S", __file__],
        input=json.dumps(arguments),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Run(**json.loads(answer.stdout))


def _measure(
    command: Sequence[str],
    output: Path,
    environment: Mapping[str, str],
    folder: str | None,
    memory_limit: int | None,
    timeout: float | None,
) -> Run:
    # What was copied or deleted before is not to be paid for now.
    os.sync()
    with output.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        guard = _Guard(process.pid, memory_limit, timeout)
        guard.start()
        try:
            # The process stays a zombie, so the guard cannot meet another one of its number.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            wall = time.perf_counter() - started
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            guard.ended.set()
            guard.join()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    failure = guard.verdict
    if failure is None and process.returncode != 0:
        lines = output.read_text(errors="replace").strip().splitlines()
        failure = f"exit code {process.returncode}: {lines[-1].strip() if lines else 'no output'}"
    return Run(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,
        written_bytes=usage.ru_oublock * 512,
        failure=failure,
    )


class _Guard(threading.Thread):
    """Kills a process that takes too much of the machine."""

    def __init__(self, pid: int, memory_limit: int | None, timeout: float | None) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.memory_limit = memory_limit
        self.timeout = timeout
        self.ended = threading.Event()
        self.verdict: str | None = None

    def run(self) -> None:
        started = time.monotonic()
        while not self.ended.wait(0.1):
            if self.memory_limit is not None and resident_bytes(self.pid) > self.memory_limit:
                self.verdict = f"took more than {self.memory_limit / 2**30:.1f} GiB"
            elif self.timeout is not None and time.monotonic() - started > self.timeout:
                self.verdict = f"took more than {self.timeout:.0f} s"
            if self.verdict is not None:
                os.killpg(self.pid, signal.SIGKILL)
                return


def resident_bytes(pid: int) -> int:
    """Return the resident set of a process; 0 if it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _main() -> None:
    arguments = json.load(sys.stdin)
    json.dump(asdict(_measure(**{**arguments, "output": Path(arguments["output"])})), sys.stdout)


if __name__ == "__main__":
    _main()
