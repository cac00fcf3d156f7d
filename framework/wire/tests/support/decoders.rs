//! All decoders at once.

use bytes::Bytes;
use repertoire_core::Class;
use repertoire_wire::client::{ClientReply, ClientRequest};
use repertoire_wire::decode_frame;
use repertoire_wire::hello::{Hello, HelloReply, StreamHello};

/// Gives a frame (without its length) to every decoder, and looks at everything they find. Returns
/// how many of them took it.
pub(crate) fn decode_all(frame: &Bytes) -> usize {
    let mut taken = 0;
    for class in Class::ALL {
        taken += usize::from(decode_frame(frame.clone(), class).is_ok());
    }
    taken += usize::from(Hello::decode(frame.clone()).is_ok());
    taken += usize::from(HelloReply::decode(frame.clone()).is_ok());
    taken += usize::from(StreamHello::decode(frame.clone()).is_ok());
    if let Ok(request) = ClientRequest::decode(frame.clone()) {
        taken += 1;
        match request {
            ClientRequest::Writes(writes) => {
                let count = writes.operations().count();
                assert_eq!(count, usize::try_from(writes.head.count).unwrap());
            }
            ClientRequest::Reads(reads) => {
                let count = reads.queries().count();
                assert_eq!(count, usize::try_from(reads.head.count).unwrap());
            }
            ClientRequest::Admin(_) | ClientRequest::Unknown { .. } => {}
        }
    }
    match ClientReply::decode(frame.clone()) {
        Ok(ClientReply::Replies(replies)) => {
            taken += 1;
            for item in replies.items() {
                drop(item);
            }
        }
        Ok(ClientReply::Admin(_) | ClientReply::Unknown { .. }) => taken += 1,
        Err(_) => {}
    }
    taken
}
