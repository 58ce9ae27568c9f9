//! Lists: filters, pages, and following pages to the end.

use std::future::Future;

use soma_api::{AuditView, LedgerEntryView, ModelView, ObjectView, Page, StakeView, TargetView};
use soma_api::{ObjectType, ValidatorView};
use soma_types::{Address, Checksum, Epoch, ModelId, TargetId};

use crate::client::Client;
use crate::error::SdkError;
use crate::http::Query;

/// Which page to give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The most items; the node's default (100) when absent, at most 1,000.
    pub limit: Option<u64>,
    /// `next_cursor` of the page before; the first page when absent.
    pub cursor: Option<String>,
}

impl PageRequest {
    fn add_to(&self, query: &mut Query) {
        push(query, "limit", self.limit);
        push(query, "cursor", self.cursor.as_ref());
    }
}

/// Which objects of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Only this type.
    pub kind: Option<ObjectType>,
}

/// Which models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFilter {
    /// Only models of this owner.
    pub owner: Option<Address>,
    /// Only this status: `created`, `pending`, `active` or `inactive`.
    pub status: Option<String>,
    /// Only the model that owns the weights with this plaintext checksum.
    pub weights: Option<Checksum>,
    /// With embeddings.
    pub with_embedding: bool,
}

/// Which targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFilter {
    /// Only this status: `open`, `filled`, `claimable`, `claimed`, `expired`, `fraud` or
    /// `void`.
    pub status: Option<String>,
    /// Only targets drawn in this epoch.
    pub epoch: Option<Epoch>,
    /// Only targets filled by this address.
    pub submitter: Option<Address>,
    /// With embeddings.
    pub with_embedding: bool,
}

/// Which audits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only audits of this target's submission.
    pub target: Option<TargetId>,
    /// Only audits of this model's weights.
    pub model: Option<ModelId>,
    /// Only this verdict: `honest`, `fraud` or `void`.
    pub verdict: Option<String>,
}

fn push(query: &mut Query, name: &'static str, value: Option<impl ToString>) {
    if let Some(value) = value {
        query.push((name, value.to_string()));
    }
}

pub(crate) fn include_embedding(is_wanted: bool) -> Query {
    match is_wanted {
        true => vec![("include", "embedding".to_owned())],
        false => Query::new(),
    }
}

impl Client {
    /// One page of an address's objects: coin, stake positions, models, filled targets, validator.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn objects(
        &self,
        owner: &Address,
        filter: ObjectFilter,
        page: &PageRequest,
    ) -> Result<Page<ObjectView>, SdkError> {
        let mut query = Query::new();
        push(&mut query, "type", filter.kind.map(ObjectType::name));
        page.add_to(&mut query);
        let path = format!("/v1/accounts/{owner}/objects");
        self.http().get(self.rpc(), &path, &query).await
    }

    /// One page of an address's stake positions.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn stakes(
        &self,
        owner: &Address,
        page: &PageRequest,
    ) -> Result<Page<StakeView>, SdkError> {
        let mut query = Query::new();
        page.add_to(&mut query);
        let path = format!("/v1/accounts/{owner}/stakes");
        self.http().get(self.rpc(), &path, &query).await
    }

    /// One page of the node's audits, newest first.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn audits(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditView>, SdkError> {
        let mut query = Query::new();
        push(&mut query, "target", filter.target);
        push(&mut query, "model", filter.model);
        push(&mut query, "verdict", filter.verdict.as_ref());
        page.add_to(&mut query);
        self.http().get(self.rpc(), "/v1/audits", &query).await
    }

    /// One page of what an address earned and lost outside plain transfers, newest first.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn earnings(
        &self,
        address: &Address,
        page: &PageRequest,
    ) -> Result<Page<LedgerEntryView>, SdkError> {
        let mut query = Query::new();
        page.add_to(&mut query);
        let path = format!("/v1/accounts/{address}/earnings");
        self.http().get(self.rpc(), &path, &query).await
    }

    /// One page of models, by id.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn models(
        &self,
        filter: &ModelFilter,
        page: &PageRequest,
    ) -> Result<Page<ModelView>, SdkError> {
        let mut query = include_embedding(filter.with_embedding);
        push(&mut query, "owner", filter.owner);
        push(&mut query, "status", filter.status.as_ref());
        push(&mut query, "weights", filter.weights);
        page.add_to(&mut query);
        self.http().get(self.rpc(), "/v1/models", &query).await
    }

    /// One page of targets.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn targets(
        &self,
        filter: &TargetFilter,
        page: &PageRequest,
    ) -> Result<Page<TargetView>, SdkError> {
        let mut query = include_embedding(filter.with_embedding);
        push(&mut query, "status", filter.status.as_ref());
        push(&mut query, "epoch", filter.epoch);
        push(&mut query, "submitter", filter.submitter);
        page.add_to(&mut query);
        self.http().get(self.rpc(), "/v1/targets", &query).await
    }

    /// One page of validators, by address, also pending and former ones.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn validators(&self, page: &PageRequest) -> Result<Page<ValidatorView>, SdkError> {
        let mut query = Query::new();
        page.add_to(&mut query);
        self.http().get(self.rpc(), "/v1/validators", &query).await
    }
}

/// Follows pages until the list ends or `limit` items are there.
///
/// ```no_run
/// # async fn example(client: soma_sdk::Client) -> Result<(), soma_sdk::SdkError> {
/// use soma_sdk::{TargetFilter, pages::collect};
///
/// let filter = TargetFilter { status: Some("open".to_owned()), ..TargetFilter::default() };
/// let open = collect(None, async |page| client.targets(&filter, &page).await).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The first error of `page`.
pub async fn collect<T, F, R>(limit: Option<u64>, page: F) -> Result<Vec<T>, SdkError>
where
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>, SdkError>>,
{
    let wanted = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let left = wanted.saturating_sub(items.len());
        if left == 0 {
            return Ok(items);
        }
        let limit = Some(soma_api::MAX_PAGE.min(left) as u64);
        let next = page(PageRequest { limit, cursor }).await?;
        items.extend(next.items.into_iter().take(left));
        match next.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(items),
        }
    }
}
