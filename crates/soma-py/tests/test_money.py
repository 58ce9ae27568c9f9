"""Payments, coins and stake."""

import base64
import json
import os
import subprocess

import pytest
import soma_sdk
from soma_sdk import Keypair, SomaClient


async def test_a_transfer_moves_soma_and_costs_a_fee(client, funded):
    keypair, recipient = await funded(5), Keypair.generate().address()
    effects = await client.transfer_coin(signer=keypair, recipient=recipient, amount=1.5)
    assert await client.get_balance(recipient) == 1.5
    fee = SomaClient.to_soma(effects.transaction_fee.total_fee)
    assert fee > 0
    assert await client.get_balance(keypair.address()) == pytest.approx(3.5 - fee, abs=1e-12)
    assert "Success" in str(effects.status)
    fees = effects.transaction_fee
    assert fees.base_fee + fees.operation_fee + fees.value_fee == fees.total_fee


async def test_one_transaction_pays_many(client, funded):
    keypair = await funded(10)
    people = [Keypair.generate().address() for _ in range(3)]
    await client.pay_coins(keypair, people, [1.0, 2.0, 0.25])
    assert [await client.get_balance(person) for person in people] == [1.0, 2.0, 0.25]
    await client.pay_coins(signer=keypair, recipients=people[:1], amounts=[1])
    assert await client.get_balance(people[0]) == 2.0
    with pytest.raises(ValueError, match="amounts|recipients"):
        await client.pay_coins(keypair, people, [1.0])
    with pytest.raises(ValueError, match="recipients"):
        await client.pay_coins(keypair, [], [])


async def test_merging_coins_succeeds_with_nothing_to_do(client, funded):
    keypair = await funded(2)
    await client.merge_coins(keypair)
    assert await client.get_balance(keypair.address()) > 1.9
    assert len(await client.list_owned_objects(keypair.address(), "coin")) == 1


async def test_transferring_the_coin_moves_all_money(client, funded):
    keypair, recipient = await funded(4), Keypair.generate().address()
    (coin,) = await client.list_owned_objects(keypair.address(), "coin")
    await client.transfer_objects(keypair, recipient, [coin.id])
    assert await client.get_balance(keypair.address()) == pytest.approx(0, abs=1e-6)
    assert await client.get_balance(recipient) == pytest.approx(4, abs=0.01)


async def test_an_amount_that_is_not_there_fails_with_a_name(client, funded):
    keypair = await funded(1)
    with pytest.raises(soma_sdk.InsufficientCoinBalance) as failed:
        await client.transfer_coin(keypair, Keypair.generate().address(), 100.0)
    assert "InsufficientCoinBalance" in str(failed.value)
    assert isinstance(failed.value, RuntimeError)


async def test_the_faucet_gives_money(client):
    address = Keypair.generate().address()
    answer = await client.request_faucet(address)
    (coin,) = answer.coins_sent
    assert answer.status
    assert coin.amount == 2_000_000_000 and coin.id and coin.transfer_tx_digest
    assert await client.get_balance(address) == 2.0
    assert (await client.get_transaction(coin.transfer_tx_digest)).transaction_digest


async def test_stake_goes_to_a_validator_and_comes_back(client, funded, localnet):
    keypair = await funded(20)
    validator = localnet.validator().address()
    await client.add_stake(keypair, validator, 5.0)
    assert 14.9 < await client.get_balance(keypair.address()) < 15
    (staked,) = await client.list_owned_objects(keypair.address(), "staked_soma")
    await client.advance_epoch()
    await client.withdraw_stake(keypair, staked.id)
    # It unbonds through one whole epoch.
    await client.advance_epoch()
    assert await client.get_balance(keypair.address()) < 15
    await client.advance_epoch()
    assert 19.9 < await client.get_balance(keypair.address())
    assert await client.list_owned_objects(keypair.address(), "staked_soma") == []


async def test_stake_without_an_amount_leaves_what_fees_need(client, funded, localnet):
    keypair = await funded(3)
    await client.add_stake(signer=keypair, validator=localnet.validator().address())
    assert 0 < await client.get_balance(keypair.address()) < 0.01
    (staked,) = await client.list_owned_objects(keypair.address(), "staked_soma")
    assert staked.id


async def test_delegators_stake_to_models(client, funded, market):
    keypair = await funded(10)
    before = {m.model_id: m.stake for m in await client.get_active_models()}
    model = market.models[0]
    await client.add_stake_to_model(keypair, model, 3.0)
    await client.add_stake_to_model(signer=keypair, model_id=model, amount=1.0)
    await client.advance_epoch()
    after = {m.model_id: m.stake for m in await client.get_active_models()}
    assert after[model] == pytest.approx(before[model] + 4.0, abs=0.01)


def prepared(localnet, *options: str) -> bytes:
    """The bytes of a transaction that `soma` prepares and does not send."""
    line = [localnet.soma, "send", "1.25", "--to", "localnet-2", "--sender", "localnet-1", *options]
    environment = {**os.environ, "SOMA_CONFIG_DIR": str(localnet.folder / "settings")}
    made = subprocess.run([*line, "--json"], env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    answer = made.stdout.strip()
    if answer.startswith("{"):
        answer = next(iter(json.loads(answer).values()))
    return base64.b64decode(answer.strip('"'))


async def test_a_transaction_is_built_signed_elsewhere_and_executed(client, funded):
    keypair, recipient = await funded(5), Keypair.generate().address()
    kind = {"transfer": {"recipient": recipient, "amount": 750_000_000}}
    unsigned = await client.build_transaction(keypair.address(), kind)
    signed = keypair.sign(unsigned)
    effects = await client.execute_transaction(signed)
    assert await client.get_balance(recipient) == 0.75
    # The chain executes it once, however often it is sent.
    again = await client.execute_transaction(signed)
    assert again.transaction_digest == effects.transaction_digest
    assert await client.get_balance(recipient) == 0.75
    with pytest.raises(ValueError, match="signs for"):
        Keypair.generate().sign(unsigned)
    for wrong in ({}, {"no such kind": {}}, {"transfer": {"recipient": 5}}, object()):
        with pytest.raises(ValueError, match="kind"):
            await client.build_transaction(keypair.address(), wrong)


async def test_a_prepared_transaction_is_simulated_signed_and_executed(client, localnet):
    payer, receiver = localnet.account(0), localnet.account(1)
    unsigned = prepared(localnet, "--serialize-unsigned")
    before = await client.get_balance(receiver.address())
    simulated = await client.simulate_transaction(unsigned)
    assert "Success" in str(simulated.status)
    assert await client.get_balance(receiver.address()) == before
    signed = payer.sign(unsigned)
    assert isinstance(signed, bytes) and len(signed) > len(unsigned)
    effects = await client.execute_transaction(signed)
    assert "Success" in str(effects.status)
    assert await client.get_balance(receiver.address()) == pytest.approx(before + 1.25, abs=1e-9)
    with pytest.raises(ValueError):
        await client.simulate_transaction(b"garbage")
    with pytest.raises(ValueError):
        await client.execute_transaction(unsigned)
