"""Files that are made to harm: pickles in place of artefacts run nothing, and none is loaded."""

import ast
import contextlib
import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from data_specs.store.manifest import MANIFEST, StoreMeta
from data_specs.store.reader import StoreReader
from data_specs.store.shards import frame_digest
from dcell_model import train
from dcell_model.data.dataset import MutantStateDataset
from pipeline.verify import verify
from tests.conftest import CHECKOUT

ARTEFACTS = [
    "store/00000/data.mdb", "store/manifest.json", "cell_graph/cell_graph.json",
    "cell_graph/terms.arrow", "cell_graph/genes.arrow", "cell_graph/annotations.arrow",
    "cell_graph/edges.arrow", "split/split.parquet", "store/samples.parquet/00000.parquet",
    "params.json",
]  # fmt: skip


class Malice:
    """Unpickled, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.trace,)


def extension(trace: Path) -> dict[bytes, bytes]:
    """How Arrow once (CVE-2023-47248) was made to unpickle on reading."""
    return {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Malice(trace), 0),
    }


def read_all(root: Path) -> None:
    """All that training and verification read of a build."""
    train.run(root, root.parent / "run", resolve({"train": {"epochs": 1, "batch_size": 16}}))
    failures = [check.detail for check in verify(DataLayout(root)) if not check.passed]
    if failures:
        raise InputError("; ".join(failures))


@pytest.mark.parametrize("name", ARTEFACTS)
@pytest.mark.parametrize("protocol", [0, 5])
def test_pickle_in_place_of_an_artefact(
    tiny_build: Path, tmp_path: Path, name: str, protocol: int
) -> None:
    root, trace = tmp_path / "build", tmp_path / "was-here"
    shutil.copytree(tiny_build, root)
    raw = pickle.dumps(Malice(trace), protocol)
    pickle.loads(raw)
    assert trace.exists()  # it would work
    trace.unlink()
    (root / name).write_bytes(raw.ljust((root / name).stat().st_size, b"\n"))
    if name == "params.json":  # of which `dcell train` takes its defaults
        from data_specs.parameters.given import build_parameters

        with pytest.raises(ArtefactError, match="not readable as JSON"):
            build_parameters(root)
    else:
        with pytest.raises(InputError, match=r"\S"):
            read_all(root)
    assert not trace.exists()


def signed_cell_graph(folder: Path, name: str, raw: bytes) -> None:
    """Put a file into a cell graph as its maker would: with the right checksum."""
    (folder / name).write_bytes(raw)
    path = folder / "cell_graph.json"
    description = json.loads(path.read_text())
    description["sha256"][Path(name).stem] = hashlib.sha256(raw).hexdigest()
    path.write_text(json.dumps(description))


@pytest.mark.parametrize("name", ["terms.arrow", "genes.arrow", "annotations.arrow"])
def test_pickle_with_the_right_checksum_in_a_cell_graph(
    tiny_build: Path, tmp_path: Path, name: str
) -> None:
    folder, trace = tmp_path / "cell_graph", tmp_path / "was-here"
    shutil.copytree(tiny_build / "cell_graph", folder)
    with pa.OSFile(str(folder / name)) as source:
        table = pa.ipc.open_file(source).read_all()
    signed_cell_graph(folder, name, pickle.dumps(Malice(trace)))
    with pytest.raises(ArtefactError, match=f"{name}: not readable"):
        CellGraph.read(folder)
    fields = [field.with_metadata(extension(trace)) for field in table.schema]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, pa.schema(fields)) as writer:
        writer.write_table(table.cast(pa.schema(fields)))
    signed_cell_graph(folder, name, sink.getvalue().to_pybytes())
    CellGraph.read(folder)  # metadata that nobody asks for
    assert not trace.exists()


def signed_store(folder: Path, record: bytes, samples: int) -> None:
    """Put a record in place of a store's only block as its maker would: all checksums are right."""
    reader = StoreReader(folder)
    meta, file = reader.meta, folder / "00000" / "data.mdb"
    (entry,) = meta.blocks
    raw = bytearray(file.read_bytes())
    assert len(record) <= entry.bytes
    record = record.ljust(entry.bytes, b"\0")
    raw[entry.offset : entry.offset + entry.bytes] = record
    file.write_bytes(raw)
    block = replace(entry, samples=samples, sha256=hashlib.sha256(record).hexdigest())
    frame = frame_digest(np.frombuffer(raw, dtype=np.uint8), [block])
    shard = replace(meta.shards[0], sha256=frame)
    new = replace(meta, samples=samples, blocks=(block,), shards=(shard,))
    (folder / MANIFEST).write_bytes(new.to_json())


def stored_batch(folder: Path) -> pa.RecordBatch:
    with pa.ipc.open_stream(pa.py_buffer(StoreReader(folder).check_block(0))) as stream:
        return stream.read_next_batch()


def stream_of(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize(
    "kind", ["pickle", "extension", "fewer rows", "other columns", "other types", "offsets"]
)
def test_block_with_the_right_checksum(tiny_build: Path, tmp_path: Path, kind: str) -> None:
    root, trace = tmp_path / "build", tmp_path / "was-here"
    shutil.copytree(tiny_build, root)
    batch = stored_batch(root / "store")
    record = stream_of(batch)
    if kind == "pickle":
        record = pickle.dumps(Malice(trace))
    elif kind == "extension":
        fields = [batch.schema[0].with_metadata(extension(trace)), *list(batch.schema)[1:]]
        batch = batch.slice(0, 10)  # so that the metadata fit into the block
        record = stream_of(pa.record_batch(batch.columns, schema=pa.schema(fields)))
    elif kind == "fewer rows":
        record = stream_of(batch.slice(0, 3))
    elif kind == "other columns":
        record = stream_of(batch.select(["genes"]))
    elif kind == "other types":
        record = stream_of(pa.record_batch({"genes": [1] * len(batch), "state": [2] * len(batch)}))
    else:  # the list of genes of the first sample ends far beyond all genes
        offsets = batch.column("genes").offsets.to_numpy().astype("<i4").tobytes()
        assert offsets in record
        wrong = offsets[:4] + (2**31 - 1).to_bytes(4, "little") + offsets[8:]
        record = record.replace(offsets, wrong)
    signed_store(root / "store", record, samples=batch.num_rows)
    if kind == "extension":
        assert len(MutantStateDataset(root / "store").batch(range(10))) == 10
    else:
        with pytest.raises(ArtefactError, match="block 0 is no block of a store"):
            MutantStateDataset(root / "store")[0]
    assert not trace.exists()


MANIFESTS: dict[str, Callable[[StoreMeta], StoreMeta]] = {
    "negative offset": lambda m: with_block(m, offset=-16),
    "beyond the file": lambda m: with_block(m, bytes=2**40),
    "huge": lambda m: replace(m, samples=2**62),
    "no such shard": lambda m: with_block(m, shard=7),
    "text for a number": lambda m: with_block(m, first="0"),
    "none": lambda m: replace(m, blocks=()),
    "no list": lambda m: replace(m, phenotypes=None),  # type: ignore[arg-type]
}


def with_block(meta: StoreMeta, **changes: object) -> StoreMeta:
    return replace(meta, blocks=(replace(meta.blocks[0], **changes), *meta.blocks[1:]))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", MANIFESTS)
def test_manifest_with_the_right_checksum(tiny_build: Path, tmp_path: Path, kind: str) -> None:
    store = tmp_path / "store"
    shutil.copytree(tiny_build / "store", store)
    wrong = MANIFESTS[kind](StoreReader(store).meta)
    (store / MANIFEST).write_bytes(wrong.to_json())
    with pytest.raises(ArtefactError, match=r"manifest\.json: no build writes such a manifest"):
        StoreReader(store)


@pytest.mark.parametrize("name", ["split/split.parquet", "store/samples.parquet/00000.parquet"])
def test_parquet_that_asks_to_be_unpickled(tiny_build: Path, tmp_path: Path, name: str) -> None:
    root, trace = tmp_path / "build", tmp_path / "was-here"
    shutil.copytree(tiny_build, root)
    table = pq.read_table(root / name)
    fields = [field.with_metadata(extension(trace)) for field in table.schema]
    pq.write_table(table.cast(pa.schema(fields)), root / name)
    with contextlib.suppress(InputError, NotImplementedError):  # a type that Polars cannot compare
        read_all(root)
    assert not trace.exists()


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE = {"unsafe_load", "full_load", "unsafe_load_all", "read_pickle", "system", "popen"}


def what_runs_data(tree: ast.AST) -> list[str]:
    """Every construct of a module that could run what it reads."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in FORBIDDEN]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if (node.module or "").split(".")[0] in FORBIDDEN else []
        elif isinstance(node, ast.Call):
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            called = ast.unparse(node.func)
            if called in {"eval", "exec", "compile", "__import__", "yaml.load"}:
                found.append(called)
            if called.split(".")[-1] in UNSAFE:
                found.append(called)
            only = named.get("weights_only")
            if called == "torch.load" and not (isinstance(only, ast.Constant) and only.value):
                found.append(called)
            for risky in ("allow_pickle", "shell"):
                if risky in named and ast.unparse(named[risky]) != "False":
                    found.append(f"{called}({risky})")
    return found


@pytest.mark.parametrize("package", ["data_specs", "pipeline", "dcell_model"])
def test_no_module_runs_what_it_reads(package: str) -> None:
    modules = list((CHECKOUT / package).rglob("*.py"))
    assert modules
    for module in modules:
        assert what_runs_data(ast.parse(module.read_text(encoding="utf-8"))) == [], module


@pytest.mark.parametrize(
    "text",
    ["import pickle", "from pickle import loads", "eval('1')", "torch.load(p)", "yaml.load(s)",
     "torch.load(p, weights_only=False)", "np.load(p, allow_pickle=True)", "os.system('ls')",
     "subprocess.run(c, shell=True)"],
)  # fmt: skip
def test_the_search_finds_it(text: str) -> None:
    assert what_runs_data(ast.parse(text))
