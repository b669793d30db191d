"""The results folder: every sweep whole in a folder of its own, and what people open linked to the latest.

    results/sweeps/2026-11-24T03-32-52.123Z/   runs.csv, plan.json, summary.csv, scaling.png, ...
    results/latest -> sweeps/2026-11-24T03-32-52.123Z
    results/runs.csv -> latest/runs.csv        and so for each file of the latest sweep
    results/compared/sweeps/...                the sweeps of compare; those of predict, selfcheck and machines

One link is replaced, at once, when a new sweep takes over, so that what stands in the folder is never of two
sweeps. Whoever is killed on the way leaves links that the next ``publish`` puts right.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.errors import ResultsError, UsageError
from harness.plan import Plan
from harness.records import RUNS, SweepFolder, explained

SWEEPS, LATEST = "sweeps", "latest"
MACHINES = "machines"
"""Where the sweeps of several machines are, in the results folder: a folder for each time."""
ABOUT = "machines.json"
"""What was asked of all these machines."""
WHOLE = "whole/sweep"
"""The sweep that machines shared, put together."""
COMPARED, PREDICTED, SELFCHECK = "compared", "predicted", "selfcheck"
"""Within a results folder, the results folders with the sweeps of other commands than bench."""
STATIONS = "stations"
"""Where each of several machines keeps what it measures, in the results folder."""
_NAME = "%Y-%m-%dT%H-%M-%S"


class Archive:
    """A results folder. Every method raises ResultsError if the folder cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, if there is none, and keep other benches out of it meanwhile."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - reading a sweep needs no lock

        with explained(self.path, "cannot be created", "name another folder with --results"):
            (self.path / SWEEPS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ResultsError(
                f"{self.path}: another bench is writing there; wait, or use --results"
            ) from None
        except OSError as error:
            raise ResultsError(f"{self.path}: cannot be written: {error.strerror}; use --results") from error
        with lock:
            yield

    def sweeps(self) -> list[SweepFolder]:
        """Return all sweeps, the latest last."""
        with explained(self.path, "cannot be read", "name another folder with --results"):
            try:
                names = sorted(path.name for path in (self.path / SWEEPS).iterdir() if path.is_dir())
            except (FileNotFoundError, NotADirectoryError):
                return []
        return [SweepFolder(self.path / SWEEPS / name) for name in names if not name.startswith(".")]

    def of_machines(self) -> list[Path]:
        """Return the folders that each have the sweeps of several machines, the latest last."""
        return sorted((self.path / MACHINES).glob("[0-9]*/"))

    def find(self, word: str) -> SweepFolder:
        """Return the sweep that ``word`` names: latest, latest~1, an id or the beginning of one, a folder."""
        sweeps = self.sweeps()
        if match := re.fullmatch(rf"{LATEST}(?:~([0-9]{{1,6}}))?", word):
            back = int(match[1] or 0)
            if back < len(sweeps):
                return sweeps[-1 - back]
            if not sweeps:
                raise ResultsError(f"{self.path}: has no sweep; run make bench first")
            raise UsageError(f"sweep: got {word!r}, but {self.path} has only {len(sweeps)} sweeps")
        found = [sweep for sweep in sweeps if word and sweep.name.startswith(word)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"sweep: got {word!r}, which begins the names of {len(found)}; write more of it")
        if (Path(word) / RUNS).is_file():
            return SweepFolder(Path(word))
        raise UsageError(
            f"sweep: got {word!r}, takes latest, latest~N, a folder, or a name that sweeps lists"
        )

    def new_name(self) -> str:
        """Return the id for a sweep that begins now: later than all others, whatever the clock says."""
        moment = datetime.now(UTC)
        for known in [*[sweep.path for sweep in self.sweeps()[-1:]], *self.of_machines()[-1:]]:
            with suppress(ValueError):
                latest = datetime.strptime(f"{known.name}+0000", f"{_NAME}.%fZ%z")
                moment = max(moment, latest + timedelta(milliseconds=1))
        return sweep_name(moment)

    def add(self, plan: Plan, environment: Mapping[str, object]) -> SweepFolder:
        """Make the folder of a new sweep, with its plan and its environment, and publish it."""
        folder = self.filled(plan.sweep, lambda new: new.begin(plan, environment))
        self.publish()
        return folder

    def filled(self, name: str, fill: Callable[[SweepFolder], None], within: str = SWEEPS) -> SweepFolder:
        """Make the folder of a sweep so that, killed at any moment, it is there with all its files or not."""
        new, path = self.path / within / ".new", self.path / within / name
        with explained(path, "cannot be written", "name another folder with --results"):
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            fill(SweepFolder(new))
            new.rename(path)
        return SweepFolder(path)

    def publish(self) -> None:
        """Let what stands directly in the folder be the latest sweep's."""
        sweeps = self.sweeps()
        if not sweeps:
            return
        latest = sweeps[-1]
        with explained(
            self.path, "cannot be linked", "use --results with a file system that has symbolic links"
        ):
            names = {path.name for path in latest.path.iterdir() if not path.name.startswith(".")}
            ours = {path.name for path in self.path.iterdir() if _is_ours(path)}
            for name in ours - names:
                (self.path / name).unlink()
            target = f"{SWEEPS}/{latest.name}"
            if not _leads_to(self.path / LATEST, target):
                new = self.path / f".{LATEST}.new"
                new.unlink(missing_ok=True)
                new.symlink_to(target)
                new.replace(self.path / LATEST)
            for name in sorted(names - ours):
                try:
                    (self.path / name).symlink_to(f"{LATEST}/{name}")
                except FileExistsError:
                    raise ResultsError(
                        f"{self.path / name}: is in the way of the latest sweep's; move it away"
                    ) from None


def folders_in(path: Path) -> list[SweepFolder]:
    """Return the sweeps whose folders stand directly in ``path``, one for each machine."""
    return [SweepFolder(one.parent) for one in sorted(path.glob(f"*/{RUNS}"))]


def sweep_name(moment: datetime) -> str:
    """Return the id of a sweep that is planned at ``moment``: sortable, and fit for a file name."""
    return f"{moment:{_NAME}}.{moment.microsecond // 1000:03d}Z"


def _is_ours(path: Path) -> bool:
    return _leads_to(path, f"{LATEST}/{path.name}")


def _leads_to(path: Path, target: str) -> bool:
    with suppress(OSError):
        return str(path.readlink()) == target
    return False
