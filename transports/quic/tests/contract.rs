//! The QUIC transport keeps the contract of transports.

mod support;

use std::sync::Arc;

use repertoire_conformance::transport::{BUDGET, check_all};
use repertoire_core::Transport;
use repertoire_transport_quic::OutboxBudgets;
use support::Cluster;

#[tokio::test]
async fn the_contract_holds() {
    let cluster = Cluster::new("contract");
    check_all(|count| {
        let configs = cluster.configs(count, |settings| {
            settings.outbox = OutboxBudgets {
                control: BUDGET,
                replication: BUDGET,
                bulk: BUDGET,
            };
        });
        async move {
            let node = |config| Arc::new(support::transport(config)) as Arc<dyn Transport>;
            configs.into_iter().map(node).collect()
        }
    })
    .await;
}
