//! Status, chain, parameters, mempool.

use axum::Json;
use axum::extract::State;
use soma_api::{
    BannedPeerView, ChainInfo, ConsensusStatus, ErrorBody, MempoolStatus, ParametersView, PeerView,
    Peers, Status,
};
use soma_types::Genesis;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::{Application, Now};
use crate::rpc::{Rpc, RpcError};

const SERVER_VERSION: &str = concat!("soma-node/", env!("CARGO_PKG_VERSION"));

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(chain))
        .routes(routes!(genesis))
        .routes(routes!(parameters))
        .routes(routes!(mempool))
        .routes(routes!(peers))
}

/// How the node is: height, epoch, waiting transactions.
#[utoipa::path(get, path = "/v1/status", tag = "chain", responses(
    (status = 200, body = Status), (status = "default", body = ErrorBody)))]
async fn status(State(rpc): State<Rpc>) -> Result<Json<Status>, RpcError> {
    let consensus = consensus(&rpc).await;
    let network = rpc.served().network.clone();
    let status = rpc.read(move |application| {
        let lowest_height = application.chain().reader().lowest_block()?;
        let now = application.now();
        let chain = application.chain();
        let next = now.height().saturating_add(1);
        let missing = network.and_then(|network| network.missing_history(next));
        Ok(Status {
            chain: chain.genesis().chain.to_string(),
            chain_id: chain.chain_id(),
            height: now.height(),
            digest: now.head.digest,
            time_ms: now.head.header.time_ms,
            epoch: now.system.epoch,
            epoch_start_ms: now.system.epoch_start_ms,
            epoch_end_ms: now.epoch_end_ms(),
            lowest_height,
            protocol_version: now.system.protocol_version,
            server_version: SERVER_VERSION.to_owned(),
            uptime_ms: u64::try_from(application.uptime().as_millis()).unwrap_or(u64::MAX),
            mempool: waiting(application),
            consensus,
            activity: match missing {
                Some(missing) => missing.to_string(),
                None => activity(application, &now),
            },
        })
    });
    Ok(Json(status.await?))
}

async fn consensus(rpc: &Rpc) -> ConsensusStatus {
    let Some(observer) = &rpc.served().network else {
        return ConsensusStatus::default();
    };
    let peers = observer.peers().await.len();
    let status = *observer.status().borrow();
    ConsensusStatus {
        validator: observer.validator(),
        is_voting: status.is_validator,
        height: status.height,
        round: status.round,
        peers: u64::try_from(peers).unwrap_or(u64::MAX),
    }
}

fn waiting(application: &Application) -> MempoolStatus {
    let size = application.size();
    let limits = application.mempool().config();
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    MempoolStatus {
        transactions: count(size.transactions),
        ready: count(size.ready),
        bytes: count(size.bytes),
        senders: count(size.senders),
        max_transactions: count(limits.max_transactions),
        max_bytes: count(limits.max_bytes),
    }
}

/// What the node does or waits for, in one sentence.
fn activity(application: &Application, now: &Now) -> String {
    let size = application.size();
    let parked = size.transactions.saturating_sub(size.ready);
    if size.ready > 0 {
        format!("executing {} waiting transactions", size.ready)
    } else if now.system.targets.pending_draws > 0 && now.active_models == 0 {
        "no active model yet: targets are drawn once a model is revealed".to_owned()
    } else if parked > 0 {
        format!("{parked} transactions wait for a missing nonce of their sender")
    } else {
        "waiting for transactions".to_owned()
    }
}

/// Which chain this is.
#[utoipa::path(get, path = "/v1/chain", tag = "chain", responses(
    (status = 200, body = ChainInfo), (status = "default", body = ErrorBody)))]
async fn chain(State(rpc): State<Rpc>) -> Json<ChainInfo> {
    let application = rpc.application();
    let genesis = application.chain().genesis();
    Json(ChainInfo {
        chain: genesis.chain.to_string(),
        chain_id: application.chain().chain_id(),
        genesis_time_ms: genesis.time_ms,
        protocol_version: application.now().system.protocol_version,
        server_version: SERVER_VERSION.to_owned(),
        api_version: "v1".to_owned(),
        allow_forced_epochs: genesis.allow_forced_epochs,
    })
}

/// The document that the chain started from; the chain's id is its digest.
#[utoipa::path(get, path = "/v1/genesis", tag = "chain", responses(
    (status = 200, body = Object), (status = "default", body = ErrorBody)))]
async fn genesis(State(rpc): State<Rpc>) -> Json<Genesis> {
    Json(rpc.application().chain().genesis().clone())
}

/// The protocol parameters in force.
#[utoipa::path(get, path = "/v1/parameters", tag = "chain", responses(
    (status = 200, body = ParametersView), (status = "default", body = ErrorBody)))]
async fn parameters(State(rpc): State<Rpc>) -> Json<ParametersView> {
    let now = rpc.application().now();
    Json(ParametersView::new(
        now.system.protocol_version,
        &now.parameters,
    ))
}

/// How full the mempool is.
#[utoipa::path(get, path = "/v1/mempool", tag = "chain", responses(
    (status = 200, body = MempoolStatus), (status = "default", body = ErrorBody)))]
async fn mempool(State(rpc): State<Rpc>) -> Json<MempoolStatus> {
    Json(waiting(rpc.application()))
}

/// The nodes that this one is connected to, and those that it does not hear.
#[utoipa::path(get, path = "/v1/peers", tag = "chain", responses(
    (status = 200, body = Peers), (status = "default", body = ErrorBody)))]
async fn peers(State(rpc): State<Rpc>) -> Json<Peers> {
    let (peers, banned) = match &rpc.served().network {
        Some(observer) => (observer.peers().await, observer.bans()),
        None => (Vec::new(), Vec::new()),
    };
    let view = |peer: soma_consensus::Peer| PeerView {
        id: peer.id,
        name: peer.name,
        address: peer.address,
        validator: peer.validator,
    };
    let ban = |ban: soma_consensus::Ban| BannedPeerView {
        id: ban.peer,
        fault: ban.fault.name().to_owned(),
        left_ms: u64::try_from(ban.left.as_millis()).unwrap_or(u64::MAX),
    };
    Json(Peers {
        peers: peers.into_iter().map(view).collect(),
        banned: banned.into_iter().map(ban).collect(),
    })
}
