"""Services beside the node: scorer, faucet, admin; and downloads."""

import asyncio
import hashlib
import pathlib
import tempfile
from types import SimpleNamespace

from soma_sdk import _arguments as arguments
from soma_sdk import _helpers as helpers
from soma_sdk import _native
from soma_sdk import _views as views
from soma_sdk._calls.base import Calls


class ServiceCalls(Calls):
    """What services do."""

    async def request_faucet(self, address):
        """Asks the faucet for money; it is there when this returns. Amounts are shannons."""
        answer = await self._native.request_faucet(arguments.address("address", address))
        return views.faucet(answer)

    async def advance_epoch(self):
        """Ends the epoch of a localnet; gives the next."""
        return (await self._native.advance_epoch())["epoch"]

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
        answer has the numbers of each. With `data` the bytes are sent along, and checksum and size
        must be theirs where they are given; else the scorer downloads them from `data_url`.
        """
        self._native.needs_scorer()
        arguments.text("data_url", data_url)
        if target_embedding is not None:
            target_embedding = arguments.embedding("target_embedding", target_embedding)
        if data_checksum is not None:
            data_checksum = arguments.checksum("data_checksum", data_checksum)
        if data_size is not None:
            data_size = arguments.whole("data_size", data_size)
        located = None
        if data is not None:
            data = arguments.some_data("data", data)
            arguments.agree("data_size", data_size, "data", len(data))
            if data_checksum is not None:
                found = await asyncio.to_thread(_native.checksum, data)
                arguments.agree("data_checksum", data_checksum, "data", found)
        elif data_checksum is None or data_size is None:
            raise ValueError("Either data or both data_checksum and data_size are required")
        else:
            located = (data_url, data_checksum, data_size)
        seed = arguments.whole("seed", seed)
        places, manifests = await self._manifests(models)
        answer = await self._native.score(manifests, target_embedding, seed, data, located)
        return helpers.score_result(answer, places)

    @classmethod
    async def _manifests(cls, models):
        """The manifests that have weights, and their places among all."""
        given = arguments.items("models", models)
        if not given:
            raise ValueError("models: At least one model manifest is required")
        given = [_fields(one) if isinstance(one, dict) else one for one in given]
        for place, one in enumerate(given):
            if not hasattr(one, "url"):
                raise ValueError(f"models: number {place} is no manifest")
        places = [place for place, one in enumerate(given) if one.url is not None]
        if not places:
            raise _native.NoWinner("none of the models has weights")
        return places, [await cls._manifest(place, given[place]) for place in places]

    @staticmethod
    async def _manifest(place, manifest):
        name = f"models: number {place}"
        key = getattr(manifest, "decryption_key", None)
        if key is None:
            raise ValueError(f"{name} has no decryption_key")
        checksum = getattr(manifest, "checksum", None)
        size = getattr(manifest, "size", None)
        weights = getattr(manifest, "encrypted_weights", None)
        if weights is not None and (checksum is None or size is None):
            checksum, size = await asyncio.to_thread(_measure, name, weights)
        if checksum is None or size is None:
            raise ValueError(f"{name} has neither encrypted_weights nor both checksum and size")
        plaintext = getattr(manifest, "plaintext_checksum", None)
        if plaintext is not None:
            arguments.text(name, plaintext)
        model_id = getattr(manifest, "model_id", None)
        if model_id is not None:
            model_id = arguments.object_id(name, model_id)
        return (
            arguments.text(name, manifest.url),
            arguments.text(name, checksum),
            arguments.whole(name, size),
            arguments.key(name, key),
            plaintext,
            model_id,
        )

    async def fetch_model(self, model_id):
        """The weights of a model as they lie, sealed; their checksum was checked."""
        model_id = arguments.object_id("model_id", model_id)
        return await self._bytes(self._native.fetch_model, model_id)

    async def fetch_model_file(self, model_id, path):
        """As `fetch_model`, into a file and in constant memory."""
        model_id, path = arguments.object_id("model_id", model_id), arguments.path("path", path)
        await self._native.fetch_model(model_id, path, self._is_local)

    async def fetch_submission_data(self, target_id):
        """The data that filled a target; its checksum was checked."""
        target_id = arguments.object_id("target_id", target_id)
        return await self._bytes(self._native.fetch_data, target_id)

    async def _bytes(self, fetch, id):
        """A download as bytes. A thread of Python reads them, so that all others go on."""
        folder = await _aside(tempfile.TemporaryDirectory, ignore_cleanup_errors=True)
        try:
            path = pathlib.Path(folder.name, "download")
            await fetch(id, path, self._is_local)
            return await _aside(path.read_bytes)
        finally:
            await _aside(folder.cleanup)


def _fields(given):
    return SimpleNamespace(**{str(name): value for name, value in given.items()})


def _measure(name, weights):
    """Checksum and size of weights.

    They may be gigabytes: they are read where they lie, and hashlib lets other threads go on.
    """
    view = arguments.view(name, weights)
    return arguments.base58(hashlib.sha3_256(view).digest()), view.nbytes


async def _aside(work, **options):
    """What `work` on files gives, beside the loop."""
    try:
        return await asyncio.to_thread(work, **options)
    except OSError as error:
        raise _native.FileError(str(error)) from None
