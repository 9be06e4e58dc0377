"""The parts of a screen, whoever writes them."""

from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.files import sha256_of
from data_specs.parameters import Dask
from dcell_model.predict import open_run
from dcell_model.screen import parts
from dcell_model.screen.command import Settings, run
from dcell_model.screen.screen import Screen

SETTINGS = Settings(order=3, part_rows=9)


def digests(folder: Path) -> dict[str, str]:
    """Of all files below a folder."""
    return {
        str(path.relative_to(folder)): sha256_of(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.xdist_group("dask")
@pytest.mark.filterwarnings("ignore::ResourceWarning:distributed")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Dask's sockets
def test_bytes_do_not_depend_on_the_workers(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths that are relative here, too; parts that are there already are not written again."""
    run(tiny_checkpoint, tmp_path / "here", SETTINGS)
    expected = digests(tmp_path / "here")
    assert len(expected) > 6
    monkeypatch.chdir(tmp_path)
    genes = Path("genes.txt")
    genes.write_text("\n".join(open_run(tiny_checkpoint).graph.gene_ids))
    by_file = Settings(order=3, part_rows=9, genes=genes)
    out = Path("there")
    run(tiny_checkpoint, out, by_file, dask=Dask(workers=2))
    assert digests(out) == expected
    (out / parts.TABLE / "00001.parquet").unlink()
    (out / parts.TABLE / "00003.parquet").unlink()
    kept = (out / parts.TABLE / "00002.parquet").stat().st_ino
    run(tiny_checkpoint, out, by_file, dask=Dask(workers=2))
    assert digests(out) == expected
    assert (out / parts.TABLE / "00002.parquet").stat().st_ino == kept


def test_a_worker_that_sees_another_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    parts._opened.cache_clear()
    with pytest.raises(InputError, match="All workers must see the same files"):
        parts._write_on_worker(tiny_checkpoint, "0" * 64, SETTINGS, tmp_path, 0)
    assert not any(tmp_path.iterdir())


def test_long_work_is_told_before(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(parts, "_estimate", lambda *_: 125.0)
    run(tiny_checkpoint, tmp_path / "s", SETTINGS)
    told = capsys.readouterr().out
    assert " genotypes in " in told
    assert ": about 2 min on " in told
    run(tiny_checkpoint, tmp_path / "s", SETTINGS)
    assert "about" not in capsys.readouterr().out  # nothing is left


def test_the_estimate_is_that_of_a_stretch(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A genotype takes a second; the first call has its own price."""
    screen = Screen.of(open_run(tiny_checkpoint), Settings(order=3, part_rows=9, batch_size=2))
    now, rows = [0.0], []

    def part(_: Screen, own: parts.Part, __: object) -> None:
        now[0] += own.last - own.first + (0 if rows else 100)
        rows.append(own.last - own.first)

    monkeypatch.setattr(Screen, "part", part)
    monkeypatch.setattr(parts.time, "perf_counter", lambda: now[0])
    own = list(screen.space.parts(9))
    assert parts._estimate(screen, screen.references(), own) == len(screen.space)
    assert rows == [1, 2, 2, 2]
    assert parts._estimate(screen, screen.references(), own[:2]) == 0
