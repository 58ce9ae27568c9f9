//! From what a user wants to a receipt: build, try, sign, send, wait.

use std::time::Duration;

use rand_core::{OsRng, RngCore};
use soma_api::{Base64, ErrorCode, ReceiptView, SimulateRequest, SubmitRequest, SubmitResponse};
use soma_crypto::SecretKey;
use soma_crypto::transaction::{sign, transaction_digest};
use soma_types::{Address, Digest, SignedTransaction, Transaction, TransactionKind};
use tokio::time::Instant;

use crate::client::Client;
use crate::error::SdkError;
use crate::http::Repeat;

/// Tries when another program takes the nonce.
const NONCE_TRIES: u32 = 8;

/// The wait for a receipt that the first request asks for; each further one asks for twice as long.
/// Between two requests shows whether another transaction took the nonce.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait for a receipt that one request asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The most blocks added to an expiry.
const EXPIRY_JITTER: u32 = 4_096;

/// Pause after trouble while waiting for a receipt, and between looks at the account's nonce.
const PAUSE: Duration = Duration::from_millis(250);

/// A random number of blocks added to each expiry. Two programs that make the same payment with one
/// key at the same time would otherwise sign the same transaction, which is executed once, and
/// both would take its receipt for theirs.
fn jitter() -> u64 {
    u64::from(OsRng.next_u32() % EXPIRY_JITTER)
}

/// What sending a transaction once came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// It did not leave.
    No,
    /// A node may have it.
    Yes,
    /// A node may have it, and this one prefers another with its nonce.
    Contested,
}

impl Client {
    /// The next transaction of `sender`, unsigned: for this chain, with the next nonce, and an
    /// expiry some blocks ahead.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn build(
        &self,
        sender: Address,
        kind: TransactionKind,
    ) -> Result<Transaction, SdkError> {
        let chain_id = self.chain_id().await?;
        let account = self.balance(&sender).await?;
        let blocks = self.shared.settings.expiry_blocks;
        Ok(Transaction {
            chain_id,
            sender,
            nonce: account.next_nonce,
            expiry_height: account
                .height
                .saturating_add(blocks)
                .saturating_add(jitter()),
            kind,
        })
    }

    /// Tries a transaction on the newest state without executing it. The receipt of one that
    /// would fail has its error.
    ///
    /// # Errors
    /// [`SdkError`] when it cannot be tried.
    pub async fn simulate(&self, transaction: &Transaction) -> Result<ReceiptView, SdkError> {
        let request = SimulateRequest {
            transaction: Base64::encode(transaction),
        };
        let path = "/v1/transactions/simulate";
        let (repeat, extra) = (Repeat::Harmless, Duration::ZERO);
        self.http()
            .post(self.rpc(), path, &request, repeat, extra)
            .await
    }

    /// Sends a signed transaction without waiting for a block.
    ///
    /// # Errors
    /// [`SdkError`] when the node does not take it.
    pub async fn submit(&self, signed: &SignedTransaction) -> Result<SubmitResponse, SdkError> {
        self.send(signed, Duration::ZERO).await
    }

    async fn send(
        &self,
        signed: &SignedTransaction,
        wait: Duration,
    ) -> Result<SubmitResponse, SdkError> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let request = SubmitRequest {
            transaction: Base64::encode(signed),
            wait_ms: (wait_ms > 0).then_some(wait_ms),
        };
        // The chain executes a nonce once, so the identical transaction can be sent again.
        self.http()
            .post(
                self.rpc(),
                "/v1/transactions",
                &request,
                Repeat::Harmless,
                wait,
            )
            .await
    }

    /// Sends a signed transaction and waits until it is in a block.
    ///
    /// # Errors
    /// [`SdkError::TransactionFailed`] when it failed on chain, [`SdkError::NotExecuted`] when it
    /// is in no block in time, and why the node did not take it, or could not be reached at all.
    pub async fn execute_signed(
        &self,
        signed: &SignedTransaction,
    ) -> Result<ReceiptView, SdkError> {
        let sent = self.submit_once(signed).await?;
        self.wait(signed, sent).await
    }

    /// Sends a transaction. The node need not have it: waiting for the receipt sends it again.
    async fn submit_once(&self, signed: &SignedTransaction) -> Result<Sent, SdkError> {
        match self.submit(signed).await {
            Ok(_) | Err(SdkError::Timeout { .. }) => Ok(Sent::Yes),
            Err(SdkError::Transport { sent, .. }) => Ok(if sent { Sent::Yes } else { Sent::No }),
            // An earlier try of this request, or an earlier call, may have left it with a node.
            Err(error) if error.is_contested() => Ok(Sent::Contested),
            Err(error) => Err(error),
        }
    }

    /// Waits until a transaction that was sent is in a block.
    ///
    /// # Errors
    /// As [`Client::execute_signed`].
    pub async fn wait_for(&self, signed: &SignedTransaction) -> Result<ReceiptView, SdkError> {
        self.wait(signed, Sent::Yes).await
    }

    async fn wait(&self, signed: &SignedTransaction, sent: Sent) -> Result<ReceiptView, SdkError> {
        let after = self.shared.settings.execution_timeout;
        let deadline = Instant::now() + after;
        if sent == Sent::Contested {
            self.until_decided(&signed.transaction, deadline).await?;
        }
        let mut sent = sent != Sent::No;
        let digest = transaction_digest(&signed.transaction);
        let mut wait = FIRST_WAIT;
        let mut trouble = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(match trouble {
                    Some(error) if !sent => error,
                    _ => SdkError::NotExecuted { digest, after },
                });
            }
            let asked = left.min(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
            let receipt = match self.send(signed, asked).await {
                Ok(answer) => {
                    sent = true;
                    answer.receipt
                }
                // The nonce is used: by this transaction, or by another.
                Err(error) if error.is_overtaken() => match self.lookup(&digest).await? {
                    Some(receipt) => Some(receipt),
                    None => return Err(error),
                },
                // Sent again now, it would push out the transaction that this node prefers.
                Err(error) if error.is_contested() => {
                    sent = true;
                    self.until_decided(&signed.transaction, deadline).await?;
                    None
                }
                // The transaction may be on its way: only the deadline ends the wait.
                Err(error) if error.is_transient() => {
                    sent |= error.was_sent();
                    trouble = Some(error);
                    tokio::time::sleep(PAUSE.min(left)).await;
                    None
                }
                Err(error) => return Err(error),
            };
            match receipt {
                Some(receipt) if receipt.is_success() => return Ok(receipt),
                Some(receipt) => return Err(SdkError::failed(receipt)),
                None => {}
            }
        }
    }

    /// Waits until the chain has used a transaction's nonce or is at its expiry, but not beyond
    /// `deadline`: then a node says what became of it.
    async fn until_decided(
        &self,
        transaction: &Transaction,
        deadline: Instant,
    ) -> Result<(), SdkError> {
        while Instant::now() < deadline {
            tokio::time::sleep(PAUSE).await;
            match self.balance(&transaction.sender).await {
                Ok(account)
                    if account.nonce > transaction.nonce
                        || account.height >= transaction.expiry_height =>
                {
                    break;
                }
                Err(error) if !error.is_transient() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn lookup(&self, digest: &Digest) -> Result<Option<ReceiptView>, SdkError> {
        match self.receipt(digest).await {
            Ok(receipt) => Ok(Some(receipt)),
            Err(error) if error.api_code() == Some(ErrorCode::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Signs and sends a transaction of `key`'s account, and waits until it is in a block.
    ///
    /// Safe to call concurrently. When another program takes the nonce, the transaction is signed
    /// again with the next, but only once the chain has used that nonce without it: a node may
    /// prefer the other program's transaction while the rest of the network executes this one.
    ///
    /// # Errors
    /// As [`Client::execute_signed`]; [`SdkError::NonceContention`].
    pub async fn sign_and_execute(
        &self,
        key: &SecretKey,
        kind: TransactionKind,
    ) -> Result<ReceiptView, SdkError> {
        self.sign_and_execute_recorded(key, kind, |_| Ok(())).await
    }

    /// As [`Client::sign_and_execute`], and gives each signed transaction to `record` before it is
    /// sent. Who keeps it can find out after a crash what became of it, by
    /// [`Client::resume_signed`], instead of sending another.
    ///
    /// # Errors
    /// As [`Client::sign_and_execute`]; what `record` gives: then nothing was sent.
    pub async fn sign_and_execute_recorded(
        &self,
        key: &SecretKey,
        kind: TransactionKind,
        mut record: impl FnMut(&SignedTransaction) -> Result<(), SdkError>,
    ) -> Result<ReceiptView, SdkError> {
        let address = key.address();
        for _ in 0..NONCE_TRIES {
            let (signed, sent) = match self.enqueue(key, kind.clone(), &mut record).await {
                Ok(enqueued) => enqueued,
                Err(error) if error.is_overtaken() => continue,
                Err(error) => return Err(error),
            };
            match self.wait(&signed, sent).await {
                // The nonce went to another transaction; `wait` looked for this one's receipt.
                Err(error) if error.is_overtaken() => continue,
                result => return result,
            }
        }
        Err(SdkError::NonceContention {
            address,
            tries: NONCE_TRIES,
        })
    }

    /// What became of a transaction that was signed earlier and perhaps sent: sends it again, and
    /// waits until it is in a block. `None` when it can never be executed: it expired, or another
    /// transaction has its nonce.
    ///
    /// # Errors
    /// As [`Client::execute_signed`].
    pub async fn resume_signed(
        &self,
        signed: &SignedTransaction,
    ) -> Result<Option<ReceiptView>, SdkError> {
        let digest = transaction_digest(&signed.transaction);
        let receipt = match self.lookup(&digest).await? {
            Some(receipt) => receipt,
            None => match self.execute_signed(signed).await {
                Ok(receipt) => receipt,
                Err(error) if error.is_lost() => match self.lookup(&digest).await? {
                    Some(receipt) => receipt,
                    None => return Ok(None),
                },
                Err(error) => return Err(error),
            },
        };
        match receipt.is_success() {
            true => Ok(Some(receipt)),
            false => Err(SdkError::failed(receipt)),
        }
    }

    /// Builds, signs, records and sends while holding the account's turn. Also: whether it left.
    async fn enqueue(
        &self,
        key: &SecretKey,
        kind: TransactionKind,
        record: &mut impl FnMut(&SignedTransaction) -> Result<(), SdkError>,
    ) -> Result<(SignedTransaction, Sent), SdkError> {
        let sender = key.address();
        let turn = self.turn(sender);
        let _turn = turn.lock().await;
        let signed = sign(self.build(sender, kind).await?, key);
        record(&signed)?;
        let sent = self.submit_once(&signed).await?;
        Ok((signed, sent))
    }
}
