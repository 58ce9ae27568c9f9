"""Targets: read, scored for, filled, claimed, judged."""

import asyncio
import contextlib
import json
import time
import urllib.request

import pytest
import soma_sdk
from harness.game import find_hit, make_weights, targets_of
from harness.localnet import LIMIT
from soma_sdk import Keypair, SomaClient


async def test_open_targets_have_what_scripts_read(client, market):
    target = (await targets_of(client, status="open"))[0]
    assert target.status == "open" and len(target.embedding) == 16
    assert set(target.model_ids) and len(target.model_ids) == 3
    assert 0 < target.distance_threshold <= 2 and isinstance(target.distance_threshold, float)
    assert target.reward_pool > 0 and isinstance(target.reward_pool, int)
    state = await client.get_latest_system_state()
    assert target.generation_epoch == state.epoch
    assert target.submitter is None and target.winning_model_id is None


async def test_targets_are_filtered(client, market):
    now = (await client.get_latest_system_state()).epoch
    assert await client.get_targets(status="open", epoch=now + 5) == []
    assert await client.get_targets(submitter=Keypair.generate().address()) == []
    assert len(await client.get_targets("open", limit=2)) == 2
    assert {target.status for target in await targets_of(client)} == {"open"}
    assert all(t.status == "claimable" for t in await client.get_targets(claimable=True))
    with pytest.raises(ValueError, match="status"):
        await client.get_targets(status="no such status")


async def test_pages_lead_through_all_targets(client, market):
    every = {target.id for target in await targets_of(client)}
    found, token = [], None
    while True:
        page = await client.list_targets(status="open", limit=7, page_token=token)
        assert len(page.targets) <= 7
        found += [target.id for target in page.targets]
        token = page.next_page_token
        if not token:
            break
    assert len(found) == len(set(found)) and set(found) >= every


async def test_manifests_are_those_of_the_models(client, market, files):
    target = (await targets_of(client))[0]
    manifests = await client.get_model_manifests(target)
    by_ids = await client.get_model_manifests(target.model_ids)
    assert [vars(m) for m in manifests] == [vars(m) for m in by_ids]
    for id, manifest in zip(target.model_ids, manifests):
        weights = market.weights[market.models.index(id)]
        assert manifest.url == weights.url and manifest.size == len(weights.sealed)
        assert manifest.checksum == SomaClient.commitment(weights.sealed)
        assert manifest.decryption_key == weights.key
    # Unknown ones keep their place, so that a winner is at the same place in both lists.
    some = await client.get_model_manifests(["0x" + "55" * 32, market.models[0]])
    assert len(some) == 2 and some[0].url is None
    data = b"whose place is kept"
    score = await client.score(files.put(data), some, target.embedding, data)
    assert score.winner == 1
    assert await client.get_model_manifests(["0x" + "55" * 32]) == []


async def test_data_is_scored_filled_audited_and_claimed(client, funded, market, files):
    submitter = await funded(50)
    hit = await find_hit(client, files, seed=1)
    before = await client.get_balance(submitter.address())
    await client.submit_data(signer=submitter, **hit.arguments())
    assert await client.get_balance(submitter.address()) < before

    mine = submitter.address()
    (filled,) = await client.get_targets(status="filled", submitter=mine)
    assert filled.id == hit.target.id and filled.status == "filled"
    assert filled.submitter == mine and filled.winning_model_id == hit.model_id
    assert filled.bond_amount == 65 * len(hit.data)
    assert await client.fetch_submission_data(hit.target.id) == hit.data
    (owned,) = await client.list_owned_objects(mine, "target")
    assert owned.id == hit.target.id and owned.embedding == hit.target.embedding
    assert len(owned.winning_embedding) == 16

    # Somebody who is late.
    with pytest.raises(soma_sdk.TargetNotOpen) as late:
        await client.submit_data(await funded(5), **hit.arguments())
    text = str(late.value)
    assert "TargetNotOpen" in text
    assert text.startswith("Transaction failed: ") and "Failure { error: TargetNotOpen" in text

    with pytest.raises(RuntimeError) as early:
        await client.claim_rewards(submitter, hit.target.id)
    assert "Transaction failed" in str(early.value)
    assert isinstance(early.value, soma_sdk.AuditWindowOpen)
    await client.advance_epoch()
    assert await client.get_targets(status="claimable", submitter=mine) == []
    await client.advance_epoch()
    (claimable,) = await client.get_targets(status="claimable", submitter=mine)
    assert claimable.id == hit.target.id and claimable.status == "claimable"
    before = await client.get_balance(mine)
    await client.claim_rewards(submitter, hit.target.id)
    # Half of the reward, and the bond, less a small fee.
    won = await client.get_balance(mine) - before
    due = SomaClient.to_soma(claimable.reward_pool // 2 + claimable.bond_amount)
    assert won == pytest.approx(due, rel=0.01)
    (claimed,) = await client.get_targets(status="claimed", submitter=mine)
    assert claimed.id == hit.target.id


async def test_a_score_is_a_number_and_a_list(client, market, files):
    hit = await find_hit(client, files, seed=2)
    score = hit.score
    assert score.distance[0] == score.distance and len(score.distance) == 1
    assert score.loss_score[0] == score.loss_score
    assert score.distance <= hit.target.distance_threshold
    assert not score.distance > 2 and float(score.distance) == score.distance[0]
    assert f"{score.distance:.4f}" and score.distance + 1 > 1
    assert isinstance(score.winner, int) and 0 <= score.winner < 3
    assert len(score.embedding) == 16


async def test_the_same_data_has_the_same_score_however_it_is_given(client, market, files):
    target = (await targets_of(client))[0]
    models = await client.get_model_manifests(target)
    data = b"the same data " * 80
    url = files.put(data)
    by_data = await client.score(url, models, target.embedding, data)
    # A manifest is whatever has its fields, or the sealed weights.
    as_dicts = [vars(model) for model in models]
    sealed = [
        {
            "url": one["url"],
            "decryption_key": one["decryption_key"],
            "encrypted_weights": await client.fetch_model(one["model_id"]),
        }
        for one in as_dicts
    ]
    for others in (as_dicts, sealed):
        again = await client.score(url, others, target.embedding, data)
        assert float(again.loss_score) == float(by_data.loss_score)
    for field in ("checksum", "size"):
        incomplete = [{**one, field: None} for one in as_dicts]
        with pytest.raises(ValueError, match="number 0 has neither encrypted_weights"):
            await client.score(url, incomplete, target.embedding, data)
    by_sum = await client.score(
        data_url=url,
        models=models,
        target_embedding=list(target.embedding),
        data_checksum=SomaClient.commitment(data),
        data_size=len(data),
        seed=0,
    )
    assert by_data.winner == by_sum.winner
    assert by_data.distance[0] == pytest.approx(by_sum.distance[0], abs=1e-5)
    weights = market.weights[market.models.index(target.model_ids[by_data.winner])]
    here = soma_sdk.score_locally(weights.plain, data)
    assert here.loss_score[0] == pytest.approx(by_data.loss_score[0], rel=1e-3)
    assert list(here.embedding) == pytest.approx(list(by_data.embedding), abs=1e-3)
    with pytest.raises(ValueError, match="Either data or both data_checksum and data_size"):
        await client.score(url, models, target.embedding)


async def test_a_score_without_models_or_direction_is_refused(client, market):
    target = (await targets_of(client))[0]
    models = await client.get_model_manifests(target)
    with pytest.raises((ValueError, RuntimeError), match="model"):
        await client.score("http://127.0.0.1:9/", [], target.embedding, b"data")
    for embedding in ([], [0.0] * 16, [float("inf")] * 16):
        with pytest.raises((ValueError, RuntimeError), match="target_embedding|embedding"):
            await client.score("http://127.0.0.1:9/", models, embedding, b"data")
    models[1].model_id = "no id"
    with pytest.raises(ValueError, match="models: number 1: must be 64 hex digits"):
        await client.score("http://127.0.0.1:9/", models, target.embedding, b"data")


async def test_a_loss_may_be_a_list_or_a_number(client, funded, market, files):
    submitter = await funded(20)
    done = set()
    for seed, change in ((3, list), (4, float)):
        hit = await find_hit(client, files, seed, done)
        done.add(hit.target.id)
        arguments = hit.arguments()
        loss = arguments["loss_score"][0]
        arguments["loss_score"] = [loss] if change is list else loss
        arguments["distance_score"] = float(arguments["distance_score"])
        await client.submit_data(submitter, **arguments)
    assert len(await client.get_targets(status="filled", submitter=submitter.address())) == 2


async def test_a_claim_by_weights_that_the_data_was_not_scored_with_is_not_sent(
    client, funded, market, files
):
    target = (await targets_of(client))[0]
    scored, other = target.model_ids[:2]
    data = b"scored with the weights of one model only"
    url = files.put(data)
    manifests = await client.get_model_manifests([scored])
    score = await client.score(url, manifests, target.embedding, data)
    submitter = await funded(5)
    before = await client.get_balance(submitter.address())
    claim = (score.embedding, score.distance, score.loss_score)
    with pytest.raises(soma_sdk.ModelsChanged):
        await client.submit_data(submitter, target.id, data, url, other, *claim)
    assert await client.get_balance(submitter.address()) == before


async def test_no_bond_is_sent_when_another_assigned_model_changed_since_the_score(
    client, funded, market, files
):
    owner, changed, update = market.owners[3], market.models[3], make_weights(91, files)
    terms = (update.key, update.embedding)
    await client.commit_model(owner, changed, update.url, update.sealed, *terms)
    epoch = await client.advance_epoch()
    targets = await targets_of(client, epoch=epoch)
    target = next(one for one in targets if changed in one.model_ids)
    claimed = next(id for id in target.model_ids if id != changed)

    # The third assigned model is not scored at all, which is up to the caller.
    async def score():
        manifests = await client.get_model_manifests([claimed, changed])
        return (await client.score(url, manifests, target.embedding, data)).models[0]

    async def submit(score):
        claim = (score.embedding, score.distance, score.loss_score)
        await client.submit_data(submitter, target.id, data, url, claimed, *claim)

    data = b"scored before a model that is not claimed revealed other weights"
    url, submitter = files.put(data), await funded(5)
    scored = await score()
    await client.reveal_model(owner, changed, *terms)
    market.weights[3] = update
    before = await client.get_balance(submitter.address())
    with pytest.raises(soma_sdk.ModelsChanged):
        await submit(scored)
    assert await client.get_balance(submitter.address()) == before

    scored = await score()
    # Whether it hits is for the chain to say: it is asked, which costs a fee.
    with contextlib.suppress(soma_sdk.DistanceExceedsThreshold):
        await submit(scored)
    assert await client.get_balance(submitter.address()) < before
    # Other tests count on targets whose weights stay where they are.
    await client.advance_epoch()


async def test_validators_report_a_submission_and_take_it_back(
    client, localnet, funded, market, files
):
    submitter = await funded(20)
    hit = await find_hit(client, files, seed=5)
    await client.submit_data(submitter, **hit.arguments())
    validator = localnet.validator()
    await client.report_submission(signer=validator, target_id=hit.target.id)
    try:
        await client.undo_report_submission(signer=validator, target_id=hit.target.id)
    except soma_sdk.ReportRecordNotFound:
        # The validator's own node looked meanwhile, found no fraud, and took the report back.
        pass
    with pytest.raises(RuntimeError):
        await client.report_submission(await funded(1), hit.target.id)
    await client.advance_epoch()
    await client.advance_epoch()
    await client.claim_rewards(submitter, hit.target.id)


async def test_a_submission_is_challenged_and_upheld_for_its_submitter(
    client, funded, market, files
):
    submitter, challenger = await funded(20), await funded(20)
    hit = await find_hit(client, files, seed=7)
    await client.submit_data(submitter, **hit.arguments())
    before = await client.get_balance(challenger.address())
    await client.challenge_submission(challenger, hit.target.id)
    bond = SomaClient.to_soma(65 * len(hit.data))
    after = await client.get_balance(challenger.address())
    assert before - after == pytest.approx(bond, rel=0.2)
    with pytest.raises(soma_sdk.TargetAlreadyChallenged):
        await client.challenge_submission(challenger, hit.target.id)
    await client.advance_epoch()
    await client.advance_epoch()
    # It was honest: the challenger's bond is lost, the submitter is paid.
    await client.claim_rewards(submitter, hit.target.id)
    assert await client.get_balance(challenger.address()) == pytest.approx(after, abs=1e-3)


async def test_a_false_loss_is_found_by_the_audit(client, localnet, funded, market, files):
    submitter = await funded(20)
    hit = await find_hit(client, files, seed=6)
    arguments = hit.arguments()
    arguments["loss_score"] = [arguments["loss_score"][0] / 2]
    await client.submit_data(submitter, **arguments)
    # The validator scores it anew, and reports the fraud.
    url = f"{localnet.urls['rpc_url']}/v1/targets/{hit.target.id}"
    deadline = time.monotonic() + LIMIT
    while not (report := (await asyncio.to_thread(read_json, url)).get("reports")):
        assert time.monotonic() < deadline, "nobody reports the fraud"
        await asyncio.sleep(0.2)
    assert report[0]["reason"] == "wrong_loss"
    await client.advance_epoch()
    await client.advance_epoch()
    mine = submitter.address()
    assert await client.get_targets(status="claimable", submitter=mine) == []
    (fraud,) = await client.get_targets(status="fraud", submitter=mine)
    assert fraud.id == hit.target.id
    with pytest.raises(soma_sdk.SomaError, match="Transaction failed: ClaimRewards failed"):
        await client.claim_rewards(submitter, hit.target.id)


def read_json(url: str):
    with urllib.request.urlopen(url, timeout=LIMIT) as answer:
        return json.load(answer)


async def test_targets_of_an_epoch_that_is_over_have_expired(client, market, funded):
    target = (await targets_of(client))[0]
    await client.advance_epoch()
    deadline = time.monotonic() + LIMIT
    while target.id not in {t.id for t in await client.get_targets(status="expired")}:
        assert time.monotonic() < deadline, "an open target does not expire"
        await asyncio.sleep(0.2)
    # More than the node gives in one page, each once.
    expired = [target.id for target in await client.get_targets(status="expired")]
    assert len(expired) == len(set(expired)) > 100
    assert len(await client.get_targets(status="expired", limit=101)) == 101
    with pytest.raises((soma_sdk.TargetExpired, soma_sdk.TargetNotOpen)):
        await client.submit_data(
            await funded(1),
            target.id,
            b"data",
            "http://127.0.0.1:9/",
            target.model_ids[0],
            target.embedding,
            0.5,
            [1.0],
        )
