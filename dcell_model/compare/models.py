"""The models of `dcell compare` by name: networks, baselines, and DCell on controls.

`dcell:genes` is a DCell trained on `controls/genes-SEED` of the build (`dcell-data control`): the
samples and splits are the build's, the hierarchy has its sizes and none of its meaning.
"""

from collections.abc import Sequence
from pathlib import Path

from data_specs.chain import INPUTS, digest_of
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout, control_name
from data_specs.parameters import CONTROLS, Parameters, unknown
from dcell_model.baselines import BASELINES
from dcell_model.models import MODELS, ModelRecord, title_of

FIRST = "dcell"
OF_CONTROLS = {f"{FIRST}:{control}": control for control in CONTROLS}
_USUAL = ("fm", "mlp", "ridge")  # baselines


def usual(data: Path) -> list[str]:
    """The models that are compared where none are named: those that the build has the data of."""
    return [*(name for name in MODELS if _has_data_of(data, name)), *_USUAL]


def _has_data_of(data: Path, model: str) -> bool:
    try:
        MODELS[model].require(DataLayout(data), Parameters())
    except InputError:
        return False
    return True


def known() -> tuple[str, ...]:
    """All names that a comparison understands."""
    return (*MODELS, *BASELINES, *OF_CONTROLS)


def record_of(model: str) -> ModelRecord:
    """The record of a compared model; of DCell on a control, DCell's."""
    kind = model.partition(":")[0]
    return BASELINES[kind] if kind in BASELINES else MODELS[kind]


def require_known(models: Sequence[str]) -> None:
    """Refuse a name of no model.

    Raises:
        InputError: names the nearest one.
    """
    for model in models:
        if model not in known():
            raise InputError(unknown(model, known(), "--models"))


def label(model: str) -> str:
    """The name for people: DCell:genes."""
    kind, colon, control = model.partition(":")
    return f"{title_of(kind)}{colon}{control}"


def layout_of(data: Path, model: str, method: str, seed: int) -> DataLayout:
    """The data of a model: the build, or its control of this seed, with the split."""
    control = OF_CONTROLS.get(model)
    root = DataLayout(data).controls / control_name(control, seed) if control else data
    return DataLayout(root, f"{method}-{seed}")


def require_controls(
    data: Path, methods: Sequence[str], seeds: Sequence[int], models: Sequence[str]
) -> None:
    """Refuse to begin without all controls that are asked for, on the build's own splits.

    Raises:
        InputError: names the missing or foreign controls, and the command that makes them.
    """
    asked = [model for model in models if model in OF_CONTROLS]
    missing, other = [], []
    for model in asked:
        for seed in seeds:
            layouts = [layout_of(data, model, method, seed) for method in methods]
            if not all((layout.split / "split.parquet").is_file() for layout in layouts):
                missing.append(control_name(OF_CONTROLS[model], seed))
            elif not all(_fits(layout, data) for layout in layouts):
                other.append(control_name(OF_CONTROLS[model], seed))
    command = (
        f"dcell-data control {data} --controls {' '.join(OF_CONTROLS[model] for model in asked)} "
        f"--seeds {' '.join(map(str, seeds))}"
    )
    folder = DataLayout(data).controls
    if missing:
        raise InputError(
            f"{folder}: no {', '.join(missing)} with all of these splits; make them with: {command}"
        )
    if other:
        raise InputError(
            f"{folder}: {', '.join(other)} are of another build, or of other splits; make them "
            f"again with: {command} --overwrite"
        )


def _fits(layout: DataLayout, data: Path) -> bool:
    """Whether a control has the build's inputs, hierarchy before any control, and split."""
    real = DataLayout(data, layout.other_split)
    try:
        return all(
            digest_of(layout, name) == digest_of(real, name)
            for name in (INPUTS, "hierarchy", "split")
        )
    except ArtefactError:
        return False
