"""Whole settings by name: presets (from publications) and source profiles (from organisms)."""

from typing import Any

Setting = dict[str, dict[str, Any]]

# Ma et al. 2018 (doi:10.1038/nmeth.4627), methods: IGI annotations dropped, since they stem from
# genetic interactions themselves; terms with fewer than six genes and redundant terms removed.
_PAPER_2018: Setting = {
    "annotations": {"exclude_evidence": ["IGI"]},
    "hierarchy": {
        "root": "always",
        "containment": 6,
        "steps": ["containment", "redundant", "transitive_reduction"],
    },
    "model": {
        "width_genes": "contained",
        "norm_order": "act_norm",
        "init": "uniform",
        "init_range": 0.001,
    },
    "train": {
        "aux_weight": 0.3,
        "aux_reduction": "sum",
        "lr": 1e-3,
        "schedule": "constant",
        "weight_decay": 1e-2,
    },
}

# Presets keep published numbers. The recipe of the defaults is train.lr=1e-2 train.decay=3
# train.weight_decay=null train.schedule=cosine train.epochs=30: `torchcell` with it has a test
# Pearson of 0.862 on the simulated yeast scale (docs/records/recipe.json).
PRESETS: dict[str, Setting] = {
    "paper-2018": _PAPER_2018,
    "torchcell": {
        "annotations": {"exclude_evidence": ["IGI"]},
        "hierarchy": {
            "root": "always",
            "containment": 4,
            "steps": ["redundant", "containment", "transitive_reduction"],
        },
        "model": {"width_genes": "direct", "norm_order": "norm_act"},
        "train": {
            "aux_weight": 0.3,
            "aux_reduction": "mean",
            "lr": 1e-3,
            "schedule": "constant",
            "weight_decay": 1e-6,
            "clip": 10.0,
        },
    },
    "dcell_2017-07-19": {
        **_PAPER_2018,
        "annotations": {"exclude_evidence": ["IGI"], "date_cutoff": "2017-07-19"},
        "hierarchy": {**_PAPER_2018["hierarchy"], "containment": 4},
    },
    # Zhang, Ma and Ma 2020 (doi:10.1101/2020.11.26.400739), with the sizes and the recipe of the
    # authors' code (github.com/ma-compbio/DANGO). The two channels are those whose zeros its code
    # weighs 0.1; by the paper they are those that lost more than 1 % of their zeros from STRING 9.1
    # to 11.0. docs/how-to/compare-models.md names what differs.
    "dango-2020": {
        "dango": {
            "networks": [
                "coexpression",
                "cooccurence",
                "database",
                "experimental",
                "fusion",
                "neighborhood",
            ],
            "encoder": "sage",
            "norm": "none",
            "aggregation": "meta_embedding",
            "width": 128,
            "depth": 2,
            "heads": 8,
            "head": "rezero",
            "head_layers": 2,
            "pretrain_steps": 1000,
            "pretrain_lr": 1e-3,
            "reconstruction": "mean",
            "zero_weight": 1.0,
            "incomplete": ["coexpression", "experimental"],
            "incomplete_zero_weight": 0.1,
            "loss": "log_cosh",
            "weight_decay": 0.0,
        },
        "train": {
            "model": "dango",
            "epochs": 60,
            "batch_size": 96,
            "lr": 1e-3,
            "schedule": "constant",
            "clip": 0.0,
            "patience": 10,
        },
    },
}

# SGD's GAF lists the systematic name among the synonyms (column 11), first in only half of the
# lines: it is found by its pattern.
SYSTEMATIC_NAME = r"^(Y[A-P][LR]\d{3}[WC](-[A-Z])?|Q\d{4}|R\d{4}[WC])$"
# GO has three roots; a virtual one is above them even where only one of the three is annotated.
_YEAST: Setting = {
    "annotations": {"gene_id_columns": [11], "gene_id_pattern": SYSTEMATIC_NAME},
    "hierarchy": {"root": "always"},
}

PROFILES: dict[str, Setting] = {"demo": _YEAST, "yeast": _YEAST}
