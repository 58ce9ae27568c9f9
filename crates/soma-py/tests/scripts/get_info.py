"""Prints what the network is like."""

import asyncio

from soma_sdk import SomaClient


async def main():
    client = await SomaClient(chain="localnet")
    await client.check_api_version()
    print(f"Chain: {await client.get_chain_identifier()}")
    print(f"Server version: {await client.get_server_version()}")
    print(f"Protocol version: {await client.get_protocol_version()}")
    print(f"Architecture version: {await client.get_architecture_version()}")
    print(f"Embedding dim: {await client.get_embedding_dim()}")
    min_stake = await client.get_model_min_stake()
    print(f"Model min stake: {SomaClient.to_soma(min_stake)} SOMA")
    state = await client.get_latest_system_state()
    print(f"Epoch: {state.epoch}")
    print(f"Emission per epoch: {SomaClient.to_soma(state.emission_pool.emission_per_epoch)}")
    for validator in state.validators.validators:
        print(f"Validator: {validator.metadata.soma_address} {validator.voting_power}")
    checkpoint = await client.get_latest_checkpoint()
    print(f"Checkpoint: {checkpoint.data.sequence_number}")
    for model in await client.get_active_models():
        print(f"Model {model.model_id}: {model.stake:.2f} SOMA, {model.commission_rate} bps")
    targets = await client.get_targets(status="open")
    print(f"Open targets: {len(targets)}")


asyncio.run(main())
