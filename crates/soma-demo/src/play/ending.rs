//! What the chain says when the game is over.

use soma_sdk::pages::collect;
use soma_sdk::types::event::EarningKind;
use soma_sdk::types::{Address, Epoch, ModelId, Shannons};
use soma_sdk::{Account, Client, TargetFilter};

use super::submitters::Tally;
use super::{DELEGATED, Game};
use crate::error::DemoError;
use crate::outcome::{
    DelegatorOutcome, DomainOutcome, ModelOutcome, Outcome, SubmitterOutcome, SupplyOutcome,
    TargetCounts,
};

impl Game<'_> {
    /// Fills in everything but the cheats, and checks what had to hold.
    pub(super) async fn finish(
        &self,
        outcome: &mut Outcome,
        models: &[ModelId],
        tallies: &[Tally],
    ) -> Result<(), DemoError> {
        outcome.model_size.clone_from(&self.config.model_size);
        outcome.seed = self.config.seed;
        outcome.domains = self.domains.iter().map(DomainOutcome::from).collect();
        let all = TargetFilter::default();
        let client = &self.client;
        let targets = collect(None, async |page| client.targets(&all, &page).await).await?;
        let count = |status: &str| targets.iter().filter(|one| one.status == status).count() as u64;
        outcome.targets = TargetCounts {
            filled: targets.iter().filter(|one| one.fill.is_some()).count() as u64,
            claimed: count("claimed"),
            fraud: count("fraud"),
            void: count("void"),
            expired: count("expired"),
        };
        for ((specialist, id), account) in
            self.specialists.iter().zip(models).zip(&self.cast.trainers)
        {
            let view = client.model(id, false).await?;
            let won = targets.iter().filter(|target| {
                let fill = target.fill.as_ref();
                target.status == "claimed" && fill.is_some_and(|fill| fill.winning_model == *id)
            });
            outcome.models.push(ModelOutcome {
                domain: specialist.domain.clone(),
                owner: account.address(),
                id: *id,
                steps: specialist.steps,
                tokens: specialist.tokens,
                seconds: specialist.seconds,
                curve: specialist.curve.clone(),
                bits_per_byte: specialist.bits_per_byte.clone(),
                won: won.count() as u64,
                owner_earned: earned(client, &account.address(), EarningKind::ModelCommission)
                    .await?,
                stake: view.stake,
            });
        }
        let domains = self.domains.iter().zip(&self.cast.submitters);
        for ((domain, account), tally) in domains.zip(tallies) {
            let address = account.address();
            let mine = targets.iter().filter(|target| {
                target
                    .fill
                    .as_ref()
                    .is_some_and(|fill| fill.submitter == address)
            });
            let filled = mine.clone().count() as u64;
            let claimed = mine.filter(|target| target.status == "claimed").count() as u64;
            outcome.submitters.push(SubmitterOutcome {
                domain: domain.name.clone(),
                address,
                scored: tally.scored,
                filled,
                claimed,
                earned: earned(client, &address, EarningKind::Submission).await?,
            });
        }
        for (account, with) in self.cast.delegators.iter().zip(["model", "validator"]) {
            outcome.delegators.push(DelegatorOutcome {
                staked_with: with.to_owned(),
                address: account.address(),
                staked: DELEGATED,
                value: stake_value(account).await?,
            });
        }
        self.supply(outcome).await?;
        check(outcome);
        Ok(())
    }

    async fn supply(&self, outcome: &mut Outcome) -> Result<(), DemoError> {
        let status = self.client.status().await?;
        outcome.epochs = status.epoch.0;
        outcome.blocks = status.height;
        for epoch in 0..status.epoch.0 {
            let epoch = Epoch(epoch);
            let supply = self.client.supply_certificate(epoch).await?;
            outcome.supply.push(SupplyOutcome {
                epoch,
                total: supply.total,
                ok: supply.ok,
            });
        }
        Ok(())
    }
}

async fn earned(
    client: &Client,
    address: &Address,
    kind: EarningKind,
) -> Result<Shannons, DemoError> {
    let entries = collect(None, async |page| client.earnings(address, &page).await).await?;
    let sum = entries
        .iter()
        .filter(|entry| entry.kind == kind)
        .map(|entry| entry.amount.0)
        .sum();
    Ok(Shannons(sum))
}

async fn stake_value(account: &Account) -> Result<Shannons, DemoError> {
    let (client, owner) = (account.client(), account.address());
    let stakes = collect(None, async |page| client.stakes(&owner, &page).await).await?;
    Ok(Shannons(stakes.iter().map(|stake| stake.value.0).sum()))
}

/// What had to hold.
fn check(outcome: &mut Outcome) {
    let mut on_own = Vec::new();
    for (place, model) in outcome.models.iter().enumerate() {
        let column = outcome
            .models
            .iter()
            .filter_map(|other| other.bits_per_byte.get(place));
        let best = column.copied().fold(f64::INFINITY, f64::min);
        let own = model.bits_per_byte.get(place).copied();
        on_own.push((model.domain.clone(), own.is_some_and(|own| own <= best)));
    }
    let worse: Vec<_> = on_own.iter().filter(|(_, best)| !best).collect();
    let names: Vec<&str> = worse.iter().map(|(name, _)| name.as_str()).collect();
    let detail = match names.is_empty() {
        true => "each has the lowest bits per byte on files of its own domain".to_owned(),
        false => format!("not the best on their own domain: {}", names.join(", ")),
    };
    outcome.check("specialists", names.is_empty(), detail);

    let empty = outcome
        .submitters
        .iter()
        .filter(|one| one.claimed == 0)
        .count();
    let claimed: u64 = outcome.submitters.iter().map(|one| one.claimed).sum();
    let detail =
        format!("{claimed} targets filled, audited and paid; {empty} submitters without any");
    outcome.check("submitters", claimed > 0 && empty == 0, detail);

    let undetected: Vec<String> = outcome
        .cheats
        .iter()
        .filter(|cheat| !cheat.caught)
        .map(|cheat| cheat.kind.clone())
        .collect();
    // Somebody who is punished for something else was not found out.
    let mistaken: Vec<String> = outcome
        .cheats
        .iter()
        .filter(|cheat| cheat.caught && cheat.result != cheat.expected)
        .map(|cheat| format!("{}: {}, not {}", cheat.kind, cheat.result, cheat.expected))
        .collect();
    let tried = outcome.cheats.len();
    let detail = match (undetected.is_empty(), mistaken.is_empty()) {
        (true, true) => format!("all {tried} cheats were refused or slashed for what they did"),
        (false, _) => format!("undetected: {}", undetected.join(", ")),
        (true, false) => mistaken.join("; "),
    };
    let holds = undetected.is_empty() && mistaken.is_empty() && tried >= 8;
    outcome.check("fraud", holds, detail);

    let filled_by_honest: u64 = outcome.submitters.iter().map(|one| one.filled).sum();
    let detail = format!("{filled_by_honest} honest submissions, {claimed} of them paid");
    outcome.check("honest", filled_by_honest == claimed, detail);

    let gained = outcome
        .delegators
        .iter()
        .all(|one| one.value.0 > one.staked.0);
    let detail = match gained {
        true => "stake of others is worth more than was staked",
        false => "stake of others is worth no more than was staked",
    };
    outcome.check("delegators", gained, detail);

    let whole = outcome.supply.iter().all(|one| one.ok);
    let detail = format!(
        "all SOMA accounted for at the end of {} epochs",
        outcome.supply.len()
    );
    outcome.check("supply", whole && !outcome.supply.is_empty(), detail);
}

impl From<&crate::domains::Domain> for DomainOutcome {
    fn from(domain: &crate::domains::Domain) -> Self {
        Self {
            name: domain.name.clone(),
            training_files: domain.training.len(),
            training_bytes: domain.training_bytes,
            held_out_files: domain.held_out.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::CheatOutcome;

    fn fraud_of(cheats: Vec<CheatOutcome>) -> (bool, String) {
        let mut outcome = Outcome {
            cheats,
            ..Outcome::default()
        };
        check(&mut outcome);
        let fraud = outcome.checks.iter().find(|check| check.name == "fraud");
        let fraud = fraud.unwrap();
        (fraud.holds, fraud.detail.clone())
    }

    fn cheat(number: u8, result: &str) -> CheatOutcome {
        CheatOutcome {
            kind: format!("kind {number}"),
            address: Address([number; 32]),
            expected: "slashed: wrong_loss".to_owned(),
            result: result.to_owned(),
            lost: Shannons(1),
            caught: !result.starts_with("undetected"),
        }
    }

    #[test]
    fn a_cheat_that_is_punished_for_something_else_was_not_found_out() {
        let all = |last: &str| {
            let mut cheats: Vec<_> = (0..7).map(|n| cheat(n, "slashed: wrong_loss")).collect();
            cheats.push(cheat(7, last));
            cheats
        };
        assert!(fraud_of(all("slashed: wrong_loss")).0);
        for other in ["slashed: data_unavailable", "slashed", "undetected: filled"] {
            let (holds, detail) = fraud_of(all(other));
            assert!(!holds && detail.contains("kind 7"), "{detail}");
        }
        // A kind that was not tried is not shown to be caught.
        let mut seven = all("slashed: wrong_loss");
        seven.pop();
        assert!(!fraud_of(seven).0);
    }
}
