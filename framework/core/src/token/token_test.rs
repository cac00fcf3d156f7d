use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::{
    EPOCHS_MAX, GROUPS_MAX, Need, SessionPositions, SessionToken, TOKEN_MAX, TokenFault, TokenKeys,
};
use crate::{ClusterId, EntryId, Error, ErrorKind, GroupId, LeaderEpoch, Lsn, Position};

const OURS: ClusterId = ClusterId(0x1122);
const GROUP: GroupId = GroupId::new(1, 0);

fn at(epoch: u64, lsn: u64) -> EntryId {
    EntryId::new(LeaderEpoch(epoch), Lsn(lsn))
}

fn keys(byte: u8) -> TokenKeys {
    TokenKeys::single(&[byte; 32])
}

fn some_positions() -> SessionPositions {
    let mut positions = SessionPositions::default();
    positions.note(GROUP, at(3, 10));
    positions.note(GroupId::new(2, 5), at(1, 7));
    positions
}

fn fault(error: &Error) -> TokenFault {
    match error.kind() {
        ErrorKind::InvalidToken { fault } => fault.clone(),
        other => panic!("another error: {other}"),
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let token = SessionToken::seal(&some_positions(), OURS, &keys(1));
    for bit in 0..token.0.len() * 8 {
        let mut bytes = token.0.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let fault = fault(&SessionToken(bytes.into()).open(OURS, &keys(1)).unwrap_err());
        // A damaged name of the cluster looks like that of another one.
        let is_of_name = (1..17).contains(&(bit / 8));
        assert_eq!(
            matches!(fault, TokenFault::Foreign { .. }),
            is_of_name,
            "bit {bit}: {fault}"
        );
        assert!(
            is_of_name || fault == TokenFault::Forged,
            "bit {bit}: {fault}"
        );
    }
}

#[test]
fn each_bad_token_has_its_own_error() {
    let (positions, ours) = (some_positions(), keys(1));
    let open = |token: &SessionToken| fault(&token.open(OURS, &ours).unwrap_err());
    let forged = SessionToken::seal(&positions, OURS, &keys(2));
    assert_eq!(open(&forged), TokenFault::Forged);
    // Another cluster, which was given the same key.
    let foreign = SessionToken::seal(&positions, ClusterId(9), &ours);
    let cluster = Box::new(ClusterId(9));
    assert_eq!(open(&foreign), TokenFault::Foreign { cluster });
    let outdated = SessionToken::seal_as(0, &positions, OURS, &ours);
    assert_eq!(open(&outdated), TokenFault::Outdated { version: 0 });
    let parse = |text: &str| fault(&text.parse::<SessionToken>().unwrap_err());
    let text = "A".repeat(TOKEN_MAX + 1);
    let (len, max) = (TOKEN_MAX as u64 + 1, TOKEN_MAX as u64);
    assert_eq!(parse(&text), TokenFault::TooLong { len, max });
    for text in ["", "no token!", "AAAA", "ÄÖ"] {
        assert_eq!(parse(text), TokenFault::Malformed, "{text:?}");
    }
}

#[test]
fn a_sealed_body_that_is_no_list_of_positions_is_malformed() {
    let keys = keys(1);
    let sealed = |body: &[u8]| {
        let mut bytes = vec![1];
        bytes.extend(OURS.0.to_le_bytes());
        bytes.extend(body);
        let tag = keys.sign(&bytes);
        bytes.extend(tag);
        SessionToken(bytes.into())
    };
    let mut trailing = postcard::to_stdvec(&some_positions()).unwrap();
    trailing.push(0);
    // A list that claims 2^32 - 1 groups must not make room for them.
    for body in [&[][..], &[0xff, 0xff, 0xff, 0xff, 0x0f], &trailing] {
        let fault = fault(&sealed(body).open(OURS, &keys).unwrap_err());
        assert_eq!(fault, TokenFault::Malformed);
    }
}

#[test]
fn the_form_is_fixed() {
    let token = SessionToken::seal(&some_positions(), OURS, &keys(1));
    let body = &token.0[1 + 16..token.0.len() - 32];
    assert_eq!(body, [2, 1, 0, 1, 3, 10, 2, 5, 1, 1, 7, 0]);
    // Computed by another implementation of HMAC-SHA-256 and base64.
    let known =
        "ASIRAAAAAAAAAAAAAAAAAAACAQABAwoCBQEBBwBNnmoo6mO6A8zlzNtoR1bUCsFzyEn5Caaz40YlkMbO7A";
    assert_eq!(token.to_string(), known);
    let json = serde_json::to_string(&some_positions()).unwrap();
    let back: SessionPositions = serde_json::from_str(&json).unwrap();
    assert_eq!(back, some_positions());
}

#[test]
fn a_key_is_replaced_without_breaking_tokens() {
    let (old, new) = (
        TokenKeys::file_text(&[1; 32]),
        TokenKeys::file_text(&[2; 32]),
    );
    let both = TokenKeys::parse(&format!("# the new key\n{new}\n{old}")).unwrap();
    let (old, new) = (
        TokenKeys::parse(&old).unwrap(),
        TokenKeys::parse(&new).unwrap(),
    );
    let positions = some_positions();
    for sealed_by in [&old, &new] {
        let token = SessionToken::seal(&positions, OURS, sealed_by);
        assert_eq!(token.open(OURS, &both).unwrap(), positions);
    }
    let token = SessionToken::seal(&positions, OURS, &both);
    assert_eq!(token.open(OURS, &new).unwrap(), positions);
    assert!(token.open(OURS, &old).is_err());
}

#[test]
fn a_file_without_proper_keys_is_refused() {
    let nine = TokenKeys::file_text(&[1; 32]).repeat(9);
    for text in [
        "",
        "# none",
        "abc",
        &"g".repeat(64),
        &"ab".repeat(31),
        &nine,
    ] {
        let error = TokenKeys::parse(text).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::ConfigInvalid);
        assert!(!error.to_string().contains("abab"), "{error}");
    }
    assert_eq!(format!("{:?}", keys(1)), "TokenKeys(1)");
}

#[test]
fn the_largest_token_fits_its_cap() {
    let mut positions = SessionPositions::default();
    for group in (0..).take(GROUPS_MAX + 8) {
        for epoch in 0..EPOCHS_MAX as u64 {
            let group = GroupId::new(u32::MAX - group, u32::MAX);
            positions.note(group, at(u64::MAX - epoch, u64::MAX));
        }
    }
    assert!(positions.is_escalated());
    assert_eq!(positions.groups().count(), GROUPS_MAX);
    let text = SessionToken::seal(&positions, OURS, &keys(1)).to_string();
    assert!(text.len() <= TOKEN_MAX, "{} bytes", text.len());
    let token: SessionToken = text.parse().unwrap();
    assert_eq!(token.open(OURS, &keys(1)).unwrap(), positions);
}

#[test]
fn groups_beyond_the_cap_are_read_from_their_leaders() {
    let mut positions = SessionPositions::default();
    for group in (0..).take(GROUPS_MAX) {
        positions.note(GroupId::new(group, 0), at(1, 1));
    }
    let beyond = GroupId::new(99, 0);
    assert_eq!(positions.need(beyond), Need::Nothing);
    positions.note(beyond, at(1, 1));
    assert_eq!(positions.need(beyond), Need::Leader);
    let kept = Need::Contains(Position::Entry(at(1, 1)));
    assert_eq!(positions.need(GroupId::new(0, 0)), kept);
}

#[test]
fn positions_of_two_leaderships_are_both_needed_until_a_read_shows_both() {
    let mut positions = SessionPositions::default();
    positions.note(GROUP, at(2, 12));
    positions.note(GROUP, at(3, 20));
    positions.note(GROUP, at(2, 11));
    let both = Need::Contains(Position::Entries(vec![at(2, 12), at(3, 20)]));
    assert_eq!(positions.need(GROUP), both);
    // Written while the read was under way: not shown by it.
    positions.note(GROUP, at(3, 30));
    positions.note_read(GROUP, &both, at(3, 25));
    assert_eq!(
        positions.need(GROUP),
        Need::Contains(Position::Entry(at(3, 30)))
    );
    positions.forget(GROUP, at(3, 30));
    assert_eq!(positions.need(GROUP), Need::Nothing);
}

#[test]
fn a_group_with_too_many_leaderships_is_read_from_its_leader() {
    let mut positions = SessionPositions::default();
    for epoch in 0..=EPOCHS_MAX as u64 {
        positions.note(GROUP, at(epoch + 1, epoch + 1));
    }
    assert_eq!(positions.need(GROUP), Need::Leader);
}

proptest! {
    #[test]
    fn merging_is_commutative_and_idempotent(
        left in prop::collection::vec((0u32..4, 1u64..4, 1u64..9), 0..8),
        right in prop::collection::vec((0u32..4, 1u64..4, 1u64..9), 0..8),
    ) {
        let build = |notes: &[(u32, u64, u64)]| {
            let mut positions = SessionPositions::default();
            for (group, epoch, lsn) in notes {
                positions.note(GroupId::new(*group, 0), at(*epoch, *lsn));
            }
            positions
        };
        let (left, right) = (build(&left), build(&right));
        let merged = |a: &SessionPositions, b: &SessionPositions| {
            let mut a = a.clone();
            a.merge(b);
            a
        };
        prop_assert_eq!(merged(&left, &right), merged(&right, &left));
        prop_assert_eq!(merged(&left, &left), left.clone());
        let both = merged(&left, &right);
        prop_assert_eq!(merged(&both, &right), both);
    }

    #[test]
    fn no_text_makes_opening_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = URL_SAFE_NO_PAD.encode(&bytes);
        if let Ok(token) = text.parse::<SessionToken>() {
            prop_assert!(token.open(OURS, &keys(1)).is_err());
        }
    }
}
