"""Transactions, blocks, and what the faucet sent."""

from types import SimpleNamespace

from soma_sdk._views.shapes import Status, tree


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


def faucet(answer):
    """What the faucet sent."""
    coin = SimpleNamespace(
        amount=answer["amount"],
        id=answer["address"],
        transfer_tx_digest=answer["transaction"],
    )
    return SimpleNamespace(status="Success", coins_sent=[coin])
