"""Which published form a genotype table has, by its header, and where its fields then stand."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from data_specs.errors import InputError
from data_specs.genotype_tables.cells import NO_SEPARATOR, cells_of, first_cells, separator_in
from data_specs.genotype_tables.words import NOT_MEASURED

_KUZMIN = {
    "Query strain ID": "query_strain",
    "Query allele name": "query_allele",
    "Array strain ID": "array_strain",
    "Array allele name": "array_allele",
    "Combined mutant type": "",
    "Raw genetic interaction score (epsilon)": "raw_interaction",
    "Adjusted genetic interaction score (epsilon or tau)": "interaction",
    "P-value": "p_value",
    "Query single/double mutant fitness": "query_fitness",
    "Array single mutant fitness": "array_fitness",
}
_FITNESS_2018 = {
    "Combined mutant fitness": "fitness",
    "Combined mutant fitness standard deviation": "fitness_sd",
}
_FITNESS_2020 = {
    "Double/triple mutant fitness": "fitness",
    "Double/triple mutant fitness standard deviation": "fitness_sd",
}
# Form: header cell -> field ("" is not read). Case and white space of headers do not matter.
FORMS: dict[str, dict[str, str]] = {
    "kuzmin_2018": _KUZMIN | _FITNESS_2018,  # doi:10.1126/science.aao1729, Data S1
    "kuzmin_2020": _KUZMIN | _FITNESS_2020,  # doi:10.1126/science.aaz5667, Tables S1 and S3
    "tau_sga": {  # as the tau-SGA scoring code writes it
        "Query Strain ID": "query_strain",
        "Array Strain ID": "array_strain",
        "Adjusted genetic interaction score (epsilon or tau)": "interaction",
        "P-value": "p_value",
    }
    | _FITNESS_2020,
    "costanzo_2016": {  # doi:10.1126/science.aaf1420, pair-wise interaction format
        "Query Strain ID": "query_strain",
        "Query allele name": "query_allele",
        "Array Strain ID": "array_strain",
        "Array allele name": "array_allele",
        "Arraytype/Temp": "",
        "Genetic interaction score (ε)": "interaction",
        "P-value": "p_value",
        "Query single mutant fitness (SMF)": "query_fitness",
        "Array SMF": "array_fitness",
        "Double mutant fitness": "fitness",
        "Double mutant fitness standard deviation": "fitness_sd",
    },
}
# In the order in which they are handed on; fitness is relative to the wild type, which is 1.0.
PHENOTYPES = (
    "interaction", "raw_interaction", "p_value", "query_fitness", "array_fitness", "fitness",
    "fitness_sd",
)  # fmt: skip
# Costanzo 2010 has no header (doi:10.1126/science.1180823, Data file S4): the tables of a cutoff
# have the first 7 columns, the raw ones all.
COSTANZO_2010 = {
    "Query ORF": "query_strain",
    "Query gene name": "",
    "Array ORF": "array_strain",
    "Array gene name": "",
    "Genetic interaction score": "interaction",
    "Standard deviation": "interaction_sd",
    "P-value": "p_value",
    "Query single mutant fitness (SMF)": "query_fitness",
    "Query SMF standard deviation": "",
    "Array SMF": "array_fitness",
    "Array SMF standard deviation": "",
    "Double mutant fitness": "fitness",
    "Double mutant fitness standard deviation": "fitness_sd",
}
_ORF = r"Y[A-P][LR][0-9]{3}[CW](?:-[A-Z])?(?:_[A-Za-z0-9]+)?"  # with an allele, `YAL001C_tsq508`
_TITLE_ROWS = 20  # a header may stand below a title and notes, within so many first rows


class UnknownForm(InputError):  # noqa: N818
    """A text that is no genotype table of a known form."""


@dataclass(frozen=True, slots=True)
class Form:
    """Where the fields of one file stand; positions count cells from 0."""

    name: str
    header: tuple[str, ...] = ()
    header_row: int = -1  # as `read_head` counts; -1 where there is none
    separator: str | None = None
    strains: tuple[int, int] | None = None  # query, array
    alleles: tuple[int, int] | None = None  # of the strains; none: their ids have them
    genes: tuple[int, ...] = ()  # `genes`, or `gene_1`, `gene_2`, …
    query: int | None = None
    states: int | None = None  # of the genes
    phenotypes: Mapping[str, int] = field(default_factory=lambda: {"interaction": -1})

    @property
    def is_list(self) -> bool:
        """Whether one cell has all genes of a genotype."""
        return len(self.genes) == 1 and folded(self.header[self.genes[0]]) == "genes"


def known_forms() -> str:
    """The known forms of genotype tables, for error messages."""
    headers = "; ".join(f"{name} ({', '.join(columns)})" for name, columns in FORMS.items())
    return (
        f"Known forms, by header: {headers}; plain ('genes' separated by '|', or 'gene_1', "
        "'gene_2', …, with columns of numbers, the first being the phenotype to predict); "
        "DCell's text without a header, '2 YAL001C YBR123W -0.031' (number of genes, genes, "
        "score); and Costanzo 2010's 7 or 13 columns without a header (query ORF and gene, array "
        "ORF and gene, score, its standard deviation, p-value, …)."
    )


def recognise(path: Path, rows: pl.DataFrame) -> Form:
    """Find the form of a file by its first rows (`cells.read_head`, not empty).

    The phenotypes of a plain table are still missing: all its rows decide (`columns.choose`).

    Raises:
        UnknownForm: none of the known forms; names them all.
        InputError: likewise, of what is no text; or rows above the header.
    """
    first = first_cells(rows, _TITLE_ROWS)
    text = "line" in rows.columns
    for index, header in enumerate(first):
        separator = separator_in(rows["line"][index]) if text else None
        form = _form_of(path, tuple(header))
        if form is None or header[0].startswith("#"):
            continue
        if text and separator is None:
            if len(header) == 1:
                separator = NO_SEPARATOR
            elif _is_prose(header, first[index + 1 : index + 2]):
                continue
        _refuse_rows_above(path, rows.head(index), len([*filter(None, header)]), separator)
        return replace(form, header_row=rows["row"][index], separator=separator)
    if _is_dcell(first[0]):
        return Form("dcell")
    if text and all(map(_is_costanzo_2010, first)):
        return _costanzo_2010(len(first[0]))
    row = rows["row"][0] + text  # lines count from 0 there, rows of a sheet from 1
    kind = UnknownForm if text else InputError
    raise kind(f"{path}:{row}: unknown header {first[0]}. {known_forms()}")


def _is_prose(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the word `genes` is one of a title or remark, and not of a header between blanks."""
    return "#" in "".join(cells) or any(len(row) != len(cells) for row in below)


def _is_dcell(cells: Sequence[str]) -> bool:
    """Whether a row is DCell's, or meant to be: a list of genes may begin with a number, too."""
    if len(cells) < 3 or not re.fullmatch(r"[0-9]{1,9}", cells[0]):
        return False
    return int(cells[0]) == len(cells) - 2 or not cells[-1].isdecimal()


def _is_costanzo_2010(cells: Sequence[str]) -> bool:
    """Whether a row is one of Costanzo 2010's: two ORFs, their genes, then numbers."""
    if len(cells) not in (7, len(COSTANZO_2010)):
        return False
    strains = all(re.fullmatch(_ORF, cells[column]) for column in (0, 2))
    return strains and all(text.lower() in NOT_MEASURED or _is_number(text) for text in cells[4:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _costanzo_2010(width: int) -> Form:
    header = tuple(COSTANZO_2010)[:width]
    index = {COSTANZO_2010[name]: position for position, name in enumerate(header)}
    return Form(
        "costanzo_2010",
        header,
        separator="\t",
        strains=(index["query_strain"], index["array_strain"]),
        phenotypes={n: index[n] for n in (*PHENOTYPES, "interaction_sd") if n in index},
    )


def _refuse_rows_above(path: Path, rows: pl.DataFrame, width: int, separator: str | None) -> None:
    """A title above the header fills fewer cells than the header; a row of the table does not."""
    for index, cells in enumerate(cells_of(rows, separator).to_list() if rows.height else ()):
        if len([cell for cell in cells if cell and cell.strip()]) >= max(width, 2):
            line = rows["row"][index] + ("line" in rows.columns)
            raise InputError(
                f"{path}:{line}: found a row of {width} or more cells above the "
                "header; expected the header before all rows. Is the table sorted? Move the header "
                "to the top."
            )


def _form_of(path: Path, header: tuple[str, ...]) -> Form | None:
    cells = [folded(cell) for cell in header]
    for name, columns in FORMS.items():
        fields = {folded(cell): meaning for cell, meaning in columns.items()}
        if sorted(filter(None, cells)) == sorted(fields):
            index = {fields[cell]: position for position, cell in enumerate(cells) if cell}
            return Form(
                name,
                header,
                strains=(index["query_strain"], index["array_strain"]),
                alleles=(
                    (index["query_allele"], index["array_allele"])
                    if "query_allele" in index
                    else None
                ),
                phenotypes={name: index[name] for name in PHENOTYPES if name in index},
            )
    query = cells.index("query") if "query" in cells else None
    states = cells.index("states") if "states" in cells else None
    genes = [index for index, cell in enumerate(cells) if re.fullmatch(r"gene_\d+", cell)]
    if "genes" in cells:
        genes = [cells.index("genes")]
    elif "gene_1" not in cells:
        return None
    for key in (*genes, *(column for column in (query, states) if column is not None)):
        if cells.count(cells[key]) > 1:
            raise InputError(f"{path}: column '{header[key]}' occurs twice; delete or rename one")
    return Form("plain", header, genes=tuple(genes), query=query, states=states, phenotypes={})


def folded(cell: str) -> str:
    """Fold the differences away in which headers of one meaning may differ."""
    return " ".join(cell.split()).casefold().replace("ε", "epsilon")
