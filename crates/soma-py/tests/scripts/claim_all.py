"""Claims everything that this key can claim."""

import asyncio
import os

from soma_sdk import Keypair, SomaClient


async def main():
    client = await SomaClient(chain="localnet")
    keypair = Keypair.from_secret_key(os.environ["SOMA_SECRET_KEY"])
    sender = keypair.address()
    balance = await client.get_balance(sender)
    print(f"Balance: {balance:.4f} SOMA")
    claimable = await client.get_targets(status="claimable", submitter=sender)
    print(f"Claimable: {len(claimable)}")
    claimed = 0
    for target in claimable:
        try:
            await client.claim_rewards(keypair, target.id)
            claimed += 1
        except Exception as e:
            print(f"Could not claim {target.id}: {e}")
    print(f"Claimed: {claimed}")
    print(f"Gain: {await client.get_balance(sender) - balance:.4f} SOMA")


asyncio.run(main())
