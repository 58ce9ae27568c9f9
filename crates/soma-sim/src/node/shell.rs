//! What the engine's actor does with each effect of its consensus, done at once.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use futures::executor::block_on;
use malachite::app::consensus::{
    ConsensusMsg, Effect, LivenessMsg, Resumable as _, Resume, VoteExtensionError,
};
use malachite::app::engine::host::SyncedValueOutcome;
use malachite::app::streaming::StreamMessage;
use malachite::app::types::core::{
    LinearTimeouts, Timeout, Value as _, ValueOrigin, ValueResponse,
};
use malachite_signing::{Signer as _, Verifier as _, VerifierExt as _};
use soma_consensus::Host;
use soma_consensus::context::{Address, Height, Part, SomaContext};
use soma_consensus::signing::ChainVerifier;

use super::core::{App, CoreError, Mail, Note, Stop, SyncMail};
use super::timers::{self, Timers};
use super::wal::Wal;
use crate::packet::{Message, Outgoing, To};
use crate::time::{Clock, Micros};

/// What the engine's consensus works with.
pub(crate) struct Shell {
    pub(crate) host: Host<App>,
    pub(crate) timers: Timers,
    pub(crate) outbox: Vec<Outgoing>,
    pub(crate) mailbox: VecDeque<Mail>,
    pub(crate) notes: Vec<Note>,
    pub(super) wal: Wal,
    verifier: ChainVerifier,
    clock: Clock,
    pub(super) timeouts: LinearTimeouts,
    pub(super) is_recovering: bool,
    pub(super) is_validator: bool,
    /// The question whose answer is in work.
    pub(super) request: Option<u64>,
    pub(super) stop: Option<Stop>,
}

impl Shell {
    pub(super) fn new(host: Host<App>, wal: Wal, verifier: ChainVerifier, clock: Clock) -> Self {
        Self {
            host,
            timers: Timers::default(),
            outbox: Vec::new(),
            mailbox: VecDeque::new(),
            notes: Vec::new(),
            wal,
            verifier,
            clock,
            timeouts: LinearTimeouts::default(),
            is_recovering: false,
            is_validator: false,
            request: None,
            stop: None,
        }
    }

    /// Sends a message to all other nodes.
    pub(crate) fn publish(&mut self, message: Message) {
        self.outbox.push(Outgoing {
            to: To::All,
            message,
        });
    }

    /// When a wait of `duration` ends.
    pub(crate) fn after(&self, duration: Duration) -> Micros {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.clock.now().saturating_add(micros)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.is_recovering || !self.is_validator {
            true => Ok(()),
            false => self.wal.flush(),
        }
    }

    /// Does what an effect asks for. After a failure nothing more is done.
    pub(super) fn handle(
        &mut self,
        effect: Effect<SomaContext>,
    ) -> Result<Resume<SomaContext>, &'static str> {
        const STOPPED: &str = "the node has stopped";
        if self.stop.is_some() {
            return Err(STOPPED);
        }
        self.perform(effect).map_err(|stop| {
            self.stop = Some(stop);
            STOPPED
        })
    }

    fn perform(&mut self, effect: Effect<SomaContext>) -> Result<Resume<SomaContext>, Stop> {
        Ok(match effect {
            Effect::CancelAllTimeouts(r) => {
                self.timers.cancel_rounds();
                r.resume_with(())
            }
            Effect::CancelTimeout(timeout, r) => {
                self.timers.cancel(timers::of_timeout(&timeout));
                r.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, r) => {
                self.schedule(timeout);
                r.resume_with(())
            }
            Effect::StartRound(height, round, _, _, r) => {
                self.flush()?;
                for value in self.host.started(height, round)? {
                    let mail = Mail::Proposed(value, ValueOrigin::Consensus);
                    self.mailbox.push_back(mail);
                }
                r.resume_with(())
            }
            Effect::SignProposal(proposal, r) => {
                let signer = self.host.signer().ok_or(Stop::NoKey)?;
                let signed = block_on(signer.sign_proposal(proposal));
                r.resume_with(signed.map_err(|error| Stop::Engine(error.to_string()))?)
            }
            Effect::SignVote(vote, r) => {
                let signer = self.host.signer().ok_or(Stop::NoKey)?;
                let signed = block_on(signer.sign_vote(vote));
                r.resume_with(signed.map_err(|error| Stop::Engine(error.to_string()))?)
            }
            Effect::PublishConsensusMsg(message, r) => {
                self.flush()?;
                self.publish(Message::Consensus(message));
                r.resume_with(())
            }
            Effect::PublishLivenessMsg(message, r) => {
                self.publish(Message::Liveness(message));
                r.resume_with(())
            }
            Effect::RepublishVote(vote, r) => {
                self.publish(Message::Liveness(LivenessMsg::Vote(vote)));
                r.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, r) => {
                let message = LivenessMsg::SkipRoundCertificate(certificate);
                self.publish(Message::Liveness(message));
                r.resume_with(())
            }
            Effect::GetValue(height, round, timeout, r) => {
                let timeout = self.timeouts.duration_for(timeout);
                if let Some(own) = self.host.propose(height, round, timeout)? {
                    self.mailbox.push_back(Mail::Propose(own.value));
                    self.publish_parts(own.parts);
                }
                r.resume_with(())
            }
            Effect::RestreamProposal(_, round, valid_round, address, id, r) => {
                let parts = self.host.restream(round, valid_round, address, id)?;
                self.publish_parts(parts);
                r.resume_with(())
            }
            Effect::Decide(certificate, _, r) => {
                self.flush()?;
                self.host.decided(&certificate)?;
                let height = certificate.height;
                self.notes.push(Note::Committed(height.0));
                let mail = Mail::Sync(SyncMail::Committed(height));
                self.mailbox.push_back(mail);
                r.resume_with(())
            }
            Effect::Finalize(certificate, _, evidence, r) => {
                let votes = (&evidence.votes).into_iter().map(|(address, _)| address.0);
                let proposals = (&evidence.proposals).into_iter().map(|(a, _)| a.0);
                let accused: Vec<_> = votes.chain(proposals).collect();
                if !accused.is_empty() {
                    let note = Note::Evidence(certificate.height.0, accused);
                    self.notes.push(note);
                }
                self.host.finalized(&evidence);
                r.resume_with(())
            }
            Effect::WalAppend(height, entry, r) => {
                if !self.is_recovering && self.is_validator {
                    self.wal.append(height, entry)?;
                }
                r.resume_with(())
            }
            Effect::CertVerifiedSyncValue(value, proposer, r) => {
                self.take_synced(value, proposer)?;
                r.resume_with(())
            }
            Effect::CertRejectedSyncValue(_, height, error, r) => {
                let is_fault = matches!(error, CoreError::InvalidCommitCertificate(..));
                self.refuse_synced(height, is_fault);
                r.resume_with(())
            }
            other => return Ok(self.verify(other)),
        })
    }

    /// Checks signatures and certificates.
    fn verify(&self, effect: Effect<SomaContext>) -> Resume<SomaContext> {
        let (verifier, context) = (&self.verifier, &SomaContext);
        match effect {
            Effect::VerifySignature(signed, key, r) => {
                let signature = &signed.signature;
                let result = match &signed.message {
                    ConsensusMsg::Vote(vote) => {
                        block_on(verifier.verify_signed_vote(vote, signature, &key))
                    }
                    ConsensusMsg::Proposal(proposal) => {
                        block_on(verifier.verify_signed_proposal(proposal, signature, &key))
                    }
                };
                r.resume_with(result.is_ok_and(|verdict| verdict.is_valid()))
            }
            Effect::VerifyCommitCertificate(certificate, set, thresholds, r) => {
                r.resume_with(block_on(verifier.verify_commit_certificate(
                    context,
                    &certificate,
                    &set,
                    thresholds,
                )))
            }
            Effect::VerifyExtendedCommitCertificate(certificate, set, thresholds, policy, r) => {
                let verdict = verifier.verify_extended_commit_certificate(
                    context,
                    &certificate,
                    &set,
                    thresholds,
                    policy,
                );
                r.resume_with(block_on(verdict))
            }
            Effect::VerifyPolkaCertificate(certificate, set, thresholds, r) => {
                r.resume_with(block_on(verifier.verify_polka_certificate(
                    context,
                    &certificate,
                    &set,
                    thresholds,
                )))
            }
            Effect::VerifyRoundCertificate(certificate, set, thresholds, r) => {
                r.resume_with(block_on(verifier.verify_round_certificate(
                    context,
                    &certificate,
                    &set,
                    thresholds,
                )))
            }
            // Votes carry no extensions on this chain.
            Effect::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            Effect::VerifyVoteExtension(_, _, _, _, _, _, r) => {
                r.resume_with(Err(VoteExtensionError::InvalidVoteExtension))
            }
            // All others are done elsewhere.
            _ => Resume::Continue,
        }
    }

    fn schedule(&mut self, timeout: Timeout) {
        let at = self.after(self.timeouts.duration_for(timeout));
        self.timers
            .set(timers::of_timeout(&timeout), at, Some(timeout));
    }

    fn publish_parts(&mut self, parts: Vec<StreamMessage<Part>>) {
        for part in parts {
            self.publish(Message::Part(part));
        }
    }

    fn take_synced(
        &mut self,
        value: ValueResponse<SomaContext>,
        proposer: Address,
    ) -> Result<(), Stop> {
        let (height, round) = (value.certificate.height, value.certificate.round);
        let outcome = self
            .host
            .synced(height, round, proposer, &value.value_bytes)?;
        match outcome {
            SyncedValueOutcome::Verdict(mut proposed)
                if proposed.value.id() == value.certificate.value_id =>
            {
                proposed.round = round;
                self.notes.push(Note::Synced);
                let mail = Mail::Proposed(proposed, ValueOrigin::Sync);
                self.mailbox.push_back(mail);
            }
            SyncedValueOutcome::Verdict(_) | SyncedValueOutcome::PeerFault => {
                self.refuse_synced(height, true);
            }
            SyncedValueOutcome::LocalTransientError => self.refuse_synced(height, false),
        }
        Ok(())
    }

    fn refuse_synced(&mut self, height: Height, is_fault: bool) {
        let mail = match self.request.filter(|_| is_fault) {
            Some(request) => SyncMail::Fault(height, request),
            None => SyncMail::Transient(height),
        };
        self.mailbox.push_back(Mail::Sync(mail));
    }
}
