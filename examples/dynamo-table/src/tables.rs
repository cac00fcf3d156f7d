//! Tables: made, described, listed, deleted.

use std::time::{SystemTime, UNIX_EPOCH};

use repertoire::core::{ErrorKind, Operation, end_of_prefix};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use crate::api::{Front, Request};
use crate::failure::Failure;
use crate::keys::{after, marker_prefix, table_prefix};
use crate::schema::{Table, name};

/// Most tables of one answer.
const LIST_MAX: usize = 100;

/// Items that are deleted at once.
const DELETED_AT_ONCE: usize = 500;

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn new_id() -> Result<String, Failure> {
    let mut bytes = [0; 8];
    let failed = |_| Failure::unreadable("the system has no random numbers");
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

impl Front {
    /// The table that a request names, as the leader knows it.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(crate) async fn table(&self, body: &Value) -> Result<Table, Failure> {
        let name = name(body)?;
        let (_, found) = self.schema.get(name).await?;
        let found = found.ok_or_else(|| Failure::no_table(name))?;
        serde_json::from_slice(&found).map_err(Failure::unreadable)
    }

    pub(crate) async fn create_table(&self, request: &Request) -> Result<Value, Failure> {
        let table = Table::parse(&request.body, new_id()?, now())?;
        if request.body.get("LocalSecondaryIndexes").is_some()
            || request.body.get("GlobalSecondaryIndexes").is_some()
        {
            return Err(Failure::invalid("Secondary indexes are not supported"));
        }
        let bytes = serde_json::to_vec(&table).map_err(Failure::unreadable)?;
        let made = self
            .schema
            .compare_and_set(&table.name, None, Some(&bytes))
            .await;
        match made {
            Ok(_) => Ok(json!({"TableDescription": table.describe("ACTIVE")})),
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                Err(Failure::table_exists(&table.name))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn describe_table(&self, request: &Request) -> Result<Value, Failure> {
        let table = self.table(&request.body).await?;
        Ok(json!({"Table": table.describe("ACTIVE")}))
    }

    pub(crate) async fn list_tables(&self, request: &Request) -> Result<Value, Failure> {
        let start = request
            .text("ExclusiveStartTableName")
            .map(|it| after(it.into()));
        let limit = request.body.get("Limit").and_then(Value::as_u64);
        let limit = usize::try_from(limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let limit = limit.clamp(1, LIST_MAX);
        let mut rows = self.schema.rows(start.unwrap_or_default(), "");
        let mut found = rows.next(limit + 1).await?.unwrap_or_default();
        let is_more = found.len() > limit;
        found.truncate(limit);
        let names: Vec<_> = found
            .iter()
            .map(|row| String::from_utf8_lossy(&row.key))
            .collect();
        let mut answer = json!({"TableNames": names});
        if let (Some(last), Some(answer)) =
            (names.last().filter(|_| is_more), answer.as_object_mut())
        {
            answer.insert("LastEvaluatedTableName".into(), json!(last));
        }
        Ok(answer)
    }

    /// The table is gone at once, and no new one sees its items; those go page by page.
    pub(crate) async fn delete_table(&self, request: &Request) -> Result<Value, Failure> {
        let table = self.table(&request.body).await?;
        let bytes = serde_json::to_vec(&table).map_err(Failure::unreadable)?;
        let gone = self
            .schema
            .compare_and_set(&table.name, Some(&bytes), None)
            .await;
        match gone {
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                return Err(Failure::no_table(&table.name));
            }
            other => other?,
        };
        for prefix in [table_prefix(&table), marker_prefix(&table)] {
            self.purge(&prefix).await?;
        }
        Ok(json!({"TableDescription": table.describe("DELETING")}))
    }

    async fn purge(&self, prefix: &[u8]) -> Result<(), Failure> {
        let mut rows = self.items.rows(prefix, end_of_prefix(prefix));
        while let Some(page) = rows.next(DELETED_AT_ONCE).await? {
            let deletes: Vec<_> = page
                .iter()
                .map(|row| Operation::Delete { key: &row.key })
                .collect();
            for outcome in self.items.batch_per_shard(&deletes).await.into_values() {
                outcome?;
            }
        }
        Ok(())
    }
}
