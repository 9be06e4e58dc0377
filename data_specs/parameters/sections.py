"""Every parameter, its type and its default: one frozen dataclass a stage.

A stage of `dvc.yaml`, the module that runs it, its section of `params.yaml` and its class here
carry one name. Values are resolved in this order, the later winning: the defaults below, the
source profile, the preset, `params.yaml` (or a build's `params.json`), `--set key=value`.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_type_hints

from annotated_types import Ge, Gt, Le, MinLen

from data_specs.errors import ParameterError
from data_specs.parameters.former_names import under_present_names
from data_specs.parameters.graph_models import Dango, Multigraph
from data_specs.parameters.presets import PRESETS, PROFILES
from data_specs.parameters.ranges import (
    OF_MODEL,
    AlleleStates,
    Control,
    Count,
    Crossed,
    Date,
    Device,
    Embedding,
    GafColumns,
    Orders,
    Pattern,
    PruningSteps,
    Rate,
    RidgeAlphas,
    Scheduler,
    Seed,
    Share,
    SplitMethod,
    Text,
    Texts,
    Weight,
    Whole,
    Width,
    Workers,
    check_together,
)
from data_specs.parameters.values import fit, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulate:
    """The bundled default: raw inputs drawn from a hidden hierarchical truth."""

    seed: Seed = 0
    terms: Annotated[int, Ge(30), Le(50_000)] = 200
    genes: Annotated[int, Ge(18), Le(12_799)] = 400
    annotations: Count = 2400  # kept (term, gene) pairs aimed at, before pruning
    queries: Crossed = 40  # double-mutant queries
    arrays: Crossed = 250  # array strains that each query is crossed with
    triples: Count = 7500  # distinct genotypes with three deleted genes; a quarter more with two
    pairs: Whole = 0  # rows of a genome-wide digenic screen in a file of its own (Costanzo 2016)
    noise: Annotated[float, Ge(0), Le(1)] = 0.03  # sd of the measurement error, in units of epsilon


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the three raw inputs come from; a path given here replaces the profile's file."""

    profile: Literal["demo", "yeast", "local"] = "demo"
    ontology: Annotated[
        Text,
        "OBO or its JSON, relations of Reactome; or with annotations of its own: DCell topology, "
        "DrugCell ontology, GenNet topology.csv, CX2, GraphML or GMT; plain or gzipped",
    ] | None = None  # fmt: skip
    annotations: Annotated[Texts, "one file or more: GAF, GPAD, GMT, Reactome, HPO"] | None = None
    gene_info: Annotated[Texts, "GPI for GPAD; genes_to_disease.txt for HPO's hpoa"] | None = None
    genotypes: Annotated[
        Texts, "tables: Kuzmin, Costanzo, tau-SGA, DCell text, or plain (CSV, TSV, Parquet)"
    ] = ()
    cells: Annotated[
        Texts,
        "of cell lines, whose drug responses are the genotypes: gene2ind.txt, cell2ind.txt, "
        "cell2mutation.txt, cell2cndeletion.txt, cell2cnamplification.txt, …",
    ] = ()  # fmt: skip
    test_genotypes: Annotated[Texts, "genotype tables to test on, kept out of training"] = ()
    networks: Texts = ()  # of genes; index pairs (STRING adjacency) need network_genes
    network_genes: Text | None = None  # the gene of each index, one a line, counted from 1
    gene_names: Annotated[
        Text,
        "names of genes to read as others, before any other rule: a table of two columns, from and "
        "to (TSV or CSV)",
    ] | None = None  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ontology:
    """Which relations make edges, and how edges to undefined terms are treated."""

    relations: Texts = ("is_a",)
    undefined_parents: Literal["error", "skip"] = "error"  # skip: drop and count such edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Which lines of the annotation file (GAF) count, and how a gene is named."""

    gene_id_columns: GafColumns = (11, 3, 2)
    gene_id_pattern: Pattern | None = None
    exclude_evidence: Texts = ()
    include_evidence: Annotated[Texts, MinLen(1)] | None = None
    date_cutoff: Date | None = None
    taxon: Text | None = None
    on_bad_line: Literal["error", "skip"] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """How the ontology is pruned."""

    root: Literal["auto", "always"] = "auto"  # always a virtual one, or only above several
    steps: PruningSteps = ("containment", "redundant", "transitive_reduction")
    containment: Count = 4
    orphans: Literal["push", "drop"] = "push"
    gene_universe: Literal["annotated", "assayed"] = "annotated"
    control: Control = "none"  # randomise annotations, or edges
    control_seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """From which end of the hierarchy the strata are counted."""

    origin: Literal["root", "leaves"] = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Genotypes:
    """How genotype tables are read and merged."""

    control_gene: Text | None = "YDL227C"  # HO: a deletion of it in a query is no deletion
    names: Literal["resolve", "exact"] = "resolve"  # exact: systematic names as written, no other
    same_gene: Literal["refuse", "merge"] = "refuse"  # a gene twice in a genotype, by any names
    alleles: Literal["merge", "keep"] = "merge"  # keep: strains that differ in allele are samples
    # of kinds of alleles, by the names of strains; those that are not named are deletions
    states: AlleleStates = field(default_factory=dict)
    drugs: Texts = ()  # of cell lines' responses: those to take, the one to predict first
    channels: Literal["apart", "together"] = "apart"  # ways to alter a gene: an input each, or one
    orders: Orders = ()  # numbers of deleted genes to keep; empty keeps all
    phenotypes: Texts = ()  # columns to take, the one to predict first; empty takes all
    on_bad_row: Literal["error", "skip"] = "error"
    piece_bytes: Annotated[int, Ge(1), Le(2**40)] = 64 * 2**20  # of a text file that one task reads
    part_rows: Count = 2**20  # of the merged table, and so of a shard of the store, roughly


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """How the mutant states are laid out in LMDB."""

    layout: Literal["delta", "dense"] = "delta"
    unannotated: Literal["keep", "drop"] = "keep"  # genotypes with genes of no term
    block_bytes: Annotated[int, Ge(1), Le(2**30)] = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which genotypes are held out; given test files are always the test part."""

    method: SplitMethod = "random"
    val: Share = 0.1
    test: Share = 0.1
    alleles: Literal["together", "apart"] = "together"  # apart: those of one genotype may be parted
    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Which edges of the gene networks count; input of dango and multigraph, not of DCell."""

    least_weight: Annotated[float, Ge(0), Le(10**9)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """DCell's equations (Ma et al. 2018) and the variants of them that have been tried."""

    width_genes: Literal["contained", "direct"] = "direct"
    width_min: Width = 20
    width_ratio: Annotated[float, Ge(0), Le(100)] = 0.3
    norm_order: Literal["act_norm", "norm_act"] | None = None  # none: act_norm below 100 terms
    activation: Literal["tanh", "gelu", "relu"] = "tanh"
    norm: Literal["batch", "layer", "none"] = "batch"
    gene_input: Literal["state", "disruption"] = "state"
    gene_embedding: Embedding = 0  # width of a learnable one a gene; 0 feeds the binary state
    attention_heads: Annotated[int, Ge(0), Le(1000)] = 0  # over a term's inputs; 0: no attention
    attention_width: Width = 16  # of queries, keys and values, all heads together
    layers: Literal[1, 2] = 1
    init: Literal["fan_in", "uniform"] = "fan_in"
    init_range: Annotated[float, Gt(0), Le(1000)] = 0.001  # half width of `init: uniform`


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """The training loop and the loss."""

    model: Annotated[Text, "the network: dcell, dango or multigraph"] = "dcell"
    engine: Literal["incremental", "reference"] = "incremental"
    phenotypes: Texts = ()  # empty: the store's first
    epochs: Count = 30
    batch_size: Count | None = None  # none: 256, or 1024 with more than 32,768 genotypes
    lr: Rate = 1e-2
    warmup: Share = 0.0  # share of the run in which the learning rate rises from 0
    schedule: Literal["cosine", "constant"] = "cosine"  # of the learning rate, down to 0
    decay: Weight = 3.0  # of the whole run: weights that no gradient moves end as e^-decay of it
    weight_decay: Weight | None = None  # AdamW's own coefficient, in place of `decay`
    clip: Annotated[float, Ge(0), Le(10**9)] | None = 10.0  # none or 0: no clipping
    aux_weight: Weight = 0.3
    aux_reduction: Literal["sum", "mean"] = "mean"
    l2: Weight = 0.0
    weights: Literal["none", "sd", "count"] = "none"  # of squared errors, by how sure samples are
    standardize: bool = True
    select: Literal["pearson", "loss"] = "pearson"
    calibrate: bool = True  # draw predictions to the line that fits the validation part
    patience: Count | None = None
    accumulate: Count = 1
    sync_batchnorm: bool = True  # statistics over the batches of all processes
    norm_samples: Whole = 8192  # whose statistics evaluation normalises with; 0: running averages
    checkpoint_steps: Count | None = None  # also within an epoch, after so many steps
    seed: Seed = 0
    overfit: Count | None = None  # fit so many batches alone, to see that the model can learn
    members: Annotated[
        int, Ge(1), Le(100),
        "networks of an ensemble, trained with seed, seed + 1, …; their mean predicts",
    ] = 1  # fmt: skip
    device: Annotated[Device, "auto takes a GPU where there is one"] = "auto"
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    compile: Literal["default", "reduce-overhead"] | None = None  # torch.compile; not of dcell
    num_workers: Annotated[int, Ge(0), Le(1000)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """The simple models that every result stands beside."""

    trials: Annotated[int, Ge(1), Le(1000)] = 8  # settings of fm and of mlp to choose from
    ridge_alphas: RidgeAlphas = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    mlp_hidden: Width = 64
    mlp_epochs: Count = 60
    fm_sweeps: Count = 60
    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """The hits by which models are judged, as in a screen; the lowest 5 % always are hits."""

    hit_below: Annotated[float, Ge(-(10**9)), Le(10**9)] | None = None  # phenotype; none: no more
    hit_p_below: Annotated[float, Gt(0), Le(1)] = 0.05  # where the tables give p-values of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Dask:
    """Who works on the pieces of big tables; results do not depend on it."""

    scheduler: Scheduler = "local"  # or the address of a running one, tcp://host:8786
    workers: Workers | None = None  # of a local cluster; none: as many as the machine has cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """All sections; `preset` names a whole setting that the sections start from."""

    preset: Annotated[str | None, ", ".join(PRESETS)] = None
    simulate: Simulate = field(default_factory=Simulate)
    sources: Sources = field(default_factory=Sources)
    ontology: Ontology = field(default_factory=Ontology)
    annotations: Annotations = field(default_factory=Annotations)
    hierarchy: Hierarchy = field(default_factory=Hierarchy)
    strata: Strata = field(default_factory=Strata)
    genotypes: Genotypes = field(default_factory=Genotypes)
    store: Store = field(default_factory=Store)
    split: Split = field(default_factory=Split)
    networks: Networks = field(default_factory=Networks)
    model: Model = field(default_factory=Model, metadata={OF_MODEL: "dcell"})
    dango: Dango = field(default_factory=Dango, metadata={OF_MODEL: "dango"})
    multigraph: Multigraph = field(default_factory=Multigraph, metadata={OF_MODEL: "multigraph"})
    train: Train = field(default_factory=Train)
    baselines: Baselines = field(default_factory=Baselines)
    evaluate: Evaluate = field(default_factory=Evaluate)
    dask: Dask = field(default_factory=Dask)

    def to_dict(self) -> dict[str, Any]:
        """All values as plain JSON types, sections in order."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values


Values = dict[str, Any]
SECTIONS: dict[str, Any] = {
    name: cls for name, cls in get_type_hints(Parameters).items() if dataclasses.is_dataclass(cls)
}
# The section that a model alone reads, by the model's name; a model may do without.
MODEL_SECTIONS: dict[str, str] = {
    key.metadata[OF_MODEL]: key.name
    for key in dataclasses.fields(Parameters) if OF_MODEL in key.metadata
}  # fmt: skip
KEYS: tuple[str, ...] = tuple(
    f"{name}.{key.name}" for name, cls in SECTIONS.items() for key in dataclasses.fields(cls)
)


def resolve(given: Mapping[str, Any], *, where: str = "parameters") -> Parameters:
    """Complete given values with preset, profile and defaults.

    Args:
        given: `{"preset": name, section: {key: value}}`, every part optional.
        where: the name of the source of the values in error messages.

    Raises:
        ParameterError: an unknown section, key, preset or value, naming the nearest known one.
    """
    given = under_present_names(given, where)
    for name, section in given.items():
        if name != "preset" and name not in SECTIONS:
            raise ParameterError(unknown(str(name), [*SECTIONS, "preset"], where))
        if name != "preset" and not (section is None or isinstance(section, Mapping)):
            raise ParameterError(f"{where}: section '{name}' is {section!r}; expected keys")
    preset = given.get("preset")
    if preset is not None and (not isinstance(preset, str) or preset not in PRESETS):
        raise ParameterError(unknown(str(preset), PRESETS, f"{where}: preset"))
    profile = (given.get("sources") or {}).get("profile", Sources().profile)
    layers = (PROFILES.get(str(profile), {}), PRESETS.get(preset or "", {}), given)
    sections = {}
    for name, cls in SECTIONS.items():
        values: Values = {}
        for layer in layers:
            values |= layer.get(name) or {}
        sections[name] = _section(cls, name, values, where)
    parameters = Parameters(preset=preset, **sections)
    check_together(parameters, where)
    return parameters


def _section(cls: type, name: str, values: Mapping[str, Any], where: str) -> Any:
    hints = get_type_hints(cls, include_extras=True)
    for key in values:
        if key not in hints:
            raise ParameterError(unknown(f"{name}.{key}", KEYS, where))
    return cls(**{k: fit(v, hints[k], f"{where}: {name}.{k}") for k, v in values.items()})
