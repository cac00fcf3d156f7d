//! Money moves between two accounts of a cluster, all or nothing; a follower shows the result to
//! the session that moved it.
//!
//! ```text
//! cargo run -p repertoire-client --example accounts
//! ```

use std::time::Duration;

use repertoire::core::{
    Acks, Descriptor, Error, ErrorKind, Guard, KeyspaceId, NodeId, Operation, Position, ReadLevel,
};
use repertoire::{LocalCluster, LocalOptions};
use repertoire_client::{Client, Keyspace, Written};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    let accounts = Descriptor::single_shard(KeyspaceId(1), "accounts", "single-leader", &nodes);
    let cluster = LocalCluster::start(LocalOptions::new("bank"), vec![accounts]).await?;
    cluster.ready(Duration::from_secs(30)).await?;

    // One address is enough: the client learns the others, and finds the leader.
    let address = cluster.addresses().last().map(ToString::to_string);
    let client = Client::builder()
        .address(address.unwrap_or_default())
        .tls(cluster.client_tls("teller")?)
        .build()
        .await?;
    let accounts = client.keyspace("accounts").await?.acks(Acks::Majority);
    accounts.put("alice", "100").await?;
    accounts.put("bob", "0").await?;

    let written = transfer(&accounts, "alice", "bob", 30).await?;
    eprintln!(
        "moved at {}, {} copies",
        written.ack.position, written.ack.copies
    );

    let seen = ReadLevel::Session(Position::Entry(written.ack.position));
    let follower = accounts.level(seen).at(NodeId(3));
    eprintln!(
        "a follower says that bob has {}",
        balance(&follower, "bob").await?
    );
    drop((client, accounts, follower));
    cluster.stop().await
}

/// Moves money if both balances are still what they were when they were read; else tries again.
async fn transfer(
    accounts: &Keyspace,
    from: &str,
    to: &str,
    amount: u64,
) -> Result<Written, Error> {
    loop {
        let (old_from, old_to) = (balance(accounts, from).await?, balance(accounts, to).await?);
        let Some(new_from) = old_from.checked_sub(amount) else {
            return Err(Error::new(ErrorKind::Conflict, "transfer").with("balance", old_from));
        };
        let [old_from, old_to, new_from, new_to] =
            [old_from, old_to, new_from, old_to + amount].map(|n| n.to_string());
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let guard = |key, expected| Guard {
            key,
            expected: Some(expected),
        };
        let put = |key, value| Operation::Put {
            key,
            value,
            expires_at: None,
        };
        let guards = vec![
            guard(from, old_from.as_bytes()),
            guard(to, old_to.as_bytes()),
        ];
        let ops = vec![put(from, new_from.as_bytes()), put(to, new_to.as_bytes())];
        match accounts.transaction(guards, ops, vec![]).await {
            Err(error) if *error.kind() == ErrorKind::Conflict => {}
            ended => return ended,
        }
    }
}

async fn balance(accounts: &Keyspace, who: &str) -> Result<u64, Error> {
    let (_, value) = accounts.get(who).await?;
    let text = value.unwrap_or_default();
    let parsed = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.parse().ok());
    Ok(parsed.unwrap_or(0))
}
