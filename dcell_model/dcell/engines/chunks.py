"""Elementwise work on a stratum, some terms at a time: chunks of rows, and the norms on them.

Shapes: n terms of a chunk, B samples.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dcell_model.dcell.engines.indices import segment_sum
from dcell_model.dcell.engines.processes import mean_everywhere
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.layout import NORM_EPS, Group, SubsystemLayout

CHUNK = 1 << 21  # numbers that elementwise work takes at a time; some such tensors fit into a cache


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some terms of a stratum that follow each other.

    Attributes:
        terms, rows: slices of the terms in row order, and of the rows.
        starts: `[n + 1]` where the rows of each term begin, from the chunk's first on.
        term_of_row: `[rows]` term of each row, from the chunk's first on.
    """

    terms: slice
    rows: slice
    starts: Tensor
    term_of_row: Tensor


def _chunks(layout: SubsystemLayout, device: torch.device, samples: int) -> list[list[Chunk]]:
    """The chunks of every stratum, index = stratum."""
    widths = layout.widths[layout.order]
    ends = np.cumsum(widths)
    result: list[list[Chunk]] = [[] for _ in range(layout.graph.num_strata)]
    most = max(1, CHUNK // max(1, samples))
    for stratum, chunks in enumerate(result):
        first, last = np.searchsorted(layout.graph.strata, [stratum, stratum + 1])
        while first < last:
            row = int(ends[first] - widths[first])
            end = max(first + 1, min(last, int(np.searchsorted(ends, row + most, side="right"))))
            starts = np.concatenate([[0], ends[first:end] - row])
            term_of_row = np.repeat(np.arange(end - first), widths[first:end])
            chunks.append(
                Chunk(
                    terms=slice(int(first), int(end)),
                    rows=slice(row, row + int(starts[-1])),
                    starts=torch.from_numpy(starts).to(device),
                    term_of_row=torch.from_numpy(term_of_row).to(device),
                )
            )
            first = end
    return result


class Norm:
    """Batch norm, layer norm or nothing on the `[rows, B]` of a chunk.

    The batch's mean and variance are those over `everywhere` samples, of all processes.
    """

    def __init__(self, kind: str, own: Weights, chunk: Chunk, everywhere: int) -> None:
        self.kind, self.chunk, self.everywhere = kind, chunk, everywhere
        if kind != "none":
            self.weight, self.bias = own.norm[chunk.rows, None], own.norm_bias[chunk.rows, None]
        if kind == "batch":
            self.mean, self.var = own.mean[chunk.rows, None], own.var[chunk.rows, None]

    def forward(self, x: Tensor, measure: bool = False) -> Tensor:
        """Normalise; with `measure` by the batch's mean and variance, which are put in place."""
        if self.kind == "none":
            return x
        if self.kind == "layer":
            return self._standardised(x)[0].mul_(self.weight).add_(self.bias)
        if measure:
            mean = x.mean(1, keepdim=True)
            self.mean.copy_(mean_everywhere(mean, x.shape[1], self.everywhere))
        centred = x - self.mean
        if measure:
            deviation = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
            var = deviation.square_() / x.shape[1]
            self.var.copy_(mean_everywhere(var, x.shape[1], self.everywhere))
        return centred.mul_(self.weight * (self.var + NORM_EPS).rsqrt()).add_(self.bias)

    def backward(self, g: Tensor, x: Tensor, out: Weights, training: bool) -> Tensor:
        """The gradient of x from that of the output; those of weight and bias are put in place."""
        if self.kind == "none":
            return g
        B, sum_g = x.shape[1], g.sum(1, keepdim=True)
        out.norm_bias[self.chunk.rows] = sum_g[:, 0]
        if self.kind == "layer":
            unit, deviation = self._standardised(x)
            out.norm[self.chunk.rows] = torch.linalg.vecdot(g, unit)
            g = g * self.weight
            return (g - self._mean(g)).sub_(unit * self._mean(g * unit)).div_(deviation)
        rstd = (self.var + NORM_EPS).rsqrt()
        centred = x - self.mean
        dot = torch.linalg.vecdot(g, centred)[:, None] * rstd
        out.norm[self.chunk.rows] = dot[:, 0]
        scale = self.weight * rstd
        gx = g * scale
        if training:
            means = torch.stack([sum_g, dot]) / B
            mean_g, mean_dot = mean_everywhere(means, B, self.everywhere)
            gx.sub_(scale * mean_g).sub_(centred.mul_(scale * rstd * mean_dot))
        return gx

    def _standardised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each sample of each term with mean 0 and variance 1, and its deviation before."""
        centred = x - self._mean(x)
        deviation = (self._mean(centred.square()) + NORM_EPS).sqrt()
        return centred / deviation, deviation

    def _mean(self, x: Tensor) -> Tensor:
        """The mean over each term's rows, for each of its rows."""
        sums = segment_sum(x, self.chunk.starts)
        widths = self.chunk.starts.diff()[:, None]
        return (sums / widths).index_select(0, self.chunk.term_of_row)


@dataclass(frozen=True, slots=True)
class Stratum:
    """The groups of a stratum with their numbers, its rows, and its chunks."""

    number: int
    groups: list[tuple[int, Group]]
    rows: slice
    chunks: list[Chunk]


def strata_of(layout: SubsystemLayout, device: torch.device, samples: int) -> list[Stratum]:
    """The strata of a layout, cut into chunks for batches of so many samples.

    Processes that take statistics together need the same chunks, so they count all their samples.
    """
    chunks = _chunks(layout, device, samples)
    strata = []
    for number, groups in itertools.groupby(enumerate(layout.groups), lambda g: g[1].stratum):
        own = list(groups)
        rows = slice(own[0][1].rows.start, own[-1][1].rows.stop)
        strata.append(Stratum(number, own, rows, chunks[number]))
    return strata
