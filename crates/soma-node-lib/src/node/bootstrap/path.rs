//! The way from what is trusted to the head: hand-overs from committee to committee, verified,
//! whatever source gives them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use futures::StreamExt as _;
use soma_chain::{Handover, LightClient, header};
use soma_types::{Epoch, Genesis};

use super::TrustedBlock;
use super::error::{BootstrapError, SourceError};
use super::source::Source;

/// Hand-overs that are asked for at a time.
const AHEAD: usize = 8;

/// The verified way.
pub(super) struct Path {
    light: LightClient,
    handovers: BTreeMap<Epoch, Handover>,
}

impl Path {
    /// Begins at the genesis, or at a block that is trusted.
    pub(super) async fn begin(
        genesis: &Genesis,
        trusted: Option<TrustedBlock>,
        sources: &[Source],
    ) -> Result<Self, BootstrapError> {
        let first = LightClient::from_genesis(genesis)?;
        let Some(trusted) = trusted else {
            return Ok(Self {
                light: first,
                handovers: BTreeMap::new(),
            });
        };
        let mut reasons = Vec::new();
        for source in sources {
            let path = Self::from_trusted(trusted, source).await;
            match path {
                Ok(path) if path.light.chain_id() == first.chain_id() => return Ok(path),
                Ok(path) => reasons.push(format!(
                    "the trusted block {trusted} is of chain {}, the genesis of {}",
                    path.light.chain_id(),
                    first.chain_id()
                )),
                Err(error) => reasons.push(format!("{}: {error}", source.url)),
            }
        }
        Err(BootstrapError::NoSource { reasons })
    }

    async fn from_trusted(trusted: TrustedBlock, source: &Source) -> Result<Self, SourceError> {
        if let Some(handover) = ending_at(trusted, source).await? {
            let epoch = handover.committee.header.epoch;
            let next = Epoch(epoch.0.saturating_add(1));
            let light = LightClient::from_trusted(trusted.digest, next, &handover.committee)?;
            return Ok(Self {
                light,
                handovers: BTreeMap::from([(epoch, handover)]),
            });
        }
        // Not the last one of an epoch: it must be young enough for a proof of its state.
        let light = source.client.trusted(trusted.height, trusted.digest).await;
        let light = light.map_err(|error| {
            let help = match error.name() {
                "Pruned" => {
                    "; every node can prove the last block of an epoch: take `height` and `digest` \
                     of one from `/v1/snapshots` of a node that you trust"
                }
                _ => "",
            };
            let text = format!("it does not show the trusted block {trusted}: {error}{help}");
            SourceError::Trusted(text)
        })?;
        Ok(Self {
            light,
            handovers: BTreeMap::new(),
        })
    }

    /// How the committee of `epoch` handed over to the next, verified, with the help of whichever
    /// source gives the way there.
    pub(super) async fn reach(
        &mut self,
        epoch: Epoch,
        sources: &[Source],
    ) -> Result<&Handover, Vec<String>> {
        let mut reasons = Vec::new();
        for source in sources {
            if self.handovers.contains_key(&epoch) {
                break;
            }
            if let Err(error) = self.follow(epoch, source).await {
                reasons.push(format!("{}: {error}", source.url));
            }
        }
        let known = self.light.committee().epoch;
        self.handovers.get(&epoch).ok_or_else(|| {
            if reasons.is_empty() {
                reasons.push(format!(
                    "the snapshot of epoch {epoch} is older than what is trusted, epoch {known}"
                ));
            }
            reasons
        })
    }

    async fn follow(&mut self, epoch: Epoch, source: &Source) -> Result<(), SourceError> {
        let first = self.light.committee().epoch;
        let get = |number| async move {
            let epoch = Epoch(number);
            (epoch, source.client.handover(epoch).await)
        };
        let found = futures::stream::iter(first.0..=epoch.0).map(get);
        let mut found = std::pin::pin!(found.buffered(AHEAD));
        while let Some((epoch, handover)) = found.next().await {
            let handover = handover?;
            self.light.advance(&handover)?;
            self.handovers.insert(epoch, handover);
        }
        Ok(())
    }

    /// The verified hand-overs before that of `epoch`.
    pub(super) fn before(&self, epoch: Epoch) -> Vec<Handover> {
        let before = self.handovers.range(..epoch);
        before.map(|(_, handover)| handover.clone()).collect()
    }
}

/// The hand-over whose block is the trusted one; none when that does not end an epoch. The block
/// itself may be gone from the source: hand-overs stay for ever, in order of height.
async fn ending_at(
    trusted: TrustedBlock,
    source: &Source,
) -> Result<Option<Handover>, SourceError> {
    let (mut first, mut end) = (0, source.client.status().await?.epoch.0);
    while first < end {
        let middle = first + (end - first) / 2;
        let found = match source.client.handover(Epoch(middle)).await {
            Ok(found) => found,
            // A source that began at a trusted block itself does not have the oldest.
            Err(error) if error.name() == "NotFound" => {
                first = middle + 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let header = found.committee.header;
        match header.height.cmp(&trusted.height) {
            Ordering::Less => first = middle + 1,
            Ordering::Greater => end = middle,
            Ordering::Equal if header::digest(&header) == trusted.digest => {
                return Ok(Some(found));
            }
            Ordering::Equal => {
                let text = format!("its block {} is not the trusted {trusted}", header.height);
                return Err(SourceError::Trusted(text));
            }
        }
    }
    Ok(None)
}
