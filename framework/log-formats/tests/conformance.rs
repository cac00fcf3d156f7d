//! Every format passes the suite.

use repertoire_core::{LogFormat, StorageEngine};
use repertoire_log_formats::{Row, RowOptions};
use repertoire_storage_memory::MemoryEngine;

fn check(format: &dyn LogFormat) {
    let engine = || -> Box<dyn StorageEngine> { Box::new(MemoryEngine::new(3)) };
    repertoire_conformance::log_format::check_all(format, engine);
}

#[test]
fn row_conforms() {
    check(&Row::default());
}

#[test]
fn row_with_before_images_conforms() {
    check(&Row::new(RowOptions { before_image: true }));
}
