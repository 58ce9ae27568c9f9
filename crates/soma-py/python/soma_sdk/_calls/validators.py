"""What validators do."""

from soma_sdk import _arguments as arguments
from soma_sdk import _views as views
from soma_sdk._calls.base import Calls


class ValidatorCalls(Calls):
    """Joining and leaving the committee, metadata, reports."""

    async def proof_of_possession(self, consensus_key, address):
        """What `add_validator` wants: the consensus key's signature over chain and address."""
        arguments.keypair("consensus_key", consensus_key)
        address = arguments.address("address", address)
        return await self._native.proof_of_possession(consensus_key, address)

    async def add_validator(
        self,
        signer,
        pubkey_bytes,
        network_pubkey_bytes,
        worker_pubkey_bytes,
        proof_of_possession,
        net_address,
        p2p_address,
        primary_address,
        proxy_address,
        commission_rate=0,
        name="",
    ):
        """Applies to join the committee, and stakes 1 SOMA of the signer's with it.

        `pubkey_bytes` is the compressed secp256k1 key of the votes, 33 bytes. There are no other
        keys here: those of network and worker may be empty, or the same key. `net_address` is
        where clients reach the RPC, `p2p_address` where validators connect; `primary_address` is
        empty or the same. Addresses are texts, or texts in BCS encoding.
        """
        arguments.keypair("signer", signer)
        key = arguments.data("pubkey_bytes", pubkey_bytes)
        for argument, value in (
            ("network_pubkey_bytes", network_pubkey_bytes),
            ("worker_pubkey_bytes", worker_pubkey_bytes),
        ):
            if arguments.data(argument, value) not in (b"", key):
                raise ValueError(
                    f"{argument}: validators of this network have one key; give the one of "
                    "pubkey_bytes, or no bytes"
                )
        p2p_address = arguments.peer_address("p2p_address", p2p_address)
        if arguments.encoded_text("primary_address", primary_address) not in ("", p2p_address):
            raise ValueError(
                "primary_address: validators of this network connect at their p2p_address; give "
                "the same, or an empty text"
            )
        return views.effects(
            await self._native.add_validator(
                signer,
                key,
                arguments.data("proof_of_possession", proof_of_possession),
                arguments.encoded_text("net_address", net_address),
                p2p_address,
                arguments.encoded_text("proxy_address", proxy_address),
                arguments.text("name", name),
                arguments.basis_points("commission_rate", commission_rate),
            )
        )

    async def remove_validator(self, signer, pubkey_bytes=None):
        """Leaves the committee at the end of the epoch, or withdraws an application."""
        arguments.keypair("signer", signer)
        if pubkey_bytes is not None:
            arguments.data("pubkey_bytes", pubkey_bytes)
        return views.effects(await self._native.remove_validator(signer))

    async def update_validator_metadata(
        self,
        signer,
        next_epoch_network_address=None,
        next_epoch_p2p_address=None,
        next_epoch_primary_address=None,
        next_epoch_proxy_address=None,
        next_epoch_protocol_pubkey=None,
        next_epoch_worker_pubkey=None,
        next_epoch_network_pubkey=None,
        next_epoch_proof_of_possession=None,
        name=None,
    ):
        """Changes metadata from the next epoch on; what is absent stays."""
        arguments.keypair("signer", signer)
        for argument, value in (
            ("next_epoch_primary_address", next_epoch_primary_address),
            ("next_epoch_worker_pubkey", next_epoch_worker_pubkey),
            ("next_epoch_network_pubkey", next_epoch_network_pubkey),
        ):
            if value is not None:
                raise ValueError(
                    f"{argument}: validators of this network have one key and one address for "
                    "each other; use next_epoch_protocol_pubkey or next_epoch_p2p_address"
                )

        def text(argument, value):
            return None if value is None else arguments.encoded_text(argument, value)

        def peer(argument, value):
            return None if value is None else arguments.peer_address(argument, value)

        def data(argument, value):
            return None if value is None else arguments.data(argument, value)

        return views.effects(
            await self._native.update_validator_metadata(
                signer,
                text("next_epoch_network_address", next_epoch_network_address),
                peer("next_epoch_p2p_address", next_epoch_p2p_address),
                text("next_epoch_proxy_address", next_epoch_proxy_address),
                data("next_epoch_protocol_pubkey", next_epoch_protocol_pubkey),
                data("next_epoch_proof_of_possession", next_epoch_proof_of_possession),
                None if name is None else arguments.text("name", name),
            )
        )

    async def set_validator_commission_rate(self, signer, new_rate):
        """Changes this validator's commission, in basis points, from the next epoch on."""
        arguments.keypair("signer", signer)
        rate = arguments.basis_points("new_rate", new_rate)
        return views.effects(await self._native.set_validator_commission(signer, rate))

    async def report_validator(self, signer, reportee):
        """As a validator, reports another that does not do its work."""
        arguments.keypair("signer", signer)
        reportee = arguments.address("reportee", reportee)
        return views.effects(await self._native.report_validator(signer, reportee, False))

    async def undo_report_validator(self, signer, reportee):
        """Takes a report of a validator back."""
        arguments.keypair("signer", signer)
        reportee = arguments.address("reportee", reportee)
        return views.effects(await self._native.report_validator(signer, reportee, True))
