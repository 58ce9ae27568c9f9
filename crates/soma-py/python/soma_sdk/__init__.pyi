"""Client of the SOMA network: wallets, models, data, scores and rewards."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from decimal import Decimal
from os import PathLike
from types import SimpleNamespace
from typing import Any, Protocol, SupportsFloat, SupportsIndex, overload, type_check_only

__version__: str
ERROR_NAMES: tuple[str, ...]

# An amount of SOMA: the shannon nearest to a float; a Decimal or text with at most nine decimal
# places.
_Amount = int | float | Decimal | str
_Bytes = bytes | bytearray | memoryview
_Path = str | PathLike[str]
_Key = str | bytes | bytearray | memoryview

@type_check_only
class _Array(Protocol):
    """An array of numpy, or a tensor of torch or JAX."""

    def tolist(self) -> Any: ...

_Numbers = Sequence[float] | Iterable[SupportsFloat] | _Array
_Number = float | Sequence[float] | _Array

class Score(float):
    """A number of a score, which is also the list of this one number."""

    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    @overload
    def __getitem__(self, place: SupportsIndex) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> list[float]: ...
    def __iter__(self) -> Iterator[float]: ...
    def __contains__(self, number: object) -> bool: ...
    def __eq__(self, other: object) -> bool: ...
    def __ne__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class Keypair:
    """A secret key (secp256k1) with its address. It never prints its secret by itself."""

    @staticmethod
    def generate() -> Keypair: ...
    @staticmethod
    def generate_mnemonic(words: int = 12) -> str: ...
    @staticmethod
    def from_secret_key(secret_key: str | bytes | bytearray) -> Keypair: ...
    @staticmethod
    def from_mnemonic(mnemonic: str) -> Keypair: ...
    @staticmethod
    def from_encoded(encoded: str) -> Keypair: ...
    def address(self) -> str: ...
    def public_key(self) -> str: ...
    def sign(self, transaction_data: bytes) -> bytes: ...
    def to_secret_key(self) -> str: ...
    def to_encoded(self) -> str: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

_Address = str | Keypair

# The shapes of answers. All are namespaces at run time; none of these classes exists there.

@type_check_only
class ManifestView(SimpleNamespace):
    """Sealed weights: where they lie and how to open them."""

    model_id: str
    url: str | None
    checksum: str | None
    size: int
    decryption_key: str | None
    plaintext_checksum: str | None

@type_check_only
class Target(SimpleNamespace):
    """A target; money in shannons."""

    id: str
    status: str
    embedding: list[float]
    model_ids: list[str]
    distance_threshold: float
    reward_pool: int
    generation_epoch: int
    bond_amount: int
    submitter: str | None
    winning_model_id: str | None
    winning_model_owner: str | None
    winning_distance_score: float | None
    winning_loss_score: list[float] | None
    winning_embedding: list[float] | None
    data_url: str | None
    data_checksum: str | None
    data_size: int | None
    fill_epoch: int | None
    claimable_from: int | None
    payout: SimpleNamespace | None

@type_check_only
class TargetPage(SimpleNamespace):
    """One page of targets."""

    targets: list[Target]
    next_page_token: str | None

@type_check_only
class ActiveModel(SimpleNamespace):
    """A model that is assigned to targets; its stake in SOMA.

    `commit_epoch` is that of the commit that waits for its reveal. A model that is `leaving` ends
    with this epoch.
    """

    model_id: str
    owner: str
    embedding: list[float]
    stake: float
    commission_rate: int
    next_epoch_commission_rate: int
    commit_epoch: int | None
    has_pending_update: bool
    leaving: bool

@type_check_only
class ModelScore(SimpleNamespace):
    """What one model says of data."""

    index: int
    loss_score: Score | None
    bits_per_byte: float | None
    embedding: list[float] | None
    distance: Score | None

@type_check_only
class ScoreResult(SimpleNamespace):
    """What models say of data; the numbers are the winner's."""

    winner: int
    loss_score: Score
    embedding: list[float]
    distance: Score
    models: list[ModelScore]
    data_checksum: str
    data_size: int

@type_check_only
class TokenizedData(SimpleNamespace):
    """Data as the model sees it: rows of 1,024 places."""

    token_ids: list[list[int]]
    targets: list[list[int]]
    pos_ids: list[list[int]]

@type_check_only
class FileReport(SimpleNamespace):
    """What was sealed or opened: key, and the checksums of both files."""

    key: str
    checksum: str
    size: int
    plaintext_checksum: str

@type_check_only
class TransactionFee(SimpleNamespace):
    """The parts of a fee in shannons."""

    base_fee: int
    operation_fee: int
    value_fee: int
    total_fee: int

@type_check_only
class GasUsed(SimpleNamespace):
    """The same fee in older words."""

    computation_cost: int
    storage_cost: int
    storage_rebate: int
    non_refundable_storage_fee: int

@type_check_only
class ChangedObject(SimpleNamespace):
    """An object that a transaction made, changed or removed."""

    id: str
    type: str
    operation: str

@type_check_only
class TransactionEffects(SimpleNamespace):
    """What a transaction did."""

    status: str
    error: SimpleNamespace | None
    executed_epoch: int
    transaction_fee: TransactionFee
    transaction_digest: str | None
    gas_object_index: int | None
    dependencies: list[str]
    version: int | None
    changed_objects: list[ChangedObject]
    unchanged_shared_objects: list[str]
    gas_used: GasUsed
    created: list[SimpleNamespace]
    mutated: list[SimpleNamespace]
    deleted: list[SimpleNamespace]
    sender: str
    checkpoint: int | None
    balance_changes: list[SimpleNamespace]

@type_check_only
class EndOfEpochInfo(SimpleNamespace):
    """How an epoch ended."""

    last_checkpoint_id: int
    epoch_end_timestamp_ms: int

@type_check_only
class EpochInfo(SimpleNamespace):
    """An epoch; money in shannons."""

    epoch: int
    first_checkpoint_id: int
    epoch_start_timestamp_ms: int
    end_of_epoch_info: EndOfEpochInfo | None
    protocol_version: int
    distance_threshold: float
    targets_generated: int
    hits: int
    reward_per_target: int
    burned: int
    released: int

@type_check_only
class CheckpointData(SimpleNamespace):
    """What a block commits to."""

    sequence_number: int
    epoch: int
    network_total_transactions: int | None
    transactions: int
    transaction_digests: list[str]
    content_digest: str
    previous_digest: str
    state_root: str
    timestamp_ms: int
    proposer: str
    end_of_epoch: bool

@type_check_only
class CheckpointSummary(SimpleNamespace):
    """A block and what proves it final."""

    data: CheckpointData
    digest: str
    auth_signature: SimpleNamespace

@type_check_only
class FaucetCoin(SimpleNamespace):
    """Money that the faucet sent, in shannons."""

    amount: int
    id: str
    transfer_tx_digest: str

@type_check_only
class FaucetResponse(SimpleNamespace):
    """What the faucet sent."""

    status: str
    coins_sent: list[FaucetCoin]

@type_check_only
class StakingPool(SimpleNamespace):
    """A staking pool; money in shannons."""

    id: str
    status: str
    activation_epoch: int | None
    deactivation_epoch: int | None
    soma_balance: int
    rewards_pool: int
    pool_token_balance: int
    exchange_rate: tuple[int, int]
    exchange_rates: dict[int, tuple[int, int]]
    pending_stake: int
    pending_total_soma_withdraw: int
    pending_pool_token_withdraw: int

@type_check_only
class ValidatorMetadata(SimpleNamespace):
    """What a validator tells about itself."""

    soma_address: str
    name: str
    protocol_pubkey: str
    network_pubkey: str
    worker_pubkey: str
    net_address: str
    p2p_address: str
    primary_address: str
    proxy_address: str
    proof_of_possession: str | None
    next_epoch_protocol_pubkey: str | None
    next_epoch_network_pubkey: str | None
    next_epoch_worker_pubkey: str | None
    next_epoch_net_address: str | None
    next_epoch_p2p_address: str | None
    next_epoch_primary_address: str | None
    next_epoch_proxy_address: str | None
    next_epoch_proof_of_possession: str | None

@type_check_only
class Validator(SimpleNamespace):
    """A validator; money in shannons."""

    metadata: ValidatorMetadata
    status: str
    voting_power: int
    staking_pool: StakingPool | None
    commission_rate: int
    next_epoch_stake: int
    next_epoch_commission_rate: int
    metadata_changes: bool
    low_stake_epochs: int

@type_check_only
class ValidatorSet(SimpleNamespace):
    """All validators; mappings by id or address."""

    total_stake: int
    validators: list[Validator]
    pending_validators: list[Validator]
    pending_removals: list[str]
    staking_pool_mappings: dict[str, str]
    inactive_validators: dict[str, Validator]
    at_risk_validators: dict[str, int]

@type_check_only
class Threshold(float):
    """A distance, which is also a tensor of one 32-bit float."""

    dtype: str
    shape: list[int]
    @property
    def bytes(self) -> list[int]: ...

@type_check_only
class SystemParameters(SimpleNamespace):
    """The protocol parameters; those of this network have their own names beside these."""

    epoch_duration_ms: int
    validator_reward_allocation_bps: int
    model_min_stake: int
    model_architecture_version: int
    model_reveal_slash_rate_bps: int
    model_tally_slash_rate_bps: int
    target_epoch_fee_collection: int
    base_fee: int
    write_object_fee: int
    value_fee_bps: int
    min_value_fee_bps: int
    max_value_fee_bps: int
    fee_adjustment_rate_bps: int
    target_models_per_target: int
    target_embedding_dim: int
    target_initial_distance_threshold: Threshold
    target_reward_allocation_bps: int
    target_hits_per_epoch: int
    target_hits_ema_decay_bps: int
    target_difficulty_adjustment_rate_bps: int
    target_max_distance_threshold: Threshold
    target_min_distance_threshold: Threshold
    target_initial_targets_per_epoch: int
    target_submitter_reward_share_bps: int
    target_model_reward_share_bps: int
    target_claimer_incentive_bps: int
    submission_bond_per_byte: int
    max_submission_data_size: int

@type_check_only
class Model(SimpleNamespace):
    """A model of the registry; money in shannons."""

    model_id: str
    owner: str
    status: str
    leaving: bool
    architecture_version: int
    embedding: list[float] | None
    manifest: ManifestView | None
    pending_update: SimpleNamespace | None
    staking_pool: StakingPool | None
    stake: int
    commission_rate: int
    next_epoch_commission_rate: int

@type_check_only
class ModelRegistry(SimpleNamespace):
    """All models by id."""

    models: dict[str, Model]
    staking_pool_mappings: dict[str, str]
    total_model_stake: int
    model_report_records: dict[str, list[str]]

@type_check_only
class EmissionPool(SimpleNamespace):
    """What was never released yet, in shannons."""

    balance: int
    emission_per_epoch: int

@type_check_only
class TargetState(SimpleNamespace):
    """Targets of the current epoch."""

    distance_threshold: Threshold
    targets_generated_this_epoch: int
    hits_this_epoch: int
    hits_ema: int
    hits_average: float | None
    reward_per_target: int

@type_check_only
class SystemState(SimpleNamespace):
    """The system state; money in shannons."""

    epoch: int
    protocol_version: int
    validators: ValidatorSet
    parameters: SystemParameters
    epoch_start_timestamp_ms: int
    validator_report_records: dict[str, list[str]]
    model_registry: ModelRegistry
    emission_pool: EmissionPool
    target_state: TargetState
    safe_mode: bool
    safe_mode_accumulated_fees: int
    safe_mode_accumulated_emissions: int
    burned: int
    burned_this_epoch: int
    validator_pot: int
    target_pot: int

def encrypt_weights(data: _Bytes, key: _Key | None = None) -> tuple[bytes, str]: ...
def decrypt_weights(data: _Bytes, key: _Key) -> bytes: ...
def encrypt_weights_file(
    source: _Path,
    destination: _Path,
    key: _Key | None = None,
) -> FileReport: ...
def decrypt_weights_file(source: _Path, destination: _Path, key: _Key) -> FileReport: ...
def commitment(data: _Bytes) -> str: ...
def commitment_file(path: _Path) -> str: ...
def to_shannons(soma: _Amount) -> int: ...
def to_soma(shannons: int) -> float: ...
def model_manifest(
    url: str,
    encrypted_weights: _Bytes | None = None,
    checksum: str | None = None,
    size: int | None = None,
    decryption_key: _Key | None = None,
    plaintext_checksum: str | None = None,
) -> ManifestView: ...
def sigreg_noise(seed: int, batch: int, dim: int, slices: int) -> memoryview: ...
def tokenize(data: _Bytes) -> TokenizedData: ...
def score_locally(
    weights: _Bytes | _Path | Sequence[_Bytes | _Path],
    data: _Bytes,
    target_embedding: _Numbers | None = None,
    seed: int = 0,
    key: _Key | Sequence[_Key | None] | None = None,
    model_size: str | None = None,
) -> ScoreResult: ...

class SomaClient:
    """A client of one network. `await SomaClient(...)` gives it when the node has answered."""

    def __init__(
        self,
        rpc_url: str | None = None,
        scoring_url: str | None = None,
        admin_url: str | None = None,
        faucet_url: str | None = None,
        chain: str | None = None,
    ) -> None: ...
    def __await__(self) -> Generator[Any, None, SomaClient]: ...
    @staticmethod
    def encrypt_weights(data: _Bytes, key: _Key | None = None) -> tuple[bytes, str]: ...
    @staticmethod
    def decrypt_weights(data: _Bytes, key: _Key) -> bytes: ...
    @staticmethod
    def encrypt_weights_file(
        source: _Path,
        destination: _Path,
        key: _Key | None = None,
    ) -> FileReport: ...
    @staticmethod
    def decrypt_weights_file(source: _Path, destination: _Path, key: _Key) -> FileReport: ...
    @staticmethod
    def commitment(data: _Bytes) -> str: ...
    @staticmethod
    def commitment_file(path: _Path) -> str: ...
    @staticmethod
    def to_shannons(soma: _Amount) -> int: ...
    @staticmethod
    def to_soma(shannons: int) -> float: ...
    @staticmethod
    def model_manifest(
        url: str,
        encrypted_weights: _Bytes | None = None,
        checksum: str | None = None,
        size: int | None = None,
        decryption_key: _Key | None = None,
        plaintext_checksum: str | None = None,
    ) -> ManifestView: ...
    @staticmethod
    def sigreg_noise(seed: int, batch: int, dim: int, slices: int) -> memoryview: ...
    @staticmethod
    def tokenize(data: _Bytes) -> TokenizedData: ...
    @staticmethod
    def score_locally(
        weights: _Bytes | _Path | Sequence[_Bytes | _Path],
        data: _Bytes,
        target_embedding: _Numbers | None = None,
        seed: int = 0,
        key: _Key | Sequence[_Key | None] | None = None,
        model_size: str | None = None,
    ) -> ScoreResult: ...
    async def get_chain_identifier(self) -> str: ...
    async def get_server_version(self) -> str: ...
    async def get_protocol_version(self) -> int: ...
    async def get_architecture_version(self) -> int: ...
    async def get_embedding_dim(self) -> int: ...
    async def get_model_min_stake(self) -> int: ...
    async def check_api_version(self) -> None: ...
    async def get_latest_system_state(self) -> SystemState: ...
    async def get_epoch(self, epoch: int | None = None) -> EpochInfo: ...
    async def wait_for_next_epoch(self, timeout: float = 120.0) -> int: ...
    async def get_next_epoch_timestamp(self) -> int: ...
    async def get_following_epoch_timestamp(self) -> int: ...
    async def get_latest_checkpoint(self) -> CheckpointSummary: ...
    async def get_checkpoint_summary(self, sequence_number: int) -> CheckpointSummary: ...
    async def get_transaction(self, digest: str) -> TransactionEffects: ...
    async def simulate_transaction(self, transaction_data: _Bytes) -> TransactionEffects: ...
    async def execute_transaction(self, transaction: _Bytes) -> TransactionEffects: ...
    async def get_balance(self, address: _Address) -> float: ...
    async def get_object(self, object_id: str) -> SimpleNamespace: ...
    async def get_object_with_version(self, object_id: str, version: int) -> SimpleNamespace: ...
    async def list_owned_objects(
        self,
        owner: _Address,
        object_type: str | None = None,
        limit: int | None = None,
    ) -> list[SimpleNamespace]: ...
    async def transfer_coin(
        self,
        signer: Keypair,
        recipient: _Address,
        amount: _Amount,
    ) -> TransactionEffects: ...
    async def transfer_objects(
        self,
        signer: Keypair,
        recipient: _Address,
        object_ids: Iterable[str],
    ) -> TransactionEffects: ...
    async def pay_coins(
        self,
        signer: Keypair,
        recipients: Iterable[_Address],
        amounts: Iterable[_Amount],
    ) -> TransactionEffects: ...
    async def merge_coins(self, signer: Keypair) -> TransactionEffects: ...
    async def build_transaction(self, sender: _Address, kind: dict[str, Any]) -> bytes: ...
    async def add_stake(
        self,
        signer: Keypair,
        validator: _Address,
        amount: _Amount | None = None,
    ) -> TransactionEffects: ...
    async def add_stake_to_model(
        self,
        signer: Keypair,
        model_id: str,
        amount: _Amount | None = None,
    ) -> TransactionEffects: ...
    async def withdraw_stake(self, signer: Keypair, staked_soma_id: str) -> TransactionEffects: ...
    async def get_active_models(self) -> list[ActiveModel]: ...
    async def get_model_manifests(
        self,
        model_ids_or_target: Iterable[str] | Target,
    ) -> list[ManifestView]: ...
    async def create_model(
        self,
        signer: Keypair,
        commission_rate: int,
        stake_amount: _Amount | None = None,
    ) -> str: ...
    async def commit_model(
        self,
        signer: Keypair,
        model_id: str,
        weights_url: str,
        encrypted_weights: _Bytes | PathLike[str],
        decryption_key: _Key,
        embedding: _Numbers,
    ) -> TransactionEffects: ...
    async def reveal_model(
        self,
        signer: Keypair,
        model_id: str,
        decryption_key: _Key,
        embedding: _Numbers,
    ) -> TransactionEffects: ...
    async def deactivate_model(self, signer: Keypair, model_id: str) -> TransactionEffects: ...
    async def set_model_commission_rate(
        self,
        signer: Keypair,
        model_id: str,
        new_rate: int,
    ) -> TransactionEffects: ...
    async def report_model(
        self,
        signer: Keypair,
        model_id: str,
        reason: str = "invalid_weights",
    ) -> TransactionEffects: ...
    async def undo_report_model(self, signer: Keypair, model_id: str) -> TransactionEffects: ...
    async def list_targets(
        self,
        status: str | None = None,
        claimable: bool = False,
        epoch: int | None = None,
        limit: int | None = None,
        read_mask: Any = None,
        submitter: _Address | None = None,
        page_token: str | None = None,
    ) -> TargetPage: ...
    async def get_targets(
        self,
        status: str | None = None,
        claimable: bool = False,
        epoch: int | None = None,
        limit: int | None = None,
        submitter: _Address | None = None,
    ) -> list[Target]: ...
    async def submit_data(
        self,
        signer: Keypair,
        target_id: str,
        data: _Bytes,
        data_url: str,
        model_id: str,
        embedding: _Numbers,
        distance_score: _Number,
        loss_score: _Number,
    ) -> TransactionEffects: ...
    async def claim_rewards(self, signer: Keypair, target_id: str) -> TransactionEffects: ...
    async def challenge_submission(self, signer: Keypair, target_id: str) -> TransactionEffects: ...
    async def report_submission(
        self,
        signer: Keypair,
        target_id: str,
        reason: str = "wrong_loss",
    ) -> TransactionEffects: ...
    async def undo_report_submission(
        self,
        signer: Keypair,
        target_id: str,
    ) -> TransactionEffects: ...
    async def request_faucet(self, address: _Address) -> FaucetResponse: ...
    async def advance_epoch(self) -> int: ...
    async def scoring_health(self) -> bool: ...
    async def score(
        self,
        data_url: str,
        models: Iterable[ManifestView | SimpleNamespace],
        target_embedding: _Numbers | None,
        data: _Bytes | None = None,
        data_checksum: str | None = None,
        data_size: int | None = None,
        seed: int = 0,
    ) -> ScoreResult: ...
    async def fetch_model(self, model_id: str) -> bytes: ...
    async def fetch_model_file(self, model_id: str, path: _Path) -> None: ...
    async def fetch_submission_data(self, target_id: str) -> bytes: ...
    async def proof_of_possession(self, consensus_key: Keypair, address: _Address) -> bytes: ...
    async def add_validator(
        self,
        signer: Keypair,
        pubkey_bytes: _Bytes,
        network_pubkey_bytes: _Bytes,
        worker_pubkey_bytes: _Bytes,
        proof_of_possession: _Bytes,
        net_address: str | _Bytes,
        p2p_address: str | _Bytes,
        primary_address: str | _Bytes,
        proxy_address: str | _Bytes,
        commission_rate: int = 0,
        name: str = "",
    ) -> TransactionEffects: ...
    async def remove_validator(
        self,
        signer: Keypair,
        pubkey_bytes: _Bytes | None = None,
    ) -> TransactionEffects: ...
    async def update_validator_metadata(
        self,
        signer: Keypair,
        next_epoch_network_address: str | _Bytes | None = None,
        next_epoch_p2p_address: str | _Bytes | None = None,
        next_epoch_primary_address: str | _Bytes | None = None,
        next_epoch_proxy_address: str | _Bytes | None = None,
        next_epoch_protocol_pubkey: _Bytes | None = None,
        next_epoch_worker_pubkey: _Bytes | None = None,
        next_epoch_network_pubkey: _Bytes | None = None,
        next_epoch_proof_of_possession: _Bytes | None = None,
        name: str | None = None,
    ) -> TransactionEffects: ...
    async def set_validator_commission_rate(
        self,
        signer: Keypair,
        new_rate: int,
    ) -> TransactionEffects: ...
    async def report_validator(self, signer: Keypair, reportee: _Address) -> TransactionEffects: ...
    async def undo_report_validator(
        self,
        signer: Keypair,
        reportee: _Address,
    ) -> TransactionEffects: ...

class SomaError(RuntimeError):
    """What the network, a service or the chain refused."""

    name: str
    digest: str | None
    details: dict[str, Any]

class AddressNotAllowed(SomaError): ...
class ApiVersionMismatch(SomaError): ...
class ArithmeticOverflow(SomaError): ...
class AuditWindowClosed(SomaError): ...
class AuditWindowOpen(SomaError): ...
class BodyTooLarge(SomaError): ...
class Busy(SomaError): ...
class CacheFull(SomaError): ...
class CacheInUse(SomaError): ...
class CannotReportOneself(SomaError): ...
class ChecksumMismatch(SomaError): ...
class CommissionRateTooHigh(SomaError): ...
class Damaged(SomaError): ...
class DataExceedsMaxSize(SomaError): ...
class DataTooLarge(SomaError): ...
class DataUnavailable(SomaError): ...
class DecryptionFailed(SomaError): ...
class DeviceFailed(SomaError): ...
class DiskFull(SomaError): ...
class DistanceExceedsThreshold(SomaError): ...
class DuplicateCommitment(SomaError): ...
class DuplicateData(SomaError): ...
class DuplicateReport(SomaError): ...
class DuplicateValidator(SomaError): ...
class DuplicateValidatorMetadata(SomaError): ...
class EmbeddingDimensionMismatch(SomaError): ...
class EmptyData(SomaError): ...
class EpochWait(SomaError): ...
class FaucetEmpty(SomaError): ...
class FileError(SomaError): ...
class ForcedEpochsNotAllowed(SomaError): ...
class ForkedProcess(SomaError): ...
class InsufficientBond(SomaError): ...
class InsufficientCoinBalance(SomaError): ...
class InsufficientGas(SomaError): ...
class Internal(SomaError): ...
class InvalidArgument(SomaError): ...
class InvalidArguments(SomaError): ...
class InvalidEmbedding(SomaError): ...
class InvalidHandover(SomaError): ...
class InvalidJson(SomaError): ...
class InvalidLoss(SomaError): ...
class InvalidOwnership(SomaError): ...
class InvalidProof(SomaError): ...
class InvalidProofOfPossession(SomaError): ...
class InvalidRequest(SomaError): ...
class InvalidTransaction(SomaError): ...
class InvalidUrl(SomaError): ...
class InvalidWeights(SomaError): ...
class Io(SomaError): ...
class LastValidator(SomaError): ...
class MempoolFull(SomaError): ...
class MethodNotAllowed(SomaError): ...
class MissingProofOfPossession(SomaError): ...
class ModelAlreadyInactive(SomaError): ...
class ModelAlreadyLeaving(SomaError): ...
class ModelArchitectureVersionMismatch(SomaError): ...
class ModelCommissionRateTooHigh(SomaError): ...
class ModelDecryptionKeyCommitmentMismatch(SomaError): ...
class ModelEmbeddingCommitmentMismatch(SomaError): ...
class ModelInvalidState(SomaError): ...
class ModelMinStakeNotMet(SomaError): ...
class ModelNoPendingUpdate(SomaError): ...
class ModelNotActive(SomaError): ...
class ModelNotFound(SomaError): ...
class ModelNotInTarget(SomaError): ...
class ModelRevealEpochMismatch(SomaError): ...
class ModelWeightsChanged(SomaError): ...
class ModelsChanged(SomaError): ...
class NoWinner(SomaError): ...
class NonceContention(SomaError): ...
class NonceGap(SomaError): ...
class NonceInUse(SomaError): ...
class NonceTooLow(SomaError): ...
class NotAValidator(SomaError): ...
class NotConfigured(SomaError): ...
class NotExecuted(SomaError): ...
class NotFinal(SomaError): ...
class NotFound(SomaError): ...
class NotModelOwner(SomaError): ...
class NotPublic(SomaError): ...
class ObjectNotFound(SomaError): ...
class Offline(SomaError): ...
class OutOfMemory(SomaError): ...
class Overloaded(SomaError): ...
class PlaintextMismatch(SomaError): ...
class ProtocolVersionNotNewer(SomaError): ...
class Pruned(SomaError): ...
class RateLimited(SomaError): ...
class ReportRecordNotFound(SomaError): ...
class RevealMissed(SomaError): ...
class RouteNotFound(SomaError): ...
class SchemeNotAllowed(SomaError): ...
class Sealed(SomaError): ...
class SenderLimit(SomaError): ...
class Settings(SomaError): ...
class SizeMismatch(SomaError): ...
class StakeAlreadyUnbonding(SomaError): ...
class StakingPoolInactive(SomaError): ...
class StakingPoolInsolvent(SomaError): ...
class StakingPoolNotFound(SomaError): ...
class StorageFailed(SomaError): ...
class SubmissionNotCommitted(SomaError): ...
class TargetAlreadyChallenged(SomaError): ...
class TargetAlreadyClaimed(SomaError): ...
class TargetExpired(SomaError): ...
class TargetNotFilled(SomaError): ...
class TargetNotFound(SomaError): ...
class TargetNotOpen(SomaError): ...
class Timeout(SomaError): ...
class TooSlow(SomaError): ...
class TransactionExpired(SomaError): ...
class TransactionTooLarge(SomaError): ...
class Transport(SomaError): ...
class Unavailable(SomaError): ...
class UnexpectedAnswer(SomaError): ...
class UnsupportedMediaType(SomaError): ...
class UploadFailed(SomaError): ...
class UrlNotAllowed(SomaError): ...
class ValidatorAlreadyRemoved(SomaError): ...
class ValidatorNotFound(SomaError): ...
class ValidatorStillAnswers(SomaError): ...
class WeightsAlreadyRevealed(SomaError): ...
class WeightsChanged(SomaError): ...
class WeightsUnavailable(SomaError): ...
class WrongChain(SomaError): ...
