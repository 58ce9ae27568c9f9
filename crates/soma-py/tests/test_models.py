"""Models: created, committed, revealed, fetched, ended."""

import numpy as np
import pytest
import soma_sdk
from harness.game import make_weights
from soma_sdk import SomaClient


async def active(client, model: str):
    return next((m for m in await client.get_active_models() if m.model_id == model), None)


async def test_a_model_lives_from_creation_to_its_end(client, funded, files, tmp_path):
    owner, weights = await funded(20), make_weights(77, files)
    model = await client.create_model(owner, 1000, 2.0)
    assert isinstance(model, str)
    await client.commit_model(
        signer=owner,
        model_id=model,
        weights_url=weights.url,
        encrypted_weights=weights.sealed,
        decryption_key=weights.key,
        embedding=weights.embedding,
    )
    with pytest.raises(RuntimeError) as early:
        await client.reveal_model(owner, model, weights.key, weights.embedding)
    assert "Transaction failed" in str(early.value)
    await client.advance_epoch()
    assert await active(client, model) is None
    await client.reveal_model(
        signer=owner, model_id=model, decryption_key=weights.key, embedding=weights.embedding
    )
    found = await active(client, model)
    assert found.owner == owner.address() and found.stake == pytest.approx(2.0)

    await client.set_model_commission_rate(owner, model, 2500)
    found = await active(client, model)
    assert (found.commission_rate, found.next_epoch_commission_rate) == (1000, 2500)
    await client.advance_epoch()
    assert (await active(client, model)).commission_rate == 2500

    fetched = await client.fetch_model(model)
    assert fetched == weights.sealed
    await client.fetch_model_file(model, tmp_path / "weights")
    assert (tmp_path / "weights").read_bytes() == weights.sealed
    assert SomaClient.decrypt_weights(fetched, weights.key) == weights.plain

    update = make_weights(78, files)
    await client.commit_model(owner, model, update.url, update.sealed, update.key, update.embedding)
    found, now = await active(client, model), await client.get_epoch()
    assert found.has_pending_update is True and found.commit_epoch == now.epoch
    await client.advance_epoch()
    await client.reveal_model(owner, model, update.key, update.embedding)
    (manifest,) = await client.get_model_manifests([model])
    assert manifest.url == update.url and manifest.size == len(update.sealed)

    assert (await active(client, model)).leaving is False
    await client.deactivate_model(owner, model)
    # It answers for its targets until the epoch ends.
    assert (await active(client, model)).leaving is True
    with pytest.raises(soma_sdk.ModelAlreadyLeaving):
        await client.deactivate_model(owner, model)
    await client.advance_epoch()
    assert await active(client, model) is None


async def test_the_first_stake_is_the_minimum_unless_given(client, funded, files):
    owner = await funded(5)
    model = await client.create_model(owner, commission_rate=0)
    assert model
    assert 3.9 < await client.get_balance(owner.address()) < 4.0


async def test_a_key_that_was_not_committed_does_not_reveal(client, funded, files):
    owner, weights = await funded(5), make_weights(79, files)
    model = await client.create_model(owner, 0)
    await client.commit_model(
        owner, model, weights.url, weights.sealed, weights.key, weights.embedding
    )
    await client.advance_epoch()
    other = SomaClient.encrypt_weights(b"")[1]
    with pytest.raises(RuntimeError) as failed:
        await client.reveal_model(owner, model, other, weights.embedding)
    assert "Failure { error: " in str(failed.value)


async def test_only_the_owner_may_change_a_model(client, funded, market):
    stranger = await funded(5)
    with pytest.raises(RuntimeError) as failed:
        await client.set_model_commission_rate(
            signer=stranger, model_id=market.models[0], new_rate=1
        )
    assert "Transaction failed" in str(failed.value)
    with pytest.raises(RuntimeError):
        await client.deactivate_model(signer=stranger, model_id=market.models[0])


async def test_weights_are_checked_before_money_is_spent(client, funded):
    owner = await funded(5)
    model = await client.create_model(owner, 0)
    sealed, key = SomaClient.encrypt_weights(b"weights")
    url = "http://127.0.0.1:9/weights"
    with pytest.raises(ValueError):
        # Not sealed with this key: nobody could ever open it.
        await client.commit_model(owner, model, url, sealed, "1" * 32, [1.0] * 16)
    for embedding in ([], [0.0] * 16, [float("nan")] * 16):
        with pytest.raises(ValueError, match="embedding"):
            await client.commit_model(owner, model, url, sealed, key, embedding)
    # The chain would take this commit, and refuse its reveal.
    with pytest.raises(ValueError, match="17 numbers, this network's have 16"):
        await client.commit_model(owner, model, url, sealed, key, [1.0] * 17)
    with pytest.raises(ValueError, match="commission_rate"):
        await client.create_model(owner, 10_001)


async def test_validators_report_models_and_take_it_back(client, localnet, market):
    validator = localnet.validator()
    # One validator is a quorum; taken back before the epoch ends, nothing is slashed.
    await client.report_model(validator, market.models[3])
    try:
        await client.undo_report_model(validator, market.models[3])
    except soma_sdk.ReportRecordNotFound:
        # The validator's own node looked meanwhile, and took the report back.
        pass
    await client.advance_epoch()
    assert await active(client, market.models[3])


async def test_only_validators_report_models(client, funded, market):
    with pytest.raises(RuntimeError) as failed:
        await client.report_model(await funded(1), market.models[0])
    assert isinstance(failed.value, soma_sdk.SomaError)


async def publish_and_end(client, owner, weights, embedding):
    model = await client.create_model(owner, 0)
    await client.commit_model(owner, model, weights.url, weights.sealed, weights.key, embedding)
    await client.advance_epoch()
    await client.reveal_model(owner, model, weights.key, embedding)
    # It ends again: other tests count on targets whose weights stay where they are.
    await client.deactivate_model(owner, model)
    await client.advance_epoch()


async def test_embeddings_may_be_arrays(client, funded, files):
    weights = make_weights(80, files)
    embedding = np.array(weights.embedding, dtype=np.float32)
    await publish_and_end(client, await funded(5), weights, embedding)
    with pytest.raises(ValueError, match="embedding"):
        await publish_and_end(client, await funded(5), weights, np.zeros((2, 16)))


@pytest.mark.torch
async def test_embeddings_may_be_tensors(client, funded, files):
    import torch

    weights = make_weights(81, files)
    embedding = torch.tensor(weights.embedding, requires_grad=True)
    await publish_and_end(client, await funded(5), weights, embedding)
    score = soma_sdk.score_locally(weights.plain, b"text " * 99, target_embedding=embedding)
    assert 0 <= score.distance <= 2
