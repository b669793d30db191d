"""The results folder: a folder for each sweep, and links to the latest one's files.

    results/sweeps/2026-11-24T03-32-52.123Z/   runs.csv, plan.json, summary.csv, scaling.png, ...
    results/latest -> sweeps/2026-11-24T03-32-52.123Z
    results/runs.csv -> latest/runs.csv        and so for each file of the latest sweep
    results/compared/sweeps/...                the sweeps of compare; so for predict, selfcheck and machines

A new sweep takes over as one link is replaced: the folder never shows files of two.
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

SWEEPS, LATEST, MACHINES = "sweeps", "latest", "machines"
COMPARED, PREDICTED, SELFCHECK = "compared", "predicted", "selfcheck"
STATIONS = "stations"
"""What machines measure for others."""
ABOUT = "machines.json"
"""What was asked of several machines."""
WHOLE = "whole/sweep"
"""The sweep that they shared, put together."""
ABOUT_CHECK = "selfcheck"
"""In environment.json: into how many sweeps a self-check is cut, and whether a storm disturbed."""
_ELSEWHERE = "name another folder with --results"


class Archive:
    """A results folder; methods raise ResultsError if it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder if there is none; keep other benches out of it."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - reading a sweep needs no lock

        lock = FileLock(self.path / ".lock")
        with explained(self.path, "cannot be written", _ELSEWHERE):
            (self.path / SWEEPS).mkdir(parents=True, exist_ok=True)
            try:
                held = lock.acquire(timeout=0)
            except Timeout:
                busy = f"{self.path}: another command is writing there; wait, or use --results"
                raise ResultsError(busy) from None
        with held:
            yield

    def sweeps(self) -> list[SweepFolder]:
        """Return all sweeps, those that people named first, the latest last; none is empty or a link."""
        with explained(self.path, "cannot be read", _ELSEWHERE):
            try:
                paths = [path for path in (self.path / SWEEPS).iterdir() if not path.is_symlink()]
            except (FileNotFoundError, NotADirectoryError):
                return []
        found = [path for path in paths if path.is_dir() and any(path.iterdir()) and path.name[0] != "."]
        return list(map(SweepFolder, sorted(found, key=lambda path: (bool(_moment(path.name)), path.name))))

    def of_machines(self) -> list[Path]:
        """Return the folders of sweeps of several machines, the latest last."""
        return sorted((self.path / MACHINES).glob("[0-9]*/"))

    def find(self, word: str) -> SweepFolder:
        """Return the sweep that ``word`` names: latest, latest~1, the beginning of an id, a folder."""
        sweeps = self.sweeps()
        if match := re.fullmatch(rf"{LATEST}(?:~([0-9]{{1,6}}))?", word):
            back = int(match[1] or 0)
            if back < len(sweeps):
                return sweeps[-1 - back]
            if not sweeps:
                raise ResultsError(f"{self.path}: has no sweep; run make bench first")
            only = f"{self.path} has only {len(sweeps)}; make bench ARGS=--fresh measures another"
            raise UsageError(f"sweep: got {word!r}, but {only}")
        found = [sweep for sweep in sweeps if word and sweep.name.startswith(word)]
        found = [one for one in found if one.name == word] or found
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"sweep: got {word!r}, which begins the names of {len(found)}; write more of it")
        if (Path(word) / RUNS).is_file():
            return SweepFolder(Path(word))
        takes = "latest, latest~N, a folder, or a name that sweeps lists"
        raise UsageError(f"sweep: got {word!r}, takes {takes}")

    def new_name(self) -> str:
        """Return an id for now, after all others, whatever the clock says."""
        moment = datetime.now(UTC)
        for path in [*(sweep.path for sweep in self.sweeps()), *self.of_machines()]:
            if known := _moment(path.name):
                moment = max(moment, known + timedelta(milliseconds=1))
        return f"{moment:%Y-%m-%dT%H-%M-%S}.{moment.microsecond // 1000:03d}Z"

    def add(self, plan: Plan, environment: Mapping[str, object]) -> SweepFolder:
        """Make and publish the folder of a new sweep."""
        folder = self.filled(plan.sweep, lambda new: new.begin(plan, environment))
        self.publish()
        return folder

    def filled(self, name: str, fill: Callable[[SweepFolder], None], within: str = SWEEPS) -> SweepFolder:
        """Make the folder of a sweep; if interrupted, it is complete or absent."""
        new, path = self.path / within / ".new", self.path / within / name
        with explained(path, "cannot be written", _ELSEWHERE):
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            fill(SweepFolder(new))
            new.rename(path)
        return SweepFolder(path)

    def publish(self) -> None:
        """Link the folder's files to those of the latest sweep, also after an interruption."""
        sweeps = self.sweeps()
        if not sweeps:
            return
        then = "use --results with a file system that has symbolic links"
        with explained(self.path, "cannot be linked", then):
            names = {path.name for path in sweeps[-1].path.iterdir() if not path.name.startswith(".")}
            links = (path for path in self.path.iterdir() if path.is_symlink())
            ours = {path.name for path in links if str(path.readlink()) == f"{LATEST}/{path.name}"}
            for name in ours - names:
                (self.path / name).unlink()
            new = self.path / f".{LATEST}.new"
            new.unlink(missing_ok=True)
            new.symlink_to(f"{SWEEPS}/{sweeps[-1].name}")
            new.replace(self.path / LATEST)
            for path in sorted(self.path / name for name in names - ours):
                try:
                    path.symlink_to(f"{LATEST}/{path.name}")
                except FileExistsError:
                    obstacle = f"{path}: is in the way of the latest sweep's; move it away"
                    raise ResultsError(obstacle) from None


def _moment(name: str) -> datetime | None:
    """Return when the sweep with this id began; None if it is another name."""
    with suppress(ValueError):
        return datetime.strptime(f"{name}+0000", "%Y-%m-%dT%H-%M-%S.%fZ%z")
    return None


def folders_in(path: Path) -> list[SweepFolder]:
    """Return the sweeps in the folders of ``path``."""
    return [SweepFolder(one.parent) for one in sorted(path.glob(f"*/{RUNS}"))]
