//! What the intake has looked at, in a database.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::engine::{Arg, Row, anew, args};
use super::{AT_ONCE, SqlStore, statements};
use crate::domain::{Explained, Millis, Origin, SessionId, Status};
use crate::store::looked::{Looked, PassedOver};
use crate::store::{Result, StoreError};

/// The sessions that a list shows and that were passed over. Values: origin, rule, the keys.
fn passed(keys: usize) -> String {
    format!(
        "SELECT key, status, reason FROM passed_over WHERE {OF_ORIGIN} AND rule = $2 AND key IN ({})",
        placeholders(keys)
    )
}

/// Marks them as seen. Values: origin, now, the keys.
fn seen(keys: usize) -> String {
    format!(
        "UPDATE passed_over SET seen_at = $2 WHERE {OF_ORIGIN} AND key IN ({})",
        placeholders(keys)
    )
}

/// The origin that `$1` names.
const OF_ORIGIN: &str = "origin = (SELECT o.id FROM origins o WHERE o.name = $1)";
/// Values: origin, key, status, rule, reason, now.
const PASS_OVER: &str = "INSERT INTO passed_over (origin, key, status, rule, reason, seen_at) \
    SELECT o.id, $2, $3, $4, $5, $6 FROM origins o WHERE o.name = $1 \
    ON CONFLICT (origin, key) DO UPDATE SET status = excluded.status, rule = excluded.rule, \
    reason = excluded.reason, seen_at = excluded.seen_at";
/// Values: origin, list, record.
const KEEP_PLACE: &str = "INSERT INTO listings (origin, name, record) \
    SELECT o.id, $2, $3 FROM origins o WHERE o.name = $1 \
    ON CONFLICT (origin, name) DO UPDATE SET record = excluded.record";

/// Values: origin, key.
fn take_up() -> String {
    format!("DELETE FROM passed_over WHERE {OF_ORIGIN} AND key = $2")
}

/// Values: origin, before when.
fn forget() -> String {
    format!("DELETE FROM passed_over WHERE {OF_ORIGIN} AND seen_at < $2")
}

/// How many there are of each reason. Value: origin.
pub fn explained() -> String {
    format!("SELECT reason, count(*) AS n FROM passed_over WHERE {OF_ORIGIN} GROUP BY reason")
}

/// Values: origin, list.
fn place_in() -> String {
    format!("SELECT record FROM listings WHERE {OF_ORIGIN} AND name = $2")
}

/// All of them.
#[cfg(test)]
pub fn statements() -> Vec<String> {
    let fixed = [PASS_OVER, KEEP_PLACE].map(str::to_owned);
    let made = [passed(3), seen(3), take_up(), forget(), explained(), place_in()];
    fixed.into_iter().chain(made).collect()
}

fn placeholders(keys: usize) -> String {
    (3..keys + 3).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ")
}

fn one(row: &Row) -> Result<PassedOver> {
    let key = row.text("key")?;
    let unreadable = |what| StoreError::Corrupt(format!("a session passed over has no {what}"));
    Ok(PassedOver {
        key: SessionId::parse(&key).map_err(|_| unreadable("id"))?,
        status: Status::from(row.text("status")?),
        reason: reason(row)?.ok_or_else(|| unreadable("reason"))?,
    })
}

/// A reason of a later version is none that this one knows.
fn reason(row: &Row) -> Result<Option<Explained>> {
    Ok(Explained::from_word(&row.text("reason")?))
}

#[async_trait]
impl Looked for SqlStore {
    async fn passed_over(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        rule: &str,
        now: Millis,
    ) -> Result<Vec<PassedOver>> {
        self.engine
            .write(anew!(async |tx| {
                let mut found = Vec::new();
                for keys in keys.chunks(AT_ONCE) {
                    let mut values = args![origin, rule];
                    values.extend(keys.iter().map(Arg::from));
                    let rows = tx.rows(passed(keys.len()), values).await?;
                    let known = rows.iter().filter(|row| matches!(reason(row), Ok(Some(_))));
                    let known = known.map(one).collect::<Result<Vec<_>>>()?;
                    if !known.is_empty() {
                        let mut values = args![origin, now];
                        values.extend(known.iter().map(|passed| Arg::from(&passed.key)));
                        tx.run(seen(known.len()), values).await?;
                    }
                    found.extend(known);
                }
                Ok(found)
            }))
            .await
    }

    async fn pass_over(
        &self,
        origin: &Origin,
        passed: &PassedOver,
        rule: &str,
        now: Millis,
    ) -> Result<()> {
        let PassedOver { key, status, reason } = passed;
        self.engine
            .write(anew!(async |tx| {
                tx.run(statements::ADD_ORIGIN, args![origin]).await?;
                let values = args![origin, key, status.word(), rule, reason.word(), now];
                tx.run(PASS_OVER, values).await.map(drop)
            }))
            .await
    }

    async fn take_up(&self, origin: &Origin, key: &SessionId) -> Result<()> {
        self.engine
            .write(anew!(async |tx| tx.run(take_up(), args![origin, key]).await.map(drop)))
            .await
    }

    async fn forget_passed(&self, origin: &Origin, before: Millis) -> Result<u64> {
        self.engine.write(anew!(async |tx| tx.run(forget(), args![origin, before]).await)).await
    }

    async fn explained(&self, origin: &Origin) -> Result<Vec<(Explained, u64)>> {
        self.engine
            .read(async |tx| {
                let mut counts = BTreeMap::new();
                for row in tx.rows(explained(), args![origin]).await? {
                    if let Some(reason) = reason(&row)? {
                        counts.insert(reason, u64::try_from(row.int("n")?).unwrap_or_default());
                    }
                }
                Ok(counts.into_iter().collect())
            })
            .await
    }

    async fn place_in(&self, origin: &Origin, list: &str) -> Result<Option<String>> {
        self.engine
            .read(async |tx| {
                let row = tx.row(place_in(), args![origin, list]).await?;
                row.map(|row| row.text("record")).transpose()
            })
            .await
    }

    async fn keep_place(&self, origin: &Origin, list: &str, record: &str) -> Result<()> {
        self.engine
            .write(anew!(async |tx| {
                tx.run(statements::ADD_ORIGIN, args![origin]).await?;
                tx.run(KEEP_PLACE, args![origin, list, record]).await.map(drop)
            }))
            .await
    }
}
