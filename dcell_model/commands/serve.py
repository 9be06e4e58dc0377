"""The command `dcell serve`."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from data_specs.command_line import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """Serve a local web page that shows a model's prediction for genes that you pick.

    Only browsers on this machine can open it. It shows the prediction, and in the hierarchy how far
    each subsystem's state is from that of the wild type. Ctrl-C ends it. From another machine:
    ssh -L 8765:localhost:8765 HOST, then http://localhost:8765/

    Examples:
      dcell serve --checkpoint runs/first/checkpoint.pt
      dcell serve --checkpoint runs/first/checkpoint.pt --port 0
    """

    checkpoint: Checkpoint
    port: Annotated[int, Ge(0), Le(65535), "0 takes a free one"] = 8765

    def __call__(self) -> None:
        from dcell_model.serve import server

        server.run(self.checkpoint, self.port)
