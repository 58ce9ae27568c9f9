"""Stake with validators and models."""

from soma_sdk import _arguments as arguments
from soma_sdk import _numbers as numbers
from soma_sdk import _views as views
from soma_sdk._calls.accounts import AccountCalls

# Fees of later transactions that "all of it" leaves on the account, in transactions.
_LATER_TRANSACTIONS = 50


class StakeCalls(AccountCalls):
    """Stake: in, and out again."""

    async def add_stake(self, signer, validator, amount=None):
        """Stakes `amount` SOMA with a validator; without an amount all but what fees need."""
        arguments.keypair("signer", signer)
        validator = arguments.address("validator", validator)
        amount = await self._stake_amount(signer, amount)
        return views.effects(await self._native.stake(signer, validator, amount))

    async def add_stake_to_model(self, signer, model_id, amount=None):
        """Stakes `amount` SOMA with a model; without an amount all but what fees need."""
        arguments.keypair("signer", signer)
        model_id = arguments.object_id("model_id", model_id)
        amount = await self._stake_amount(signer, amount)
        return views.effects(await self._native.stake_to_model(signer, model_id, amount))

    async def _stake_amount(self, signer, amount):
        if amount is not None:
            return numbers.positive_shannons("amount", amount)
        return await self._everything(
            signer.address(), writes=3, divisor=2, later=_LATER_TRANSACTIONS
        )

    async def withdraw_stake(self, signer, staked_soma_id):
        """Withdraws a stake. The money comes when the next full epoch is over."""
        arguments.keypair("signer", signer)
        stake = arguments.object_id("staked_soma_id", staked_soma_id)
        return views.effects(await self._native.unstake(signer, stake))
