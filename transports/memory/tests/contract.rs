//! The in-process transport keeps the contract of transports.

use std::sync::Arc;

use repertoire_conformance::transport::{BUDGET, check_all, id};
use repertoire_core::Transport;
use repertoire_transport_memory::{MemoryHub, OutboxBudgets};

#[tokio::test]
async fn the_contract_holds() {
    check_all(|count| async move {
        let hub = MemoryHub::new(OutboxBudgets {
            control: BUDGET,
            replication: BUDGET,
            bulk: BUDGET,
        });
        let node = |index| Arc::new(hub.transport(id(index))) as Arc<dyn Transport>;
        (0..count).map(node).collect()
    })
    .await;
}
