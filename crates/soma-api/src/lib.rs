//! JSON shapes of the HTTP APIs of node and scorer: one set of types for services, SDK and CLI.
//!
//! # Place
//! Depends on `soma-types` only. Does no I/O and knows no HTTP library; node and scorer serve
//! these types, the SDK reads them.
//!
//! # Conventions
//! - Money is a whole number of shannons (1 SOMA = 10^9 shannons), up to 10^16: read it as a 64-bit
//!   integer, not as a double. Pool shares need 128 bits and are decimal strings.
//! - Ids, addresses, digests and keys are `0x` and hex digits; checksums, commitments and weights
//!   keys are Base58; bytes are Base64.
//! - Distances, thresholds and losses come as a number for people, and beside it with the suffix
//!   `_fixed` as the exact integer in units of 2^-30 that the chain compares.
//! - Embeddings are lists of 32-bit floats of length one, sent only when asked for.
//! - Times are milliseconds since 1970-01-01 UTC.
//! - Lists come in pages: follow [`Page::next_cursor`] until it is absent. A page may be shorter
//!   than asked for and even empty; only an absent cursor means the end.
//! - Whatever goes wrong is an [`ErrorBody`] with a stable code.
//!
//! # Reading order
//! [`error`], [`page`], [`chain`], [`account`], [`transaction`], [`block`], [`epoch`], [`model`],
//! [`target`], [`validator`], [`object`], [`proof`], [`event`], [`service`], [`scoring`], [`audit`],
//! [`light`], [`snapshot`].
#![forbid(unsafe_code)]

pub mod account;
pub mod audit;
pub mod block;
pub mod bytes;
pub mod chain;
pub mod epoch;
pub mod error;
pub mod event;
pub mod light;
pub mod model;
pub mod object;
pub mod page;
pub mod proof;
pub mod scoring;
pub mod service;
pub mod snapshot;
pub mod target;
pub mod transaction;
pub mod validator;

pub use account::{Balance, LedgerEntryView, StakeStateView, StakeView};
pub use audit::{AuditReportView, AuditView, ClaimView, MeasuredView, ScorecardView};
pub use block::{BlockView, CertificateView, CommitSignatureView, HeaderView, MisbehaviorView};
pub use bytes::Base64;
pub use chain::{
    BannedPeerView, ChainInfo, ConsensusStatus, MempoolStatus, ParametersView, PeerView, Peers,
    Status,
};
pub use epoch::{DifficultyView, EpochView, SupplyView, SystemView};
pub use error::{ErrorBody, ErrorCode};
pub use event::{EventId, EventMessage, EventView};
pub use light::HandoverView;
pub use model::{ModelReportView, ModelView, PendingRevealView, PoolView, WeightsView};
pub use object::{ObjectContent, ObjectId, ObjectType, ObjectView, SYSTEM_STATE_ID};
pub use page::{DEFAULT_PAGE, MAX_PAGE, Page};
pub use proof::ProofView;
pub use scoring::{
    BatchScoreRequest, BatchScoreResponse, CONTRACT_VERSION, DataSource, DownloadView,
    ModelScoreView, PieceView, ScoreRequest, ScoreResponse, ScorerInfo, WeightsSource,
};
pub use service::{AdvanceEpochResponse, FaucetRequest, FaucetResponse};
pub use snapshot::{SNAPSHOT_FORMAT, SnapshotChunk, SnapshotManifest, SnapshotView, Snapshots};
pub use target::{ChallengeView, DataView, FillView, PayoutView, ReportView, TargetView};
pub use transaction::{
    BalanceChangeView, ExecutionErrorView, FeeView, ObjectRefView, ReceiptStatus, ReceiptView,
    SimulateRequest, SubmitRequest, SubmitResponse, TransactionRecord, TransactionView,
};
pub use validator::{
    CommitteeView, MemberView, MetadataChangesView, ValidatorMetadataView, ValidatorReportView,
    ValidatorView,
};
