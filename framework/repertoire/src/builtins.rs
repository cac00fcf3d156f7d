//! The plug-ins that come with repertoire.

use repertoire_core::Registry;

/// A registry with every built-in plug-in. Add your own to it.
///
/// ```
/// let registry = repertoire::registry();
/// assert!(registry.get_protocol("single-leader").is_ok());
/// assert!(registry.get_engine("memory").is_ok());
/// assert!(registry.get_format("row").is_ok());
/// ```
pub fn registry() -> Registry {
    let mut registry = Registry::empty();
    repertoire_single_leader::register(&mut registry);
    repertoire_standalone::register(&mut registry);
    repertoire_storage_memory::register(&mut registry);
    repertoire_log_formats::register(&mut registry);
    registry
}
