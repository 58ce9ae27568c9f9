"""Validators."""

from types import SimpleNamespace

from soma_sdk._views.models import staking_pool
from soma_sdk._views.shapes import Records


def validator(view, epoch=None):
    """A validator, as of `epoch`."""
    metadata = view["metadata"]
    following = view.get("next_metadata") or {}
    return SimpleNamespace(
        metadata=SimpleNamespace(
            soma_address=view["address"],
            name=metadata["name"],
            protocol_pubkey=metadata["consensus_key"],
            # Votes, connections and data use one key here.
            network_pubkey=metadata["consensus_key"],
            worker_pubkey=metadata["consensus_key"],
            net_address=metadata["rpc_address"],
            p2p_address=metadata["p2p_address"],
            primary_address=metadata["p2p_address"],
            proxy_address=metadata["proxy_address"],
            proof_of_possession=None,
            next_epoch_protocol_pubkey=following.get("consensus_key"),
            next_epoch_network_pubkey=following.get("consensus_key"),
            next_epoch_worker_pubkey=following.get("consensus_key"),
            next_epoch_net_address=following.get("rpc_address"),
            next_epoch_p2p_address=following.get("p2p_address"),
            next_epoch_primary_address=following.get("p2p_address"),
            next_epoch_proxy_address=following.get("proxy_address"),
            next_epoch_proof_of_possession=None,
        ),
        status=view["status"],
        voting_power=view["voting_power"],
        staking_pool=staking_pool(view.get("pool"), epoch),
        commission_rate=view["commission_bps"],
        next_epoch_stake=view["stake"] + (view.get("pool") or {}).get("pending", 0),
        next_epoch_commission_rate=view["next_commission_bps"],
        metadata_changes=view["metadata_changes"],
        low_stake_epochs=view["low_stake_epochs"],
    )


def validator_set(views, epoch):
    """All validators, by what they are in `epoch`."""
    all_of = {status: [] for status in ("active", "leaving", "pending", "inactive")}
    for view in views:
        all_of.setdefault(view["status"], []).append(view)
    members = all_of["active"] + all_of["leaving"]
    members.sort(key=lambda view: view["address"])
    pools = {view["pool"]["id"]: view["address"] for view in members if view.get("pool")}
    at_risk = {
        view["address"]: view["low_stake_epochs"] for view in members if view["low_stake_epochs"]
    }
    return SimpleNamespace(
        total_stake=sum(view["stake"] for view in members),
        validators=[validator(view, epoch) for view in members],
        pending_validators=[validator(view, epoch) for view in all_of["pending"]],
        pending_removals=[view["address"] for view in all_of["leaving"]],
        staking_pool_mappings=Records(pools),
        inactive_validators=Records(
            {view["address"]: validator(view, epoch) for view in all_of["inactive"]}
        ),
        at_risk_validators=Records(at_risk),
    )
