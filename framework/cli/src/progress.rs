//! Progress on standard error, where a person looks at it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Updates of a bar in a second: more than the eye can follow costs time for nothing.
const UPDATES_PER_SECOND: u8 = 10;

/// A bar that counts rows towards `total`; hidden when standard error is no terminal.
pub(crate) fn rows(label: &str, total: u64) -> ProgressBar {
    bar(
        label,
        total,
        "{msg:10} {bar:32} {human_pos} of {human_len} rows  {per_sec}",
    )
}

/// A bar that counts bytes read towards `total`, or just counts when the end is not known.
pub(crate) fn bytes(label: &str, total: Option<u64>) -> ProgressBar {
    match total {
        Some(total) => {
            let form = "{msg} {bar:32} {decimal_bytes} of {decimal_total_bytes}  {eta}";
            bar(label, total, form)
        }
        None => bar(label, 0, "{msg} {decimal_bytes}  {elapsed}"),
    }
}

fn bar(label: &str, total: u64, form: &str) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(UPDATES_PER_SECOND);
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let style = ProgressStyle::with_template(form);
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_message(label.to_owned());
    bar
}
