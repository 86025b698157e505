//! Statements about decisions.

use super::super::engine::Tx;
use super::quoted;
use crate::domain::Along;
use crate::store::HistoryQuery;

/// Puts a decision in. Values: the case's number, id, reviewer, disposition, record, what the case
/// was, state, due, attempts, fence, settled at, the origin's number.
pub fn add_decision(tx: &Tx) -> String {
    // A server counts by itself; a file has one writer, and counts for each origin.
    let (seq, next) = match tx {
        Tx::Sqlite(_) => (
            "seq, ",
            "(SELECT coalesce(max(n.seq), 0) + 1 FROM decisions n WHERE n.origin = c.origin), ",
        ),
        Tx::Postgres(_) => ("", ""),
    };
    format!(
        "INSERT INTO decisions ({seq}origin, case_id, id, reviewer, disposition, \
         record, case_was, state, due, attempts, fence, settled_at, \
         may_have_written, status_done, listed, noted) \
         SELECT {next}c.origin, c.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, 0 \
         FROM cases c WHERE c.origin = $12 AND c.id = $1"
    )
}

/// Saves a decision. Values: its number, state, due, attempts, fence, claiming worker, until, the
/// four flags of progress, note, settled at, writes, when Didit said yes, the origin's number.
pub const SAVE_DECISION: &str = "UPDATE decisions SET state = $2, due = $3, attempts = $4, \
    fence = $5, claim_worker = $6, claim_until = $7, may_have_written = $8, status_done = $9, \
    listed = $10, noted = $11, note = $12, settled_at = $13, writes = $14, answered_at = $15 \
    WHERE origin = $16 AND seq = $1";

/// The case of a decision. Values: origin, the decision's id.
pub const CASE_OF: &str = concat!(
    "SELECT c.* FROM cases c WHERE c.",
    of_origin!(),
    " AND c.id = (SELECT d.case_id FROM decisions d WHERE d.",
    of_origin!(),
    " AND d.id = $2)"
);

/// The case of a decision. Values: origin, the decision's number.
pub const CASE_AT: &str = concat!(
    "SELECT c.* FROM cases c WHERE c.",
    of_origin!(),
    " AND c.id = (SELECT d.case_id FROM decisions d WHERE d.",
    of_origin!(),
    " AND d.seq = $2)"
);

/// One decision. Values: origin, its number.
pub const DECISION_AT: &str =
    concat!("SELECT d.* FROM decisions d WHERE d.", of_origin!(), " AND d.seq = $2");

/// Whether a later decision about a case stands. Values: the case's number, the decision's, the origin's.
pub const LATER: &str = "SELECT count(*) AS n FROM decisions d WHERE d.origin = $3 \
    AND d.case_id = $1 AND d.seq > $2 AND d.state <> 'undone'";

/// Decisions one after another. Values: origin, after which place, how many.
pub const DECISIONS: &str = concat!(
    "SELECT d.* FROM decisions d WHERE d.",
    of_origin!(),
    " AND d.seq > $2 ORDER BY d.seq LIMIT $3"
);

/// The newest decision of a case. Values: the case's number, the origin's.
pub const NEWEST: &str = concat!(
    "SELECT ",
    newest_columns!(),
    " FROM decisions d WHERE d.origin = $2 AND d.case_id = $1 AND d.state <> 'undone' \
     ORDER BY d.seq DESC LIMIT 1"
);

/// One decision. Values: origin, id.
pub const DECISION: &str =
    concat!("SELECT d.* FROM decisions d WHERE d.", of_origin!(), " AND d.id = $2");

/// Decisions along a way. Values: origin, limit; the number that the way begins at, where it has one; the case's
/// key; the decision's id; the reviewers'.
pub fn history(query: &HistoryQuery) -> String {
    let (of_origin, is_open) = (of_origin!(), is_open!());
    let mut sql = format!("SELECT d.* FROM decisions d WHERE d.{of_origin}");
    let on_its_way = !query.states.is_empty() && query.states.iter().all(|state| state.is_open());
    if !query.states.is_empty() {
        let states = quoted(query.states.iter().map(|state| state.word()));
        sql += &format!(" AND d.state IN ({states})");
        // What is on its way is found without a walk through all that ever was.
        if on_its_way {
            sql += &format!(" AND d.{is_open}");
        }
    }
    let mut last = 2;
    let order = match query.along {
        Along::Newest => "DESC",
        Along::Before(_) => {
            last += 1;
            sql += " AND d.seq < $3";
            "DESC"
        }
        Along::After(_) => {
            last += 1;
            sql += " AND d.seq > $3";
            "ASC"
        }
    };
    if query.case.is_some() {
        last += 1;
        sql += " AND d.case_id = (SELECT c.id FROM cases c ";
        sql += &format!("WHERE c.{of_origin} AND c.key = ${last})");
    }
    if query.decision.is_some() {
        last += 1;
        sql += &format!(" AND d.id = ${last}");
    }
    let in_order = format!(" ORDER BY d.seq {order} LIMIT $2");
    let by = last + 1..=last + query.by.len();
    if on_its_way && !by.is_empty() {
        // As no index has the reviewer, where all that they ever decided would be read for what is on its way.
        let by: Vec<_> = by.map(|at| format!("${at}")).collect();
        sql += &format!(" AND (d.reviewer || '') IN ({})", by.join(", "));
    } else if !by.is_empty() {
        // Each one's last ones by their index; then the last of these.
        let of = |at| format!("SELECT * FROM ({sql} AND d.reviewer = ${at}{in_order}) AS past");
        let each: Vec<_> = by.map(of).collect();
        let each = each.join(" UNION ALL ");
        return format!("SELECT past.* FROM ({each}) AS past ORDER BY past.seq {order} LIMIT $2");
    }
    sql + &in_order
}
