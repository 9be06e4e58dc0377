"""A small model with names as yeast's and a hostile one, and a server of it in a thread."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from data_specs.cell_graph import CellGraph
from data_specs.parameters.sections import resolve
from dcell_model.dcell.model import DCell
from dcell_model.predict.trained import Trained
from dcell_model.serve import server
from tests.hierarchies import random_cell_graph

HOSTILE_GENE = "<img src=x onerror=alert(1)>"
HOSTILE_TERM = "<b>bold</b> & <a href='javascript:alert(1)'>click</a> %{x}"
PHENOTYPES = ["fitness", "size"]


def named_graph() -> CellGraph:
    """40 terms GO:0000000, …, and 30 genes YAL001C, …, whose symbols are ABC1, …

    The first gene and the last term have hostile names; OLD is a synonym of two genes, and UNUSED
    names a gene without annotation.
    """
    graph = random_cell_graph(4, terms=40, genes=30)
    genes = [HOSTILE_GENE] + [f"YAL{number:03d}C" for number in range(1, 30)]
    assert sorted(genes) == genes
    names = [(f"ABC{number}", gene, "symbol") for number, gene in enumerate(genes) if number]
    names += [("OLD", genes[1], "synonym"), ("OLD", genes[2], "synonym")]
    names += [("DNA, ligase", genes[3], "synonym"), ("UNUSED", "YZZ001C", "symbol")]
    return replace(
        graph,
        term_ids=[term.replace("T", "GO:0000") for term in graph.term_ids],
        term_names=[f"process {term}" for term in graph.term_ids[:-1]] + [HOSTILE_TERM],
        gene_ids=genes,
        gene_names=tuple(sorted(names)),
    )


@pytest.fixture(scope="session")
def trained() -> Trained:
    torch.manual_seed(0)
    model = DCell(named_graph(), resolve({"model": {"width_min": 3}}).model, phenotypes=2)
    return Trained.of([model], PHENOTYPES, (torch.tensor([0.8, -2.0]), torch.tensor([0.3, 1.7])))


@contextlib.contextmanager
def serving(trained: Trained) -> Iterator[str]:
    """The address, without the last slash, at which a thread serves the model."""
    listening = server.listen(0)
    app = server.application(trained, "a model", listening.getsockname()[1])
    until, running = asyncio.Event(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def answer() -> None:
        loops.append(asyncio.get_running_loop())
        running.set()
        await server.answer(app, listening, until)

    thread = threading.Thread(target=lambda: asyncio.run(answer()))
    thread.start()
    running.wait()
    try:
        yield server.address(listening).rstrip("/")
    finally:
        loops[0].call_soon_threadsafe(until.set)
        thread.join()


@pytest.fixture(scope="session")
def address(trained: Trained) -> Iterator[str]:
    with serving(trained) as at:
        yield at
