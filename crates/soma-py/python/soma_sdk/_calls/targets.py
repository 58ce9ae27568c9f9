"""Targets, and data that fills them."""

from soma_sdk import _arguments as arguments
from soma_sdk import _native
from soma_sdk import _numbers as numbers
from soma_sdk import _views as views
from soma_sdk._calls.base import PAGE, Calls

# The statuses that a target can be asked for by.
TARGET_STATUSES = ("open", "filled", "claimable", "claimed", "expired", "fraud", "void")


class TargetCalls(Calls):
    """Targets, submissions, rewards."""

    async def list_targets(
        self,
        status=None,
        claimable=False,
        epoch=None,
        limit=None,
        read_mask=None,
        submitter=None,
        page_token=None,
    ):
        """One page of targets, and `next_page_token` where there are more.

        `read_mask` is accepted and not used: targets always come whole.
        """
        page = self._target_pages(status, claimable, epoch, submitter)
        limit = None if limit is None else arguments.whole("limit", limit)
        if limit == 0:
            raise ValueError("limit: must be at least 1")
        if page_token is not None:
            arguments.text("page_token", page_token)
        try:
            answer = await page(limit, page_token)
        except _native.InvalidRequest as error:
            if page_token is None:
                raise
            raise ValueError(f"page_token: {error}") from None
        return views.target_page(answer)

    async def get_targets(
        self, status=None, claimable=False, epoch=None, limit=None, submitter=None
    ):
        """All targets that pass the filter: open ones, when it says nothing else.

        `status` is open, filled, claimable, claimed, expired, fraud or void.
        """
        page = self._target_pages(status, claimable, epoch, submitter)
        wanted = None if limit is None else arguments.whole("limit", limit)
        found, cursor = [], None
        while wanted is None or len(found) < wanted:
            left = PAGE if wanted is None else min(PAGE, wanted - len(found))
            answer = await page(left, cursor)
            found.extend(views.target(view) for view in answer["items"])
            cursor = answer.get("next_cursor")
            if cursor is None:
                break
        return found[:wanted]

    def _target_pages(self, status, claimable, epoch, submitter):
        arguments.flag("claimable", claimable)
        if status is None:
            status = "claimable" if claimable else "open"
        status = arguments.text("status", status).lower()
        if status not in TARGET_STATUSES:
            raise ValueError(f"status: unknown `{status}`; use one of {', '.join(TARGET_STATUSES)}")
        if claimable:
            status = "claimable"
        epoch = None if epoch is None else arguments.whole("epoch", epoch)
        if submitter is not None:
            submitter = arguments.address("submitter", submitter)

        def page(limit, cursor):
            return self._native.targets(status, epoch, submitter, True, limit, cursor)

        return page

    async def submit_data(
        self,
        signer,
        target_id,
        data,
        data_url,
        model_id,
        embedding,
        distance_score,
        loss_score,
    ):
        """Fills a target with data: sends a seal, and one block later what opens it.

        The chain computes the distance itself; `distance_score` is checked to be a number.
        `loss_score` is a number, a list of one, or what `score` gave. When an assigned model has
        revealed other weights since this client scored the data with it, no bond is sent
        (`ModelsChanged`).
        """
        arguments.keypair("signer", signer)
        numbers.number("distance_score", distance_score)
        return views.effects(
            await self._native.submit_data(
                signer,
                arguments.object_id("target_id", target_id),
                arguments.some_data("data", data),
                arguments.text("data_url", data_url),
                arguments.object_id("model_id", model_id),
                arguments.embedding("embedding", embedding),
                numbers.number("loss_score", loss_score),
            )
        )

    async def claim_rewards(self, signer, target_id):
        """Pays out a filled target whose audit is over."""
        arguments.keypair("signer", signer)
        target_id = arguments.object_id("target_id", target_id)
        return views.effects(await self._native.claim_rewards(signer, target_id))

    async def challenge_submission(self, signer, target_id):
        """Asks every validator for a full audit of a submission, with a bond."""
        arguments.keypair("signer", signer)
        target_id = arguments.object_id("target_id", target_id)
        return views.effects(await self._native.challenge_submission(signer, target_id))

    async def report_submission(self, signer, target_id, reason="wrong_loss"):
        """As a validator, reports a submission.

        `reason` is data_unavailable, data_mismatch, data_invalid, wrong_winner, wrong_loss,
        wrong_embedding, winner_invalid or winner_unavailable.
        """
        arguments.keypair("signer", signer)
        target_id = arguments.object_id("target_id", target_id)
        reason = arguments.text("reason", reason)
        return views.effects(await self._native.report_submission(signer, target_id, reason))

    async def undo_report_submission(self, signer, target_id):
        """Takes a report of a submission back."""
        arguments.keypair("signer", signer)
        target_id = arguments.object_id("target_id", target_id)
        return views.effects(await self._native.report_submission(signer, target_id))
