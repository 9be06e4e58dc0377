"""The search itself: which values come next, which trials are given up; Optuna's study in a file.

Every trial is drawn by a sampler with a seed of its own, from the seed of the search and the number
of the trial. So a search that was stopped goes on as if it had not been.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dcell_model.tune.space import Space
from dcell_model.tune.trial import FINISHED, PrunedError, Trial

# Steps that Optuna knows: trials of few and of many epochs are compared at the same share of
# theirs, for along a cosine a short one is ahead at the same epoch.
WHOLE = 1_000_000
RANDOM = 10  # trials before Optuna's model of good values has a say
_BEFORE_PRUNING, _SPARED = 5, WHOLE // 4  # finished trials, and the share that every trial trains


class Search:
    """An Optuna study that lies in a file."""

    def __init__(self, journal: Path, space: Space, seed: int, first: Mapping[str, Any]) -> None:
        """Open the study, or begin it.

        Args:
            journal: file of the study.
            space: the parameters to search.
            seed: of the draws.
            first: values to begin with, if they lie in the space.
        """
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _cut_torn_line(journal)
        self.space, self.seed = space, seed
        self.first = first if all(first[key] in values for key, values in space.items()) else None
        backend = JournalFileBackend(str(journal), lock_obj=_no_lock(journal))
        self.study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="dcell", direction="maximize", load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=_SPARED
            ),
        )  # fmt: skip
        self._forget_stopped()
        self.trials = [
            Trial(**trial.user_attrs["trial"])
            for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()
            and "trial" in trial.user_attrs
        ]  # fmt: skip

    @property
    def best(self) -> Trial | None:
        """The first of the best that came to their end."""
        finished = [t for t in self.trials if t.ended == FINISHED and t.score is not None]
        return max(finished, key=lambda trial: trial.score or 0.0, default=None)

    @property
    def seconds(self) -> float:
        """How long was searched, in all calls."""
        return float(self.study.user_attrs.get("seconds", 0.0))

    @seconds.setter
    def seconds(self, value: float) -> None:
        self.study.set_user_attr("seconds", round(value, 2))

    def next(self) -> "Asked":
        """The next trial to train."""
        from optuna.samplers import TPESampler

        number = len(self.trials) + 1
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        # A trial that was stopped has no say in the next: that one is the same again.
        self.study.sampler = TPESampler(
            seed=seed, n_startup_trials=RANDOM, multivariate=True, constant_liar=False
        )
        if number == 1 and self.first is not None:
            self.study.enqueue_trial(dict(self.first))
        trial = self.study.ask({key: values.distribution() for key, values in self.space.items()})
        values = {key: searched.rounded(trial.params[key]) for key, searched in self.space.items()}
        if number == 1 and self.first is not None:
            values = dict(self.first)  # not rounded: the values that a run takes by itself
        return Asked(trial, number, values)

    def tell(self, asked: "Asked", trial: Trial) -> None:
        """Take the result of a trial."""
        from optuna.trial import TrialState

        asked.trial.set_user_attr("trial", trial.to_json())
        if trial.ended == FINISHED:
            self.study.tell(asked.trial, trial.score)
        else:  # a trial that diverged counts as the worst
            self.study.tell(asked.trial, state=TrialState.PRUNED)
        self.trials.append(trial)

    def importances(self) -> dict[str, float]:
        """Shares of the parameters in the variance of scores, in sum 1; few trials tell none."""
        import optuna

        finished = [trial for trial in self.trials if trial.ended == FINISHED]
        scores = {trial.score for trial in finished}
        if len(finished) < RANDOM or len(scores) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        found = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {key: round(float(share), 4) for key, share in found.items()}

    def _forget_stopped(self) -> None:
        """Close trials that a stopped call has left running or in the queue."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False):
            if trial.state == TrialState.WAITING:
                self.study.ask()
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state == TrialState.RUNNING:
                self.study.tell(trial.number, state=TrialState.FAIL)


class Asked:
    """A trial that is to be trained.

    Attributes:
        trial: Optuna's.
        number: counted from 1, over those that came to an end.
        values: by parameter, as they are used.
    """

    def __init__(self, trial: Any, number: int, values: dict[str, Any]) -> None:
        self.trial, self.number, self.values = trial, number, values

    def report(self, epoch: int, epochs: int, score: float) -> None:
        """Take the score of an epoch.

        Raises:
            PrunedError: the trial is to be given up.
        """
        self.trial.report(score, WHOLE * epoch // epochs)
        if epoch < epochs and self.trial.should_prune():
            raise PrunedError


def _no_lock(journal: Path) -> Any:
    """A lock that is no file which a kill could leave: the folder is taken, nobody else writes."""
    from optuna.storages.journal import JournalFileOpenLock

    class Held(JournalFileOpenLock):
        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            pass

    return Held(str(journal))


def _cut_torn_line(journal: Path) -> None:
    """Cut off a line that a killed process has not written completely."""
    if not journal.is_file():
        return
    text = journal.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        with journal.open("r+b") as file:
            file.truncate(whole)
