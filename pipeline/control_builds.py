"""Control builds of a finished build: other hierarchies, the same samples in the same splits.

They lie in the build, as `controls/genes-0`. What does not depend on the hierarchy's meaning is
taken over: earlier stages' tables and the networks' as hard links, splits sample by sample.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path

from data_specs.cell_graph import CellGraph
from data_specs.chain import INPUTS, LINK, digest_of, read_link, require, write_link
from data_specs.errors import ArtefactError, InputError
from data_specs.files import replacing_folder
from data_specs.layout import MARKER, DataLayout, control_name, require_kind
from data_specs.output_folders import FolderKind, taken
from data_specs.own_entries import own_files
from data_specs.parameters import (
    Parameters,
    build_parameters,
    load,
    override,
    params_of_stages,
    resolve,
)
from data_specs.store import StoreReader
from pipeline import cell_graph, store
from pipeline.build import finish, kind_of

# The stages before the cell graph; only `sources` and later stages must be there.
_EARLIER = (
    "simulated", "sources", "ontology", "annotations", "genotypes", "hierarchy", "strata",
)  # fmt: skip
# The sections that determine the samples and their content.
_BUILDING = (
    "sources", "ontology", "annotations", "hierarchy", "strata", "genotypes", "store", "networks",
)  # fmt: skip


def make(
    data: Path, control: str, seed: int, settings: Sequence[str] = (), *, overwrite: bool = False
) -> tuple[DataLayout, str]:
    """Build a control, unless it is there; give it those splits of the build that it lacks.

    Args:
        data: folder of a finished build.
        control: one of `data_specs.parameters.ranges.CONTROLS`.
        seed: of the control.
        settings: `dask.key=value`.
        overwrite: replace an earlier control.

    Returns:
        The folder of the control, and a line about the work done.

    Raises:
        ArtefactError: the build is not finished, or was changed afterwards.
        InputError: it is a control itself; or an earlier control is of another build, and not
            `overwrite`.
    """
    real = DataLayout(data)
    asked = [f"hierarchy.control={control}", f"hierarchy.control_seed={seed}"]
    given = override(_parameters_of(real), [*settings, *asked])
    parameters = resolve(given, where="dcell-data control")
    target = real.controls / control_name(control, seed)
    there = (target / MARKER).is_file()
    if there and not overwrite:
        _refuse_other(DataLayout(target), real, parameters)
    else:
        _build(real, target, parameters, overwrite=overwrite)
    layout = DataLayout(target)
    added = [name for name in _splits(real) if _take_split(real, layout, name, overwrite=overwrite)]
    done = str(cell_graph.control_of(layout))
    if there and not overwrite:
        done = "kept" + (f", with new splits: {', '.join(added)}" if added else "")
    return layout, done


def _parameters_of(real: DataLayout) -> dict[str, object]:
    """The parameters that a build was made with; refuse a folder of which there can be none."""
    require_kind(real.root, "build")
    for name in ("hierarchy", "cell_graph", "store", "split"):
        require(real, name)
    if not real.parameters.is_file() and not params_of_stages(real.root):
        raise ArtefactError(
            f"{real.parameters}: no such file, so the parameters of the build are unknown. Build "
            "the data again."
        )
    if account := cell_graph.control_of(real):
        raise InputError(
            f"{real.root}: is itself a control ({account.control}, seed {account.seed}); give the "
            "folder of the real build"
        )
    return build_parameters(real.root)


def _build(real: DataLayout, target: Path, parameters: Parameters, *, overwrite: bool) -> None:
    kind = kind_of(target)
    with (
        taken(target, kind, overwrite=overwrite),
        replacing_folder(target, kind.own) as partial,
    ):
        partial.mkdir()
        layout = DataLayout(partial)
        for name in _EARLIER:
            _take_over(real, name, partial / name)
        cell_graph.run(parameters, layout)
        store.run(parameters, layout)
        _require_same_samples(real, layout)
        for name in ("split", "networks"):
            if _take_over(real, name, partial / name):
                write_link(layout, name, partial / name)
        finish(parameters, layout)


def _take_over(real: DataLayout, name: str, folder: Path) -> bool:
    """Let the files of one of the build's folders stand in another one; whether there are any.

    They are hard links, or copies where the disk knows none. The link of the chain stays only where
    it is right there too.
    """
    source = getattr(real, name)
    if not source.is_dir():
        return False
    files = [file for file in own_files(source, real.own(name)) if _is_kept(name, file)]
    for file in files:
        copy = folder / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link((source / file).resolve(), copy)
        except OSError:
            shutil.copyfile(source / file, copy)
    return bool(files)


def _is_kept(name: str, file: Path) -> bool:
    return file != Path(LINK) or name == "hierarchy"


def _require_same_samples(real: DataLayout, layout: DataLayout) -> None:
    """Hold a control to the samples of its build: same genes, phenotypes and order.

    Raises:
        ArtefactError: they are others.
    """
    before, now = StoreReader(real.store).meta, StoreReader(layout.store).meta
    same = all(
        getattr(before, name) == getattr(now, name)
        for name in ("samples", "cell_genes", "other_genes", "phenotypes")
    )
    graphs = (CellGraph.read(build.cell_graph) for build in (real, layout))
    genes, own_genes = (graph.gene_ids for graph in graphs)
    tables = [sorted((build.store / "samples.parquet").iterdir()) for build in (real, layout)]
    same = same and list(genes) == list(own_genes) and len(tables[0]) == len(tables[1])
    if not same or not all(cmp(a, b, shallow=False) for a, b in zip(*tables, strict=True)):
        raise ArtefactError(
            f"{real.root}: its samples are not those that its own parameters and tables give; it "
            "was made by another version, or its parameters were changed. Build the data again."
        )


def _refuse_other(layout: DataLayout, real: DataLayout, parameters: Parameters) -> None:
    """Refuse to keep a control of another build, such as the one that was here before.

    Raises:
        InputError: names the difference.
    """
    before = load(layout.parameters)
    fault = next(
        (f"other parameters of {name}" for name in _BUILDING
         if getattr(before, name) != getattr(parameters, name)), None,
    )  # fmt: skip
    for name in (INPUTS, "hierarchy", "split"):
        if digest_of(layout, name) != digest_of(real, name):
            fault = fault or f"other {name}"
    if fault:
        raise InputError(
            f"{layout.root}: is a control of another build ({fault}). Give --overwrite to replace "
            "it."
        )


def _splits(real: DataLayout) -> list[str]:
    found = real.splits.glob("*/split.parquet") if real.splits.is_dir() else ()
    return sorted(path.parent.name for path in found)


def _take_split(real: DataLayout, layout: DataLayout, name: str, *, overwrite: bool) -> bool:
    """Give a control a split of its build; whether it lacked that.

    Raises:
        InputError: there is another one of that name, and not `overwrite`.
    """
    theirs, own = DataLayout(real.root, name), DataLayout(layout.root, name)
    require(theirs, "split")
    link = None
    with contextlib.suppress(ArtefactError):  # there is none
        link = read_link(own, "split")
    if link is not None:
        same = link.digest == digest_of(theirs, "split")
        if same and link.made_from.get("store") == digest_of(own, "store"):
            return False
        if not same and not overwrite:
            raise InputError(
                f"{own.split}: is another split than {theirs.split}. Give --overwrite to replace "
                "it."
            )
    kind = FolderKind("split", own.own("split"), ())
    with (
        taken(own.split, kind, overwrite=True),
        replacing_folder(own.split, kind.own) as folder,
    ):
        folder.mkdir()
        for file in own_files(theirs.split, kind.own):
            if file != Path(LINK):
                shutil.copyfile(theirs.split / file, folder / file)
        write_link(own, "split", folder)
    return True
