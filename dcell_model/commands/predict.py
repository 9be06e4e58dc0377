"""The options of `dcell predict`."""

import argparse
from typing import Any

from data_specs.outputs import output_path
from dcell_model.commands.options import add_checkpoint, add_command


def add_to(commands: Any) -> None:
    """Add the command to those of `dcell`."""
    predict = add_command(
        commands,
        "predict",
        help="predict genotypes without labels, and what becomes of every subsystem",
        description="Predict genotypes from a checkpoint alone. Genes go by their systematic "
        "names, standard names or synonyms.",
        epilog="examples:\n"
        "  dcell predict --checkpoint runs/first/checkpoint.pt --genotypes 'TFC3,YBR002C; RAD51'\n"
        "  dcell predict --checkpoint runs/first/checkpoint.pt --genotypes mutants.csv \\\n"
        "    --subsystems --out predicted.parquet\n\n"
        "The tables' columns are described in dcell_model/predict/tables.py.",
    )
    add_checkpoint(predict)
    predict.add_argument("--genotypes", metavar="G", required=True,
                         help="genes separated by | or , with ; between genotypes; or a file: a "
                         "genotype a line, or a table of any form that the build reads, told by "
                         "its header; it needs no phenotype")  # fmt: skip
    predict.add_argument("--subsystems", action="store_true",
                         help="also the state of every subsystem that deletions reach, into "
                         "NAME.subsystems.SUFFIX")  # fmt: skip
    predict.add_argument("--interval", metavar="L", type=float, default=0.9,
                         help="level of the intervals (default: 0.9)")  # fmt: skip
    predict.add_argument("--out", metavar="F", type=output_path,
                         help=".parquet, .csv or .tsv (default: on the terminal)")  # fmt: skip
    predict.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from dcell_model.predict import command as prediction_files
    from dcell_model.written_folders import refuse_file

    if options.out is not None:
        read = [options.checkpoint, *prediction_files.file_of(options.genotypes)]
        for path in prediction_files.paths_of(options.out, options.subsystems):
            refuse_file(path, *read)
    prediction_files.run(
        options.checkpoint, options.genotypes, options.out, subsystems=options.subsystems,
        level=options.interval,
    )  # fmt: skip
