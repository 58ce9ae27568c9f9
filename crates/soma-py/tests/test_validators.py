"""What validators do, on a network of their own: it ends with another committee."""

import pytest
import soma_sdk
from harness.game import make_weights, publish
from harness.localnet import Localnet
from soma_sdk import Keypair


@pytest.fixture(scope="module")
def network():
    with Localnet(scorer=False) as network:
        yield network


@pytest.fixture
def admin(network):
    """A client without a scorer."""
    return network.client()


async def only_validator(client):
    (validator,) = (await client.get_latest_system_state()).validators.validators
    return validator


async def test_a_validator_sets_its_commission(network, admin):
    client = await admin
    validator = network.validator()
    await client.set_validator_commission_rate(validator, 700)
    assert (await only_validator(client)).next_epoch_commission_rate == 700
    await client.advance_epoch()
    assert (await only_validator(client)).commission_rate == 700
    with pytest.raises(ValueError, match="new_rate"):
        await client.set_validator_commission_rate(signer=validator, new_rate=10_001)


async def test_a_validator_changes_its_addresses(network, admin):
    client = await admin
    address = "/ip4/127.0.0.1/tcp/18099"
    await client.update_validator_metadata(network.validator(), next_epoch_p2p_address=address)
    metadata = (await only_validator(client)).metadata
    assert metadata.next_epoch_p2p_address == address != metadata.p2p_address
    await client.advance_epoch()
    metadata = (await only_validator(client)).metadata
    assert metadata.p2p_address == address and metadata.next_epoch_p2p_address is None
    # Nobody could connect there.
    for bad in ("", "x", "http://127.0.0.1:1", "127.0.0.1:1", "/ip4/1.2.3.4/tcp/99999", "/ip4//tcp/1"):
        with pytest.raises(ValueError, match="next_epoch_p2p_address: "):
            await client.update_validator_metadata(network.validator(), next_epoch_p2p_address=bad)


async def test_reports_of_validators_need_another_validator(network, admin):
    client = await admin
    me = network.validator()
    for call in (client.report_validator, client.undo_report_validator):
        with pytest.raises(RuntimeError) as failed:
            await call(me, Keypair.generate().address())
        assert "Transaction failed" in str(failed.value)


async def test_reports_are_in_the_system_state(network, admin, files):
    client = await admin
    (model,) = await publish(client, [network.account(1)], [make_weights(90, files)])
    me = network.validator()
    await client.report_model(me, model)
    state = await client.get_latest_system_state()
    assert state.model_registry.model_report_records == {model: [me.address()]}
    assert state.validator_report_records == {}
    await client.undo_report_model(me, model)
    state = await client.get_latest_system_state()
    assert state.model_registry.model_report_records == {}


async def test_a_candidate_needs_a_proof_of_possession(network, admin):
    client = await admin
    candidate = network.account(2)
    consensus = Keypair.generate()
    key = bytes.fromhex(consensus.public_key().removeprefix("0x"))
    peer = "/ip4/127.0.0.1/tcp/18084"
    arguments = {
        "pubkey_bytes": key,
        "network_pubkey_bytes": key,
        "worker_pubkey_bytes": key,
        "net_address": "http://127.0.0.1:18080",
        # As some scripts have them: length, then text.
        "p2p_address": bytes([len(peer)]) + peer.encode(),
        "primary_address": peer,
        "proxy_address": "http://127.0.0.1:18090",
    }
    proof = await client.proof_of_possession(consensus, candidate.address())
    stranger = await client.proof_of_possession(Keypair.generate(), candidate.address())
    with pytest.raises(soma_sdk.InvalidProofOfPossession):
        await client.add_validator(candidate, proof_of_possession=stranger, **arguments)
    await client.add_validator(signer=candidate, proof_of_possession=proof, **arguments)
    state = await client.get_latest_system_state()
    (pending,) = state.validators.pending_validators
    assert pending.metadata.soma_address == candidate.address()
    assert pending.metadata.p2p_address == peer
    (stake,) = await client.list_owned_objects(candidate.address(), "staked_soma")
    assert (await client.get_object(stake.id)).principal == 1_000_000_000
    with pytest.raises(ValueError, match="pubkey_bytes"):
        arguments["pubkey_bytes"] = b"\x02" * 32
        await client.add_validator(candidate, proof_of_possession=proof, **arguments)
    # It withdraws its application.
    await client.remove_validator(candidate, key)
    state = await client.get_latest_system_state()
    assert state.validators.pending_validators == []


async def test_the_last_validator_stays(network, admin):
    client = await admin
    with pytest.raises(RuntimeError) as failed:
        await client.remove_validator(network.validator(), b"")
    assert "Transaction failed" in str(failed.value)
