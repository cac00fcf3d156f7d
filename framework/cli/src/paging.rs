//! Pages of rows.

/// Rows that are asked for at once.
pub(crate) const PAGE_ROWS: usize = 1024;
