//! CPU and memory of this process and its children.

use std::fs;

/// CPU seconds (user and system) of this process and of the processes `children`.
pub(crate) fn cpu_seconds(children: &[u32]) -> f64 {
    let own = process_ticks("self");
    let others: u64 = children
        .iter()
        .map(|pid| process_ticks(&pid.to_string()))
        .sum();
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    #[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
    {
        (own + others) as f64 / ticks_per_second as f64
    }
}

/// Peak resident memory, in MiB.
pub(crate) fn peak_rss_mb(children: &[u32]) -> f64 {
    let pids = std::iter::once("self".to_owned()).chain(children.iter().map(u32::to_string));
    pids.map(|pid| peak_rss_kib(&pid)).sum::<f64>() / 1024.0
}

fn process_ticks(pid: &str) -> u64 {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return 0;
    };
    // The name may hold spaces; the fields count from behind its closing bracket.
    let Some((_, fields)) = stat.rsplit_once(") ") else {
        return 0;
    };
    let fields = fields.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Resident memory of a process now, in MiB.
pub(crate) fn rss_mb(pid: u32) -> f64 {
    status_kib(&pid.to_string(), "VmRSS:") / 1024.0
}

fn peak_rss_kib(pid: &str) -> f64 {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: &str, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0.0)
}
