"""Programs that end while results are on their way."""

import signal
import subprocess
import sys
import time

from harness.weights import random_weights

#: With the thread that hands over results left running, about one in twelve was killed at its end.
RUNS = 48
AT_A_TIME = 6

SCRIPT = """
import asyncio
from soma_sdk import SomaClient

async def main():
    client = await SomaClient(rpc_url="{url}")
    address = "0x" + "11" * 32
    for _ in range(3):
        asyncio.ensure_future(client.get_balance(address))
    await client.get_balance(address)

asyncio.run(main())
"""


def test_a_program_that_ends_right_after_a_call_ends_well(localnet):
    script = SCRIPT.format(url=localnet.urls["rpc_url"])
    line = [sys.executable, "-c", script]
    for _ in range(RUNS // AT_A_TIME):
        programs = [subprocess.Popen(line, stderr=subprocess.PIPE) for _ in range(AT_A_TIME)]
        for program in programs:
            _, errors = program.communicate(timeout=120)
            assert program.returncode == 0, f"{program.returncode}: {errors.decode()}"


def test_a_program_may_end_while_another_thread_computes():
    script = (
        "import threading, time, soma_sdk\n"
        "data = bytes(1_000_000)\n"
        "def work():\n"
        "    while True:\n"
        "        soma_sdk.commitment(data), soma_sdk.encrypt_weights(data)\n"
        "for _ in range(4):\n"
        "    threading.Thread(target=work, daemon=True).start()\n"
        "time.sleep(0.2)\n"
    )
    for _ in range(8):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()


def test_ctrl_c_stops_a_local_score(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(random_weights(1))
    script = (
        "import signal, soma_sdk\n"
        # A shell's background jobs ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('begins', flush=True)\n"
        # Minutes of work.
        f"soma_sdk.score_locally([{str(path)!r}] * 255, bytes(1 << 20))\n"
    )
    line = [sys.executable, "-c", script]
    program = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert program.stdout.readline() == "begins\n"
        time.sleep(1)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
    finally:
        program.kill()
        program.wait()
    assert "KeyboardInterrupt" in errors
