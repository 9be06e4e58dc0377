"""The baselines by name, a record each: a new one is a module beside this one, and an entry."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from data_specs.parameters import Baselines as BaselinesConfig
from data_specs.parameters import Parameters
from dcell_model.baselines.fm import fit_fm
from dcell_model.baselines.mean import fit_mean
from dcell_model.baselines.mlp import fit_mlp
from dcell_model.baselines.ridge import fit_ridge
from dcell_model.baselines.samples import Bools, Fit, Floats
from dcell_model.models import ModelRecord

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def sections_of(parameters: Parameters) -> Mapping[str, Mapping[str, Any]]:
    """The parameters of baselines: their own section, and those shared with a training."""
    shared = {key: getattr(parameters.train, key) for key in ("phenotypes", "calibrate")}
    return {"baselines": asdict(parameters.baselines), "train": shared}


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModel(ModelRecord):
    """A model that is fitted in one go.

    Attributes:
        fit: of genotypes `[N, genes]`, targets `[N, P]`, masks `[N]` of samples to fit and to
            choose by, and the settings.
    """

    sections: Callable[[Parameters], Mapping[str, Mapping[str, Any]]] = sections_of
    fit: Callable[["csr_array", Floats, Bools, Bools, BaselinesConfig], Fit]


BASELINES: dict[str, FittedModel] = {
    "mean": FittedModel(fit=fit_mean),
    "ridge": FittedModel(fit=fit_ridge),
    "fm": FittedModel(fit=fit_fm),
    "mlp": FittedModel(fit=fit_mlp),
}
