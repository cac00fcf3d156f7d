//! Step 1 of the chapter "Your first database": GET and SET, in the memory of one process.

#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use repertoire_book::resp::{self, Database, Frame};
use tokio::net::TcpListener;

// ANCHOR: database
/// A hash table, shared by all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct InMemory(Arc<Mutex<HashMap<Bytes, Bytes>>>);

impl Database for InMemory {
    async fn execute(&mut self, words: Vec<Bytes>) -> Frame {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match words.as_slice() {
            [command, key] if command == "GET" => resp::value(rows.get(key).cloned()),
            [command, key, value] if command == "SET" => {
                rows.insert(key.clone(), value.clone());
                resp::ok()
            }
            _ => resp::error("ERR only GET key and SET key value"),
        }
    }
}
// ANCHOR_END: database

// ANCHOR: main
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:6380").await?;
    println!("listening at {}", listener.local_addr()?);
    resp::serve(listener, InMemory::default()).await
}
// ANCHOR_END: main
