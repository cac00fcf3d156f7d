//! Numbers with units, for people.

use std::time::Duration;

/// A count with separators: `60,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in decimal units: `83.4 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    for (unit, size) in units {
        if number >= size {
            return format!("{:.1} {unit}", ratio(number, ratio(size, 1.0)));
        }
    }
    format!("{number} B")
}

/// A span: `1.24 s`, `310 ms`.
pub(crate) fn span(span: Duration) -> String {
    if span >= Duration::from_secs(1) {
        format!("{:.2} s", span.as_secs_f64())
    } else {
        format!("{} ms", span.as_millis())
    }
}

/// So many in a second.
pub(crate) fn per_second(number: u64, span: Duration) -> f64 {
    ratio(number, span.as_secs_f64().max(1e-9))
}

/// So many in a second, rounded, with separators.
pub(crate) fn rate(number: u64, span: Duration) -> String {
    let nanos = span.as_nanos().max(1);
    let rate = u128::from(number).saturating_mul(1_000_000_000) / nanos;
    count(u64::try_from(rate).unwrap_or(u64::MAX))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures for people, far below 2^53"
)]
fn ratio(number: u64, by: f64) -> f64 {
    number as f64 / by
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(60_000), "60,000");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(83_400_000), "83.4 MB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(span(Duration::from_millis(1240)), "1.24 s");
        assert_eq!(rate(500, Duration::from_millis(250)), "2,000");
    }
}
