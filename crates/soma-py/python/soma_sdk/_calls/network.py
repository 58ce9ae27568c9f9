"""The network as a whole: versions, state, epochs, blocks."""

import asyncio

from soma_sdk import _arguments as arguments
from soma_sdk import _native
from soma_sdk import _numbers as numbers
from soma_sdk import _views as views
from soma_sdk._calls.base import PAGE, Calls


class NetworkCalls(Calls):
    """What the network is and how it is now."""

    async def get_chain_identifier(self):
        """Name of the chain, such as `localnet`."""
        return (await self._native.chain_info())["chain"]

    async def get_server_version(self):
        """Name and version of the node's program."""
        version = (await self._native.chain_info())["server_version"]
        return version if "/" in version else f"soma-node/{version}"

    async def get_protocol_version(self):
        """Version of the protocol parameters."""
        return (await self._native.chain_info())["protocol_version"]

    async def get_architecture_version(self):
        """Version of the models' architecture."""
        return (await self._parameters())["model_architecture_version"]

    async def get_embedding_dim(self):
        """Numbers of an embedding."""
        return (await self._parameters())["target_embedding_dim"]

    async def get_model_min_stake(self):
        """The least first stake of a model, in shannons."""
        return (await self._parameters())["model_min_stake"]

    async def check_api_version(self):
        """Raises `ApiVersionMismatch` when the node speaks another version of the API."""
        server = (await self._native.chain_info())["api_version"]
        if server != _native.API_VERSION:
            raise _native.ApiVersionMismatch(
                f"Client/Server api version mismatch, client api version: {_native.API_VERSION}, "
                f"server api version: {server}"
            )

    async def get_latest_system_state(self):
        """The system state: epoch, validators, parameters, models, targets, money."""
        system, parameters, supply, validators, models = await asyncio.gather(
            self._native.system(),
            self._native.parameters(),
            self._native.supply(),
            self._all(lambda cursor: self._native.validators(None, cursor)),
            self._all(lambda cursor: self._native.models(None, None, True, PAGE, cursor)),
        )
        return views.system_state(system, parameters, supply, validators, models)

    async def get_epoch(self, epoch=None):
        """An epoch, or the current one."""
        if epoch is not None:
            epoch = arguments.whole("epoch", epoch)
        return views.epoch(await self._native.epoch(epoch))

    async def wait_for_next_epoch(self, timeout=120.0):
        """Waits until the current epoch is over; gives the next. `timeout` is in seconds."""
        timeout = numbers.number("timeout", timeout)
        if not 0 <= timeout <= 1e9:
            raise ValueError(f"timeout: must be from 0 to 1e9 seconds, got {timeout}")
        return (await self._native.wait_for_next_epoch(timeout))["epoch"]

    async def get_next_epoch_timestamp(self):
        """When the current epoch ends, in milliseconds since 1970."""
        return await self._epoch_start_after(1)

    async def get_following_epoch_timestamp(self):
        """When the epoch after the current one ends, in milliseconds since 1970."""
        return await self._epoch_start_after(2)

    async def _epoch_start_after(self, epochs):
        system, parameters = await asyncio.gather(self._native.system(), self._parameters())
        return system["epoch_start_ms"] + epochs * parameters["epoch_duration_ms"]

    async def get_latest_checkpoint(self):
        """The newest block as a certified checkpoint summary."""
        return views.checkpoint(await self._native.block())

    async def get_checkpoint_summary(self, sequence_number):
        """A block by its height, as a certified checkpoint summary."""
        height = arguments.whole("sequence_number", sequence_number)
        return views.checkpoint(await self._native.block(height))

    async def get_transaction(self, digest):
        """Effects of an executed transaction."""
        return views.effects(await self._native.receipt(arguments.text("digest", digest)))

    async def simulate_transaction(self, transaction_data):
        """Effects that a transaction would have now. Nothing is executed, nothing paid."""
        data = arguments.data("transaction_data", transaction_data)
        return views.effects(await self._native.simulate(data))

    async def execute_transaction(self, transaction):
        """Sends what `Keypair.sign` gave, and waits until it is in a block."""
        data = arguments.data("transaction", transaction)
        return views.effects(await self._native.execute_signed(data))
