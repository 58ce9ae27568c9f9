"""What validators do, on a network of their own: it ends with another committee."""

import pytest
from harness.localnet import Localnet
from soma_sdk import Keypair


@pytest.fixture(scope="module")
def network():
    with Localnet(arguments=("--no-scorer",)) as network:
        yield network


@pytest.fixture
def admin(network):
    """A client without a scorer."""
    import soma_sdk

    urls = {name: url for name, url in network.urls.items() if url}
    return soma_sdk.SomaClient(**urls)


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
    assert address in str(vars(metadata))
    await client.advance_epoch()
    assert address in str((await only_validator(client)).metadata.p2p_address)


async def test_reports_of_validators_need_another_validator(network, admin):
    client = await admin
    me = network.validator()
    for call in (client.report_validator, client.undo_report_validator):
        with pytest.raises(RuntimeError) as failed:
            await call(me, Keypair.generate().address())
        assert "Transaction failed" in str(failed.value)


async def test_a_candidate_needs_a_proof_of_possession(network, admin):
    client = await admin
    candidate = network.account(2)
    with pytest.raises((ValueError, RuntimeError)):
        await client.add_validator(
            candidate,
            pubkey_bytes=b"\x02" * 33,
            network_pubkey_bytes=b"\x02" * 33,
            worker_pubkey_bytes=b"\x02" * 33,
            proof_of_possession=b"\x01" * 64,
            net_address="/ip4/127.0.0.1/tcp/18080",
            p2p_address="/ip4/127.0.0.1/tcp/18084",
            primary_address="/ip4/127.0.0.1/tcp/18081",
            proxy_address="/ip4/127.0.0.1/tcp/18090",
        )


async def test_the_last_validator_stays(network, admin):
    client = await admin
    with pytest.raises(RuntimeError) as failed:
        await client.remove_validator(network.validator(), b"")
    assert "Transaction failed" in str(failed.value)
