"""Who does the work on the parts of a table or a screen: this process, or a Dask cluster's workers.

Tasks are plain functions of paths and settings that write files and return a summary. What a task
writes does not depend on who runs it, or on how often: a worker that dies is replaced and its
tasks run again.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from data_specs.errors import InputError
from data_specs.parameters import Dask

T = TypeVar("T")
TIMEOUT = "20s"  # for the scheduler to answer


class Each(Protocol):
    """Calls a function with every tuple of arguments; results come in the order of these."""

    def __call__(
        self, function: Callable[..., T], arguments: Sequence[Any],
        done: Callable[[T], object] = lambda _: None,
    ) -> list[T]:  # fmt: skip
        """The results of all calls; `done` gets each at once, in any order."""


@contextlib.contextmanager
def workers(settings: Dask, parts: int) -> Iterator[Each]:
    """Yield a function that runs tasks: here if there is one part only, else on the cluster.

    Args:
        settings: address of a running scheduler, or `local` for a cluster in this machine.
        parts: how many tasks there will be at most.

    Raises:
        InputError: the scheduler cannot be reached, or is lost, or workers die again and again.
    """
    if parts <= 1:
        yield _here
        return
    from distributed import Client, LocalCluster

    # Quiet: Dask replaces a worker that dies, and raises the error if tasks fail finally.
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        address: Any = settings.scheduler
        if settings.scheduler == "local":
            address = stack.enter_context(
                LocalCluster(
                    n_workers=settings.workers, threads_per_worker=1, silence_logs=logging.CRITICAL,
                    dashboard_address="127.0.0.1:0",
                    env={"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"},
                )
            )  # fmt: skip
        try:
            client = stack.enter_context(Client(address, timeout=TIMEOUT, set_as_default=False))
        except OSError as error:
            raise InputError(
                f"dask.scheduler={settings.scheduler}: no scheduler answers there ({error}). Start "
                "it (`dask scheduler`), or set dask.scheduler=local."
            ) from None
        print(f"  dask: {client.dashboard_link}", flush=True)
        yield _on(client, settings)


def _here(
    function: Callable[..., T], arguments: Sequence[Any],
    done: Callable[[T], object] = lambda _: None,
) -> list[T]:  # fmt: skip
    results = []
    for given in arguments:
        results.append(function(*given))
        done(results[-1])
    return results


def _on(client: Any, settings: Dask) -> Each:
    from distributed import KilledWorker, as_completed
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    def each(
        function: Callable[..., T], arguments: Sequence[Any],
        done: Callable[[T], object] = lambda _: None,
    ) -> list[T]:  # fmt: skip
        futures = [client.submit(function, *given, pure=False) for given in arguments]
        try:
            for future in as_completed(futures, loop=client.loop):
                if future.status != "finished":
                    break  # what went wrong is raised below
                done(future.result())
            results: list[T] = client.gather(futures)
        except KilledWorker as error:
            raise InputError(
                f"workers died again and again in {function.__name__} ({error}). If memory ran "
                "out, set fewer dask.workers or smaller parts (genotypes.part_rows, --part-rows)."
            ) from None
        except (FutureCancelledError, CommClosedError) as error:
            raise InputError(
                f"the Dask scheduler {settings.scheduler} was lost in {function.__name__} "
                f"({type(error).__name__}). Nothing half done was left behind; start again."
            ) from None
        return results

    return each
