"""Dask workers as Slurm jobs: start this, then build with the address that it prints.

    pip install dask-jobqueue
    python docs/cluster/jobqueue.py --jobs 4
    dcell-data build … --set dask.scheduler=tcp://…

It runs until it is interrupted, and then takes the jobs back. Partition, account and memory are a
cluster's own: change them below. Other queues have classes of the same kind (`PBSCluster`, …).
"""

import argparse
import contextlib
import sys
import threading

from dask_jobqueue.slurm import SLURMCluster

WORKERS = 8  # processes a job; each has one thread, and takes about 1 GiB for pieces of 64 MiB

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--jobs", type=int, default=1, help=f"of {WORKERS} workers each")
options = parser.parse_args()
with SLURMCluster(
    queue="short",
    account=None,
    walltime="02:00:00",
    cores=WORKERS,
    processes=WORKERS,
    memory=f"{2 * WORKERS}GB",
    # The jobs need the same Python environment, and the folders by the same paths, as the build.
    python=sys.executable,
    # One thread a worker: the workers are the parallel part.
    job_script_prologue=["export POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1"],
    # The address that compute nodes reach the login node by: its name in `ip address`.
    scheduler_options={"interface": None, "dashboard_address": "127.0.0.1:0"},
) as cluster:
    cluster.scale(jobs=options.jobs)
    print(f"--set dask.scheduler={cluster.scheduler_address}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
