"""Pre-training: the loss is the plain one, and it falls."""

from dataclasses import replace

import pytest
import torch

from data_specs.errors import InputError
from dcell_model.graph_models.dango.pretraining import Decoder, pretrain, reconstruction_loss
from tests.dcell_model.graph_models.networks import SMALL, random_networks, small_model


@pytest.mark.parametrize("zero_weight", [0.0, 0.1, 1.0])
def test_the_loss_without_writing_out_all_pairs(zero_weight: float) -> None:
    torch.manual_seed(0)
    networks = random_networks()
    pairs, weights = torch.from_numpy(networks.edges["n0"]).T, networks.weights["n0"]
    edges = torch.cat([pairs, pairs.flip(0)], dim=1)
    weight = torch.from_numpy(weights).double().repeat(2)
    decoder = Decoder(networks.num_genes, 4, 0.3).double()
    decoder.bias.data.normal_()
    z = torch.randn(networks.num_genes, 4).double().requires_grad_()
    wanted = torch.zeros(networks.num_genes, networks.num_genes).double()
    wanted[edges[0], edges[1]] = weight
    importance = torch.where(wanted > 0, 1.0, zero_weight)
    plain = (importance * (decoder(z) - wanted).square()).sum() / wanted.square().sum()
    fast = reconstruction_loss(z, decoder, edges, weight, zero_weight)
    torch.testing.assert_close(fast, plain)
    for a, b in zip(
        torch.autograd.grad(fast, [z, *decoder.parameters()]),
        torch.autograd.grad(plain, [z, *decoder.parameters()]),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_an_empty_guess_is_one() -> None:
    edges, weight = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0.5, 0.5])
    decoder = Decoder(3, 2)
    loss = reconstruction_loss(torch.zeros(3, 2), decoder, edges, weight, 1.0)
    assert loss.item() == 1.0


@pytest.mark.parametrize("encoder", ["sage", "gin"])
def test_it_reduces_the_error_of_every_network(encoder: str) -> None:
    torch.manual_seed(0)
    model = small_model(replace(SMALL, encoder=encoder))  # type: ignore[arg-type]
    account = pretrain(model)
    assert account["steps"] == 100
    for name in ("n0", "n1"):
        assert account["networks"][name]["after"] < 0.8 * account["networks"][name]["before"]
    assert account["networks"]["n2"] == {
        "before": 0.0, "after": 0.0, "zero_weight": 1.0,  # it has no edges
    }  # fmt: skip
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_steps_change_nothing() -> None:
    model = small_model(replace(SMALL, pretrain_steps=0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pretrain(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_each_network_has_its_own_weight_of_absent_edges() -> None:
    config = replace(SMALL, incomplete=("n1",), incomplete_zero_weight=0.1, pretrain_steps=0)
    networks = pretrain(small_model(config))["networks"]
    assert [networks[name]["zero_weight"] for name in ("n0", "n1", "n2")] == [1.0, 0.1, 1.0]
    with pytest.raises(InputError, match=r"dango\.incomplete: no network 'x'; it has n0, n1, n2"):
        small_model(replace(SMALL, incomplete=("x",)))


def test_the_mean_over_all_pairs_is_what_is_learnt() -> None:
    """The published loss is the relative one of each network, times a number of its own."""
    torch.manual_seed(0)
    config = replace(SMALL, reconstruction="mean", pretrain_steps=60)
    account = pretrain(small_model(config))
    torch.manual_seed(0)
    relative = pretrain(small_model(replace(SMALL, pretrain_steps=60)))
    for name in ("n0", "n1"):
        own, other = account["networks"][name], relative["networks"][name]
        assert own["before"] == other["before"]
        assert own["after"] < 0.9 * own["before"]
        assert own["after"] != other["after"]
