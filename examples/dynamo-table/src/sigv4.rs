//! Who asks: AWS Signature Version 4, checked against one configured key. The signing library of AWS makes
//! signatures and checks none, so the rule is written out here, over `ring`.

use axum::http::{HeaderMap, Method, Uri};
use ring::{digest, hmac};

use crate::failure::Failure;

/// How far a request's time may be from ours, in seconds.
const SKEW_MAX: u64 = 15 * 60;

/// What every signature must cover.
const COVERED: [&str; 3] = ["host", "x-amz-date", "x-amz-target"];

/// A key: its name and its secret.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id, which requests name.
    pub id: String,
    /// The secret access key, which requests prove to know.
    pub secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The parts of the header `Authorization`.
struct Authorization<'a> {
    id: &'a str,
    /// Date, region, service and `aws4_request`.
    scope: &'a str,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let fields = text.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            let mut parts = fields.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let (id, scope) = field("Credential")?.split_once('/')?;
        Some(Self {
            id,
            scope,
            signed: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }
}

/// Checks that a request was signed with the key, a short time ago.
///
/// # Errors
/// The one that AWS answers, by what is wrong.
pub(crate) fn check(
    key: &Credentials,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    body: &[u8],
    now: u64,
) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let missing = || {
        Failure::signature(
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
        )
    };
    let incomplete = |what: &str| Failure::signature("IncompleteSignatureException", what);
    let header = text("authorization").ok_or_else(missing)?;
    let authorization = Authorization::parse(header)
        .ok_or_else(|| incomplete("Authorization header cannot be read"))?;
    if authorization.id != key.id {
        let message = "The security token included in the request is invalid.";
        return Err(Failure::signature("UnrecognizedClientException", message));
    }
    let date = text("x-amz-date").ok_or_else(|| incomplete("X-Amz-Date is missing"))?;
    let then = seconds(date).ok_or_else(|| incomplete("X-Amz-Date cannot be read"))?;
    if then.abs_diff(now) > SKEW_MAX {
        let message =
            format!("Signature expired: {date} is not within 15 minutes of this machine's time");
        return Err(Failure::signature("InvalidSignatureException", message));
    }
    let mut covered = authorization.signed.split(';');
    if let Some(lacks) = COVERED
        .iter()
        .find(|name| !covered.clone().any(|it| it == **name))
    {
        return Err(incomplete(&format!("{lacks} is not signed")));
    }
    if covered.any(|name| text(name).is_none()) {
        return Err(incomplete("a signed header is missing"));
    }
    let canonical = canonical(&authorization, (method, uri, headers), body);
    let signed = format!(
        "AWS4-HMAC-SHA256\n{date}\n{}\n{}",
        authorization.scope,
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    );
    let is_of_today = authorization.scope.split('/').next() == date.get(..8);
    let proof = unhex(authorization.signature).filter(|_| is_of_today);
    let signer = signer(key, authorization.scope);
    match proof.map(|proof| hmac::verify(&signer, signed.as_bytes(), &proof)) {
        Some(Ok(())) => Ok(()),
        _ => Err(Failure::signature(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        )),
    }
}

fn canonical(
    authorization: &Authorization<'_>,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    body: &[u8],
) -> String {
    let signed = authorization.signed.split(';').map(|name| {
        let values = headers.get_all(name).iter();
        let values: Vec<&str> = values
            .filter_map(|it| it.to_str().ok())
            .map(str::trim)
            .collect();
        format!("{name}:{}\n", values.join(","))
    });
    format!(
        "{method}\n{}\n{}\n{}\n{}\n{}",
        uri.path(),
        uri.query().unwrap_or_default(),
        signed.collect::<String>(),
        authorization.signed,
        hex(digest::digest(&digest::SHA256, body).as_ref())
    )
}

fn signer(key: &Credentials, scope: &str) -> hmac::Key {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", key.secret).as_bytes());
    let step = |key: hmac::Key, part: &str| {
        hmac::Key::new(
            hmac::HMAC_SHA256,
            hmac::sign(&key, part.as_bytes()).as_ref(),
        )
    };
    scope.split('/').fold(first, step)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (text.len() == 64).then(|| (0..64).step_by(2).map(byte).collect())?
}

/// Seconds since the Unix epoch of `20261124T003000Z`.
fn seconds(date: &str) -> Option<u64> {
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let is_one = date.len() == 16 && date.get(8..9) == Some("T") && date.ends_with('Z');
    if !is_one || year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    // Days from a civil date, with years that begin in March (Hinnant).
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year;
    let days = days.checked_sub(719_468)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds() {
        assert_eq!(seconds("19700101T000000Z"), Some(0));
        assert_eq!(seconds("20000229T120000Z"), Some(951_825_600));
        assert_eq!(seconds("20261124T003000Z"), Some(1_795_480_200));
        assert_eq!(seconds("2026-11-24T00:30Z"), None);
    }

    /// The key of the example in AWS's documentation of the algorithm.
    #[test]
    fn the_signing_key_is_the_documented_one() {
        let key = Credentials {
            id: String::new(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let signer = signer(&key, "20150830/us-east-1/iam/aws4_request");
        let signed = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
            f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let signature = hmac::sign(&signer, signed.as_bytes());
        assert_eq!(
            hex(signature.as_ref()),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }
}
