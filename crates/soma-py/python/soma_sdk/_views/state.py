"""The system state, its parameters, epochs."""

from types import SimpleNamespace

from soma_sdk._views.models import registered_model
from soma_sdk._views.shapes import Records, Threshold
from soma_sdk._views.validators import validator_set

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


def report_records(views, key):
    """Who reported what in this epoch: reporters by id of the reported."""
    return Records(
        {
            view[key]: [report["validator"] for report in view["reports"]]
            for view in views
            if view.get("reports")
        }
    )


def system_state(system, all_parameters, supply, validators, models):
    """The system state."""
    difficulty = system["difficulty"]
    hits_average = difficulty.get("hits_average")
    registered = [registered_model(view, system["epoch"]) for view in models]
    pools = {view["pool"]["id"]: view["id"] for view in models if view.get("pool")}
    return SimpleNamespace(
        epoch=system["epoch"],
        protocol_version=system["protocol_version"],
        validators=validator_set(validators, system["epoch"]),
        parameters=parameters(all_parameters, system, supply),
        epoch_start_timestamp_ms=system["epoch_start_ms"],
        validator_report_records=report_records(validators, "address"),
        model_registry=SimpleNamespace(
            models=Records({model.model_id: model for model in registered}),
            staking_pool_mappings=Records(pools),
            total_model_stake=sum(model.stake for model in registered if model.status == "active"),
            model_report_records=report_records(models, "id"),
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
