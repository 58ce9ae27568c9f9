//! Who sees an opened submission before its block is made, and even makes that block, cannot take
//! its target.

mod by_hand;

use std::sync::Arc;

use by_hand::ByHand;
use soma_node::Application;
use soma_node::application::wall_clock_ms;
use soma_tests::model_secrets::Sealed;
use soma_tests::world::{Setup, World};
use soma_types::{
    Address, Digest, Embedding, Receipt, Salt, SignedTransaction, Submission, Target,
    TransactionKind,
};

/// A node of a chain with a target, whose blocks this test makes.
struct Bench {
    world: World,
    application: Arc<Application>,
    blocks: ByHand,
    target: Target,
    direction: Embedding,
}

impl Bench {
    fn new() -> Self {
        let world = World::with(Setup {
            time_ms: wall_clock_ms(),
            ..Setup::default().models(3)
        });
        let blocks = ByHand::new(&world.genesis);
        let application = Arc::clone(&blocks.application);
        // The first block of an epoch draws its targets.
        blocks.next();
        let reader = application.chain().reader();
        let filter = soma_chain::TargetFilter::default();
        let target = reader.targets(&filter, None, 1).unwrap().targets.remove(0);
        let direction = reader.target_embedding(&target.id).unwrap().unwrap();
        drop(reader);
        Self {
            world,
            application,
            blocks,
            target,
            direction,
        }
    }

    fn sign(&self, sender: &Address, ahead: u64, kind: TransactionKind) -> SignedTransaction {
        let reader = self.application.chain().reader();
        let nonce = reader.account(sender).unwrap().nonce + ahead;
        drop(reader);
        let transaction = soma_types::Transaction {
            chain_id: self.application.chain().chain_id(),
            sender: *sender,
            nonce,
            expiry_height: u64::MAX,
            kind,
        };
        soma_crypto::transaction::sign(transaction, &self.world.keys[sender])
    }

    /// A block of exactly these transactions, in this order, as its proposer may choose.
    fn block(&self, transactions: &[SignedTransaction]) -> Vec<Receipt> {
        self.blocks.block(transactions).receipts.clone()
    }

    fn submission(&self, by: &Address) -> Sealed {
        let (id, model) = (self.target.id, self.target.models[0]);
        Sealed::new(*by, id, model, &self.direction, 7, 100)
    }

    fn submitter(&self) -> Option<Address> {
        let reader = self.application.chain().reader();
        let target = reader.target(&self.target.id).unwrap().unwrap();
        target.fill().map(|fill| fill.submitter)
    }
}

/// What a validator reads of a transaction that waits in its mempool.
fn waiting(application: &Application, digest: &Digest) -> Submission {
    let seen = application.mempool().get(digest).expect("it waits");
    match seen.transaction.kind.clone() {
        TransactionKind::SubmitData(submission) => *submission,
        kind => panic!("{}", kind.name()),
    }
}

fn error(receipt: &Receipt) -> &'static str {
    match &receipt.status {
        soma_types::ExecutionStatus::Success => "success",
        soma_types::ExecutionStatus::Failure { error } => error.name(),
    }
}

#[test]
fn a_proposer_that_copies_an_opened_submission_into_its_own_block_gets_nothing() {
    let bench = Bench::new();
    let [honest, thief] = [bench.world.users[0], bench.world.users[1]];
    let sealed = bench.submission(&honest);
    bench.block(&[bench.sign(&honest, 0, sealed.seal())]);

    // The opening waits in the mempool of the thief's node, who makes the next block.
    let opening = bench.sign(&honest, 0, sealed.open());
    let digest = bench.application.submit(opening.clone()).unwrap().digest;
    let mut stolen = Sealed {
        submission: waiting(&bench.application, &digest),
        submitter: thief,
    };
    stolen.submission.salt = Salt([9; 32]);
    let receipts = bench.block(&[
        bench.sign(&thief, 0, stolen.seal()),
        bench.sign(&thief, 1, stolen.open()),
        opening,
    ]);
    let errors: Vec<_> = receipts.iter().map(error).collect();
    assert_eq!(errors, ["success", "SubmissionNotCommitted", "success"]);
    assert_eq!(bench.submitter(), Some(honest));
}

#[test]
fn a_copy_under_the_victims_own_seal_is_refused() {
    let bench = Bench::new();
    let [honest, thief] = [bench.world.users[0], bench.world.users[1]];
    let sealed = bench.submission(&honest);
    bench.block(&[bench.sign(&honest, 0, sealed.seal())]);
    let opening = bench.sign(&honest, 0, sealed.open());
    bench.application.submit(opening.clone()).unwrap();
    // The seal binds the submitter: the same bytes by somebody else open nothing. Nor does it help
    // to have sealed the same commitment in an earlier block.
    let receipts = bench.block(&[bench.sign(&thief, 0, sealed.seal())]);
    assert_eq!(error(&receipts[0]), "success");
    let receipts = bench.block(&[bench.sign(&thief, 0, sealed.open()), opening]);
    let errors: Vec<_> = receipts.iter().map(error).collect();
    assert_eq!(errors, ["SubmissionNotCommitted", "success"]);
    assert_eq!(bench.submitter(), Some(honest));
}

#[test]
fn a_thief_that_held_the_opening_back_for_its_one_block_comes_second_in_the_next() {
    let bench = Bench::new();
    let [honest, thief] = [bench.world.users[0], bench.world.users[1]];
    let sealed = bench.submission(&honest);
    bench.block(&[bench.sign(&honest, 0, sealed.seal())]);
    let opening = bench.sign(&honest, 0, sealed.open());
    let digest = bench.application.submit(opening).unwrap().digest;
    let mut stolen = Sealed {
        submission: waiting(&bench.application, &digest),
        submitter: thief,
    };
    stolen.submission.salt = Salt([9; 32]);
    // Its own block: the seal alone, the opening left out. Its opening is sent for the next one,
    // which somebody else makes from the mempool as it is.
    bench.block(&[bench.sign(&thief, 0, stolen.seal())]);
    let late = bench.sign(&thief, 0, stolen.open());
    bench.application.submit(late).unwrap();
    let committed = bench.blocks.next();
    let errors: Vec<_> = committed.receipts.iter().map(error).collect();
    assert_eq!(errors, ["success", "TargetNotOpen"]);
    assert_eq!(bench.submitter(), Some(honest));
}
