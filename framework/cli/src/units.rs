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

/// A moment, given in milliseconds since 1970: `2026-03-09 17:04:05.250Z`.
pub(crate) fn wall(millis: u64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    // The civil calendar begins its years in March, so that the leap day comes last (Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms").
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02}.{milli:03}Z")
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
        assert_eq!(wall(0), "1970-01-01 00:00:00.000Z");
        assert_eq!(wall(951_782_400_001), "2000-02-29 00:00:00.001Z");
        assert_eq!(wall(1_773_075_845_250), "2026-03-09 17:04:05.250Z");
        assert_eq!(rate(500, Duration::from_millis(250)), "2,000");
    }
}
