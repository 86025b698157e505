//! Statements about cases.

use super::super::engine::Tx;
use super::{parts, placeholders, quoted};
use crate::domain::CaseState;
use crate::store::QueueQuery;

/// Puts a case in; brings a row when it was not there. Values: origin, key, number, kind, record, state, place, seen at, fence.
pub fn add_case(tx: &Tx) -> String {
    // A server counts by itself; a file has one writer, and counts for each origin.
    let (id, next) = match tx {
        Tx::Sqlite(_) => {
            ("id, ", "(SELECT coalesce(max(n.id), 0) + 1 FROM cases n WHERE n.origin = o.id), ")
        }
        Tx::Postgres(_) => ("", ""),
    };
    format!(
        "INSERT INTO cases \
         ({id}origin, key, session_number, kind, record, state, place, seen_at, fence) \
         SELECT {next}o.id, $2, $3, $4, $5, $6, $7, $8, $9 FROM origins o WHERE o.name = $1 \
         ON CONFLICT (origin, key) DO NOTHING RETURNING origin"
    )
}

/// Saves a case. Values: its number, session number, kind, record, state, place, note, seen at, the
/// decision that must be replaced, the readings, the origin's number.
pub const SAVE_CASE: &str = "UPDATE cases SET session_number = $2, kind = $3, record = $4, \
    state = $5, place = $6, note = $7, seen_at = $8, must_replace = $9, \
    readings = $10 WHERE origin = $11 AND id = $1";

/// One case. Values: origin, key.
pub const CASE: &str = concat!("SELECT c.* FROM cases c WHERE c.", of_origin!(), " AND c.key = $2");

/// One case with its newest decision. Values: origin, key.
pub const CASE_SHOWN: &str = concat!(
    "SELECT c.*, ",
    newest_columns!(),
    " FROM cases c LEFT JOIN decisions d ON d.origin = c.origin AND d.seq = ",
    newest!(),
    " WHERE c.",
    of_origin!(),
    " AND c.key = $2"
);

/// Cases one after another, by their numbers. Values: origin, after which number, how many.
pub const CASES: &str = concat!(
    "SELECT c.* FROM cases c WHERE c.",
    of_origin!(),
    " AND c.id > $2 ORDER BY c.id LIMIT $3"
);

/// Where a case stands, whatever its state. Values: origin, key.
pub const PLACE: &str =
    concat!("SELECT c.place FROM cases c WHERE c.", of_origin!(), " AND c.key = $2");

/// Waiting workflow cases that no listing showed, those first that were shown longest ago. Values: origin, since
/// when, limit.
pub const UNSEEN: &str = concat!(
    "SELECT key FROM cases WHERE ",
    of_origin!(),
    " AND kind = 'workflow' AND state IN ('open', 'escalated', 'left') \
     AND seen_at < $2 ORDER BY seen_at, place, key LIMIT $3"
);

/// How many cases stand where. Value: origin.
pub const TALLY: &str = concat!("SELECT state, n FROM tallies WHERE ", of_origin!());

/// Counts a case in or out. Values: the origin's number, state, 1 or -1.
pub const RECOUNT: &str = "INSERT INTO tallies (origin, state, n) VALUES ($1, $2, $3) \
    ON CONFLICT (origin, state) DO UPDATE SET n = tallies.n + excluded.n";

/// Which part of the queue a statement brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first rows.
    First,
    /// Those behind a place.
    Behind,
    /// Those from a place on, the one that stands there too.
    On,
    /// Those before a place, the nearest first.
    Back,
    /// The last rows, the last one first.
    Last,
}

/// One page. An arm a state: each walks the index in the queue's order, and they are merged, so
/// that nothing is sorted however long the queue is. Values: origin, limit; place and key where the part has
/// them; filter.
pub fn page(tx: &Tx, query: &QueueQuery, part: Part) -> String {
    let (placed, order) = match part {
        Part::First => ("", ""),
        Part::Behind => (" AND (c.place, c.key) > ($3, $4)", ""),
        Part::On => (" AND (c.place, c.key) >= ($3, $4)", ""),
        Part::Back => (" AND (c.place, c.key) < ($3, $4)", " DESC"),
        Part::Last => ("", " DESC"),
    };
    let (words, passes) = parts(query, if placed.is_empty() { 3 } else { 5 });
    let (of_origin, newest, columns) = (of_origin!(), newest!(), newest_columns!());
    let order = format!("place{order}, key{order}");
    // SQLite sees by itself that the index has the order; PostgreSQL has to be asked in each arm.
    let (begin, end) = match tx {
        Tx::Sqlite(_) => ("", String::new()),
        Tx::Postgres(_) => ("SELECT * FROM (", format!(" ORDER BY {order} LIMIT $2) AS arm")),
    };
    let arm = |word| {
        format!(
            "{begin}SELECT c.id, c.place, c.key FROM cases c \
             WHERE c.{of_origin} AND c.state = '{word}'{placed}{passes}{end}"
        )
    };
    let arms: Vec<_> = words.into_iter().map(arm).collect();
    // SQLite begins with what stands before CROSS JOIN, and would begin with all cases otherwise; PostgreSQL would
    // read all decisions.
    let newest = match tx {
        Tx::Sqlite(_) => format!("decisions d ON d.origin = c.origin AND d.seq = {newest}"),
        Tx::Postgres(_) => "LATERAL (SELECT n.* FROM decisions n WHERE n.origin = c.origin \
             AND n.case_id = c.id AND n.state <> 'undone' ORDER BY n.seq DESC LIMIT 1) d ON TRUE"
            .to_owned(),
    };
    format!(
        "WITH page AS ({} ORDER BY {order} LIMIT $2) \
         SELECT c.*, {columns} FROM page p CROSS JOIN cases c \
         LEFT JOIN {newest} WHERE c.{of_origin} AND c.id = p.id ORDER BY p.place, p.key",
        arms.join(" UNION ALL ")
    )
}

/// How many a query holds, in parts to be added. Only with a filter they have to be counted.
/// Values: origin, filter.
pub fn total(query: &QueueQuery) -> String {
    let (words, passes) = parts(query, 2);
    let (of_origin, states) = (of_origin!(), quoted(words));
    if passes.is_empty() {
        return format!("SELECT n FROM tallies WHERE {of_origin} AND state IN ({states})");
    }
    format!(
        "SELECT count(*) AS n FROM cases c WHERE c.{of_origin} AND c.state IN ({states}){passes}"
    )
}

/// The place of a case that a query holds. Values: origin, key, filter.
pub fn place(query: &QueueQuery) -> String {
    let (words, passes) = parts(query, 3);
    let (of_origin, states) = (of_origin!(), quoted(words));
    format!(
        "SELECT c.place FROM cases c \
         WHERE c.{of_origin} AND c.key = $2 AND c.state IN ({states}){passes}"
    )
}

/// How many of a query come before a place, one row a state. Values: origin, place, key, filter.
pub fn before(query: &QueueQuery) -> String {
    let (words, passes) = parts(query, 4);
    let of_origin = of_origin!();
    let arm = |word| {
        format!(
            "SELECT count(*) AS n FROM cases c WHERE c.{of_origin} AND c.state = '{word}' \
             AND (c.place, c.key) < ($2, $3){passes}"
        )
    };
    words.into_iter().map(arm).collect::<Vec<_>>().join(" UNION ALL ")
}

/// How many of a query come before a place or from it on, one row a state, counted no further than to a limit.
/// Values: origin, place, key, limit, filter.
pub fn near(query: &QueueQuery, part: Part) -> String {
    let (words, passes) = parts(query, 5);
    let of_origin = of_origin!();
    let side = match part {
        Part::Back => "<",
        Part::First | Part::Behind | Part::On | Part::Last => ">=",
    };
    let arm = |word| {
        format!(
            "SELECT count(*) AS n FROM (SELECT 1 AS one FROM cases c WHERE c.{of_origin} \
             AND c.state = '{word}' AND (c.place, c.key) {side} ($2, $3){passes} LIMIT $4) AS near"
        )
    };
    words.into_iter().map(arm).collect::<Vec<_>>().join(" UNION ALL ")
}

/// The first and the last place of a query's states. Value: origin.
pub fn ends(query: &QueueQuery) -> String {
    let (words, _) = parts(query, 2);
    let of_origin = of_origin!();
    let arm = |word| {
        let from = format!("FROM cases c WHERE c.{of_origin} AND c.state = '{word}'");
        format!(
            "SELECT (SELECT min(c.place) {from}) AS first, (SELECT max(c.place) {from}) AS last"
        )
    };
    let arms = words.into_iter().map(arm).collect::<Vec<_>>().join(" UNION ALL ");
    format!("SELECT min(first) AS first, max(last) AS last FROM ({arms}) AS ends")
}

/// The last place of the cases that wait. Value: origin.
pub fn last_place() -> String {
    let of_origin = of_origin!();
    let arm = |state: CaseState| {
        let word = state.word();
        format!("SELECT max(place) AS last FROM cases WHERE {of_origin} AND state = '{word}'")
    };
    let arms = [CaseState::Open, CaseState::Escalated, CaseState::Left].map(arm);
    format!("SELECT max(last) AS last FROM ({}) AS ends", arms.join(" UNION ALL "))
}

/// Some cases. Values: origin, the keys.
pub fn some(keys: usize) -> String {
    let (of_origin, keys) = (of_origin!(), placeholders(keys));
    format!("SELECT c.* FROM cases c WHERE c.{of_origin} AND c.key IN ({keys})")
}

/// What is known of some listed keys. Values: origin, the keys.
pub fn listed(tx: &Tx, keys: usize) -> String {
    let (of_origin, newest, lock, keys) =
        (of_origin!(), newest!(), tx.lock("c"), placeholders(keys));
    // In the order of the rows, so that two who touch the same ones do not lock each other out.
    format!(
        "SELECT c.key, c.state, c.kind, d.settled_at FROM cases c \
         LEFT JOIN decisions d ON d.origin = c.origin AND d.seq = {newest} \
         WHERE c.{of_origin} AND c.key IN ({keys}) ORDER BY c.key{lock}"
    )
}

/// Marks listed keys as seen. Values: origin, the keys, now.
pub fn seen(keys: usize) -> String {
    let (of_origin, now, keys) = (of_origin!(), keys + 2, placeholders(keys));
    format!("UPDATE cases SET seen_at = ${now} WHERE {of_origin} AND key IN ({keys})")
}
