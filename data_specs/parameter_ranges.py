"""Ranges of parameters, and which of them go together."""

import dataclasses
from typing import Any

from data_specs.errors import ParameterError
from data_specs.parameter_values import unknown

AT_LEAST: dict[str, float] = {
    "annotations.gene_id_columns": 1, "hierarchy.containment": 1, "store.block_bytes": 1,
    "genotypes.piece_bytes": 1, "genotypes.part_rows": 1, "dask.workers": 1,
    "networks.least_weight": 0, "dango.width": 1, "dango.depth": 1, "dango.heads": 1,
    "dango.pretrain_steps": 0, "dango.pretrain_lr": 0, "dango.zero_weight": 0,
    "dango.weight_decay": 0,
    "split.val": 0, "split.test": 0, "model.width_min": 1, "model.width_ratio": 0,
    "model.gene_embedding": 0, "model.init_range": 0, "train.epochs": 1, "train.batch_size": 1,
    "train.lr": 0, "train.weight_decay": 0, "train.clip": 0, "train.aux_weight": 0, "train.l2": 0,
    "train.patience": 1, "train.accumulate": 1, "train.norm_samples": 0,
    "train.checkpoint_steps": 1, "train.num_workers": 0, "simulate.noise": 0,
    "baselines.ridge_alphas": 0, "baselines.mlp_hidden": 1, "baselines.mlp_epochs": 1,
}  # fmt: skip
PRUNING_STEPS = ("annotated", "containment", "redundant", "transitive_reduction")


def check_ranges(section: Any, name: str, where: str) -> None:
    """Refuse values out of their range, and those that do not go together.

    Args:
        section: an instance of a class of `data_specs.parameters`.
        name: of the section.
        where: what error messages call the source of the values.

    Raises:
        ParameterError: names the key, the value, and what is expected.
    """
    where = f"{where}: {name}"
    for key in dataclasses.fields(section):
        value = getattr(section, key.name)
        least = AT_LEAST.get(f"{name}.{key.name}")
        if least is None or value is None:
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if not item >= least:
                raise ParameterError(f"{where}.{key.name} is {item}; expected at least {least:g}")
    if name == "hierarchy":
        for step in section.steps:
            if step not in PRUNING_STEPS:
                raise ParameterError(unknown(step, PRUNING_STEPS, f"{where}.steps"))
    if name == "ontology" and "is_a" not in section.relations:
        raise ParameterError(f"{where}.relations is {section.relations}; is_a is always needed")
    if name == "split" and section.val + section.test >= 1:
        raise ParameterError(
            f"{where}: val {section.val} and test {section.test} leave nothing to train on"
        )
    if name == "train" and section.norm_samples == 1:
        raise ParameterError(f"{where}.norm_samples is 1; expected at least 2, or 0 for none")
    if name == "dango" and section.width % section.heads:
        raise ParameterError(
            f"{where}.width is {section.width}; expected a multiple of {where}.heads, "
            f"{section.heads}"
        )
    if name == "annotations" and section.date_cutoff is not None:
        import datetime

        try:
            datetime.date.fromisoformat(section.date_cutoff)
        except ValueError:
            raise ParameterError(
                f"{where}.date_cutoff is '{section.date_cutoff}'; expected YYYY-MM-DD"
            ) from None
