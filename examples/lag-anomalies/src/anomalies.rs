//! One file for each anomaly of the notes.

mod going_back;
mod own_writes;
mod prefix;
mod stale;

use repertoire::core::Error;

use crate::{Lab, Row};

/// Every anomaly, at weak ways to read and at right ones.
///
/// # Errors
/// Those of reads and writes; none is expected.
pub async fn all(lab: &Lab) -> Result<Vec<Row>, Error> {
    let mut rows = own_writes::one_device(lab).await?;
    rows.extend(own_writes::two_devices(lab).await?);
    rows.extend(going_back::two_reads(lab).await?);
    rows.extend(going_back::a_follower_fails(lab).await?);
    rows.extend(prefix::two_shards(lab).await?);
    rows.extend(prefix::two_keyspaces(lab).await?);
    rows.extend(stale::dashboard(lab).await?);
    rows.extend(stale::the_lag_ends(lab).await?);
    Ok(rows)
}

/// What a reader was shown, in words.
fn shown(value: Option<impl AsRef<[u8]>>) -> String {
    value.map_or_else(
        || "nothing".to_owned(),
        |value| String::from_utf8_lossy(value.as_ref()).into_owned(),
    )
}
