//! Statements about figures: what the database counts with every change.

/// Cases by the best score of their candidates, in hundredths. Value: origin.
pub const SCORES: &str = concat!("SELECT score, n FROM scores WHERE ", of_origin!(), " AND n > 0");

/// Decisions counted by what is told of them. Value: origin.
pub const FIGURES: &str = concat!(
    "SELECT state, disposition, name, (made_at / 3600000) % 24 AS hour, count(*) AS n FROM figures WHERE ",
    of_origin!(),
    " AND stale = 0 GROUP BY state, disposition, name, (made_at / 3600000) % 24"
);

/// Decisions that have to be read themselves. Values: origin, behind which number, how many.
pub const STALE: &str = concat!(
    "SELECT d.* FROM figures f JOIN decisions d ON d.origin = f.origin AND d.seq = f.seq WHERE f.",
    of_origin!(),
    " AND f.stale = 1 AND f.seq > $2 ORDER BY f.seq LIMIT $3"
);

/// Cases that two people may have read. Value: origin.
pub const TWICE: &str = concat!(
    "SELECT case_id FROM figures WHERE ",
    of_origin!(),
    " AND (state <> 'undone' OR stale = 1) GROUP BY case_id \
     HAVING min(reviewer) <> max(reviewer) OR max(stale) = 1"
);

/// Cases whose newest decision that stands is a reading alone. Value: origin.
pub const OPEN_ROUNDS: &str = concat!(
    "SELECT c.key FROM figures f JOIN cases c ON c.origin = f.origin AND c.id = f.case_id WHERE f.",
    of_origin!(),
    " AND ((f.state = 'local' AND f.disposition = 'escalate') OR f.state = 'differs') \
     AND NOT EXISTS (SELECT 1 FROM decisions n WHERE n.origin = f.origin AND n.case_id = f.case_id \
     AND n.seq > f.seq AND n.state <> 'undone') ORDER BY c.key"
);

/// The decisions about some cases that stand. Values: origin, the cases' numbers.
pub fn about(cases: usize) -> String {
    let (of_origin, cases) = (of_origin!(), super::placeholders(cases));
    format!(
        "SELECT d.* FROM decisions d WHERE d.{of_origin} AND d.case_id IN ({cases}) AND d.state <> 'undone'"
    )
}

/// A decision was saved by the program: what is counted of it is so. In a file alone; a server sees that by
/// itself. Values: the origin's number, its own.
pub const FIGURED: &str = "UPDATE figures SET stale = 0 WHERE origin = $1 AND seq = $2 \
    AND made_at IS NOT NULL";

/// What is counted of times.
#[derive(Debug, Clone, Copy)]
pub enum Span {
    /// From both pictures to the key.
    Looked,
    /// From the session's beginning.
    Waited,
    /// To its end at Didit.
    Sent,
}

impl Span {
    fn column(self) -> &'static str {
        match self {
            Self::Looked => "looked",
            Self::Waited => "waited",
            Self::Sent => "sent",
        }
    }
}

/// How many spans there are of decisions that stand. Value: origin.
pub fn spans(of: Span) -> String {
    let (of_origin, column) = (of_origin!(), of.column());
    format!(
        "SELECT count({column}) AS n FROM figures WHERE {of_origin} AND stale = 0 AND state <> 'undone'"
    )
}

/// Some of them in their order. Values: origin, how many, how many smaller ones are passed over.
pub fn spans_from(of: Span) -> String {
    let (of_origin, column) = (of_origin!(), of.column());
    format!(
        "SELECT {column} AS span FROM figures WHERE {of_origin} AND stale = 0 AND state <> 'undone' \
         AND {column} IS NOT NULL ORDER BY {column} LIMIT $2 OFFSET $3"
    )
}
