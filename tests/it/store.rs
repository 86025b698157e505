//! One story of the store, told to every backend: what its verbs promise, sentence by sentence.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secondlook::domain::{
    Along, Bands, Candidate, Case, CaseState, Counts, Decision, DecisionId, DeliveryState,
    Disposition, Explained, Figures, Judged, Judgement, Millis, Origin, ReadTwice, Reason, Receipt,
    Reviewer, ReviewerId, SeenPicture, SessionId, Similarity, Source, Start, Status, SubjectKind,
    Tally, Target, Urgency, WorkerId,
};
use secondlook::roster;
use secondlook::store::audit::{AuditEntry, Audited};
use secondlook::store::{
    self, Admitted, CallVerb, CallsAsked, CallsGranted, Delivery, HistoryQuery, Holder, Lease,
    LeaseAnswer, PassedOver, Progress, QueueQuery, Retried, SeenWorkflow, Settled, Store,
    StoreError, Taken, Undone,
};
use tempfile::TempDir;
use uuid::Uuid;

use super::people::Person;
use super::postgres::{Cluster, shared};

/// A store under test and what it stands on.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub url: String,
    _folder: Option<TempDir>,
    _cluster: Option<Arc<Cluster>>,
}

impl Bench {
    pub async fn memory() -> Self {
        Self::over("memory:".to_owned(), None, None).await
    }

    pub async fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("queue.db").display());
        Self::over(url, Some(folder), None).await
    }

    /// `None` where PostgreSQL is not installed.
    pub async fn postgres() -> Option<Self> {
        let cluster = shared()?;
        let url = cluster.database().await;
        Some(Self::over(url, None, Some(cluster)).await)
    }

    /// The same with its tables parted by origin.
    pub async fn partitioned() -> Option<Self> {
        let cluster = shared()?;
        let url = cluster.database().await;
        store::make_partitions(&url, T, |_, _| ()).await.unwrap();
        Some(Self::over(url, None, Some(cluster)).await)
    }

    async fn over(url: String, folder: Option<TempDir>, cluster: Option<Arc<Cluster>>) -> Self {
        let store = store::open(&url).await.unwrap();
        Self { store, url, _folder: folder, _cluster: cluster }
    }
}

/// Makes a test of each function for each backend.
macro_rules! on_every_store {
    ($($name:ident)*) => {
        mod memory { $(
            #[tokio::test]
            async fn $name() { super::$name(super::Bench::memory().await.store.as_ref()).await }
        )* }
        mod sqlite { $(
            #[tokio::test]
            async fn $name() {
                let bench = super::Bench::sqlite().await;
                super::$name(bench.store.as_ref()).await;
                bench.store.close().await;
            }
        )* }
        mod postgres { $(
            #[tokio::test]
            async fn $name() {
                let Some(bench) = super::Bench::postgres().await else { return };
                super::$name(bench.store.as_ref()).await;
                bench.store.close().await;
            }
        )* }
        /// A server on which every transaction collides with another one first.
        mod colliding { $(
            #[tokio::test]
            async fn $name() {
                let Some(bench) = super::Bench::postgres().await else { return };
                crate::collisions::collide(&bench.url).await;
                super::$name(bench.store.as_ref()).await;
                bench.store.close().await;
            }
        )* }
        mod partitioned { $(
            #[tokio::test]
            async fn $name() {
                let Some(bench) = super::Bench::partitioned().await else { return };
                super::$name(bench.store.as_ref()).await;
                bench.store.close().await;
            }
        )* }
    };
}

on_every_store! {
    a_case_taken_in_twice_is_one_case
    a_case_changes_between_open_and_left
    a_case_on_a_screen_stays_in_the_queue
    only_open_and_left_cases_are_taken_in
    a_departed_case_comes_back
    a_decided_case_is_opened_again_only_by_a_newer_answer
    listings_tell_what_to_read
    cases_that_no_listing_shows_are_found
    departing_takes_waiting_cases_only
    the_queue_has_pages_in_its_order
    the_queue_is_filtered_by_number_and_key
    a_rank_is_the_place_in_the_pages
    pages_leave_nothing_out_while_others_decide
    figures_are_kept_with_every_change
    a_case_tells_who_has_it
    cases_are_tallied
    a_lease_belongs_to_one_worker
    a_lease_that_ran_out_goes_to_the_next_with_a_raised_fence
    a_lease_is_renewed_and_given_back
    the_next_free_case_is_leased
    closed_cases_are_not_leased
    skipping_goes_to_the_end_of_the_queue
    a_decision_is_held_and_its_case_decided
    a_decision_under_a_lost_lease_writes_nothing
    a_case_is_decided_once
    an_unsound_decision_is_refused
    an_escalation_is_local_and_goes_to_the_second_queue
    who_escalated_a_case_does_not_decide_it
    a_reader_who_contradicts_another_leaves_it_to_a_third
    a_reader_who_contradicts_nobody_decides
    an_escalation_is_taken_back_while_nobody_looks
    an_approved_customer_is_blocklisted_by_two_people
    a_proposal_is_declined_taken_back_or_void
    what_workflows_do_by_themselves_is_remembered
    what_is_passed_over_is_remembered_with_its_reason
    the_place_in_a_list_is_kept
    an_unreachable_subject_is_decided_here
    only_ones_own_held_decision_is_undone
    an_undone_case_is_back_where_it_was
    a_settled_case_is_reopened_and_its_decision_replaced
    nothing_else_is_reopened
    what_was_refused_or_put_off_is_tried_again
    nothing_else_is_tried_again
    the_undo_window_starts_anew
    held_decisions_are_sent_now
    deliveries_are_taken_in_the_order_they_are_due
    a_held_decision_of_another_reviewer_is_never_taken
    an_abandoned_delivery_is_taken_by_anybody
    a_lost_claim_writes_nothing
    progress_is_kept
    every_outcome_is_kept
    what_is_done_in_part_is_never_held_again
    a_dead_worker_is_buried
    workers_with_live_leases_and_claims_are_known
    who_looks_on_is_seen_until_they_look_away_or_are_gone
    one_console_is_on_duty
    calls_are_granted_out_of_one_minute
    history_is_filtered_and_newest_first
    another_origin_is_invisible
    words_from_outside_survive
}

pub const T: Millis = Millis(1_700_000_000_000);
pub const TTL: i64 = 60_000;
pub const WINDOW: i64 = 10_000;

pub fn at(ms: i64) -> Millis {
    T.plus(ms)
}

pub fn origin() -> Origin {
    Origin("https://verification.didit.me#a1b2".to_owned())
}

pub fn key(n: u32) -> SessionId {
    SessionId::parse(&format!("case-{n:04}")).unwrap()
}

pub fn candidate(percent: f64) -> Candidate {
    Candidate {
        session_id: Some(key(9000)),
        session_number: Some(77),
        similarity: Similarity::new(percent),
        source: Source::Session,
        self_match: false,
        blocklisted: false,
        allowlisted: false,
        block: 0,
    }
}

pub fn case(n: u32) -> Case {
    Case {
        key: key(n),
        session_number: Some(4800 + u64::from(n)),
        kind: SubjectKind::Workflow,
        status: Status::InReview,
        created_at: Some(Millis(1000 + i64::from(n))),
        candidates: vec![candidate(81.4)],
        set_aside: 0,
        total_matches: Some(1),
    }
}

pub fn holder(name: &str, terminal: u32) -> Holder {
    Holder {
        reviewer: Reviewer { id: ReviewerId::of_person(name), name: name.to_owned() },
        worker: WorkerId(format!("host/boot/{name}/{terminal}")),
    }
}

pub fn id(n: u128) -> DecisionId {
    DecisionId(Uuid::from_u128(n))
}

pub fn decision(n: u128, lease: &Lease, disposition: Disposition) -> Decision {
    Decision {
        id: id(n),
        case: lease.case.clone(),
        session_number: Some(4821),
        kind: SubjectKind::Workflow,
        disposition,
        judgements: vec![Judged {
            place: 0,
            session_id: Some(key(9000)),
            judgement: Some(Judgement::Different),
        }],
        reason: Some(Reason::DifferentPeople),
        comment: Some("ears differ".to_owned()),
        target: (disposition == Disposition::Blocklist).then(|| Target {
            session_id: lease.case.clone(),
            session_number: Some(4821),
            is_subject: true,
            approved: false,
        }),
        reviewer: lease.holder.reviewer.clone(),
        seen_status: Status::InReview,
        at: T,
        receipt: Receipt {
            pictures: vec![SeenPicture {
                sha256: "ab".repeat(32),
                cells: (40, 25),
                tier: None,
                portrait: false,
                missing: None,
            }],
            protocol: "kitty".to_owned(),
            eye_pixels: vec![61, 58],
            dwell_ms: 1800,
            ..Receipt::default()
        },
        replaces: None,
        answers: None,
        evidence: Vec::new(),
        workflow: None,
        signature: None,
    }
}

/// Blocklisting an approved customer, the only candidate.
pub fn proposal(n: u128, lease: &Lease) -> Decision {
    Decision {
        target: Some(Target {
            session_id: key(9000),
            session_number: Some(9000),
            is_subject: false,
            approved: true,
        }),
        evidence: case(1).candidates,
        judgements: judged(Judgement::Same),
        ..decision(n, lease, Disposition::Blocklist)
    }
}

fn all_states() -> Vec<CaseState> {
    use CaseState::{Decided, Departed, Escalated, Left, Open};
    vec![Open, Escalated, Decided, Departed, Left]
}

pub fn query(states: &[CaseState]) -> QueueQuery {
    QueueQuery { states: states.to_vec(), filter: String::new(), from: Start::Front, limit: 1000 }
}

pub async fn admit(store: &dyn Store, n: u32) {
    let admitted = store.admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
    assert_eq!(admitted, Admitted::New);
}

async fn state(store: &dyn Store, n: u32) -> CaseState {
    store.case(&origin(), &key(n), T).await.unwrap().unwrap().state
}

pub async fn lease(store: &dyn Store, n: u32, who: &Holder, now: Millis) -> Lease {
    match store.lease(&origin(), &key(n), who, now, TTL).await.unwrap() {
        LeaseAnswer::Yours(lease) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

/// Takes case `n` in and lets `who` reject it; the decision is `n` too, due after the window.
async fn decided(store: &dyn Store, n: u32, who: &Holder) -> Decision {
    admit(store, n).await;
    let lease = lease(store, n, who, T).await;
    let decision = decision(n.into(), &lease, Disposition::Reject);
    store.decide(&lease, &decision, at(WINDOW), T).await.unwrap();
    decision
}

async fn take(store: &dyn Store, who: &Holder, now: Millis) -> Option<Delivery> {
    store.take(&origin(), &who.worker, &who.reviewer.id, now, TTL).await.unwrap()
}

/// Takes and settles the next delivery of `who`.
async fn settled(store: &dyn Store, who: &Holder, settled: &Settled, now: Millis) {
    let delivery = take(store, who, now).await.unwrap();
    assert!(store.settle(&delivery, settled, now).await.unwrap());
}

fn sent() -> Settled {
    Settled::Sent { note: "Declined, read back".to_owned() }
}

pub async fn row(store: &dyn Store, n: u128) -> store::HistoryRow {
    let query = HistoryQuery { decision: Some(id(n)), ..HistoryQuery::default() };
    store.history(&origin(), &query).await.unwrap().rows.remove(0)
}

async fn keys(store: &dyn Store, query: &QueueQuery) -> Vec<SessionId> {
    let page = store.queue(&origin(), query, T).await.unwrap();
    page.rows.into_iter().map(|row| row.case.key).collect()
}

// Intake.

async fn a_case_taken_in_twice_is_one_case(store: &dyn Store) {
    admit(store, 1).await;
    let again = |case: Case| async move {
        store.admit(&origin(), &case, CaseState::Open, at(5), at(5)).await.unwrap()
    };
    assert_eq!(again(case(1)).await, Admitted::Same);

    let ana = holder("ana", 1);
    let lease = lease(store, 1, &ana, at(6)).await;
    let changed = Case {
        candidates: vec![candidate(81.4), candidate(73.0)],
        status: Status::Other("Kyc Expired".to_owned()),
        created_at: Some(Millis(999_999)),
        session_number: None,
        ..case(1)
    };
    assert_eq!(again(changed.clone()).await, Admitted::Updated);
    let row = store.case(&origin(), &key(1), at(7)).await.unwrap().unwrap();
    assert_eq!(row.case, changed);
    assert_eq!(row.taken.map(|taken| taken.until), Some(lease.until));
    assert!(store.renew(&lease, at(8), TTL).await.unwrap().is_some());
    // Its place stays although its creation time is now another.
    admit(store, 2).await;
    assert_eq!(keys(store, &query(&all_states())).await, [key(1), key(2)]);
}

async fn a_case_changes_between_open_and_left(store: &dyn Store) {
    admit(store, 1).await;
    for (wanted, answer) in [
        (CaseState::Left, Admitted::Updated),
        (CaseState::Left, Admitted::Same),
        (CaseState::Open, Admitted::Updated),
    ] {
        assert_eq!(store.admit(&origin(), &case(1), wanted, T, T).await.unwrap(), answer);
        assert_eq!(state(store, 1).await, wanted);
    }
}

async fn a_case_on_a_screen_stays_in_the_queue(store: &dyn Store) {
    admit(store, 1).await;
    let ours = lease(store, 1, &holder("ana", 1), T).await;
    let left = |now| async move {
        store.admit(&origin(), &case(1), CaseState::Left, now, now).await.unwrap()
    };
    assert_eq!(left(at(1)).await, Admitted::Same);
    assert_eq!(state(store, 1).await, CaseState::Open);
    assert_eq!(left(ours.until).await, Admitted::Updated);
    assert_eq!(state(store, 1).await, CaseState::Left);
}

async fn only_open_and_left_cases_are_taken_in(store: &dyn Store) {
    for state in [CaseState::Escalated, CaseState::Decided, CaseState::Departed] {
        let answer = store.admit(&origin(), &case(1), state, T, T).await;
        assert!(matches!(answer, Err(StoreError::Other(_))));
    }
    assert_eq!(store.case(&origin(), &key(1), T).await.unwrap(), None);
}

async fn a_departed_case_comes_back(store: &dyn Store) {
    admit(store, 1).await;
    let ours = lease(store, 1, &holder("ana", 1), T).await;
    assert!(store.depart(&origin(), &key(1), "Approved in the web console", T).await.unwrap());
    let gone = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!(gone.note.as_deref(), Some("Approved in the web console"));
    assert_eq!(gone.taken, None);
    let back = store.admit(&origin(), &case(1), CaseState::Left, at(1), at(1)).await.unwrap();
    assert_eq!(back, Admitted::New);
    let row = store.case(&origin(), &key(1), at(1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.note), (CaseState::Left, None));
    // The lease of before did not come back with it.
    store.admit(&origin(), &case(1), CaseState::Open, at(1), at(1)).await.unwrap();
    assert_eq!(store.renew(&ours, at(1), TTL).await.unwrap(), None);
}

async fn a_decided_case_is_opened_again_only_by_a_newer_answer(store: &dyn Store) {
    let ana = holder("ana", 1);
    decided(store, 1, &ana).await;
    let again = |case: Case, read_at: Millis| async move {
        store.admit(&origin(), &case, CaseState::Open, read_at, at(90_000)).await.unwrap()
    };
    assert_eq!(again(case(1), at(50_000)).await, Admitted::Decided, "while held");
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    assert_eq!(again(case(1), at(50_000)).await, Admitted::Decided, "while sending");
    store.settle(&delivery, &sent(), at(20_000)).await.unwrap();
    assert_eq!(again(case(1), at(19_999)).await, Admitted::Decided, "read before it was sent");
    assert_eq!(again(case(1), at(20_000)).await, Admitted::Decided, "read when it was sent");
    let approved = Case { status: Status::Approved, ..case(1) };
    assert_eq!(again(approved, at(20_001)).await, Admitted::Decided, "not in review");
    let search = Case { kind: SubjectKind::SavedSearch, ..case(1) };
    assert_eq!(again(search, at(20_001)).await, Admitted::Decided, "no workflow session");
    assert_eq!(state(store, 1).await, CaseState::Decided);
    let before = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!(before.case, case(1), "nothing was changed");

    assert_eq!(again(case(1), at(20_001)).await, Admitted::New);
    let row = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!(row.state, CaseState::Open);
    assert_eq!(row.decision, Some((id(1), Disposition::Reject, DeliveryState::Sent)));

    // Sent is the only outcome that a listing can overrule.
    for (n, outcome) in [
        (2, Settled::Refused { why: "no".to_owned() }),
        (3, Settled::Local { why: "no".to_owned() }),
        (4, Settled::Conflict { theirs: Status::Approved, by: "eva".to_owned() }),
    ] {
        decided(store, n, &ana).await;
        settled(store, &ana, &outcome, at(20_000)).await;
        assert_eq!(again(case(n), at(30_000)).await, Admitted::Decided, "{outcome:?}");
    }
}

async fn listings_tell_what_to_read(store: &dyn Store) {
    let ana = holder("ana", 1);
    admit(store, 1).await;
    admit(store, 2).await;
    store.depart(&origin(), &key(2), "gone", T).await.unwrap();
    decided(store, 3, &ana).await;
    settled(store, &ana, &sent(), at(20_000)).await;
    decided(store, 4, &ana).await;
    admit(store, 6).await;
    let leased = lease(store, 6, &ana, T).await;
    let note = decision(6, &leased, Disposition::Escalate);
    store.decide(&leased, &note, at(WINDOW), T).await.unwrap();

    let listed = [key(9), key(4), key(3), key(2), key(9), key(1), key(6)];
    let listed = &listed;
    let touch = |listed_at| async move {
        store.touch(&origin(), listed, listed_at, at(30_000)).await.unwrap()
    };
    assert_eq!(touch(at(20_001)).await, [key(9), key(3), key(2)], "each once, in their order");
    assert_eq!(touch(at(20_000)).await, [key(9), key(2)], "listed before it was settled");
    assert!(store.touch(&origin(), &[], T, T).await.unwrap().is_empty());

    let many: Vec<_> = (0..700).map(key).collect();
    let unknown = store.touch(&origin(), &many, at(20_001), at(30_000)).await.unwrap();
    assert_eq!(unknown.len(), 700 - 3, "1, 4 and 6 need no call");
}

async fn cases_that_no_listing_shows_are_found(store: &dyn Store) {
    for n in [3, 1, 2, 5] {
        admit(store, n).await;
    }
    let search = Case { kind: SubjectKind::SavedSearch, ..case(4) };
    store.admit(&origin(), &search, CaseState::Open, T, T).await.unwrap();
    store.depart(&origin(), &key(5), "gone", T).await.unwrap();
    store.touch(&origin(), &[key(2)], at(50), at(50)).await.unwrap();
    let unseen =
        |before, limit| async move { store.unseen(&origin(), before, limit).await.unwrap() };
    assert!(unseen(T, 10).await.is_empty(), "all were taken in then");
    assert_eq!(unseen(at(50), 10).await, [key(1), key(3)]);
    assert_eq!(unseen(at(51), 10).await, [key(1), key(3), key(2)], "the longest unseen first");
    assert_eq!(unseen(at(51), 1).await, [key(1)]);
}

async fn departing_takes_waiting_cases_only(store: &dyn Store) {
    let ana = holder("ana", 1);
    decided(store, 1, &ana).await;
    assert!(!store.depart(&origin(), &key(1), "gone", T).await.unwrap());
    assert_eq!(state(store, 1).await, CaseState::Decided);
    assert!(!store.depart(&origin(), &key(2), "gone", T).await.unwrap(), "unknown");
    store.admit(&origin(), &case(3), CaseState::Left, T, T).await.unwrap();
    assert!(store.depart(&origin(), &key(3), "gone", T).await.unwrap());
    assert!(!store.depart(&origin(), &key(3), "again", T).await.unwrap());
    let row = store.case(&origin(), &key(3), T).await.unwrap().unwrap();
    assert_eq!(row.note.as_deref(), Some("gone"));
}

// The queue.

async fn the_queue_has_pages_in_its_order(store: &dyn Store) {
    // Created at the same moment: the key decides. Without a creation time: when it was taken in.
    for (n, created_at) in [(7, Some(5)), (3, Some(5)), (9, Some(1)), (1, None), (2, Some(9))] {
        let case = Case { created_at: created_at.map(Millis), ..case(n) };
        let state = if n == 9 { CaseState::Left } else { CaseState::Open };
        store.admit(&origin(), &case, state, T, T).await.unwrap();
    }
    let both = [CaseState::Open, CaseState::Left, CaseState::Open];
    let order = [key(9), key(3), key(7), key(2), key(1)];
    assert_eq!(keys(store, &query(&both)).await, order);
    assert_eq!(keys(store, &query(&[CaseState::Left])).await, [key(9)]);
    assert!(keys(store, &query(&[])).await.is_empty());
    let page = async |from: Start, limit: u32| {
        let page = QueueQuery { from, limit, ..query(&both) };
        let page = store.queue(&origin(), &page, T).await.unwrap();
        assert_eq!(page.total, 5);
        let found: Vec<_> = page.rows.iter().map(|row| row.case.key.clone()).collect();
        (found, page.before, page.end)
    };
    // Page by page: each begins behind the one before.
    let (mut from, mut found) = (Start::Front, Vec::new());
    loop {
        let (rows, _, end) = page(from, 2).await;
        let Some(end) = end else { break };
        assert!(rows.len() <= 2);
        assert_eq!(Some(end.key.as_str()), rows.last().map(SessionId::as_str));
        found.extend(rows);
        from = Start::Behind(end);
    }
    assert_eq!(found, order);
    assert_eq!(page(Start::Front, 0).await, (vec![], 0, None));
    // Around a case there is as much before it as behind, as far as there is something.
    for (key, limit, range) in
        [(9, 4, 0..4), (3, 4, 0..4), (7, 4, 0..4), (2, 4, 1..5), (1, 2, 3..5)]
    {
        let (rows, before, _) = page(Start::Around(self::key(key)), limit).await;
        assert_eq!((rows.as_slice(), before), (&order[range.clone()], range.start as u64), "{key}");
    }
    assert_eq!(page(Start::Around(key(1)), 4).await.0, order[2..]);
    // Where it stood that is not in this part of the queue; the front where nobody knows it.
    store.depart(&origin(), &key(7), "gone", T).await.unwrap();
    store.admit(&origin(), &case(8), CaseState::Open, T, T).await.unwrap();
    let (rows, before, _) = page(Start::Around(key(7)), 2).await;
    assert_eq!((rows.len(), before), (2, 1));
    assert_eq!(page(Start::Around(key(77)), 2).await.1, 0);
    // The last ones.
    let (rows, before, _) = page(Start::Last, 2).await;
    assert_eq!((rows.len(), before), (2, 3));
    assert_eq!(page(Start::Last, 9).await.1, 0);
}

/// Between two pages others decide, put at the end, take in and open again.
async fn pages_leave_nothing_out_while_others_decide(store: &dyn Store) {
    for n in 1..=40 {
        admit(store, n).await;
    }
    let ana = holder("ana", 1);
    let mut page = QueueQuery { limit: 6, ..query(&[CaseState::Open]) };
    let (mut printed, mut decided) = (Vec::new(), Vec::new());
    for round in 0u32.. {
        let found = store.queue(&origin(), &page, T).await.unwrap();
        let Some(end) = found.end else { break };
        printed.extend(found.rows.into_iter().map(|row| row.case.key));
        page.from = Start::Behind(end);
        // One that was printed and one that comes later are decided.
        for n in [1 + round * 6, 40 - round].into_iter().filter(|n| *n <= 40) {
            let found = store.case(&origin(), &key(n), T).await.unwrap().unwrap();
            if found.state == CaseState::Open {
                let ours = lease(store, n, &ana, T).await;
                let made = decision(u128::from(1000 * round + n), &ours, Disposition::Reject);
                store.decide(&ours, &made, at(WINDOW), T).await.unwrap();
                decided.push(key(n));
            }
        }
    }
    let mut once = printed.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), printed.len(), "none twice");
    for n in 1..=40 {
        let open = !decided.contains(&key(n));
        assert!(!open || printed.contains(&key(n)), "case {n} was left out");
    }
    assert!(decided.len() > 10 && printed.len() > 30);
    // The same of decisions, which come to be at one end and change everywhere.
    let total = decided.len();
    let mut past = HistoryQuery { limit: Some(3), ..HistoryQuery::default() };
    let mut told = Vec::new();
    loop {
        let found = store.history(&origin(), &past).await.unwrap();
        let Some(end) = found.end else { break };
        told.extend(found.rows.iter().map(|row| row.decision.id));
        past.along = Along::Before(end);
        let n = 100 + u32::try_from(told.len()).unwrap();
        admit(store, n).await;
        let ours = lease(store, n, &ana, T).await;
        let made = decision(n.into(), &ours, Disposition::Approve);
        store.decide(&ours, &made, at(WINDOW), T).await.unwrap();
    }
    assert_eq!(told.len(), total);
    // Oldest first, from the first on, those that came meanwhile too.
    let (mut onward, mut after) = (Vec::new(), 0);
    loop {
        let along = Along::After(after);
        let next = HistoryQuery { limit: Some(4), along, ..HistoryQuery::default() };
        let found = store.history(&origin(), &next).await.unwrap();
        let Some(end) = found.end else { break };
        onward.extend(found.rows.iter().map(|row| row.decision.id));
        after = end;
    }
    assert!(onward.len() > total);
    told.reverse();
    assert_eq!(onward[..total], told);
}

async fn figures_are_kept_with_every_change(store: &dyn Store) {
    let bands = Bands::default();
    let figures = async || store.figures(&origin(), &bands).await.unwrap();
    assert_eq!(figures().await, Figures::default());
    for (n, scores) in [(1, &[71.0, 89.99][..]), (2, &[90.0][..]), (3, &[12.5][..]), (4, &[][..])] {
        let candidates = scores.iter().map(|score| candidate(*score)).collect();
        let case = Case { candidates, ..case(n) };
        store.admit(&origin(), &case, CaseState::Open, T, T).await.unwrap();
    }
    let words = |counts: &Counts| -> String {
        counts.iter().map(|(word, n)| format!("{word} {n}, ")).collect()
    };
    let now = figures().await;
    assert_eq!(words(&now.cases), "open 4, ");
    assert_eq!(words(&now.bands), "no score 1, possible 1, strong 1, unlikely 1, ");
    // Read again with other candidates.
    let read = Case { candidates: vec![candidate(95.0)], ..case(3) };
    store.admit(&origin(), &read, CaseState::Open, T, T).await.unwrap();
    assert_eq!(words(&figures().await.bands), "no score 1, possible 1, strong 2, ");
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    for n in 1..=3 {
        let ours = lease(store, n, &ana, T).await;
        let made = decision(n.into(), &ours, Disposition::Reject);
        let made = Decision { at: at(i64::from(n) * 1_000), ..made };
        store.decide(&ours, &made, at(WINDOW), T).await.unwrap();
    }
    store.undo(&origin(), id(3), &ana.reviewer.id, T).await.unwrap();
    let ours = lease(store, 3, &eva, T).await;
    let made = decision(4, &ours, Disposition::Approve);
    store.decide(&ours, &made, at(WINDOW), T).await.unwrap();
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    assert!(store.settle(&delivery, &sent(), at(WINDOW)).await.unwrap());
    let now = figures().await;
    assert_eq!(words(&now.cases), "decided 3, open 1, ");
    assert_eq!(words(&now.states), "held 2, sent 1, undone 1, ");
    assert_eq!(words(&now.dispositions), "approve 1, reject 2, ");
    assert_eq!(words(&now.reviewers), "ana 2, eva 1, ");
    assert_eq!(now.hours.values().sum::<u64>(), 3);
    assert_eq!(now.median_ms.looked, Some(1800));
    assert_eq!(now.median_ms.sent, Some(WINDOW - 1_000));
    assert_eq!(now.agreement, ReadTwice::default());
}

async fn the_queue_is_filtered_by_number_and_key(store: &dyn Store) {
    for n in 1..=30 {
        admit(store, n).await;
    }
    let bare = Case { session_number: None, key: SessionId::parse("82_5").unwrap(), ..case(0) };
    store.admit(&origin(), &bare, CaseState::Open, T, T).await.unwrap();
    for (filter, found) in [
        ("4821", vec![key(21)]),
        ("case-0007", vec![key(7)]),
        ("482", (20..30).map(key).collect()),
        ("82_", vec![bare.key.clone()]),
        ("%", vec![]),
        ("'; --", vec![]),
        ("\0", vec![]),
        ("CASE", vec![]),
    ] {
        let query = QueueQuery { filter: filter.to_owned(), ..query(&[CaseState::Open]) };
        assert_eq!(keys(store, &query).await, found, "{filter}");
        let page = store.queue(&origin(), &query, T).await.unwrap();
        assert_eq!(page.total, found.len() as u64, "{filter}");
    }
}

async fn a_rank_is_the_place_in_the_pages(store: &dyn Store) {
    for n in 1..=20 {
        let state = if n % 3 == 0 { CaseState::Left } else { CaseState::Open };
        let case = Case { created_at: Some(Millis(i64::from(n / 4))), ..case(n) };
        store.admit(&origin(), &case, state, T, T).await.unwrap();
    }
    for filter in ["", "480", "nothing"] {
        for states in [&[CaseState::Open][..], &[CaseState::Open, CaseState::Left], &[]] {
            let query = QueueQuery { filter: filter.to_owned(), ..query(states) };
            let order = keys(store, &query).await;
            for n in 0..=21 {
                let rank = store.rank(&origin(), &query, &key(n)).await.unwrap();
                let place = order.iter().position(|k| *k == key(n)).map(|place| place as u64);
                assert_eq!(rank, place, "{n} {query:?}");
            }
        }
    }
}

async fn a_case_tells_who_has_it(store: &dyn Store) {
    let ana = holder("ana", 1);
    admit(store, 1).await;
    let ours = lease(store, 1, &ana, T).await;
    let taken = Taken { reviewer: ana.reviewer, worker: ana.worker, until: ours.until };
    let case = |now| async move { store.case(&origin(), &key(1), now).await.unwrap().unwrap() };
    assert_eq!(case(at(TTL - 1)).await.taken, Some(taken.clone()));
    assert_eq!(case(at(TTL)).await.taken, None, "run out");
    let page = store.queue(&origin(), &query(&[CaseState::Open]), at(1)).await.unwrap();
    assert_eq!(page.rows[0].taken, Some(taken));
    assert_eq!(page.rows[0], case(at(1)).await);
    assert_eq!(store.case(&origin(), &key(2), T).await.unwrap(), None);
}

async fn cases_are_tallied(store: &dyn Store) {
    let ana = holder("ana", 1);
    assert_eq!(store.tally(&origin()).await.unwrap(), Tally::default());
    admit(store, 1).await;
    admit(store, 2).await;
    decided(store, 3, &ana).await;
    store.admit(&origin(), &case(4), CaseState::Left, T, T).await.unwrap();
    admit(store, 5).await;
    store.depart(&origin(), &key(5), "gone", T).await.unwrap();
    admit(store, 6).await;
    let ours = lease(store, 6, &ana, T).await;
    store.decide(&ours, &decision(6, &ours, Disposition::Escalate), T, T).await.unwrap();
    let tally = Tally { open: 2, escalated: 1, decided: 1, departed: 1, left: 1 };
    assert_eq!(store.tally(&origin()).await.unwrap(), tally);
}

// Leases.

async fn a_lease_belongs_to_one_worker(store: &dyn Store) {
    admit(store, 1).await;
    let (ana, ana2, eva) = (holder("ana", 1), holder("ana", 2), holder("eva", 1));
    let ours = lease(store, 1, &ana, T).await;
    assert_eq!((ours.until, &ours.case, &ours.holder), (at(TTL), &key(1), &ana));
    for other in [&ana2, &eva] {
        let answer = store.lease(&origin(), &key(1), other, at(TTL - 1), TTL).await.unwrap();
        let LeaseAnswer::Taken(taken) = answer else { panic!("{answer:?}") };
        assert_eq!((taken.worker, taken.until), (ana.worker.clone(), at(TTL)));
    }
    // The same worker again: the fence stays, the end moves.
    let again = lease(store, 1, &ana, at(5)).await;
    assert_eq!(again, Lease { until: at(TTL + 5), ..ours });
    let unknown = store.lease(&origin(), &key(2), &ana, T, TTL).await.unwrap();
    assert_eq!(unknown, LeaseAnswer::Unknown);
}

async fn a_lease_that_ran_out_goes_to_the_next_with_a_raised_fence(store: &dyn Store) {
    admit(store, 1).await;
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    let old = lease(store, 1, &ana, T).await;
    // Run out, but nobody took it: still ours.
    let kept = store.renew(&old, at(TTL + 1), TTL).await.unwrap().unwrap();
    let new = lease(store, 1, &eva, kept.until).await;
    assert!(new.fence > old.fence);
    assert_eq!(store.renew(&old, at(1), TTL).await.unwrap(), None);
    assert_eq!(store.renew(&kept, at(1), TTL).await.unwrap(), None);
    store.release(&old).await.unwrap();
    assert!(store.renew(&new, at(1), TTL).await.unwrap().is_some(), "the release was not hers");
    // Back at the first worker the old fence is still worth nothing.
    store.release(&new).await.unwrap();
    let third = lease(store, 1, &ana, at(1)).await;
    assert!(third.fence > new.fence);
    assert_eq!(store.renew(&old, at(1), TTL).await.unwrap(), None);
}

async fn a_lease_is_renewed_and_given_back(store: &dyn Store) {
    admit(store, 1).await;
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    let ours = lease(store, 1, &ana, T).await;
    let renewed = store.renew(&ours, at(15_000), TTL).await.unwrap().unwrap();
    assert_eq!(renewed, Lease { until: at(15_000 + TTL), ..ours.clone() });
    let still = store.lease(&origin(), &key(1), &eva, at(TTL + 1), TTL).await.unwrap();
    assert!(matches!(still, LeaseAnswer::Taken(_)));
    store.release(&ours).await.unwrap();
    lease(store, 1, &eva, at(TTL + 1)).await;
    let gone = Lease { case: key(2), ..ours };
    store.release(&gone).await.unwrap();
    assert_eq!(store.renew(&gone, T, TTL).await.unwrap(), None);
}

async fn closed_cases_are_not_leased(store: &dyn Store) {
    let ana = holder("ana", 1);
    decided(store, 1, &ana).await;
    admit(store, 2).await;
    store.depart(&origin(), &key(2), "gone", T).await.unwrap();
    for (n, state) in [(1, CaseState::Decided), (2, CaseState::Departed)] {
        let answer = store.lease(&origin(), &key(n), &ana, T, TTL).await.unwrap();
        assert_eq!(answer, LeaseAnswer::Closed(state));
    }
    // One with strong candidates only is not queued, and whoever takes it decides it; taken back it is where it was.
    store.admit(&origin(), &case(3), CaseState::Left, T, T).await.unwrap();
    let ours = lease(store, 3, &ana, T).await;
    assert_eq!(state(store, 3).await, CaseState::Left);
    let decision = decision(3, &ours, Disposition::Approve);
    store.decide(&ours, &decision, at(9), T).await.unwrap();
    assert_eq!(state(store, 3).await, CaseState::Decided);
    let undone = store.undo(&origin(), decision.id, &ana.reviewer.id, T).await.unwrap();
    assert_eq!(undone, Undone::TakenBack(key(3)));
    assert_eq!(state(store, 3).await, CaseState::Left);
}

async fn skipping_goes_to_the_end_of_the_queue(store: &dyn Store) {
    let ana = holder("ana", 1);
    for n in 1..=3 {
        admit(store, n).await;
    }
    // One that was created, as Didit says, long after now.
    let late = Case { created_at: Some(at(1_000_000)), ..case(4) };
    store.admit(&origin(), &late, CaseState::Left, T, T).await.unwrap();
    for n in [1, 2] {
        let ours = lease(store, n, &ana, T).await;
        store.skip(&ours, T).await.unwrap();
        assert!(matches!(store.skip(&ours, T).await, Err(StoreError::LostLease)));
        let row = store.case(&origin(), &key(n), T).await.unwrap().unwrap();
        assert_eq!((row.state, row.taken), (CaseState::Open, None));
    }
    let order = keys(store, &query(&[CaseState::Open, CaseState::Left])).await;
    assert_eq!(order, [key(3), key(4), key(1), key(2)]);
    let lost = Lease { fence: 99, ..lease(store, 3, &ana, T).await };
    assert!(matches!(store.skip(&lost, T).await, Err(StoreError::LostLease)));
    let unknown = Lease { case: key(8), ..lost };
    assert!(matches!(store.skip(&unknown, T).await, Err(StoreError::LostLease)));
    assert_eq!(keys(store, &query(&[CaseState::Open])).await, [key(3), key(1), key(2)]);
}

// Decisions.

async fn a_decision_is_held_and_its_case_decided(store: &dyn Store) {
    let ana = holder("ana", 1);
    admit(store, 1).await;
    let ours = lease(store, 1, &ana, T).await;
    // The lease has run out, but nobody took the case: it is still hers to decide.
    let made = decision(1, &ours, Disposition::Blocklist);
    store.decide(&ours, &made, at(TTL + WINDOW), at(TTL + 5)).await.unwrap();
    let kept = row(store, 1).await;
    assert_eq!(kept.decision, made);
    assert_eq!((kept.state, kept.due, kept.attempts), (DeliveryState::Held, at(TTL + WINDOW), 0));
    assert_eq!((kept.settled_at, kept.note, kept.progress), (None, None, Progress::default()));
    let case = store.case(&origin(), &key(1), at(TTL + 5)).await.unwrap().unwrap();
    assert_eq!((case.state, case.taken), (CaseState::Decided, None));
    assert_eq!(case.decision, Some((id(1), Disposition::Blocklist, DeliveryState::Held)));
    assert_eq!(store.renew(&ours, at(TTL + 5), TTL).await.unwrap(), None, "the lease ended");
}

async fn a_decision_under_a_lost_lease_writes_nothing(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    admit(store, 1).await;
    let old = lease(store, 1, &ana, T).await;
    let hers = lease(store, 1, &eva, old.until).await;
    let refused = |lease: Lease| async move {
        let made = decision(1, &lease, Disposition::Reject);
        let answer = store.decide(&lease, &made, at(TTL), at(1)).await;
        assert!(matches!(answer, Err(StoreError::LostLease)), "{answer:?}");
    };
    refused(old).await;
    refused(Lease { fence: hers.fence - 1, ..hers.clone() }).await;
    refused(Lease { case: key(2), ..hers.clone() }).await;
    assert!(store.history(&origin(), &HistoryQuery::default()).await.unwrap().rows.is_empty());
    let row = store.case(&origin(), &key(1), hers.until.plus(-1)).await.unwrap().unwrap();
    assert_eq!((row.state, row.decision), (CaseState::Open, None));
    assert_eq!(row.taken.map(|taken| taken.worker), Some(eva.worker), "hers is untouched");
    store.depart(&origin(), &key(1), "gone", T).await.unwrap();
    refused(hers).await;
}

async fn a_case_is_decided_once(store: &dyn Store) {
    let ana = holder("ana", 1);
    admit(store, 1).await;
    let ours = lease(store, 1, &ana, T).await;
    let made = decision(1, &ours, Disposition::Approve);
    store.decide(&ours, &made, at(WINDOW), T).await.unwrap();
    for n in [1, 2] {
        let again = decision(n, &ours, Disposition::Reject);
        let answer = store.decide(&ours, &again, at(WINDOW), T).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
    }
    // The same decision cannot be about two cases either.
    admit(store, 2).await;
    let second = lease(store, 2, &ana, T).await;
    let same_id = decision(1, &second, Disposition::Reject);
    let answer = store.decide(&second, &same_id, at(WINDOW), T).await;
    assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
    assert_eq!(state(store, 2).await, CaseState::Open);
    let all = store.history(&origin(), &HistoryQuery::default()).await.unwrap().rows;
    assert_eq!(all.into_iter().map(|row| row.decision).collect::<Vec<_>>(), [made]);
    assert!(store.renew(&second, T, TTL).await.unwrap().is_some(), "and its lease goes on");
}

async fn an_unsound_decision_is_refused(store: &dyn Store) {
    let ana = holder("ana", 1);
    admit(store, 1).await;
    let ours = lease(store, 1, &ana, T).await;
    let sound = decision(1, &ours, Disposition::Reject);
    for unsound in [
        Decision { case: key(2), ..sound.clone() },
        Decision { reviewer: holder("eva", 1).reviewer, ..sound.clone() },
        Decision { disposition: Disposition::Skip, ..sound },
    ] {
        let answer = store.decide(&ours, &unsound, at(WINDOW), T).await;
        assert!(matches!(answer, Err(StoreError::Other(_))), "{answer:?}");
    }
    assert!(store.history(&origin(), &HistoryQuery::default()).await.unwrap().rows.is_empty());
    assert_eq!(state(store, 1).await, CaseState::Open);
}

async fn an_escalation_is_local_and_goes_to_the_second_queue(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    admit(store, 1).await;
    let ours = lease(store, 1, &ana, T).await;
    let made = decision(1, &ours, Disposition::Escalate);
    store.decide(&ours, &made, at(WINDOW), at(1)).await.unwrap();
    let kept = row(store, 1).await;
    assert_eq!((kept.state, kept.settled_at), (DeliveryState::Local, Some(at(1))));
    let case = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!(case.state, CaseState::Escalated);
    assert_eq!((case.note, case.decision), (None, None), "what was said is not told");
    assert!(take(store, &ana, at(TTL)).await.is_none(), "nothing is sent");
    // An intake leaves it where it is.
    let again = store.admit(&origin(), &super::store::case(1), CaseState::Open, T, T).await;
    assert_eq!(again.unwrap(), Admitted::Same);
    let second = lease(store, 1, &eva, at(2)).await;
    let word = decision(2, &second, Disposition::Approve);
    store.decide(&second, &word, at(WINDOW), at(3)).await.unwrap();
    assert_eq!(state(store, 1).await, CaseState::Decided);
}

async fn who_escalated_a_case_does_not_decide_it(store: &dyn Store) {
    // The same person at another terminal and under another label is the same person.
    let (ana, eva, zoe) = (holder("ana", 1), holder("eva", 1), holder("zoe", 1));
    let mut alias = holder("ana", 2);
    alias.reviewer.name = "eva".to_owned();
    let ask = |who: &Holder| {
        let who = who.clone();
        async move { store.lease(&origin(), &key(1), &who, at(2), TTL).await.unwrap() }
    };
    admit(store, 1).await;
    let up = lease(store, 1, &ana, T).await;
    let made = decision(1, &up, Disposition::Escalate);
    store.decide(&up, &made, at(WINDOW), at(1)).await.unwrap();
    assert_eq!(ask(&ana).await, LeaseAnswer::SecondReader);
    assert_eq!(ask(&alias).await, LeaseAnswer::SecondReader);
    // Nor in the name of whoever has it.
    let LeaseAnswer::Yours(hers) = ask(&eva).await else { panic!("eva may") };
    let mut stolen = hers.clone();
    stolen.holder.reviewer = ana.reviewer.clone();
    let made = decision(2, &stolen, Disposition::Approve);
    let answer = store.decide(&stolen, &made, at(WINDOW), at(3)).await;
    assert!(matches!(answer, Err(StoreError::SecondReader)), "{answer:?}");
    // She cannot tell either: it goes to a third.
    let made = decision(3, &hers, Disposition::Escalate);
    store.decide(&hers, &made, at(WINDOW), at(4)).await.unwrap();
    for who in [&ana, &alias, &eva] {
        assert_eq!(ask(who).await, LeaseAnswer::SecondReader);
    }
    let LeaseAnswer::Yours(third) = ask(&zoe).await else { panic!("zoe may") };
    let made = decision(4, &third, Disposition::Reject);
    store.decide(&third, &made, at(WINDOW), at(5)).await.unwrap();
    // Taken back, it waits for a third reader as before, and no reader opens it for himself.
    store.undo(&origin(), id(4), &zoe.reviewer.id, at(6)).await.unwrap();
    assert_eq!(ask(&eva).await, LeaseAnswer::SecondReader);
    assert!(!store.reopen(&origin(), id(3), &holder("eva", 1).reviewer.id, at(7)).await.unwrap());
    assert_eq!(ask(&ana).await, LeaseAnswer::SecondReader);
}

/// Leases case 1 to somebody and records what they say of it.
async fn says(
    store: &dyn Store,
    who: &Holder,
    n: u128,
    change: impl FnOnce(&mut Decision),
) -> store::Result<DeliveryState> {
    says_of(store, 1, who, n, change).await
}

/// The same of any case.
async fn says_of(
    store: &dyn Store,
    case: u32,
    who: &Holder,
    n: u128,
    change: impl FnOnce(&mut Decision),
) -> store::Result<DeliveryState> {
    let ours = lease(store, case, who, T).await;
    let mut made = decision(n, &ours, Disposition::Approve);
    change(&mut made);
    let answer = store.decide(&ours, &made, at(WINDOW), T).await;
    store.release(&ours).await.unwrap();
    answer
}

fn judged(word: Judgement) -> Vec<Judged> {
    vec![Judged { place: 0, session_id: Some(key(9000)), judgement: Some(word) }]
}

fn escalates(word: Judgement) -> impl FnOnce(&mut Decision) {
    move |made| {
        made.disposition = Disposition::Escalate;
        made.judgements = judged(word);
    }
}

fn rejects(made: &mut Decision) {
    made.disposition = Disposition::Reject;
    made.judgements = judged(Judgement::Same);
}

async fn a_reader_who_contradicts_another_leaves_it_to_a_third(store: &dyn Store) {
    let [ana, eva, zoe, ben] = ["ana", "eva", "zoe", "ben"].map(|name| holder(name, 1));
    admit(store, 1).await;
    let said = says(store, &ana, 1, escalates(Judgement::Same)).await.unwrap();
    assert_eq!(said, DeliveryState::Local);
    let said = says(store, &eva, 2, |_| ()).await.unwrap();
    assert_eq!(said, DeliveryState::Differs, "same, and then different");
    let case = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!((case.state, case.decision), (CaseState::Escalated, None), "the third is blind too");
    assert!(take(store, &eva, at(TTL)).await.is_none(), "one word against another sends nothing");
    // Neither of them decides it, nor takes the word back that tells what the other said.
    for who in [&ana, &eva] {
        let answer = store.lease(&origin(), &key(1), who, T, TTL).await.unwrap();
        assert_eq!(answer, LeaseAnswer::SecondReader);
    }
    let undone = store.undo(&origin(), id(2), &eva.reviewer.id, T).await.unwrap();
    assert_eq!(undone, Undone::NotHeld(DeliveryState::Differs));
    let undone = store.undo(&origin(), id(1), &ana.reviewer.id, T).await.unwrap();
    assert_eq!(undone, Undone::NotHeld(DeliveryState::Local), "more was said since");
    assert!(!store.reopen(&origin(), id(2), &holder("eva", 1).reviewer.id, T).await.unwrap());
    // The third cannot tell either; the fourth has one with them and one against.
    says(store, &zoe, 3, escalates(Judgement::Unsure)).await.unwrap();
    assert_eq!(says(store, &ben, 4, rejects).await.unwrap(), DeliveryState::Held);
    assert_eq!(take(store, &ben, at(WINDOW)).await.unwrap().decision.id, id(4));
}

async fn a_reader_who_contradicts_nobody_decides(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    let nothing = |made: &mut Decision| {
        made.disposition = Disposition::Escalate;
        made.judgements = vec![];
    };
    let silent = |made: &mut Decision| {
        made.disposition = Disposition::Reject;
        made.judgements = vec![Judged { place: 0, session_id: Some(key(9000)), judgement: None }];
    };
    let mut n = 0;
    type Says = Box<dyn FnOnce(&mut Decision)>;
    let (held, differs) = (DeliveryState::Held, DeliveryState::Differs);
    let table: [(Says, Says, DeliveryState); 8] = [
        (Box::new(escalates(Judgement::Different)), Box::new(|_| ()), held),
        (Box::new(escalates(Judgement::Same)), Box::new(rejects), held),
        (Box::new(escalates(Judgement::Unsure)), Box::new(|_| ()), held),
        (Box::new(escalates(Judgement::Unsure)), Box::new(rejects), held),
        (Box::new(nothing), Box::new(rejects), held),
        (Box::new(escalates(Judgement::Same)), Box::new(silent), held),
        (Box::new(escalates(Judgement::Different)), Box::new(rejects), differs),
        (Box::new(escalates(Judgement::Different)), Box::new(silent), differs),
    ];
    for (first, second, wanted) in table {
        n += 2;
        let case_no = u32::try_from(n).unwrap();
        admit(store, case_no).await;
        says_of(store, case_no, &ana, n, first).await.unwrap();
        let said = says_of(store, case_no, &eva, n + 1, second).await.unwrap();
        assert_eq!(said, wanted, "pair {n}");
        // It departs and comes back: whoever has read it has read it still.
        let undone = store.undo(&origin(), id(n + 1), &eva.reviewer.id, T).await.unwrap();
        assert_eq!(undone == Undone::TakenBack(key(case_no)), wanted == held);
        assert!(store.depart(&origin(), &key(case_no), "gone", T).await.unwrap());
        let back = store.admit(&origin(), &case(case_no), CaseState::Open, T, T).await.unwrap();
        assert_eq!(back, Admitted::New);
        let answer = store.lease(&origin(), &key(case_no), &ana, T, TTL).await.unwrap();
        assert_eq!(answer, LeaseAnswer::SecondReader);
    }
}

async fn an_escalation_is_taken_back_while_nobody_looks(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    admit(store, 1).await;
    says(store, &ana, 1, escalates(Judgement::Unsure)).await.unwrap();
    let hers = lease(store, 1, &eva, T).await;
    let (origin, mine) = (origin(), ana.reviewer.id.clone());
    let undo = |n| store.undo(&origin, id(n), &mine, T);
    assert_eq!(undo(1).await.unwrap(), Undone::NotHeld(DeliveryState::Local), "eva looks");
    store.release(&hers).await.unwrap();
    assert_eq!(undo(1).await.unwrap(), Undone::TakenBack(key(1)));
    assert_eq!(state(store, 1).await, CaseState::Open);
    // She has not read it, as it were.
    assert_eq!(says(store, &ana, 2, |_| ()).await.unwrap(), DeliveryState::Held);
}

async fn an_approved_customer_is_blocklisted_by_two_people(store: &dyn Store) {
    let Some(keys) = Person::new("eva") else { return };
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    let mut alias = holder("ana", 2);
    alias.reviewer.name = "eva".to_owned();
    admit(store, 1).await;
    let ours = lease(store, 1, &ana, T).await;
    let made = proposal(1, &ours);
    let state_then = store.decide(&ours, &made, at(WINDOW), T).await.unwrap();
    assert_eq!(state_then, DeliveryState::Proposed);
    let shown = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!(shown.state, CaseState::Escalated);
    assert_eq!(shown.proposal.as_deref(), Some(&made), "the second person is blind to nothing");
    let page = store.queue(&origin(), &query(&[CaseState::Escalated]), T).await.unwrap();
    assert_eq!(page.rows[0].proposal.as_deref(), Some(&made));
    assert_eq!(row(store, 1).await.settled_at, None);
    for who in [&ana, &eva] {
        assert!(take(store, who, at(100 * TTL)).await.is_none(), "nothing is sent");
        assert_eq!(store.next_due(&origin(), &who.reviewer.id).await.unwrap(), None);
    }
    assert_eq!(store.send_now(&origin(), &ana.reviewer.id, T).await.unwrap(), 0);
    // The same person does not confirm, whatever terminal and label.
    for who in [&ana, &alias] {
        let answer = store.lease(&origin(), &key(1), who, T, TTL).await.unwrap();
        assert_eq!(answer, LeaseAnswer::SecondReader);
    }
    // Nor anybody who is not on the roster: only its people are two.
    let stranger = lease(store, 1, &eva, T).await;
    let answer = Decision { answers: Some(id(1)), evidence: vec![], ..proposal(2, &stranger) };
    let answer = store.decide(&stranger, &answer, at(WINDOW), T).await;
    assert!(matches!(answer, Err(StoreError::NotSecond(_))), "{answer:?}");
    enrol(store, &eva, &keys).await;
    // Nor anybody who does not say what they answer, or who names another face.
    let hers = lease(store, 1, &eva, T).await;
    let yes = Decision { answers: Some(id(1)), evidence: vec![], ..proposal(2, &hers) };
    let stolen =
        Lease { holder: Holder { reviewer: ana.reviewer.clone(), ..eva.clone() }, ..hers.clone() };
    let mine = Decision { reviewer: ana.reviewer.clone(), ..yes.clone() };
    assert!(yes.confirms(&made) && !mine.confirms(&made));
    let answer = store.decide(&stolen, &mine, at(WINDOW), T).await;
    assert!(matches!(answer, Err(StoreError::SecondReader)), "{answer:?}");
    let other = decision(2, &hers, Disposition::Blocklist).target;
    for (wrong, conflict) in [
        (Decision { answers: None, ..yes.clone() }, true),
        (Decision { answers: Some(id(7)), ..yes.clone() }, true),
        (decision(2, &hers, Disposition::Reject), true),
        (Decision { target: other, ..yes.clone() }, false),
    ] {
        let answer = store.decide(&hers, &wrong, at(WINDOW), T).await;
        let as_wanted = match answer {
            Err(StoreError::Conflict) => conflict,
            Err(StoreError::Other(_)) => !conflict,
            _ => false,
        };
        assert!(as_wanted, "{answer:?}");
    }
    // Nor is anything recorded that would not be sent: without eva's signature, and in the name of whoever is
    // not on the roster, or of another who is.
    let answer = store.decide(&hers, &yes, at(WINDOW), T).await;
    assert!(matches!(answer, Err(StoreError::NotThem(_))), "{answer:?}");
    admit(store, 2).await;
    let mut other = holder("os", 3);
    other.reviewer = Reviewer { id: ReviewerId("os:7".to_owned()), name: "Eva".to_owned() };
    for who in [&ana, &other] {
        let ours = lease(store, 2, who, T).await;
        let answer = store.decide(&ours, &decision(9, &ours, Disposition::Reject), T, T).await;
        assert!(matches!(answer, Err(StoreError::NotThem(_))), "{answer:?}");
        store.release(&ours).await.unwrap();
    }
    assert_eq!(store.audit_head(&origin()).await.unwrap().seq, 2, "nothing was entered");
    let scope = roster::Scope::of(&store.salt().await.unwrap(), &origin());
    let record = store::audit::hash_of(&serde_json::to_string(&yes).unwrap());
    let text = roster::decision_statement(&scope, &yes, &record);
    let signed = Decision { signature: Some(keys.sign(roster::DECISION, &text)), ..yes.clone() };
    assert_eq!(store.decide(&hers, &signed, at(WINDOW), T).await.unwrap(), DeliveryState::Held);
    let over = row(store, 1).await;
    assert_eq!(
        (over.state, over.note.as_deref()),
        (DeliveryState::Local, Some("confirmed by eva"))
    );
    let delivery = take(store, &eva, at(WINDOW)).await.unwrap();
    assert_eq!(Decision { signature: None, ..delivery.decision }, yes);
    let audit = store.audit(&origin(), 0, 100).await.unwrap();
    let audit: Vec<store::audit::AuditEntry> =
        audit.iter().map(|row| serde_json::from_str(&row.entry).unwrap()).collect();
    let told: Vec<_> =
        audit.iter().map(|e| (e.what, e.reviewer.as_str(), e.state.as_str())).collect();
    let (ana, eva) = (ana.reviewer.id.0.as_str(), eva.reviewer.id.0.as_str());
    assert_eq!(
        told,
        [
            (Audited::Proposed, ana, "proposed"),
            (Audited::Roster, "os:1", ""),
            (Audited::Confirmed, eva, "held"),
            (Audited::Settled, ana, "local"),
        ]
    );
}

/// Puts somebody on the roster as the file's owner can: what a signature would do is tried in `roster.rs`.
async fn enrol(store: &dyn Store, who: &Holder, keys: &Person) {
    let key = std::fs::read_to_string(keys.key()).unwrap();
    let act = secondlook::roster::Act::Recover {
        person: secondlook::roster::PersonId::parse(&who.reviewer.name).unwrap(),
        proofs: vec![secondlook::proof::Proof::Key(
            secondlook::proof::PublicKey::parse(key.trim()).unwrap(),
        )],
    };
    let act = store::NewAct {
        by: ReviewerId("os:1".to_owned()),
        act: serde_json::to_string(&act).unwrap(),
        signature: None,
    };
    store.enact(&origin(), &act, T).await.unwrap();
}

async fn a_proposal_is_declined_taken_back_or_void(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    let propose = async |n| {
        let ours = lease(store, 1, &ana, T).await;
        store.decide(&ours, &proposal(n, &ours), at(WINDOW), T).await.unwrap();
    };
    let origin = origin();
    let undo = |n: u128, who: &Holder| {
        let (origin, who) = (origin.clone(), who.reviewer.id.clone());
        async move { store.undo(&origin, id(n), &who, T).await.unwrap() }
    };
    admit(store, 1).await;
    // Taken back by who made it, but not while the other looks at it, and by nobody else.
    propose(1).await;
    assert_eq!(undo(1, &eva).await, Undone::NotYours);
    let hers = lease(store, 1, &eva, T).await;
    assert_eq!(undo(1, &ana).await, Undone::NotHeld(DeliveryState::Proposed));
    store.release(&hers).await.unwrap();
    assert_eq!(undo(1, &ana).await, Undone::TakenBack(key(1)));
    assert_eq!(state(store, 1).await, CaseState::Open);
    // Declined by any other word; that word taken back, it waits again.
    propose(2).await;
    let no = |made: &mut Decision| {
        rejects(made);
        made.answers = Some(id(2));
    };
    assert_eq!(says(store, &eva, 3, no).await.unwrap(), DeliveryState::Held);
    assert_eq!(row(store, 2).await.note.as_deref(), Some("declined by eva, who decided reject"));
    assert_eq!(undo(2, &ana).await, Undone::NotHeld(DeliveryState::Local), "it was answered");
    assert_eq!(undo(3, &eva).await, Undone::TakenBack(key(1)));
    assert_eq!(row(store, 2).await.state, DeliveryState::Proposed);
    // And so it does when an administrator takes the answer back.
    assert_eq!(says(store, &eva, 13, no).await.unwrap(), DeliveryState::Held);
    let chief = ReviewerId::of_person("chief");
    let released = store.release_held(&origin, id(13), &chief, T).await.unwrap();
    assert_eq!(released, Undone::TakenBack(key(1)));
    assert_eq!(
        (row(store, 2).await.state, row(store, 2).await.note),
        (DeliveryState::Proposed, None)
    );
    let audit = store.audit(&origin, 0, 100).await.unwrap();
    let last: Vec<store::audit::AuditEntry> =
        audit.iter().rev().take(2).map(|row| serde_json::from_str(&row.entry).unwrap()).collect();
    let told: Vec<_> = last.iter().map(|e| (e.what, e.decision.clone(), e.doer())).collect();
    assert_eq!(
        told,
        [
            (Audited::Proposed, id(2).to_string(), "person:chief"),
            (Audited::Released, id(13).to_string(), "person:chief"),
        ]
    );
    let answer = store.lease(&origin, &key(1), &ana, T, TTL).await.unwrap();
    assert_eq!(answer, LeaseAnswer::SecondReader, "still not the same person");
    // Void when what it rests on has changed: anybody may say so, once.
    assert!(store.void(&origin, id(2), "#9000 is no approved customer any more", T).await.unwrap());
    assert!(!store.void(&origin, id(2), "again", T).await.unwrap());
    let over = row(store, 2).await;
    let void = "void: #9000 is no approved customer any more";
    assert_eq!((over.state, over.note.as_deref()), (DeliveryState::Local, Some(void)));
    assert_eq!(state(store, 1).await, CaseState::Open);
    // And when its case leaves.
    propose(4).await;
    assert!(store.depart(&origin, &key(1), "Declined at Didit", T).await.unwrap());
    assert_eq!(row(store, 4).await.note.as_deref(), Some("void: Declined at Didit"));
    // What is not a proposal is never void.
    decided(store, 5, &ana).await;
    assert!(!store.void(&origin, id(5), "why", T).await.unwrap());
    assert!(!store.void(&origin, id(99), "why", T).await.unwrap());
}

async fn what_is_passed_over_is_remembered_with_its_reason(store: &dyn Store) {
    let passed = |n: u32, reason| PassedOver { key: key(n), status: Status::InReview, reason };
    let below = passed(1, Explained::BelowBand);
    store.pass_over(&origin(), &below, "70 90", T).await.unwrap();
    store.pass_over(&origin(), &passed(2, Explained::NoFaceReason), "70 90", T).await.unwrap();
    let keys: Vec<_> = (0..300).map(key).collect();
    let known = store.passed_over(&origin(), &keys, "70 90", at(5)).await.unwrap();
    assert_eq!(known.len(), 2);
    assert!(known.contains(&below));
    assert_eq!(store.passed_over(&origin(), &keys, "60 90", at(9)).await.unwrap(), []);
    let other = Origin("other".into());
    assert_eq!(store.passed_over(&other, &keys, "70 90", at(5)).await.unwrap(), []);
    store.pass_over(&origin(), &passed(2, Explained::BelowBand), "70 90", at(6)).await.unwrap();
    assert_eq!(store.explained(&origin()).await.unwrap(), [(Explained::BelowBand, 2)]);
    store.take_up(&origin(), &key(2)).await.unwrap();
    assert_eq!(store.explained(&origin()).await.unwrap(), [(Explained::BelowBand, 1)]);
    assert_eq!(store.forget_passed(&origin(), at(5)).await.unwrap(), 0);
    assert_eq!(store.forget_passed(&origin(), at(6)).await.unwrap(), 1);
    assert_eq!(store.explained(&origin()).await.unwrap(), []);
}

async fn the_place_in_a_list_is_kept(store: &dyn Store) {
    assert_eq!(store.place_in(&origin(), "faces").await.unwrap(), None);
    for record in ["{}", "{\"down\":7}"] {
        store.keep_place(&origin(), "faces", record).await.unwrap();
        let kept = store.place_in(&origin(), "faces").await.unwrap();
        assert_eq!(kept.as_deref(), Some(record));
    }
    assert_eq!(store.place_in(&origin(), "rest").await.unwrap(), None);
    assert_eq!(store.place_in(&Origin("other".into()), "faces").await.unwrap(), None);
}

async fn what_workflows_do_by_themselves_is_remembered(store: &dyn Store) {
    admit(store, 1).await;
    let saw = |workflow: &str, lists, ms| SeenWorkflow {
        workflow: workflow.to_owned(),
        lists,
        at: at(ms),
    };
    for seen in [saw("w1", false, 1), saw("w2", true, 2), saw("w1", false, 3), saw("w2", false, 4)]
    {
        store.saw_workflow(&origin(), &seen).await.unwrap();
    }
    let known = store.workflows(&origin()).await.unwrap();
    assert_eq!(known, [saw("w1", false, 3), saw("w2", true, 4)], "once seen to list, it stays so");
    let other = Origin("https://other.example#1".to_owned());
    assert_eq!(store.workflows(&other).await.unwrap(), []);
}

async fn an_unreachable_subject_is_decided_here(store: &dyn Store) {
    let ana = holder("ana", 1);
    let unreachable = Case { kind: SubjectKind::Unreachable, ..case(1) };
    store.admit(&origin(), &unreachable, CaseState::Open, T, T).await.unwrap();
    let ours = lease(store, 1, &ana, T).await;
    let made =
        Decision { kind: SubjectKind::Unreachable, ..decision(1, &ours, Disposition::Approve) };
    store.decide(&ours, &made, at(WINDOW), T).await.unwrap();
    assert_eq!(state(store, 1).await, CaseState::Decided);
    assert_eq!(row(store, 1).await.state, DeliveryState::Local);
    assert!(take(store, &ana, at(TTL)).await.is_none());
}

async fn only_ones_own_held_decision_is_undone(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    decided(store, 1, &ana).await;
    let undo = |n, who: &Holder| {
        let reviewer = who.reviewer.id.clone();
        async move { store.undo(&origin(), id(n), &reviewer, at(5)).await.unwrap() }
    };
    assert_eq!(undo(9, &ana).await, Undone::Unknown);
    assert_eq!(undo(1, &eva).await, Undone::NotYours);
    // Another terminal of the same reviewer may.
    assert_eq!(undo(1, &holder("ana", 2)).await, Undone::TakenBack(key(1)));
    assert_eq!(undo(1, &ana).await, Undone::NotHeld(DeliveryState::Undone));
    assert_eq!(row(store, 1).await.state, DeliveryState::Undone, "the row stays");
    assert!(take(store, &ana, at(TTL)).await.is_none(), "and is never sent");

    decided(store, 2, &ana).await;
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    assert_eq!(undo(2, &ana).await, Undone::NotHeld(DeliveryState::Sending));
    store.settle(&delivery, &sent(), at(WINDOW)).await.unwrap();
    assert_eq!(undo(2, &ana).await, Undone::NotHeld(DeliveryState::Sent));
    assert_eq!(state(store, 2).await, CaseState::Decided);
}

async fn an_undone_case_is_back_where_it_was(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    admit(store, 1).await;
    decided(store, 2, &ana).await;
    admit(store, 3).await;
    let mine = ana.reviewer.id.clone();
    store.undo(&origin(), id(2), &mine, at(1)).await.unwrap();
    let case = store.case(&origin(), &key(2), T).await.unwrap().unwrap();
    assert_eq!((case.state, case.decision), (CaseState::Open, None));
    let order = keys(store, &query(&[CaseState::Open])).await;
    assert_eq!(order, [key(1), key(2), key(3)], "its old place");
    // It can be decided again.
    let ours = lease(store, 2, &ana, T).await;
    let again = decision(20, &ours, Disposition::Approve);
    store.decide(&ours, &again, at(WINDOW), T).await.unwrap();

    // A case of the second reviewer's queue goes back there.
    let ours = lease(store, 1, &ana, T).await;
    let up = decision(30, &ours, Disposition::Escalate);
    store.decide(&ours, &up, at(WINDOW), T).await.unwrap();
    let hers = lease(store, 1, &eva, T).await;
    let made = Decision { comment: None, ..decision(31, &hers, Disposition::Reject) };
    store.decide(&hers, &made, at(WINDOW), T).await.unwrap();
    store.undo(&origin(), id(31), &eva.reviewer.id, T).await.unwrap();
    let case = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!((case.state, case.decision), (CaseState::Escalated, None));
}

async fn a_settled_case_is_reopened_and_its_decision_replaced(store: &dyn Store) {
    let ana = holder("ana", 1);
    decided(store, 1, &ana).await;
    settled(store, &ana, &sent(), at(WINDOW)).await;
    assert!(
        store.reopen(&origin(), id(1), &holder("eva", 1).reviewer.id, at(20_000)).await.unwrap()
    );
    assert!(
        !store.reopen(&origin(), id(1), &holder("eva", 1).reviewer.id, at(20_000)).await.unwrap(),
        "it is open"
    );
    let row = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!(row.state, CaseState::Open);
    assert_eq!(row.decision, Some((id(1), Disposition::Reject, DeliveryState::Sent)));

    let ours = lease(store, 1, &ana, at(20_000)).await;
    let blind = decision(2, &ours, Disposition::Approve);
    for wrong in [blind.clone(), Decision { replaces: Some(id(7)), ..blind.clone() }] {
        let answer = store.decide(&ours, &wrong, at(40_000), at(20_000)).await;
        assert!(matches!(answer, Err(StoreError::Conflict)), "it must name the old one");
    }
    let named = Decision { replaces: Some(id(1)), ..blind };
    store.decide(&ours, &named, at(40_000), at(20_000)).await.unwrap();
    // Undone, the next one has to name it again.
    store.undo(&origin(), id(2), &ana.reviewer.id, at(20_001)).await.unwrap();
    let ours = lease(store, 1, &ana, at(20_000)).await;
    let blind = decision(3, &ours, Disposition::Approve);
    let answer = store.decide(&ours, &blind, at(40_000), at(20_000)).await;
    assert!(matches!(answer, Err(StoreError::Conflict)));
    let named = Decision { replaces: Some(id(1)), ..blind };
    store.decide(&ours, &named, at(40_000), at(20_000)).await.unwrap();
    assert!(
        !store.reopen(&origin(), id(1), &holder("eva", 1).reviewer.id, at(20_000)).await.unwrap(),
        "not the newest"
    );
}

async fn nothing_else_is_reopened(store: &dyn Store) {
    let ana = holder("ana", 1);
    let reopen = |n, now| async move {
        store.reopen(&origin(), id(n), &holder("eva", 1).reviewer.id, now).await.unwrap()
    };
    assert!(!reopen(9, T).await, "unknown");
    decided(store, 1, &ana).await;
    assert!(!reopen(1, T).await, "held");
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    assert!(!reopen(1, T).await, "sending");
    let lost = Settled::Later { at: at(TTL), why: "lost".to_owned(), may_have_written: true };
    store.settle(&delivery, &lost, at(WINDOW)).await.unwrap();
    assert!(!reopen(1, T).await, "unknown outcome");
    assert_eq!(state(store, 1).await, CaseState::Decided);

    // Every settled outcome can be opened.
    for (n, outcome) in [
        (2, Settled::Refused { why: "no".to_owned() }),
        (3, Settled::Local { why: "no".to_owned() }),
        (4, Settled::Conflict { theirs: Status::Approved, by: "eva".to_owned() }),
    ] {
        decided(store, n, &ana).await;
        settled(store, &ana, &outcome, at(WINDOW)).await;
        assert!(reopen(n.into(), T).await, "{outcome:?}");
    }
    // What waits for another reader is open to that reader, and to nobody else.
    admit(store, 5).await;
    let ours = lease(store, 5, &ana, T).await;
    store.decide(&ours, &decision(5, &ours, Disposition::Escalate), T, T).await.unwrap();
    assert!(!reopen(5, at(1)).await);
    admit(store, 6).await;
    let ours = lease(store, 6, &ana, T).await;
    store.decide(&ours, &proposal(6, &ours), T, T).await.unwrap();
    assert!(!reopen(6, at(1)).await);
}

// The outbox.

async fn retry(store: &dyn Store, n: u128, who: &Holder, now: Millis) -> Retried {
    store.retry(&origin(), id(n), &who.reviewer.id, now).await.unwrap()
}

async fn what_was_refused_or_put_off_is_tried_again(store: &dyn Store) {
    use DeliveryState::{Held, Refused, Sending, Unknown};
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    let no = || Settled::Refused { why: "no".to_owned() };
    // Nothing of it has left: it is held again, and its reviewer's alone.
    decided(store, 1, &ana).await;
    settled(store, &ana, &no(), at(WINDOW)).await;
    let later = at(WINDOW + 1);
    assert_eq!(retry(store, 1, &eva, later).await, Retried::NotYours);
    assert_eq!(row(store, 1).await.state, Refused, "and nothing was touched");
    let entries = store.audit(&origin(), 0, 99).await.unwrap().len();
    assert_eq!(retry(store, 1, &ana, later).await, Retried::Due(Held));
    let audit = store.audit(&origin(), 0, 99).await.unwrap();
    assert_eq!(audit.len(), entries + 1);
    let entry: AuditEntry = serde_json::from_str(&audit[entries].entry).unwrap();
    assert_eq!((entry.what, entry.state.as_str()), (Audited::Retried, "held"));
    assert_eq!(entry.doer(), ana.reviewer.id.0);
    let kept = row(store, 1).await;
    assert_eq!((kept.state, kept.settled_at), (Held, None));
    assert!(kept.due <= later);
    assert_eq!(state(store, 1).await, CaseState::Decided, "the case waits for nobody");
    assert!(take(store, &eva, later).await.is_none());
    let before = row(store, 1).await.attempts;
    let delivery = take(store, &ana, later).await.unwrap();
    assert_eq!((delivery.was, delivery.attempts), (Held, before + 1));
    assert!(store.settle(&delivery, &no(), later).await.unwrap());
    // Held again, it is taken back like any other.
    assert_eq!(retry(store, 1, &ana, later).await, Retried::Due(Held));
    let undone = store.undo(&origin(), id(1), &ana.reviewer.id, later).await.unwrap();
    assert_eq!(undone, Undone::TakenBack(key(1)));
    assert_eq!(state(store, 1).await, CaseState::Open);

    // Something of it has left: nobody can take it back, and anybody may go on with it.
    decided(store, 2, &ana).await;
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    let half = Progress { status_done: true, ..Progress::default() };
    assert!(store.progress(&delivery, &half).await.unwrap());
    assert!(store.settle(&delivery, &no(), at(WINDOW)).await.unwrap());
    assert_eq!(retry(store, 2, &eva, later).await, Retried::Due(Unknown));
    let undone = store.undo(&origin(), id(2), &ana.reviewer.id, later).await.unwrap();
    assert_eq!(undone, Undone::NotHeld(Unknown));
    let delivery = take(store, &eva, later).await.unwrap();
    assert_eq!((delivery.was, delivery.progress), (Unknown, half), "as far as it had come");
    assert_eq!(row(store, 2).await.state, Sending);

    // An unknown outcome: only the wait ends, and the record of what happened does not grow.
    let far = at(1_000_000);
    let lost = Settled::Later { at: far, why: "lost".to_owned(), may_have_written: true };
    assert!(store.settle(&delivery, &lost, later).await.unwrap());
    assert!(take(store, &eva, later).await.is_none(), "it waits");
    let entries = store.audit_head(&origin()).await.unwrap();
    assert_eq!(retry(store, 2, &eva, later).await, Retried::Due(Unknown));
    assert_eq!(row(store, 2).await.note.as_deref(), Some("lost"));
    assert_eq!(store.audit_head(&origin()).await.unwrap(), entries);
    assert_eq!(take(store, &eva, later).await.unwrap().was, Unknown);
}

async fn nothing_else_is_tried_again(store: &dyn Store) {
    let ana = holder("ana", 1);
    let late = at(WINDOW);
    assert_eq!(retry(store, 9, &ana, T).await, Retried::Unknown);
    decided(store, 1, &ana).await;
    assert_eq!(retry(store, 1, &ana, T).await, Retried::Not(DeliveryState::Held));
    assert!(take(store, &ana, at(1)).await.is_none(), "the undo window stands");
    take(store, &ana, late).await.unwrap();
    assert_eq!(retry(store, 1, &ana, late).await, Retried::Not(DeliveryState::Sending));
    for (n, outcome) in [
        (2, sent()),
        (3, Settled::Local { why: "no".to_owned() }),
        (4, Settled::Conflict { theirs: Status::Approved, by: "eva".to_owned() }),
    ] {
        decided(store, n, &ana).await;
        settled(store, &ana, &outcome, late).await;
        let state = row(store, n.into()).await.state;
        assert_eq!(retry(store, n.into(), &ana, late).await, Retried::Not(state));
        assert_eq!(row(store, n.into()).await.state, state);
    }
    // A case that was opened again, and one that was decided anew, has another last word.
    decided(store, 5, &ana).await;
    settled(store, &ana, &Settled::Refused { why: "no".to_owned() }, late).await;
    assert!(store.reopen(&origin(), id(5), &ana.reviewer.id, late).await.unwrap());
    assert_eq!(retry(store, 5, &ana, late).await, Retried::Replaced);
    let ours = lease(store, 5, &ana, late).await;
    let anew = Decision { replaces: Some(id(5)), ..decision(6, &ours, Disposition::Approve) };
    store.decide(&ours, &anew, late, late).await.unwrap();
    assert_eq!(retry(store, 5, &ana, late).await, Retried::Replaced);
    assert_eq!(row(store, 5).await.state, DeliveryState::Refused);
}

async fn the_undo_window_starts_anew(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    decided(store, 1, &ana).await;
    decided(store, 2, &ana).await;
    decided(store, 3, &eva).await;
    take(store, &ana, at(WINDOW)).await.unwrap();
    let rewind = |until| {
        let reviewer = ana.reviewer.id.clone();
        async move { store.rewind_held(&origin(), &reviewer, until).await.unwrap() }
    };
    assert_eq!(rewind(at(WINDOW)).await, 0, "none is due before");
    assert_eq!(rewind(at(30_000)).await, 1, "the one that is still held");
    assert_eq!(row(store, 2).await.due, at(30_000));
    assert_eq!(row(store, 3).await.due, at(WINDOW), "another reviewer's");
    assert!(take(store, &ana, at(29_999)).await.is_none());
    assert!(take(store, &ana, at(30_000)).await.is_some());
}

async fn held_decisions_are_sent_now(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    decided(store, 1, &ana).await;
    decided(store, 2, &ana).await;
    decided(store, 3, &eva).await;
    assert_eq!(store.send_now(&origin(), &ana.reviewer.id, at(5)).await.unwrap(), 2);
    assert_eq!(store.send_now(&origin(), &ana.reviewer.id, at(6)).await.unwrap(), 2);
    assert_eq!(row(store, 1).await.due, at(5), "what is due already stays so");
    assert_eq!(row(store, 3).await.due, at(WINDOW));
    assert!(take(store, &eva, at(6)).await.is_none());
    assert!(take(store, &ana, at(6)).await.is_some());
}

async fn deliveries_are_taken_in_the_order_they_are_due(store: &dyn Store) {
    let ana = holder("ana", 1);
    for (n, due) in [(1, 300), (2, 100), (3, 200), (4, 100)] {
        admit(store, n).await;
        let ours = lease(store, n, &ana, T).await;
        let made = decision(n.into(), &ours, Disposition::Approve);
        store.decide(&ours, &made, at(due), T).await.unwrap();
    }
    assert_eq!(store.next_due(&origin(), &ana.reviewer.id).await.unwrap(), Some(at(100)));
    assert!(take(store, &ana, at(99)).await.is_none());
    let mut taken = Vec::new();
    while let Some(delivery) = take(store, &ana, at(200)).await {
        assert_eq!(delivery.was, DeliveryState::Held);
        assert_eq!((delivery.attempts, delivery.until), (1, at(200 + TTL)));
        assert_eq!(delivery.worker, ana.worker);
        taken.push(delivery.decision.id);
    }
    assert_eq!(taken, [id(2), id(4), id(3)]);
    assert_eq!(row(store, 2).await.state, DeliveryState::Sending);
    assert_eq!(store.next_due(&origin(), &ana.reviewer.id).await.unwrap(), Some(at(300)));
}

async fn a_held_decision_of_another_reviewer_is_never_taken(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    decided(store, 1, &ana).await;
    assert!(take(store, &eva, at(1_000_000)).await.is_none());
    assert_eq!(store.next_due(&origin(), &eva.reviewer.id).await.unwrap(), None);
    assert!(take(store, &holder("ana", 2), at(WINDOW)).await.is_some(), "her other terminal may");
}

async fn an_abandoned_delivery_is_taken_by_anybody(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    decided(store, 1, &ana).await;
    let first = take(store, &ana, at(WINDOW)).await.unwrap();
    assert!(take(store, &eva, at(WINDOW + TTL - 1)).await.is_none(), "the claim runs");
    let due = store.next_due(&origin(), &eva.reviewer.id).await.unwrap();
    assert_eq!(due, Some(first.until));
    let second = take(store, &eva, first.until).await.unwrap();
    assert_eq!((second.was, second.attempts), (DeliveryState::Sending, 2));
    assert!(second.fence > first.fence);
    assert_eq!(second.decision, first.decision, "still the first reviewer's word");
    // An unknown one waits for its next attempt, then anybody may read back.
    let later = Settled::Later { at: at(200_000), why: "lost".to_owned(), may_have_written: true };
    assert!(store.settle(&second, &later, at(90_000)).await.unwrap());
    assert!(take(store, &ana, at(199_999)).await.is_none());
    let third = take(store, &ana, at(200_000)).await.unwrap();
    assert_eq!((third.was, third.attempts), (DeliveryState::Unknown, 3));
    assert!(third.progress.may_have_written);
}

async fn a_lost_claim_writes_nothing(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    decided(store, 1, &ana).await;
    let first = take(store, &ana, at(WINDOW)).await.unwrap();
    assert!(store.is_ours(&first, first.until).await.unwrap());
    assert!(!store.is_ours(&first, first.until.plus(1)).await.unwrap(), "not that long");
    let second = take(store, &eva, first.until).await.unwrap();
    let before = row(store, 1).await;
    let done = Progress { status_done: true, ..Progress::default() };
    assert!(!store.is_ours(&first, T).await.unwrap());
    assert!(!store.progress(&first, &done).await.unwrap());
    assert!(!store.settle(&first, &sent(), at(WINDOW)).await.unwrap());
    assert_eq!(row(store, 1).await, before);
    assert!(store.settle(&second, &sent(), at(90_000)).await.unwrap());
    let settled = row(store, 1).await;
    assert!(!store.settle(&second, &Settled::Refused { why: "twice".into() }, T).await.unwrap());
    assert!(!store.is_ours(&second, T).await.unwrap());
    assert_eq!(row(store, 1).await, settled);
}

async fn progress_is_kept(store: &dyn Store) {
    let ana = holder("ana", 1);
    decided(store, 1, &ana).await;
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    for progress in [
        Progress { may_have_written: true, ..Progress::default() },
        Progress { may_have_written: true, status_done: true, ..Progress::default() },
        Progress { listed: true, ..Progress::default() },
        Progress { writes: 2, answered_at: Some(at(7)), ..Progress::default() },
        Progress { noted: true, ..Progress::default() },
    ] {
        assert!(store.progress(&delivery, &progress).await.unwrap());
        assert_eq!(row(store, 1).await.progress, progress);
    }
    // Whoever takes it over begins where it was left.
    let next = take(store, &holder("eva", 1), delivery.until).await.unwrap();
    assert_eq!(next.progress, Progress { noted: true, ..Progress::default() });
}

async fn every_outcome_is_kept(store: &dyn Store) {
    let ana = holder("ana", 1);
    let why = || "the session is gone".to_owned();
    let later = |may_have_written| Settled::Later { at: at(99), why: why(), may_have_written };
    let conflict = Settled::Conflict { theirs: Status::Approved, by: "eva, 9:14".to_owned() };
    use DeliveryState::{Conflict, Held, Local, Refused, Sent, Unknown};
    for (n, outcome, state, note) in [
        (1, sent(), Sent, "Declined, read back"),
        (2, Settled::Refused { why: why() }, Refused, "the session is gone"),
        (3, conflict, Conflict, "Approved, eva, 9:14"),
        (4, Settled::Local { why: why() }, Local, "the session is gone"),
        (5, later(true), Unknown, "the session is gone"),
        (6, later(false), Held, "the session is gone"),
    ] {
        decided(store, n, &ana).await;
        store.send_now(&origin(), &ana.reviewer.id, at(-1)).await.unwrap();
        settled(store, &ana, &outcome, at(50)).await;
        let kept = row(store, n.into()).await;
        assert_eq!((kept.state, kept.note.as_deref()), (state, Some(note)));
        assert_eq!(kept.settled_at, (n < 5).then_some(at(50)), "{outcome:?}");
        assert_eq!(kept.attempts, 1);
        if n >= 5 {
            assert_eq!(kept.due, at(99));
            assert_eq!(kept.progress.may_have_written, n == 5);
        }
        assert_eq!(super::store::state(store, n).await, CaseState::Decided);
        let case = store.case(&origin(), &key(n), T).await.unwrap().unwrap();
        assert_eq!(case.decision, Some((id(n.into()), Disposition::Reject, state)));
    }
    // The one that certainly was not written can still be undone.
    let undone = store.undo(&origin(), id(6), &ana.reviewer.id, at(60)).await.unwrap();
    assert_eq!(undone, Undone::TakenBack(key(6)));
}

async fn what_is_done_in_part_is_never_held_again(store: &dyn Store) {
    let ana = holder("ana", 1);
    for (n, progress) in [
        (1, Progress { status_done: true, ..Progress::default() }),
        (2, Progress { listed: true, ..Progress::default() }),
        (3, Progress { noted: true, ..Progress::default() }),
    ] {
        decided(store, n, &ana).await;
        store.send_now(&origin(), &ana.reviewer.id, at(-1)).await.unwrap();
        let delivery = take(store, &ana, T).await.unwrap();
        store.progress(&delivery, &progress).await.unwrap();
        let later = Settled::Later { at: at(TTL), why: "busy".into(), may_have_written: false };
        store.settle(&delivery, &later, at(1)).await.unwrap();
        assert_eq!(row(store, n.into()).await.state, DeliveryState::Unknown);
    }
}

async fn a_dead_worker_is_buried(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1), holder("eva", 1));
    decided(store, 1, &ana).await;
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    admit(store, 2).await;
    admit(store, 3).await;
    let dead = lease(store, 2, &ana, at(WINDOW)).await;
    let alive = lease(store, 3, &eva, at(WINDOW)).await;
    assert_eq!(store.bury(&ana.worker, at(WINDOW + 1)).await.unwrap(), 2);
    assert_eq!(store.bury(&ana.worker, at(WINDOW + 1)).await.unwrap(), 0);
    assert_eq!(row(store, 1).await.state, DeliveryState::Unknown);
    assert!(!store.settle(&delivery, &sent(), at(WINDOW + 1)).await.unwrap());
    assert_eq!(store.renew(&dead, at(WINDOW + 1), TTL).await.unwrap(), None);
    assert!(store.renew(&alive, at(WINDOW + 1), TTL).await.unwrap().is_some());
    lease(store, 2, &eva, at(WINDOW + 1)).await;
    let over = take(store, &eva, at(WINDOW + 1)).await.unwrap();
    assert_eq!((over.was, over.attempts), (DeliveryState::Unknown, 2));
}

async fn workers_with_live_leases_and_claims_are_known(store: &dyn Store) {
    let (ana, eva, kim) = (holder("ana", 1), holder("eva", 1), holder("kim", 1));
    decided(store, 1, &kim).await;
    take(store, &kim, at(WINDOW)).await.unwrap();
    admit(store, 2).await;
    admit(store, 3).await;
    admit(store, 4).await;
    lease(store, 2, &eva, at(WINDOW)).await;
    lease(store, 3, &ana, T).await;
    lease(store, 4, &eva, at(WINDOW)).await;
    let workers = |now| async move { store.workers(now).await.unwrap() };
    assert_eq!(workers(T).await, [&ana, &eva, &kim].map(|holder| holder.worker.clone()));
    assert_eq!(workers(at(TTL)).await, [&eva, &kim].map(|holder| holder.worker.clone()));
    assert!(workers(at(TTL + WINDOW)).await.is_empty());
}

async fn the_next_free_case_is_leased(store: &dyn Store) {
    let (o, ana, eva) = (origin(), holder("ana", 1), holder("eva", 1));
    let query = |filter: &str| QueueQuery {
        states: vec![CaseState::Open, CaseState::Escalated],
        filter: filter.to_owned(),
        from: Start::Front,
        limit: 1,
    };
    let next = async |who: &Holder, after: Option<u32>, filter: &str, now: Millis| {
        let after = after.map(key);
        let leased =
            store.lease_next(&o, &query(filter), after.as_ref(), who, now, TTL).await.unwrap();
        leased.map(|lease| lease.case)
    };
    assert_eq!(next(&ana, None, "", T).await, None);
    for n in 1..=4 {
        admit(store, n).await;
    }
    assert_eq!(next(&ana, None, "", T).await, Some(key(1)));
    assert_eq!(next(&eva, None, "", T).await, Some(key(2)), "what is taken is passed over");
    assert_eq!(next(&eva, Some(3), "", T).await, Some(key(4)), "behind the one that was missed");
    assert_eq!(next(&ana, Some(3), "", T).await, Some(key(3)), "and from the front then");
    assert_eq!(next(&ana, None, "", T).await, None, "all are taken");
    // The lease is one like any other: it runs out, goes on under a higher fence, and decides.
    let late = at(TTL);
    assert_eq!(
        next(&eva, None, "4801", late).await,
        Some(key(1)),
        "only what the filter lets pass"
    );
    let ours = lease(store, 1, &eva, late).await;
    assert_eq!(ours.fence, 2);
    store.decide(&ours, &decision(1, &ours, Disposition::Escalate), late, late).await.unwrap();
    // Who escalated it does not get it; somebody else does, when nothing else is open.
    for n in 2..=4 {
        assert_eq!(next(&eva, None, "", late).await, Some(key(n)));
    }
    assert_eq!(next(&eva, None, "", late).await, None);
    assert_eq!(next(&ana, None, "", late).await, Some(key(1)));
}

async fn who_looks_on_is_seen_until_they_look_away_or_are_gone(store: &dyn Store) {
    let (ana, eva, kim) = (holder("ana", 1), holder("eva", 1), holder("kim", 1));
    admit(store, 1).await;
    admit(store, 2).await;
    let o = origin();
    let seen = |n: u32, now: Millis| async move {
        let row = store.case(&origin(), &key(n), now).await.unwrap().unwrap();
        let open = vec![CaseState::Open];
        let query =
            QueueQuery { states: open, filter: String::new(), from: Start::Front, limit: 9 };
        let page = store.queue(&origin(), &query, now).await.unwrap();
        let listed = page.rows.into_iter().find(|row| row.case.key == key(n)).unwrap();
        assert_eq!(listed, row, "the list and the case say the same");
        row.watched.into_iter().map(|w| (w.reviewer.name, w.until)).collect::<Vec<_>>()
    };
    let said = |name: &str, until: Millis| (name.to_owned(), until);
    lease(store, 1, &ana, T).await;
    store.watch(&o, &key(1), &eva, T, TTL).await.unwrap();
    store.watch(&o, &key(1), &kim, at(1), TTL).await.unwrap();
    assert_eq!(seen(1, at(1)).await, [said("eva", at(TTL)), said("kim", at(TTL + 1))]);
    assert!(seen(2, at(1)).await.is_empty());
    // One case a console.
    store.watch(&o, &key(2), &eva, at(2), TTL).await.unwrap();
    assert_eq!(seen(1, at(2)).await, [said("kim", at(TTL + 1))]);
    assert_eq!(seen(2, at(2)).await, [said("eva", at(TTL + 2))]);
    // Said again it lasts; not said again it ends by itself.
    store.watch(&o, &key(2), &eva, at(TTL), TTL).await.unwrap();
    assert!(seen(1, at(TTL + 1)).await.is_empty());
    assert_eq!(seen(2, at(TTL + 2)).await, [said("eva", at(2 * TTL))]);
    store.look_away(&o, &eva.worker).await.unwrap();
    assert!(seen(2, at(TTL + 2)).await.is_empty());
    // Who is dead looks at nothing.
    store.watch(&o, &key(2), &kim, at(TTL), TTL).await.unwrap();
    assert!(store.workers(at(TTL)).await.unwrap().contains(&kim.worker));
    assert_eq!(store.bury(&kim.worker, at(TTL)).await.unwrap(), 1);
    assert!(seen(2, at(TTL)).await.is_empty());
    // Nobody of another origin is seen.
    let other = Origin("https://verification.didit.me#ffff".to_owned());
    store.admit(&other, &case(2), CaseState::Open, T, T).await.unwrap();
    store.watch(&other, &key(2), &kim, at(TTL), TTL).await.unwrap();
    assert!(seen(2, at(TTL)).await.is_empty());
}

async fn one_console_is_on_duty(store: &dyn Store) {
    let (ana, eva) = (holder("ana", 1).worker, holder("eva", 1).worker);
    let o = origin();
    let take = |worker: WorkerId, now: Millis| {
        let o = origin();
        async move { store.take_duty(&o, &worker, now, TTL).await.unwrap() }
    };
    assert!(take(ana.clone(), T).await, "also on a store that holds nothing yet");
    assert!(!take(eva.clone(), at(1)).await);
    assert!(take(ana.clone(), at(10)).await, "kept");
    assert!(!take(eva.clone(), at(TTL + 9)).await);
    assert!(store.workers(at(TTL + 9)).await.unwrap().contains(&ana));
    assert!(take(eva.clone(), at(TTL + 10)).await, "who does not keep it loses it");
    assert!(!take(ana.clone(), at(TTL + 11)).await);
    // Only who has it can give it up.
    store.leave_duty(&o, &ana).await.unwrap();
    assert!(!take(ana.clone(), at(TTL + 12)).await);
    store.leave_duty(&o, &eva).await.unwrap();
    assert!(take(ana.clone(), at(TTL + 12)).await);
    assert_eq!(store.bury(&ana, at(TTL + 12)).await.unwrap(), 1);
    assert!(take(eva.clone(), at(TTL + 13)).await);
    let other = Origin("https://verification.didit.me#ffff".to_owned());
    assert!(store.take_duty(&other, &ana, at(TTL + 13), TTL).await.unwrap());
}

async fn calls_are_granted_out_of_one_minute(store: &dyn Store) {
    let ask = |verb: CallVerb, wanted: u32, now: Millis| {
        let o = origin();
        let asked = CallsAsked { verb, wanted, limit: 12, urgency: Urgency::Now };
        async move { store.grant(&o, &asked, now).await.unwrap() }
    };
    assert_eq!(ask(CallVerb::Read, 10, T).await, CallsGranted::Now(10));
    assert_eq!(ask(CallVerb::Read, 10, at(500)).await, CallsGranted::Now(2));
    let CallsGranted::NoneFor(wait) = ask(CallVerb::Read, 1, at(600)).await else {
        panic!("more than a minute holds")
    };
    assert!((60_000..=64_000).contains(&wait), "{wait}");
    assert_eq!(ask(CallVerb::Write, 12, at(600)).await, CallsGranted::Now(12), "another counter");
    let other = Origin("https://verification.didit.me#ffff".to_owned());
    let asked = CallsAsked { verb: CallVerb::Read, wanted: 12, limit: 12, urgency: Urgency::Now };
    let granted = store.grant(&other, &asked, at(600)).await.unwrap();
    assert_eq!(granted, CallsGranted::Now(12), "another key");
    assert!(matches!(ask(CallVerb::Read, 9, at(600 + wait)).await, CallsGranted::Now(9)));
}

async fn history_is_filtered_and_newest_first(store: &dyn Store) {
    let ana = holder("ana", 1);
    // Recorded in this order, whatever their ids and clocks say.
    for n in [5, 2, 9] {
        decided(store, n, &ana).await;
    }
    store.undo(&origin(), id(2), &ana.reviewer.id, T).await.unwrap();
    let ours = lease(store, 2, &ana, T).await;
    let again = Decision { at: at(-5), ..decision(1, &ours, Disposition::Approve) };
    store.decide(&ours, &again, at(WINDOW), T).await.unwrap();
    let found = |query: HistoryQuery| async move {
        let rows = store.history(&origin(), &query).await.unwrap().rows;
        rows.into_iter().map(|row| row.decision.id).collect::<Vec<_>>()
    };
    let all = HistoryQuery::default();
    assert_eq!(found(all.clone()).await, [id(1), id(9), id(2), id(5)]);
    assert_eq!(found(HistoryQuery { limit: Some(2), ..all.clone() }).await, [id(1), id(9)]);
    let of_case = HistoryQuery { case: Some(key(2)), ..all.clone() };
    assert_eq!(found(of_case.clone()).await, [id(1), id(2)]);
    let undone = HistoryQuery { states: vec![DeliveryState::Undone], ..all.clone() };
    assert_eq!(found(undone).await, [id(2)]);
    let open = vec![DeliveryState::Held, DeliveryState::Sending, DeliveryState::Unknown];
    assert_eq!(found(HistoryQuery { states: open, ..of_case }).await, [id(1)]);
    let one = HistoryQuery { decision: Some(id(9)), ..all.clone() };
    assert_eq!(found(one.clone()).await, [id(9)]);
    assert!(found(HistoryQuery { case: Some(key(2)), ..one }).await.is_empty());
    assert!(found(HistoryQuery { case: Some(key(77)), ..all.clone() }).await.is_empty());
    let bo = holder("bo", 2);
    decided(store, 11, &bo).await;
    let (ana, bo) = (ana.reviewer.id, bo.reviewer.id);
    let mine = HistoryQuery { by: vec![ana.clone()], ..all.clone() };
    assert_eq!(found(HistoryQuery { limit: Some(2), ..mine.clone() }).await, [id(1), id(9)]);
    let held = HistoryQuery { states: vec![DeliveryState::Held], ..mine.clone() };
    assert_eq!(found(held).await, [id(1), id(9), id(5)]);
    assert!(found(HistoryQuery { case: Some(key(11)), ..mine }).await.is_empty());
    let both = HistoryQuery { by: vec![bo, ana], limit: Some(2), ..all };
    assert_eq!(found(both).await, [id(11), id(1)]);
}

async fn another_origin_is_invisible(store: &dyn Store) {
    let ana = holder("ana", 1);
    let theirs = Origin("https://verification.didit.me#ffff".to_owned());
    admit(store, 1).await;
    decided(store, 2, &ana).await;
    let ours = lease(store, 1, &ana, T).await;
    let everything = query(&all_states());
    let reviewer = &ana.reviewer.id;

    assert_eq!(store.touch(&theirs, &[key(1), key(2)], T, at(99)).await.unwrap().len(), 2);
    assert!(store.unseen(&theirs, at(1000), 9).await.unwrap().is_empty());
    assert_eq!(store.unseen(&origin(), at(50), 9).await.unwrap(), [key(1)], "not touched either");
    assert!(!store.depart(&theirs, &key(1), "gone", T).await.unwrap());
    let page = store.queue(&theirs, &everything, T).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (0, 0));
    assert_eq!(store.rank(&theirs, &everything, &key(1)).await.unwrap(), None);
    assert_eq!(store.case(&theirs, &key(1), T).await.unwrap(), None);
    assert_eq!(store.tally(&theirs).await.unwrap(), Tally::default());
    let answer = store.lease(&theirs, &key(1), &ana, T, TTL).await.unwrap();
    assert_eq!(answer, LeaseAnswer::Unknown);
    let foreign = Lease { origin: theirs.clone(), ..ours.clone() };
    assert_eq!(store.renew(&foreign, T, TTL).await.unwrap(), None);
    store.release(&foreign).await.unwrap();
    assert!(matches!(store.skip(&foreign, T).await, Err(StoreError::LostLease)));
    let made = decision(3, &foreign, Disposition::Reject);
    let answer = store.decide(&foreign, &made, T, T).await;
    assert!(matches!(answer, Err(StoreError::LostLease)));
    assert_eq!(store.undo(&theirs, id(2), reviewer, T).await.unwrap(), Undone::Unknown);
    assert_eq!(store.retry(&theirs, id(2), reviewer, T).await.unwrap(), Retried::Unknown);
    assert!(!store.reopen(&theirs, id(2), &holder("eva", 1).reviewer.id, T).await.unwrap());
    assert_eq!(store.rewind_held(&theirs, reviewer, at(TTL)).await.unwrap(), 0);
    assert_eq!(store.send_now(&theirs, reviewer, T).await.unwrap(), 0);
    let taken = store.take(&theirs, &ana.worker, reviewer, at(TTL), TTL).await.unwrap();
    assert_eq!(taken, None);
    assert_eq!(store.next_due(&theirs, reviewer).await.unwrap(), None);
    assert!(store.history(&theirs, &HistoryQuery::default()).await.unwrap().rows.is_empty());
    let delivery = take(store, &ana, at(WINDOW)).await.unwrap();
    let foreign = Delivery { origin: theirs.clone(), ..delivery.clone() };
    assert!(!store.is_ours(&foreign, T).await.unwrap());
    assert!(!store.progress(&foreign, &Progress::default()).await.unwrap());
    assert!(!store.settle(&foreign, &sent(), T).await.unwrap());

    // The same session under another key of ours is another case.
    let new = store.admit(&theirs, &case(1), CaseState::Open, T, T).await.unwrap();
    assert_eq!(new, Admitted::New);
    assert!(store.renew(&ours, T, TTL).await.unwrap().is_some());
    assert!(store.settle(&delivery, &sent(), T).await.unwrap());
}

async fn words_from_outside_survive(store: &dyn Store) {
    let strange = Case {
        status: Status::Other("In \u{0}Review'; DROP TABLE cases; --".to_owned()),
        session_number: Some(u64::MAX),
        created_at: Some(Millis(i64::MIN)),
        candidates: vec![
            Candidate {
                session_id: None,
                session_number: Some(u64::MAX),
                similarity: None,
                source: Source::Other("\u{1b}[2J{\"".to_owned()),
                self_match: true,
                blocklisted: true,
                allowlisted: true,
                block: 0,
            },
            // One step below the strong band stays below it.
            candidate(f64::from_bits(90f64.to_bits() - 1)),
            candidate(f64::MIN_POSITIVE),
        ],
        set_aside: u32::MAX,
        total_matches: Some(u32::MAX),
        ..case(1)
    };
    store.admit(&origin(), &strange, CaseState::Open, T, T).await.unwrap();
    let row = store.case(&origin(), &key(1), T).await.unwrap().unwrap();
    assert_eq!(row.case, strange);
    let again = store.admit(&origin(), &strange, CaseState::Open, T, T).await.unwrap();
    assert_eq!(again, Admitted::Same);
    let last = Case { created_at: Some(Millis(i64::MAX)), ..case(2) };
    store.admit(&origin(), &last, CaseState::Open, T, T).await.unwrap();
    let ana = holder("ana", 1);
    let ours = lease(store, 1, &ana, Millis(i64::MAX)).await;
    store.skip(&ours, T).await.unwrap();
    assert!(store.depart(&origin(), &key(1), "a\0b", T).await.unwrap());
}

// What only a file or a server has.

#[tokio::test]
async fn the_salt_stays_for_ever() {
    let sqlite = Bench::sqlite().await;
    for bench in [Some(sqlite), Bench::postgres().await].into_iter().flatten() {
        let salt = bench.store.salt().await.unwrap();
        assert_ne!(salt, [0; 32]);
        admit(bench.store.as_ref(), 1).await;
        bench.store.close().await;
        let again = store::open(&bench.url).await.unwrap();
        assert_eq!(again.salt().await.unwrap(), salt);
        assert_eq!(state(again.as_ref(), 1).await, CaseState::Open, "and the cases");
        again.close().await;
        assert!(matches!(again.case(&origin(), &key(1), T).await, Err(StoreError::Other(_))));
    }
    let (one, other) = (Bench::memory().await, Bench::memory().await);
    let salt = one.store.salt().await.unwrap();
    assert_eq!(one.store.salt().await.unwrap(), salt);
    assert_ne!(other.store.salt().await.unwrap(), salt);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn refused(path: &Path) -> StoreError {
    store::open(&format!("sqlite:{}", path.display())).await.err().expect("it was opened")
}

#[tokio::test]
async fn nobody_else_can_read_the_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/er/queue.db");
    let url = format!("sqlite:{}", path.display());
    let store = store::open(&url).await.unwrap();
    assert_eq!(store.describe(), url);
    admit(store.as_ref(), 1).await;
    for (name, bits) in [("", 0o700), ("queue.db", 0o600), ("queue.db-wal", 0o600)] {
        assert_eq!(mode(&path.with_file_name(name)), bits, "{name}");
    }
    assert_eq!(mode(&folder.path().join("deep")), 0o700);
    store.close().await;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::Permissions { mode: 0o640, .. }), "{error:?}");
    // Neither through a link.
    let link = folder.path().join("link.db");
    symlink(&path, &link).unwrap();
    assert!(matches!(refused(&link).await, StoreError::Permissions { .. }));
}

#[tokio::test]
async fn what_is_no_store_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let private = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let text = private(
        "notes.txt",
        b"milk, bread and a text longer than a header of SQLite's, \
        which has a hundred bytes, so that nothing is decided by length alone",
    );
    let short = private("short", b"SQLite format 3\0");
    let other = folder.path().join("other.db");
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(&other).create_if_missing(true);
    let mut theirs = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE cases (mine TEXT)").execute(&mut theirs).await.unwrap();
    sqlx::Connection::close(theirs).await.unwrap();
    std::fs::set_permissions(&other, PermissionsExt::from_mode(0o600)).unwrap();
    for path in [&text, &short, &other] {
        let before = std::fs::read(path).unwrap();
        let error = refused(path).await;
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error:?}");
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
    assert!(matches!(refused(folder.path()).await, StoreError::NotAStore { .. }), "a folder");
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 3, "nothing was put beside them");
    // An empty file is one that still is to become a store.
    let empty = private("empty.db", b"");
    store::open(&format!("sqlite:{}", empty.display())).await.unwrap().close().await;
}

#[tokio::test]
async fn a_store_of_a_later_version_is_left_alone() {
    let bench = Bench::sqlite().await;
    bench.store.close().await;
    let path = PathBuf::from(bench.url.strip_prefix("sqlite:").unwrap());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("UPDATE store SET schema = 99").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let Some(bench) = Bench::postgres().await else { return };
    bench.store.close().await;
    let mut connection =
        <sqlx::PgConnection as sqlx::Connection>::connect(&bench.url).await.unwrap();
    sqlx::raw_sql("UPDATE store SET schema = 99").execute(&mut connection).await.unwrap();
    let error = store::open(&bench.url).await.err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_of_nothing_is_refused() {
    for url in ["", "queue.db", "sqlite:", "mysql://x", "memory", "postgres://[::"] {
        let error = store::open(url).await.err().unwrap();
        assert!(matches!(error, StoreError::BadUrl), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_out_of_reach_is_an_error_without_the_password() {
    let url = "postgres://ana:s3cret@127.0.0.1:1/look";
    let error = store::open(url).await.err().unwrap();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[tokio::test]
async fn the_store_outlives_a_restart_of_the_server() {
    let Some(cluster) = Cluster::start() else { return };
    let store = store::open(&cluster.database().await).await.unwrap();
    assert!(store.describe().starts_with("postgres://test@/test0?host="));
    admit(store.as_ref(), 1).await;
    assert!(cluster.stop());
    let down = store.tally(&origin()).await;
    assert!(matches!(down, Err(StoreError::Busy(_))), "{down:?}");
    cluster.run();
    assert_eq!(state(store.as_ref(), 1).await, CaseState::Open);
    admit(store.as_ref(), 2).await;
    store.close().await;
}

/// The trait takes no name, no link, no vendor data. So every free text that it does take gets a
/// canary, and the file holds those and nothing that stands only in the details.
#[tokio::test]
async fn the_file_holds_what_it_may_and_nothing_else() {
    let bench = Bench::sqlite().await;
    let store = bench.store.as_ref();
    let path = PathBuf::from(bench.url.strip_prefix("sqlite:").unwrap());
    let wal = path.with_file_name("queue.db-wal");
    let origin = Origin("https://canary-origin.example#1".to_owned());
    let mut case = case(1);
    case.status = Status::Other("canary-status".to_owned());
    case.candidates[0].source = Source::Other("canary-source".to_owned());
    store.admit(&origin, &case, CaseState::Open, T, T).await.unwrap();
    let mut gone = super::store::case(2);
    gone.key = SessionId::parse("canary-key").unwrap();
    store.admit(&origin, &gone, CaseState::Open, T, T).await.unwrap();
    store.depart(&origin, &gone.key, "canary-departed", T).await.unwrap();
    let who = holder("canary-reviewer", 1);
    let answer = store.lease(&origin, &key(1), &who, T, TTL).await.unwrap();
    let LeaseAnswer::Yours(ours) = answer else { panic!("{answer:?}") };
    let made = Decision {
        comment: Some("canary-comment".to_owned()),
        seen_status: Status::Other("canary-seen".to_owned()),
        ..decision(1, &ours, Disposition::Reject)
    };
    store.decide(&ours, &made, T, T).await.unwrap();
    let taken = store.take(&origin, &who.worker, &who.reviewer.id, T, TTL).await.unwrap();
    let note = Settled::Sent { note: "canary-note".to_owned() };
    store.settle(&taken.unwrap(), &note, T).await.unwrap();

    let read = || {
        let bytes = [&path, &wal].map(|file| std::fs::read(file).unwrap_or_default()).concat();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let in_use = read();
    for canary in
        ["origin", "status", "source", "key", "departed", "reviewer", "comment", "seen", "note"]
    {
        assert!(in_use.contains(&format!("canary-{canary}")), "{canary}");
    }
    bench.store.close().await;
    let texts = in_use + &read();
    // The only link is the origin; a presigned one would show its parameters.
    assert_eq!(texts.matches("https://").count(), texts.matches("https://canary-origin").count());
    for word in ["X-Amz", "Signature", "vendor", "full_name", "document", "api_key"] {
        assert!(!texts.contains(word), "{word}");
    }
    columns_hold_no_more(&path).await;
}

/// Every text column, and every field inside the JSON ones, is on this list.
async fn columns_hold_no_more(path: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let fields = "SELECT group_concat(DISTINCT j.key) FROM (SELECT record FROM cases \
                  UNION ALL SELECT record FROM decisions) r, json_tree(r.record) j \
                  WHERE typeof(j.key) = 'text' ORDER BY 1";
    let fields: String = sqlx::query_scalar(fields).fetch_one(&mut connection).await.unwrap();
    let mut fields: Vec<_> = fields.split(',').collect();
    fields.sort_unstable();
    let allowed = "allowlisted at blocklisted candidates case cells comment created_at disposition \
         dwell_ms eye_pixels flips id judgement judgements key kind name pictures place protocol \
         reason receipt replaces reviewer score_hidden seen_status self_match session_id \
         session_number set_aside sha256 similarity source status target total_matches zooms";
    assert_eq!(fields.join(" "), allowed.split_whitespace().collect::<Vec<_>>().join(" "));
    let columns = "SELECT group_concat(m.name || '.' || t.name, ' ') FROM sqlite_master m, \
                   pragma_table_info(m.name) t WHERE m.type = 'table' AND t.type = 'TEXT'";
    let columns: String = sqlx::query_scalar(columns).fetch_one(&mut connection).await.unwrap();
    let allowed = "origins.name cases.key cases.session_number cases.kind cases.record cases.state \
         cases.note cases.lease_worker cases.lease_reviewer cases.lease_name cases.must_replace \
         cases.readings tallies.state \
         decisions.id decisions.reviewer decisions.disposition decisions.record decisions.case_was \
         decisions.state decisions.claim_worker decisions.note \
         audit_heads.hash audit.entry audit.hash audit.decision audit_signatures.signature \
         watchers.worker watchers.key watchers.reviewer watchers.name duties.worker \
         budgets.verb budgets.record workflows.workflow \
         acts.doer acts.act acts.signature acts.role proofs.decision proofs.signature \
         passed_over.key passed_over.status passed_over.rule passed_over.reason \
         listings.name listings.record \
         figures.reviewer figures.name figures.disposition figures.state";
    let sorted = |names: &str| {
        let mut names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(&columns), sorted(allowed));
}

/// Killed while the file was being made: what is there is an empty file, or an empty database.
#[tokio::test]
async fn a_store_cut_short_in_its_making_is_made() {
    let folder = TempDir::new().unwrap();
    for (name, sql) in [("empty", ""), ("stamped", "PRAGMA application_id = 845966129")] {
        let path = folder.path().join(name);
        std::fs::write(&path, b"").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut alone = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut alone).await.unwrap();
        sqlx::Connection::close(alone).await.unwrap();
        let store = store::open(&format!("sqlite:{}", path.display())).await.unwrap();
        admit(store.as_ref(), 1).await;
        store.close().await;
    }
}

/// Killed while it was written to: the next console finds everything that was answered.
#[tokio::test]
async fn a_file_left_open_is_taken_up_where_it_was() {
    let bench = Bench::sqlite().await;
    admit(bench.store.as_ref(), 1).await;
    // A copy of the file and its log, as a crash leaves them: nothing was closed.
    let path = PathBuf::from(bench.url.strip_prefix("sqlite:").unwrap());
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("queue.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(path.with_file_name("queue.db-wal"), folder.path().join("queue.db-wal")).unwrap();
    let again = store::open(&format!("sqlite:{}", copy.display())).await.unwrap();
    assert_eq!(state(again.as_ref(), 1).await, CaseState::Open);
    assert_eq!(again.salt().await.unwrap(), bench.store.salt().await.unwrap());
    again.close().await;
    bench.store.close().await;
}

/// What 0019 made, taken away again.
const BEFORE_FIGURES: [&str; 2] = [
    "DROP TRIGGER cases_score_in; DROP TRIGGER cases_score_out; DROP TRIGGER cases_score_from;
     DROP TRIGGER cases_score_to; DROP TRIGGER decisions_figure; DROP TRIGGER decisions_figure_anew;
     DROP VIEW scored; DROP VIEW figured; DROP TABLE scores; DROP TABLE figures;
     UPDATE store SET schema = schema - 1",
    "DROP FUNCTION cases_score() CASCADE; DROP FUNCTION decisions_figure() CASCADE;
     DROP FUNCTION score_of(TEXT); DROP FUNCTION figure_of(decisions); DROP TABLE scores; DROP TABLE figures;
     UPDATE store SET schema = schema - 1",
];

/// An older store is brought up to date when it is opened; stopped in the middle, it is as it was.
#[tokio::test]
async fn an_older_store_is_counted_when_it_is_opened_and_its_audit_stays() {
    for (bench, before) in [Some(Bench::sqlite().await), Bench::postgres().await]
        .into_iter()
        .zip(BEFORE_FIGURES)
        .filter_map(|(bench, before)| Some((bench?, before)))
    {
        for n in 1..=9 {
            decided(bench.store.as_ref(), n, &holder("ana", 1)).await;
        }
        let bands = Bands::default();
        let figures = bench.store.figures(&origin(), &bands).await.unwrap();
        assert_eq!(figures.dispositions["reject"], 9);
        let audit = bench.store.audit(&origin(), 0, 99).await.unwrap();
        bench.store.close().await;
        assert!(crate::audit::behind(&bench.url, before).await);
        // Begun and given up.
        for _ in 0..3 {
            let opening = store::open(&bench.url);
            assert!(tokio::time::timeout(std::time::Duration::ZERO, opening).await.is_err());
        }
        let again = store::open(&bench.url).await.unwrap();
        assert_eq!(again.figures(&origin(), &bands).await.unwrap(), figures);
        assert_eq!(again.audit(&origin(), 0, 99).await.unwrap(), audit);
        again.close().await;
    }
}

/// Whoever reads a list slowly keeps the command in the middle of its first page, while others take out what was
/// printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_read_slowly_leaves_nothing_out() {
    let bench = Bench::sqlite().await;
    for n in 1..=2_100 {
        admit(bench.store.as_ref(), n).await;
    }
    let home = crate::terminal::Home::new("");
    let list = ["queue", "list", "--json", "--store", &bench.url];
    let mut child = home.command(&list).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut printed = vec![lines.next().unwrap().unwrap()];
    for n in 1..=150 {
        assert!(bench.store.depart(&origin(), &key(n), "gone", T).await.unwrap());
    }
    printed.extend(lines.map(Result::unwrap));
    assert!(child.wait().unwrap().success());
    for n in 151..=2_100 {
        let name = format!("\"{}\"", key(n));
        assert!(printed.iter().any(|line| line.contains(&name)), "case {n} was left out");
    }
    bench.store.close().await;
}
