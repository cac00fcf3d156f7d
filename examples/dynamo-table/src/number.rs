//! Numbers: 38 decimal digits, and bytes that sort as they do.

use std::str::FromStr as _;

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::Sign;

use crate::failure::Failure;

/// Most significant digits.
const DIGITS_MAX: usize = 38;

/// Largest and smallest exponent of `0.d × 10^e`.
const EXPONENTS: std::ops::RangeInclusive<i64> = -129..=126;

/// Added to exponents, so that none is negative.
const BIAS: i64 = 1000;

/// Reads a number.
///
/// # Errors
/// `ValidationException` for what is none, and for one with more digits than may be.
pub(crate) fn parse(text: &str) -> Result<BigDecimal, Failure> {
    let is_short = text.len() <= 256;
    let number = BigDecimal::from_str(text.trim()).ok().filter(|_| is_short);
    let number = number.ok_or_else(|| {
        Failure::invalid(format!(
            "The parameter cannot be converted to a numeric value: {text}"
        ))
    })?;
    check(&number)?;
    Ok(number)
}

/// Refuses what has too many digits or too large an exponent.
pub(crate) fn check(number: &BigDecimal) -> Result<(), Failure> {
    let (digits, exponent) = parts(number);
    if digits.len() > DIGITS_MAX {
        let message = "Attempting to store more than 38 significant digits in a Number";
        return Err(Failure::invalid(message));
    }
    if EXPONENTS.contains(&exponent) {
        return Ok(());
    }
    let message =
        "Number overflow. Attempting to store a number with magnitude outside the supported range";
    Err(Failure::invalid(message))
}

/// The one way in which a number is written.
pub(crate) fn canonical(number: &BigDecimal) -> String {
    number.normalized().to_plain_string()
}

/// Digits without zeros at either end, and the exponent of `0.d × 10^e`.
fn parts(number: &BigDecimal) -> (String, i64) {
    let (whole, scale) = number.normalized().into_bigint_and_exponent();
    let digits = whole.magnitude().to_string();
    if digits == "0" {
        return (digits, 0);
    }
    let exponent = i64::try_from(digits.len()).unwrap_or(i64::MAX) - scale;
    (digits, exponent)
}

/// Bytes that sort as the numbers do.
pub(crate) fn encode(number: &BigDecimal, out: &mut Vec<u8>) {
    let (digits, exponent) = parts(number);
    let biased = u16::try_from(exponent + BIAS).unwrap_or_default();
    let mut magnitude = biased.to_be_bytes().to_vec();
    magnitude.extend(digits.bytes().map(|digit| digit - b'0' + 1));
    match number.sign() {
        Sign::NoSign => out.push(0x80),
        Sign::Plus => {
            out.push(0xc0);
            out.extend(magnitude);
        }
        // The larger the magnitude, the smaller the number; and one that goes on is the larger one.
        Sign::Minus => {
            out.push(0x40);
            out.extend(magnitude.iter().map(|byte| !byte));
            out.push(0xff);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(number: &BigDecimal) -> Vec<u8> {
        let mut out = Vec::new();
        encode(number, &mut out);
        out
    }

    #[test]
    fn numbers_have_one_spelling_and_bounds() {
        let spelt = |text| canonical(&parse(text).unwrap());
        assert_eq!(spelt("1.50"), "1.5");
        assert_eq!(spelt("1e3"), "1000");
        assert_eq!(spelt("-0.0"), "0");
        assert!(parse(&"9".repeat(38)).is_ok());
        for bad in ["", "x", "1x", "1e127", "1e-131", &"9".repeat(39)] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    fn number() -> impl Strategy<Value = BigDecimal> {
        let digits = prop_oneof![-99_i128..=99, any::<i64>().prop_map(i128::from)];
        (digits, -40_i64..40).prop_map(|(digits, scale)| BigDecimal::new(digits.into(), scale))
    }

    proptest! {
        #[test]
        fn bytes_sort_as_numbers_do(one in number(), other in number()) {
            prop_assert_eq!(bytes(&one).cmp(&bytes(&other)), one.cmp(&other));
        }
    }
}
