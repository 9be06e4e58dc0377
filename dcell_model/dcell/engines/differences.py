"""Activation and norm on a wild type and the differences from it.

For a function f that works sample by sample, x = x_wt + d gives y_wt = f(x_wt) and the difference
D = f(x_wt + d) − f(x_wt) of every entry. Gradients: g_wt is that of y_wt, which every sample's y
contains, touched or not; gD that of D.

Shapes: x_wt, y_wt, g_wt `[n, w]`; d, D, gD `[N, w]`.
"""

import torch
from torch import Tensor

from dcell_model.dcell.activations import Activation
from dcell_model.dcell.engines.processes import mean_everywhere
from dcell_model.dcell.engines.walk import Entries
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.layout import NORM_EPS


def activate(act: Activation, at: Entries, x_wt: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """y_wt and D of an activation."""
    y_wt = act.forward(x_wt)
    return y_wt, act.forward(at.plus(d, x_wt)).sub_(at.each(y_wt))


def activate_backward(
    act: Activation,
    at: Entries,
    gradients: tuple[Tensor, Tensor],
    keep_wt: Tensor,
    keep: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of x_wt and d from those of y_wt and D.

    Args:
        act: the activation.
        at: the entries.
        gradients: of y_wt and D.
        keep_wt: what the activation keeps (x or y) of the wild type.
        keep: the difference of the entries from it.
    """
    g_wt, gD = gradients
    gd = act.backward(gD, at.plus(keep, keep_wt))
    return act.backward(g_wt - at.total(gD), keep_wt) + at.total(gd), gd


class Norm:
    """Batch norm, layer norm or nothing, for the entries of one group.

    `samples` are those of the batch, and of the batches of all processes over which its mean and
    variance are taken.
    """

    def __init__(
        self, kind: str, own: Weights, at: Entries, samples: tuple[int, int], training: bool
    ) -> None:
        self.kind, self.at, self.training = kind, at, training
        self.samples, self.everywhere = samples
        rows, shape = at.group.rows, (-1, at.group.width)
        if kind != "none":
            self.weight, self.bias = own.norm[rows].view(shape), own.norm_bias[rows].view(shape)
        if kind == "batch":
            self.mean, self.var = own.mean[rows].view(shape), own.var[rows].view(shape)

    def forward(self, x_wt: Tensor, d: Tensor, measure: bool = False) -> tuple[Tensor, Tensor]:
        """y_wt and D; with `measure` the batch's mean and variance are put in place first."""
        at = self.at
        if self.kind == "none":
            return x_wt, d
        if self.kind == "layer":
            y_wt = _standardised(x_wt)[0] * self.weight + self.bias
            unit = _standardised(at.plus(d, x_wt))[0]
            y = at.plus(at.times(unit, self.weight), self.bias)
            return y_wt, y.sub_(at.each(y_wt))
        if not self.training:
            scale = self.weight * (self.var + NORM_EPS).rsqrt()
            return (x_wt - self.mean) * scale + self.bias, at.times(d, scale)
        shift = self._mean(at.total(d))
        if measure:
            squares = at.total((d - at.each(shift)).square_())
            squares += at.untouched(self.samples) * shift.square()
            self.mean.copy_(x_wt + shift)
            self.var.copy_(self._mean(squares))
        scale = self.weight * (self.var + NORM_EPS).rsqrt()
        return self.bias - shift * scale, at.times(d, scale)

    def backward(
        self, gradients: tuple[Tensor, Tensor], x_wt: Tensor, d: Tensor, out: Weights
    ) -> tuple[Tensor, Tensor]:
        """Gradients of x_wt and d; those of the norm's weight and bias are put in place."""
        if self.kind == "none":
            return gradients
        at, (g_wt, gD), rows = self.at, gradients, self.at.group.rows
        out.norm_bias[rows] = g_wt.reshape(-1)
        if self.kind == "layer":
            unit_wt, deviation_wt = _standardised(x_wt)
            unit, deviation = _standardised(at.plus(d, x_wt))
            g_own = g_wt - at.total(gD)  # of the samples that are the wild type here
            out.norm[rows] = (at.total(gD * unit) + g_own * unit_wt).view(-1)
            gd = _standardised_backward(at.times(gD, self.weight), unit, deviation)
            gx = _standardised_backward(g_own * self.weight, unit_wt, deviation_wt)
            return gx + at.total(gd), gd
        rstd = (self.var + NORM_EPS).rsqrt()
        scale = self.weight * rstd
        dot = at.total(gD * d)
        if not self.training:
            out.norm[rows] = ((dot + g_wt * (x_wt - self.mean)) * rstd).view(-1)
            return g_wt * scale, at.times(gD, scale)
        shift = self._mean(at.total(d))
        dot -= g_wt * shift
        out.norm[rows] = (dot * rstd).view(-1)
        mean_dot, mean_g = self._mean(torch.stack([dot, g_wt]))
        slope = scale * rstd.square() * mean_dot
        offset = slope * shift - scale * mean_g
        gd = at.times(gD, scale).sub_(at.times(d, slope)).add_(at.each(offset))
        return torch.zeros_like(x_wt), gd  # g_wt of all processes adds up to nothing

    def _mean(self, sums: Tensor) -> Tensor:
        """Means over all samples, from the sums over this process's."""
        return mean_everywhere(sums / self.samples, self.samples, self.everywhere)


def _standardised(x: Tensor) -> tuple[Tensor, Tensor]:
    """Every row with mean 0 and variance 1, and its deviation before."""
    centred = x - x.mean(1, keepdim=True)
    deviation = (centred.square().mean(1, keepdim=True) + NORM_EPS).sqrt_()
    return centred.div_(deviation), deviation


def _standardised_backward(g: Tensor, unit: Tensor, deviation: Tensor) -> Tensor:
    along = unit * (g * unit).mean(1, keepdim=True)
    return (g - g.mean(1, keepdim=True)).sub_(along).div_(deviation)
