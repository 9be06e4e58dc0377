"""Parameters: layers, types, and the nearest known name for an unknown one."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError, ParameterError
from data_specs.parameters.changes import changed
from data_specs.parameters.given import build_parameters, load, override
from data_specs.parameters.presets import PRESETS
from data_specs.parameters.sections import Parameters, resolve


def test_layers_win_in_order(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("preset: torchcell\nhierarchy:\n  containment:\nmodel: {width_min: 7}\n")
    values = load(path, ["train.lr=1e-2", "model.width_min=8"])
    assert values.hierarchy.containment == 4  # no value in the file: the preset's
    assert values.model.width_genes == "direct"  # preset over default
    assert values.model.width_min == 8  # assignment over file
    assert values.train.lr == 0.01
    assert values.train.weight_decay == 1e-6


@pytest.mark.parametrize(
    ("preset", "key", "value"),
    [
        ("paper-2018", "hierarchy.containment", 6),
        ("paper-2018", "model.norm_order", "act_norm"),
        ("paper-2018", "train.aux_reduction", "sum"),
        ("paper-2018", "annotations.exclude_evidence", ("IGI",)),
        ("torchcell", "hierarchy.containment", 4),
        ("torchcell", "model.norm_order", "norm_act"),
        ("torchcell", "train.clip", 10.0),
        ("dcell_2017-07-19", "hierarchy.containment", 4),
        ("dcell_2017-07-19", "annotations.date_cutoff", "2017-07-19"),
        ("dcell_2017-07-19", "model.width_genes", "contained"),
        ("dango-2020", "train.model", "dango"),
        ("dango-2020", "dango.aggregation", "meta_embedding"),
        ("dango-2020", "dango.incomplete", ("coexpression", "experimental")),
        ("dango-2020", "dango.loss", "log_cosh"),
    ],
)
def test_presets(preset: str, key: str, value: Any) -> None:
    section, name = key.split(".")
    assert getattr(getattr(resolve({"preset": preset}), section), name) == value


def test_profile_names_genes() -> None:
    assert resolve({"sources": {"profile": "yeast"}}).annotations.gene_id_columns == (11,)
    assert resolve({"sources": {"profile": "local"}}).annotations.gene_id_columns == (11, 3, 2)


@pytest.mark.parametrize(
    ("assignment", "section", "name", "value"),
    [
        ("annotations.gene_id_columns=[11, 3]", "annotations", "gene_id_columns", (11, 3)),
        ("annotations.gene_id_columns=11", "annotations", "gene_id_columns", (11,)),
        ("annotations.gene_id_pattern=^(Y|Q): {3}[a]$", "annotations", "gene_id_pattern",
         "^(Y|Q): {3}[a]$"),
        ("annotations.date_cutoff=2010-12-31", "annotations", "date_cutoff", "2010-12-31"),
        ("annotations.exclude_evidence=[IGI, IEA]", "annotations", "exclude_evidence",
         ("IGI", "IEA")),
        ("annotations.exclude_evidence=IGI", "annotations", "exclude_evidence", ("IGI",)),
        ("annotations.include_evidence=[IDA]", "annotations", "include_evidence", ("IDA",)),
        ("annotations.taxon=559292", "annotations", "taxon", "559292"),
        ("train.patience=null", "train", "patience", None),
        ("train.patience=none", "train", "patience", None),
        ("train.clip=1e1", "train", "clip", 10.0),
        ("train.standardize=false", "train", "standardize", False),
        ("model.layers=2", "model", "layers", 2),
        ("sources.genotypes=[a.tsv, b.tsv]", "sources", "genotypes", ("a.tsv", "b.tsv")),
    ],
)  # fmt: skip
def test_assignments(assignment: str, section: str, name: str, value: Any) -> None:
    resolved = resolve(override({}, [assignment]))
    assert getattr(getattr(resolved, section), name) == value


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("hierarchy.containmnt=3", "did you mean 'hierarchy.containment'"),
        ("hierachy.containment=3", "did you mean 'hierarchy.containment'"),
        ("train.learning_rate=3", "unknown 'train.learning_rate'; did you mean 'train."),
        ("containment", "expected section.key=value"),
        ("hierarchy.containment=many", "hierarchy.containment is 'many'; expected a whole number"),
        ("hierarchy.containment=0", "expected at least 1"),
        ("hierarchy.orphans=pull", "did you mean 'push'"),
        ("hierarchy.steps=[contain]", "did you mean 'containment'"),
        ("hierarchy.relations=[part_of]", "is_a is always needed"),
        ("ontology.undefined_parents=drop", "did you mean"),
        ("annotations.date_cutoff=2010", "expected YYYY-MM-DD"),
        ("split.test=1.0", "split.test is 1.0; expected at least 0 and less than 1"),
        ("split.test=0.9", "split.val 0.1 and split.test 0.9 leave nothing to train on"),
        ("train.standardize=maybe", "expected true or false"),
        ("train.lr=[1]", "expected a number"),
        ("preset=paper", "did you mean 'paper-2018'"),
        ("model.layers=3", "unknown '3'"),
        ("train.lr=0", "train.lr is 0.0; expected more than 0 and at most 10"),
        ("train.seed=-1", "train.seed is -1; expected at least 0 and less than 4294967296"),
        ("train.seed=4294967296", "train.seed is 4294967296; expected at least 0"),
        ("train.weight_decay=.inf", "train.weight_decay is inf; expected a finite number"),
        ("train.weight_decay=.nan", "train.weight_decay is nan; expected a finite number"),
        ("train.weight_decay=500", "train.lr 0.01 times train.weight_decay 500.0 is 5"),
        ("train.standardize=1", "train.standardize is 1; expected true or false"),
        ("train.epochs=2.0", "train.epochs is 2.0; expected a whole number"),
        ("train.phenotypes=[a, a]", "train.phenotypes is ['a', 'a']; expected values that all"),
        ("train.phenotypes=['']", "train.phenotypes[0] is ''; expected text that is not empty"),
        ("baselines.ridge_alphas=[]", "baselines.ridge_alphas is []; expected at least one value"),
        ("baselines.ridge_alphas=[1, 0]", "baselines.ridge_alphas[1] is 0.0; expected more than 0"),
        ("genotypes.orders=[-3]", "genotypes.orders[0] is -3; expected at least 1"),
        ("hierarchy.steps=[redundant, redundant]", "expected values that all differ"),
        ("annotations.taxon=", "annotations.taxon is ''; expected text that is not empty"),
        ("annotations.include_evidence=[]", "include_evidence is []; expected at least one value"),
        ("annotations.gene_id_columns=[18]", "gene_id_columns[0] is 18; expected at least 1 and"),
        ("annotations.gene_id_pattern=Y(", "expected a regular expression"),
        ("annotations.date_cutoff=20170719", "expected YYYY-MM-DD"),
        ("annotations.date_cutoff=2017-02-30", "expected YYYY-MM-DD"),
        ("genotypes.orders=[2017-13-45]", "is not readable YAML"),
        ("genotypes.orders=" + "[" * 5000, "is not readable YAML"),
        ("train.epochs=" + "9" * 5000, "is not readable YAML"),
        ("train.epochs=0x" + "f" * 5000, "train.epochs is a number of 20000 bits; expected a"),
        ("train.lr=0x" + "f" * 5000, "train.lr is a number of 20000 bits; expected a number"),
        ("model.width_min=10000000", "model.width_min is 10000000; expected at least 1 and at"),
        ("dango.heads=3", "dango.width is 64; expected a multiple of dango.heads, 3"),
        ("multigraph.heads=3", "multigraph.width is 64; expected a multiple of multigraph.heads"),
        ("dask.scheduler=locl", "expected local, or an address such as tcp://host:8786"),
        ("store.block_bytes=99999999999", "store.block_bytes is 99999999999; expected at least 1"),
    ],
)
def test_what_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)):
        resolve(override({}, [assignment]))


def test_unknown_section_and_shape() -> None:
    with pytest.raises(ParameterError, match="did you mean 'hierarchy'"):
        resolve({"hierarchi": {}})
    for wrong in (3, 0, [], "containment"):
        with pytest.raises(ParameterError, match="expected keys"):
            resolve({"hierarchy": wrong})
    for strange in ({1: {}}, {"preset": ["torchcell"]}, {"sources": {"profile": []}}):
        with pytest.raises(ParameterError, match="unknown"):
            resolve(strange)


def test_evidence_that_is_both_asked_for_and_left_out() -> None:
    given = {"exclude_evidence": ["IGI"], "include_evidence": ["IDA", "IGI"]}
    with pytest.raises(ParameterError, match="both name IGI"):
        resolve({"annotations": given})


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n"])
def test_unreadable_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=r"params\.yaml"):
        load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such parameter file"):
        load(tmp_path / "nowhere.yaml")


def test_changed_values_lead_back() -> None:
    values = resolve({"preset": "torchcell", "train": {"patience": None, "epochs": 3}})
    assert changed(resolve({})) == {}
    assert resolve(changed(Parameters())) == Parameters()
    assert resolve(changed(values)) == values


@pytest.mark.parametrize(
    "given",
    [
        {"preset": "paper-2018", "hierarchy": {"containment": 4}, "model": {"init": "fan_in"}},
        {"sources": {"profile": "yeast"}, "annotations": {"gene_id_columns": [11, 3, 2]}},
        {"sources": {"profile": "local"}},
    ],
)
def test_a_default_that_was_set_over_a_preset_is_a_change(given: dict[str, Any]) -> None:
    assert resolve(changed(resolve(given))) == resolve(given)


def test_what_is_dropped_from_the_store_has_a_former_name() -> None:
    assert resolve({"genotypes": {"unannotated": "drop"}}).store.unannotated == "drop"
    with pytest.raises(
        ParameterError, match=r"store\.unannotated is keep and genotypes\.unannotated"
    ):
        resolve({"genotypes": {"unannotated": "drop"}, "store": {"unannotated": "keep"}})


def test_a_former_name_is_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("is_a", "part_of")
    old = {"hierarchy": {"relations": [*both], "containment": 3}}
    assert resolve(old).ontology.relations == both  # of an earlier build: nothing is said
    assert resolve(old).hierarchy.containment == 3
    assert capsys.readouterr().err == ""
    assert resolve(override({}, ["hierarchy.relations=[is_a,part_of]"])).ontology.relations == both
    note = "hierarchy.relations is called ontology.relations now\n"
    assert capsys.readouterr().err == f"note: --set: {note}"
    path = tmp_path / "params.yaml"
    path.write_text("hierarchy:\n  relations: [is_a, part_of]\n")
    assert load(path).ontology.relations == both
    assert capsys.readouterr().err == f"note: {path}: {note}"
    path.write_text("hierarchy:\n  relations:\n")
    assert load(path).ontology.relations == ("is_a",)


def test_what_is_set_wins_under_either_name() -> None:
    wanted = ("is_a", "regulates")
    for given, assignment in (
        ({"ontology": {"relations": ["is_a"]}}, "hierarchy.relations=[is_a,regulates]"),
        ({"hierarchy": {"relations": ["is_a"]}}, "ontology.relations=[is_a,regulates]"),
    ):
        assert resolve(override(given, [assignment])).ontology.relations == wanted


def test_two_names_with_two_values() -> None:
    given = {"hierarchy": {"relations": "is_a,part_of"}, "ontology": {"relations": ["is_a"]}}
    with pytest.raises(ParameterError, match="expected one of them"):
        resolve(given)
    given["ontology"] = {"relations": ["is_a", "part_of"]}
    assert resolve(given).ontology.relations == ("is_a", "part_of")
    assignments = ["hierarchy.relations=[is_a]", "ontology.relations=[is_a,part_of]"]
    with pytest.raises(ParameterError, match=r"--set: ontology\.relations is .* former name"):
        override({}, assignments)


def test_a_parameter_file_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, found in (("pipe", "is a pipe"), ("", "is a folder")):
        with pytest.raises(InputError, match=found):
            load(tmp_path / name)


@pytest.mark.parametrize(
    ("assignment", "files"),
    [
        ("a.gaf", ("a.gaf",)),
        ("/data/a, b: [c] #.gaf", ("/data/a, b: [c] #.gaf",)),  # one file, as in earlier versions
        ("[a.gaf, 'b.gpad']", ("a.gaf", "b.gpad")),
        ("none", None),
        ("null", None),
    ],
)
def test_a_text_is_one_annotation_file(assignment: str, files: tuple[str, ...] | None) -> None:
    for name in ("annotations", "gene_info"):
        values = resolve(override({}, [f"sources.{name}={assignment}"]))
        assert getattr(values.sources, name) == files
        assert resolve(changed(values)) == values
    if files and len(files) == 1:
        assert resolve({"sources": {"annotations": files[0]}}).sources.annotations == files
        assert changed(values)["sources"] == {"gene_info": files[0]}


def test_where_a_virtual_root_is_always() -> None:
    assert resolve({"sources": {"profile": "local"}}).hierarchy.root == "auto"
    of_hierarchies = [name for name, preset in PRESETS.items() if "hierarchy" in preset]
    for given in (
        {},
        {"sources": {"profile": "yeast"}},
        *({"preset": preset, "sources": {"profile": "local"}} for preset in of_hierarchies),
    ):
        assert resolve(given).hierarchy.root == "always"
    assert resolve({"ontology": {"root": "always"}}).hierarchy.root == "always"  # the other name
    assert resolve(override({}, ["ontology.root=auto"])).hierarchy.root == "auto"


def test_a_build_that_says_nothing_of_its_root_has_a_virtual_one(tmp_path: Path) -> None:
    """Such are those from before there was a choice; of others, the parameters say it."""
    local = {"sources": {"profile": "local"}}
    assert changed(resolve(local))["hierarchy"] == {"root": "auto"}
    path = tmp_path / "params.json"
    path.write_text(json.dumps(local))
    assert build_parameters(tmp_path)["hierarchy"] == {"root": "always"}
    assert load(path).hierarchy.root == "auto"  # the user's own file, in no build
    (tmp_path / "dcell-data.json").write_text("{}")
    assert load(path).hierarchy.root == "always"
    path.write_text(json.dumps(changed(resolve(local))))
    assert load(path).hierarchy.root == build_parameters(tmp_path)["hierarchy"]["root"] == "auto"
