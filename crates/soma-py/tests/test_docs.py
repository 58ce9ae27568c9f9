"""Every snippet of docs/python.md, in order, as a reader would run them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import soma_sdk
from harness.localnet import LIMIT, Localnet

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "python.md"
FENCE = re.compile(r"^```(\w+) ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Snippet:
    language: str
    #: What the fence says after the language, such as `flax`.
    tag: str
    text: str
    line: int


def snippets() -> list[Snippet]:
    text = GUIDE.read_text()
    return [Snippet(*m.groups(), text[: m.start()].count("\n") + 2) for m in FENCE.finditer(text)]


async def run_python(snippet: Snippet, names: dict) -> None:
    # Lines of a traceback are those of the guide.
    source = "\n" * (snippet.line - 1) + snippet.text
    code = compile(source, str(GUIDE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.isawaitable(result):
        await result


def run_shell(snippet: Snippet, network: Localnet, folder: Path) -> None:
    path = os.pathsep.join([str(network.soma.parent), str(Path(sys.executable).parent)])
    environment = {**os.environ, "PATH": path + os.pathsep + os.environ["PATH"]}
    environment["SOMA_CONFIG_DIR"] = str(network.folder / "settings")
    line = ["bash", "-euc", snippet.text]
    done = subprocess.run(
        line, env=environment, cwd=folder, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, f"line {snippet.line}: {done.stdout}{done.stderr}"


async def read_guide(with_flax: bool) -> dict:
    """Runs all snippets; the variables at the end."""
    names: dict = {"__name__": "guide"}
    folder = Path.cwd()
    with Localnet() as network:
        for name, url in network.urls.items():
            os.environ[f"SOMA_{name.upper()}"] = url
        for snippet in snippets():
            if snippet.tag == "localnet":
                # The network above is one, with other ports.
                assert snippet.text.split()[:3] == ["soma", "start", "localnet"]
            elif snippet.tag == "install":
                run_shell(snippet, network, ROOT)
            elif snippet.language == "sh":
                run_shell(snippet, network, folder)
            elif snippet.language == "python" and (with_flax or snippet.tag != "flax"):
                await run_python(snippet, names)
        names["server"].shutdown()
    return names


def check(names: dict, output: str) -> None:
    assert float(re.search(r"^earned (\S+) SOMA", output, re.MULTILINE)[1]) > 0
    assert "something else" not in output and "TargetAlreadyClaimed 0x" in output
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")
    assert names["review"].hits == 1


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """An empty folder, and an environment that is put back."""
    monkeypatch.chdir(tmp_path)
    for name in ("RPC", "FAUCET", "SCORING", "ADMIN"):
        monkeypatch.setenv(f"SOMA_{name}_URL", "")


def test_every_snippet_of_the_guide_runs(reader, capfd):
    names = asyncio.run(read_guide(with_flax=False))
    check(names, capfd.readouterr().out)


@pytest.mark.flax
def test_every_snippet_of_the_guide_runs_with_weights_from_flax(reader, capfd):
    names = asyncio.run(read_guide(with_flax=True))
    check(names, capfd.readouterr().out)


def test_the_guide_has_only_snippets_that_are_run():
    known = {("python", ""), ("python", "flax"), ("sh", ""), ("sh", "localnet"), ("sh", "install")}
    found = snippets()
    assert {(one.language, one.tag) for one in found} == known
    fences = [line for line in GUIDE.read_text().splitlines() if line.startswith("```")]
    assert len(fences) == 2 * len(found)


def test_errors_that_the_guide_names_are_classes():
    table = GUIDE.read_text().partition("## Errors")[2].partition("## What is different")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in row.split(", ")]
    assert len(named) > 10
    for name in named:
        error = getattr(soma_sdk, name.strip("`"))
        assert issubclass(error, soma_sdk.SomaError) and issubclass(error, RuntimeError)
