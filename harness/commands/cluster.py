"""The workers of a Dask scheduler: who is there, what they are asked, what they answer. All of Dask is here.

A request is a task for one worker, which holds the worker's one `measurement` as long as it lasts. Nothing is
ever tried again by Dask: what to do about a worker that is gone is decided by who asked.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from harness.commands import errand
from harness.errors import FlatnetError, UsageError

RESOURCE = "measurement"
_CONNECT_S = 10.0
_FETCH_S = 10.0
"""How long a reply may take on its way, once it is there."""


class SchedulerGone(FlatnetError):
    """The scheduler does not answer, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker that has introduced itself."""

    address: str
    """Where Dask finds it."""
    machine: str
    """What it calls its machine."""
    boot: str
    """What is unique to the machine since it was started; empty if unknown."""
    process: int
    """Its process id: another worker may take over an address."""
    folder: str
    """Where it was started."""
    offers: bool
    """Whether it has the resource that a measurement takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach a scheduler."""

    address: str
    """Such as tcp://host:8786."""
    ca_file: str | None
    """Certificate authority, for TLS."""
    cert: str | None
    """Certificate, for TLS."""
    key: str | None
    """Its private key, for TLS."""

    @property
    def is_open(self) -> bool:
        """Whether others can reach the scheduler, and do what they like: no encryption, and not this machine."""
        parts = urlsplit(self.address)
        host = parts.hostname or ""
        try:
            is_here = ip_address(host).is_loopback
        except ValueError:
            is_here = host == "localhost"
        return parts.scheme not in ("tls", "wss", "inproc") and not is_here


def address_in(path: Path) -> str:
    """Return the address that a scheduler wrote into ``path``; raise UsageError if there is none."""
    try:
        address = json.loads(path.read_bytes())["address"]
    except OSError as error:
        raise UsageError(f"--scheduler-file: {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"--scheduler-file: {path} has no address; dask scheduler writes one") from None
    return str(address)


class Cluster:
    """A scheduler and its workers. Every method raises SchedulerGone if there is no scheduler any more."""

    def __init__(self, access: Access) -> None:
        try:
            import distributed
        except ImportError as error:
            raise UsageError("--scheduler: Dask is missing; install it by make machines") from error
        # What goes wrong is said here, in one line, and not by Dask in a traceback.
        for name in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._known: dict[str, Worker] = {}
        self._asked: dict[str, Any] = {}
        self._ready: SimpleQueue[str] = SimpleQueue()
        security = None
        if access.ca_file or access.cert or access.key:
            security = distributed.Security(
                tls_ca_file=access.ca_file,
                tls_client_cert=access.cert,
                tls_client_key=access.key,
                require_encryption=True,
            )
        try:
            self._client = distributed.Client(
                access.address, timeout=_CONNECT_S, security=security, set_as_default=False
            )
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error.__cause__ or error).splitlines()
            raise SchedulerGone(
                f"no scheduler answers at {access.address}: {reason[0] if reason else type(error).__name__}"
            ) from error

    def workers(self) -> list[Worker]:
        """Return the workers that are there, each asked once who it is; who does not answer is left out."""
        self._check()
        try:
            found: dict[str, Any] = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:  # noqa: BLE001
            raise SchedulerGone("the scheduler is gone") from error
        self._known = {
            address: worker
            for address, worker in self._known.items()
            if address in found and found[address]["id"] == worker.id
        }
        return list(self._known.values())
