"""Coverage-guided fuzzing of the readers of `tests/test_hostile.py`, by atheris and libFuzzer.

atheris is no dependency: `pip install atheris` where you fuzz. What is found is written into the
corpus folder as `found-…`; make a test of it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ["data_specs", "pipeline", "dcell_model", "goatools"]


def main() -> None:
    """Fuzz one reader for so many runs or seconds."""
    parser = argparse.ArgumentParser(
        prog="python tests/fuzz.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python tests/fuzz.py obo --seconds 120",
    )
    parser.add_argument("reader", help="obo, gaf, genotypes, topology, checkpoint, …")
    parser.add_argument("--runs", type=int, default=-1, help="default: without end")
    parser.add_argument("--seconds", type=int, default=0, help="default: without end")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="default: a new folder")
    options = parser.parse_args()
    try:
        import atheris  # type: ignore[import-not-found]
    except ImportError:
        sys.exit("error: atheris is not installed; `pip install atheris`")
    sys.path.insert(0, str(CHECKOUT))
    with atheris.instrument_imports(include=PACKAGES):
        from tests.test_hostile import READERS, read_or_refuse
    if options.reader not in READERS:
        sys.exit(f"error: no reader '{options.reader}'; expected one of {', '.join(READERS)}")
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix=f"fuzz-{options.reader}-"))
    corpus.mkdir(parents=True, exist_ok=True)
    whole = READERS[options.reader][0]
    (corpus / "whole").write_bytes(whole)
    lines = whole.splitlines(keepends=True)
    for at in range(0, len(lines), 10):
        (corpus / f"lines-{at}").write_bytes(b"".join(lines[at : at + 10]))
    print(f"corpus: {corpus}", file=sys.stderr)
    atheris.Setup(
        [
            sys.argv[0], str(corpus), f"-artifact_prefix={corpus}/found-",
            f"-runs={options.runs}", f"-max_total_time={options.seconds}", "-timeout=20",
            "-max_len=8192", "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=1",
        ],
        lambda raw: read_or_refuse(options.reader, raw),
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main()
