"""Sends money to one, and to many."""

import asyncio
import os

from soma_sdk import Keypair, SomaClient


async def main():
    client = await SomaClient(chain="localnet")
    sender = Keypair.from_secret_key(os.environ["SOMA_SECRET_KEY"])
    alice, bob, carol = (Keypair.generate() for _ in range(3))

    effects = await client.transfer_coin(sender, alice.address(), 3.0)
    print(f"Transfer: {effects.transaction_digest} {effects.status}")
    print(f"Fee: {effects.transaction_fee.total_fee} shannons")

    await client.pay_coins(
        signer=sender,
        recipients=[alice.address(), bob.address(), carol.address()],
        amounts=[0.5, 1.25, 2],
    )
    for name, keypair in (("alice", alice), ("bob", bob), ("carol", carol)):
        print(f"{name}: {await client.get_balance(keypair.address())}")

    await client.merge_coins(sender)
    coins = await client.list_owned_objects(alice.address(), object_type="coin")
    print(f"alice has {len(coins)} coin(s)")
    await client.transfer_objects(alice, bob.address(), [coins[0].id])
    print(f"bob: {await client.get_balance(bob.address()):.2f}")
    try:
        await client.transfer_coin(carol, bob.address(), 1_000.0)
    except Exception as e:
        print(f"As expected: {e}")


asyncio.run(main())
