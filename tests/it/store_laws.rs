//! The law of the stores: whatever is asked of them in whatever order, a database gives the answer
//! that the memory store gives.

use proptest::collection::vec;
use proptest::prelude::*;
use secondlook::domain::{
    Along, Bands, CaseState, Decision, DeliveryState, Disposition, Judgement, Place, Start, Status,
    SubjectKind, WorkerId,
};
use secondlook::store::{
    Delivery, HistoryQuery, Holder, Lease, LeaseAnswer, MemoryStore, Progress, QueueQuery, Settled,
    Store,
};

use super::store::{Bench, at, candidate, case, decision, holder, id, key, origin, proposal};

/// One verb; small numbers, so that the same rows are met again and again.
#[derive(Debug, Clone)]
enum Verb {
    Touch { keys: Vec<u32>, ago: i64 },
    Admit { n: u32, variant: u8, left: bool, ago: i64 },
    Depart { n: u32 },
    Lease { n: u32, who: u32, ttl: i64 },
    Renew { old: usize },
    Release { old: usize },
    Skip { old: usize },
    Decide { old: usize, variant: u8, replaces: bool, window: i64 },
    Undo { old: usize, who: u32 },
    Void { old: usize },
    Reopen { old: usize },
    Retry { old: usize, who: u32 },
    Rewind { who: u32, window: i64 },
    SendNow { who: u32 },
    Take { who: u32, ttl: i64 },
    Note { old: usize, bits: u8 },
    Settle { old: usize, outcome: u8, bits: u8 },
    Bury { who: u32 },
}

fn verb() -> impl Strategy<Value = Verb> {
    let (n, who, old, ms) = (|| 0..5u32, || 0..4u32, || 0..6usize, || 0..40i64);
    prop_oneof![
        1 => (vec(n(), 0..6), ms()).prop_map(|(keys, ago)| Verb::Touch { keys, ago }),
        4 => (n(), any::<u8>(), prop::bool::weighted(0.2), ms())
            .prop_map(|(n, variant, left, ago)| Verb::Admit { n, variant, left, ago }),
        1 => n().prop_map(|n| Verb::Depart { n }),
        5 => (n(), who(), ms()).prop_map(|(n, who, ttl)| Verb::Lease { n, who, ttl }),
        1 => old().prop_map(|old| Verb::Renew { old }),
        1 => old().prop_map(|old| Verb::Release { old }),
        1 => old().prop_map(|old| Verb::Skip { old }),
        5 => (old(), any::<u8>(), any::<bool>(), ms()).prop_map(
            |(old, variant, replaces, window)| Verb::Decide { old, variant, replaces, window }
        ),
        2 => (old(), who()).prop_map(|(old, who)| Verb::Undo { old, who }),
        1 => old().prop_map(|old| Verb::Void { old }),
        2 => old().prop_map(|old| Verb::Reopen { old }),
        3 => (old(), who()).prop_map(|(old, who)| Verb::Retry { old, who }),
        1 => (who(), ms()).prop_map(|(who, window)| Verb::Rewind { who, window }),
        1 => who().prop_map(|who| Verb::SendNow { who }),
        4 => (who(), ms()).prop_map(|(who, ttl)| Verb::Take { who, ttl }),
        2 => (old(), any::<u8>()).prop_map(|(old, bits)| Verb::Note { old, bits }),
        4 => (old(), any::<u8>(), any::<u8>())
            .prop_map(|(old, outcome, bits)| Verb::Settle { old, outcome, bits }),
        1 => who().prop_map(|who| Verb::Bury { who }),
    ]
}

/// Four consoles of two reviewers.
fn console(who: u32) -> Holder {
    holder(["ana", "eva"][who as usize % 2], who)
}

/// What the model has handed out so far; both stores are asked with the same.
#[derive(Default)]
struct Pockets {
    leases: Vec<Lease>,
    deliveries: Vec<Delivery>,
    decisions: Vec<Decision>,
    made: u128,
}

/// The `old`-th newest of what was handed out.
fn newest<T>(given: &[T], old: usize) -> Option<&T> {
    given.iter().rev().nth(old)
}

fn progress(bits: u8) -> Progress {
    Progress {
        may_have_written: bits & 1 > 0,
        status_done: bits & 6 == 6,
        listed: bits & 24 == 24,
        noted: bits & 96 == 96,
        writes: u32::from(bits & 3),
        answered_at: (bits & 9 == 9).then(|| at(i64::from(bits))),
    }
}

fn outcome(outcome: u8, bits: u8, now: i64) -> Settled {
    let why = || format!("why {bits}");
    match outcome % 6 {
        0 | 1 => Settled::Sent { note: why() },
        2 => Settled::Refused { why: why() },
        3 => Settled::Conflict { theirs: Status::Approved, by: why() },
        4 => Settled::Local { why: why() },
        _ => Settled::Later {
            at: at(now + i64::from(bits % 40)),
            why: why(),
            may_have_written: bits & 64 > 0,
        },
    }
}

/// Asks one store; the answer in words, and what it handed out.
async fn ask(
    store: &dyn Store,
    verb: &Verb,
    now: i64,
    pockets: &Pockets,
) -> (String, Option<Lease>, Option<Delivery>, Option<Decision>) {
    let (origin, t) = (origin(), at(now));
    let lease = |old: usize| newest(&pockets.leases, old);
    let delivery = |old: usize| newest(&pockets.deliveries, old);
    let mut given = (None, None, None);
    let words = match verb {
        Verb::Touch { keys, ago } => {
            let keys: Vec<_> = keys.iter().map(|n| key(*n)).collect();
            format!("{:?}", store.touch(&origin, &keys, at(now - ago), t).await)
        }
        Verb::Admit { n, variant, left, ago } => {
            let mut case = case(*n);
            case.created_at = case.created_at.filter(|_| n % 2 == 0);
            if variant % 4 == 0 {
                case.candidates.push(candidate(f64::from(*variant) / 3.0));
            }
            if variant % 7 == 0 {
                case.kind = SubjectKind::SavedSearch;
            }
            let state = if *left { CaseState::Left } else { CaseState::Open };
            format!("{:?}", store.admit(&origin, &case, state, at(now - ago), t).await)
        }
        Verb::Depart { n } => format!("{:?}", store.depart(&origin, &key(*n), "gone", t).await),
        Verb::Lease { n, who, ttl } => {
            let answer = store.lease(&origin, &key(*n), &console(*who), t, *ttl).await;
            if let Ok(LeaseAnswer::Yours(lease)) = &answer {
                given.0 = Some(lease.clone());
            }
            format!("{answer:?}")
        }
        Verb::Renew { old } => match lease(*old) {
            Some(lease) => format!("{:?}", store.renew(lease, t, 20).await),
            None => String::new(),
        },
        Verb::Release { old } => match lease(*old) {
            Some(lease) => format!("{:?}", store.release(lease).await),
            None => String::new(),
        },
        Verb::Skip { old } => match lease(*old) {
            Some(lease) => format!("{:?}", store.skip(lease, t).await),
            None => String::new(),
        },
        Verb::Decide { old, variant, replaces, window } => {
            let Some(lease) = lease(*old) else { return Default::default() };
            let disposition = match variant % 8 {
                0 => Disposition::Escalate,
                1 => Disposition::Skip,
                2..=4 => Disposition::Approve,
                7 => Disposition::Blocklist,
                _ => Disposition::Reject,
            };
            let number = if variant % 31 == 0 { 1 } else { pockets.made };
            let mut made = decision(number, lease, disposition);
            if variant % 11 == 0 {
                made.kind = SubjectKind::Unreachable;
            }
            let same_case = pockets.decisions.iter().rev().find(|d| d.case == lease.case);
            made.replaces = same_case.map(|d| d.id).filter(|_| *replaces);
            if variant % 8 == 7 {
                made.target = proposal(number, lease).target;
            }
            if variant % 3 > 0 {
                let mut proposals = pockets.decisions.iter().rev().filter(|d| d.is_proposal());
                made.answers = proposals.find(|d| d.case == lease.case).map(|d| d.id);
            }
            for (word, judged) in made.judgements.iter_mut().enumerate() {
                let words = [None, Some(Judgement::Same), Some(Judgement::Different)];
                judged.judgement = words[(usize::from(*variant) / 8 + word) % 3];
            }
            let answer = store.decide(lease, &made, at(now + window), t).await;
            given.2 = answer.is_ok().then_some(made);
            format!("{answer:?}")
        }
        Verb::Undo { old, who } => {
            let id = newest(&pockets.decisions, *old).map_or(id(999), |d| d.id);
            let reviewer = console(*who).reviewer.id;
            format!("{:?}", store.undo(&origin, id, &reviewer, t).await)
        }
        Verb::Void { old } => {
            let id = newest(&pockets.decisions, *old).map_or(id(999), |d| d.id);
            format!("{:?}", store.void(&origin, id, "changed", t).await)
        }
        Verb::Reopen { old } => {
            let id = newest(&pockets.decisions, *old).map_or(id(999), |d| d.id);
            format!("{:?}", store.reopen(&origin, id, &console(*old as u32).reviewer.id, t).await)
        }
        Verb::Retry { old, who } => {
            let id = newest(&pockets.decisions, *old).map_or(id(999), |d| d.id);
            format!("{:?}", store.retry(&origin, id, &console(*who).reviewer.id, t).await)
        }
        Verb::Rewind { who, window } => {
            let reviewer = console(*who).reviewer.id;
            format!("{:?}", store.rewind_held(&origin, &reviewer, at(now + window)).await)
        }
        Verb::SendNow { who } => {
            let reviewer = console(*who).reviewer.id;
            format!("{:?}", store.send_now(&origin, &reviewer, t).await)
        }
        Verb::Take { who, ttl } => {
            let Holder { reviewer, worker } = console(*who);
            let answer = store.take(&origin, &worker, &reviewer.id, t, *ttl).await;
            if let Ok(Some(delivery)) = &answer {
                given.1 = Some(delivery.clone());
            }
            format!("{answer:?}")
        }
        Verb::Note { old, bits } => match delivery(*old) {
            Some(delivery) => format!(
                "{:?} {:?}",
                store.is_ours(delivery, t).await,
                store.progress(delivery, &progress(*bits)).await
            ),
            None => String::new(),
        },
        Verb::Settle { old, outcome: which, bits } => match delivery(*old) {
            Some(delivery) => {
                let outcome = outcome(*which, *bits, now);
                format!("{:?}", store.settle(delivery, &outcome, t).await)
            }
            None => String::new(),
        },
        Verb::Bury { who } => format!("{:?}", store.bury(&console(*who).worker, t).await),
    };
    (words, given.0, given.1, given.2)
}

/// Everything that can be asked without changing anything.
async fn look(store: &dyn Store, now: i64) -> String {
    let (origin, t) = (origin(), at(now));
    let mut words = Vec::new();
    use CaseState::{Decided, Departed, Escalated, Left, Open};
    for (states, filter, from, limit) in [
        (vec![Open, Escalated, Decided, Departed, Left], "", Start::Front, 99),
        (vec![Left, Open], "", Start::Around(key(2)), 2),
        (vec![Left, Open], "", Start::Last, 2),
        (vec![Open, Decided], "480", Start::Front, 9),
        (vec![Escalated, Open], "-0003", Start::Around(key(3)), 9),
        (vec![Open], "", Start::Behind(Place { at: at(0), key: String::new() }), 9),
    ] {
        let query = QueueQuery { states, filter: filter.to_owned(), from, limit };
        words.push(format!("{:?}", store.queue(&origin, &query, t).await));
        for n in 0..5 {
            words.push(format!("{:?}", store.rank(&origin, &query, &key(n)).await));
        }
    }
    for n in 0..5 {
        words.push(format!("{:?}", store.case(&origin, &key(n), t).await));
    }
    words.push(format!("{:?}", store.tally(&origin).await));
    words.push(format!("{:?}", store.figures(&origin, &Bands::default()).await));
    words.push(format!("{:?}", store.open_rounds(&origin).await));
    words.push(format!("{:?}", store.unseen(&origin, at(now - 30), 3).await));
    let workers: Vec<WorkerId> = store.workers(t).await.unwrap();
    words.push(format!("{workers:?}"));
    for who in 0..2 {
        let reviewer = console(who).reviewer.id;
        words.push(format!("{:?}", store.next_due(&origin, &reviewer).await));
    }
    let open = vec![DeliveryState::Held, DeliveryState::Unknown];
    for states in [vec![], open, vec![DeliveryState::Sent]] {
        let me = || vec![console(0).reviewer.id];
        for (case, by, limit) in [
            (None, vec![], None),
            (Some(key(2)), vec![], None),
            (None, vec![], Some(2)),
            (None, me(), None),
            (None, me(), Some(2)),
        ] {
            let along = Along::Newest;
            let query =
                HistoryQuery { states: states.clone(), case, decision: None, by, limit, along };
            // Numbers have gaps on a server.
            let past = store.history(&origin, &query).await;
            words.push(format!("{:?}", past.map(|past| (past.rows, past.unreadable))));
        }
    }
    words.push(format!("{:?}", store.audit(&origin, 0, 999).await));
    words.push(format!("{:?}", store.audit(&origin, 3, 2).await));
    words.push(format!("{:?}", store.audit_head(&origin).await));
    words.join("\n")
}

/// Tells a story to the model and to a store, and compares every answer.
async fn agrees(store: &dyn Store, story: &[(Verb, i64)]) -> Result<(), TestCaseError> {
    let model = MemoryStore::new();
    let mut pockets = Pockets { made: 1, ..Pockets::default() };
    let mut now = 0;
    for (verb, later) in story {
        now += later;
        let expected = ask(&model, verb, now, &pockets).await;
        let found = ask(store, verb, now, &pockets).await;
        prop_assert_eq!(&found, &expected, "at {} {:?}", now, verb);
        let (_, lease, delivery, decision) = expected;
        pockets.leases.extend(lease);
        pockets.deliveries.extend(delivery);
        pockets.decisions.extend(decision);
        pockets.made += 1;
    }
    prop_assert_eq!(look(store, now).await, look(&model, now).await);
    Ok(())
}

fn stories() -> impl Strategy<Value = Vec<(Verb, i64)>> {
    vec((verb(), 0..12i64), 1..120)
}

fn check(cases: u32, bench: impl AsyncFn() -> Option<Bench>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let told = runner.run(&stories(), |story| {
        runtime.block_on(async {
            let Some(bench) = bench().await else { return Ok(()) };
            let agreed = agrees(bench.store.as_ref(), &story).await;
            bench.store.close().await;
            agreed
        })
    });
    if let Err(error) = told {
        panic!("{error}");
    }
}

#[test]
fn a_file_answers_as_memory_does() {
    check(48, async || Some(Bench::sqlite().await));
}

#[test]
fn a_server_answers_as_memory_does() {
    // Held here, so that one server serves all stories.
    let Some(_cluster) = super::postgres::shared() else { return };
    check(24, Bench::postgres);
}
