"""`dcell serve`: the page and its data over HTTP, for browsers on this machine only.

Whatever a browser has open may send requests to a port of this machine. So the server listens on
the loopback address, takes requests that were addressed to it by that name (another site's name
that was made to resolve to this machine is refused), changes nothing, and lets its page load from
nowhere else.

| path | answer |
|---|---|
| `/`, `/serve.css`, … | the files of `page/` |
| `/plotly.min.js` | what draws, from the package plotly |
| `/api/model` | `view.model_view` as JSON |
| `/api/genotype?gene=A&gene=B` | `view.genotype_view` |
| `/api/term?id=T` | `view.term_view` |
| `/api/genes?text=X` | `view.suggestions` |

An error is JSON too: `{"error": "what is wrong"}`.
"""

import asyncio
import errno
import json
import socket
from collections.abc import Callable
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_specs.errors import InputError
from dcell_model.machine import one_thread
from dcell_model.predict import Trained, open_run
from dcell_model.serve import view

if TYPE_CHECKING:
    from tornado.web import Application

LOOPBACK = "127.0.0.1"
HTTP_PORT = 80  # browsers omit it from the name
MAX_BODY = 1024  # bytes; requests that only read need none
HEADERS = {
    # Plotly writes styles into the page; all else comes from files of this server.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def run(checkpoint: Path, port: int) -> None:
    """Serve the page of a checkpoint until the user interrupts.

    Args:
        checkpoint: of a DCell.
        port: to listen on; 0 takes a free one.

    Raises:
        InputError: the port is taken or may not be used.
        ArtefactError: the checkpoint is damaged, of another version or another model's.
    """
    listening = listen(port)
    with listening, one_thread():
        trained = open_run(checkpoint)
        app = application(trained, str(checkpoint), listening.getsockname()[1])
        print(f"{checkpoint} is at {address(listening)}; Ctrl-C ends it", flush=True)
        try:
            asyncio.run(answer(app, listening))
        except KeyboardInterrupt:
            print()


def listen(port: int) -> socket.socket:
    """A socket that listens on the loopback address.

    Raises:
        InputError: the port is taken or may not be used.
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        known = {errno.EADDRINUSE: "another program uses it", errno.EACCES: "not permitted"}
        if error.errno not in known:
            raise
        raise InputError(
            f"--port {port}: {known[error.errno]}; take another one, or --port 0 for any free one"
        ) from None


def address(listening: socket.socket) -> str:
    """The address at which a browser finds a listening socket."""
    host, port = listening.getsockname()
    return f"http://{host}:{port}/"


async def answer(
    app: "Application", listening: socket.socket, until: asyncio.Event | None = None
) -> None:
    """Answer requests until the event is set, by default for ever."""
    from tornado.httpserver import HTTPServer

    listening.setblocking(False)
    server = HTTPServer(app, max_body_size=MAX_BODY)
    server.add_sockets([listening])
    await (until or asyncio.Event()).wait()
    server.stop()
    await server.close_all_connections()


def application(trained: Trained, title: str, port: int) -> "Application":
    """The routes.

    Args:
        trained: the model.
        title: the page's name for it.
        port: that it listens on, which requests must name.
    """
    import tornado.web

    hosts = [f"{name}:{port}" for name in (LOOPBACK, "localhost")]
    hosts += [LOOPBACK, "localhost"] if port == HTTP_PORT else []

    class Guarded(tornado.web.RequestHandler):
        """Answers requests addressed to it with its headers; others with an error in JSON."""

        def set_default_headers(self) -> None:
            for name, value in HEADERS.items():
                self.set_header(name, value)

        def prepare(self) -> None:
            found = self.request.headers.get_list("Host")
            if len(found) != 1 or found[0].lower() not in hosts:
                self.fail(403, f"this page is at http://{hosts[0]}/, and is not served by another "
                          "name")  # fmt: skip

        def fail(self, status: int, message: str) -> None:
            self.set_status(status)
            self.finish({"error": message})

        def write_error(self, status_code: int, **_: Any) -> None:
            allowed = "; expected GET" if status_code == HTTPStatus.METHOD_NOT_ALLOWED else ""
            self.finish({"error": HTTPStatus(status_code).phrase.lower() + allowed})

    class File(Guarded):
        def initialize(self, kind: str, content: bytes) -> None:
            self.kind, self.content = kind, content

        def get(self) -> None:
            self.set_header("Content-Type", f"{self.kind}; charset=utf-8")
            self.finish(self.content)

    class Answer(Guarded):
        def initialize(self, of: Callable[[tornado.web.RequestHandler], Any]) -> None:
            self.of = of

        def get(self) -> None:
            try:
                answer = json.dumps(self.of(self), allow_nan=False)
            except InputError as error:
                self.fail(400, str(error))
                return
            self.set_header("Content-Type", "application/json; charset=utf-8")
            self.finish(answer)

    class Missing(Guarded):
        def get(self) -> None:
            self.fail(404, "there is nothing here")

    model = view.model_view(trained) | {"title": title}
    view.genotype_view(trained, trained.graph.gene_ids[:1])  # the first one takes seconds
    answers: dict[str, Callable[[tornado.web.RequestHandler], Any]] = {
        "model": lambda _: model,
        "genotype": lambda own: view.genotype_view(trained, own.get_query_arguments("gene")),
        "term": lambda own: view.term_view(trained, own.get_query_argument("id", "")),
        "genes": lambda own: view.suggestions(trained, own.get_query_argument("text", "")),
    }
    files = {name: {"kind": kind, "content": raw} for name, (kind, raw) in page_files().items()}
    return tornado.web.Application(
        [(f"/{name}", File, parts) for name, parts in files.items()]
        + [("/", File, files["index.html"])]
        + [(f"/api/{name}", Answer, {"of": of}) for name, of in answers.items()],
        default_handler_class=Missing,
        log_function=lambda _: None,  # the terminal is not for what browsers ask
    )


def page_files() -> dict[str, tuple[str, bytes]]:
    """Content type and bytes of every file that the page loads, by name."""
    from plotly.offline import get_plotlyjs

    folder = resources.files("dcell_model.serve") / "page"
    files = {
        each.name: (KINDS[Path(each.name).suffix], each.read_bytes())
        for each in folder.iterdir()
        if Path(each.name).suffix in KINDS
    }
    return files | {"plotly.min.js": (KINDS[".js"], get_plotlyjs().encode())}
