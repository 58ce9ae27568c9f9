"""Targets and the submissions on them."""

from types import SimpleNamespace

from soma_sdk._views.shapes import tree


def target(view):
    """A target."""
    fill = view.get("fill")
    filled = fill or {}
    return SimpleNamespace(
        id=view["id"],
        status=view["status"],
        embedding=view.get("embedding"),
        model_ids=view["models"],
        distance_threshold=view["distance_threshold"],
        reward_pool=view["reward"],
        generation_epoch=view["epoch"],
        bond_amount=filled.get("bond", 0),
        submitter=filled.get("submitter"),
        winning_model_id=filled.get("winning_model"),
        winning_model_owner=filled.get("winning_owner"),
        winning_distance_score=filled.get("distance"),
        winning_loss_score=[filled["loss"]] if fill else None,
        winning_embedding=filled.get("embedding"),
        data_url=filled["data"]["url"] if fill else None,
        data_checksum=filled["data"]["checksum"] if fill else None,
        data_size=filled["data"]["size"] if fill else None,
        fill_epoch=filled.get("epoch"),
        claimable_from=filled.get("claimable_from"),
        payout=tree(view.get("payout")),
    )


def target_page(answer):
    """One page of targets."""
    return SimpleNamespace(
        targets=[target(view) for view in answer["items"]],
        next_page_token=answer.get("next_cursor"),
    )
