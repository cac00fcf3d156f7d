//! Driven by boto3, the client of AWS. Where Python or boto3 is missing it says so and skips, unless
//! `REPERTOIRE_REQUIRE_TOOLS` is set.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dynamo_table::{Credentials, Database, Options};
use repertoire::core::NodeId;
use tokio::runtime::Runtime;

/// The Python that knows boto3.
fn python() -> Option<Command> {
    let run = Command::new("python3")
        .args(["-c", "import boto3"])
        .stderr(Stdio::null())
        .status();
    let is_there = run.is_ok_and(|status| status.success());
    let is_required = std::env::var("REPERTOIRE_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(
        is_there || !is_required,
        "python3 with boto3 is required and missing"
    );
    if !is_there {
        eprintln!("skipped: python3 with boto3 is not there");
    }
    is_there.then(|| Command::new("python3"))
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

fn start(runtime: &Runtime, credentials: Option<Credentials>) -> Database {
    let options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        credentials,
        ..Options::default()
    };
    runtime.block_on(Database::start(options)).unwrap()
}

#[test]
fn a_table_is_what_boto3_takes_it_for() {
    let Some(mut python) = python() else { return };
    let runtime = Runtime::new().unwrap();
    let credentials = Credentials {
        id: "KEY".to_owned(),
        secret: "SECRET".to_owned(),
    };
    let database = start(&runtime, Some(credentials));
    let endpoint = format!("http://{}", database.address());
    let run = python
        .arg(script("table.py"))
        .arg(endpoint)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(
        run.status.success() && out.contains("all well"),
        "{out}{err}"
    );
    runtime.block_on(database.stop()).unwrap();
}

/// Which shards of the items a node leads.
fn led(runtime: &Runtime, database: &mut Database, node: NodeId) -> usize {
    let node = database.cluster().node(node).unwrap().clone();
    let status = runtime.block_on(node.handle().status()).unwrap();
    let groups = status["groups"].as_array().unwrap();
    let is_led =
        |group: &&serde_json::Value| group["keyspace"] == "items" && group["role"] == "leader";
    groups.iter().filter(is_led).count()
}

/// boto3 does not wait: it sends its request again, to a front that still carries the first one out.
#[test]
fn retries_have_one_effect_while_a_leader_goes() {
    let Some(mut python) = python() else { return };
    let runtime = Runtime::new().unwrap();
    let mut database = start(&runtime, None);
    let endpoint = format!("http://{}", database.address());
    let mut counting = python
        .arg(script("retries.py"))
        .arg(endpoint)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(counting.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "begun");
    let leads = |node: &NodeId| led(&runtime, &mut database, *node);
    let most = (1..=3).map(NodeId).max_by_key(leads).unwrap();
    assert!(led(&runtime, &mut database, most) > 0);
    runtime
        .block_on(database.cluster().stop_node(most))
        .unwrap();
    writeln!(counting.stdin.take().unwrap()).unwrap();
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(counting.wait().unwrap().success(), "{rest}");
    let mut numbers = rest.split_whitespace().map(|it| it.parse::<u64>().unwrap());
    assert_eq!(numbers.next(), Some(600), "every count once");
    assert!(
        numbers.next().unwrap() > 0,
        "nothing was sent twice: the test shows nothing"
    );
    runtime.block_on(database.stop()).unwrap();
}
