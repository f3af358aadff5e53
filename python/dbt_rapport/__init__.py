"""What dbt calls before it parses the project: dbt imports every module named ``dbt_*`` and starts its ``plugins``.

What would otherwise be found late, or not at all, is refused here; and the last line of a command is ours.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import yaml
from dbt.flags import get_flags
from dbt.plugins.manager import dbtPlugin
from dbt_common.events.base_types import EventLevel, EventMsg
from dbt_common.events.event_manager_client import add_callback_to_manager, get_event_manager
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.invocation import get_invocation_id

from dbt_rapport.handover import hand_over, project_of_the_command
from rapport.file_modes import FileModeError, set_modes, set_umask
from rapport.messages import escape_controls
from rapport.project_vars import PROJECT, VarError, check_vars
from rapport.snapshot import SnapshotError, discard, put_in_place, snapshot_of
from rapport.studies import Study
from rapport.studies.parameters import parameters

BUILDS = ("build", "run")
NOT_PUBLISHED = "marts were not published"
"""What the last message of a build begins with that did not publish."""


class Refusal(Exception):
    """A command that would not do what it says; the message says what to run instead."""


class RapportPlugin(dbtPlugin):
    """Refuses a command before anything is read, and says at its end whether the marts were published."""

    def initialize(self) -> None:
        """Called by dbt once per command, when the project file is loaded and nothing is parsed."""
        if self.project_name != PROJECT:
            return
        collect_less_often()
        flags = get_flags()  # type: ignore[no-untyped-call]
        project_dir = Path(getattr(flags, "PROJECT_DIR", None) or Path.cwd())
        command = str(getattr(flags, "WHICH", ""))
        logs, target = (
            project_dir / (getattr(flags, name, None) or default)
            for name, default in (("LOG_PATH", "logs"), ("TARGET_PATH", "target"))
        )
        keep_for_the_owner(logs, target)
        escape_what_is_printed()
        refuse_another_folder(project_dir)
        if command == "retry":
            state = getattr(flags, "STATE", None) or getattr(flags, "TARGET_PATH", None) or "target"
            refuse_retry(project_dir / state / "run_results.json")
        credentials = credentials_of_the_command()
        prepare_engine(credentials)
        settings = check_vars(project_dir, getattr(flags, "VARS", None) or {})
        hand_over(project_of_the_command(), settings)
        if command in BUILDS:
            start_audit(project_dir, settings.study)
            add_callback_to_manager(LastWord(logs / "dbt.log", is_on_spark=is_spark(credentials)))


def credentials_of_the_command() -> Any:
    """What the running command's profile says of its target; none outside of a command that has one."""
    context = click.get_current_context(silent=True)
    return getattr((context.obj or {}).get("profile"), "credentials", None) if context is not None else None


def is_spark(credentials: Any) -> bool:
    """Whether the target of a command is Spark."""
    return getattr(credentials, "type", "") == "spark"


def prepare_engine(credentials: Any) -> None:
    """What an engine needs before dbt opens it; of DuckDB nothing, whose plugin is named in its profile."""
    if is_spark(credentials):
        from dbt_rapport.spark import prepare

        prepare(credentials)


def collect_less_often() -> None:
    """A command lives for seconds and keeps most of what it makes: to look for garbage is a tenth of its time."""
    gc.set_threshold(100_000, 50, 100)


def start_audit(project_dir: Path, study: Study) -> None:
    """Great Expectations is imported in a process of its own while dbt reads the project."""
    from rapport import audit_process

    folders = sorted(folder for folder in (project_dir / "expectations").iterdir() if folder.is_dir())
    audit_process.start(folders, parameters(study))


def keep_for_the_owner(*folders: Path) -> None:
    """What dbt writes holds keys: close what it has opened by now, and what earlier commands left.

    Raises :class:`Refusal`.
    """
    try:
        set_umask()
        set_modes(folders)
    except FileModeError as error:
        raise Refusal(f"{error}; nothing was read") from error
    except OSError as error:
        raise Refusal(
            f"{escape_controls(str(error.filename))}: its permissions cannot be set: {error.strerror}"
        ) from error


def escape_what_is_printed() -> None:
    """No name of a file, a key or a setting can steer the terminal: whatever dbt prints or logs is escaped.

    dbt's own colours stay where it prints them.
    """
    for logger in get_event_manager().loggers:
        logger.scrubber = _escaping(logger.scrubber, bool(getattr(logger, "use_colors", False)))


def _escaping(scrub: Callable[[str], str], has_colors: bool) -> Callable[[str], str]:
    return lambda text: escaped_lines(scrub(text), has_colors)


COLORS = re.compile("(\x1b\\[(?:0|3[1-3])m)")


def escaped_lines(text: str, has_colors: bool) -> str:
    """A text with its control characters escaped, but for line ends, tabs and, if so, dbt's colours."""
    pieces = COLORS.split(text) if has_colors else [text]
    return "".join(
        piece if has_colors and COLORS.fullmatch(piece) else escape_controls(piece, but="\n\t") for piece in pieces
    )


def refuse_another_folder(project_dir: Path) -> None:
    """Paths of the project (suites, demo, warehouse) are relative to its folder, so dbt has to be started there.

    Raises :class:`Refusal`.
    """
    here, home = Path.cwd().resolve(), project_dir.resolve()
    if here == home:
        return
    settings = "".join(
        f"{name}={shlex.quote(str(here / os.environ[name]))} "
        for name in ("RAPPORT_RAW", "RAPPORT_DB")
        if os.environ.get(name)
    )
    again = shlex.join(["dbt", *without_folders(sys.argv[1:])])
    raise Refusal(
        f"dbt was started in {here}, but the project's paths belong to its own folder; nothing was read. Run:\n"
        f"  cd {shlex.quote(str(home))} && {settings}{again}"
    )


def without_folders(arguments: list[str]) -> list[str]:
    """The arguments of a command less the options that say where the project and its profile are."""
    kept, is_value = [], False
    for argument in arguments:
        option, _, value = argument.partition("=")
        if is_value or option in ("--project-dir", "--profiles-dir"):
            is_value = not is_value and not value
        else:
            kept.append(argument)
    return kept


def refuse_retry(run_results: Path) -> None:
    """A build is whole: gates open on verdicts of their own build only, so the rest of an earlier one cannot be built.

    Raises :class:`Refusal` if the command to retry is a build.
    """
    try:
        arguments = json.loads(run_results.read_text(encoding="utf-8"))["args"]
    except (OSError, ValueError, KeyError):
        return  # dbt says what is wrong with it
    if arguments.get("which") in BUILDS:
        again = ["dbt", arguments["which"]]
        if arguments.get("vars"):
            again += ["--vars", yaml.safe_dump(arguments["vars"], default_flow_style=True, width=10**6).strip()]
        raise Refusal(
            "dbt retry would build on verdicts of another build, which no gate accepts; nothing was read. Run:\n"
            f"  {shlex.join(again)}"
        )


class LastWord:
    """Listens to the events of a build; after dbt's last one it says what became of the marts, and why."""

    def __init__(self, log: Path, is_on_spark: bool = False) -> None:
        """Nothing is published and nothing has failed. ``log``: where dbt logs."""
        self.log = log
        self.is_on_spark = is_on_spark
        self.is_published = False
        self.is_over = False
        """Whether the command has ended: what comes then belongs to another one in the same process."""
        self.failures: dict[str, str] = {}
        """Messages of what failed, by name of the node, in the order in which dbt prints them."""
        self.snapshot_failure = ""
        """Why the snapshot of marts that are published is not in its place."""
        self.unreadable: list[str] = []
        """What is wrong with part files whose rows a model could not read: said instead of the engine's message."""

    def __call__(self, event: EventMsg) -> None:
        """One event of dbt."""
        if self.is_over:
            return
        name, data = event.info.name, event.data
        if name == "LogModelResult" and data.node_info.node_name == "publish":
            self.is_published = data.status != "error" or self.has_moved()
            if self.is_published:
                self.show_snapshot()
        elif name == "RunResultError" and data.node_info.node_name:
            self.failures[data.node_info.node_name] = data.msg
        elif name == "CommandCompleted":
            self.is_over = True
            reading = sys.modules.get("rapport.reading.warehouse")
            if reading is not None:
                if not data.success and not any(node.startswith("gate_") for node in self.failures):
                    self.unreadable = reading.why_reading_failed()
                reading.remove_workspaces()
            self.conclude(data.success)
            if self.is_published:
                self.erase()
            else:
                self.drop_snapshot()
            if self.snapshot_failure:
                from dbt.cli.exceptions import ExceptionExit

                _say(
                    f"marts were published, but their snapshot is the old one. {self.snapshot_failure}",
                    EventLevel.ERROR,
                )
                raise ExceptionExit(SnapshotError(self.snapshot_failure))

    def has_moved(self) -> bool:
        """Whether marts moved before their publication failed: on Spark tidying up follows the switch."""
        return self.is_on_spark and bool(sys.modules["dbt_rapport.spark"].has_published)

    def warehouse(self) -> Path | None:
        """The database file, or on Spark the folder of the tables, once the command has opened it."""
        if self.is_on_spark:
            from rapport.spark.settings import warehouse_folder

            return warehouse_folder()
        plugin = sys.modules.get("rapport.duckdb_plugin")
        return plugin.Plugin.database if plugin is not None else None

    def show_snapshot(self) -> None:
        """The marts are committed: let those who read the snapshot have them, too."""
        warehouse = self.warehouse()
        try:
            if warehouse is not None and (place := snapshot_of(warehouse)) is not None:
                put_in_place(place, warehouse, get_invocation_id())
        except SnapshotError as error:
            self.snapshot_failure = str(error)

    def drop_snapshot(self) -> None:
        """Nothing is published: what this build wrote aside takes room for nobody."""
        warehouse = self.warehouse()
        with contextlib.suppress(SnapshotError, OSError):
            if warehouse is not None and (place := snapshot_of(warehouse)) is not None:
                discard(place, warehouse, get_invocation_id())

    def erase(self) -> None:
        """After a publication without people whom the list names: no freed block and no old line may name them.

        Raises :class:`ExceptionExit`, by which dbt ends with an error, if that cannot be.
        """
        from dbt.cli.exceptions import ExceptionExit

        from rapport.erasure import ErasureError, forget_earlier_lines

        try:
            if self._erased_from_tables():
                forget_earlier_lines(self.log, get_invocation_id())
        except ErasureError as error:
            _say(f"marts were published, but an erasure is not finished. {error}", EventLevel.ERROR)
            raise ExceptionExit(error) from error

    def _erased_from_tables(self) -> bool:
        """Whether the list names anybody; what DuckDB's file has freed is overwritten, Spark has removed its files."""
        if self.is_on_spark:
            return bool(sys.modules["dbt_rapport.spark"].erases_lines)
        # Loaded by now, in a build that has come this far; a command that builds nothing does without.
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        from rapport.duckdb_plugin import Plugin
        from rapport.erasure import rewrite_database

        dbts: Any = DuckDBConnectionManager.env()
        dbts.close()  # dbt would keep the file open to the end of the process
        return Plugin.database is not None and rewrite_database(Plugin.database)

    def conclude(self, is_success: bool) -> None:
        """The last message: an error with its reasons, a warning for a selection, nothing for a good build."""
        if self.is_published:
            if not is_success:
                _say("marts were published; what failed did so beside them, see above.", EventLevel.ERROR)
        elif is_success:
            _say(
                f"{NOT_PUBLISHED}: this command built a selection. They are as they were; "
                "`dbt build` without a selection publishes.",
                EventLevel.WARN,
            )
        else:
            said = ["Part files cannot be read:", *(f"  {line}" for line in self.unreadable)] if self.unreadable else []
            reasons = "".join(f"\n{line}" for line in said or reasons_of(self.failures)) or " See the error above."
            _say(f"{NOT_PUBLISHED} and are as they were.{reasons}", EventLevel.ERROR)


def reasons_of(failures: dict[str, str], at_most: int = 3, lines_of_one: int = 16) -> list[str]:
    """Messages of gates, or of the first of what failed if no gate is closed; long ones are cut to fit the screen."""
    # Of a gate's message what it says itself, without what dbt and DuckDB put before it.
    gates = [
        re.sub(r"\A.*?(?=gate \w+ is closed)", "", message, flags=re.DOTALL)
        for node, message in failures.items()
        if node.startswith("gate_")
    ]
    messages = gates or list(failures.values())
    left = len(messages) - at_most
    shown = []
    for message in messages[:at_most]:
        lines = message.splitlines()
        if len(lines) > lines_of_one:
            # A broken rule is indented further than a gate's advice, which is its last line.
            advice = lines[-1:] if re.match("  ?[^ ]", lines[-1]) else []
            kept = lines_of_one - 1 - len(advice)
            lines = [*lines[:kept], f"    … {len(lines) - kept - len(advice)} lines more, see above", *advice]
        shown.append("\n".join(lines))
    return shown + ([f"and {left} more, see above"] if left > 0 else [])


def _say(message: str, level: EventLevel) -> None:
    fire_event(Note(msg=message), level=level)


plugins = [RapportPlugin]

__all__ = ["NOT_PUBLISHED", "LastWord", "RapportPlugin", "Refusal", "VarError", "plugins"]
