use std::fmt;
use std::ops::{Add, Mul, Sub};

use serde::{Deserialize, Deserializer, Serialize};

use crate::number::thousands;

/// US dollars.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize)]
pub struct Usd(pub f64);

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Usd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

/// The price of so many.
impl Mul<f64> for Usd {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        Self(self.0 * times)
    }
}

/// To the cent.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = format!("{:.2}", self.0.abs());
        let (dollars, cents) = amount.split_once('.').unwrap_or((&amount, "00"));
        let sign = if self.0 < 0.0 { "-" } else { "" };
        write!(f, "{sign}${}.{cents}", thousands(dollars))
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let price = f64::deserialize(from)?;
        if price >= 0.0 && price.is_finite() {
            Ok(Self(price))
        } else {
            Err(serde::de::Error::custom(format!("{price} is no price: give 0 or more dollars")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_written_to_the_cent_with_their_sign_in_front() {
        assert_eq!(Usd(1053.3899).to_string(), "$1,053.39");
        assert_eq!(Usd(1_234_567.0).to_string(), "$1,234,567.00");
        assert_eq!((Usd(1.0) - Usd(11.95)).to_string(), "-$10.95");
        assert_eq!((Usd(0.015) * 730.0 + Usd(1.0)).to_string(), "$11.95");
    }
}
