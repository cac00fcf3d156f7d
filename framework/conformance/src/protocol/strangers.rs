//! Inputs that belong to nobody.

use repertoire_core::{
    Descriptor, Input, LogSeq, LogSlice, Lsn, NodeId, PeerEvent, Protocol, Ticket, WireMessage,
};

use super::rig::Rig;
use super::trouble::Trouble;
use super::{NamedSeed, typed};
use crate::must::must;

/// Not a node of the cluster.
const STRANGER: NodeId = NodeId(u64::MAX);

/// Late answers to questions of another life, news of nodes that are none of the group's, what such nodes
/// say, and wishes that such a node lead: nothing is written, applied or decided because of them.
///
/// # Panics
/// When the protocol does otherwise.
pub fn nothing_comes_of_what_was_not_asked<P: Protocol>(descriptor: &Descriptor, seed: u64) {
    let _named = NamedSeed(seed);
    let mut trouble = Trouble::new(Rig::new(typed::<P>(), descriptor, true), seed);
    trouble.run();
    let mut rig = trouble.rig;
    for node in rig.nodes() {
        for (what, input) in inputs() {
            quietly(&mut rig, node, what, |rig| rig.step(node, input));
        }
        for said in rig.heard.clone() {
            let message = must(P::Message::decode(said), "decoding what a replica said");
            let what = format!("a stranger's {message:?}");
            let input = Input::Message {
                from: STRANGER,
                message,
            };
            quietly(&mut rig, node, &what, |rig| rig.step(node, input));
        }
        quietly(&mut rig, node, "a wish that a stranger lead", |rig| {
            let answer = rig.transfer(node, STRANGER);
            assert!(
                answer.is_err(),
                "a node that is none of the group's is to lead"
            );
        });
    }
}

fn inputs<M>() -> Vec<(&'static str, Input<'static, M>)> {
    let (ticket, to) = (Ticket(u64::MAX), STRANGER);
    let slice = LogSlice::Entries(Vec::new());
    let mut inputs = vec![
        ("a timer never set", Input::Timer(u64::MAX)),
        ("durability known long ago", Input::Durable(LogSeq(0))),
        ("application known long ago", Input::Applied(Lsn::ZERO)),
        ("an answer of the log", Input::LogRead { ticket, slice }),
        (
            "an answer of the resolver",
            Input::Resolved {
                ticket,
                value: None,
            },
        ),
        (
            "a snapshot sent to a stranger",
            Input::SnapshotSent { to, position: None },
        ),
    ];
    for event in [
        PeerEvent::Up,
        PeerEvent::Writable,
        PeerEvent::Silent,
        PeerEvent::Down,
    ] {
        inputs.push((
            "news of a stranger",
            Input::Peer {
                peer: STRANGER,
                event,
            },
        ));
    }
    inputs
}

/// Does something to a replica from which nothing may come.
fn quietly<P: Protocol>(rig: &mut Rig<P>, node: NodeId, what: &str, act: impl FnOnce(&mut Rig<P>)) {
    let numbers = |rig: &Rig<P>| {
        let replica = rig.replica(node);
        (
            replica.vitals(),
            replica.engine.position,
            replica.disk.unsynced(),
            replica.fates.open(),
        )
    };
    let (before, acked) = (numbers(rig), rig.acked.len());
    act(rig);
    let is_quiet = numbers(rig) == before && rig.acked.len() == acked;
    assert!(
        is_quiet,
        "{what} changes {node}: {before:?} becomes {:?}",
        numbers(rig)
    );
}
