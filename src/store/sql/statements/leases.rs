//! Statements about leases, lookers-on and dead consoles.

use super::super::engine::Tx;
use super::parts;
use crate::domain::CaseState;
use crate::store::QueueQuery;

/// Saves a lease. Values: the case's number, fence, worker, reviewer, name, until, the origin's number.
pub const SAVE_LEASE: &str = "UPDATE cases SET fence = $2, lease_worker = $3, \
    lease_reviewer = $4, lease_name = $5, lease_until = $6 WHERE origin = $7 AND id = $1";

/// Workers with a live lease or claim, who look on or are on duty. Values: origin, now.
pub const WORKERS: &str = concat!(
    "SELECT lease_worker AS worker FROM cases WHERE ",
    of_origin!(),
    " AND lease_worker IS NOT NULL AND lease_until > $2 \
     UNION SELECT claim_worker AS worker FROM decisions WHERE ",
    of_origin!(),
    " AND claim_worker IS NOT NULL AND claim_until > $2 \
     UNION SELECT worker FROM watchers WHERE ",
    of_origin!(),
    " AND until > $2 UNION SELECT worker FROM duties WHERE ",
    of_origin!(),
    " AND until > $2"
);

/// Who looks at a case that they do not have. Values: origin, now.
pub const WATCHERS: &str = concat!(
    "SELECT key, worker, reviewer, name, until FROM watchers WHERE ",
    of_origin!(),
    " AND until > $2 ORDER BY until, worker"
);

/// What a console looks at. Values: origin, worker, now.
pub const WATCHED: &str =
    concat!("SELECT key FROM watchers WHERE ", of_origin!(), " AND worker = $2 AND until > $3");

/// Forgets those who looked on and died. Values: origin, now.
pub const FORGET_WATCHERS: &str =
    concat!("DELETE FROM watchers WHERE ", of_origin!(), " AND until <= $2");

/// Notes what a console looks at. Values: origin, key, worker, reviewer, name, until.
pub const WATCH: &str = "INSERT INTO watchers (origin, key, worker, reviewer, name, until) \
    SELECT o.id, $2, $3, $4, $5, $6 FROM origins o WHERE o.name = $1 \
    ON CONFLICT (origin, worker) DO UPDATE SET key = excluded.key, \
    reviewer = excluded.reviewer, name = excluded.name, until = excluded.until";

/// Ends a console's look. Values: origin, worker.
pub const LOOK_AWAY: &str =
    concat!("DELETE FROM watchers WHERE ", of_origin!(), " AND worker = $2");

/// Ends a worker's leases. Values: origin, worker.
pub const BURY_LEASES: &str = concat!(
    "UPDATE cases SET lease_worker = NULL, lease_reviewer = NULL, \
     lease_name = NULL, lease_until = NULL WHERE ",
    of_origin!(),
    " AND lease_worker = $2"
);

/// Ends a worker's claims. Values: origin, worker.
pub const BURY_CLAIMS: &str = concat!(
    "UPDATE decisions SET state = 'unknown', claim_worker = NULL, claim_until = NULL WHERE ",
    of_origin!(),
    " AND claim_worker = $2"
);

/// The first free case of one state behind a place; those that somebody else is taking are passed
/// over. Values: origin, place, key, now, filter.
pub fn next_free(tx: &Tx, query: &QueueQuery, state: CaseState) -> String {
    let (_, passes) = parts(query, 5);
    let (of_origin, word, claim) = (of_origin!(), state.word(), tx.claim());
    format!(
        "SELECT c.* FROM cases c WHERE c.{of_origin} AND c.state = '{word}' \
         AND (c.place, c.key) > ($2, $3) \
         AND (c.lease_until IS NULL OR c.lease_until <= $4){passes} \
         ORDER BY c.place, c.key LIMIT 1{claim}"
    )
}
