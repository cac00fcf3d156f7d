//! The style rules, as a test of the whole workspace.

use std::path::Path;

use repertoire_xtask::tidy;

#[test]
fn the_workspace_is_tidy() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder
        .ancestors()
        .nth(2)
        .expect("framework/xtask lies two folders below the root");
    let report = tidy::inspect(root).expect("the checkout can be read");
    println!("{}", report.sizes);
    let lines: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} things to tidy:\n{}",
        lines.len(),
        lines.join("\n")
    );
}
