import itertools
import random
import re
import time
from pathlib import Path

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data_specs.chain import LINK, Link
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters.sections import Genotypes, Split, resolve
from data_specs.tables import PARTS, write_table
from pipeline.split.lots import draw
from pipeline.split.stage import _nearest, decide, run, split, table_of
from tests.conftest import examples
from tests.genotype_tables import merge, read

FEW = settings(max_examples=examples(60))
Samples = dict[tuple[str, ...], list[str]]  # genes: queries


def frame(samples: Samples, given_test: frozenset[tuple[str, ...]] = frozenset()) -> pl.DataFrame:
    rows = [
        (list(genes), queries, "test" if genes in given_test else "train", 1)
        for genes, queries in samples.items()
    ]
    texts = pl.List(pl.String)
    schema = {"genes": texts, "queries": texts, "given": pl.String, "count": pl.UInt32}
    return pl.DataFrame(rows, schema=schema, orient="row")


def parts(samples: pl.DataFrame, chosen: Split) -> dict[tuple[str, ...], str]:
    """The part of every gene set; all samples are in exactly one."""
    table = split(samples, chosen)
    assert table.schema == {"sample": pl.Int64, "part": pl.String}
    assert table["sample"].to_list() == list(range(samples.height))
    assert set(table["part"]) <= set(PARTS)
    keys = [tuple(genes) for genes in samples["genes"].to_list()]
    return dict(zip(keys, table["part"].to_list(), strict=True))


def pairs(count: int) -> Samples:
    """Digenic samples over the genes A00, A01, …; each with its first gene as query."""
    names = [f"A{i:02}" for i in range(count)]
    return {pair: [pair[0]] for pair in itertools.combinations(names, 2)}


def sizes(found: dict[tuple[str, ...], str]) -> list[int]:
    return [list(found.values()).count(part) for part in PARTS]


# One sample, two, three: the degenerate cases


@pytest.mark.parametrize("method", ["random", "query", "gene"])
def test_no_samples(method: str) -> None:
    with pytest.raises(InputError, match="no samples"):
        split(frame({}), Split(method=method))


def test_one_and_two_samples_cannot_be_split() -> None:
    for count in (1, 2):
        samples = frame({(f"A{i}",): [] for i in range(count)})
        with pytest.raises(InputError, match=r"leaves no samples in val and test \(train .*share"):
            split(samples, Split())
        assert set(parts(samples, Split(val=0, test=0)).values()) == {"train"}


@pytest.mark.parametrize("method", ["random", "query"])
def test_three_samples_are_one_of_each(method: str) -> None:
    samples = frame({("A",): ["A"], ("B",): ["B"], ("C",): ["C"]})
    assert sizes(parts(samples, Split(method=method))) == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("val", "test", "expected"),
    [
        (0.1, 0.1, [35, 5, 5, 0]),  # 4.5 goes up
        (0.1, 0.2, [31, 5, 9, 0]),
        (0.0, 0.5, [22, 0, 23, 0]),
        (0.3, 0.0, [31, 14, 0, 0]),
        (0.001, 0.001, [43, 1, 1, 0]),
    ],
)
def test_random_sizes_are_exact(val: float, test: float, expected: list[int]) -> None:
    assert sizes(parts(frame(pairs(10)), Split(val=val, test=test))) == expected


def test_random_split_is_that_of_every_machine() -> None:
    """Golden: with hashlib alone, the letters in the order of their hashes are JIFECHBDGA."""
    found = parts(frame({(gene,): [] for gene in "ABCDEFGHIJ"}), Split(val=0.2, test=0.2))
    assert [gene for gene in "ABCDEFGHIJ" if found[gene,] == "test"] == ["I", "J"]
    assert [gene for gene in "ABCDEFGHIJ" if found[gene,] == "val"] == ["E", "F"]


def test_query_and_gene_splits_are_those_of_every_machine() -> None:
    """Golden: found by the version of 0.1.0 that held the keys of all samples.

    But for the validation part of `gene`, which had been drawn from the training part at random.
    """
    samples = pairs(7)
    found = parts(frame(samples), Split(method="query", val=0.2, test=0.2))
    assert {part: {pair[0] for pair in found if found[pair] == part} for part in PARTS[:3]} == {
        "train": {"A00", "A01", "A03"}, "val": {"A04", "A05"}, "test": {"A02"}
    }  # fmt: skip
    found = parts(frame(samples), Split(method="gene", val=0.2, test=0.2))
    assert {pair for pair in found if found[pair] == "test"} == set(
        itertools.combinations(["A00", "A03", "A06"], 2)
    )
    assert {pair for pair in found if found[pair] == "val"} == {("A01", "A04")}
    assert {pair for pair in found if found[pair] == "train"} == {("A02", "A05")}


def test_seeds_differ() -> None:
    samples = frame(pairs(10))
    assert parts(samples, Split(seed=0)) != parts(samples, Split(seed=1))


# Given test files


@pytest.mark.parametrize("method", ["random", "query", "gene"])
def test_given_test_samples_are_exactly_the_test_part(method: str) -> None:
    samples = pairs(6)
    tested = frozenset(list(samples)[:5])
    found = parts(frame(samples, tested), Split(method=method, val=0.2, test=0.5))
    assert {genes for genes, part in found.items() if part == "test"} == tested
    if method == "random":
        assert sizes(found) == [8, 2, 5, 0]


def test_nothing_to_train_on_beside_given_test_samples() -> None:
    samples = pairs(4)
    for method in ("random", "query", "gene"):
        with pytest.raises(InputError, match="leaves no samples in train and val"):
            split(frame(samples, frozenset(samples)), Split(method=method))


# Query: whole groups


def test_query_split_needs_queries() -> None:
    with pytest.raises(InputError, match=r"without query strains\. Set split\.method to gene or"):
        split(frame({("A",): [], ("B",): []}), Split(method="query"))


def test_queries_in_one_sample_belong_together() -> None:
    linked = {("A", "B"): ["A", "B"], ("B", "C"): ["B"], ("A", "C"): ["A"]}
    others = {(f"D{i}",): [f"D{i}"] for i in range(7)}
    for seed in range(20):
        found = parts(frame(linked | others), Split(method="query", seed=seed, val=0.3, test=0.3))
        assert len({found[genes] for genes in linked}) == 1
        assert all(3 <= size <= 4 for size in sizes(found)[:3])


def test_a_single_group_cannot_be_split() -> None:
    samples = frame({("A", f"B{i}"): ["A"] for i in range(9)})
    with pytest.raises(InputError, match="leaves no samples in val and test"):
        split(samples, Split(method="query"))


def test_a_dominant_group_stays_in_training() -> None:
    samples = {("A", f"B{i:02}"): ["A"] for i in range(90)}
    samples |= {("C", f"D{i:02}"): [f"C{i}"] for i in range(10)}
    for seed in range(10):
        found = parts(frame(samples), Split(method="query", seed=seed, val=0.05, test=0.05))
        assert sizes(found) == [90, 5, 5, 0]


# Gene: nothing shared


def test_gene_split_takes_the_smallest_set_of_genes_that_reaches_the_share() -> None:
    found = parts(frame(pairs(10)), Split(method="gene", val=0, test=0.1))
    # Of s held-out genes among 10: s(s-1)/2 test pairs, (10-s)(9-s)/2 training pairs.
    # s = 3: 3 of 24 pairs (12.5 %); s = 2: 1 of 29 pairs (3.4 %).
    assert sizes(found) == [21, 0, 3, 21]


def test_gene_split_that_leaves_no_training_samples() -> None:
    samples = frame({("A", "B"): [], ("A", "C"): [], ("A", "D"): []})  # one gene in all
    with pytest.raises(InputError, match=r"leaves no samples in train.*choose method random"):
        split(samples, Split(method="gene"))


# Properties

genes = st.sampled_from([f"G{i}" for i in range(12)])
gene_sets = st.sets(genes, min_size=1, max_size=3).map(lambda chosen: tuple(sorted(chosen)))
sample_sets = st.dictionaries(
    gene_sets, st.sets(genes, max_size=2).map(sorted), min_size=4, max_size=40
)
any_settings = st.builds(
    Split,
    method=st.sampled_from(["random", "query", "gene"]),
    val=st.sampled_from([0.0, 0.1, 0.3]),
    test=st.sampled_from([0.0, 0.1, 0.3]),
    seed=st.integers(0, 5),
)


def parts_or_none(samples: pl.DataFrame, chosen: Split) -> dict[tuple[str, ...], str] | None:
    try:
        return parts(samples, chosen)
    except InputError:
        return None


@FEW
@given(samples=sample_sets, chosen=any_settings, seed=st.integers(0, 99), tested=st.booleans())
def test_order_of_samples_does_not_matter(
    samples: Samples, chosen: Split, seed: int, tested: bool
) -> None:
    held = frozenset(sorted(samples)[:2]) if tested else frozenset()
    found = parts_or_none(frame(samples, held), chosen)
    items = list(samples.items())
    random.Random(seed).shuffle(items)
    assert parts_or_none(frame(dict(items), held), chosen) == found


@FEW
@given(samples=sample_sets, val=st.sampled_from([0.0, 0.1, 0.3]), seed=st.integers(0, 5))
def test_no_query_on_two_sides(samples: Samples, val: float, seed: int) -> None:
    found = parts_or_none(frame(samples), Split(method="query", val=val, test=0.2, seed=seed))
    assume(found is not None)
    assert found is not None
    assert "excluded" not in found.values()
    sides: dict[str, set[str]] = {}
    for key, part in found.items():
        for query in samples[key]:
            sides.setdefault(query, set()).add(part)
    assert all(len(side) == 1 for side in sides.values())


@FEW
@given(samples=sample_sets, seed=st.integers(0, 5))
def test_query_split_fails_only_where_there_are_too_few_groups(samples: Samples, seed: int) -> None:
    graph = nx.Graph()
    for queries in samples.values():
        nx.add_path(graph, queries)
    groups = nx.number_connected_components(graph) + sum(not q for q in samples.values())
    found = parts_or_none(frame(samples), Split(method="query", seed=seed))
    assert (found is None) == (groups < 3 or not graph)


def test_small_groups_do_not_all_go_into_the_first_part() -> None:
    samples: Samples = {pair: ["A00"] for pair in itertools.combinations("BCDEFG", 2)}
    samples |= {("X",): [], ("Y",): []}
    for seed in range(6):
        assert parts_or_none(frame(samples), Split(method="query", seed=seed)) is not None


@FEW
@given(samples=sample_sets, test=st.sampled_from([0.1, 0.3]), seed=st.integers(0, 5))
def test_no_gene_in_two_parts(samples: Samples, test: float, seed: int) -> None:
    """The validation part is made as the test part is: none of its genes is in training."""
    found = parts_or_none(frame(samples), Split(method="gene", val=0.1, test=test, seed=seed))
    assume(found is not None)
    assert found is not None
    genes_of = {part: {gene for key, own in found.items() if own == part for gene in key}
                for part in ("train", "val", "test")}  # fmt: skip
    for one, other in itertools.combinations(genes_of, 2):
        assert not genes_of[one] & genes_of[other], (one, other)
    counts = dict(zip(PARTS, sizes(found), strict=True))
    for part, share in (("test", test), ("val", 0.1)):
        assert counts[part] >= share * (len(samples) - counts["excluded"])
    for key, part in found.items():  # whoever is excluded has genes of two sides
        if part == "excluded":
            assert not any(set(key) <= own for own in genes_of.values())


def test_given_test_files_leave_gene_the_validation_part() -> None:
    samples = pairs(10)
    held = frozenset(itertools.islice(samples, 5))
    found = parts(frame(samples, held), Split(method="gene", val=0.1))
    assert {key for key, part in found.items() if part == "test"} == held
    in_val, in_train = ({gene for key, own in found.items() if own == part for gene in key}
                        for part in ("val", "train"))  # fmt: skip
    assert in_val
    assert in_train
    assert not in_val & in_train


# Parts of the store, and of its millions


@FEW
@given(
    samples=sample_sets,
    chosen=any_settings,
    tested=st.booleans(),
    cuts=st.lists(st.integers(0, 40), max_size=5),
)
def test_how_the_store_is_cut_does_not_matter(
    samples: Samples, chosen: Split, tested: bool, cuts: list[int]
) -> None:
    held = frozenset(sorted(samples)[:2]) if tested else frozenset()
    table = frame(dict(sorted(samples.items())), held)
    ends = sorted({0, table.height, *(cut for cut in cuts if cut < table.height)})
    pieces = [table[start:stop] for start, stop in itertools.pairwise(ends)]
    try:
        expected = split(table, chosen)
    except InputError as error:
        with pytest.raises(InputError, match=f"^{re.escape(str(error))}$"):
            decide([draw(piece, chosen) for piece in pieces], chosen)
    else:
        found = table_of(decide([draw(piece, chosen) for piece in pieces], chosen))
        assert found.equals(expected)


def test_a_link_between_groups_of_other_parts() -> None:
    """The last part links B and C, which the first two name their groups by."""
    table = frame(
        {("B", "X"): ["B"], ("C", "X"): ["C"], ("D", "X"): [], ("X", "Y"): ["A", "B", "C"]}
        | {(f"Z{i}",): [f"Z{i}"] for i in range(4)}
    )
    for seed in range(20):
        chosen = Split(method="query", val=0.2, test=0.2, seed=seed)
        found = decide([draw(table[i : i + 1], chosen) for i in range(8)], chosen)
        assert found[0] == found[1] == found[3]


@FEW
@given(sizes=st.lists(st.integers(1, 9), max_size=30), target=st.integers(0, 60))
def test_nearest_by_its_definition(sizes: list[int], target: int) -> None:
    for most in (-1, 0, 1, 3, len(sizes)):
        total, taken = 0, []
        for group, size in enumerate(sizes):
            if abs(total + size - target) < abs(total - target) and len(taken) < most:
                total, taken = total + size, [*taken, group]
        if target and not taken and sizes and most > 0:
            taken = [sizes.index(min(sizes))]
        assert _nearest(np.array(sizes, dtype=np.int64), target, most if sizes else 0) == taken


def test_millions_of_groups_take_seconds() -> None:
    """Each sample a group of its own; it was quadratic in the number of groups."""
    started = time.process_time()
    assert len(_nearest(np.ones(1_000_000, dtype=np.int64), 300_000, 999_998)) == 300_000
    assert not _nearest(np.full(1_000_000, 9), 3, 999_998)[1:]
    assert time.process_time() - started < 10


# The stage


def test_stage(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path)
    with pytest.raises(ArtefactError, match="Run the stage 'store' first"):
        run(resolve({}), layout)
    layout.store.mkdir()
    (layout.store / "samples.parquet").mkdir(parents=True)
    write_table(frame(pairs(10)), layout.store / "samples.parquet" / "00000.parquet")
    write_json(layout.store / LINK, Link("store", "0" * 64, {}).to_json())
    run(resolve({"split": {"method": "gene", "val": 0.2, "test": 0.1}}), layout)
    table = pl.read_parquet(layout.split / "split.parquet")
    assert table["sample"].to_list() == list(range(45))
    ledger = read_json(layout.split / "ledger.json")
    assert ledger == {"method": "gene", "train": 6, "val": 3, "test": 3, "excluded": 33}
    assert {part: table.filter(part=part).height for part in PARTS} == {
        part: ledger[part] for part in PARTS
    }
    first = (layout.split / "split.parquet").read_bytes()
    run(resolve({"split": {"method": "gene", "val": 0.2, "test": 0.1}}), layout)
    assert (layout.split / "split.parquet").read_bytes() == first


@pytest.mark.real
@pytest.mark.parametrize("method", ["random", "query", "gene"])
def test_real_file(real_data: Path, method: str) -> None:
    table = read(real_data / "genotypes" / "tau_sga_trigenic.tsv", control_gene="YDL227C")
    samples, _ = merge([("train", table)], Genotypes(orders=(3,) if method != "gene" else ()))
    found = parts(samples, Split(method=method))
    if method == "random":
        assert sizes(found) == [3_682, 460, 460, 0]
    if method == "query":  # four query pairs, about 1,150 samples each
        assert min(sizes(found)[:3]) > 1_100


# Alleles of one genotype


def with_alleles(samples: Samples, counts: list[int]) -> pl.DataFrame:
    """So many alleles of each genotype; the first of them alone has its queries, if there are."""
    rows = [
        (list(genes), queries if number == 0 else queries[-1:], "train", [f"x-{number}"])
        for (genes, queries), count in zip(
            sorted(samples.items()), itertools.cycle(counts), strict=False
        )
        for number in range(count)
    ]
    texts = pl.List(pl.String)
    schema = {"genes": texts, "queries": texts, "given": pl.String, "alleles": texts}
    return pl.DataFrame(rows, schema=schema, orient="row")


@FEW
@given(
    samples=sample_sets,
    chosen=any_settings,
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=5),
)
def test_alleles_of_one_genotype_stay_together(
    samples: Samples, chosen: Split, counts: list[int]
) -> None:
    """A model knows genes alone: apart, training would hold the answers of the test part."""
    table = with_alleles(samples, counts)
    try:
        found = table.with_columns(split(table, chosen)["part"])
    except InputError:
        return
    by_genes = found.group_by(pl.col("genes").list.join("|")).agg(pl.col("part").n_unique())
    assert by_genes["part"].to_list() == [1] * len(samples)
    # However the store is cut between genotypes, the parts are these.
    ends = [
        i
        for i in range(1, table.height)
        if table["genes"][i].to_list() != table["genes"][i - 1].to_list()
    ]
    pieces = [table[a:b] for a, b in itertools.pairwise([0, *ends[::2], table.height])]
    assert table_of(decide([draw(piece, chosen) for piece in pieces], chosen))["part"].equals(
        found["part"]
    )


@FEW
@given(samples=sample_sets, seed=st.integers(0, 5))
def test_one_allele_each_is_split_as_without(samples: Samples, seed: int) -> None:
    chosen = Split(val=0.2, test=0.2, seed=seed)
    table = with_alleles(samples, [1])
    try:
        expected = split(table.drop("alleles"), chosen)
    except InputError:
        return
    assert split(table, chosen).equals(expected)


def test_shares_are_of_samples() -> None:
    table = with_alleles(pairs(20), [1, 3, 2])
    found = split(table, Split(val=0.2, test=0.2))["part"]
    for part in ("val", "test"):
        assert 0 <= (found == part).sum() - 0.2 * table.height < 3


def test_apart_each_allele_is_drawn_for_itself() -> None:
    table = with_alleles(pairs(20), [3])
    found = table.with_columns(split(table, Split(alleles="apart"))["part"])
    by_genes = found.group_by(pl.col("genes").list.join("|")).agg(pl.col("part").n_unique())
    assert (by_genes["part"] > 1).sum() > 20
    assert (found["part"] == "test").sum() == round(0.1 * table.height)
