//! Statements about the roster, duties and budgets.

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

/// What was done to the roster. Value: origin.
pub const ACTS: &str = concat!(
    "SELECT a.seq, a.done_at, a.doer, a.act, a.signature, a.role, e.entry, b.entry AS before \
     FROM acts a LEFT JOIN audit e ON e.origin = a.origin AND e.seq = a.seq \
     LEFT JOIN audit b ON b.origin = a.origin AND b.seq = a.seq - 1 WHERE a.",
    of_origin!(),
    " ORDER BY a.seq"
);

/// By what a roster of another origin began, if there is one. Value: origin.
pub const ELSEWHERE: &str = "SELECT 1 AS n FROM acts a JOIN origins o ON o.id = a.origin \
    WHERE o.name <> $1 AND a.act NOT LIKE '{\"act\":\"adopt\"%' LIMIT 1";

/// Notes what is done to the roster. Values: origin, place, when, who, act, signature.
pub const ADD_ACT: &str = "INSERT INTO acts (origin, seq, done_at, doer, act, signature) \
    SELECT o.id, $2, $3, $4, $5, $6 FROM origins o WHERE o.name = $1";
