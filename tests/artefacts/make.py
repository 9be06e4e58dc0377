"""Make one of everything that a commit writes on disk, by its own code, and pack it.

    python tests/artefacts/make.py HEAD

writes `tests/artefacts/VERSION-COMMIT.tar.xz`, VERSION being that of its checkpoints. What the
commit's commands do not know yet is omitted; plots and pages are, too, for their size. What
was printed or raised is in `commands.txt` in the archive, what was predicted in the run's own
`predictions.parquet` and in `predicted.csv`.
"""

import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import torch

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
INPUTS = "tests/data/tiny"
GENOTYPES = "YAL001C;YAL002W,YAL003W;YAL001C,YAL004W,YAL005C"
NO_PART_OF_IT = ("plots", "report.html", "dvc_plots", "data_plots", "log.txt")


class Commit:
    """A checkout of a commit, whose own commands write into `made`."""

    def __init__(self, checkout: Path) -> None:
        self.checkout, self.made = checkout, checkout / "made"
        self.log: list[str] = []
        shutil.copy(HERE / "network.tsv", checkout / "network.tsv")

    def call(self, program: str, *arguments: str, refused: bool = False) -> str:
        """Run `dcell` or `dcell-data`; return what it printed."""
        module = {"dcell": "dcell_model.cli", "dcell-data": "pipeline.cli"}[program]
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=self.checkout, text=True,
            env={**os.environ, "PYTHONPATH": str(self.checkout), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode and not refused:
            raise SystemExit(f"{program} {' '.join(arguments)}\n{done.stdout}")
        if "--help" not in arguments and not refused:
            self.log.append(" ".join([program, *map(repr, arguments)]))
        return done.stdout

    def knows(self, command: str, option: str = "") -> bool:
        """Whether `dcell` has a command, and the command an option."""
        shown = self.call("dcell", command, "--help", refused=True)
        return "invalid choice" not in shown and "unknown '" not in shown and option in shown

    def make(self) -> None:
        """One of everything."""
        known = self.call("dcell-data", "parameters", refused=True)
        few = [f"baselines.{key}={value}" for key, value in
               (("trials", 1), ("mlp_epochs", 1), ("fm_sweeps", 1)) if f'"{key}"' in known
               or f"{key}:" in known]  # fmt: skip
        networks = ["--set", "sources.networks=[network.tsv]"] * self.knows("compare")
        self.call(
            "dcell-data", "build", "--ontology", f"{INPUTS}.obo", "--annotations", f"{INPUTS}.gaf",
            "--genotypes", f"{INPUTS}.tsv", "--set", "annotations.gene_id_columns=[11]",
            "--set", "annotations.gene_id_pattern=YAL[0-9]{3}[CW]", "--set",
            "hierarchy.containment=2", *networks, "--out", "made/build",
        )  # fmt: skip
        small = ["train.epochs=1", "train.schedule=constant", "model.width_min=2", *few]
        self.train("run", small)
        if not self.knows("predict"):
            return  # of before version 5, which nothing reads any more
        shutil.copytree(self.made / "run", self.made / "resumed")
        self.train("resumed", ["train.epochs=2", *small[1:]], "--resume")
        shutil.copy(self.made / "resumed" / "train.json", self.made / "resumed.json")
        shutil.rmtree(self.made / "resumed")
        if self.knows("train", "--seeds"):
            self.train("ensemble", small, "--seeds", "2")
        for run in ("run", "ensemble"):
            if self.knows("predict") and (self.made / run).is_dir():
                self.ask(run)
        if self.knows("export"):
            data = ["--data", "made/build"] * self.knows("export", "--data")
            self.call("dcell", "export", "--checkpoint", "made/run/checkpoint.pt", *data,
                      "--out", "made/run.npz")  # fmt: skip
        if self.knows("compare"):
            of_dango = ["dango.width=4", "dango.heads=2", "dango.pretrain_steps=2"]
            given = ["train.epochs=1", "train.model=dango", *few, *of_dango]
            self.train("dango", given)
            self.call("dcell-data", "split", "made/build", "--methods", "random", "--seeds", "0")
            self.call("dcell", "compare", "--data", "made/build", "--out", "made/comparison",
                      "--splits", "random", "--seeds", "0", "--models", "dcell", "mean",
                      *self.set(["train.epochs=1", "model.width_min=2"]))  # fmt: skip
        if self.knows("explain"):
            self.call("dcell", "explain", "--checkpoint", "made/run/checkpoint.pt", "--data",
                      "made/build", "--out", "made/explained", "--min-samples", "3",
                      "--permutations", "20")  # fmt: skip
        if self.knows("tune"):
            self.call("dcell", "tune", "--data", "made/build", "--out", "made/tuning",
                      "--trials", "1", "--repeats", "1", "--search", "train.lr=0.01:0.1",
                      *self.set(small))  # fmt: skip

        if '"states"' in known or "states:" in known:
            self.make_inputs()

    def make_inputs(self) -> None:
        """Two builds and their runs: genes with states, and cell lines with two channels."""
        folder = self.checkout / "inputs"
        folder.mkdir()
        genes = [f"YAL00{number}{'CWWWCWCWC'[number - 1]}" for number in range(1, 8)]
        rows = [f"{a}|{b}\t0.5|0\t0.{3 * i + j}\n{a}\t{0.1 * i}\t0.{9 - i}\n"
                for i, a in enumerate(genes) for j, b in enumerate(genes[:i])]  # fmt: skip
        (folder / "graded.tsv").write_text("genes\tstates\tfitness\n" + "".join(rows))
        (folder / "gene2ind.txt").write_text("".join(f"{i}\t{g}\n" for i, g in enumerate(genes)))
        lines = range(16)
        (folder / "cell2ind.txt").write_text("".join(f"{n}\tL{n}\n" for n in lines))
        for shift, channel in enumerate(("cndeletion", "mutation")):
            table = (",".join(str((n >> (i + shift) % 4) & 1) for i in range(7)) for n in lines)
            (folder / f"cell2{channel}.txt").write_text("".join(f"{row}\n" for row in table))
        (folder / "drug.txt").write_text("".join(f"L{n}\tdrug\t0.{n + 10}\n" for n in lines))
        cells = [f"inputs/{path.name}" for path in sorted(folder.glob("*2*.txt"))]
        inputs = ["--ontology", f"{INPUTS}.obo", "--annotations", f"{INPUTS}.gaf"]
        common = [
            "--set",
            "annotations.gene_id_columns=[11]",
            "annotations.gene_id_pattern=YAL[0-9]{3}[CW]",
            "hierarchy.containment=2",
        ]
        small = ["train.epochs=1", "train.batch_size=4", "model.width_min=2", "baselines.trials=1",
                 "baselines.mlp_epochs=1", "baselines.fm_sweeps=1"]  # fmt: skip
        for name, given, asked in (
            ("graded", ["--genotypes", "inputs/graded.tsv"], "YAL001C=0.5,YAL002W; YAL003W"),
            ("cells", ["--genotypes", "inputs/drug.txt", "--cells", *cells],
             "YAL001C:mutation,YAL002W:cndeletion; YAL003W:mutation"),
        ):  # fmt: skip
            self.call("dcell-data", "build", *inputs, *given, *common, "--out", f"made/{name}")
            self.call("dcell", "train", "--data", f"made/{name}", "--out", f"made/{name}-run",
                      "--set", *small)  # fmt: skip
            self.call("dcell", "predict", "--checkpoint", f"made/{name}-run", "--genotypes",
                      asked, "--out", f"made/predicted-{name}.csv")  # fmt: skip

    def train(self, name: str, given: list[str], *more: str) -> None:
        """Train into a folder."""
        self.call("dcell", "train", "--data", "made/build", "--out", f"made/{name}", *more,
                  *self.set(given))  # fmt: skip

    @staticmethod
    def set(given: list[str]) -> list[str]:
        """As options."""
        return [part for assignment in given for part in ("--set", assignment)]

    def ask(self, run: str) -> None:
        """Predictions and a screen of three parts."""
        checkpoint, end = f"made/{run}/checkpoint.pt", "" if run == "run" else f"-{run}"
        self.call("dcell", "predict", "--checkpoint", checkpoint, "--genotypes", GENOTYPES,
                  "--out", f"made/predicted{end}.csv")  # fmt: skip
        self.call("dcell", "screen", "--checkpoint", checkpoint, "--order", "2", "--part-rows",
                  "10", "--score", "additive", "--out", f"made/screen{end}")  # fmt: skip


def pack(folder: Path, target: Path) -> None:
    """A folder as an archive that depends on names and contents only."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if Path(entry.name).name in NO_PART_OF_IT or Path(entry.name).name.endswith(".lock"):
            return None
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o755 if entry.isdir() else 0o644
        return entry

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name, filter=plain)
    target.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def main(revision: str) -> None:
    """Check a commit out, make all, pack it and remove the checkout."""
    git = ["git", "-C", str(CHECKOUT)]
    commit = subprocess.check_output([*git, "rev-parse", "--short=7", revision], text=True).strip()
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / commit
        subprocess.run([*git, "worktree", "add", "-q", "--detach", str(tree), commit], check=True)
        try:
            at = Commit(tree)
            at.make()
            version = torch.load(at.made / "run" / "checkpoint.pt", weights_only=True)["version"]
            (at.made / "commands.txt").write_text("".join(f"{line}\n" for line in at.log))
            target = HERE / f"{version}-{commit}.tar.xz"
            pack(at.made, target)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(tree)], check=True)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
