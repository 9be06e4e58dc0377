"""`dcell tune`: searches on the validation part, goes on where it was, and owns up to noise."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data_specs.errors import InputError, ParameterError
from data_specs.layout import DataLayout, read_json
from data_specs.parameters.sections import Parameters, resolve
from data_specs.tables import PARTS
from dcell_model import cli, train
from dcell_model import models as model_kinds
from dcell_model.baselines import read_samples
from dcell_model.checkpoint import format as checkpoint
from dcell_model.checkpoint.run_folder import BEST, LAST
from dcell_model.data.targets import all_targets, read_parts
from dcell_model.dcell.loss import LossParts
from dcell_model.models import MODELS
from dcell_model.predict.of_store import predict
from dcell_model.scores import r_squared
from dcell_model.train import inputs, loop
from dcell_model.train.saving import Saving
from dcell_model.train.state import DivergedError
from dcell_model.tune import command as tune
from dcell_model.tune import objective as objectives
from dcell_model.tune import plots as drawing
from dcell_model.tune.folder import JOURNAL, PARAMETERS, RECORD, trial_folder
from dcell_model.tune.lines import Lines
from dcell_model.tune.objective import Objective
from dcell_model.tune.repeats import Comparison
from dcell_model.tune.space import Choices, Range, search_space, values_of, with_values
from dcell_model.tune.study import Search
from dcell_model.tune.trial import DIVERGED, FINISHED, PRUNED, REFUSED, PrunedError, Trial

QUICK = {
    "train": {"epochs": 2, "batch_size": 16}, "model": {"width_min": 3, "norm_order": "norm_act"},
}  # fmt: skip
SEARCHED = ["train.lr=0.001:0.1:log", "model.norm_order=act_norm,norm_act"]
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even blank ones, which would still take most of the time of a tiny search."""
    if not request.node.get_closest_marker("plots"):
        for name in ("history", "slices"):
            monkeypatch.setattr(drawing, name, lambda *_, **__: None)


def tuned(
    data: Path, out: Path, given: Any = None, *, search: Any = SEARCHED, **options: Any
) -> tuple[dict[str, Any], list[str]]:
    """The record, and what was said."""
    parameters = resolve(QUICK | (given or {}))
    said: list[str] = []
    budget = tune.Budget(trials=options.pop("trials", 3), minutes=options.pop("minutes", None),
                         repeats=options.pop("repeats", 0))  # fmt: skip
    space = search_space(parameters, search, [])
    record = tune.run(data, out, parameters, space, budget=budget, say=said.append, **options)
    return record, said


def drawn(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What must be the same again: all but the time."""
    return [{k: v for k, v in trial.items() if k != "seconds"} for trial in record["trials"]]


def imitated(
    monkeypatch: pytest.MonkeyPatch, pearson: Callable[[Parameters, int], float]
) -> list[Parameters]:
    """Put in the place of a training one whose scores are given; the runs that are asked for."""
    asked: list[Parameters] = []

    def run(
        data: Path, out: Path, parameters: Parameters, *, after_epoch: Any, **_: Any
    ) -> dict[str, Any]:
        asked.append(parameters)
        out.mkdir(parents=True, exist_ok=True)
        (out / BEST).write_text("weights")
        (out / LAST).touch()
        for epoch in range(1, parameters.train.epochs + 1):
            score = pearson(parameters, epoch)
            if score != score:
                raise DivergedError(epoch, score)
            after_epoch({"epoch": epoch, "val_pearson": score, "val_loss": 1.0, "seconds": 1.0})
        (out / LAST).unlink()
        return {}

    monkeypatch.setattr(train, "run", run)
    monkeypatch.setattr("dcell_model.tune.trial._stopped", lambda *_: None)
    return asked


# The space


@pytest.mark.parametrize("model", MODELS)
def test_the_default_space_is_one_that_can_be_trained(model: str) -> None:
    parameters = resolve({"train": {"model": model}, "model": {"norm_order": "norm_act"}})
    space = search_space(parameters, [], [])
    assert list(space) == list(MODELS[model].search)
    for key, values in space.items():
        assert values_of(parameters, [key])[key] in values, key  # the search begins there
        assert str(values) == MODELS[model].search[key]
    for end in (0, -1):
        with_values(parameters, {key: values.ends()[end] for key, values in space.items()})


def test_what_is_set_is_not_searched() -> None:
    parameters = resolve({})
    space = search_space(parameters, [], ["train.epochs=3", "train.lr=0.1"])
    assert list(space) == [
        k for k in MODELS["dcell"].search if k not in ("train.epochs", "train.lr")
    ]
    everything = [f"{key}=1" for key in MODELS["dcell"].search]
    with pytest.raises(ParameterError, match="name others with --search"):
        search_space(parameters, [], everything)


def test_searches_are_read_as_their_parameters_are() -> None:
    given = ["train.lr=1e-4:1e-2:log", "train.epochs=5:40", "train.clip=none,1,10",
             "model.layers=1,2", "train.sync_batchnorm=true,false", "train.l2=0:0.1"]  # fmt: skip
    space = search_space(resolve({}), given, [])
    assert space == {
        "train.lr": Range(1e-4, 1e-2, log=True), "train.epochs": Range(5, 40),
        "train.clip": Choices((None, 1.0, 10.0)), "model.layers": Choices((1, 2)),
        "train.sync_batchnorm": Choices((True, False)), "train.l2": Range(0.0, 0.1),
    }  # fmt: skip
    again = search_space(resolve({}), [f"{key}={values}" for key, values in space.items()], [])
    assert again == space


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("train.lr", "expected KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=a,b,c"),
        ("train.lrr=0:1", r"unknown 'train.lrr'; did you mean 'train.lr'\?"),
        ("train.lr=0:1", r"train.lr=0:1 is 0.0; expected more than 0 and at most 10"),
        ("train.lr=1e-2:1e-3", "0.01 is not below 0.001"),
        ("train.lr=fast:1", "train.lr=fast:1 is 'fast'; expected a number"),
        ("train.lr=1:2:3", "expected LOW:HIGH or LOW:HIGH:log"),
        ("train.lr=1:2:lin", "expected LOW:HIGH or LOW:HIGH:log"),
        ("train.l2=0:1:log", "by its logarithm lies above 0"),
        ("train.lr=5:10", "times train.weight_decay 0.2 is 1; expected less than 1"),
        ("train.patience=1.5:3", "is 1.5; expected a whole number"),
        ("train.batch_size=64", "expected at least two values, all different"),
        ("train.batch_size=64,64", "expected at least two values, all different"),
        ("train.batch_size=0,64", "is 0; expected at least 1"),
        ("train.schedule=cosine,linear", "unknown 'linear'; did you mean 'cosine'"),
        ("train.schedule=1:2", "train.schedule is no number; expected values"),
        ("model.norm_order=[a,b]", r"unknown '\[a'"),
        ("train.phenotypes=a,b", "cannot be searched: it decides what is compared"),
        ("train.select=pearson,loss", "cannot be searched: it decides what is compared"),
        ("train.seed=0:9", "the best of several seeds is no better setting"),
        ("train.device=cpu,cuda", "no score depends on it"),
        ("split.val=0.1,0.2", r"does not read split.val; expected one of train.\* and model.\*"),
        ("dango.width=8,16", "with train.model=dcell does not read dango.width"),
        ("train.epochs=1,2", "--set train.epochs holds it; omit one of them"),
    ],
)
def test_what_cannot_be_searched_is_said(search: str, said: str) -> None:
    parameters = resolve({"train": {"weight_decay": 0.2}})
    with pytest.raises(ParameterError, match=said) as refused:
        search_space(parameters, [search], ["train.epochs=1"])
    assert str(refused.value).startswith(f"--search {search.partition('=')[0]}")


def test_a_parameter_is_searched_once() -> None:
    with pytest.raises(ParameterError, match=r"train.lr is named twice"):
        search_space(resolve({}), ["train.lr=1e-3:1e-2", "train.lr=1e-4,1e-3"], [])


def test_drawn_numbers_are_short_and_stay_in_their_range() -> None:
    values = Range(0.00123456, 0.0123456, log=True)
    assert values.rounded(0.00567891) == 0.00568
    assert values.rounded(0.00123456) == 0.00123456
    assert values.rounded(0.01234559) == 0.0123
    assert Range(10, 10_000).rounded(1234) == 1234


# The search


def test_the_same_seed_gives_the_same_trials(tiny_build: Path, tmp_path: Path) -> None:
    first, _ = tuned(tiny_build, tmp_path / "a")
    again, _ = tuned(tiny_build, tmp_path / "b")
    other, _ = tuned(tiny_build, tmp_path / "c", seed=1, trials=2)
    assert drawn(first) == drawn(again)
    assert drawn(first)[0] == drawn(other)[0]  # the setting from before
    assert drawn(first)[1]["values"] != drawn(other)[1]["values"]
    assert len({trial["values"]["train.lr"] for trial in first["trials"]}) == 3


def test_a_build_that_few_samples_touch_is_warned_about_once(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_build, tmp_path / "data")
    ledger = tmp_path / "data" / "store" / "ledger.json"
    ledger.write_text(json.dumps(read_json(ledger) | {"touching": 3}))
    tuned(tmp_path / "data", tmp_path / "out", trials=2, repeats=2)
    assert capsys.readouterr().err.count("samples touch a term of the hierarchy") == 1


def test_the_search_begins_with_the_setting_from_before(tiny_build: Path, tmp_path: Path) -> None:
    record, _ = tuned(tiny_build, tmp_path / "a", trials=1)
    assert record["trials"][0]["values"] == record["default"]
    alone = train.run(tiny_build, tmp_path / "alone", resolve(QUICK))
    scores = [row["val_pearson"] for row in alone["history"]]
    assert record["trials"][0]["scores"] == scores
    # Where it lies elsewhere, the search begins in its space.
    record, said = tuned(tiny_build, tmp_path / "b", search=["train.lr=0.02:0.1"], trials=1)
    assert 0.02 <= record["trials"][0]["values"]["train.lr"] <= 0.1
    assert said[0] == "no trial has the setting from before: train.lr is 0.01"


def test_the_order_of_the_norm_from_before_is_that_of_the_build(
    tiny_build: Path, tmp_path: Path
) -> None:
    given = {"model": {"width_min": 3}}
    record, said = tuned(tiny_build, tmp_path, given, trials=1)
    assert record["default"]["model.norm_order"] == "act_norm"  # its hierarchy has few terms
    assert not said[0].startswith("no trial has the setting from before")


def test_a_search_goes_on_as_if_it_had_not_been_stopped(tiny_build: Path, tmp_path: Path) -> None:
    whole, _ = tuned(tiny_build, tmp_path / "whole")
    tuned(tiny_build, tmp_path / "parts", trials=1)
    tuned(tiny_build, tmp_path / "parts", trials=2)
    parts, said = tuned(tiny_build, tmp_path / "parts")
    assert said[0].startswith("kept: 2 trials done, the best so far Pearson ")
    assert drawn(parts) == drawn(whole)
    assert parts["best"]["number"] == whole["best"]["number"]
    # Nothing is left to do, and nothing is done.
    again, said = tuned(tiny_build, tmp_path / "parts")
    assert said[0].startswith("kept: 3 trials done")
    assert drawn(again) == drawn(whole)


@pytest.mark.parametrize("when", [(1, 1), (2, 1), (2, 2)])
def test_a_trial_that_was_stopped_goes_on(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: tuple[int, int]
) -> None:
    whole, _ = tuned(tiny_build, tmp_path / "whole")
    epoch, seen = loop._Training._epoch, [0, 0]

    def dies(self: loop._Training, advance: Any) -> Row:
        row = epoch(self, advance)
        seen[0] += row["epoch"] == 1
        seen[1] = row["epoch"]
        if tuple(seen) == when:
            raise KeyboardInterrupt
        return row

    with monkeypatch.context() as patch:
        patch.setattr(loop._Training, "_epoch", dies)
        patch.setattr(loop, "Saving", partial(Saving, share=1))  # every epoch
        with pytest.raises(KeyboardInterrupt):
            tuned(tiny_build, tmp_path / "parts")
    # What a kill in the middle of a line leaves.
    with (tmp_path / "parts" / JOURNAL).open("a") as journal:
        journal.write('{"op_code":4,"worker')
    trained = []

    def counts(self: loop._Training, advance: Any) -> Row:
        trained.append(row := epoch(self, advance))
        return row

    monkeypatch.setattr(loop._Training, "_epoch", counts)
    parts, _ = tuned(tiny_build, tmp_path / "parts")
    assert drawn(parts) == drawn(whole)
    done = 2 * (when[0] - 1) + when[1]
    assert len(trained) == 2 * 3 - done  # no epoch is trained again


def test_a_search_ends_when_its_time_is_over(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imitated(monkeypatch, lambda parameters, epoch: parameters.train.lr)
    clock = [0.0]

    def monotonic() -> float:
        clock[0] += 5
        return clock[0]

    monkeypatch.setattr("dcell_model.tune.command.time.monotonic", monotonic)
    record, said = tuned(tiny_build, tmp_path, trials=None, minutes=1)
    assert 1 < len(record["trials"]) < 12
    assert 60 <= record["seconds"] < 75
    count = len(record["trials"])
    # The time is that of all calls; more of it goes on.
    again, said = tuned(tiny_build, tmp_path, trials=None, minutes=1)
    assert drawn(again) == drawn(record)
    more, said = tuned(tiny_build, tmp_path, trials=None, minutes=2)
    assert said[0].startswith(f"kept: {count} trials")
    assert count < len(more["trials"])
    assert drawn(more)[:count] == drawn(record)


def test_no_time_at_all(tiny_build: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of 0 trials was finished; give more --trials"):
        tuned(tiny_build, tmp_path, minutes=1e-9)
    record, _ = tuned(tiny_build, tmp_path, trials=1)
    assert len(record["trials"]) == 1


def test_poor_trials_are_given_up_and_told(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pearson(parameters: Parameters, epoch: int) -> float:
        return 0.5 - abs(np.log10(parameters.train.lr) + 2) / 5 + epoch / 100

    imitated(monkeypatch, pearson)
    given = QUICK | {"train": {"epochs": 8}}
    record, said = tuned(tiny_build, tmp_path, given, trials=40)
    ends = [trial["ended"] for trial in record["trials"]]
    assert ends[:5] == [FINISHED] * 5
    assert ends.count(PRUNED) >= 3
    for trial in record["trials"]:
        assert (len(trial["scores"]) < 8) == (trial["ended"] == PRUNED)
        if trial["ended"] == PRUNED:
            assert len(trial["scores"]) >= 2  # a quarter of its epochs
    told = [line for line in said if " pruned " in line]
    assert len(told) == ends.count(PRUNED)
    assert f"40 trials ({ends.count(FINISHED)} finished, {ends.count(PRUNED)} pruned) in" in (
        said[-4] + said[-5]
    )
    assert record["best"]["score"] == max(
        t["score"] for t in record["trials"] if t["ended"] == FINISHED
    )
    assert abs(np.log10(record["best"]["values"]["train.lr"]) + 2) < 0.3
    shares = record["importances"]
    assert shares["train.lr"] > 0.9
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert record["default"] == {"train.lr": 0.01, "model.norm_order": "norm_act"}


def test_short_and_long_trials_are_compared_at_the_same_share(tmp_path: Path) -> None:
    """Along a cosine a short run is ahead at the same epoch; long ones would be pruned."""
    space = {"train.epochs": Choices((4, 8))}
    search = Search(tmp_path / JOURNAL, space, 0, {"train.epochs": 4})

    def told(scores: list[float]) -> None:
        asked = search.next()
        for epoch, score in enumerate(scores, start=1):
            asked.report(epoch, len(scores), score)
        done = Trial(number=asked.number, values=asked.values, ended=FINISHED, score=max(scores),
                     best_epoch=1, scores=scores, epochs=len(scores), seconds=1.0)  # fmt: skip
        search.tell(asked, done)

    for _ in range(6):
        told([0.2, 0.4, 0.6, 0.8])
    told([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])  # behind at every epoch, at no share
    with pytest.raises(PrunedError):
        told([0.1, 0.2, 0.3, 0.35, 0.5, 0.6, 0.7, 0.8])


@pytest.mark.plots
def test_a_trial_that_diverges_or_cannot_be_is_no_end_of_the_search(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pearson(parameters: Parameters, epoch: int) -> float:
        return float("nan") if parameters.train.lr > 0.01 and epoch == 2 else 0.9 - epoch / 10

    imitated(monkeypatch, pearson)
    given = {"train": {"model": "dango", "epochs": 3}}
    record, said = tuned(
        tiny_build, tmp_path, given, trials=14,
        search=["train.lr=0.001:0.1:log", "dango.width=48,64", "dango.heads=4,6,8"],
    )  # fmt: skip
    ends = [trial["ended"] for trial in record["trials"]]
    assert {FINISHED, DIVERGED, REFUSED} <= set(ends)
    for trial in record["trials"]:
        together = trial["values"]["dango.width"] % trial["values"]["dango.heads"] == 0
        assert (trial["ended"] == REFUSED) == (not together)
        assert (trial["score"] is None) == (trial["ended"] == REFUSED)
    assert record["best"]["values"]["train.lr"] <= 0.01
    assert sum(" nan " in line for line in said) == ends.count(DIVERGED)
    assert sum(" unfit " in line for line in said) == ends.count(REFUSED)
    assert (tmp_path / "plots" / "parameters.png").is_file()


def test_a_real_training_that_diverges(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverges = dataclasses.replace(
        MODELS["dcell"], loss=lambda *a, **_: LossParts(*[a[2].weight_penalty() * float("nan")] * 3)
    )
    monkeypatch.setitem(MODELS, "dcell", diverges)
    with pytest.raises(InputError, match="none of 2 trials was finished"):
        tuned(tiny_build, tmp_path, trials=2)
    assert not (tmp_path / RECORD).exists()


# What decides


def poisoned(monkeypatch: pytest.MonkeyPatch, data: Path, part: str) -> None:
    """Give the samples of a part other values, wherever they are read."""
    there = read_parts(DataLayout(data)) == PARTS.index(part)

    def others(dataset: Any) -> Any:
        targets = all_targets(dataset).copy()
        targets[there] = np.random.default_rng(1).normal(size=targets[there].shape)
        return targets

    monkeypatch.setattr(inputs, "all_targets", others)
    monkeypatch.setattr(objectives, "all_targets", others)


@pytest.mark.parametrize("select", ["pearson", "loss"])
def test_the_test_part_has_no_say(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, select: str
) -> None:
    given = {"train": QUICK["train"] | {"select": select}}
    whole, _ = tuned(tiny_build, tmp_path / "whole", given, trials=2, repeats=1)
    found = {}
    for part in ("test", "val"):
        with monkeypatch.context() as patch:
            poisoned(patch, tiny_build, part)
            found[part], _ = tuned(tiny_build, tmp_path / part, given, trials=2, repeats=1)
    assert drawn(found["test"]) == drawn(whole)
    assert found["test"]["repeats"] == whole["repeats"]
    assert drawn(found["val"]) != drawn(whole)  # of which all depends


def test_r2_where_the_run_selects_by_loss(tiny_build: Path, tmp_path: Path) -> None:
    """It is that of the predictions of the checkpoint that is kept."""
    given = {"train": QUICK["train"] | {"select": "loss"}}
    record, _ = tuned(tiny_build, tmp_path, given)
    assert record["score"] == "validation R²"
    folder = trial_folder(tmp_path, record["best"]["number"])
    layout, state = DataLayout(tiny_build), checkpoint.load(folder / BEST)
    dataset, targets, parts = read_samples(layout, resolve(QUICK))
    members = model_kinds.restore(state, layout, dataset, folder / BEST)
    val = np.flatnonzero(parts == PARTS.index("val"))
    predicted = predict(members[0], dataset, val, (state["target_mean"], state["target_std"]))
    expected = r_squared(predicted[:, 0], targets[val, 0])
    assert record["best"]["score"] == pytest.approx(expected, abs=1e-5)
    assert record["validation_samples"] == len(val) == 5


def test_no_validation_part(tmp_path: Path) -> None:
    from pipeline.build import build
    from tests.conftest import tiny_parameters

    data = build(resolve(tiny_parameters(split={"val": 0.0})), tmp_path / "build").root
    with pytest.raises(InputError, match="0 validation samples; a search needs at least 2"):
        tuned(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predictions_without_a_correlation_are_worth_nothing() -> None:
    objective = Objective("Pearson", 1.0, 5)
    assert objective.score({"val_pearson": None, "val_loss": 1.0}) == 0
    assert objective.best([]) is None
    rows = [{"epoch": n, "val_pearson": value} for n, value in enumerate([0.1, 0.3, 0.3], start=1)]
    assert objective.best(rows) == (2, 0.3)  # the first of equals, as a run has it


# Noise


def test_the_verdict() -> None:
    compared = Comparison([0.50, 0.51, 0.52], [0.52, 0.53, 0.54])
    assert compared.gain == pytest.approx(0.02)
    assert compared.sd == pytest.approx(0.01)
    # Student's t, 4 degrees of freedom, two-sided 95 %: 2.776; times the root of 2/3.
    assert compared.beyond == pytest.approx(2.776 * (2 / 3) ** 0.5, abs=1e-3)
    assert "gain of 0.0200 is 2.0 times the sd over seeds: within noise" in compared.verdict()
    better = Comparison(compared.default, [0.53, 0.54, 0.55])
    assert "gain of 0.0300 is 3.0 times the sd over seeds: beyond noise" in better.verdict()
    worse = Comparison(compared.best, compared.default)
    assert "loss of 0.0200 is 2.0 times" in worse.verdict()
    assert max(map(len, better.verdict().splitlines())) <= 80
    assert "one seed does not tell" in Comparison([0.5], [0.6]).verdict()
    assert "no score depends on the seed" in Comparison([0.5, 0.5], [0.6, 0.6]).verdict()


def test_repeats_have_seeds_of_their_own_and_are_kept(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = imitated(monkeypatch, lambda own, epoch: own.train.lr + own.train.seed / 100)
    record, _ = tuned(tiny_build, tmp_path, repeats=2)
    seeds = [(own.train.seed, own.train.lr) for own in asked[3:]]
    best = record["best"]["values"]["train.lr"]
    assert seeds == [(1, 0.01), (2, 0.01), (1, best), (2, best)]
    assert record["repeats"]["default"] == pytest.approx([0.02, 0.03])
    assert record["repeats"]["gain"] == pytest.approx(best - 0.01)
    assert (
        "within noise" in record["repeats"]["verdict"] or "beyond" in record["repeats"]["verdict"]
    )
    assert not list((tmp_path / "repeats").rglob("*.pt"))
    again, _ = tuned(tiny_build, tmp_path, repeats=2)
    assert len(asked) == 7
    assert again["repeats"] == record["repeats"]
    tuned(tiny_build, tmp_path, repeats=3)
    assert len(asked) == 9


def test_the_setting_from_before_may_be_the_best(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imitated(monkeypatch, lambda own, _: 0.9 if own.train.lr == 0.01 else 0.1)
    record, said = tuned(tiny_build, tmp_path, repeats=2)
    assert said[-1] == "No trial was better than the setting from before."
    assert record["repeats"] is None
    assert record["best"]["number"] == 1


def test_a_search_in_the_wrong_place_is_owned_up_to(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imitated(monkeypatch, lambda own, _: 0.5 - own.train.lr + own.train.seed / 100)
    record, said = tuned(tiny_build, tmp_path, search=["train.lr=0.1:0.2"], repeats=3)
    assert record["repeats"]["gain"] < -0.09
    assert "beyond noise" in record["repeats"]["verdict"]
    assert said[-1] == "Stay with the setting from before, or search nearer to it."


# The folder


def test_only_the_best_trial_is_kept(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = trial_folder(tmp_path, 1) / "notes.txt"

    def pearson(parameters: Parameters, _: int) -> float:
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("mine")
        return parameters.train.lr

    imitated(monkeypatch, pearson)
    record, _ = tuned(tiny_build, tmp_path, trials=6)
    best = record["best"]["number"]
    assert best not in (1, 6)
    files = {str(p.relative_to(tmp_path)) for p in (tmp_path / "trials").rglob("*") if p.is_file()}
    assert files == {"trials/0001/notes.txt", f"trials/{best:04}/{BEST}"}


def test_another_search_is_refused(tiny_build: Path, tmp_path: Path) -> None:
    tuned(tiny_build, tmp_path, trials=1)
    (tmp_path / "notes.txt").write_text("mine")
    before = (tmp_path / RECORD).read_bytes()
    for options, said in (
        ({"search": ["train.lr=0.001:0.2:log", SEARCHED[1]]},
         r"--search train.lr=0.001:0.1:log, now it is 0.001:0.2:log; a search goes on as it began"),
        ({"search": SEARCHED[:1]}, "--search model.norm_order=act_norm,norm_act, now it is not"),
        ({"given": {"train": QUICK["train"] | {"clip": 1}}}, r"train.clip=10.0, now it is 1.0"),
        ({"seed": 1}, "--seed=0, now it is 1"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            tuned(tiny_build, tmp_path, **options)
    assert (tmp_path / RECORD).read_bytes() == before
    # Where it is computed may change.
    tuned(tiny_build, tmp_path, {"train": QUICK["train"] | {"device": "cpu"}}, trials=1)
    again, said = tuned(tiny_build, tmp_path, trials=2, seed=1, overwrite=True)
    assert not said[0].startswith("kept")
    assert len(again["trials"]) == 2
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_other_data_are_another_search(
    tiny_build: Path, simulated_build: Path, tmp_path: Path
) -> None:
    tuned(tiny_build, tmp_path, trials=1)
    with pytest.raises(InputError, match="holds a search with the data's "):
        tuned(simulated_build, tmp_path)


# The command


@pytest.mark.plots
def test_the_command(tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tuned"
    arguments = ["tune", "--data", str(tiny_build), "--out", str(out), "--trials", "2",
                 "--repeats", "2", "--set", "model.width_min=3", "train.epochs=2"]  # fmt: skip
    cli.main(arguments)
    printed = capsys.readouterr().out
    paths = (str(tmp_path), str(tiny_build))  # as long as the machine has them
    lines = [line for line in printed.splitlines() if not any(path in line for path in paths)]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[2:4]] == ["1", "2"]
    assert "The test part was not used" in printed
    record = read_json(out / RECORD)
    assert record["versions"]["optuna"]
    assert list(record["search"]) == [k for k in MODELS["dcell"].search if k != "train.epochs"]
    assert record["command"].startswith("dcell")
    for name in ("history.png", "parameters.png"):
        assert (out / "plots" / name).read_bytes().startswith(b"\x89PNG")
    # What was found is what a run takes.
    given = yaml.safe_load((out / PARAMETERS).read_text())
    assert given["model"]["width_min"] == 3
    run = tmp_path / "run"
    cli.main(["train", "--data", str(tiny_build), "--parameters", str(out / PARAMETERS),
              "--out", str(run)])  # fmt: skip
    trained = json.loads(checkpoint.load(run / BEST)["parameters"])
    for key, value in record["best"]["values"].items():
        section, name = key.split(".")
        assert trained[section][name] == value
        assert given[section][name] == value
    history = read_json(run / "train.json")["history"]
    assert [row["val_pearson"] for row in history] == record["best"]["scores"]
    capsys.readouterr()
    cli.main(arguments)
    assert capsys.readouterr().out.startswith("kept: 2 trials done")


def test_the_default_table_fits_a_terminal() -> None:
    space = search_space(resolve({}), [], [])
    lines = Lines(space, "Pearson")
    values = {key: own.rounded(own.ends()[0] * 1.2345) if isinstance(own, Range)
              else max(own.values, key=lambda value: len(str(value)))
              for key, own in space.items()}  # fmt: skip
    trial = Trial(number=1234, values=values, ended=PRUNED, score=-0.1234, best_epoch=1,
                  scores=[], epochs=2, seconds=119.6)  # fmt: skip
    header = lines.header()
    assert len(lines.of(dataclasses.replace(trial, number=12), best=False)) == 1
    wide = {f"train.{name}": Range(0.0, 1.0) for name in "abcdefghijkl"}
    many = Lines(wide, "R²")
    shown = many.of(dataclasses.replace(trial, values=dict.fromkeys(wide, 0.5)), best=True)
    assert len(shown) > 1
    assert max(map(len, [*header, *many.header(), *shown])) <= 80


def test_an_interrupted_command_says_how_to_go_on(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = ["tune", "--data", str(tiny_build), "--out", str(tmp_path), "--trials", "2",
                 "--repeats", "0", "--search", *SEARCHED, "--set", "train.epochs=1"]  # fmt: skip

    def stops(*_: Any) -> Row:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop._Training, "_epoch", stops)
        patch.setattr("sys.argv", ["dcell", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
    assert end.value.code == 130
    said = capsys.readouterr().err
    assert "to go on, call the same again:\n  dcell tune --data" in said
    cli.main(arguments)
    assert len(read_json(tmp_path / RECORD)["trials"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trials", "0"], "--trials is 0; expected at least 1 and at most 9999"),
        (["--trials", "10000"], "--trials is 10000; expected at least 1"),
        (["--repeats", "100"], "--repeats is 100; expected at least 0 and at most 99"),
        (["--minutes", "nan"], "--minutes is nan; expected a finite number"),
        (["--search", "train.lr=1:2:3"], "expected LOW:HIGH or LOW:HIGH:log"),
        (["--set", "split.val=0.2"], "dcell tune does not use split.val"),
        (
            ["--model", "dango", "--set", "model.width_min=3"],
            "has no effect with train.model=dango",
        ),
    ],
)
def test_what_the_command_refuses(
    tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], said: str,
) -> None:  # fmt: skip
    with pytest.raises(SystemExit):
        cli.main(["tune", "--data", str(tiny_build), "--out", str(tmp_path / "out"), *arguments])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
