"""Asks the faucet for money."""

import asyncio

from soma_sdk import Keypair, SomaClient


async def main():
    client = await SomaClient(chain="localnet")
    keypair = Keypair.generate()
    print(f"Address: {keypair.address()}")
    response = await client.request_faucet(keypair.address())
    print(f"Status: {response.status}")
    for coin in response.coins_sent:
        print(f"  {SomaClient.to_soma(coin.amount)} SOMA ({coin.id}) in {coin.transfer_tx_digest}")
    balance = await client.get_balance(keypair.address())
    print(f"Balance: {balance:.4f} SOMA")


asyncio.run(main())
