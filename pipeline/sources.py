"""Stage `sources`: settle which raw files the build reads, and record them.

A path in the parameters wins over the profile's own file: `demo` takes what the stage `simulate`
wrote, `yeast` fetches the public files, `local` has none of its own.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_specs.errors import InputError
from data_specs.files import replacing_folder, sha256_of
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import Parameters
from data_specs.parameters import Sources as SourcesConfig
from data_specs.raw_files import read_head
from data_specs.source_manifest import PROFILES, Source
from data_specs.unpacking import require_file
from pipeline.stage import run_stage

SIMULATED = {
    "ontology": "simulated/ontology.obo",
    "annotations": "simulated/annotations.gaf",
    "genotypes": "simulated/genotypes.tsv",
}
SIMULATED_NETWORKS = ("simulated/complexes.tsv", "simulated/coexpression.tsv")
_OF_THE_BUILD = {*SIMULATED.values(), *SIMULATED_NETWORKS}


def fetch(source: Source, cache: Path | None = None) -> Path:
    """Download a public file once, and check it before anything reads it.

    Args:
        source: the file to fetch.
        cache: folder to keep it in; by default the user's cache folder.

    Raises:
        InputError: no network, no such file, or another checksum; says how to use a local copy.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    archive = source.url.endswith(".zip")
    try:
        got = pooch.retrieve(
            source.url,
            known_hash=None if archive else source.sha256,
            fname=source.url.rsplit("/", 1)[-1],
            path=cache or pooch.os_cache("dcell"),
            processor=pooch.Unzip(members=[source.file]) if archive else None,
        )
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        reason = str(error).splitlines()[0][:200]
        if "Max retries exceeded" in reason:  # urllib3's words for a host that does not answer
            reason = "no connection"
        raise InputError(
            f"{source.file} could not be downloaded from {source.url}: {reason}. Fetch it by "
            f"other means and point to the copy with sources.{source.role} in params.yaml "
            f"(or --set sources.{source.role}=PATH)."
        ) from None
    path = Path(got[0] if archive else got)
    if source.sha256 is not None and sha256_of(path) != source.sha256:
        raise InputError(
            f"{path}: SHA-256 {sha256_of(path)}; expected {source.sha256}. It is not "
            f"{source.file} of {source.citation}: delete it and fetch it again."
        )
    return path


def settle(config: SourcesConfig, layout: DataLayout) -> dict[str, Any]:
    """Find the raw files by role.

    Returns:
        `{"profile", "ontology", "annotations", "genotypes": […], "test_genotypes": […],
        "networks": […], "network_genes", "gene_names", "gene_info": […]}` with paths as strings;
        `annotations` is a list of several, a string for one, and None where the ontology file has
        annotations; `network_genes` and `gene_names` are None where they are not given, and
        `gene_info` and `cells` are absent then.

    Raises:
        InputError: a role without a file, or a file that cannot be downloaded.
    """
    given = {
        "ontology": _own([config.ontology] if config.ontology else []),
        "annotations": _own(config.annotations or ()),
        "genotypes": _own(config.genotypes),
    }
    own_ontology = bool(given["ontology"])
    networks = _own(config.networks)
    if config.profile == "demo" and not own_ontology:
        for role, name in SIMULATED.items():
            given[role] = given[role] or [name]
        networks = networks or list(SIMULATED_NETWORKS)
    for source in PROFILES.get(config.profile, ()):
        if not given[source.role] and not (source.role == "annotations" and own_ontology):
            given[source.role] = [str(fetch(source))]
    for role in ("ontology", "genotypes"):
        if not given[role]:
            raise InputError(f"no {role} file: set sources.{role}, or sources.profile=demo")
    annotations = given["annotations"]
    settled = {
        "profile": config.profile,
        "ontology": given["ontology"][0],
        "annotations": annotations if len(annotations) > 1 else next(iter(annotations), None),
        "genotypes": given["genotypes"],
        "test_genotypes": _own(config.test_genotypes),
        "networks": networks,
        "network_genes": _own([config.network_genes])[0] if config.network_genes else None,
        "gene_names": _own([config.gene_names])[0] if config.gene_names else None,
        **({"gene_info": _own(config.gene_info)} if config.gene_info else {}),
        **({"cells": _own(config.cells)} if config.cells else {}),
    }
    for name in _files(settled):
        require_file(located(layout, name))
    return settled


def _own(names: Sequence[str]) -> list[str]:
    """A user's files, by names that are not those of simulated ones."""
    return [str(Path(n).absolute()) if n in _OF_THE_BUILD else n for n in names]


def describe(name: str, path: Path) -> dict[str, Any]:
    """A raw file for the ledger: name, checksum, size, and the version that its header states.

    Raises:
        InputError: it may not be read.
    """
    try:
        return {
            "path": name,
            "sha256": sha256_of(path),
            "bytes": path.stat().st_size,
            "version": _version(path),
        }
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _files(settled: dict[str, Any]) -> list[str]:
    """All files; their order is part of the digest of the inputs (`data_specs.chain`)."""
    names: list[str] = []
    for role in (
        "ontology", "annotations", "network_genes", "gene_names", "genotypes", "test_genotypes",
        "networks", "gene_info", "cells",
    ):  # fmt: skip
        given = settled.get(role) or []
        names += [given] if isinstance(given, str) else given
    return names


def input_files(layout: DataLayout, role: str) -> list[tuple[str, Path]]:
    """Name and place of the files of a role, which still are those that `sources.json` describes.

    Raises:
        InputError: a file is gone, or was changed since.
    """
    settled = read_json(layout.sources / "sources.json")
    digests = {entry["path"]: entry["sha256"] for entry in settled["inputs"]}
    given = settled.get(role) or []
    files = [
        (name, located(layout, name)) for name in ([given] if isinstance(given, str) else given)
    ]
    for name, path in files:
        require_file(path)
        if sha256_of(path) != digests[name]:
            raise InputError(
                f"{path}: was changed since the stage 'sources' noted its checksum. Run that stage "
                "again: dvc repro -f sources"
            )
    return files


def located(layout: DataLayout, name: str) -> Path:
    """Where a file of `sources.json` lies: simulated ones are named from the build's folder on."""
    return layout.root / name if name in _OF_THE_BUILD else Path(name)


_VERSION_TAGS = ("data-version:", "!date-generated:", "!Date:", "!Submission Date:")


def _version(path: Path) -> str | None:
    try:
        header = read_head(path, 2**16).split("\n")[:60]
    except InputError:
        return None  # a workbook; or the stage that reads the file will name the fault
    for tag in _VERSION_TAGS:
        for line in header:
            if line.startswith(tag):
                return line[len(tag) :].strip(" \r\n$")
    return None


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Write `sources.json`: the files by role, and their checksums and versions."""
    settled = settle(parameters.sources, layout)
    inputs = [describe(name, located(layout, name)) for name in _files(settled)]
    with replacing_folder(layout.sources, layout.own("sources")) as folder:
        folder.mkdir()
        write_json(folder / "sources.json", {**settled, "inputs": inputs})


if __name__ == "__main__":
    run_stage(run)
