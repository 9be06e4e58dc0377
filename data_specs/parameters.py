"""Every parameter, its type and its default: one frozen dataclass a stage.

A stage of `dvc.yaml`, the module that runs it, its section of `params.yaml` and its class here
carry one name. Values are resolved in this order, the later winning: the defaults below, the
source profile, the preset, `params.yaml` (or a build's `params.json`), `--set key=value`.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_type_hints

from data_specs.errors import ParameterError
from data_specs.parameter_ranges import check_ranges
from data_specs.parameter_values import fit, unknown
from data_specs.presets import PRESETS, PROFILES


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulate:
    """The bundled default: raw inputs drawn from a hidden hierarchical truth."""

    seed: int = 0
    terms: int = 200
    genes: int = 400
    annotations: int = 2400  # kept (term, gene) pairs aimed at, before pruning
    queries: int = 40  # double-mutant queries
    arrays: int = 250  # array strains that each query is crossed with
    triples: int = 7500  # distinct genotypes with three deleted genes; a quarter more with two
    pairs: int = 0  # rows of a genome-wide digenic screen in a file of its own (Costanzo 2016)
    noise: float = 0.03  # standard deviation of the measurement error, in units of epsilon


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the three raw inputs come from; a path given here replaces the profile's file."""

    profile: Literal["demo", "yeast", "local"] = "demo"
    ontology: str | None = None
    annotations: str | None = None
    genotypes: tuple[str, ...] = ()
    test_genotypes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()  # of genes; index pairs (STRING adjacency) need network_genes
    network_genes: str | None = None  # the gene of each index, one a line, counted from 1
    gene_names: str | None = None  # columns from, to: applied to names before any other rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Which lines of the annotation file (GAF) count, and how a gene is named."""

    gene_id_columns: tuple[int, ...] = (11, 3, 2)
    gene_id_pattern: str | None = None
    exclude_evidence: tuple[str, ...] = ()
    include_evidence: tuple[str, ...] | None = None
    date_cutoff: str | None = None
    taxon: str | None = None
    on_bad_line: Literal["error", "skip"] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Which relations make edges, and how the ontology is pruned."""

    relations: tuple[str, ...] = ("is_a",)
    steps: tuple[str, ...] = ("containment", "redundant", "transitive_reduction")
    containment: int = 4
    orphans: Literal["push", "drop"] = "push"
    gene_universe: Literal["annotated", "assayed"] = "annotated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """From which end of the hierarchy the strata are counted."""

    origin: Literal["root", "leaves"] = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Genotypes:
    """How genotype tables are read and merged."""

    control_gene: str | None = "YDL227C"  # HO: a deletion of it in a query is no deletion
    names: Literal["resolve", "exact"] = "resolve"  # exact: systematic names as written, no other
    same_gene: Literal["refuse", "merge"] = "refuse"  # a gene twice in a genotype, by any names
    orders: tuple[int, ...] = ()  # numbers of deleted genes to keep; empty keeps all
    unannotated: Literal["keep", "drop"] = "keep"
    on_bad_row: Literal["error", "skip"] = "error"
    piece_bytes: int = 64 * 2**20  # of a text file that one task reads
    part_rows: int = 2**20  # of the merged table, and so of a shard of the store, roughly


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """How the mutant states are laid out in LMDB."""

    layout: Literal["delta", "dense"] = "delta"
    block_bytes: int = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which genotypes are held out; given test files are always the test part."""

    method: Literal["random", "query", "gene"] = "random"
    val: float = 0.1
    test: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Which edges of the gene networks count; DANGO's input, not DCell's."""

    least_weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """DCell's equations (Ma et al. 2018) and the variants of them that have been tried."""

    width_genes: Literal["contained", "direct"] = "contained"
    width_min: int = 20
    width_ratio: float = 0.3
    norm_order: Literal["act_norm", "norm_act"] = "act_norm"
    activation: Literal["tanh", "gelu", "relu"] = "tanh"
    norm: Literal["batch", "layer", "none"] = "batch"
    gene_input: Literal["state", "disruption"] = "state"
    gene_embedding: int = 0  # width of a learnable embedding a gene; 0 feeds the binary state
    layers: Literal[1, 2] = 1
    init: Literal["fan_in", "uniform"] = "fan_in"
    init_range: float = 0.001  # half width of `init: uniform`


@dataclass(frozen=True, slots=True, kw_only=True)
class Dango:
    """The DANGO-style model (Zhang et al. 2020) on gene networks: `train.model: dango`."""

    networks: tuple[str, ...] = ()  # by name; empty: all of the build's
    encoder: Literal["sage", "gin"] = "sage"
    aggregation: Literal["cross_attention", "pairwise"] = "cross_attention"
    width: int = 64
    depth: int = 2  # convolutions, so how far a gene sees
    heads: int = 4
    pretrain_steps: int = 200
    pretrain_lr: float = 1e-2
    zero_weight: float = 1.0  # what an absent edge counts in the reconstruction, a present one 1
    weight_decay: float = 1.0  # in place of train.weight_decay: it has a number for every gene


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """The training loop and the loss."""

    model: Literal["dcell", "dango"] = "dcell"
    engine: Literal["auto", "incremental", "stratum", "reference"] = "auto"
    phenotypes: tuple[str, ...] = ()  # empty: the store's first
    epochs: int = 40
    batch_size: int = 256
    lr: float = 2e-3
    schedule: Literal["cosine", "constant"] = "cosine"  # of the learning rate, down to 0
    weight_decay: float = 1e-2
    clip: float | None = 10.0
    aux_weight: float = 0.3
    aux_reduction: Literal["sum", "mean"] = "sum"
    l2: float = 0.0
    standardize: bool = True
    select: Literal["pearson", "loss"] = "pearson"
    patience: int | None = None
    accumulate: int = 1
    sync_batchnorm: bool = True  # statistics over the batches of all processes
    norm_samples: int = 8192  # whose statistics evaluation normalises with; 0: running averages
    checkpoint_steps: int | None = None  # also within an epoch, after so many steps
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    num_workers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """The simple models that every result stands beside."""

    ridge_alphas: tuple[float, ...] = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    mlp_hidden: int = 64
    mlp_epochs: int = 60
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dask:
    """Who works on the pieces of big tables; what is computed does not depend on it."""

    scheduler: str = "local"  # or the address of a running one, tcp://host:8786
    workers: int | None = None  # of a local cluster; none: as many as the machine has cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """All sections; `preset` names a whole setting that the sections start from."""

    preset: str | None = None
    simulate: Simulate = field(default_factory=Simulate)
    sources: Sources = field(default_factory=Sources)
    annotations: Annotations = field(default_factory=Annotations)
    hierarchy: Hierarchy = field(default_factory=Hierarchy)
    strata: Strata = field(default_factory=Strata)
    genotypes: Genotypes = field(default_factory=Genotypes)
    store: Store = field(default_factory=Store)
    split: Split = field(default_factory=Split)
    networks: Networks = field(default_factory=Networks)
    model: Model = field(default_factory=Model)
    dango: Dango = field(default_factory=Dango)
    train: Train = field(default_factory=Train)
    baselines: Baselines = field(default_factory=Baselines)
    dask: Dask = field(default_factory=Dask)

    def to_dict(self) -> dict[str, Any]:
        """All values as plain JSON types, sections in order."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values


Values = dict[str, Any]
SECTIONS: dict[str, Any] = {
    name: cls for name, cls in get_type_hints(Parameters).items() if dataclasses.is_dataclass(cls)
}
KEYS: tuple[str, ...] = tuple(
    f"{name}.{key.name}" for name, cls in SECTIONS.items() for key in dataclasses.fields(cls)
)


def resolve(given: Mapping[str, Any], *, where: str = "parameters") -> Parameters:
    """Complete what was given with preset, profile and defaults.

    Args:
        given: `{"preset": name, section: {key: value}}`, every part optional.
        where: what error messages call the source of the values.

    Raises:
        ParameterError: an unknown section, key, preset or value, naming the nearest known one.
    """
    for name, section in given.items():
        if name != "preset" and name not in SECTIONS:
            raise ParameterError(unknown(name, [*SECTIONS, "preset"], where))
        if name != "preset" and not isinstance(section or {}, Mapping):
            raise ParameterError(f"{where}: section '{name}' is {section!r}; expected keys")
    preset = given.get("preset")
    if preset is not None and preset not in PRESETS:
        raise ParameterError(unknown(str(preset), PRESETS, f"{where}: preset"))
    profile = (given.get("sources") or {}).get("profile", Sources().profile)
    layers: tuple[Mapping[str, Any], ...] = (
        PROFILES.get(profile, {}),
        PRESETS.get(preset or "", {}),
        given,
    )
    sections = {}
    for name, cls in SECTIONS.items():
        values: Values = {}
        for layer in layers:
            values |= layer.get(name) or {}
        sections[name] = _section(cls, name, values, where)
    return Parameters(preset=preset, **sections)


def load(path: Path, overrides: Iterable[str] = ()) -> Parameters:
    """Read `params.yaml` or `params.json` and apply `key=value` overrides.

    Raises:
        ParameterError: the file is missing or unreadable, or holds an unknown key or value.
    """
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such parameter file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(given, dict):
        raise ParameterError(f"{path}: expected sections with keys, found {type(given).__name__}")
    # A key without a value stands for what preset, profile or default say; `none` is a value.
    for name, values in given.items():
        if isinstance(values, dict):
            given[name] = {key: value for key, value in values.items() if value is not None}
    return resolve(override(given, overrides), where=str(path))


def override(given: Mapping[str, Any], assignments: Iterable[str]) -> Values:
    """Put `section.key=value` assignments over given values; values are YAML, strings are raw.

    Raises:
        ParameterError: an assignment without `=` or with an unknown key.
    """
    import yaml

    result: Values = {k: dict(v) if isinstance(v, Mapping) else v for k, v in given.items()}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ParameterError(f"--set {assignment}: expected section.key=value")
        if key == "preset":
            result["preset"] = None if text in ("", "null", "none") else text
            continue
        if key not in KEYS:
            raise ParameterError(unknown(key, [*KEYS, "preset"], "--set"))
        section, name = key.split(".")
        hint = get_type_hints(SECTIONS[section])[name]
        value: Any = text
        if hint not in (str, str | None) or text == "null":
            try:
                value = yaml.safe_load(text)
            except yaml.YAMLError:
                raise ParameterError(f"--set {assignment}: '{text}' is not readable YAML") from None
        result[section] = {**(result.get(section) or {}), name: value}
    return result


def changed(parameters: Parameters) -> Values:
    """The values that preset, profile and defaults do not give: `resolve` of them leads back.

    Who did the work (`dask`) is left out.
    """
    result: Values = {"preset": parameters.preset} if parameters.preset else {}
    profile = {"profile": parameters.sources.profile}
    given_already = resolve({**result, "sources": profile}).to_dict()
    for name in SECTIONS:
        values = parameters.to_dict()[name]
        differing = {k: v for k, v in values.items() if v != given_already[name][k]}
        if name == "sources" and parameters.sources.profile != Sources().profile:
            differing = profile | differing
        if differing and name != "dask":
            result[name] = differing
    return result


def _section(cls: type, name: str, values: Mapping[str, Any], where: str) -> Any:
    hints = get_type_hints(cls)
    for key in values:
        if key not in hints:
            raise ParameterError(unknown(f"{name}.{key}", KEYS, where))
    prefix = f"{where}: {name}"
    section = cls(**{k: fit(v, hints[k], f"{prefix}.{k}") for k, v in values.items()})
    check_ranges(section, name, where)
    return section
