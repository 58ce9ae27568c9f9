"""Models, their weights and their pools."""

from types import SimpleNamespace

from soma_sdk._views.shapes import tree


def manifest(model_id, weights):
    """Where a model's weights lie. One without weights keeps its place, with a `url` of None."""
    weights = weights or {}
    return SimpleNamespace(
        model_id=model_id,
        url=weights.get("url"),
        checksum=weights.get("checksum"),
        size=weights.get("size", 0),
        decryption_key=weights.get("key"),
        plaintext_checksum=weights.get("plaintext_checksum"),
    )


def active_model(view, soma):
    """A model that is assigned to targets."""
    pending = view.get("pending")
    return SimpleNamespace(
        model_id=view["id"],
        owner=view["owner"],
        embedding=view.get("embedding"),
        stake=soma(view["stake"]),
        commission_rate=view["commission_bps"],
        next_epoch_commission_rate=view["next_commission_bps"],
        commit_epoch=None if pending is None else pending["commit_epoch"],
        has_pending_update=pending is not None,
        leaving=view.get("leaving", False),
    )


def registered_model(view, epoch=None):
    """A model of the registry, as of `epoch`."""
    pool = view.get("pool")
    weights = view.get("weights")
    return SimpleNamespace(
        model_id=view["id"],
        owner=view["owner"],
        status=view["status"],
        leaving=view.get("leaving", False),
        architecture_version=view["architecture_version"],
        embedding=view.get("embedding"),
        manifest=None if weights is None else manifest(view["id"], weights),
        pending_update=tree(view.get("pending")),
        staking_pool=staking_pool(pool, epoch),
        stake=view["stake"],
        commission_rate=view["commission_bps"],
        next_epoch_commission_rate=view["next_commission_bps"],
    )


def staking_pool(view, epoch=None):
    """A staking pool, as of `epoch`; amounts in shannons."""
    if view is None:
        return None
    rate = (view["stake"], int(view["tokens"]))
    return SimpleNamespace(
        id=view["id"],
        status=view["status"],
        # When a pool began and ended is not kept: `status` says whether it counts.
        activation_epoch=None,
        deactivation_epoch=None,
        soma_balance=view["stake"],
        # Rewards are stake from the moment they are paid; none wait beside it.
        rewards_pool=0,
        pool_token_balance=int(view["tokens"]),
        exchange_rate=rate,
        # Rates of the past are not kept.
        exchange_rates={} if epoch is None else {epoch: rate},
        pending_stake=view["pending"],
        pending_total_soma_withdraw=view["unbonding"],
        # What unbonds has left the pool's shares already.
        pending_pool_token_withdraw=0,
    )
