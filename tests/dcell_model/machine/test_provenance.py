"""Where numbers come from."""

import re

from dcell_model.machine.provenance import commit, hardware, versions


def test_what_a_record_says() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}\+?|unknown: .*", commit())
    assert hardware()["cores"] >= 1
    assert re.match(r"\d+\.\d+", versions()["torch-geometric"])
