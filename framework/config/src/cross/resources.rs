//! Log, limits and transport against themselves.

use super::Report;

/// The file system's block: log files are whole blocks.
const BLOCK_BYTES: u32 = 4096;

/// Active, next, reserve and one being emptied.
const SEGMENTS_MIN: u64 = 4;

pub(super) fn check(report: &mut Report<'_>) {
    check_log(report);
    let config = report.config;
    let limits = &config.limits;
    at_most(
        report,
        ("limits.session_bytes_max", limits.session_bytes_max),
        ("limits.request_bytes_max", limits.request_bytes_max),
    );
    let transport = &config.transport;
    at_most(
        report,
        ("transport.reconnect_ms_min", transport.reconnect_ms_min),
        ("transport.reconnect_ms_max", transport.reconnect_ms_max),
    );
    at_most(
        report,
        ("transport.retry_from", transport.retry_from.into()),
        ("transport.handshakes_max", transport.handshakes_max.into()),
    );
    let per_address = transport.clients_per_address_max;
    at_most(
        report,
        ("transport.clients_per_address_max", per_address.into()),
        ("transport.clients_max", transport.clients_max.into()),
    );
    let (interval, timeout) = (transport.keep_alive_interval_ms, transport.idle_timeout_ms);
    if interval.saturating_mul(2) > timeout {
        let reason =
            format!("one lost packet would end a link: transport.idle_timeout_ms is {timeout} ms");
        let remedy = format!("write {} at most, or raise idle_timeout_ms", timeout / 2);
        let key = "transport.keep_alive_interval_ms";
        report.add(key, interval, reason, remedy);
    }
}

fn check_log(report: &mut Report<'_>) {
    let log = &report.config.log;
    let segment = log.segment_bytes;
    if !segment.is_multiple_of(BLOCK_BYTES) {
        let below = segment - segment % BLOCK_BYTES;
        let reason = format!("it is not a multiple of {BLOCK_BYTES}");
        let remedy = format!("write {below}");
        report.add("log.segment_bytes", segment, reason, remedy);
    }
    let floor = u64::from(segment) * SEGMENTS_MIN;
    if let Some(capacity) = log.capacity_bytes.filter(|capacity| *capacity < floor) {
        let reason = format!("the log needs room for {SEGMENTS_MIN} files of log.segment_bytes");
        let remedy = format!("write at least {floor}, or lower log.segment_bytes");
        report.add("log.capacity_bytes", capacity, reason, remedy);
    }
}

/// Reports when the first exceeds the second.
fn at_most(report: &mut Report<'_>, (key, value): (&str, u64), (other, max): (&str, u64)) {
    if value > max {
        let reason = format!("it is more than {other}, which is {max}");
        let remedy = format!("write {max} at most, or raise {other}");
        report.add(key, value, reason, remedy);
    }
}
