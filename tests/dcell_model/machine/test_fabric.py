"""Precision of a run: half precision with a scaler of gradients, and where it is refused."""

import pytest
import torch

from data_specs.errors import InputError
from data_specs.parameters import resolve
from dcell_model.machine import fabric_of, restore_scaler, scaler_state
from tests.half_precision import half_precision_fabric


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize(
    ("precision", "remedy"), [("fp16", "Use bf16 or fp32"), ("tf32", "Use fp32")]
)
def test_precisions_of_gpus_are_refused_on_a_cpu(device: str, precision: str, remedy: str) -> None:
    if device == "auto" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    config = resolve({"train": {"precision": precision, "device": device}}).train
    expected = rf"precision={precision}: found no CUDA device.* {remedy}"
    with pytest.raises(InputError, match=expected):
        fabric_of(config)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_other_precisions_scale_nothing(precision: str) -> None:
    fabric = fabric_of(resolve({"train": {"precision": precision, "device": "cpu"}}).train)
    assert scaler_state(fabric) == {}
    restore_scaler(fabric, {})


def test_the_scale_is_taken_up() -> None:
    config = resolve({}).train
    one, other = half_precision_fabric(config, 512.0), half_precision_fabric(config)
    assert scaler_state(other)["scale"] == 2.0**16
    restore_scaler(other, scaler_state(one))
    assert scaler_state(other)["scale"] == 512.0
    restore_scaler(other, {})
    assert scaler_state(other)["scale"] == 512.0
