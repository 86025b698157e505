//! Every statement of the verbs, with the values it takes in their order. They are made for the
//! indexes of `assets/migrations`: at a million cases none of them walks through a table, which the
//! tests below ask the database itself.

use crate::store::QueueQuery;

/// The origin that `$1` names.
macro_rules! of_origin {
    () => {
        "origin = (SELECT o.id FROM origins o WHERE o.name = $1)"
    };
}
/// The newest decision of the case `c` that was not undone.
macro_rules! newest {
    () => {
        "(SELECT max(n.seq) FROM decisions n WHERE n.origin = c.origin AND n.case_id = c.id \
         AND n.state <> 'undone')"
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

mod cases;
mod decisions;
mod deliveries;
mod figures;
mod leases;
mod team;
mod testimony;

pub use cases::*;
pub use decisions::*;
pub use deliveries::*;
pub use figures::*;
pub use leases::*;
pub use team::*;
pub use testimony::*;

/// What a filter asks of a case: that its key or its number is another one without the text. Both
/// databases know `replace`; they have no common word for "contains".
const PASSES: &str = " AND (replace(c.key, $FILTER, '') <> c.key \
                      OR replace(c.session_number, $FILTER, '') <> c.session_number)";

/// Makes an origin known. Value: origin.
pub const ADD_ORIGIN: &str = "INSERT INTO origins (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";

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

/// As many placeholders, from `$2` on.
fn placeholders(keys: usize) -> String {
    (2..keys + 2).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::{
        Along, CaseState, DecisionId, DeliveryState, ReviewerId, SessionId, Start,
    };
    use crate::store::sql::engine::{Tx, anew, args};
    use crate::store::{HistoryQuery, Result, SqlStore};

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
                queries.push(QueueQuery {
                    states: states.to_vec(),
                    filter,
                    from: Start::Front,
                    limit: 9,
                });
            }
        }
        queries
    }

    const PARTS: [Part; 5] = [Part::First, Part::Behind, Part::On, Part::Back, Part::Last];

    fn histories() -> Vec<HistoryQuery> {
        let (all, me) = (HistoryQuery::default(), ReviewerId("os:7".to_owned()));
        vec![
            all.clone(),
            HistoryQuery { states: vec![DeliveryState::Unknown], ..all.clone() },
            HistoryQuery { case: SessionId::parse("a").ok(), ..all.clone() },
            HistoryQuery { along: Along::Before(9), ..all.clone() },
            HistoryQuery { along: Along::After(9), ..all.clone() },
            HistoryQuery { decision: Some(DecisionId(uuid::Uuid::nil())), ..all.clone() },
            HistoryQuery { by: vec![me.clone()], limit: Some(9), ..all.clone() },
            HistoryQuery { by: vec![me.clone(), me.clone()], limit: Some(9), ..all.clone() },
            HistoryQuery { by: vec![me], states: vec![DeliveryState::Held], ..all },
        ]
    }

    #[tokio::test]
    async fn no_statement_walks_through_a_table() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = SqlStore::sqlite(&folder.path().join("queue.db")).await.unwrap();
        store.engine.write(anew!(walks)).await.unwrap();
    }

    /// Statements that are the same whatever is asked, with their names.
    macro_rules! named {
        ($($name:ident),* $(,)?) => { [$((stringify!($name), $name)),*] };
    }

    /// Every statement of the verbs.
    fn all(tx: &Tx) -> Vec<String> {
        let fixed = named![
            ADD_ORIGIN,
            RECOUNT,
            SAVE_CASE,
            SAVE_LEASE,
            SAVE_DECISION,
            CASE,
            CASE_SHOWN,
            NEWEST,
            DECISION,
            UNSEEN,
            PLACE,
            FIGURES,
            STALE,
            TWICE,
            OPEN_ROUNDS,
            SCORES,
            FIGURED,
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
            ACTS,
            WORKFLOWS,
        ];
        let sources = [
            include_str!("cases.rs"),
            include_str!("decisions.rs"),
            include_str!("deliveries.rs"),
            include_str!("figures.rs"),
            include_str!("leases.rs"),
            include_str!("mod.rs"),
            include_str!("team.rs"),
            include_str!("testimony.rs"),
        ];
        for line in sources.iter().flat_map(|source| source.lines()) {
            let name = line.strip_prefix("pub const ").and_then(|rest| rest.split(':').next());
            // One asks of the other origins, and has to: whether any of them has a roster.
            let known = name.is_none_or(|name| {
                name == "ELSEWHERE" || fixed.iter().any(|(known, _)| *known == name)
            });
            assert!(known, "{name:?} is not on the list above");
        }
        let mut all: Vec<_> = fixed.map(|(_, sql)| sql.to_owned()).into();
        let none = BTreeSet::new();
        all.extend([
            add_case(tx),
            add_decision(tx),
            audit_of(tx),
            entries_of(tx),
            last_place(),
            strays(),
            about(3),
            some(3),
        ]);
        all.extend([listed(tx, 3), seen(3), take(tx, &none), next_due(&none)]);
        for of in [Span::Looked, Span::Waited, Span::Sent] {
            all.extend([spans(of), spans_from(of)]);
        }
        all.extend(histories().iter().map(history));
        for query in &queries() {
            all.extend(PARTS.map(|part| page(tx, query, part)));
            all.extend([total(query), place(query), before(query), ends(query)]);
            all.extend([Part::Back, Part::On].map(|part| near(query, part)));
            all.push(next_free(tx, query, CaseState::Open));
        }
        all.extend(crate::store::sql::looked::statements());
        all
    }

    /// What a statement makes itself, and no table.
    const MADE: [&str; 7] =
        ["SCAN p", "SCAN page", "SCAN ends", "SEARCH ends", "SCAN near", "SCAN (", "SCAN CONSTANT"];

    #[tokio::test]
    async fn every_statement_stays_inside_one_origin() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = SqlStore::sqlite(&folder.path().join("queue.db")).await.unwrap();
        store.engine.write(anew!(stays_inside)).await.unwrap();
    }

    async fn stays_inside(tx: &mut Tx) -> Result<()> {
        // Whose only key is the number of an origin.
        let of_one = ["SEARCH h ", "SEARCH audit_heads ", "SEARCH duties "];
        for sql in all(tx) {
            let plan = plan(tx, &sql).await;
            let reads = |step: &&str| step.starts_with("SEARCH") || step.starts_with("SCAN");
            for step in plan.lines().filter(reads) {
                let names_it = step.contains("autoindex_origins") && step.contains("(name=?)");
                let made = MADE.iter().any(|made| step.starts_with(made));
                let whole =
                    of_one.iter().any(|of| step.starts_with(of)) && step.contains("rowid=?");
                let inside = step.contains("(origin=?") || step.contains("AND origin=?");
                assert!(names_it || made || whole || inside, "{sql}\n{plan}");
            }
            let inserts = sql.starts_with("INSERT INTO origins") || sql.contains("origin");
            assert!(inserts, "{sql}");
        }
        Ok(())
    }

    async fn walks(tx: &mut Tx) -> Result<()> {
        // What is counted or listed whole, of one origin.
        let mut whole = vec![TALLY.to_owned(), ACTS.to_owned(), WORKFLOWS.to_owned(), strays()];
        whole.extend([history(&HistoryQuery::default()), crate::store::sql::looked::explained()]);
        whole.extend([FIGURES, TWICE, SCORES, OPEN_ROUNDS].map(str::to_owned));
        whole.extend([Span::Looked, Span::Waited, Span::Sent].map(spans));
        whole.extend([Span::Looked, Span::Waited, Span::Sent].map(spans_from));
        for sql in all(tx) {
            let plan = plan(tx, &sql).await;
            for step in plan.lines().filter(|step| step.starts_with("SCAN")) {
                assert!(MADE.iter().any(|made| step.starts_with(made)), "{sql}\n{plan}");
            }
            // A search by nothing but the origin is a walk as well, but in what holds a row a console at most, and
            // for the highest number, which is the last one of its key.
            let live =
                ["decisions_o", "cases_leased", "decisions_claimed", "SEARCH n USING COVERING"];
            let mut steps = plan.lines().filter(|step| !live.iter().any(|l| step.contains(l)));
            let walk = steps.any(|step| step.ends_with("(origin=?)"));
            assert!(!walk || whole.contains(&sql), "{sql}\n{plan}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_order_of_the_queue_and_the_outbox_is_never_sorted() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = SqlStore::sqlite(&folder.path().join("queue.db")).await.unwrap();
        store.engine.write(anew!(sorts)).await.unwrap();
    }

    async fn sorts(tx: &mut Tx) -> Result<()> {
        let mut ordered: Vec<_> =
            queries().iter().flat_map(|query| PARTS.map(|part| page(tx, query, part))).collect();
        ordered.extend(queries().iter().map(|query| next_free(tx, query, CaseState::Open)));
        for sql in ordered.into_iter().chain([take(tx, &BTreeSet::new()), UNSEEN.to_owned()]) {
            let plan = plan(tx, &sql).await;
            // The page itself, at most `limit` rows, is put in order once more.
            let sorts = plan.lines().filter(|step| step.contains("TEMP B-TREE")).count();
            let is_page = sql.starts_with("WITH");
            assert!(sorts <= usize::from(is_page), "{sql}\n{plan}");
            assert!(!is_page || plan.contains("cases_queue"), "{sql}\n{plan}");
        }
        for query in &queries() {
            let pages = PARTS.map(|part| page(tx, query, part));
            for sql in pages.into_iter().chain([before(query)]) {
                let plan = plan(tx, &sql).await;
                assert!(plan.contains("USING COVERING INDEX cases_queue"), "{sql}\n{plan}");
            }
        }
        Ok(())
    }
}
