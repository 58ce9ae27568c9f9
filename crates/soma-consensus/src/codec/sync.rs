//! What nodes exchange to catch up.

use malachite::app::types::PeerId;
use malachite::app::types::core::{
    CommitCertificate, ExtendedCommitCertificate, ExtendedCommitSignature, Round,
};
use malachite_sync::{RawDecidedValue, Request, Response, Status, ValueRequest, ValueResponse};
use serde::{Deserialize, Serialize};
use soma_types::Certificate;
use soma_types::bounded::BoundedVec;
use soma_types::codec::{DecodeError, encode};

use super::{Wire, checked_round, refuse};
use crate::context::{Address, BlockId, Height, SomaContext, defined};

/// The most blocks in one answer.
const MAX_RESPONSE_BLOCKS: usize = 1_024;

/// The certificate in plain terms. Extensions, which this chain does not have, are dropped.
pub(crate) fn plain_certificate(
    certificate: &ExtendedCommitCertificate<SomaContext>,
) -> Certificate {
    commit_certificate(&certificate.trim_vote_extensions())
}

/// The certificate of a decision, without extensions.
pub(crate) fn commit_certificate(certificate: &CommitCertificate<SomaContext>) -> Certificate {
    let mut signatures: Vec<_> = certificate
        .commit_signatures
        .iter()
        .map(|signed| soma_types::CommitSignature {
            validator: signed.address.0,
            signature: signed.signature,
        })
        .collect();
    signatures.sort_by_key(|signed| signed.validator);
    signatures.dedup_by_key(|signed| signed.validator);
    Certificate {
        height: certificate.height.0,
        round: defined(certificate.round),
        block: certificate.value_id.0,
        signatures: BoundedVec::new(signatures).unwrap_or_default(),
    }
}

/// The certificate in the engine's terms.
pub(crate) fn engine_certificate(
    certificate: &Certificate,
) -> ExtendedCommitCertificate<SomaContext> {
    let signatures = certificate.signatures.iter().map(|signed| {
        ExtendedCommitSignature::new(Address(signed.validator), signed.signature, None)
    });
    ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: BlockId(certificate.block),
        commit_signatures: signatures.collect(),
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StatusForm {
    peer: BoundedVec<u8, 128>,
    tip: u64,
    earliest: u64,
}

impl Wire for Status<SomaContext> {
    type Form = StatusForm;
    const WHAT: &'static str = "a status";

    fn to_form(&self) -> StatusForm {
        StatusForm {
            peer: BoundedVec::new(self.peer_id.to_bytes()).unwrap_or_default(),
            tip: self.tip_height.0,
            earliest: self.history_min_height.0,
        }
    }

    fn from_form(form: StatusForm) -> Result<Self, DecodeError> {
        let peer_id = PeerId::from_bytes(&form.peer)
            .map_err(|_| refuse(Self::WHAT, "the peer's id is not valid"))?;
        Ok(Self {
            peer_id,
            tip_height: Height(form.tip),
            history_min_height: Height(form.earliest),
        })
    }
}

impl Wire for Request<SomaContext> {
    type Form = (u64, u64);
    const WHAT: &'static str = "a request for blocks";

    fn to_form(&self) -> (u64, u64) {
        let Self::ValueRequest(request) = self;
        (request.range.start().0, request.range.end().0)
    }

    fn from_form((first, last): (u64, u64)) -> Result<Self, DecodeError> {
        if first > last {
            return Err(refuse(Self::WHAT, "the range is empty"));
        }
        Ok(Self::ValueRequest(ValueRequest::new(
            Height(first)..=Height(last),
        )))
    }
}

/// A block's payload and its certificate.
#[derive(Serialize, Deserialize)]
pub(crate) struct DecidedForm {
    #[serde(with = "byte_string")]
    payload: Vec<u8>,
    certificate: Certificate,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ResponseForm {
    first: u64,
    blocks: BoundedVec<DecidedForm, MAX_RESPONSE_BLOCKS>,
}

impl Wire for Response<SomaContext> {
    type Form = ResponseForm;
    const WHAT: &'static str = "an answer with blocks";

    fn to_form(&self) -> ResponseForm {
        let Self::ValueResponse(response) = self;
        let blocks = response.values.iter().map(|value| DecidedForm {
            payload: value.value_bytes.to_vec(),
            certificate: plain_certificate(&value.certificate),
        });
        ResponseForm {
            first: response.start_height.0,
            blocks: BoundedVec::new(blocks.collect()).unwrap_or_default(),
        }
    }

    fn from_form(form: ResponseForm) -> Result<Self, DecodeError> {
        let mut values = Vec::with_capacity(form.blocks.len());
        for block in form.blocks.into_vec() {
            checked_round(Self::WHAT, block.certificate.round)?;
            values.push(RawDecidedValue {
                value_bytes: block.payload.into(),
                certificate: engine_certificate(&block.certificate),
            });
        }
        Ok(Self::ValueResponse(ValueResponse::new(
            Height(form.first),
            values,
        )))
    }
}

/// Length of an answer's encoding, without copying its blocks.
pub(super) fn encoded_len(response: &Response<SomaContext>) -> usize {
    let Response::ValueResponse(response) = response;
    let blocks = response.values.iter().map(|value| {
        let length = value.value_bytes.len();
        let certificate = encode(&plain_certificate(&value.certificate)).len();
        prefix_len(length) + length + certificate
    });
    size_of::<u64>() + prefix_len(response.values.len()) + blocks.sum::<usize>()
}

/// Bytes that the encoding spends on a length.
fn prefix_len(length: usize) -> usize {
    let bits = (usize::BITS - length.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// Bytes as one string, not one by one.
pub(crate) mod byte_string {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}
