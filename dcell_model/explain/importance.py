"""How much a trained model's prediction depends on every term, on held-out samples.

All scores of a term are taken over the samples that touch it: in every other the term is as in the
wild type. So a term does not score high because a screen deletes its genes often; for the share of
the error of all held-out samples multiply by `samples`. A row of the table is a term:

- `term`, `name`, `stratum`, `genes` (contained), `neurons`, `samples` (that touch it)
- `rlipp`, `rlipp_gain`: ratio (null if the inputs' is ≤ 0) and difference of two Spearman
  correlations, `rlipp_own` and `rlipp_inputs`; see `explain.rlipp`
- `head_pearson`: of the prediction of the term's own head and the phenotype
- `ablation`: increase of the root's mean squared error, in squared units of the phenotype, when the
  term's output is held at the wild type's
- `gradient_input`: mean of |Σ gradient · (state − wild type's)|, in units of the phenotype; the
  gradient is the root's with respect to the term's output
- `gradient_input_pearson`: of the same sum, with its sign, and the phenotype
- for `rlipp`, `head_pearson`, `ablation` and `gradient_input`, `_p` and `_fdr`: p-value by
  permutation, and adjusted over the terms of the table (Benjamini and Hochberg)
- `reason`: why the scores are null; null where they are not

Predictions are the calibrated ones. Those of an ensemble are the mean of its members, and so is
what a term adds to them; RLIPP takes the neurons of all members side by side. `ablation_spread`,
`gradient_input_spread` and `head_pearson_spread` are the standard deviations of the members' own
scores, null for a model alone.

What is permuted: for `rlipp` see there (the test is of the gain); for `head_pearson` the phenotypes
of the samples that touch the term; for `ablation` what is left of the phenotypes without the term,
against what the term adds; for `gradient_input` the phenotypes, in a two-sided test of
`gradient_input_pearson`: the size is the model's own, and no phenotype changes it. What one term
adds may be taken back by another, so that either sign counts; the other tests are one-sided.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dcell_model.explain.permutation import false_discovery_rate, p_value, permutations
from dcell_model.explain.rlipp import rlipp
from dcell_model.explain.states import TouchedStates
from dcell_model.predict import FloatArray, IntArray

TESTED = ("rlipp", "head_pearson", "ablation", "gradient_input")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How terms are judged.

    Attributes:
        permutations: N; no p-value is below 1 / (N + 1).
        min_samples: terms that fewer samples touch are not judged.
        seed: of halves and permutations.
        rlipp: whether RLIPP is among the scores, which takes most of the time.
    """

    permutations: int = 200
    min_samples: int = 20
    seed: int = 0
    rlipp: bool = True


def importances(
    members: Sequence[TouchedStates],
    targets: FloatArray,
    scale: tuple[float, float],
    terms: Sequence[int],
    settings: Settings,
    *,
    phenotype: int = 0,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of terms, in their order, without `_fdr`.

    Args:
        members: states of the B held-out samples, of the model or of each member of an ensemble.
        targets: `[B]` measured phenotypes, in their own units.
        scale: `Trained.scale_of` the phenotype.
        terms: which.
        settings: how.
        phenotype: number of the head.
    """
    y = torch.from_numpy(targets.astype(np.float64))
    mean, std = scale
    states = members[0]  # terms and samples are the same for all
    residuals = torch.stack([y - (own.root(phenotype).double() * std + mean) for own in members])
    graph = states.model.graph
    gradients = [_Gradients(own, phenotype) for own in members]
    for term in sorted(set(terms)):
        rows = torch.from_numpy(states.rows[term])
        row: dict[str, Any] = {
            "term": graph.term_ids[term],
            "name": graph.term_names[term],
            "stratum": int(graph.strata[term]),
            "genes": int(graph.genes_contained[term]),
            "neurons": int(states.model.layout.widths[term]),
            "samples": len(rows),
        }
        if len(rows) < max(settings.min_samples, 4):
            yield row | {"reason": f"fewer than {max(settings.min_samples, 4)} samples"}
            continue
        own = y[rows]
        if bool((own == own[0]).all()):
            yield row | {"reason": "all phenotypes equal"}
            continue
        seed = (settings.seed, term)  # a term's numbers do not depend on the others asked for
        orders = permutations(settings.permutations, len(rows), seed)
        if settings.rlipp:
            row |= _rlipp(members, term, own, orders, seed)
        # Of each member [K, n]: its head, what the term adds, and the same by the gradient.
        heads = torch.stack([each.heads(term, phenotype).double() for each in members])
        change = torch.stack([-each.without(term, phenotype).double() * std for each in members])
        parts = torch.stack([
            (gradient.of(term) * each.difference[term]).sum(1).double() * std
            for gradient, each in zip(gradients, members, strict=True)
        ])  # fmt: skip
        row["head_pearson"], row["head_pearson_p"] = _pearson(heads.mean(0), own, orders)
        row |= _ablation(change.mean(0), residuals[:, rows].mean(0), orders)
        part = parts.mean(0)
        row["gradient_input"] = float(part.abs().mean())
        row["gradient_input_pearson"], row["gradient_input_p"] = _pearson(
            part, own, orders, either_sign=True
        )
        if len(members) > 1:
            none = orders[:1]
            alone = {
                "head_pearson": [_pearson(head, own, none)[0] for head in heads],
                "ablation": [
                    _ablation(one, left, none)["ablation"]
                    for one, left in zip(change, residuals[:, rows], strict=True)
                ],
                "gradient_input": [float(each.abs().mean()) for each in parts],
            }
            row |= {
                f"{name}_spread": None if None in values else float(np.std(values, ddof=1))
                for name, values in alone.items()
            }
        yield row


class _Gradients:
    """The gradients of one member, asked for term by term, from the root down."""

    def __init__(self, states: TouchedStates, phenotype: int) -> None:
        self._left = states.gradients(phenotype)
        self._term, self._own = next(self._left)

    def of(self, term: int) -> Tensor:
        """`[n, w]` of a term that samples touch; no earlier term may be asked for again."""
        while self._term < term:
            self._term, self._own = next(self._left)
        return self._own


def table_of(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """The table described above."""
    numbers = ("stratum", "genes", "neurons", "samples")
    scores = ("rlipp", "rlipp_gain", "rlipp_own", "rlipp_inputs")
    floats = [*scores, "rlipp_p", "rlipp_fdr"]
    floats += [f"{name}{part}" for name in TESTED[1:] for part in ("", "_p", "_fdr")]
    floats.append("gradient_input_pearson")
    floats += [f"{name}_spread" for name in TESTED[1:]]
    columns: dict[str, pa.Array] = {}
    for name in ("term", "name"):
        columns[name] = pa.array([row[name] for row in rows], pa.string())
    for name in numbers:
        columns[name] = pa.array([row[name] for row in rows], pa.int64())
    for name in floats:
        if name.endswith("_fdr"):
            p = [row.get(f"{name.removesuffix('_fdr')}_p") for row in rows]
            adjusted = false_discovery_rate([np.nan if value is None else value for value in p])
            columns[name] = pa.array(adjusted, pa.float64(), from_pandas=True)
        else:
            columns[name] = pa.array([row.get(name) for row in rows], pa.float64())
    columns["reason"] = pa.array([row.get("reason") for row in rows], pa.string())
    return pa.table(columns)


def reasons(table: pa.Table) -> dict[str, int]:
    """How many terms have no scores, by reason."""
    return dict(sorted(Counter(filter(None, table["reason"].to_pylist())).items()))


def _rlipp(
    members: Sequence[TouchedStates],
    term: int,
    own: Tensor,
    orders: IntArray,
    seed: tuple[int, int],
) -> dict[str, Any]:
    parts = [members[0].changes[term].double()]
    for states in members:
        for child in states.model.layout.children[term]:
            D = states.difference[child]
            part = own.new_zeros(len(own), D.shape[1])
            part[states.places(child, term)] = D.double()
            parts.append(part)
    random = np.random.default_rng((*seed, 1)).permutation(len(own))
    half = torch.from_numpy(random < len(own) // 2)
    neurons = torch.cat([states.difference[term].double() for states in members], 1)
    found = rlipp(neurons, torch.cat(parts, 1), own, half, orders)
    return {
        "rlipp": found.ratio, "rlipp_gain": found.gain,
        "rlipp_own": found.own, "rlipp_inputs": found.inputs, "rlipp_p": found.p,
    }  # fmt: skip


def _pearson(
    x: Tensor, own: Tensor, orders: IntArray, *, either_sign: bool = False
) -> tuple[float | None, float | None]:
    """Correlation of `[n]` with the phenotype, and its p-value; None for a constant."""
    centred, y = x - x.mean(), own - own.mean()
    size = float(centred.norm() * y.norm())
    if float(centred.norm()) <= 1e-9 * float(x.norm()) or not size:
        return None, None
    observed = float(centred @ y) / size
    permuted = (y[torch.from_numpy(orders)] @ centred / size).numpy()
    if either_sign:
        return observed, p_value(abs(observed), np.abs(permuted))
    return observed, p_value(observed, permuted)


def _ablation(change: Tensor, residual: Tensor, orders: IntArray) -> dict[str, Any]:
    """Increase of the squared error, from contributions of the term and residuals `[n]`.

    With c the contribution of the term and r the residual without it, the residual with it is
    r − c, and the increase is r² − (r − c)² = 2 r c − c².
    """
    r = residual + change
    increase = 2 * (r @ change) - change @ change
    permuted = 2 * (r[torch.from_numpy(orders)] @ change) - change @ change
    p = p_value(float(increase), permuted.numpy())
    return {"ablation": float(increase) / len(r), "ablation_p": p}
