"""Genotypes as people write them: on the command line, in a list, or in a table of any form."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from data_specs.gene_states import with_state
from data_specs.genotype_text import split_names
from data_specs.naming import Naming
from data_specs.parameters import Genotypes
from data_specs.raw_files import read_text
from data_specs.tables import STATES, parts_of
from data_specs.terminal import as_typed

_FILES = (".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".gz")
_NUMBER = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?|[+-]\d+|nan|NaN|NA")
_LIST = "or a list: a genotype a line, names of genes only, without a header (# begins a comment)"
# A checkpoint does not hold this parameter of its build; the default is used.
CONTROL_GENE = Genotypes().control_gene


def read_genotypes(
    given: str, names: GeneNames, states: Mapping[str, float] | None = None
) -> list[list[str]]:
    """The names of the genes of every genotype, as written, with states behind `=` where given.

    Args:
        given: a file, or genotypes themselves, separated by `;`, their genes separated as
            `genotype_text` says. A file is, by its content: a genotype table of any form that
            the build reads, which needs no phenotype here (an empty cell of `genes` is the wild
            type, and `CONTROL_GENE` in a query strain is no deletion), a folder of Parquet parts,
            or a list with a genotype a line (`#` begins a comment).
        names: those that the model knows.
        states: of kinds of alleles in a table of strains; none: all strains are of deletions.

    Raises:
        InputError: no such file, of no known form, a row that cannot be read, no genotype at all,
            or a file without any name that the model knows.
    """
    path = Path(given)
    if given.strip() and len(given) < 1024 and path.exists():  # no text is not the folder "."
        genotypes = _read_file(path, names, states)
        _refuse_strangers(path, genotypes, names)
    elif path.suffix in _FILES or "/" in given:
        raise InputError(f"{given}: no such file")
    else:
        texts = [part for part in as_typed(given).split(";") if part.strip()]
        genotypes = [split_names(text, names.whole) for text in texts]
    if not genotypes:
        raise InputError(f"{given or 'the empty text'}: no genotype; expected 'YAL001C,YBR002C'")
    return genotypes


def read_gene_names(path: Path, names: GeneNames) -> list[str]:
    """The names of all genes in a file of `read_genotypes`, each once, in order; no states."""
    genotypes = read_genotypes(str(path), names)
    return list(dict.fromkeys(names.name_and_state(name)[0] for own in genotypes for name in own))


def _read_file(path: Path, names: GeneNames, states: Mapping[str, float] | None) -> list[list[str]]:
    from data_specs.genotype_tables import UnknownForm

    parts = [path]
    if path.is_dir():
        parts = parts_of(path) or sorted(path.glob("*.parquet"))
        if not parts:
            raise InputError(f"{path}: a folder without Parquet tables; expected a file or those")
    try:
        return [genotype for part in parts for genotype in _read_table(part, names, states)]
    except UnknownForm as error:
        return _read_list(path, names, error)


def _here(function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
    return [function(*given) for given in arguments]


def _read_table(
    path: Path, names: GeneNames, states: Mapping[str, float] | None
) -> list[list[str]]:
    """The genotypes of a table, in the order of its rows.

    Raises:
        UnknownForm: it is a text that is no table.
        InputError: it cannot be read.
    """
    from data_specs.genotype_tables import open_file, read_piece

    genotypes: list[list[str]] = []
    naming = Naming(names, CONTROL_GENE, merge=True, states=states)
    with tempfile.TemporaryDirectory() as scratch:
        file = open_file(path, Path(scratch), Genotypes().piece_bytes, _here, None)
        # The states of strains are those of genes, which may have other names there.
        as_written = states is None or file.form.strains is None
        for piece in file.pieces:
            read = read_piece(piece, file.form, naming, as_written=as_written)
            if read.complaint:
                raise InputError(f"{read.complaint} Correct the row, or delete it.")
            lists = read.frame["genes"].to_list()
            if STATES in read.frame.columns:
                of_rows = zip(lists, read.frame[STATES].to_list(), strict=True)
                lists = [list(map(with_state, *own)) for own in of_rows]
            genotypes += lists
    return genotypes


def _read_list(path: Path, names: GeneNames, unknown_form: InputError) -> list[list[str]]:
    """The genotypes of a list; text like a table of no known form is refused."""
    lines = re.split(r"\r\n|\r|\n", read_text(path))
    texts = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    genotypes: list[list[str]] = []
    for number, text in texts:
        if not text:
            continue
        try:
            own = split_names(text, names.whole)
        except InputError as error:
            if not genotypes:  # as likely a header
                raise InputError(f"{unknown_form} {_LIST}") from None
            raise InputError(f"{path}:{number}: {error}") from None
        figure = next((w for w in own if _NUMBER.fullmatch(w) and not _is_known(w, names)), None)
        if figure is not None:
            raise InputError(
                f"{path}:{number}: '{figure}' is no name of a gene. {unknown_form} {_LIST}"
            )
        if not genotypes and _is_header(own, names):
            raise InputError(f"{unknown_form} {_LIST}")
        genotypes.append(own)
    return genotypes


def _is_known(name: str, names: GeneNames) -> bool:
    try:
        return names.gene(names.name_and_state(name)[0]) is not None
    except InputError:  # of several genes, or with a state that is none
        return True


# A single word at the top of a column of genes; several words are a header if none is a gene.
_HEADER = re.compile(
    r"(?i)(systematic|standard|gene|orf|locus|strain|query|array|genotype)?[ _.-]?"
    r"(genes?|names?|ids?|orfs?|locus|tag|symbols?|genotypes?|strains?)"
)


def _is_header(words: Sequence[str], names: GeneNames) -> bool:
    """Whether a first line has words that are no genes, and look like none."""
    shapes = {_shape(gene) for gene in names.index} - {""}
    if any(_is_known(word, names) or _shape(word) in shapes for word in words):
        return False
    return len(words) > 1 or _HEADER.fullmatch(words[0]) is not None


def _shape(name: str) -> str:
    """A name with every letter and every digit alike: YAL001C and YBR123W have one shape."""
    return re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "A", name)) if re.search(r"\d", name) else ""


def _refuse_strangers(path: Path, genotypes: Sequence[Sequence[str]], names: GeneNames) -> None:
    """Refuse a file whose genotypes would all be predicted as the wild type."""
    given = list(dict.fromkeys(name for own in genotypes for name in own))
    if given and not any(_is_known(name, names) for name in given):
        found, known = ", ".join(map(repr, given[:3])), ", ".join(list(names.index)[:3])
        raise InputError(
            f"{path}: the model knows no gene of the {len(given):,} names in it, as {found}; "
            f"expected names as {known}"
        )
