"""The client."""

import asyncio

from soma_sdk import _arguments as arguments
from soma_sdk import _helpers as helpers
from soma_sdk import _native, _networks
from soma_sdk import _numbers as numbers
from soma_sdk import _views as views

# The statuses that a target can be asked for by.
TARGET_STATUSES = ("open", "filled", "claimable", "claimed", "expired", "fraud")

# Items of a page: what the node gives at most with embeddings.
_PAGE = 100

# Fees of later transactions that "all of it" leaves on the account, in transactions.
_LATER_TRANSACTIONS = 50


class SomaClient:
    """A client of one network. `await SomaClient(...)` gives it when the node has answered.

    Any number of calls may run at the same time, from any number of threads and event loops.
    Cancelling a task stops waiting; a transaction that was sent may still be executed.
    """

    def __init__(
        self,
        rpc_url=None,
        scoring_url=None,
        admin_url=None,
        faucet_url=None,
        chain=None,
    ):
        given = {
            "rpc_url": rpc_url,
            "faucet_url": faucet_url,
            "scoring_url": scoring_url,
            "admin_url": admin_url,
        }
        urls = _networks.urls(chain, given)
        self._native = _native.Client(
            urls["rpc_url"], urls["faucet_url"], urls["scoring_url"], urls["admin_url"]
        )
        self._is_local = _networks.is_on_this_machine(urls["rpc_url"])
        self._rpc_url = urls["rpc_url"]

    def __await__(self):
        return self._ready().__await__()

    async def _ready(self):
        await self._native.chain_info()
        return self

    def __repr__(self):
        return f"SomaClient(rpc_url={self._rpc_url!r})"

    # Helpers that need no network; also functions of the module.

    encrypt_weights = staticmethod(helpers.encrypt_weights)
    decrypt_weights = staticmethod(helpers.decrypt_weights)
    encrypt_weights_file = staticmethod(helpers.encrypt_weights_file)
    decrypt_weights_file = staticmethod(helpers.decrypt_weights_file)
    commitment = staticmethod(helpers.commitment)
    commitment_file = staticmethod(helpers.commitment_file)
    to_shannons = staticmethod(helpers.to_shannons)
    to_soma = staticmethod(helpers.to_soma)
    model_manifest = staticmethod(helpers.model_manifest)
    sigreg_noise = staticmethod(helpers.sigreg_noise)
    tokenize = staticmethod(helpers.tokenize)
    score_locally = staticmethod(helpers.score_locally)

    # The network.

    async def get_chain_identifier(self):
        """Name of the chain, such as `localnet`."""
        return (await self._native.chain_info())["chain"]

    async def get_server_version(self):
        """Name and version of the node's program."""
        version = (await self._native.chain_info())["server_version"]
        return version if "/" in version else f"soma-node/{version}"

    async def get_protocol_version(self):
        """Version of the protocol parameters."""
        return (await self._native.chain_info())["protocol_version"]

    async def get_architecture_version(self):
        """Version of the models' architecture."""
        return (await self._parameters())["model_architecture_version"]

    async def get_embedding_dim(self):
        """Numbers of an embedding."""
        return (await self._parameters())["target_embedding_dim"]

    async def get_model_min_stake(self):
        """The least first stake of a model, in shannons."""
        return (await self._parameters())["model_min_stake"]

    async def check_api_version(self):
        """Raises `ApiVersionMismatch` when the node speaks another version of the API."""
        server = (await self._native.chain_info())["api_version"]
        if server != _native.API_VERSION:
            raise _native.ApiVersionMismatch(
                f"Client/Server api version mismatch, client api version: {_native.API_VERSION}, "
                f"server api version: {server}"
            )

    async def _parameters(self):
        return (await self._native.parameters())["parameters"]

    async def get_latest_system_state(self):
        """The system state: epoch, validators, parameters, models, targets, money."""
        system, parameters, supply, validators, models = await asyncio.gather(
            self._native.system(),
            self._native.parameters(),
            self._native.supply(),
            self._all(lambda cursor: self._native.validators(None, cursor)),
            self._all(lambda cursor: self._native.models(None, None, True, _PAGE, cursor)),
        )
        return views.system_state(system, parameters, supply, validators, models)

    async def _all(self, page):
        """All items of a list: pages are followed to the end."""
        found, cursor = [], None
        while True:
            answer = await page(cursor)
            found.extend(answer["items"])
            cursor = answer.get("next_cursor")
            if cursor is None:
                return found

    # Epochs.

    async def get_epoch(self, epoch=None):
        """An epoch, or the current one."""
        if epoch is not None:
            epoch = arguments.whole("epoch", epoch)
        return views.epoch(await self._native.epoch(epoch))

    async def wait_for_next_epoch(self, timeout=120.0):
        """Waits until the current epoch is over; gives the next. `timeout` is in seconds."""
        timeout = numbers.number("timeout", timeout)
        if not 0 <= timeout <= 1e9:
            raise ValueError(f"timeout: must be from 0 to 1e9 seconds, got {timeout}")
        return (await self._native.wait_for_next_epoch(timeout))["epoch"]

    async def get_next_epoch_timestamp(self):
        """When the current epoch ends, in milliseconds since 1970."""
        return await self._epoch_start_after(1)

    async def get_following_epoch_timestamp(self):
        """When the epoch after the current one ends, in milliseconds since 1970."""
        return await self._epoch_start_after(2)

    async def _epoch_start_after(self, epochs):
        system, parameters = await asyncio.gather(self._native.system(), self._parameters())
        return system["epoch_start_ms"] + epochs * parameters["epoch_duration_ms"]

    async def advance_epoch(self):
        """Ends the epoch of a localnet; gives the next."""
        return (await self._native.advance_epoch())["epoch"]

    # Accounts and objects.

    async def get_balance(self, address):
        """Balance of an address in SOMA; 0.0 for one that nobody knows."""
        view = await self._native.balance(arguments.address("address", address))
        return numbers.soma(view["balance"])

    async def get_object(self, object_id):
        """An object by id: its fields, and `id`, `version`, `digest`, `object_type`, `owner`."""
        view = await self._native.object(arguments.object_id("object_id", object_id))
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
            found.extend(views.object_of(view) for view in answer["items"])
            cursor = answer.get("next_cursor")
            if cursor is None:
                break
        return found[:wanted]

    async def request_faucet(self, address):
        """Asks the faucet for money; it is there when this returns. Amounts are shannons."""
        answer = await self._native.request_faucet(arguments.address("address", address))
        return views.faucet(answer)

    # Blocks and transactions.

    async def get_latest_checkpoint(self):
        """The newest block as a certified checkpoint summary."""
        return views.checkpoint(await self._native.block())

    async def get_checkpoint_summary(self, sequence_number):
        """A block by its height, as a certified checkpoint summary."""
        height = arguments.whole("sequence_number", sequence_number)
        return views.checkpoint(await self._native.block(height))

    async def get_transaction(self, digest):
        """Effects of an executed transaction."""
        return views.effects(await self._native.receipt(arguments.text("digest", digest)))

    async def build_transaction(self, sender, kind):
        """The next transaction of `sender` in its canonical encoding, for `Keypair.sign`.

        `kind` is a dict as the API shows it, such as
        `{"transfer": {"recipient": "0x…", "amount": 5}}` with the amount in shannons.
        """
        sender = arguments.address("sender", sender)
        return await self._native.build(sender, helpers.kind_text(kind))

    async def simulate_transaction(self, transaction_data):
        """Effects that a transaction would have now. Nothing is executed, nothing paid."""
        data = arguments.data("transaction_data", transaction_data)
        return views.effects(await self._native.simulate(data))

    async def execute_transaction(self, transaction):
        """Sends what `Keypair.sign` gave, and waits until it is in a block."""
        data = arguments.data("transaction", transaction)
        return views.effects(await self._native.execute_signed(data))

    # Models and targets.

    async def get_active_models(self):
        """The models that are assigned to targets."""
        found = await self._all(
            lambda cursor: self._native.models("active", None, True, _PAGE, cursor)
        )
        return [views.active_model(view, numbers.soma) for view in found]

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
        return views.SimpleNamespace(
            targets=[views.target(view) for view in answer["items"]],
            next_page_token=answer.get("next_cursor"),
        )

    async def get_targets(
        self, status=None, claimable=False, epoch=None, limit=None, submitter=None
    ):
        """All targets that pass the filter: open ones, when it says nothing else.

        `status` is open, filled, claimable, claimed, expired or fraud.
        """
        page = self._target_pages(status, claimable, epoch, submitter)
        wanted = None if limit is None else arguments.whole("limit", limit)
        found, cursor = [], None
        while wanted is None or len(found) < wanted:
            left = _PAGE if wanted is None else min(_PAGE, wanted - len(found))
            answer = await page(left, cursor)
            found.extend(views.target(view) for view in answer["items"])
            cursor = answer.get("next_cursor")
            if cursor is None:
                break
        return found[:wanted]

    def _target_pages(self, status, claimable, epoch, submitter):
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

    async def fetch_model(self, model_id):
        """The weights of a model as they lie, sealed; their checksum was checked."""
        model_id = arguments.object_id("model_id", model_id)
        return await self._native.fetch_model(model_id, None, self._is_local)

    async def fetch_model_file(self, model_id, path):
        """As `fetch_model`, into a file and in constant memory."""
        model_id, path = arguments.object_id("model_id", model_id), arguments.path("path", path)
        await self._native.fetch_model(model_id, path, self._is_local)

    async def fetch_submission_data(self, target_id):
        """The data that filled a target; its checksum was checked."""
        target_id = arguments.object_id("target_id", target_id)
        return await self._native.fetch_data(target_id, None, self._is_local)

    # The scorer.

    async def scoring_health(self):
        """True when the scorer says that it can score."""
        return await self._native.scorer_health()

    async def score(
        self,
        data_url,
        models,
        target_embedding,
        data=None,
        data_checksum=None,
        data_size=None,
        seed=0,
    ):
        """What models say of data: `winner`, `loss_score`, `embedding`, `distance`.

        `winner` is the place in `models` of the one with the lowest loss; the other numbers are
        its. `loss_score` and `distance` are numbers and lists of one number. `models` of the
        answer has the numbers of each. With `data` the bytes are sent along; else the scorer
        downloads them from `data_url`.
        """
        arguments.text("data_url", data_url)
        given = arguments.items("models", models)
        if not given:
            raise ValueError("models: At least one model manifest is required")
        places = [
            place for place, one in enumerate(given) if getattr(one, "url", None) is not None
        ]
        manifests = [self._manifest(place, given[place]) for place in places]
        for place, one in enumerate(given):
            if not hasattr(one, "url"):
                raise ValueError(f"models: number {place} is no manifest")
        if not manifests:
            raise _native.NoWinner("none of the models has weights")
        if target_embedding is not None:
            target_embedding = arguments.embedding("target_embedding", target_embedding)
        located = None
        if data is not None:
            data = arguments.some_data("data", data)
        elif data_checksum is None or data_size is None:
            raise ValueError("Either data or both data_checksum and data_size are required")
        else:
            size = arguments.whole("data_size", data_size)
            located = (data_url, arguments.text("data_checksum", data_checksum), size)
        seed = arguments.whole("seed", seed)
        answer = await self._native.score(manifests, target_embedding, seed, data, located)
        return helpers.score_result(answer, places)

    @staticmethod
    def _manifest(place, manifest):
        name = f"models: number {place}"
        key = getattr(manifest, "decryption_key", None)
        if key is None:
            raise ValueError(f"{name} has no decryption_key")
        plaintext = getattr(manifest, "plaintext_checksum", None)
        if plaintext is not None:
            arguments.text(name, plaintext)
        return (
            arguments.text(name, manifest.url),
            arguments.text(name, manifest.checksum),
            arguments.whole(name, manifest.size),
            arguments.key(name, key),
            plaintext,
        )

    # Payments.

    async def transfer_coin(self, signer, recipient, amount):
        """Sends `amount` SOMA."""
        arguments.keypair("signer", signer)
        recipient = arguments.address("recipient", recipient)
        amount = numbers.positive_shannons("amount", amount)
        return views.effects(
            await self._native.transfer(signer, recipient, amount, "TransferCoin")
        )

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
        return views.effects(
            await self._native.transfer(signer, recipient, amount, "TransferObjects")
        )

    async def pay_coins(self, signer, recipients, amounts):
        """Sends amounts of SOMA to as many recipients, all or none."""
        arguments.keypair("signer", signer)
        recipients = [
            arguments.address("recipients", one)
            for one in arguments.items("recipients", recipients)
        ]
        amounts = [
            numbers.positive_shannons("amounts", one)
            for one in arguments.items("amounts", amounts)
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

    # Stake.

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

    # Models of one's own.

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
        """Commits to sealed weights that lie at `weights_url`; reveal them in the next epoch."""
        arguments.keypair("signer", signer)
        return views.effects(
            await self._native.commit_model(
                signer,
                arguments.object_id("model_id", model_id),
                arguments.text("weights_url", weights_url),
                arguments.data("encrypted_weights", encrypted_weights),
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
        """Ends a model."""
        arguments.keypair("signer", signer)
        model_id = arguments.object_id("model_id", model_id)
        return views.effects(await self._native.deactivate_model(signer, model_id))

    async def set_model_commission_rate(self, signer, model_id, new_rate):
        """Changes a model's commission, in basis points, from the next epoch on."""
        arguments.keypair("signer", signer)
        model_id = arguments.object_id("model_id", model_id)
        rate = arguments.basis_points("new_rate", new_rate)
        return views.effects(await self._native.set_model_commission(signer, model_id, rate))

    # Submissions.

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
        `loss_score` is a number, a list of one, or what `score` gave.
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

        `reason` is data_unavailable, data_mismatch, data_invalid, wrong_winner, wrong_loss or
        wrong_embedding.
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

    # Validators.

    async def proof_of_possession(self, consensus_key, address):
        """What `add_validator` wants: the consensus key's signature over chain and address."""
        arguments.keypair("consensus_key", consensus_key)
        address = arguments.address("address", address)
        return await self._native.proof_of_possession(consensus_key, address)

    async def add_validator(
        self,
        signer,
        pubkey_bytes,
        network_pubkey_bytes,
        worker_pubkey_bytes,
        proof_of_possession,
        net_address,
        p2p_address,
        primary_address,
        proxy_address,
        commission_rate=0,
        name="",
    ):
        """Applies to join the committee.

        `pubkey_bytes` is the compressed secp256k1 key of the votes, 33 bytes. There are no other
        keys here: those of network and worker may be empty, or the same key. `net_address` is
        where clients reach the RPC, `p2p_address` where validators connect; `primary_address` is
        empty or the same. Addresses are texts, or texts in BCS encoding.
        """
        arguments.keypair("signer", signer)
        key = arguments.data("pubkey_bytes", pubkey_bytes)
        for argument, value in (
            ("network_pubkey_bytes", network_pubkey_bytes),
            ("worker_pubkey_bytes", worker_pubkey_bytes),
        ):
            if arguments.data(argument, value) not in (b"", key):
                raise ValueError(
                    f"{argument}: validators of this network have one key; give the one of "
                    "pubkey_bytes, or no bytes"
                )
        p2p_address = arguments.encoded_text("p2p_address", p2p_address)
        if arguments.encoded_text("primary_address", primary_address) not in ("", p2p_address):
            raise ValueError(
                "primary_address: validators of this network connect at their p2p_address; give "
                "the same, or an empty text"
            )
        return views.effects(
            await self._native.add_validator(
                signer,
                key,
                arguments.data("proof_of_possession", proof_of_possession),
                arguments.encoded_text("net_address", net_address),
                p2p_address,
                arguments.encoded_text("proxy_address", proxy_address),
                arguments.text("name", name),
                arguments.basis_points("commission_rate", commission_rate),
            )
        )

    async def remove_validator(self, signer, pubkey_bytes=None):
        """Leaves the committee at the end of the epoch, or withdraws an application."""
        arguments.keypair("signer", signer)
        if pubkey_bytes is not None:
            arguments.data("pubkey_bytes", pubkey_bytes)
        return views.effects(await self._native.remove_validator(signer))

    async def update_validator_metadata(
        self,
        signer,
        next_epoch_network_address=None,
        next_epoch_p2p_address=None,
        next_epoch_primary_address=None,
        next_epoch_proxy_address=None,
        next_epoch_protocol_pubkey=None,
        next_epoch_worker_pubkey=None,
        next_epoch_network_pubkey=None,
        next_epoch_proof_of_possession=None,
        name=None,
    ):
        """Changes metadata from the next epoch on; what is absent stays."""
        arguments.keypair("signer", signer)
        for argument, value in (
            ("next_epoch_primary_address", next_epoch_primary_address),
            ("next_epoch_worker_pubkey", next_epoch_worker_pubkey),
            ("next_epoch_network_pubkey", next_epoch_network_pubkey),
        ):
            if value is not None:
                raise ValueError(
                    f"{argument}: validators of this network have one key and one address for "
                    "each other; use next_epoch_protocol_pubkey or next_epoch_p2p_address"
                )

        def text(argument, value):
            return None if value is None else arguments.encoded_text(argument, value)

        def data(argument, value):
            return None if value is None else arguments.data(argument, value)

        return views.effects(
            await self._native.update_validator_metadata(
                signer,
                text("next_epoch_network_address", next_epoch_network_address),
                text("next_epoch_p2p_address", next_epoch_p2p_address),
                text("next_epoch_proxy_address", next_epoch_proxy_address),
                data("next_epoch_protocol_pubkey", next_epoch_protocol_pubkey),
                data("next_epoch_proof_of_possession", next_epoch_proof_of_possession),
                None if name is None else arguments.text("name", name),
            )
        )

    async def set_validator_commission_rate(self, signer, new_rate):
        """Changes this validator's commission, in basis points, from the next epoch on."""
        arguments.keypair("signer", signer)
        rate = arguments.basis_points("new_rate", new_rate)
        return views.effects(await self._native.set_validator_commission(signer, rate))

    async def report_validator(self, signer, reportee):
        """As a validator, reports another that does not do its work."""
        arguments.keypair("signer", signer)
        reportee = arguments.address("reportee", reportee)
        return views.effects(await self._native.report_validator(signer, reportee, False))

    async def undo_report_validator(self, signer, reportee):
        """Takes a report of a validator back."""
        arguments.keypair("signer", signer)
        reportee = arguments.address("reportee", reportee)
        return views.effects(await self._native.report_validator(signer, reportee, True))
