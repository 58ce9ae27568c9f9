"""Answers of the network in the shapes that people know: trees of namespaces."""

import json
import struct
from types import SimpleNamespace

from soma_sdk import _native


class Records(dict):
    """Values by id: `records[id]`, `.items()`, and, as in a namespace, `vars(records)`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.__dict__ = self


class Status(str):
    """`Success` or `Failure`; upper and lower case do not matter when compared."""

    __slots__ = ()

    def __eq__(self, other):
        return isinstance(other, str) and self.lower() == other.lower()

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.lower())


class Threshold(float):
    """A distance, which is also a tensor of one 32-bit float: `dtype`, `bytes`, `shape`."""

    __slots__ = ()

    dtype = "F32"
    shape = [1]

    @property
    def bytes(self):
        return list(struct.pack("<f", self))


def tree(value):
    """Namespaces for dicts with names, all the way down."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: tree(item) for name, item in value.items()})
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        return [tree(item) for item in value]
    return value


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
    return SimpleNamespace(
        model_id=view["id"],
        owner=view["owner"],
        embedding=view.get("embedding"),
        stake=soma(view["stake"]),
        commission_rate=view["commission_bps"],
        next_epoch_commission_rate=view["next_commission_bps"],
        commit_epoch=0,
        has_pending_update=view.get("pending") is not None,
    )


def registered_model(view):
    """A model of the registry."""
    pool = view.get("pool")
    weights = view.get("weights")
    return SimpleNamespace(
        model_id=view["id"],
        owner=view["owner"],
        status=view["status"],
        architecture_version=view["architecture_version"],
        embedding=view.get("embedding"),
        manifest=None if weights is None else manifest(view["id"], weights),
        pending_update=tree(view.get("pending")),
        staking_pool=staking_pool(pool),
        stake=view["stake"],
        commission_rate=view["commission_bps"],
        next_epoch_commission_rate=view["next_commission_bps"],
    )


def staking_pool(view):
    """A staking pool; amounts in shannons."""
    if view is None:
        return None
    return SimpleNamespace(
        id=view["id"],
        status=view["status"],
        soma_balance=view["stake"],
        pool_token_balance=int(view["tokens"]),
        pending_stake=view["pending"],
        pending_total_soma_withdraw=view["unbonding"],
        exchange_rate=(view["stake"], int(view["tokens"])),
    )


def validator(view):
    """A validator."""
    metadata = view["metadata"]
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
            next_epoch_protocol_pubkey=None,
            next_epoch_network_pubkey=None,
            next_epoch_worker_pubkey=None,
            next_epoch_net_address=None,
            next_epoch_p2p_address=None,
            next_epoch_primary_address=None,
            next_epoch_proxy_address=None,
            next_epoch_proof_of_possession=None,
        ),
        status=view["status"],
        voting_power=view["voting_power"],
        staking_pool=staking_pool(view.get("pool")),
        commission_rate=view["commission_bps"],
        next_epoch_stake=view["stake"] + (view.get("pool") or {}).get("pending", 0),
        next_epoch_commission_rate=view["next_commission_bps"],
        metadata_changes=view["metadata_changes"],
        low_stake_epochs=view["low_stake_epochs"],
    )


def validator_set(views):
    """All validators, by what they are."""
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
        validators=[validator(view) for view in members],
        pending_validators=[validator(view) for view in all_of["pending"]],
        pending_removals=[view["address"] for view in all_of["leaving"]],
        staking_pool_mappings=Records(pools),
        inactive_validators=Records(
            {view["address"]: validator(view) for view in all_of["inactive"]}
        ),
        at_risk_validators=Records(at_risk),
    )


# One, in the units of the chain's distances.
_ONE = 1 << 30


def parameters(view, system, supply):
    """The protocol parameters: under the names that people know, and under their own."""
    values = view["parameters"]
    epoch_ms = values["epoch_duration_ms"]
    year_ms = 31_536_000_000
    burned_a_year = supply["circulating"] * values["annual_burn_bps"] // 10_000
    # The floor of the controller: six deviations of random distances below 1.
    deviation = values["target_embedding_dim"] ** -0.5
    known = {
        "value_fee_bps": system["value_fee_ppm"] // 100,
        "min_value_fee_bps": values["min_value_fee_ppm"] // 100,
        "max_value_fee_bps": values["max_value_fee_ppm"] // 100,
        # What the value fee steers to: the epoch's part of the yearly burn.
        "target_epoch_fee_collection": burned_a_year * epoch_ms // year_ms,
        "target_initial_distance_threshold": Threshold(
            values["target_initial_distance_threshold"] / _ONE
        ),
        "target_max_distance_threshold": Threshold(2.0),
        "target_min_distance_threshold": Threshold(max(0.0, 1.0 - 6.0 * deviation)),
        "target_reward_allocation_bps": 10_000 - values["validator_reward_allocation_bps"],
        "target_model_reward_share_bps": 10_000 - values["target_submitter_reward_share_bps"],
        # The threshold moves by at most half a deviation an epoch.
        "target_difficulty_adjustment_rate_bps": 5_000,
    }
    return SimpleNamespace(**{**values, **known})


def system_state(system, all_parameters, supply, validators, models):
    """The system state."""
    difficulty = system["difficulty"]
    hits_average = difficulty.get("hits_average")
    registered = [registered_model(view) for view in models]
    pools = {view["pool"]["id"]: view["id"] for view in models if view.get("pool")}
    return SimpleNamespace(
        epoch=system["epoch"],
        protocol_version=system["protocol_version"],
        validators=validator_set(validators),
        parameters=parameters(all_parameters, system, supply),
        epoch_start_timestamp_ms=system["epoch_start_ms"],
        validator_report_records=Records(),
        model_registry=SimpleNamespace(
            models=Records({model.model_id: model for model in registered}),
            staking_pool_mappings=Records(pools),
            total_model_stake=sum(
                model.stake for model in registered if model.status == "active"
            ),
            model_report_records=Records(),
        ),
        emission_pool=SimpleNamespace(
            balance=system["emission_pool"],
            emission_per_epoch=system["emission_per_epoch"],
        ),
        target_state=SimpleNamespace(
            distance_threshold=Threshold(difficulty["distance_threshold"]),
            targets_generated_this_epoch=system["targets_drawn"],
            hits_this_epoch=system["hits"],
            hits_ema=0 if hits_average is None else int(hits_average),
            hits_average=hits_average,
            reward_per_target=system["reward_per_target"],
        ),
        # An epoch change cannot fail here.
        safe_mode=False,
        safe_mode_accumulated_fees=0,
        safe_mode_accumulated_emissions=0,
        burned=system["burned"],
        burned_this_epoch=system["burned_this_epoch"],
        validator_pot=system["validator_pot"],
        target_pot=system["target_pot"],
    )


def epoch(view):
    """An epoch."""
    ended = None
    if view.get("end_ms") is not None:
        ended = SimpleNamespace(
            last_checkpoint_id=view.get("last_height"),
            epoch_end_timestamp_ms=view["end_ms"],
        )
    return SimpleNamespace(
        epoch=view["epoch"],
        first_checkpoint_id=view["first_height"],
        epoch_start_timestamp_ms=view["start_ms"],
        end_of_epoch_info=ended,
        protocol_version=view["protocol_version"],
        distance_threshold=view["distance_threshold"],
        targets_generated=view["targets_drawn"],
        hits=view["hits"],
        reward_per_target=view["reward_per_target"],
        burned=view["burned"],
        released=view["released"],
    )


def checkpoint(answer):
    """A block as a certified checkpoint summary."""
    block, certificate = answer["block"], answer["certificate"]
    header = block["header"]
    return SimpleNamespace(
        data=SimpleNamespace(
            sequence_number=header["height"],
            epoch=header["epoch"],
            network_total_transactions=None,
            transactions=len(block["transaction_digests"]),
            transaction_digests=block["transaction_digests"],
            content_digest=header["transactions_root"],
            previous_digest=header["parent"],
            state_root=header["state_root"],
            timestamp_ms=header["time_ms"],
            proposer=header["proposer"],
            end_of_epoch=block["end_epoch"],
        ),
        digest=block["digest"],
        auth_signature=SimpleNamespace(
            epoch=header["epoch"],
            round=certificate["round"],
            signatures=tree(certificate["signatures"]),
        ),
    )


def effects(receipt):
    """What a transaction did."""
    fee = receipt["fee"]
    parts = {
        change: [SimpleNamespace(id=one["id"], type=one["type"]) for one in receipt[change]]
        for change in ("created", "mutated", "deleted")
    }
    changed = [
        SimpleNamespace(id=one.id, type=one.type, operation=change)
        for change, objects in parts.items()
        for one in objects
    ]
    is_good = receipt["status"] == "success"
    return SimpleNamespace(
        status=Status("Success" if is_good else "Failure"),
        error=tree(receipt.get("error")),
        executed_epoch=receipt["epoch"],
        transaction_fee=SimpleNamespace(
            base_fee=fee["base"],
            operation_fee=fee["operation"],
            value_fee=fee["value"],
            total_fee=fee["total"],
        ),
        transaction_digest=receipt["transaction"],
        gas_object_index=None,
        dependencies=[],
        version=receipt["height"],
        changed_objects=changed,
        unchanged_shared_objects=[],
        gas_used=SimpleNamespace(
            computation_cost=fee["base"] + fee["value"],
            storage_cost=fee["operation"],
            storage_rebate=0,
            non_refundable_storage_fee=fee["operation"],
        ),
        **parts,
        sender=receipt["sender"],
        checkpoint=receipt["height"],
        balance_changes=tree(receipt["balance_changes"]),
    )


def no_effects(sender, epoch_number):
    """The effects of what needs no transaction."""
    return SimpleNamespace(
        status=Status("Success"),
        error=None,
        executed_epoch=epoch_number,
        transaction_fee=SimpleNamespace(base_fee=0, operation_fee=0, value_fee=0, total_fee=0),
        transaction_digest=None,
        gas_object_index=None,
        dependencies=[],
        version=None,
        changed_objects=[],
        unchanged_shared_objects=[],
        gas_used=SimpleNamespace(
            computation_cost=0,
            storage_cost=0,
            storage_rebate=0,
            non_refundable_storage_fee=0,
        ),
        created=[],
        mutated=[],
        deleted=[],
        sender=sender,
        checkpoint=None,
        balance_changes=[],
    )


# Objects have no history here: what is read is always the current version.
OBJECT_VERSION = 1


def object_of(view):
    """An object: the fields of its content, and what all objects have."""
    content = dict(view["content"])
    kind = view["type"]
    if kind == "target":
        fields = vars(target(content))
    elif kind == "model":
        fields = vars(registered_model(content))
    elif kind == "validator":
        fields = vars(validator(content))
    elif kind == "staked_soma":
        fields = vars(tree(content))
        fields["pool_id"] = content["pool"]
        fields["stake_activation_epoch"] = content.get("from")
    else:
        fields = vars(tree(content))
    text = json.dumps(view, sort_keys=True, separators=(",", ":"))
    common = {
        "id": view["id"],
        "version": OBJECT_VERSION,
        "digest": _native.checksum(text.encode()),
        "object_type": kind,
        "owner": view.get("owner"),
    }
    return SimpleNamespace(**{**fields, **common})


def faucet(answer):
    """What the faucet sent."""
    coin = SimpleNamespace(
        amount=answer["amount"],
        id=answer["address"],
        transfer_tx_digest=answer["transaction"],
    )
    return SimpleNamespace(status="Success", coins_sent=[coin])
