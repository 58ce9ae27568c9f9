"""The network as a whole: on made-up snapshots with known answers, and on a real network."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from harness.game import find_hit, targets_of
from soma_sdk import analysis
from soma_sdk.analysis import Model, Snapshot, Target


def model(name: str, *place: float, stake: float = 1.0) -> Model:
    return Model(name, f"owner of {name}", stake, np.array(place) / np.linalg.norm(place))


def target(name: str, *place: float, **changes) -> Target:
    values = dict(status="open", epoch=3, threshold=1.0, reward=8.0, models=("a", "b"))
    return Target(name, embedding=np.array(place) / np.linalg.norm(place), **{**values, **changes})


A, B = model("a", 1, 0, 0), model("b", 0, 1, 0)


def snapshot(*targets: Target, models=(A, B)) -> Snapshot:
    return Snapshot(epoch=3, models=models, targets=targets)


def test_distances_are_one_minus_the_cosine():
    found = analysis.distances([[1, 0], [0, 2]], [[3, 0], [-1, 0], [1, 1]])
    assert found == pytest.approx(np.array([[0, 2, 1 - 0.5**0.5], [1, 1, 1 - 0.5**0.5]]))
    for wrong in ([[0, 0]], [[np.nan, 1]]):
        with pytest.raises(ValueError, match="no direction"):
            analysis.distances(wrong, [[1, 0]])
    with pytest.raises(ValueError, match="2 and 3"):
        analysis.distances([[1, 0]], [[1, 0, 0]])


def test_a_map_shows_the_widest_spread_first():
    noise = np.random.default_rng(0)
    rows = noise.standard_normal((200, 5)) * [0.1, 9, 0.1, 3, 0.1] + 7
    found = analysis.project(rows)
    assert np.abs(found.axes[0])[1] > 0.99 and np.abs(found.axes[1])[3] > 0.99
    assert found.explained[0] > found.explained[1] > 0 and found.explained.sum() < 1
    assert found.place(rows[:3]) == pytest.approx(found.points[:3])
    for wrong in (0, 6):
        with pytest.raises(ValueError, match="dimensions"):
            analysis.project(rows, wrong)
    with pytest.raises(ValueError, match="nothing"):
        analysis.project(np.empty((0, 5)))
    assert np.isfinite(analysis.project([[1.0, 2.0, 3.0]]).explained).all()


def test_the_emptiest_place_comes_first():
    found = analysis.find_gaps(
        snapshot(target("near", 1, 0.1, 0), target("far", -1, -1, -1)), count=2, samples=500
    )
    assert found[0].distance >= found[1].distance > 1
    every = analysis.find_gaps(snapshot(target("far", -1, -1, 0)), count=1, samples=0)
    assert every[0].target == "far" and every[0].distance == pytest.approx(1 + 0.5**0.5)
    assert every[0].nearest_model in ("a", "b")
    with pytest.raises(ValueError, match="no active model"):
        analysis.find_gaps(snapshot(models=()))


def test_coverage_follows_place_and_stake():
    models = [model(name, *np.eye(6)[place]) for place, name in enumerate("abcde")]
    alike = {one.model: one for one in analysis.coverage(snapshot(models=models))}
    for one in alike.values():
        assert one.share == pytest.approx(3 / 5, abs=0.05)
        assert one.expected == pytest.approx(one.share / 3)
    rich = [model("a", *np.eye(6)[0], stake=100.0), *models[1:]]
    assert analysis.coverage(snapshot(models=rich))[0].model == "a"
    with_one_more = analysis.coverage(
        snapshot(models=models), newcomer=np.eye(6)[5], newcomer_stake=9
    )
    assert with_one_more[0].model is None and with_one_more[0].share > 0.8
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="newcomer_stake"):
            analysis.coverage(snapshot(), newcomer=[1, 0, 0], newcomer_stake=wrong)
    with pytest.raises(ValueError, match="newcomer: has 2 numbers"):
        analysis.coverage(snapshot(), newcomer=[1, 0])


@pytest.mark.parametrize("wrong", ["x", -1, 1.5, True])
def test_numbers_that_are_none_are_named(wrong):
    with pytest.raises(ValueError, match="count"):
        analysis.find_gaps(snapshot(), count=wrong)
    with pytest.raises(ValueError, match="epoch"):
        analysis.review_epoch(snapshot(), epoch=wrong)
    with pytest.raises(ValueError, match="has not begun"):
        analysis.review_epoch(snapshot(), epoch=10**9)


def test_the_nearer_and_richer_target_is_the_better_opportunity():
    found = analysis.opportunities(
        snapshot(
            target("near", 1, 0, 0.2),
            target("far", -1, -0.5, -1),
            target("rich", 1, 0, 0.2, reward=80.0),
            target("lonely", 1, 1, 1, models=("unknown",)),
            target("filled", 1, 0, 0, status="filled"),
        )
    )
    assert [one.target for one in found] == ["rich", "near", "far"]
    rich = found[0]
    assert rich.model == "a" and rich.reward == 40.0
    generous = replace(snapshot(target("rich", 1, 0, 0.2, reward=80.0)), submitter_share=0.75)
    assert analysis.opportunities(generous)[0].reward == 60.0
    assert rich.margin == pytest.approx(1.0 - rich.distance)
    assert rich.score == pytest.approx(rich.reward * rich.chance) and 0.5 < rich.chance <= 1
    assert found[2].margin < 0 and found[2].chance < 0.5
    with pytest.raises(ValueError, match="spread"):
        analysis.opportunities(snapshot(), spread=0)


def test_an_epoch_is_reviewed_by_who_won_what():
    review = analysis.review_epoch(
        snapshot(
            target("1", 1, 0, 0, status="filled", submitter="x", winner="a"),
            target("2", 1, 0, 0, status="claimed", submitter="x", winner="b", reward=2.0),
            target("3", 1, 0, 0, status="claimable", submitter="y", winner="a", reward=4.0),
            target("4", 1, 0, 0, status="expired"),
            target("5", 1, 0, 0, status="filled", submitter="z", winner="b", epoch=2),
            target("6", 1, 0, 0, status="fraud", submitter="z", winner="b"),
            target("7", 1, 0, 0, status="void", submitter="z", winner="b"),
        )
    )
    assert (review.epoch, review.targets, review.hits, review.hit_rate) == (3, 6, 3, 0.5)
    assert review.reward == 14.0
    assert [review.by_status[one] for one in ("expired", "fraud", "void")] == [1, 1, 1]
    assert [(s.who, s.hits, s.reward) for s in review.submitters] == [("x", 2, 5.0), ("y", 1, 2.0)]
    assert [(s.who, s.hits, s.reward) for s in review.models] == [("a", 2, 6.0), ("b", 1, 1.0)]
    assert analysis.review_epoch(snapshot(), epoch=1).hit_rate == 0.0


async def test_a_snapshot_may_be_of_frauds(client):
    found = await analysis.take_snapshot(client, statuses=["fraud"])
    assert {target.status for target in found.targets} <= {"fraud"}


async def test_a_real_network_is_analysed(client, funded, market, files, tmp_path):
    submitter = await funded(20)
    # Targets of a fresh epoch are assigned to the models and stakes of now.
    await client.advance_epoch()
    hit = await find_hit(client, files, seed=40)
    await client.submit_data(submitter, **hit.arguments())
    found = await analysis.take_snapshot(client)
    state = await client.get_latest_system_state()
    assert found.epoch == state.epoch and found.dim == 16
    assert {one.id for one in found.models} == {
        m.model_id for m in await client.get_active_models()
    }
    assert found.submitter_share == 0.5
    for one in found.models:
        assert np.linalg.norm(one.embedding) == pytest.approx(1)
    assert {one.id for one in found.open_targets} <= {t.id for t in await targets_of(client)}
    filled = next(one for one in found.targets if one.id == hit.target.id)
    assert filled.submitter == submitter.address() and filled.winner == hit.model_id
    # The network assigned the very models that this package would.
    stakes = np.array([one.stake for one in found.models])
    for one in found.open_targets:
        reach = analysis.distances(one.embedding, found.model_embeddings)[0] / np.sqrt(stakes)
        nearest = [found.models[place].id for place in np.argsort(reach)[:3]]
        assert list(one.models) == nearest or np.ptp(np.sort(reach)[:4]) < 1e-4

    review = analysis.review_epoch(found)
    assert review.hits >= 1 and review.targets == review.by_status["open"] + review.hits
    assert submitter.address() in {standing.who for standing in review.submitters}
    ranked = analysis.opportunities(found)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    gaps = analysis.find_gaps(found, count=5)
    assert len(gaps) == 5 and gaps[0].distance > 0
    covered = analysis.coverage(found, newcomer=gaps[0].embedding)
    assert sum(one.share for one in covered) == pytest.approx(3)

    for name, plot in {
        "map": lambda path: analysis.plot_map(found, path),
        "opportunities": lambda path: analysis.plot_opportunities(ranked, path),
        "epochs": lambda path: analysis.plot_epochs([review], path),
    }.items():
        path = tmp_path / f"{name}.png"
        plot(path)
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5_000
    with pytest.raises(ValueError, match="statuses"):
        await analysis.take_snapshot(client, statuses=["opened"])


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        analysis.plot_epochs([])
