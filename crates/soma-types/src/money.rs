//! Money: amounts in shannons and rates in basis points or parts per million.
//!
//! Every operation is checked or saturating by name; there is no operator that can wrap.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Shannons in one SOMA.
pub const SHANNONS_PER_SOMA: u64 = 1_000_000_000;

/// All SOMA that exist, in shannons: 10,000,000 SOMA, created at genesis.
pub const MAX_SUPPLY: Shannons = Shannons(10_000_000 * SHANNONS_PER_SOMA);

/// An amount of money in shannons (1 SOMA = 10^9 shannons).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Shannons(pub u64);

/// Why a text is not an amount of SOMA.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AmountError {
    /// Not a decimal number.
    #[error("invalid amount `{0}`: write a decimal number of SOMA, such as `1.5`")]
    Invalid(String),
    /// More than [`MAX_SUPPLY`].
    #[error("amount overflow: `{0}` is more SOMA than can exist (10,000,000)")]
    Overflow(String),
    /// More than nine digits after the point.
    #[error("precision beyond 1 shannon (max 9 decimal places): `{0}`")]
    Precision(String),
}

impl Shannons {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `soma` whole SOMA, or `None` when that is more than 2^64 − 1 shannons.
    pub const fn from_soma(soma: u64) -> Option<Self> {
        match soma.checked_mul(SHANNONS_PER_SOMA) {
            Some(shannons) => Some(Self(shannons)),
            None => None,
        }
    }

    /// True for no money.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Sum, or `None` on overflow.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Difference, or `None` when `other` is larger.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// Product with a count, or `None` on overflow.
    pub const fn checked_mul(self, factor: u64) -> Option<Self> {
        match self.0.checked_mul(factor) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// Difference, or zero when `other` is larger.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Sum, or the largest amount on overflow.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self × numerator / denominator`, rounded down, with a 128-bit intermediate.
    ///
    /// `None` when `denominator` is zero or the result does not fit.
    pub const fn mul_div(self, numerator: u64, denominator: u64) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let quotient = self.0 as u128 * numerator as u128 / denominator as u128;
        if quotient > u64::MAX as u128 {
            None
        } else {
            Some(Self(quotient as u64))
        }
    }

    /// The share of `self` at `rate`, rounded down. Never more than `self`.
    pub fn share(self, rate: Bps) -> Self {
        Self((u128::from(self.0) * u128::from(rate.get()) / u128::from(Bps::WHOLE.get())) as u64)
    }

    /// The fee on `self` at `rate` parts per million, rounded down; saturates at `self`.
    pub fn fee_at(self, rate: Ppm) -> Self {
        let fee = u128::from(self.0) * u128::from(rate.0) / 1_000_000;
        Self(u64::try_from(fee).map_or(self.0, |fee| fee.min(self.0)))
    }

    /// Checked sum of many amounts.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The amount as decimal SOMA without trailing zeros, such as `1.5`.
    pub fn to_soma_string(self) -> String {
        let (whole, rest) = (self.0 / SHANNONS_PER_SOMA, self.0 % SHANNONS_PER_SOMA);
        if rest == 0 {
            return whole.to_string();
        }
        let digits = format!("{rest:09}");
        format!("{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for Shannons {
    /// Decimal SOMA with the unit: `1.5 SOMA`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} SOMA", self.to_soma_string())
    }
}

impl FromStr for Shannons {
    type Err = AmountError;

    /// Reads decimal SOMA: at most nine decimals; `.5` and `1.` are allowed.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let trimmed = text.trim();
        let (whole, fraction) = trimmed.split_once('.').unwrap_or((trimmed, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty())
        {
            return Err(AmountError::Invalid(text.to_owned()));
        }
        if fraction.len() > 9 {
            return Err(AmountError::Precision(text.to_owned()));
        }
        let overflow = || AmountError::Overflow(text.to_owned());
        let whole: u64 = match whole {
            "" => 0,
            digits => digits.parse().map_err(|_| overflow())?,
        };
        let rest: u64 = match fraction {
            "" => 0,
            digits => format!("{digits:0<9}").parse().map_err(|_| overflow())?,
        };
        whole
            .checked_mul(SHANNONS_PER_SOMA)
            .and_then(|shannons| shannons.checked_add(rest))
            .map(Self)
            .filter(|amount| *amount <= MAX_SUPPLY)
            .ok_or_else(overflow)
    }
}

/// A rate in basis points, always between 0 and 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Bps(u16);

/// A rate above 100 %.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("rate {0} bps is above 10,000 bps (100 %)")]
pub struct BpsError(pub u64);

impl Bps {
    /// 0 %.
    pub const ZERO: Self = Self(0);
    /// 100 %.
    pub const WHOLE: Self = Self(10_000);

    /// `bps` basis points, or `None` above 10,000.
    pub const fn new(bps: u16) -> Option<Self> {
        if bps <= Self::WHOLE.0 {
            Some(Self(bps))
        } else {
            None
        }
    }

    /// The number of basis points.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// What is missing to 100 %.
    pub const fn complement(self) -> Self {
        Self(Self::WHOLE.0 - self.0)
    }
}

impl TryFrom<u64> for Bps {
    type Error = BpsError;

    fn try_from(bps: u64) -> Result<Self, BpsError> {
        u16::try_from(bps)
            .ok()
            .and_then(Self::new)
            .ok_or(BpsError(bps))
    }
}

impl<'de> Deserialize<'de> for Bps {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bps = u16::deserialize(deserializer)?;
        Self::new(bps).ok_or_else(|| serde::de::Error::custom(BpsError(bps.into())))
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bps", self.0)
    }
}

/// A rate in parts per million: the unit of the value fee.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ppm(pub u32);

impl Ppm {
    /// Half the rate, rounded down: the rate of staking and claims.
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Shannons>().map(|amount| amount.0);
        assert_eq!(read("1.5"), Ok(1_500_000_000));
        assert_eq!(read(".5"), Ok(500_000_000));
        assert_eq!(read("1."), Ok(1_000_000_000));
        assert_eq!(read("0.000000001"), Ok(1));
        for bad in ["", ".", "-1", "1e9", "1,5", "NaN", "0x1"] {
            assert_eq!(
                read(bad),
                Err(AmountError::Invalid(bad.to_owned())),
                "{bad}"
            );
        }
        assert!(matches!(
            read("1.0000000001"),
            Err(AmountError::Precision(_))
        ));
        assert!(matches!(read("18446744074"), Err(AmountError::Overflow(_))));
        assert!(matches!(
            read("99999999999999999999"),
            Err(AmountError::Overflow(_))
        ));
    }

    proptest! {
        #[test]
        fn amounts_round_trip_as_text(amount in 0..=MAX_SUPPLY.0) {
            let amount = Shannons(amount);
            prop_assert_eq!(amount.to_soma_string().parse::<Shannons>(), Ok(amount));
        }

        #[test]
        fn a_share_and_its_complement_never_exceed_the_whole(amount: u64, bps in 0u16..=10_000) {
            let rate = Bps::new(bps).unwrap();
            let parts = amount.checked_sub(Shannons(amount).share(rate).0).unwrap();
            prop_assert!(parts >= Shannons(amount).share(rate.complement()).0);
        }

        #[test]
        fn mul_div_agrees_with_wide_arithmetic(a: u64, n: u64, d: u64) {
            let expected = (d != 0)
                .then(|| u128::from(a) * u128::from(n) / u128::from(d))
                .and_then(|q| u64::try_from(q).ok())
                .map(Shannons);
            prop_assert_eq!(Shannons(a).mul_div(n, d), expected);
        }
    }
}
