//! What every transport must do.
//!
//! In a test of the transport's crate, hand [`check_all`] a function that makes nodes which know each
//! other: `transports/memory/tests/contract.rs` is twenty lines.
//!
//! Each check makes fresh nodes, so that the first one that fails names the broken promise. A check
//! fails by an assertion; waiting is always for a condition, with a long time-out.

mod checks;
mod recorder;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use repertoire_core::{Channel, Class, ConfigEpoch, Encoded, GroupId, NodeId, Outgoing, Transport};
use repertoire_wire::decode_frame;

pub use recorder::{Recorder, Seen};

/// Nodes under test: not started, and each knows the others. Node ids are 1, 2, and so on.
pub type Nodes = Vec<Arc<dyn Transport>>;

/// Bytes of replication that may wait for one peer in the nodes that [`check_all`] asks for. Small,
/// so that it is soon exceeded; larger than one frame.
pub const BUDGET: usize = 2 << 20;

/// Runs every check. `make` makes that many nodes with a budget of [`BUDGET`] per class.
///
/// # Panics
/// When the transport breaks its contract.
pub async fn check_all<F, Fut>(make: F)
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Nodes>,
{
    checks::frames_arrive_whole_and_in_order(make(2).await).await;
    checks::three_nodes_hear_only_what_is_meant_for_them(make(3).await).await;
    checks::the_largest_frame_of_each_class_arrives(make(2).await).await;
    checks::nothing_is_taken_for_a_peer_without_a_link(make(2).await).await;
    checks::an_oversized_frame_harms_only_itself(make(2).await).await;
    checks::a_refused_class_waits_and_control_does_not(make(2).await).await;
    checks::a_full_outbox_refuses_and_reports_room(make(2).await).await;
    checks::a_closing_node_sends_what_is_queued(make(2).await).await;
}

/// A frame that says who it is: a number in its head, `len` bytes in its body.
pub fn numbered(class: Class, number: u32, len: usize) -> Outgoing {
    Outgoing {
        channel: Channel::Protocol,
        group: GroupId::new(7, number % 3),
        config_epoch: ConfigEpoch(9),
        message: Encoded {
            class,
            head: Bytes::copy_from_slice(&number.to_le_bytes()),
            body: vec![number.to_le_bytes()[0]; len].into(),
        },
        trace: None,
    }
}

/// Reads what [`numbered`] wrote: the number and the length of the body.
///
/// # Panics
/// When the frame is not one of those, or damaged.
pub fn number_of(frame: &Bytes, class: Class) -> (u32, usize) {
    let frame = decode_frame(frame.clone(), class).unwrap_or_else(|e| unreadable(&e));
    let head: [u8; 4] = frame.message.head[..].try_into().unwrap_or_default();
    let number = u32::from_le_bytes(head);
    assert_eq!(frame.group, GroupId::new(7, number % 3));
    assert_eq!(frame.config_epoch, ConfigEpoch(9));
    let body = &frame.message.body;
    assert!(
        body.iter().all(|byte| *byte == head[0]),
        "frame {number} is damaged"
    );
    (number, body.len())
}

#[allow(clippy::panic, reason = "a failed check of a test suite")]
fn unreadable(error: &dyn std::fmt::Display) -> ! {
    panic!("a delivered frame cannot be read: {error}")
}

/// The id of the node at that place.
pub fn id(index: usize) -> NodeId {
    NodeId(index as u64 + 1)
}
