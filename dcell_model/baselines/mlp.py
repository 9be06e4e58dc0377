"""A plain network of two hidden layers on the deleted genes."""

import contextlib
import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from data_specs.parameters import Baselines
from dcell_model.baselines.samples import Bools, Fit, Floats, known_mean_and_spread
from dcell_model.baselines.tuning import Settings, draw, halve, work
from dcell_model.machine import one_thread, progress

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BATCH, _PATIENCE = 256, 10
# The first does well on simulated screens of 10,000 to 90,000 genotypes.
_FIRST = {"rate": 1e-2, "decay": 0.3, "dropout": 0.1}
_CHOICES = {
    "rate": (2e-3, 5e-3, 1e-2),
    "decay": (0.1, 0.3, 1.0, 3.0),
    "dropout": (0.0, 0.1, 0.3),
}


def fit_mlp(
    genotypes: "csr_array", targets: Floats, train: Bools, val: Bools, config: Baselines
) -> Fit:
    """Train two hidden layers with AdamW on standardised targets; keep the epoch best on `val`.

    Returns:
        The fit; it chose rate, decay and dropout, the width `hidden`, and `epoch`: the one that was
        kept, counted from 1.
    """
    mean, spread = known_mean_and_spread(targets[train])
    scaled = torch.from_numpy(((targets - mean) / spread).astype(np.float32))
    fit, choose = np.flatnonzero(train & ~np.isnan(targets).all(axis=1)), np.flatnonzero(val)
    data = (genotypes[fit], scaled[fit], genotypes[choose], scaled[choose])
    widths = (config.mlp_hidden, 2 * config.mlp_hidden)
    settings = draw(
        {"hidden": widths, **_CHOICES}, {"hidden": config.mlp_hidden, **_FIRST},
        config.trials, config.seed,
    )  # fmt: skip
    with one_thread(), progress("mlp", work(len(settings), config.mlp_epochs)) as shown:
        trials = [_Trial(setting, *data, seed=config.seed) for setting in settings]
        best = halve(trials, config.mlp_epochs, shown)
        predictions = best.predict(genotypes) * spread + mean
    size = sum(p.numel() for p in best.network.parameters())
    return Fit(predictions, size, {**best.settings, "epoch": best.kept, "trials": len(settings)})


class _Trial:
    """A network with some settings; its random numbers do not depend on other work."""

    def __init__(
        self, settings: Settings, genotypes: "csr_array", targets: Tensor,
        val_genotypes: "csr_array", val_targets: Tensor, seed: int,
    ) -> None:  # fmt: skip
        self.settings, self.error, self.kept, self.epoch = settings, np.inf, 0, 0
        self.data, self.val = (genotypes, targets), (val_genotypes, val_targets)
        self.random, self.state = np.random.default_rng(seed), _seeded(seed)
        with self._own_numbers():
            self.network = _MultiHotMLP(
                genotypes.shape[1], settings["hidden"], targets.shape[1], settings["dropout"]
            )
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings["rate"], weight_decay=settings["decay"],
            fused=True,
        )  # fmt: skip
        self.weights = copy.deepcopy(self.network.state_dict())

    def advance(self, until: int) -> None:
        with self._own_numbers():
            while self.epoch < until and self.epoch - self.kept < _PATIENCE:
                self._train_one_epoch()

    def predict(self, genotypes: "csr_array") -> Floats:
        """`[N, P]` on the scale of training, by the weights of the best epoch."""
        self.network.load_state_dict(self.weights)
        predictions: Floats = self.network.predict(genotypes).double().numpy()
        return predictions

    def _train_one_epoch(self) -> None:
        genotypes, targets = self.data
        order = self.random.permutation(len(targets))
        genotypes, targets = genotypes[order], targets[order]
        for first in range(0, len(order), _BATCH):
            last = min(first + _BATCH, len(order))
            self.optimizer.zero_grad()
            _known_mse(self.network(genotypes, first, last), targets[first:last]).backward()
            self.optimizer.step()
        self.epoch += 1
        error = _known_mse(self.network.predict(self.val[0]), self.val[1]).item()
        if error < self.error:
            self.error, self.kept = error, self.epoch
            self.weights = copy.deepcopy(self.network.state_dict())

    @contextlib.contextmanager
    def _own_numbers(self) -> Iterator[None]:
        """Go on with this trial's random numbers; torch's own stay as they were."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.state)
            yield
            self.state = torch.get_rng_state()


def _seeded(seed: int) -> Tensor:
    return torch.Generator().manual_seed(seed).get_state()


class _MultiHotMLP(nn.Module):
    """Sum of one vector a deleted gene, times its number, then two hidden layers."""

    def __init__(self, genes: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.genes = nn.EmbeddingBag(genes, hidden, mode="sum")
        nn.init.normal_(self.genes.weight, std=0.1)
        self.bias = nn.Parameter(torch.empty(hidden).uniform_(-0.3, 0.3))
        self.rest = nn.Sequential(
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, genotypes: "csr_array", first: int, last: int) -> Tensor:
        """`[n, P]` of the rows from `first` up to `last`."""
        # By hand: SciPy takes as long for a batch's rows as the network does for the batch.
        offsets = torch.from_numpy(genotypes.indptr[first : last + 1])
        genes = torch.from_numpy(genotypes.indices[offsets[0] : offsets[-1]])
        numbers = genotypes.data[offsets[0] : offsets[-1]]
        times = None if (numbers == 1).all() else torch.from_numpy(numbers)
        sums = self.genes(genes, offsets[:-1] - offsets[0], per_sample_weights=times)
        return torch.as_tensor(self.rest(sums + self.bias))

    @torch.no_grad()
    def predict(self, genotypes: "csr_array") -> Tensor:
        """`[N, P]` without dropout."""
        self.eval()
        outputs = self(genotypes, 0, genotypes.shape[0])
        self.train()
        return torch.as_tensor(outputs)


def _known_mse(predicted: Tensor, target: Tensor) -> Tensor:
    known = ~target.isnan()
    errors = predicted - target
    return (errors if bool(known.all()) else errors[known]).square().mean()
