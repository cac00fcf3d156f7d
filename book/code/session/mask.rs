//! Figures that differ from run to run are replaced by `#`, digit by digit.

/// What follows a figure that was measured.
const UNITS: [&str; 11] = [
    "ms",
    "s",
    "s.",
    "a second",
    "writes",
    "records",
    "changes",
    "s of",
    "acknowledged",
    "lost",
    "more",
];

/// The text with measured figures, free ports, temporary folders and positions masked.
pub fn masked(text: &str) -> String {
    masked_lines(text, true)
}

/// The same, of a text whose ports are those of the configuration that is shown.
pub fn masked_times(text: &str) -> String {
    masked_lines(text, false)
}

fn masked_lines(text: &str, hides_ports: bool) -> String {
    let lines = text.lines().map(|line| masked_line(line, hides_ports));
    lines.collect::<Vec<_>>().join("\n")
}

fn masked_line(line: &str, hides_ports: bool) -> String {
    let rate = line.contains("single-leader  ") || line.contains("standalone     ");
    let words: Vec<&str> = line.split(' ').collect();
    let mut out = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let rest = words.get(index + 1..).unwrap_or_default().join(" ");
        let is_number = word.contains(|c: char| c.is_ascii_digit());
        let is_measured = UNITS.iter().any(|unit| {
            rest.strip_prefix(unit)
                .is_some_and(|end| !end.starts_with(|c: char| c.is_ascii_alphanumeric()))
        });
        let is_rate = rate && rest.starts_with(" yes");
        let is_port = hides_ports && word.contains("127.0.0.1:");
        let is_place = word.contains('@') || is_port || word.starts_with("write-");
        if word.starts_with("/tmp/") {
            out.push("/tmp/…".to_owned());
        } else if let Some((host, port)) = word.split_once("0.0.1:").filter(|_| hides_ports) {
            out.push(format!("{host}0.0.1:{}", digits(port)));
        } else if is_number && (is_measured || is_rate || is_place) {
            out.push(digits(word));
        } else {
            out.push((*word).to_owned());
        }
    }
    out.join(" ")
}

fn digits(word: &str) -> String {
    let hide = |c: char| if c.is_ascii_digit() { '#' } else { c };
    word.chars().map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn measured_figures_are_masked_and_others_are_not() {
        let text = "18,000 rows, 25.2 MB in 388 ms at 127.0.0.1:41088\nin /tmp/.tmpw4 60,002 rows, 4.04 s.";
        let wanted =
            "18,000 rows, 25.2 MB in ### ms at 127.0.0.1:#####\nin /tmp/… 60,002 rows, #.## s.";
        assert_eq!(masked(text), wanted);
    }
}
