"""The client."""

from soma_sdk import _helpers as helpers
from soma_sdk import _native, _networks
from soma_sdk._calls.models import ModelCalls
from soma_sdk._calls.network import NetworkCalls
from soma_sdk._calls.services import ServiceCalls
from soma_sdk._calls.stake import StakeCalls
from soma_sdk._calls.targets import TargetCalls
from soma_sdk._calls.validators import ValidatorCalls


class SomaClient(NetworkCalls, StakeCalls, ModelCalls, TargetCalls, ServiceCalls, ValidatorCalls):
    """A client of one network. `await SomaClient(...)` gives it when the node has answered.

    Any number of calls may run at the same time, from any number of threads and event loops.
    Cancelling a task stops waiting; a transaction that was sent may still be executed.
    """

    def __init__(
        self,
        rpc_url=None,
        scoring_url=None,
        admin_url=None,
        faucet_url=None,
        chain=None,
    ):
        given = {
            "rpc_url": rpc_url,
            "faucet_url": faucet_url,
            "scoring_url": scoring_url,
            "admin_url": admin_url,
        }
        urls = _networks.urls(chain, given)
        self._native = _native.Client(
            urls["rpc_url"], urls["faucet_url"], urls["scoring_url"], urls["admin_url"]
        )
        self._is_local = _networks.is_on_this_machine(urls["rpc_url"])
        self._rpc_url = urls["rpc_url"]

    def __await__(self):
        return self._ready().__await__()

    async def _ready(self):
        await self._native.chain_info()
        return self

    def __repr__(self):
        return f"SomaClient(rpc_url={self._rpc_url!r})"

    # Helpers that need no network; also functions of the module.

    encrypt_weights = staticmethod(helpers.encrypt_weights)
    decrypt_weights = staticmethod(helpers.decrypt_weights)
    encrypt_weights_file = staticmethod(helpers.encrypt_weights_file)
    decrypt_weights_file = staticmethod(helpers.decrypt_weights_file)
    commitment = staticmethod(helpers.commitment)
    commitment_file = staticmethod(helpers.commitment_file)
    to_shannons = staticmethod(helpers.to_shannons)
    to_soma = staticmethod(helpers.to_soma)
    model_manifest = staticmethod(helpers.model_manifest)
    sigreg_noise = staticmethod(helpers.sigreg_noise)
    tokenize = staticmethod(helpers.tokenize)
    score_locally = staticmethod(helpers.score_locally)
