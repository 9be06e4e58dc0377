"""The server answers browsers of this machine, and no one else."""

import fnmatch
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import torch

from data_specs.parameters.sections import resolve
from dcell_model.checkpoint import format as checkpoint
from dcell_model.cli import main
from dcell_model.dcell.model import DCell
from dcell_model.predict.opened_run import open_run
from dcell_model.predict.trained import Trained
from dcell_model.serve import server
from dcell_model.serve.view import genotype_view, model_view, suggestions, term_view
from tests.conftest import CHECKOUT
from tests.dcell_model.serve.conftest import HOSTILE_GENE

PAGE = CHECKOUT / "dcell_model" / "serve" / "page"
Reply = tuple[int, dict[str, str], bytes]


def ask(address: str, path: str, method: str = "GET", **headers: str) -> Reply:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def test_answers_are_those_of_the_view(address: str, trained: Trained) -> None:
    def answer(path: str) -> object:
        status, headers, raw = ask(address, path)
        assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        return json.loads(raw)

    def as_json(value: object) -> object:
        return json.loads(json.dumps(value))

    assert answer("/api/model") == as_json(model_view(trained) | {"title": "a model"})
    pair = [HOSTILE_GENE, "dna, ligase"]
    path = "/api/genotype?" + "&".join(f"gene={quote(name)}" for name in pair)
    assert answer(path) == as_json(genotype_view(trained, pair))
    assert answer("/api/genotype") == as_json(genotype_view(trained, []))
    assert answer("/api/term?id=GO:0000007") == term_view(trained, "GO:0000007")
    assert answer("/api/genes?text=abc") == suggestions(trained, "abc")


def test_every_file_of_the_page(address: str) -> None:
    names = {path.name for path in PAGE.iterdir()}
    for name in {"", "plotly.min.js", *names}:
        status, headers, raw = ask(address, f"/{name}")
        assert status == 200
        assert headers["Content-Type"].split(";")[0] == server.KINDS[Path(name or "x.html").suffix]
        assert name not in names or raw == (PAGE / name).read_bytes()
    patterns = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["setuptools"]
    (pattern,) = patterns["package-data"]["dcell_model.serve"]
    assert all(fnmatch.fnmatch(f"page/{name}", pattern) for name in names)  # a wheel has them


def test_the_page_has_no_code_and_fetches_nothing_from_elsewhere() -> None:
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"\son\w+=|<style|\sstyle=|<script[^>]*>[^<]", index)
    fetched = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"([^\"]+)\"", index)
    assert set(fetched) == {"icon.svg", "serve.css", "plotly.min.js", "serve.js"}
    for path in PAGE.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        unsafe = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
        assert not re.findall(unsafe, text), path
        assert len(text.splitlines()) <= 350, path


@pytest.mark.parametrize(
    ("path", "method", "status", "message"),
    [
        ("/api/nothing", "GET", 404, "there is nothing here"),
        ("/../pyproject.toml", "GET", 404, "there is nothing here"),
        ("/%2e%2e/view.py", "GET", 404, "there is nothing here"),
        ("/api/term?id=GO:1", "GET", 400, "the hierarchy has no term 'GO:1'"),
        ("/api/term", "GET", 400, "the hierarchy has no term ''"),
        ("/api/genotype?" + "&".join(f"gene=G{n}" for n in range(51)), "GET", 400,
         "51 genes; the page takes 50 at most"),
        ("/api/genotype?gene=" + "x" * 101, "GET", 400, "has 101 characters"),
        ("/api/genotype?gene=%ff", "GET", 400, "bad request"),
        *(("/api/genotype?gene=YAL001C", method, 405, "expected GET")
          for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")),
        ("/", "POST", 405, "expected GET"),
        ("/nothing", "POST", 405, "expected GET"),
    ],
)  # fmt: skip
def test_errors_are_json(address: str, path: str, method: str, status: int, message: str) -> None:
    found, headers, raw = ask(address, path, method)
    assert found == status
    assert message in json.loads(raw)["error"]
    assert server.HEADERS.items() <= headers.items()


def test_headers(address: str) -> None:
    for path in ("/", "/serve.js", "/api/model"):
        _, headers, _ = ask(address, path)
        assert server.HEADERS.items() <= headers.items()
    policy = server.HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src" not in policy  # as default-src: no inline script, no eval
    assert ask(address, "/", "HEAD")[0] == 405


def test_only_its_own_name_is_answered(address: str) -> None:
    port = urlsplit(address).port
    for name in (f"localhost:{port}", f"LOCALHOST:{port}", f"127.0.0.1:{port}"):
        assert ask(address, "/api/model", Host=name)[0] == 200
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost",
                 f"localhost.evil.example:{port}", f"0.0.0.0:{port}", f"[::1]:{port}"):  # fmt: skip
        for path in ("/", "/api/model", "/nothing"):
            status, headers, raw = ask(address, path, Host=name)
            assert status == 403
            assert f"this page is at {address}/" in json.loads(raw)["error"]
            assert server.HEADERS.items() <= headers.items()


def test_a_request_without_a_name_is_refused(address: str) -> None:
    at = urlsplit(address)
    for lines in ("GET /api/model HTTP/1.0", f"GET /api/model HTTP/1.1\r\nHost: {at.netloc}\r\n"
                  "Host: evil.example\r\nConnection: close"):  # fmt: skip
        with socket.create_connection((at.hostname, at.port), timeout=10) as connection:
            connection.sendall(f"{lines}\r\n\r\n".encode())
            assert connection.makefile("rb").readline().split()[1] in (b"400", b"403")


def test_it_listens_on_loopback_only(address: str) -> None:
    with server.listen(0) as listening:
        assert listening.family == socket.AF_INET
        assert listening.getsockname()[0] == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):  # so not on all addresses
        socket.create_connection(("127.0.0.2", urlsplit(address).port), timeout=5)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Path:
    return save(trained.members[0], tmp_path_factory.mktemp("serve") / "checkpoint.pt")


def save(model: DCell, path: Path, **sections: dict[str, object]) -> Path:
    parameters = resolve({"model": {"width_min": 3}, **sections})
    scale = (torch.zeros(2), torch.ones(2))
    checkpoint.save(checkpoint.describe(model, parameters, ("a", "b"), scale, 1, {}), path)
    return path


def test_a_port_that_is_taken(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with server.listen(0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(SystemExit) as stop:
            main(["serve", "--checkpoint", str(saved), "--port", str(port)])
    assert stop.value.code == 1
    assert capsys.readouterr().err == (
        f"error: --port {port}: another program uses it; take another one, or --port 0 for any "
        "free one\n"
    )


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_what_is_no_port(saved: Path, capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", "--checkpoint", str(saved), "--port", port])
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: --port is {port if port != 'http' else repr(port)}; expected")


def test_checkpoints_that_cannot_be_served(
    tmp_path: Path, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged.pt").write_bytes(b"no checkpoint")
    save(trained.members[0], tmp_path / "dango.pt", train={"model": "dango"})
    for name, message in (("missing.pt", "no such checkpoint"), ("damaged.pt", "is a text file"),
                          ("dango.pt", "of a dango model")):  # fmt: skip
        with pytest.raises(SystemExit) as stop:
            main(["serve", "--checkpoint", str(tmp_path / name), "--port", "0"])
        assert stop.value.code == 1
        printed = capsys.readouterr()
        assert message in printed.err
        assert len(printed.err.splitlines()) == 1
        assert printed.out == ""


def test_ctrl_c_ends_it_quietly(saved: Path) -> None:
    command = [sys.executable, "-m", "dcell_model.cli", "serve", "--checkpoint", str(saved)]
    with subprocess.Popen(
        [*command, "--port", "0"], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        found = re.fullmatch(r"(\S+) is at (\S+)/; Ctrl-C ends it\n", process.stdout.readline())
        assert found
        assert found[1] == str(saved)
        answer = json.loads(ask(found[2], "/api/genotype?gene=YAL001C")[2])
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=20)
        finally:  # or the end of the block waits for it for ever
            process.kill()
    assert (process.returncode, errors) == (0, "")
    expected = open_run(saved).predict(np.array([[1]]))[0]
    assert answer["predicted"] == pytest.approx(expected.tolist())
