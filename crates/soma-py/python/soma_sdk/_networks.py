"""Which network a client is of: arguments, environment, settings, presets."""

import os
from urllib.parse import urlsplit

from soma_sdk import _arguments as arguments
from soma_sdk import _native

LOCALNET = {
    "rpc_url": "http://127.0.0.1:9000",
    "faucet_url": "http://127.0.0.1:9123",
    "scoring_url": "http://127.0.0.1:9124",
    "admin_url": "http://127.0.0.1:9125",
}


def urls(chain, given):
    """The URLs of a network's services by name; None for what there is none of.

    What is given wins. The rest comes from SOMA_RPC_URL, SOMA_FAUCET_URL, SOMA_SCORING_URL and
    SOMA_ADMIN_URL, then from the environment of that name in the command line's settings, then
    from the preset.
    """
    given = {name: url for name, url in given.items() if url is not None}
    for name, url in given.items():
        arguments.text(name, url)
    variables = _variables()
    if chain is None:
        if "rpc_url" in given:
            # Another network's faucet or admin routes would be of no use.
            scoring = {name: url for name, url in variables.items() if name == "scoring_url"}
            return {**dict.fromkeys(LOCALNET), **scoring, **given}
        if "rpc_url" not in variables:
            raise ValueError(
                "Either rpc_url or chain must be provided (or SOMA_RPC_URL set in the environment)"
            )
        return {**dict.fromkeys(LOCALNET), **variables, **given}
    arguments.text("chain", chain)
    if "rpc_url" in given or "faucet_url" in given:
        raise ValueError(f'Cannot provide rpc_url or faucet_url when chain="{chain}"')
    if chain == "localnet":
        # The services of a node elsewhere are not those of this machine.
        is_here = is_on_this_machine(variables.get("rpc_url", LOCALNET["rpc_url"]))
        preset = LOCALNET if is_here else dict.fromkeys(LOCALNET)
        return {**preset, **variables, **given}
    if chain != "testnet":
        raise ValueError(f'Unknown chain "{chain}": use "localnet" or "testnet"')
    settings = _native.network_settings(chain) or {}
    found = {**dict.fromkeys(LOCALNET), **settings, **variables, **given}
    if found["rpc_url"] is None:
        raise ValueError(
            'chain="testnet": no URL is known; set SOMA_RPC_URL in the environment, or run '
            "`soma env new testnet --rpc URL`"
        )
    return found


def _variables():
    found = {}
    for name in LOCALNET:
        url = os.environ.get(f"SOMA_{name.upper()}", "").strip()
        if url:
            found[name] = arguments.url(f"SOMA_{name.upper()}", url)
    return found


def is_on_this_machine(url):
    """True for the URL of a service on this machine."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or host.startswith("127.") or host == "::1"
