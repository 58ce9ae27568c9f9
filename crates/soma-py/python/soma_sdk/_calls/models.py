"""Models: those of all, and one's own."""

import asyncio

from soma_sdk import _arguments as arguments
from soma_sdk import _native
from soma_sdk import _numbers as numbers
from soma_sdk import _views as views
from soma_sdk._calls.base import PAGE, Calls


class ModelCalls(Calls):
    """Models, their weights, and what owners and validators do with them."""

    async def get_active_models(self):
        """The models that are assigned to targets."""
        found = await self._all(
            lambda cursor: self._native.models("active", None, True, PAGE, cursor)
        )
        return [views.active_model(view, numbers.soma) for view in found]

    async def get_model_manifests(self, model_ids_or_target):
        """Where the weights of models lie: of a list of ids, or of the models of a target.

        The answer has one entry for each id, in their order, so that the winner of a score is at
        the same place in both. An entry whose model has no weights has a `url` of None, and
        `score` leaves it out. When no model has weights the list is empty.
        """
        name = "model_ids_or_target"
        ids = getattr(model_ids_or_target, "model_ids", model_ids_or_target)
        ids = [arguments.object_id(name, one) for one in arguments.items(name, ids)]
        found = await asyncio.gather(*(self._weights(one) for one in ids))
        if not any(found):
            return []
        return [views.manifest(one, weights) for one, weights in zip(ids, found)]

    async def _weights(self, model_id):
        try:
            return (await self._native.model(model_id)).get("weights")
        except _native.NotFound:
            return None

    async def create_model(self, signer, commission_rate, stake_amount=None):
        """Creates a model and gives its id. `commission_rate` is in basis points.

        `stake_amount` is the first stake in SOMA; the network's minimum when absent.
        """
        arguments.keypair("signer", signer)
        rate = arguments.basis_points("commission_rate", commission_rate)
        stake = None if stake_amount is None else numbers.shannons("stake_amount", stake_amount)
        return (await self._native.create_model(signer, rate, stake))["model_id"]

    async def commit_model(
        self, signer, model_id, weights_url, encrypted_weights, decryption_key, embedding
    ):
        """Commits to sealed weights that lie at `weights_url`; reveal them in the next epoch.

        `encrypted_weights` are the bytes, or the path (`os.PathLike`) of a file that is then read
        in constant memory.
        """
        arguments.keypair("signer", signer)
        return views.effects(
            await self._native.commit_model(
                signer,
                arguments.object_id("model_id", model_id),
                arguments.text("weights_url", weights_url),
                arguments.data_or_path("encrypted_weights", encrypted_weights),
                arguments.key("decryption_key", decryption_key),
                arguments.embedding("embedding", embedding),
            )
        )

    async def reveal_model(self, signer, model_id, decryption_key, embedding):
        """Reveals the weights that were committed in the epoch before."""
        arguments.keypair("signer", signer)
        return views.effects(
            await self._native.reveal_model(
                signer,
                arguments.object_id("model_id", model_id),
                arguments.key("decryption_key", decryption_key),
                arguments.embedding("embedding", embedding),
            )
        )

    async def deactivate_model(self, signer, model_id):
        """Ends a model with the epoch: until then it answers for its targets."""
        arguments.keypair("signer", signer)
        model_id = arguments.object_id("model_id", model_id)
        return views.effects(await self._native.deactivate_model(signer, model_id))

    async def set_model_commission_rate(self, signer, model_id, new_rate):
        """Changes a model's commission, in basis points, from the next epoch on."""
        arguments.keypair("signer", signer)
        model_id = arguments.object_id("model_id", model_id)
        rate = arguments.basis_points("new_rate", new_rate)
        return views.effects(await self._native.set_model_commission(signer, model_id, rate))

    async def report_model(self, signer, model_id, reason="invalid_weights"):
        """As a validator, reports a model.

        `reason` is weights_unavailable, weights_mismatch, undecryptable, plaintext_mismatch or
        invalid_weights.
        """
        arguments.keypair("signer", signer)
        model_id = arguments.object_id("model_id", model_id)
        reason = arguments.text("reason", reason)
        return views.effects(await self._native.report_model(signer, model_id, reason))

    async def undo_report_model(self, signer, model_id):
        """Takes a report of a model back."""
        arguments.keypair("signer", signer)
        model_id = arguments.object_id("model_id", model_id)
        return views.effects(await self._native.report_model(signer, model_id))
