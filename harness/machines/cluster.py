"""The workers of a Dask scheduler, and requests to them, which are never retried. All of Dask is here."""

import json
import logging
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from harness.codec import shown, shown_error
from harness.errors import FlatnetError, UsageError
from harness.machines import errand

RESOURCE = "measurement"
_GONE = "the scheduler is gone"
_TIMEOUT_S = 10.0
"""To connect, and to fetch a reply."""


class SchedulerGone(FlatnetError):
    """The scheduler does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker; it has introduced itself, unless its Python is another than here."""

    address: str
    offers: bool
    """Whether it has the resource that a measurement takes."""
    machine: str = ""
    boot: str = ""
    """The id of the machine's latest boot; empty if unknown."""
    process: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach a scheduler."""

    address: str
    """Such as tcp://host:8786."""
    tls: Mapping[str, str] = field(default_factory=dict)
    """Files for TLS, by Dask's name for each: tls_ca_file, tls_client_cert, tls_client_key."""

    @property
    def is_open(self) -> bool:
        """Whether others can use it: it is neither encrypted nor on this machine."""
        parts = urlsplit(self.address)
        return parts.scheme in ("tcp", "ws") and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def checked_address(text: str) -> str:
    """Return a scheduler's address; raise ValueError if it cannot be one."""
    with suppress(ValueError):
        parts = urlsplit(text)
        if parts.scheme in ("tcp", "tls", "ws", "wss") and parts.hostname and parts.port:
            return text
    raise ValueError(f"got {shown(text)}, takes an address such as tcp://host:8786")


def address_in(path: str) -> str:
    """Return the address that a scheduler wrote into a file; raise ValueError if there is none."""
    try:
        return checked_address(str(json.loads(Path(path).read_bytes())["address"]))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} has no address; dask scheduler writes one") from None


@contextmanager
def connected(access: Access) -> Iterator["Cluster"]:
    """Connect to a scheduler; raise UsageError without Dask, SchedulerGone without an answer."""
    try:
        import cloudpickle
        import distributed
    except ImportError as error:
        raise UsageError("--scheduler: Dask is not installed here; make scheduler does that") from error
    # The caller says in one line what Dask would log as tracebacks.
    logging.disable(logging.CRITICAL)
    cloudpickle.register_pickle_by_value(errand)
    try:
        security = distributed.Security(**access.tls, require_encryption=bool(access.tls) or None)
        client = distributed.Client(
            access.address, timeout=_TIMEOUT_S, security=security, set_as_default=False
        )
    except Exception as error:
        why = shown_error(error)
        raise SchedulerGone(f"no scheduler can be reached at {access.address}: {why}") from error
    try:
        yield Cluster(client)
    finally:
        with suppress(Exception):
            client.close(timeout=_TIMEOUT_S)


def _by_value(function: Any) -> Any:
    """Return a function that Dask sends with its code, not by name."""
    return lambda *arguments: function(*arguments)  # noqa: PLW0108


class Cluster:
    """The workers of a scheduler; methods raise SchedulerGone if it is gone."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Worker] = {}
        self._futures: dict[str, Any] = {}
        self._done: SimpleQueue[str] = SimpleQueue()

    def present(self) -> list[Worker]:
        """Return the workers; each is asked once which machine it is."""
        found = self._reached(self._client.scheduler_info, n_workers=-1)["workers"]
        # Another worker at the same address has another folder to spill to.
        folders = {at: about["local_directory"] for at, about in found.items()}
        self._known = {key: worker for key, worker in self._known.items() if key in folders.items()}
        new = [at for at, folder in folders.items() if (at, folder) not in self._known]
        pythons = self._run(platform.python_version, new)
        # Code sent by value runs in the same minor version only.
        minor = platform.python_version().rpartition(".")[0]
        same = [at for at, python in pythons.items() if python.rpartition(".")[0] == minor]
        told = self._run(_by_value(errand.hello), same)
        for at in pythons:
            offers = found[at].get("resources", {}).get(RESOURCE, 0) >= 1
            self._known[at, folders[at]] = Worker(address=at, offers=offers, **told.get(at, {}))
        return list(self._known.values())

    def _run(self, function: Any, addresses: list[str]) -> dict[str, Any]:
        if not addresses:
            return {}
        return dict(self._reached(self._client.run, function, workers=addresses, on_error="ignore"))

    def ask(self, worker: Worker, request: Mapping[str, Any]) -> str:
        """Hand a request to a worker's station; return a ticket for the reply."""
        ticket = f"flatnet-{uuid4().hex}"
        future = self._reached(
            self._client.submit,
            _by_value(errand.ask),
            dict(request),
            key=ticket,
            workers=[worker.address],
            resources={RESOURCE: 1},
            pure=False,
        )
        self._futures[ticket] = future
        future.add_done_callback(lambda _: self._done.put(ticket))
        return ticket

    def replies(self, timeout_s: float) -> list[tuple[str, dict[str, Any]]]:
        """Return the replies that have come, with their tickets; wait ``timeout_s`` for the first.

        A reply has ``again`` if it was lost, ``error`` if asking again cannot help.
        """
        done = ""
        with suppress(Empty):
            done = self._done.get(timeout=timeout_s)
        if self._client.status != "running":
            raise SchedulerGone(_GONE)
        return [(done, self._fetched(done))] if done in self._futures else []

    def _fetched(self, ticket: str) -> dict[str, Any]:
        future = self._futures.pop(ticket)
        try:
            return dict(future.result(timeout=_TIMEOUT_S))
        except Exception as error:
            kind = type(error).__name__
            if future.status == "error" and kind != "KilledWorker":
                return {"error": f"its worker failed: {kind}: {shown_error(error)}"}
            return {"again": f"its reply was lost: {kind}"}

    def forget(self, tickets: Iterable[str]) -> None:
        """Take requests back; a station finishes a round that it has begun."""
        futures = [future for ticket in tickets if (future := self._futures.pop(ticket, None))]
        with suppress(Exception):
            self._client.cancel(futures)

    def _reached(self, call: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except Exception as error:
            raise SchedulerGone(_GONE) from error
