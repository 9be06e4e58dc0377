"""Networks by name: their own, or how it ends."""

from pathlib import Path

import pytest

from data_specs.errors import InputError
from data_specs.gene_networks import matching, require_networks
from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve

STRING_9 = [
    f"string-v9.1_yeast_{channel}"
    for channel in ("coexpression", "cooccurence", "database", "experimental", "fusion",
                    "neighborhood")
]  # fmt: skip
STRING_12 = [name.replace("string-v9.1_yeast_", "4932.v12.0.") for name in STRING_9]


@pytest.mark.parametrize("networks", [STRING_9, [*STRING_12, "4932.v12.0.textmining"]])
def test_the_published_channels_are_found_in_any_release(networks: list[str]) -> None:
    published = resolve({"preset": "dango-2020"}).dango
    found = matching(published.networks, networks, "dango.networks")
    assert len(found) == 6
    assert not [name for name in found if name.endswith("textmining")]
    unsure = matching(published.incomplete, found, "dango.incomplete")
    assert [name[-12:] for name in unsure] == ["coexpression", "experimental"]


def test_a_whole_name_comes_first() -> None:
    assert matching(["a"], ["x.a", "a", "y_a"], "here") == ["a"]
    assert matching(["x.a", "a"], ["x.a", "b"], "here") == ["x.a"]  # one network, named twice
    assert matching([], ["a"], "here") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("c", "here: no network 'c'; it has x.a, y.a"),
        ("a", "here: 'a' is the end of x.a, y.a; name one of them"),
        (".", "here: no network '.'"),
        ("x", "here: no network 'x'"),  # an end, not a beginning
    ],
)
def test_a_name_of_none_or_of_several_is_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace(".", r"\.")):
        matching([name], ["x.a", "y.a"], "here")


def test_a_build_is_asked_by_the_ends_of_names(simulated_build: Path) -> None:
    layout = DataLayout(simulated_build)
    assert set(require_networks(layout, ["complexes"])) == {"coexpression", "complexes"}
    with pytest.raises(InputError, match="no network 'experimental'"):
        require_networks(layout, ["experimental"])
