"""Compiles every kernel of a pass for an H100 (`sm_90`), without one: what the interpreter takes
and the compiler refuses is found. Run as a program, since Triton's interpreter is chosen when
kernels are defined; prints a line for each kernel."""

import inspect
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from data_specs.parameters import Model
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.engines import columns_pass
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.gpu import Sizes, launches
from dcell_model.dcell.gpu.launches import Options
from dcell_model.dcell.model import DCell
from tests.hierarchies import random_cell_graph

TARGET = GPUTarget("cuda", 90, 32)
POINTERS = {torch.float32: "*fp32", torch.float64: "*fp64", torch.int32: "*i32",
            torch.int64: "*i64"}  # fmt: skip
compiled: set[Any] = set()


def compile_instead(kernel: Any, *arguments: Any, **options: Any) -> None:
    """In place of a launch: compile for what it was called with."""
    names = list(inspect.signature(kernel.fn).parameters)
    given = dict(zip(names, arguments, strict=False))
    given |= {name: value for name, value in options.items() if name in names}
    signature, constants, aligned = {}, {}, {}
    for place, name in enumerate(names):
        value = given[name]
        if torch.is_tensor(value):
            signature[name] = POINTERS[value.dtype]
            aligned[(place,)] = [["tt.divisibility", 16]]
        elif name.isupper() or value == 1:
            signature[name], constants[name] = "constexpr", value
        else:
            signature[name] = "i32"
    key = kernel.__name__, str(signature), str(constants)
    if key not in compiled:
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
        warps = {"num_warps": options.get("num_warps", 4), "enable_fp_fusion": True}
        made = triton.compile(source, target=TARGET, options=warps)
        assert made.asm["cubin"]
        # What a block of any GPU since Ampere may have.
        assert made.metadata.shared < 99 * 1024, (kernel.__name__, made.metadata.shared)
        compiled.add(key)
        print(kernel.__name__, made.metadata.shared)


def passes(config: Model, options: Options, dtype: torch.dtype, phenotypes: int = 1) -> None:
    """Both passes over a batch, on a CPU: each launch compiles its kernel."""
    graph = random_cell_graph(1)
    model = DCell(graph, config, phenotypes=phenotypes).to(dtype)
    batch = encode_genotypes(graph, [[0], [1, 2], [3]])
    plan = columns_pass.plan_of(model.layout, batch.deleted_sample, batch.deleted_gene, 3)
    room = Sizes.of(plan[-1].tolist()[1:])
    weights = Weights(*(tensor.detach() for tensor in Weights.of(model).to_list()))
    passed = launches.Launches(model.layout, options, weights, (plan[0], plan[1]), room)
    wild, difference, _, _, *saved = passed.forward(weights.bias.clone())
    passed.backward(wild, difference, tuple(saved))


if __name__ == "__main__":
    JITFunction.run = compile_instead
    single, double = torch.float32, torch.float64
    passes(Model(norm_order="norm_act"), Options(True, False, single, False), single)
    passes(Model(norm_order="norm_act"), Options(True, False, single, True), single)
    passes(Model(norm_order="act_norm"), Options(True, False, torch.bfloat16, False), single, 2)
    passes(
        Model(norm_order="act_norm", activation="gelu", gene_input="disruption"),
        Options(True, False, double, False), double,
    )  # fmt: skip
    passes(
        Model(norm_order="norm_act", activation="relu"),
        Options(False, True, torch.float16, False), single,
    )  # fmt: skip
    passes(Model(norm_order="act_norm", norm="none"), Options(False, True, single, False), single)
    launches.rows_at_once = lambda rows: launches.MANY_ROWS  # as in a batch of thousands of samples
    passes(Model(norm_order="norm_act"), Options(True, False, single, False), single)
    passes(Model(norm_order="act_norm"), Options(True, False, double, False), double)
