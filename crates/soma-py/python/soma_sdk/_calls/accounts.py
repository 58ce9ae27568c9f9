"""Accounts: balances, objects, payments."""

import asyncio

from soma_sdk import _arguments as arguments
from soma_sdk import _helpers as helpers
from soma_sdk import _native
from soma_sdk import _numbers as numbers
from soma_sdk import _views as views
from soma_sdk._calls.base import PAGE, Calls


class AccountCalls(Calls):
    """What accounts have, and payments between them."""

    async def get_balance(self, address):
        """Balance of an address in SOMA; 0.0 for one that nobody knows."""
        view = await self._native.balance(arguments.address("address", address))
        return numbers.soma(view["balance"])

    async def get_object(self, object_id):
        """An object by id: its fields, and `id`, `version`, `digest`, `object_type`, `owner`."""
        view = await self._native.object(arguments.object_id("object_id", object_id))
        # Objects come without embeddings.
        if view["type"] == "model":
            view["content"] = await self._native.model(view["id"], True)
        elif view["type"] == "target":
            view["content"] = await self._native.target(view["id"], True)
        return views.object_of(view)

    async def get_object_with_version(self, object_id, version):
        """As `get_object`. Objects have no history here: only version 1, the current one."""
        if arguments.whole("version", version) != views.OBJECT_VERSION:
            raise ValueError(
                f"version: only the current version ({views.OBJECT_VERSION}) of an object can be "
                f"read, got {version}"
            )
        return await self.get_object(object_id)

    async def list_owned_objects(self, owner, object_type=None, limit=None):
        """Objects of an address: coin, staked_soma, model, target (filled by it), validator."""
        owner = arguments.address("owner", owner)
        if object_type is not None:
            arguments.text("object_type", object_type)
        wanted = None if limit is None else arguments.whole("limit", limit)
        found, cursor = [], None
        while wanted is None or len(found) < wanted:
            answer = await self._native.objects(owner, object_type, None, cursor)
            found.extend(answer["items"])
            cursor = answer.get("next_cursor")
            if cursor is None:
                break
        found = found[:wanted]
        await self._add_embeddings(owner, found)
        return [views.object_of(view) for view in found]

    async def _add_embeddings(self, owner, objects):
        """Puts in the embeddings of models and targets: lists of objects come without."""

        def models(cursor):
            return self._native.models(None, owner, True, PAGE, cursor)

        def targets(cursor):
            return self._native.targets(None, None, owner, True, PAGE, cursor)

        for kind, page in (("model", models), ("target", targets)):
            left, cursor = {view["id"]: view for view in objects if view["type"] == kind}, None
            while left:
                answer = await page(cursor)
                for content in answer["items"]:
                    if content["id"] in left:
                        left.pop(content["id"])["content"] = content
                cursor = answer.get("next_cursor")
                if cursor is None:
                    break

    async def transfer_coin(self, signer, recipient, amount):
        """Sends `amount` SOMA."""
        arguments.keypair("signer", signer)
        recipient = arguments.address("recipient", recipient)
        amount = numbers.positive_shannons("amount", amount)
        return views.effects(await self._native.transfer(signer, recipient, amount, False))

    async def transfer_objects(self, signer, recipient, object_ids):
        """Sends objects. Here only coins can be sent, and an address has one: its whole balance."""
        arguments.keypair("signer", signer)
        recipient = arguments.address("recipient", recipient)
        ids = [
            arguments.object_id("object_ids", one)
            for one in arguments.items("object_ids", object_ids)
        ]
        own = signer.address()
        if not ids:
            raise ValueError("object_ids: must not be empty")
        for one in ids:
            if one.lower().removeprefix("0x") != own.removeprefix("0x"):
                raise ValueError(
                    f"object_ids: {one} cannot be sent; on this network only the coin of the "
                    f"signer ({own}) can, stake and models stay with their owner"
                )
        amount = await self._everything(own, writes=2, divisor=1, later=0)
        return views.effects(await self._native.transfer(signer, recipient, amount, True))

    async def pay_coins(self, signer, recipients, amounts):
        """Sends amounts of SOMA to as many recipients, all or none."""
        arguments.keypair("signer", signer)
        recipients = [
            arguments.address("recipients", one)
            for one in arguments.items("recipients", recipients)
        ]
        amounts = [
            numbers.positive_shannons("amounts", one) for one in arguments.items("amounts", amounts)
        ]
        if len(recipients) != len(amounts):
            raise ValueError(
                f"amounts: {len(amounts)} amounts for {len(recipients)} recipients; give as many"
            )
        if not recipients:
            raise ValueError("recipients: must not be empty")
        return views.effects(await self._native.pay(signer, recipients, amounts))

    async def merge_coins(self, signer):
        """Does nothing, successfully: a balance is one coin here."""
        arguments.keypair("signer", signer)
        status = await self._native.status()
        return views.no_effects(signer.address(), status["epoch"])

    async def build_transaction(self, sender, kind):
        """The next transaction of `sender` in its canonical encoding, for `Keypair.sign`.

        `kind` is a dict as the API shows it, such as
        `{"transfer": {"recipient": "0x…", "amount": 5}}` with the amount in shannons.
        """
        sender = arguments.address("sender", sender)
        return await self._native.build(sender, helpers.kind_text(kind))

    async def _everything(self, address, writes, divisor, later):
        """Shannons that can be spent at once; fees of `later` more transactions are left over."""
        account, parameters, system = await asyncio.gather(
            self._native.balance(address), self._parameters(), self._native.system()
        )
        fee = parameters["base_fee"] + writes * parameters["write_object_fee"]
        # What is staked is withdrawn some day, which costs the same share again.
        rate = system["value_fee_ppm"] // divisor * (3 if later else 1)
        left = max(0, account["balance"] - fee * (1 + later))
        amount = left * 1_000_000 // (1_000_000 + rate)
        if amount == 0:
            raise _native.InsufficientCoinBalance(
                f"No available coin for address {address}: it has {account['balance']} shannons"
            )
        return amount
