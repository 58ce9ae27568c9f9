"""Client of the SOMA network: wallets, models, data, scores and rewards.

>>> from soma_sdk import Keypair, SomaClient
>>> client = await SomaClient(chain="localnet")
>>> wallet = Keypair.generate()
>>> await client.request_faucet(wallet.address())
>>> await client.get_balance(wallet.address())

Amounts that are arguments (`amount`, `amounts`, `stake_amount`), balances and the stake of active
models are SOMA; everything else is shannons, of which 1,000,000,000 are one SOMA.

Bad arguments raise `ValueError`. What the network, a service or the chain refuses raises a
`SomaError`: one class for each stable name, such as `TargetNotOpen`.
"""

from soma_sdk import _native
from soma_sdk._client import SomaClient
from soma_sdk._helpers import (
    commitment,
    commitment_file,
    decrypt_weights,
    decrypt_weights_file,
    encrypt_weights,
    encrypt_weights_file,
    model_manifest,
    score_locally,
    sigreg_noise,
    to_shannons,
    to_soma,
    tokenize,
)
from soma_sdk._native import Keypair, SomaError
from soma_sdk._numbers import Score

__version__ = _native.VERSION

# The stable names of all errors; each is a class of this module.
ERROR_NAMES = _native.ERROR_NAMES
for _name in ERROR_NAMES:
    globals()[_name] = getattr(_native, _name)
del _name

__all__ = [
    "ERROR_NAMES",
    "Keypair",
    "Score",
    "SomaClient",
    "SomaError",
    "commitment",
    "commitment_file",
    "decrypt_weights",
    "decrypt_weights_file",
    "encrypt_weights",
    "encrypt_weights_file",
    "model_manifest",
    "score_locally",
    "sigreg_noise",
    "to_shannons",
    "to_soma",
    "tokenize",
    *ERROR_NAMES,
]
