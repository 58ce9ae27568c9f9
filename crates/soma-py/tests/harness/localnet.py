"""A whole network in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import soma_sdk

#: The longest that a start or a stop may take, in seconds; both cores may be busy.
LIMIT = 120
#: The services that a client knows, as arguments of `SomaClient` and as keys of the network's JSON.
SERVICES = ("rpc_url", "faucet_url", "scoring_url", "admin_url")
#: Their usual ports, which `chain="localnet"` stands for, and that of the blob server.
USUAL_PORTS = {"fullnode-rpc": 9000, "faucet": 9123, "scorer": 9124, "admin": 9125, "blobs": 9126}


class Localnet:
    """`soma start localnet` with a real scorer and the smallest model."""

    def __init__(self, usual_ports: bool = False, scorer: bool = True):
        self._folder = tempfile.TemporaryDirectory(prefix="soma-python-")
        self.folder = Path(self._folder.name)
        self.soma = Path(os.environ["SOMA_BIN"])
        self.usual_ports = usual_ports
        line = [self.soma, "start", "localnet", "--json", "--force-regenesis"]
        line += ["--model-size", "small", "--log-level", "error"]
        for name, port in USUAL_PORTS.items():
            if name == "scorer" and not scorer:
                line += ["--no-scorer"]
            else:
                line += [f"--{name}-port", str(port if usual_ports else 0)]
        environment = {**os.environ, "SOMA_CONFIG_DIR": str(self.folder / "settings")}
        self.process = subprocess.Popen(
            line,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.about = json.loads(self._first_line())
            self.keys = json.loads((Path(self.about["data_dir"]) / "keys.json").read_text())
        except BaseException:
            self.stop()
            raise

    def _first_line(self) -> str:
        # A network that hangs must not hang the tests.
        timer = threading.Timer(LIMIT, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        assert line, f"the localnet ended or said nothing within {LIMIT} s"
        return line

    @property
    def urls(self) -> dict[str, str]:
        """Arguments of `SomaClient`: the services that there are."""
        urls = {name: self.about[name.replace("scoring", "scorer")] for name in SERVICES}
        return {name: url for name, url in urls.items() if url}

    @property
    def environment(self) -> dict[str, str]:
        """What a script needs to know of this network."""
        urls = {f"SOMA_{name.upper()}": url for name, url in self.urls.items()}
        return {**urls, "SOMA_SECRET_KEY": self.account(0).to_secret_key()}

    def client(self):
        """An awaitable client of all services."""
        return soma_sdk.SomaClient(**self.urls)

    def account(self, number: int) -> soma_sdk.Keypair:
        """A key with a lot of money."""
        return soma_sdk.Keypair.from_secret_key(self.keys["accounts"][number])

    def validator(self) -> soma_sdk.Keypair:
        """The key of the only validator."""
        return soma_sdk.Keypair.from_secret_key(self.keys["validators"][0])

    def stop(self) -> None:
        """Ends it as Ctrl-C does; fails when it does not end well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        self.process.stdout.close()
        self._folder.cleanup()
        assert self.process.returncode == 0, f"the localnet ended with {self.process.returncode}"

    def __enter__(self) -> Localnet:
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def usual_ports_are_free() -> bool:
    """True when a network can have the ports that `chain="localnet"` stands for."""
    with contextlib.ExitStack() as stack:
        for port in USUAL_PORTS.values():
            probe = stack.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
