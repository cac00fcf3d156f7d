//! Making sure that a former leader is gone before another one is appointed.

use std::fmt::Debug;

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use repertoire_core::{Error, ErrorKind, GroupId, LeaderEpoch, NodeId};
use tokio::sync::oneshot;

/// How often a command is asked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The leadership that is about to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerLeader {
    /// The name of the keyspace.
    pub keyspace: String,
    /// The group.
    pub group: GroupId,
    /// Who led; `None` when the successor does not know.
    pub node: Option<NodeId>,
    /// The epoch in which it led.
    pub epoch: LeaderEpoch,
    /// Who is to lead next.
    pub successor: NodeId,
}

/// Shoots the other node in the head: cuts a former leader off from whatever else it might still
/// write to (power, storage, addresses), before a promotion begins. The cluster itself does not need
/// it, since nobody obeys a former leader; resources outside may.
///
/// ```
/// use repertoire_runtime::{FenceHook, FormerLeader};
///
/// #[derive(Debug)]
/// struct PowerSwitch;
///
/// impl FenceHook for PowerSwitch {
///     fn fence(&self, former: &FormerLeader) -> Result<(), repertoire_core::Error> {
///         println!("{:?} of {} goes dark", former.node, former.keyspace);
///         Ok(())
///     }
/// }
/// ```
pub trait FenceHook: Debug + Send + Sync {
    /// Returns once the former leader is certainly cut off. Runs on a thread of its own, so it may wait;
    /// may be called again for the same leader.
    ///
    /// # Errors
    /// It may not be cut off: nobody is promoted.
    fn fence(&self, former: &FormerLeader) -> Result<(), Error>;
}

/// A command that cuts a former leader off. It learns which one from its environment:
/// `REPERTOIRE_KEYSPACE`, `REPERTOIRE_SHARD`, `REPERTOIRE_FORMER_NODE` (empty when unknown),
/// `REPERTOIRE_FORMER_EPOCH` and `REPERTOIRE_SUCCESSOR`. It says that the leader is certainly cut off by
/// ending with exit code 0 in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceCommand {
    /// The program, as a path or found by the system.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How long it may take; then it is killed, and has failed.
    pub timeout: Duration,
}

impl FenceHook for FenceCommand {
    fn fence(&self, former: &FormerLeader) -> Result<(), Error> {
        let node = former.node.map(|node| node.0.to_string());
        let child = Command::new(&self.program)
            .args(&self.args)
            .env("REPERTOIRE_KEYSPACE", &former.keyspace)
            .env("REPERTOIRE_SHARD", former.group.shard.0.to_string())
            .env("REPERTOIRE_FORMER_NODE", node.unwrap_or_default())
            .env("REPERTOIRE_FORMER_EPOCH", former.epoch.0.to_string())
            .env("REPERTOIRE_SUCCESSOR", former.successor.0.to_string())
            .stdin(Stdio::null())
            .spawn();
        let mut child = child.map_err(|e| self.failed(former, &e.to_string()))?;
        match self.ended(&mut child) {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(self.failed(former, &status.to_string())),
            Ok(None) => Err(self.failed(former, "it took too long and was killed")),
            Err(error) => Err(self.failed(former, &error.to_string())),
        }
    }
}

impl FenceCommand {
    /// How the command ended; `None` when it had to be killed.
    #[expect(
        clippy::disallowed_methods,
        reason = "on a thread of its own; a process cannot be waited for with a deadline"
    )]
    fn ended(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let end = Instant::now() + self.timeout;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= end {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn failed(&self, former: &FormerLeader, detail: &str) -> Error {
        Error::new(ErrorKind::Unavailable, "fence the former leader")
            .with("keyspace", &former.keyspace)
            .with("group", former.group)
            .with("command", &self.program)
            .with("detail", detail)
            .with(
                "remedy",
                "cut it off by hand or mend the command; nobody was promoted",
            )
    }
}

/// Calls the hook on a thread of its own.
pub(crate) async fn fence(hook: Arc<dyn FenceHook>, former: FormerLeader) -> Result<(), Error> {
    let (send, receive) = oneshot::channel();
    let call = move || {
        let _ = send.send(hook.fence(&former));
    };
    let failed = |detail: String| {
        Error::new(ErrorKind::Unavailable, "fence the former leader").with("detail", detail)
    };
    std::thread::Builder::new()
        .name("repertoire-fence".into())
        .spawn(call)
        .map_err(|e| failed(e.to_string()))?;
    let panicked = |_| failed("the hook panicked; nobody was promoted".into());
    receive.await.map_err(panicked)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<(), Error> {
        let command = FenceCommand {
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            timeout: Duration::from_millis(500),
        };
        command.fence(&FormerLeader {
            keyspace: "shop".into(),
            group: GroupId::new(3, 1),
            node: Some(NodeId(2)),
            epoch: LeaderEpoch(7),
            successor: NodeId(1),
        })
    }

    #[test]
    fn a_command_learns_whom_to_cut_off() {
        let told = "$REPERTOIRE_KEYSPACE $REPERTOIRE_SHARD $REPERTOIRE_FORMER_NODE \
                    $REPERTOIRE_FORMER_EPOCH $REPERTOIRE_SUCCESSOR";
        shell(&format!(r#"test "{told}" = "shop 1 2 7 1""#)).unwrap();
    }

    #[test]
    fn a_command_that_fails_or_hangs_fences_nobody() {
        let failed = shell("exit 3").unwrap_err().to_string();
        assert!(failed.contains("exit status: 3"), "{failed}");
        let hangs = shell("exec sleep 60").unwrap_err().to_string();
        assert!(hangs.contains("took too long"), "{hangs}");
    }
}
