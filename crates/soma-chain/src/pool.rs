//! Share arithmetic of staking pools.
//!
//! A pool holds money against shares (`tokens`): value of t shares = t · soma / tokens. All
//! divisions round down, so what all holders can take never exceeds what the pool has. At par a
//! shannon is 2^32 shares, which keeps rounding below a shannon. A slash rate is below 100 %, so
//! a pool with shares never falls to zero and every rate stays defined.
//!
//! A share is never worth more than a shannon (`soma ≤ tokens`): a reward that would make it dearer
//! becomes new shares instead. Else whoever holds a handful of dear shares would gain what is
//! rounded off the stake of others.

use ruint::aliases::U256;
use soma_types::{Bps, Shannons, StakingPool};

/// Shares for each shannon at par.
pub const SHARES_PER_SHANNON: u128 = 1 << 32;

/// A pool worth less than this part of par takes no new stake.
const LEAST_RATE: u128 = 1_000_000;

fn mul_div(a: u128, b: u128, divisor: u128) -> u128 {
    if divisor == 0 {
        return 0;
    }
    let quotient = U256::from(a) * U256::from(b) / U256::from(divisor);
    u128::try_from(quotient).unwrap_or(u128::MAX)
}

/// Shares that `amount` buys in an account of `tokens` shares worth `soma`.
pub fn shares_for(amount: Shannons, soma: Shannons, tokens: u128) -> u128 {
    if soma.is_zero() || tokens == 0 {
        return u128::from(amount.0) * SHARES_PER_SHANNON;
    }
    mul_div(u128::from(amount.0), tokens, u128::from(soma.0))
}

/// Value of `shares` in an account of `tokens` shares worth `soma`.
pub fn value_of(shares: u128, soma: Shannons, tokens: u128) -> Shannons {
    let value = mul_div(shares.min(tokens), u128::from(soma.0), tokens);
    Shannons(u64::try_from(value).map_or(soma.0, |value| value.min(soma.0)))
}

/// Operations on a pool's two accounts. None can fail or create money.
pub trait PoolMath {
    /// Adds stake that counts at once and gives its shares. `None` on overflow.
    fn mint(&mut self, amount: Shannons) -> Option<u128>;
    /// True when a reward of `amount` may raise the rate: somebody holds shares, and none becomes
    /// dearer than a shannon.
    fn can_raise(&self, amount: Shannons) -> bool;
    /// Adds a reward: raises the rate. `None` on overflow, or when the rate may not rise so far.
    fn reward(&mut self, amount: Shannons) -> Option<()>;
    /// Moves shares to the unbonding account; gives the value and the unbonding shares.
    fn unbond(&mut self, shares: u128) -> (Shannons, u128);
    /// Takes unbonding shares out and gives their value.
    fn release(&mut self, unbonding_shares: u128) -> Shannons;
    /// Takes `rate` of all money that counts or unbonds, and gives it.
    fn slash(&mut self, rate: Bps) -> Shannons;
    /// False when the pool lost so much that new stake would be ill defined.
    fn is_solvent(&self) -> bool;
}

impl PoolMath for StakingPool {
    fn mint(&mut self, amount: Shannons) -> Option<u128> {
        let shares = shares_for(amount, self.soma, self.tokens);
        let soma = self.soma.checked_add(amount)?;
        self.tokens = self.tokens.checked_add(shares)?;
        self.soma = soma;
        Some(shares)
    }

    fn can_raise(&self, amount: Shannons) -> bool {
        self.tokens != 0 && u128::from(self.soma.0) + u128::from(amount.0) <= self.tokens
    }

    fn reward(&mut self, amount: Shannons) -> Option<()> {
        if !self.can_raise(amount) {
            return None;
        }
        self.soma = self.soma.checked_add(amount)?;
        Some(())
    }

    fn unbond(&mut self, shares: u128) -> (Shannons, u128) {
        let shares = shares.min(self.tokens);
        let value = value_of(shares, self.soma, self.tokens);
        let minted = shares_for(value, self.unbonding_soma, self.unbonding_tokens);
        self.soma = self.soma.saturating_sub(value);
        self.tokens -= shares;
        self.unbonding_soma = self.unbonding_soma.saturating_add(value);
        self.unbonding_tokens = self.unbonding_tokens.saturating_add(minted);
        (value, minted)
    }

    fn release(&mut self, unbonding_shares: u128) -> Shannons {
        let shares = unbonding_shares.min(self.unbonding_tokens);
        let value = value_of(shares, self.unbonding_soma, self.unbonding_tokens);
        self.unbonding_soma = self.unbonding_soma.saturating_sub(value);
        self.unbonding_tokens -= shares;
        value
    }

    fn slash(&mut self, rate: Bps) -> Shannons {
        let staked = self.soma.share(rate);
        let unbonding = self.unbonding_soma.share(rate);
        self.soma = self.soma.saturating_sub(staked);
        self.unbonding_soma = self.unbonding_soma.saturating_sub(unbonding);
        staked.saturating_add(unbonding)
    }

    fn is_solvent(&self) -> bool {
        let par = u128::from(self.soma.0) * SHARES_PER_SHANNON;
        self.tokens == 0 || par.saturating_mul(LEAST_RATE) >= self.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use soma_types::{Address, PoolId, PoolOwner, PoolStatus};

    fn empty() -> StakingPool {
        StakingPool {
            id: PoolId([0; 32]),
            owner: PoolOwner::Validator(Address([0; 32])),
            status: PoolStatus::Active,
            soma: Shannons::ZERO,
            tokens: 0,
            pending: Shannons::ZERO,
            unbonding_soma: Shannons::ZERO,
            unbonding_tokens: 0,
        }
    }

    #[test]
    fn a_slash_takes_from_every_holder_also_below_principal() {
        let mut pool = empty();
        let a = pool.mint(Shannons(1_000)).unwrap();
        let b = pool.mint(Shannons(3_000)).unwrap();
        assert_eq!(pool.slash(Bps::new(5_000).unwrap()), Shannons(2_000));
        assert_eq!(value_of(a, pool.soma, pool.tokens), Shannons(500));
        assert_eq!(value_of(b, pool.soma, pool.tokens), Shannons(1_500));
    }

    #[test]
    fn unbonding_stake_is_slashed_but_earns_nothing() {
        let mut pool = empty();
        let a = pool.mint(Shannons(1_000)).unwrap();
        let b = pool.mint(Shannons(1_000)).unwrap();
        let (value, leaving) = pool.unbond(a);
        assert_eq!(value, Shannons(1_000));
        pool.reward(Shannons(500)).unwrap();
        pool.slash(Bps::new(1_000).unwrap());
        assert_eq!(pool.release(leaving), Shannons(900));
        assert_eq!(value_of(b, pool.soma, pool.tokens), Shannons(1_350));
    }

    #[derive(Clone, Debug)]
    enum Op {
        Mint(u64),
        Reward(u64),
        Unbond(usize),
        Release(usize),
        Slash(u16),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (1u64..1 << 50).prop_map(Op::Mint),
            (0u64..1 << 40).prop_map(Op::Reward),
            any::<usize>().prop_map(Op::Unbond),
            any::<usize>().prop_map(Op::Release),
            (0u16..10_000).prop_map(Op::Slash),
        ]
    }

    proptest! {
        #[test]
        fn money_in_is_money_out_and_held(ops in prop::collection::vec(op(), 1..60)) {
            let mut pool = empty();
            let (mut staked, mut leaving) = (Vec::new(), Vec::new());
            let (mut put_in, mut taken) = (0u128, 0u128);
            for op in ops {
                match op {
                    Op::Mint(amount) => if pool.is_solvent()
                        && let Some(shares) = pool.mint(Shannons(amount)) {
                        put_in += u128::from(amount);
                        staked.push(shares);
                    },
                    Op::Reward(amount) => if pool.reward(Shannons(amount)).is_some() {
                        put_in += u128::from(amount);
                    },
                    Op::Unbond(at) => if !staked.is_empty() {
                        let shares = staked.swap_remove(at % staked.len());
                        leaving.push(pool.unbond(shares).1);
                    },
                    Op::Release(at) => if !leaving.is_empty() {
                        let shares = leaving.swap_remove(at % leaving.len());
                        taken += u128::from(pool.release(shares).0);
                    },
                    Op::Slash(rate) => taken += u128::from(pool.slash(Bps::new(rate).unwrap()).0),
                }
                let held = u128::from(pool.soma.0) + u128::from(pool.unbonding_soma.0);
                prop_assert_eq!(put_in, taken + held);
                prop_assert!(pool.tokens == 0 || !pool.soma.is_zero());
                prop_assert!(u128::from(pool.soma.0) <= pool.tokens);
                let claims: u128 = staked.iter()
                    .map(|shares| u128::from(value_of(*shares, pool.soma, pool.tokens).0)).sum();
                prop_assert!(claims <= u128::from(pool.soma.0));
            }
        }
    }
}
