//! Statements about the outbox.

use std::collections::BTreeSet;

use super::super::engine::Tx;
use super::quoted;
use crate::domain::DeliveryState;

/// Claims a decision that cannot be read, so that it goes the outbox's way. Values: origin, its number.
pub const CLAIM_UNREAD: &str = concat!(
    "UPDATE decisions SET state = 'sending' WHERE ",
    of_origin!(),
    " AND seq = $2 AND state IN ('held', 'unknown')"
);

/// Ends a decision that cannot be read. Values: origin, its number, note, settled at.
pub const PARK: &str = concat!(
    "UPDATE decisions SET state = 'refused', claim_worker = NULL, \
     claim_until = NULL, note = $3, settled_at = $4 WHERE ",
    of_origin!(),
    " AND seq = $2"
);

/// Starts undo windows anew. Values: origin, reviewer, until.
pub const REWIND_HELD: &str = concat!(
    "UPDATE decisions SET due = $3 WHERE ",
    of_origin!(),
    " AND ",
    is_open!(),
    " AND state = 'held' AND reviewer = $2 AND due < $3"
);

/// Makes held decisions due. Values: origin, reviewer, now.
pub const SEND_NOW: &str = concat!(
    "UPDATE decisions SET due = CASE WHEN due < $3 THEN due ELSE $3 END WHERE ",
    of_origin!(),
    " AND ",
    is_open!(),
    " AND state = 'held' AND reviewer = $2"
);

/// When the next delivery is due. Values: origin, reviewer.
pub const NEXT_DUE: &str = concat!(
    "SELECT min(CASE WHEN claim_until > due THEN claim_until ELSE due END) AS due \
     FROM decisions WHERE ",
    of_origin!(),
    " AND ",
    is_open!(),
    " AND (state <> 'held' OR reviewer = $2)"
);

/// Remembers what was seen of a workflow. Values: origin, workflow, whether it lists, when.
pub const SAW_WORKFLOW: &str = "INSERT INTO workflows (origin, workflow, lists, seen_at) \
    SELECT o.id, $2, $3, $4 FROM origins o WHERE o.name = $1 \
    ON CONFLICT (origin, workflow) DO UPDATE SET seen_at = excluded.seen_at, \
    lists = CASE WHEN workflows.lists = 1 THEN 1 ELSE excluded.lists END";

/// What was seen of workflows. Value: origin.
pub const WORKFLOWS: &str = concat!(
    "SELECT workflow, lists, seen_at FROM workflows WHERE ",
    of_origin!(),
    " ORDER BY workflow"
);

/// The next delivery, some rows passed over by their numbers. Values: origin, now, reviewer.
pub fn take(tx: &Tx, passed: &BTreeSet<i64>) -> String {
    let (of_origin, is_open, claim) = (of_origin!(), is_open!(), tx.claim());
    let passed = but(passed);
    format!(
        "SELECT * FROM decisions WHERE {of_origin} AND {is_open} AND due <= $2 \
         AND (state <> 'held' OR reviewer = $3) AND (claim_until IS NULL OR claim_until <= $2){passed} \
         ORDER BY due, id LIMIT 1{claim}"
    )
}

/// When the next delivery is due, some rows passed over by their numbers. Values: origin, reviewer.
pub fn next_due(passed: &BTreeSet<i64>) -> String {
    format!("{NEXT_DUE}{}", but(passed))
}

/// A condition that leaves rows of decisions out by their numbers.
fn but(passed: &BTreeSet<i64>) -> String {
    if passed.is_empty() {
        return String::new();
    }
    let numbers: Vec<_> = passed.iter().map(ToString::to_string).collect();
    format!(" AND seq NOT IN ({})", numbers.join(", "))
}

/// Decisions whose state is no word. Value: origin.
pub fn strays() -> String {
    let (of_origin, words) = (of_origin!(), quoted(DeliveryState::ALL.map(DeliveryState::word)));
    format!(
        "SELECT seq, id FROM decisions WHERE {of_origin} AND state NOT IN ({words}) ORDER BY seq"
    )
}
