"""Measurements of several parts in one go: `python -m dcell_model.bench gpu`."""

from functools import partial

from data_specs.command_line import run_program
from dcell_model.bench.gpu import Gpu

main = partial(run_program, "python -m dcell_model.bench", __doc__, (Gpu,))

if __name__ == "__main__":
    main()
