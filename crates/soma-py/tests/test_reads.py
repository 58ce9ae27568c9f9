"""What the network tells: versions, state, objects, epochs, checkpoints."""

import re

import pytest
import soma_sdk
from harness.game import targets_of
from soma_sdk import Keypair, SomaClient
from soma_sdk._networks import LOCALNET, urls


async def test_the_network_says_what_it_is(client, localnet):
    assert await client.get_chain_identifier() == "localnet"
    assert re.search(r"\d+\.\d+", await client.get_server_version())
    assert await client.get_protocol_version() == 1
    assert await client.get_architecture_version() == 1
    assert await client.get_embedding_dim() == 16
    assert await client.get_model_min_stake() == 1_000_000_000
    assert await client.check_api_version() is None


async def test_a_balance_is_in_soma(client, funded):
    assert await client.get_balance(Keypair.generate().address()) == 0.0
    keypair = await funded(2.5)
    balance = await client.get_balance(keypair.address())
    assert isinstance(balance, float) and balance == 2.5
    assert await client.get_balance(address=keypair.address().removeprefix("0x")) == 2.5


async def test_the_system_state_has_what_scripts_read(client, localnet):
    state = await client.get_latest_system_state()
    assert state.epoch >= 0 and state.protocol_version == 1
    assert state.parameters.model_min_stake == 1_000_000_000
    assert state.parameters.target_embedding_dim == 16
    assert state.parameters.epoch_duration_ms == 86_400_000
    assert state.epoch_start_timestamp_ms > 1_600_000_000_000
    assert state.emission_pool.balance > 0 and state.emission_pool.emission_per_epoch > 0
    assert state.target_state.hits_this_epoch >= 0
    assert state.target_state.reward_per_target >= 0
    assert state.target_state.targets_generated_this_epoch >= 0
    assert 0 < float(state.target_state.distance_threshold) <= 2
    (validator,) = state.validators.validators
    assert validator.metadata.soma_address == localnet.validator().address()
    assert validator.voting_power == 10_000
    pool = validator.staking_pool
    assert pool.soma_balance > 0
    assert pool.exchange_rates == {state.epoch: (pool.soma_balance, pool.pool_token_balance)}
    assert pool.rewards_pool == 0 and pool.pending_pool_token_withdraw == 0
    assert pool.activation_epoch is None and pool.deactivation_epoch is None
    assert state.validators.total_stake > 0
    assert state.safe_mode is False


async def test_models_in_the_system_state_are_the_active_models(client, market):
    state = await client.get_latest_system_state()
    for model in market.models:
        registered = state.model_registry.models[model]
        assert registered.status == "active" and registered.stake >= 2_000_000_000


async def test_epochs_are_read_by_number(client):
    await client.advance_epoch()
    now = await client.get_epoch()
    assert now.epoch >= 1 and getattr(now, "end_of_epoch_info", None) is None
    first = await client.get_epoch(0)
    assert first.epoch == 0 and first.first_checkpoint_id <= 1
    assert first.end_of_epoch_info.last_checkpoint_id < now.first_checkpoint_id
    assert first.epoch_start_timestamp_ms < first.end_of_epoch_info.epoch_end_timestamp_ms
    assert (await client.get_epoch(epoch=now.epoch)).epoch == now.epoch
    with pytest.raises(RuntimeError):
        await client.get_epoch(10**6)


async def test_checkpoints_are_blocks(client):
    latest = await client.get_latest_checkpoint()
    number = latest.data.sequence_number
    summary = await client.get_checkpoint_summary(number)
    assert summary.data.sequence_number == number
    assert summary.data.epoch == latest.data.epoch
    assert summary.data.timestamp_ms > 1_600_000_000_000
    assert summary.data.transactions >= 0
    assert summary.data.content_digest
    with pytest.raises(RuntimeError):
        await client.get_checkpoint_summary(number + 10**6)


async def test_active_models_have_what_scripts_read(client, market):
    models = {model.model_id: model for model in await client.get_active_models()}
    for owner, id, one in zip(market.owners, market.models, market.weights):
        model = models[id]
        assert model.owner == owner.address()
        assert model.stake >= 2.0 and isinstance(model.stake, float)
        assert model.commission_rate == model.next_epoch_commission_rate == 1000
        assert model.has_pending_update is False and model.commit_epoch is None
        assert len(model.embedding) == len(one.embedding) == 16


async def test_objects_are_read_by_id_and_by_owner(client, funded, localnet):
    keypair = await funded(5)
    await client.add_stake(keypair, localnet.validator().address(), 1.0)
    coins = await client.list_owned_objects(keypair.address(), "coin")
    assert len(coins) == 1
    object = await client.get_object(coins[0].id)
    assert object.id == coins[0].id and object.digest
    same = await client.get_object_with_version(object.id, object.version)
    assert same.id == object.id and same.version == object.version
    stakes = await client.list_owned_objects(keypair.address(), object_type="staked_soma")
    assert len(stakes) == 1
    assert (await client.get_object(stakes[0].id)).id == stakes[0].id
    every = await client.list_owned_objects(keypair.address(), limit=1)
    assert len(every) == 1
    for unknown in ("submission", "no such type"):
        with pytest.raises((ValueError, RuntimeError)):
            await client.list_owned_objects(keypair.address(), unknown)
    with pytest.raises(RuntimeError):
        await client.get_object("0x" + "17" * 32)


async def test_objects_have_the_embeddings_of_models_and_targets(client, market):
    owner, id, direction = market.owners[0], market.models[0], market.weights[0].embedding
    target = (await targets_of(client))[0]
    assert (await client.get_object(target.id)).embedding == target.embedding
    owned = await client.list_owned_objects(owner.address(), "model")
    for model in (await client.get_object(id), *(one for one in owned if one.id == id)):
        assert model.object_type == "model" and len(model.embedding) == len(direction)
    assert id in {one.id for one in owned}


async def test_transactions_are_read_by_digest(client, funded):
    keypair = await funded(3)
    effects = await client.transfer_coin(keypair, Keypair.generate().address(), 0.5)
    again = await client.get_transaction(effects.transaction_digest)
    assert again.transaction_digest == effects.transaction_digest
    assert again.status == effects.status and again.executed_epoch == effects.executed_epoch
    assert again.transaction_fee.total_fee == effects.transaction_fee.total_fee > 0
    with pytest.raises(RuntimeError):
        await client.get_transaction(SomaClient.commitment(b"no such transaction"))


async def test_a_preset_without_a_network_says_what_to_set(monkeypatch):
    for name in ("RPC", "FAUCET", "SCORING", "ADMIN"):
        monkeypatch.delenv(f"SOMA_{name}_URL", raising=False)
    with pytest.raises((ValueError, RuntimeError), match="SOMA_RPC_URL"):
        await SomaClient(chain="testnet")


async def test_testnet_is_what_the_environment_says(monkeypatch, localnet):
    monkeypatch.setenv("SOMA_RPC_URL", localnet.urls["rpc_url"])
    client = await SomaClient(chain="testnet", scoring_url=localnet.urls["scoring_url"])
    assert await client.get_chain_identifier() == "localnet"
    assert await client.scoring_health() is True


def test_the_environment_says_where_a_localnet_is(monkeypatch):
    for name in ("RPC", "FAUCET", "SCORING", "ADMIN"):
        monkeypatch.delenv(f"SOMA_{name}_URL", raising=False)
    assert urls("localnet", {}) == LOCALNET
    monkeypatch.setenv("SOMA_SCORING_URL", "http://gpu:9124")
    assert urls("localnet", {}) == {**LOCALNET, "scoring_url": "http://gpu:9124"}
    # The faucet of this machine is not that of a network elsewhere.
    monkeypatch.setenv("SOMA_RPC_URL", "http://node:9000")
    found = urls("localnet", {})
    assert found["rpc_url"] == "http://node:9000" and found["scoring_url"] == "http://gpu:9124"
    assert found["faucet_url"] is None and found["admin_url"] is None
    monkeypatch.setenv("SOMA_RPC_URL", "node:9000")
    with pytest.raises(ValueError, match="SOMA_RPC_URL: must begin with http"):
        urls("localnet", {})


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"chain": "localnet", "rpc_url": "http://127.0.0.1:1"}, "Cannot provide rpc_url"),
        ({"chain": "moon"}, "Unknown chain"),
        ({}, "Either rpc_url or chain must be provided"),
        ({"rpc_url": "not a url"}, "rpc|node|URL"),
    ],
)
async def test_a_client_that_cannot_be_says_why(arguments, message, monkeypatch):
    monkeypatch.delenv("SOMA_RPC_URL", raising=False)
    with pytest.raises(ValueError, match=message):
        await SomaClient(**arguments)


async def test_a_network_that_is_not_there_is_a_runtime_error():
    with pytest.raises(RuntimeError):
        client = await SomaClient(rpc_url="http://127.0.0.1:9")
        await client.get_balance(Keypair.generate().address())
    assert issubclass(soma_sdk.TargetNotOpen, RuntimeError)
