"""What runs within a Dask worker: it hands requests to a station, which it starts, and brings back replies.

Arguments and results are of JSON's types, and bytes. Functions import what they need, for Dask sends them by
value: a worker that has never seen this project can run them.
"""

from typing import Any


def hello() -> dict[str, Any]:
    """Return what this worker calls its machine, what is unique to that, and its process id."""
    import os
    import socket
    from contextlib import suppress
    from pathlib import Path

    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return {
        "machine": os.environ.get("FLATNET_MACHINE") or socket.gethostname(),
        "boot": boot,
        "process": os.getpid(),
    }


def ask(request: dict[str, Any], tree: str | None = None, archive: bytes | None = None) -> dict[str, Any]:
    """Return the answer of this worker's station to ``request``; start one if there is none.

    It runs in the folder in which the worker was started, or, if ``tree`` names one, in a copy of that, which
    is unpacked from ``archive``. The station ends by itself when the worker does, however that ends.
    """
    import json
    import subprocess
    import sys
    import threading
    from pathlib import Path

    from distributed import get_worker

    try:
        folder = deployed(tree, archive) if tree else Path.cwd()
    except OSError as error:
        return {"error": f"cannot unpack the programs: {error}"}
    # A worker with several threads may be asked while a request of a client that is gone is still at work.
    kept = vars(get_worker()).setdefault("flatnet_station", {"lock": threading.Lock(), "process": None})
    with kept["lock"]:
        process = kept["process"]
        if process is not None and (process.poll() is not None or kept["folder"] != folder):
            process.stdin.close()
            process.wait()
            process = None
        if process is None:
            if not (folder / "harness" / "measure" / "station.py").is_file():
                return {
                    "error": f"{folder} is no checkout with this version of the project: start the worker in"
                    " one, or use --deploy"
                }
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.machines.station"],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C at the worker must not cut a run: the station ends after it.
                start_new_session=True,
            )
            kept.update(process=process, folder=folder)
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            reply = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            return {"again": f"its station has ended, with status {process.wait()}"}
        assert isinstance(reply, dict)
        return reply


def deployed(tree: str, archive: bytes | None) -> Any:
    """Return the folder that has the files of ``tree``; unpack the archive if there is none.

    One that is there already, from a worker that was killed, stays: its journal is in it. What was deployed
    of other trees goes. Raises OSError.
    """
    import io
    import os
    import shutil
    import tarfile
    import tempfile
    from pathlib import Path

    name = os.environ.get("FLATNET_MACHINE") or os.uname().nodename
    home = Path(tempfile.gettempdir()) / f"flatnet-{os.getuid()}-{name}"
    folder, new = home / tree, home / ".new"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise PermissionError(f"{home} belongs to somebody else; remove it")
    if not folder.exists() and archive:
        for old in home.iterdir():
            shutil.rmtree(old, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(new, filter="data")
        new.rename(folder)
    return folder


def remove(tree: str) -> dict[str, Any]:
    """End the station of a deployed tree, and remove the tree."""
    import shutil

    from distributed import get_worker

    folder = deployed(tree, None)
    kept = vars(get_worker()).get("flatnet_station")
    if kept:
        with kept["lock"]:
            if kept["process"] is not None and kept["folder"] == folder:
                kept["process"].stdin.close()
                kept["process"].wait()
                kept["process"] = None
    shutil.rmtree(folder.parent, ignore_errors=True)
    return {}
