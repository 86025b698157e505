//! Statements about the audit and its signatures.

use super::super::engine::Tx;

/// Entries of the audit from the lowest place on, what they are kept under too. Values: origin, from which
/// place, how many.
pub const ENTRIES: &str = concat!(
    "SELECT seq, entry, hash, decision FROM audit WHERE ",
    of_origin!(),
    " AND seq > $2 ORDER BY seq LIMIT $3"
);

/// Begins the audit of an origin. Value: origin.
pub const BEGIN_AUDIT: &str = "INSERT INTO audit_heads (origin, seq, hash) \
    SELECT o.id, 0, '' FROM origins o WHERE o.name = $1 ON CONFLICT (origin) DO NOTHING";

/// Where the audit ends, and whether an entry stands where the next one has to go. Value: origin.
pub const AUDIT_NEXT: &str = concat!(
    "SELECT h.seq, h.hash, a.seq AS next FROM audit_heads h LEFT JOIN audit a ON a.origin = h.origin \
     AND a.seq = CASE WHEN h.seq < 9223372036854775807 THEN h.seq + 1 END WHERE h.",
    of_origin!()
);

/// Where the audit ends. Value: origin.
pub const AUDIT_HEAD: &str =
    concat!("SELECT h.seq, h.hash FROM audit_heads h WHERE h.", of_origin!());

/// Adds an entry to the audit. Values: origin, place, entry, hash, the decision that it is about.
pub const ADD_AUDIT: &str = "INSERT INTO audit (origin, seq, entry, hash, decision) \
    SELECT o.id, $2, $3, $4, $5 FROM origins o WHERE o.name = $1";

/// One entry. Values: origin, place.
pub const AUDIT_AT: &str =
    concat!("SELECT seq, entry, hash FROM audit WHERE ", of_origin!(), " AND seq = $2");

/// Lays a signature beside a decision. Values: origin, the decision's id, when, signature.
pub const ADD_PROOF: &str = "INSERT INTO proofs (origin, decision, made_at, signature) \
    SELECT o.id, $2, $3, $4 FROM origins o WHERE o.name = $1";

/// What a decision is without being believed, from `d` and `p`.
macro_rules! kept_columns {
    () => {
        "d.seq, d.id, d.reviewer, d.disposition, d.state, d.case_was, d.record, \
         p.signature, p.made_at FROM decisions d \
         LEFT JOIN proofs p ON p.origin = d.origin AND p.decision = d.id"
    };
}

/// One decision with its signature. Values: origin, id.
pub const KEPT: &str =
    concat!("SELECT ", kept_columns!(), " WHERE d.", of_origin!(), " AND d.id = $2");

/// Decisions with their signatures. Values: origin, after which place, how many.
pub const KEPT_ALL: &str = concat!(
    "SELECT ",
    kept_columns!(),
    " WHERE d.",
    of_origin!(),
    " AND d.seq > $2 ORDER BY d.seq LIMIT $3"
);

/// Moves the end of the audit. Values: origin, place, hash.
pub const MOVE_AUDIT_HEAD: &str =
    concat!("UPDATE audit_heads SET seq = $2, hash = $3 WHERE ", of_origin!());

/// Entries of the audit. Values: origin, after which place, how many.
pub const AUDIT: &str = concat!(
    "SELECT seq, entry, hash FROM audit WHERE ",
    of_origin!(),
    " AND seq > $2 ORDER BY seq LIMIT $3"
);

/// Lays a signature beside an entry that has none. Values: origin, place, signature.
pub const SIGN: &str = concat!(
    "INSERT INTO audit_signatures (origin, seq, signature) SELECT a.origin, a.seq, $3 FROM audit a \
     WHERE a.",
    of_origin!(),
    " AND a.seq = $2 ON CONFLICT (origin, seq) DO NOTHING"
);

/// Signatures. Values: origin, after which place, how many.
pub const SIGNATURES: &str = concat!(
    "SELECT seq, signature FROM audit_signatures WHERE ",
    of_origin!(),
    " AND seq > $2 ORDER BY seq LIMIT $3"
);

/// The entries about a case, found by what they say: what stands beside them could be bent. Values: origin,
/// the case's key.
pub fn audit_of(tx: &Tx) -> String {
    let (of_origin, case) = (of_origin!(), tx.case_of_entry());
    format!("SELECT seq, entry, hash FROM audit WHERE {of_origin} AND {case} = $2 ORDER BY seq")
}

/// The entries about a decision, found by its case as the case's row names it. Values: origin, the decision's id.
/// With a column's affinity SQLite would not find the case by its index.
pub fn entries_of(tx: &Tx) -> String {
    let (of_origin, case) = (of_origin!(), tx.case_of_entry());
    format!(
        "SELECT seq, entry, hash FROM audit WHERE {of_origin} AND {case} = (SELECT c.key || '' FROM decisions d JOIN \
         cases c ON c.origin = d.origin AND c.id = d.case_id WHERE d.{of_origin} AND d.id = $2) \
         AND decision = $2"
    )
}
