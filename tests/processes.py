"""Programs in processes of their own that begin where all is imported: to import takes seconds.

A server in each worker of pytest imports torch and what trainings need once, and forks a process
for each program. What happens before that is tested with `subprocess`: variables that Python reads
when it starts, the seed of its hashes, what an import brings.
"""

import atexit
import multiprocessing
import os
import runpy
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
IMPORTED = [
    "torch._dynamo", "lightning_fabric", "dvclive", "dcell_model.train", "dcell_model.baselines",
    "dcell_model.evaluate", "dcell_model.report", "dcell_model.dcell.engines",
]  # fmt: skip
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(IMPORTED)


class Program:
    """What Python with these arguments (`-m MODULE …`, `-c CODE …`) does, in a process.

    Args:
        arguments: of the interpreter.
        cwd: where it runs.
        terminal: the terminal or the file that it prints all to; by default to files of its own.
        encoding: of what it prints.
        environment: variables beside those of this process.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path = CHECKOUT,
        terminal: str = "",
        encoding: str = "utf-8",
        **environment: str,
    ) -> None:
        self.printed = Path(tempfile.mkdtemp(prefix="dcell-test-"))
        outputs = [terminal or str(self.printed / name) for name in ("out", "err")]
        given = (arguments, str(cwd), outputs, encoding, environment)
        self.process: Any = SERVER.Process(target=_run, args=given)
        self.process.start()
        atexit.register(self.process.kill)
        self.pid: int = self.process.pid

    @property
    def returncode(self) -> int | None:
        """As `subprocess` has it: None while it runs, and less than 0 after a signal."""
        code: int | None = self.process.exitcode
        return code

    poll = returncode.fget

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.process.kill()

    def reaches(self, happened: Callable[[], Any]) -> bool:
        """Wait until something has happened; whether it did before the process ended."""
        while not happened():
            self.process.join(0.0005)
            if self.returncode is not None:
                return bool(happened())
        return True

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """All that it printed to standard output and standard error, once it has ended."""
        self.process.join(timeout)
        if self.returncode is None:
            self.kill()
            self.process.join()
            raise AssertionError(f"it still ran after {timeout} s: {self._read('err')}")
        printed = self._read("out"), self._read("err")
        shutil.rmtree(self.printed, ignore_errors=True)
        return printed

    def _read(self, name: str) -> str:
        path = self.printed / name
        return path.read_text(encoding="utf-8") if path.exists() else ""


def _run(
    arguments: tuple[str, ...],
    cwd: str,
    outputs: list[str],
    encoding: str,
    environment: dict[str, str],
) -> None:
    for number, path in enumerate(outputs, 1):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOCTTY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = os.fdopen(1, "w", 1, encoding, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding, "backslashreplace", closefd=False)
    os.environ.update({"OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)} | environment)
    os.chdir(cwd)
    import torch

    torch.set_num_threads(1)
    kind, program, *given = arguments
    sys.argv = [program if kind == "-m" else kind, *given]
    if kind == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
