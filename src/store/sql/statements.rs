//! Every statement of the verbs, with the values it takes in their order. They are made for the
//! indexes of `assets/migrations`: at a million cases none of them walks through a table, which the
//! tests below ask the database itself.

use std::collections::BTreeSet;

use super::engine::Tx;
use crate::domain::{CaseState, DeliveryState};
use crate::store::{HistoryQuery, QueueQuery};

/// The origin that `$1` names.
macro_rules! of_origin {
    () => {
        "origin = (SELECT o.id FROM origins o WHERE o.name = $1)"
    };
}
/// The newest decision of the case `c` that was not undone.
macro_rules! newest {
    () => {
        "(SELECT max(n.seq) FROM decisions n WHERE n.case_id = c.id AND n.state <> 'undone')"
    };
}
/// Its columns, from `d`.
macro_rules! newest_columns {
    () => {
        "d.id AS newest_id, d.disposition AS newest_disposition, d.state AS newest_state, \
         d.settled_at AS newest_settled_at, \
         CASE WHEN d.state = 'proposed' THEN d.record END AS newest_proposal"
    };
}
/// The decisions in the outbox, in the words of their index.
macro_rules! is_open {
    () => {
        "state IN ('held', 'sending', 'unknown')"
    };
}

/// What a filter asks of a case: that its key or its number is another one without the text. Both
/// databases know `replace`; they have no common word for "contains".
const PASSES: &str = " AND (replace(c.key, $FILTER, '') <> c.key \
                      OR replace(c.session_number, $FILTER, '') <> c.session_number)";

/// Makes an origin known. Value: origin.
pub const ADD_ORIGIN: &str = "INSERT INTO origins (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";

/// Puts a case in; brings a row when it was not there. Values: origin, key, number, kind, record, state, place, seen at, fence.
pub const ADD_CASE: &str = "INSERT INTO cases \
    (origin, key, session_number, kind, record, state, place, seen_at, fence) \
    SELECT o.id, $2, $3, $4, $5, $6, $7, $8, $9 FROM origins o WHERE o.name = $1 \
    ON CONFLICT (origin, key) DO NOTHING RETURNING origin";

/// Saves a case. Values: its number, session number, kind, record, state, place, note, seen at, the
/// decision that must be replaced, the readings.
pub const SAVE_CASE: &str = "UPDATE cases SET session_number = $2, kind = $3, record = $4, \
    state = $5, place = $6, note = $7, seen_at = $8, must_replace = $9, \
    readings = $10 WHERE id = $1";

/// Saves a lease. Values: the case's number, fence, worker, reviewer, name, until.
pub const SAVE_LEASE: &str = "UPDATE cases SET fence = $2, lease_worker = $3, \
    lease_reviewer = $4, lease_name = $5, lease_until = $6 WHERE id = $1";

/// Puts a decision in. Values: the case's number, id, reviewer, disposition, record, what the case
/// was, state, due, attempts, fence, settled at.
pub const ADD_DECISION: &str = "INSERT INTO decisions (origin, case_id, id, reviewer, disposition, \
    record, case_was, state, due, attempts, fence, settled_at, \
    may_have_written, status_done, listed, noted) \
    SELECT c.origin, c.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, 0 \
    FROM cases c WHERE c.id = $1";

/// Saves a decision. Values: its number, state, due, attempts, fence, claiming worker, until, the
/// four flags of progress, note, settled at, writes, when Didit said yes.
pub const SAVE_DECISION: &str = "UPDATE decisions SET state = $2, due = $3, attempts = $4, \
    fence = $5, claim_worker = $6, claim_until = $7, may_have_written = $8, status_done = $9, \
    listed = $10, noted = $11, note = $12, settled_at = $13, writes = $14, answered_at = $15 \
    WHERE seq = $1";

/// One case. Values: origin, key.
pub const CASE: &str = concat!("SELECT c.* FROM cases c WHERE c.", of_origin!(), " AND c.key = $2");

/// One case with its newest decision. Values: origin, key.
pub const CASE_SHOWN: &str = concat!(
    "SELECT c.*, ",
    newest_columns!(),
    " FROM cases c LEFT JOIN decisions d ON d.seq = ",
    newest!(),
    " WHERE c.",
    of_origin!(),
    " AND c.key = $2"
);

/// The case of a decision. Values: origin, the decision's id.
pub const CASE_OF: &str = concat!(
    "SELECT c.* FROM cases c WHERE c.id = (SELECT d.case_id FROM decisions d WHERE d.",
    of_origin!(),
    " AND d.id = $2)"
);

/// The case of a decision. Value: the decision's number.
pub const CASE_AT: &str =
    "SELECT c.* FROM cases c WHERE c.id = (SELECT d.case_id FROM decisions d WHERE d.seq = $1)";

/// One decision. Value: its number.
pub const DECISION_AT: &str = "SELECT d.* FROM decisions d WHERE d.seq = $1";

/// Whether a later decision about a case stands. Values: the case's number, the decision's.
pub const LATER: &str = "SELECT count(*) AS n FROM decisions d WHERE d.case_id = $1 AND d.seq > $2 \
    AND d.state <> 'undone'";

/// Claims a decision that cannot be read, so that it goes the outbox's way. Value: its number.
pub const CLAIM_UNREAD: &str =
    "UPDATE decisions SET state = 'sending' WHERE seq = $1 AND state IN ('held', 'unknown')";

/// Ends a decision that cannot be read. Values: its number, note, settled at.
pub const PARK: &str = "UPDATE decisions SET state = 'refused', claim_worker = NULL, \
    claim_until = NULL, note = $2, settled_at = $3 WHERE seq = $1";

/// Decisions one after another. Values: origin, after which place, how many.
pub const DECISIONS: &str = concat!(
    "SELECT d.* FROM decisions d WHERE d.",
    of_origin!(),
    " AND d.seq > $2 ORDER BY d.seq LIMIT $3"
);

/// Cases one after another, by their numbers: the sign keeps the index of the origin out, which has another
/// order. Values: origin, after which number, how many.
pub const CASES: &str = concat!(
    "SELECT c.* FROM cases c WHERE +c.",
    of_origin!(),
    " AND c.id > $2 ORDER BY c.id LIMIT $3"
);

/// Entries of the audit from the lowest place on, what they are kept under too. Values: origin, from which
/// place, how many.
pub const ENTRIES: &str = concat!(
    "SELECT seq, entry, hash, decision FROM audit WHERE ",
    of_origin!(),
    " AND seq > $2 ORDER BY seq LIMIT $3"
);

/// The newest decision of a case. Value: the case's number.
pub const NEWEST: &str = concat!(
    "SELECT ",
    newest_columns!(),
    " FROM decisions d WHERE d.case_id = $1 AND d.state <> 'undone' ORDER BY d.seq DESC LIMIT 1"
);

/// One decision. Values: origin, id.
pub const DECISION: &str =
    concat!("SELECT d.* FROM decisions d WHERE d.", of_origin!(), " AND d.id = $2");

/// Waiting workflow cases that no listing showed. Values: origin, since when, limit.
pub const UNSEEN: &str = concat!(
    "SELECT key FROM cases WHERE ",
    of_origin!(),
    " AND kind = 'workflow' AND state IN ('open', 'escalated', 'left') \
     AND seen_at < $2 ORDER BY place, key LIMIT $3"
);

/// How many cases stand where. Value: origin.
pub const TALLY: &str = concat!("SELECT state, n FROM tallies WHERE ", of_origin!());

/// Counts a case in or out. Values: the origin's number, state, 1 or -1.
pub const RECOUNT: &str = "INSERT INTO tallies (origin, state, n) VALUES ($1, $2, $3) \
    ON CONFLICT (origin, state) DO UPDATE SET n = tallies.n + excluded.n";

/// Workers with a live lease or claim, who look on or are on duty. Value: now.
pub const WORKERS: &str = "SELECT lease_worker AS worker FROM cases \
    WHERE lease_worker IS NOT NULL AND lease_until > $1 \
    UNION SELECT claim_worker AS worker FROM decisions \
    WHERE claim_worker IS NOT NULL AND claim_until > $1 \
    UNION SELECT worker FROM watchers WHERE until > $1 \
    UNION SELECT worker FROM duties WHERE until > $1";

/// Who looks at a case that they do not have. Values: origin, now.
pub const WATCHERS: &str = concat!(
    "SELECT key, worker, reviewer, name, until FROM watchers WHERE ",
    of_origin!(),
    " AND until > $2 ORDER BY until, worker"
);

/// What a console looks at. Values: worker, now.
pub const WATCHED: &str = "SELECT key FROM watchers WHERE worker = $1 AND until > $2";

/// Forgets those who looked on and died. Values: origin, now.
pub const FORGET_WATCHERS: &str =
    concat!("DELETE FROM watchers WHERE ", of_origin!(), " AND until <= $2");

/// Notes what a console looks at. Values: origin, key, worker, reviewer, name, until.
pub const WATCH: &str = "INSERT INTO watchers (origin, key, worker, reviewer, name, until) \
    SELECT o.id, $2, $3, $4, $5, $6 FROM origins o WHERE o.name = $1 \
    ON CONFLICT (worker) DO UPDATE SET origin = excluded.origin, key = excluded.key, \
    reviewer = excluded.reviewer, name = excluded.name, until = excluded.until";

/// Ends a console's look. Value: worker.
pub const LOOK_AWAY: &str = "DELETE FROM watchers WHERE worker = $1";

/// Ends a dead console's duty. Value: worker.
pub const BURY_DUTY: &str = "DELETE FROM duties WHERE worker = $1";

/// Takes a duty on, or keeps it; brings a row when it is ours then. Values: origin, worker, until, now.
pub const TAKE_DUTY: &str = "INSERT INTO duties (origin, worker, until) \
    SELECT o.id, $2, $3 FROM origins o WHERE o.name = $1 \
    ON CONFLICT (origin) DO UPDATE SET worker = excluded.worker, until = excluded.until \
    WHERE duties.worker = excluded.worker OR duties.until <= $4 RETURNING origin";

/// Gives a duty up. Values: origin, worker.
pub const LEAVE_DUTY: &str = concat!("DELETE FROM duties WHERE ", of_origin!(), " AND worker = $2");

/// Begins the budget of an origin. Values: origin, verb, record.
pub const BEGIN_BUDGET: &str = "INSERT INTO budgets (origin, verb, record) \
    SELECT o.id, $2, $3 FROM origins o WHERE o.name = $1 ON CONFLICT (origin, verb) DO NOTHING";

/// A budget. Values: origin, verb.
pub const BUDGET: &str =
    concat!("SELECT b.record FROM budgets b WHERE b.", of_origin!(), " AND b.verb = $2");

/// Saves a budget. Values: origin, verb, record.
pub const SAVE_BUDGET: &str =
    concat!("UPDATE budgets SET record = $3 WHERE ", of_origin!(), " AND verb = $2");

/// Ends a worker's leases. Value: worker.
pub const BURY_LEASES: &str = "UPDATE cases SET lease_worker = NULL, lease_reviewer = NULL, \
    lease_name = NULL, lease_until = NULL WHERE lease_worker = $1";

/// Ends a worker's claims. Value: worker.
pub const BURY_CLAIMS: &str = "UPDATE decisions SET state = 'unknown', claim_worker = NULL, \
    claim_until = NULL WHERE claim_worker = $1";

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

/// What was done to the roster. Value: origin.
pub const ACTS: &str = concat!(
    "SELECT a.seq, a.done_at, a.doer, a.act, a.signature, a.role, e.entry, b.entry AS before \
     FROM acts a LEFT JOIN audit e ON e.origin = a.origin AND e.seq = a.seq \
     LEFT JOIN audit b ON b.origin = a.origin AND b.seq = a.seq - 1 WHERE a.",
    of_origin!(),
    " ORDER BY a.seq"
);

/// Notes what is done to the roster. Values: origin, place, when, who, act, signature.
pub const ADD_ACT: &str = "INSERT INTO acts (origin, seq, done_at, doer, act, signature) \
    SELECT o.id, $2, $3, $4, $5, $6 FROM origins o WHERE o.name = $1";

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

/// The state words of a query, each once, and the condition that its filter adds, with the filter at
/// the placeholder `at`.
fn parts(query: &QueueQuery, at: usize) -> (Vec<&'static str>, String) {
    let mut words: Vec<_> = query.states.iter().map(|state| state.word()).collect();
    words.sort_unstable();
    words.dedup();
    let passes = match query.filter.as_str() {
        "" => String::new(),
        _ => PASSES.replace("$FILTER", &format!("${at}")),
    };
    (words, passes)
}

/// Words of ours as a list: nothing from outside gets here.
fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}

/// One page. An arm a state: each walks the index in the queue's order, and they are merged, so
/// that nothing is sorted however long the queue is. Values: origin, limit, offset, filter.
pub fn page(tx: &Tx, query: &QueueQuery) -> String {
    let (words, passes) = parts(query, 4);
    let (of_origin, newest, columns) = (of_origin!(), newest!(), newest_columns!());
    // SQLite sees by itself that the index has the order; PostgreSQL has to be asked in each arm.
    let (begin, end) = match tx {
        Tx::Sqlite(_) => ("", ""),
        Tx::Postgres(_) => ("SELECT * FROM (", " ORDER BY place, key LIMIT $2 + $3) AS arm"),
    };
    let arm = |word| {
        format!(
            "{begin}SELECT c.id, c.place, c.key FROM cases c \
             WHERE c.{of_origin} AND c.state = '{word}'{passes}{end}"
        )
    };
    let arms: Vec<_> = words.into_iter().map(arm).collect();
    format!(
        "WITH page AS ({} ORDER BY place, key LIMIT $2 OFFSET $3) \
         SELECT c.*, {columns} FROM page p JOIN cases c ON c.id = p.id \
         LEFT JOIN decisions d ON d.seq = {newest} ORDER BY p.place, p.key",
        arms.join(" UNION ALL ")
    )
}

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

/// What is known of some listed keys. Values: origin, the keys.
pub fn listed(tx: &Tx, keys: usize) -> String {
    let (of_origin, newest, lock, keys) =
        (of_origin!(), newest!(), tx.lock("c"), placeholders(keys));
    // In the order of the rows, so that two who touch the same ones do not lock each other out.
    format!(
        "SELECT c.key, c.state, c.kind, d.settled_at FROM cases c \
         LEFT JOIN decisions d ON d.seq = {newest} \
         WHERE c.{of_origin} AND c.key IN ({keys}) ORDER BY c.id{lock}"
    )
}

/// Marks listed keys as seen. Values: origin, the keys, now.
pub fn seen(keys: usize) -> String {
    let (of_origin, now, keys) = (of_origin!(), keys + 2, placeholders(keys));
    format!("UPDATE cases SET seen_at = ${now} WHERE {of_origin} AND key IN ({keys})")
}

/// As many placeholders, from `$2` on.
fn placeholders(keys: usize) -> String {
    (2..keys + 2).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ")
}

/// The entries about a case, found by what they say: what stands beside them could be bent. Values: origin,
/// the case's key.
pub fn audit_of(tx: &Tx) -> String {
    let (of_origin, case) = (of_origin!(), tx.case_of_entry());
    format!("SELECT seq, entry, hash FROM audit WHERE {of_origin} AND {case} = $2 ORDER BY seq")
}

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

/// Decisions, newest first. Values: origin, limit, the case's key, the decision's id.
pub fn history(query: &HistoryQuery) -> String {
    let (of_origin, is_open) = (of_origin!(), is_open!());
    let mut sql = format!("SELECT d.* FROM decisions d WHERE d.{of_origin}");
    if !query.states.is_empty() {
        let states = quoted(query.states.iter().map(|state| state.word()));
        sql += &format!(" AND d.state IN ({states})");
        // What is on its way is found without a walk through all that ever was.
        if query.states.iter().all(|state| state.is_open()) {
            sql += &format!(" AND d.{is_open}");
        }
    }
    let mut last = 2;
    if query.case.is_some() {
        last += 1;
        sql += " AND d.case_id = (SELECT c.id FROM cases c ";
        sql += &format!("WHERE c.{of_origin} AND c.key = ${last})");
    }
    if query.decision.is_some() {
        last += 1;
        sql += &format!(" AND d.id = ${last}");
    }
    sql + " ORDER BY d.seq DESC LIMIT $2"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DecisionId, SessionId};
    use crate::store::sql::engine::args;
    use crate::store::{Result, SqlStore};

    /// How SQLite means to answer a statement, one step a line.
    async fn plan(tx: &mut Tx, sql: &str) -> String {
        let steps = tx.rows(format!("EXPLAIN QUERY PLAN {sql}"), args![]).await.unwrap();
        let steps: Vec<_> = steps.iter().map(|row| row.text("detail").unwrap()).collect();
        steps.join("\n")
    }

    fn queries() -> Vec<QueueQuery> {
        let some = [CaseState::Open, CaseState::Escalated];
        let mut queries = Vec::new();
        for states in [&some[..1], &some] {
            for filter in ["", "4821"] {
                let filter = filter.to_owned();
                queries.push(QueueQuery { states: states.to_vec(), filter, offset: 0, limit: 9 });
            }
        }
        queries
    }

    fn histories() -> Vec<HistoryQuery> {
        let all = HistoryQuery::default();
        vec![
            all.clone(),
            HistoryQuery { states: vec![DeliveryState::Unknown], ..all.clone() },
            HistoryQuery { case: SessionId::parse("a").ok(), ..all.clone() },
            HistoryQuery { decision: Some(DecisionId(uuid::Uuid::nil())), ..all },
        ]
    }

    #[tokio::test]
    async fn no_statement_walks_through_a_table() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = SqlStore::sqlite(&folder.path().join("queue.db")).await.unwrap();
        store.engine.write(walks).await.unwrap();
    }

    async fn walks(tx: &mut Tx) -> Result<()> {
        let fixed = [
            ADD_ORIGIN,
            RECOUNT,
            ADD_CASE,
            SAVE_CASE,
            SAVE_LEASE,
            ADD_DECISION,
            SAVE_DECISION,
            CASE,
            CASE_SHOWN,
            NEWEST,
            DECISION,
            UNSEEN,
            TALLY,
            WORKERS,
            WATCHERS,
            WATCHED,
            FORGET_WATCHERS,
            WATCH,
            LOOK_AWAY,
            TAKE_DUTY,
            LEAVE_DUTY,
            BEGIN_BUDGET,
            BUDGET,
            SAVE_BUDGET,
            BURY_LEASES,
            BURY_CLAIMS,
            REWIND_HELD,
            SEND_NOW,
            NEXT_DUE,
            BEGIN_AUDIT,
            AUDIT_HEAD,
            AUDIT_NEXT,
            CASE_OF,
            CASE_AT,
            DECISION_AT,
            LATER,
            CLAIM_UNREAD,
            PARK,
            DECISIONS,
            CASES,
            ENTRIES,
            ADD_AUDIT,
            MOVE_AUDIT_HEAD,
            AUDIT,
            AUDIT_AT,
            ADD_ACT,
            ADD_PROOF,
            KEPT,
            KEPT_ALL,
            SIGN,
            SAW_WORKFLOW,
            SIGNATURES,
        ];
        let mut all: Vec<_> = fixed.map(str::to_owned).into();
        let none = BTreeSet::new();
        all.extend([audit_of(tx), ACTS.to_owned(), last_place(), listed(tx, 3), seen(3)]);
        all.push(take(tx, &none));
        all.extend(histories().iter().map(history));
        for query in &queries() {
            all.extend([page(tx, query), total(query), place(query), before(query)]);
            all.push(next_free(tx, query, CaseState::Open));
        }
        // What may be walked through: results of the statement itself, and the indexes and tables that
        // hold a row a console at most.
        let small = ["SCAN p", "SCAN page", "SCAN ends", "SCAN (", "SCAN CONSTANT"];
        let live = ["cases_leased", "decisions_claimed", "SCAN watchers", "SCAN duties"];
        // What is counted or listed whole, of one origin.
        let whole = [TALLY.to_owned(), ACTS.to_owned(), history(&HistoryQuery::default())];
        for sql in all {
            let plan = plan(tx, &sql).await;
            for step in plan.lines().filter(|step| step.starts_with("SCAN")) {
                let short = small.iter().any(|s| step.starts_with(s));
                assert!(short || live.iter().any(|s| step.contains(s)), "{sql}\n{plan}");
            }
            // A search by nothing but the origin is a walk as well.
            let mut steps = plan.lines().filter(|step| !step.contains("decisions_o"));
            let walk = steps.any(|step| step.ends_with("(origin=?)"));
            assert!(!walk || whole.contains(&sql), "{sql}\n{plan}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_order_of_the_queue_and_the_outbox_is_never_sorted() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = SqlStore::sqlite(&folder.path().join("queue.db")).await.unwrap();
        store.engine.write(sorts).await.unwrap();
    }

    async fn sorts(tx: &mut Tx) -> Result<()> {
        let mut ordered: Vec<_> = queries().iter().map(|query| page(tx, query)).collect();
        ordered.extend(queries().iter().map(|query| next_free(tx, query, CaseState::Open)));
        for sql in ordered.into_iter().chain([take(tx, &BTreeSet::new())]) {
            let plan = plan(tx, &sql).await;
            // The page itself, at most `limit` rows, is put in order once more.
            let sorts = plan.lines().filter(|step| step.contains("TEMP B-TREE")).count();
            let is_page = sql.starts_with("WITH");
            assert!(sorts <= usize::from(is_page), "{sql}\n{plan}");
            assert!(!is_page || plan.contains("cases_queue"), "{sql}\n{plan}");
        }
        for query in &queries() {
            for sql in [page(tx, query), before(query)] {
                let plan = plan(tx, &sql).await;
                assert!(plan.contains("USING COVERING INDEX cases_queue"), "{sql}\n{plan}");
            }
        }
        Ok(())
    }
}
