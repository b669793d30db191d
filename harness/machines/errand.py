"""What runs within a Dask worker: it starts a station, hands it requests, and returns its replies.

A worker may have another version of this project, so functions are sent by value, and import what they need.
"""

from typing import Any

from harness.measure.lock import VARIABLE


def hello() -> dict[str, Any]:
    """Return what a ``Worker`` says of itself."""
    import os
    import socket
    from contextlib import suppress
    from pathlib import Path

    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    machine = os.environ.get(VARIABLE) or socket.gethostname()
    return {"machine": machine, "boot": boot, "process": os.getpid()}


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of this worker's station, which starts if need be, and ends with the worker."""
    import json
    import subprocess
    import sys
    import threading
    from pathlib import Path

    from distributed import get_worker

    # Another thread may still serve a client that is gone.
    kept = vars(get_worker()).setdefault("flatnet_station", {"lock": threading.Lock(), "process": None})
    with kept["lock"]:
        process = kept["process"]
        if process is None or process.poll() is not None:
            if not Path("harness/machines/station.py").is_file():
                return {"error": f"{Path.cwd()} is no checkout with this version of the project: use one"}
            process = kept["process"] = subprocess.Popen(
                [sys.executable, "-m", "harness.machines.station", hello()["machine"]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C at the worker lets the station finish its run.
                start_new_session=True,
            )
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            reply = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            return {"again": f"its station has ended, with status {process.wait()}"}
        assert isinstance(reply, dict)
        return reply
