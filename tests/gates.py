"""Gates at which the runs of a fake wait until a test lets them on."""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STUCK_S = 60.0
"""After this a command is said to hang; none takes nearly as long."""


class Gate:
    """Two named pipes at which every run of a fake waits: it tells the one, and is let on by the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._in, self._out = path.with_name(f"{path.name}.in"), path.with_name(f"{path.name}.out")
        os.mkfifo(self._in)
        os.mkfifo(self._out)

    def pass_one(self) -> None:
        """Wait for a run to arrive and let it go on."""
        self._wait()
        with self._out.open("wb"):
            pass

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for a run to arrive, and let it go on at the end; the next ones find no gate."""
        self._wait()
        with self._out.open("wb"):
            yield
            self._in.unlink()

    def _wait(self) -> None:
        """Wait for a run to arrive; fail where none does, because the bench has ended for some reason."""
        pipe = os.open(self._in, os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert select.select([pipe], [], [], STUCK_S)[0]
            os.set_blocking(pipe, True)
            while os.read(pipe, 100):
                pass
        finally:
            os.close(pipe)

    def release(self) -> None:
        """Let go whoever still waits, as after a test that failed."""
        for path, mode in ((self._in, os.O_RDONLY), (self._out, os.O_WRONLY)):
            with suppress(OSError):
                os.close(os.open(path, mode | os.O_NONBLOCK))
