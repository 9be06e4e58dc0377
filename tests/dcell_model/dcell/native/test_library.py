"""The compiled library: one for each instruction set, picked, forced, refused."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from data_specs.errors import InputError
from data_specs.parameters.sections import Model
from dcell_model.dcell.native import library, load, native_build
from tests.dcell_model.dcell.engines.test_equivalence import (
    GENOTYPES,
    assert_equivalent,
    batch_of,
)
from tests.hierarchies import random_cell_graph

SETS = {"generic": "DEFAULT", "avx2": "AVX2", "avx512": "AVX512"}


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    load.cache_clear()
    yield
    load.cache_clear()


@pytest.mark.parametrize("name", SETS)
def test_every_instruction_set_computes_the_same(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = native_build.HERE / native_build.library(SETS[name])
    if not path.exists() or SETS[name] not in library._able():
        pytest.skip(f"no library for {name}, or not on this processor")
    monkeypatch.setenv(library.VARIABLE, name)
    loaded = load()
    assert loaded is not None
    assert loaded._name == str(path)
    graph = random_cell_graph(1)
    for width in (3, 20, 37):  # narrower than a vector, the usual one, and more than a panel
        batch = batch_of(graph, GENOTYPES)
        assert_equivalent(graph, Model(width_min=width), batch, "native")
        # Batch norm would multiply the rounding of the reference, too.
        config = Model(width_min=width, norm="layer")
        assert_equivalent(graph, config, batch, "native", dtype=torch.float32, tolerance=1e-4)


def test_none_where_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "off")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load() is None


def test_an_unknown_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "sse9")
    with pytest.raises(InputError, match="sse9 is unknown; expected generic, avx2, avx512 or off"):
        load()


def test_what_is_missing_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)
    monkeypatch.setattr(native_build, "HERE", tmp_path)
    with pytest.warns(RuntimeWarning, match="is not built.*install a C.. compiler"):
        assert load() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load() is None
    load.cache_clear()
    monkeypatch.setenv(library.VARIABLE, "generic")
    with pytest.raises(InputError, match="is not there; unset DCELL_NATIVE"):
        load()


@pytest.mark.skipif(native_build.compiler() is None, reason="no C++ compiler")
def test_a_library_of_other_sources_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)
    monkeypatch.setattr(native_build, "instruction_sets", lambda: ["DEFAULT"])
    monkeypatch.setattr(native_build, "SOURCES", ("columns.cpp",))  # the smaller one, quickly
    native_build.build(tmp_path, ("-O0",))
    loaded = library.ctypes.CDLL(str(tmp_path / native_build.library("DEFAULT")))
    assert library._is_current(loaded)
    monkeypatch.setattr(native_build, "FLAGS", [*native_build.FLAGS, "-O1"])
    assert not library._is_current(loaded)


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(native_build.BuildError, match=r"^false -std"):
        native_build.build(tmp_path)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(native_build.BuildError, match="no-such-compiler could not be started"):
        native_build.build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ziglang_is_asked_for_only_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_build, "compiler", lambda: ["c++"])
    assert native_build._compiler() == []
    monkeypatch.setattr(native_build, "compiler", lambda: None)
    monkeypatch.delenv(library.VARIABLE, raising=False)
    assert native_build._compiler() == ["ziglang>=0.13"]
    monkeypatch.setenv(library.VARIABLE, "off")
    assert native_build._compiler() == []


def test_a_failed_build_is_no_end_of_the_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)
    monkeypatch.setattr(native_build, "HERE", tmp_path)
    stale = tmp_path / native_build.library("DEFAULT")
    stale.write_text("of an earlier build")
    monkeypatch.setattr(native_build, "compiler", lambda: None)
    assert not native_build._try_to_build()
    assert not stale.exists()
    assert "could not be built: no C++ compiler was found" in capsys.readouterr().err
    monkeypatch.setenv(library.VARIABLE, "off")
    assert not native_build._try_to_build()
    assert capsys.readouterr().err == ""
