"""Stakes to a validator, waits, and takes the stake back."""

import asyncio
import os

from soma_sdk import Keypair, SomaClient


async def main():
    client = await SomaClient(chain="localnet")
    rich = Keypair.from_secret_key(os.environ["SOMA_SECRET_KEY"])
    keypair = Keypair.generate()
    await client.transfer_coin(rich, keypair.address(), 100.0)

    state = await client.get_latest_system_state()
    validator = state.validators.validators[0].metadata.soma_address
    await client.add_stake(keypair, validator, 40.0)
    staked = await client.list_owned_objects(keypair.address(), "staked_soma")
    print(f"Positions: {len(staked)}")

    epoch = (await client.get_latest_system_state()).epoch
    waiting = asyncio.ensure_future(client.wait_for_next_epoch(timeout=60.0))
    await asyncio.sleep(0.2)
    await client.advance_epoch()
    print(f"Epoch {epoch} -> {await waiting}")

    await client.withdraw_stake(keypair, staked[0].id)
    for _ in range(2):
        await client.advance_epoch()
    print(f"Balance: {await client.get_balance(keypair.address()):.1f}")


asyncio.run(main())
