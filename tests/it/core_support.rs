//! What the tests of the rules and of the screens share: cases made of a few words, and [`Play`], which
//! plays the shell: it keeps a clock turned by hand, takes effects and answers them with events.

use std::collections::VecDeque;

use secondlook::core::{
    Consequence, Effect, Event, Keymap, Model, Overlay, Painted, PictureState, Problem,
    ProblemKind, QueueView, Reach, Screen, Settings, Side, Wants, update, wants,
};
use secondlook::domain::{
    Bands, Candidate, CandidateDetails, Case, CaseState, Decision, DecisionId, DeliveryState,
    Details, HistoryRow, Lease, LeaseAnswer, Millis, Origin, Person, Progress, QueueQuery,
    QueueRow, Reviewer, ReviewerId, SessionId, Similarity, Source, Start, Status, SubjectDetails,
    SubjectKind, Tallier, Tally, Undone, WorkerId,
};
use secondlook::input::Key;

/// When every play begins: 2026-11-20 00:00 UTC.
pub const START: Millis = Millis(1_795_132_800_000);
/// How long a pair has to be looked at, in the plays.
pub const DWELL: i64 = 700;
/// How long pictures may be shown, in the plays.
pub const SHOWN: i64 = 3_000_000;

/// The session of a number.
pub fn id(number: u64) -> SessionId {
    SessionId::parse(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
}

/// A candidate with a session of that number.
pub fn candidate(number: u64, percent: f64) -> Candidate {
    Candidate {
        session_id: Some(id(number)),
        session_number: Some(number),
        similarity: Similarity::new(percent),
        source: Source::Session,
        self_match: false,
        blocklisted: false,
        allowlisted: false,
        block: 0,
    }
}

/// A case `#number` in review, its candidates `#number1`, `#number2`, ….
pub fn case(number: u64, percents: &[f64]) -> Case {
    let candidates =
        (1..).zip(percents).map(|(place, percent)| candidate(number * 10 + place, *percent));
    Case {
        key: id(number),
        session_number: Some(number),
        kind: SubjectKind::Workflow,
        status: Status::InReview,
        created_at: Some(Millis(START.0 - 86_400_000)),
        candidates: candidates.collect(),
        set_aside: 0,
        total_matches: None,
    }
}

/// A person of that name.
pub fn person(name: &str) -> Person {
    Person {
        name: Some(name.to_owned()),
        document_type: Some("Identity Card".to_owned()),
        document_number: Some("***456".to_owned()),
        country: Some("ESP".to_owned()),
        vendor_data: None,
    }
}

/// What hydrating a case brings: everybody has a name, candidates were declined before.
pub fn details(case: Case) -> Details {
    let candidates = case.candidates.iter().map(|c| CandidateDetails {
        link: None,
        person: person("Berta Muster"),
        status: c.session_id.is_some().then_some(Status::Declined),
        verified_at: Some(Millis(START.0 - 400 * 86_400_000)),
        api_service: None,
        user: None,
        user_id: None,
    });
    Details {
        candidates: candidates.collect(),
        subject: SubjectDetails {
            link: None,
            turn: 0,
            faces: Vec::new(),
            person: person("Ana Ejemplo"),
            captured_at: Some(START),
        },
        others: Vec::new(),
        warnings: Vec::new(),
        reviews: Vec::new(),
        several_faces: false,
        auto_blocklist: Some(false),
        workflow: None,
        at: START,
        case,
    }
}

/// A case with these candidates, hydrated.
pub fn known(number: u64, percents: &[f64]) -> Details {
    details(case(number, percents))
}

/// Who decides in the plays.
pub fn reviewer(name: &str) -> Reviewer {
    Reviewer { id: ReviewerId(format!("os:{name}")), name: name.to_owned() }
}

/// The settings of the plays: the defaults of the program.
pub fn settings() -> Settings {
    Settings {
        bands: Bands::default(),
        undo_ms: 30_000,
        dwell_ms: DWELL,
        window_pairs: 64,
        statuses: vec![Status::InReview],
        reviewer: reviewer("ana"),
        alone: None,
        unsigned: None,
        place: "DEMO".to_owned(),
        keymap: Keymap::new(&Default::default()).unwrap(),
        smallest: secondlook::tui::SMALLEST,
    }
}

/// A picture that is here, told apart by its hash.
pub fn ready(sha256: &str, until: Millis) -> PictureState {
    PictureState::Ready { sha256: sha256.to_owned(), pixels: (480, 600), until, missing: None }
}

/// A problem of a kind.
pub fn problem(kind: ProblemKind) -> Problem {
    Problem { kind, text: "It did not work.".to_owned(), hint: "Try again.".to_owned() }
}

/// A lease in the reviewer's hand.
pub fn lease(key: &SessionId) -> Lease {
    Lease {
        origin: Origin("http://127.0.0.1#play".to_owned()),
        case: key.clone(),
        holder: secondlook::domain::Holder {
            reviewer: reviewer("ana"),
            worker: WorkerId("play".to_owned()),
        },
        fence: 1,
        until: Millis(i64::MAX),
    }
}

/// A case as the store of the play has it.
#[derive(Clone)]
pub struct Kept {
    pub details: Details,
    pub state: CaseState,
    /// What somebody proposed about it.
    pub proposal: Option<Box<Decision>>,
    /// What the next decision replaces.
    pub replaces: Option<DecisionId>,
}

/// An event and what `update` made of it.
#[derive(Clone)]
pub struct Moment {
    pub before: Model,
    pub event: Event,
    pub effects: Vec<Effect>,
    pub after: Model,
}

/// The shell, played: a clock, a store in a list, and answers to every effect.
#[derive(Clone)]
pub struct Play {
    pub model: Model,
    pub now: Millis,
    /// The store's cases, in the queue's order.
    pub cases: Vec<Kept>,
    /// The store's decisions, newest first.
    pub decisions: Vec<HistoryRow>,
    /// Every effect so far.
    pub effects: Vec<Effect>,
    /// Effects that were not answered yet.
    pub todo: VecDeque<Effect>,
    /// Every moment since it was last emptied, where a test wants to look at each.
    pub moments: Option<Vec<Moment>>,
    /// What the store says to the next decision instead of yes.
    pub refuse: Option<Problem>,
    /// Whether nobody reads the outbox: what was recorded is not listed yet.
    pub unlisted: bool,
    in_hand: Vec<SessionId>,
    wanted: Vec<SessionId>,
    leases_changed: bool,
    prepared: Vec<SessionId>,
}

impl Play {
    /// The console just started on these cases, everything there, the first pair painted and looked at.
    pub fn new(cases: Vec<Details>) -> Self {
        let mut play = Self::cold(cases, settings());
        play.look();
        play
    }

    /// The console just started on these cases; nothing was answered yet.
    pub fn cold(cases: Vec<Details>, settings: Settings) -> Self {
        let mut model = Model::new(settings, (80, 24), START, 7);
        model.protocol = "blocks".to_owned();
        model.reach = Reach::EndToEnd;
        let query = QueueView::default().query;
        let kept =
            |details| Kept { details, state: CaseState::Open, proposal: None, replaces: None };
        Self {
            model,
            now: START,
            cases: cases.into_iter().map(kept).collect(),
            decisions: Vec::new(),
            effects: Vec::new(),
            todo: VecDeque::from([Effect::LoadQueue { query, around: None }]),
            moments: None,
            refuse: None,
            unlisted: false,
            in_hand: Vec::new(),
            wanted: Vec::new(),
            leases_changed: false,
            prepared: Vec::new(),
        }
    }

    /// Hands in an event, as the shell does: time has passed, whatever the event is.
    pub fn send(&mut self, event: Event) {
        self.model.now = self.model.now.max(self.now);
        let used_up = matches!(
            event,
            Event::Decided { result: Err(_), .. } | Event::Skipped { result: Err(_), .. }
        );
        let before = self.moments.as_ref().map(|_| (self.model.clone(), event.clone()));
        let effects = update(&mut self.model, event);
        if let (Some(moments), Some((before, event))) = (&mut self.moments, before) {
            let (effects, after) = (effects.clone(), self.model.clone());
            moments.push(Moment { before, event, effects, after });
        }
        let leases = wants(&self.model).leases;
        self.leases_changed |= used_up || leases != self.wanted;
        self.wanted = leases;
        self.effects.extend(effects.iter().cloned());
        self.todo.extend(effects);
    }

    /// Lets time pass.
    pub fn wait(&mut self, ms: i64) {
        self.now = self.now.plus(ms);
        self.send(Event::Tick(self.now));
    }

    /// Answers every effect and every want, until there is nothing more to answer.
    pub fn settle(&mut self) {
        loop {
            while let Some(effect) = self.todo.pop_front() {
                for event in self.answer(effect) {
                    self.send(event);
                }
            }
            let Wants { leases, window, or_next: _ } = wants(&self.model);
            self.in_hand.retain(|key| leases.contains(key));
            self.prepared.retain(|key| window.iter().any(|(wanted, _)| wanted == key));
            let mut events = Vec::new();
            if std::mem::take(&mut self.leases_changed) {
                events.extend(leases.iter().map(|key| self.leased(key)));
                self.in_hand = leases;
            }
            for (key, _) in &window {
                if !self.prepared.contains(key) {
                    self.prepared.push(key.clone());
                    events.extend(self.hydrated(key));
                }
            }
            if events.is_empty() {
                return;
            }
            for event in events {
                self.send(event);
            }
        }
    }

    /// The terminal answers that the pair on the screen is painted, if it could be.
    pub fn paint(&mut self) {
        if let Some(painted) = self.painted() {
            self.send(Event::Painted { painted, at: self.now });
        }
    }

    /// What the terminal would answer for the pair on the screen now.
    pub fn painted(&self) -> Option<Painted> {
        let desk = self.model.desk.as_ref()?;
        let here = [Side::Subject, Side::Candidate(desk.place)]
            .iter()
            .all(|s| matches!(self.model.picture(&desk.key, *s), PictureState::Ready { .. }));
        let seen = here && self.model.pictures_visible() && self.model.fits();
        (seen && desk.painted_at().is_none()).then(|| Painted {
            case: desk.key.clone(),
            place: desk.place,
            epoch: desk.epoch,
            protocol: "blocks".to_owned(),
            cells: [(39, 16), (39, 16)],
            eye_pixels: [Some(34), Some(31)],
            tiers: [None; 2],
        })
    }

    /// Everything is answered, and the pair on the screen was looked at long enough.
    pub fn look(&mut self) {
        self.settle();
        self.paint();
        self.wait(DWELL);
        self.settle();
    }

    /// A key, right now, answered by nobody yet.
    pub fn strike(&mut self, key: &str) {
        let key = Key::parse(key).unwrap();
        self.send(Event::Key { key, at: self.now, burst: 1 });
    }

    /// Keys at a person's pace, each after a good look, everything answered in between.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split_whitespace() {
            self.look();
            self.strike(key);
            self.wait(60);
            self.settle();
        }
    }

    /// A text typed letter by letter.
    pub fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.now = self.now.plus(90);
            self.send(Event::Key { key: Key::char(c), at: self.now, burst: 1 });
        }
    }

    /// The outbox as it is read now, if it is.
    fn listed(&self) -> Option<Event> {
        (!self.unlisted).then(|| Event::Outbox(self.decisions.clone()))
    }

    /// What a worker answers to an effect.
    pub fn answer(&mut self, effect: Effect) -> Vec<Event> {
        match effect {
            Effect::LoadQueue { query, .. } => vec![Event::Queue(Ok(Box::new(self.view(query))))],
            Effect::Decide(decision) => {
                self.in_hand.retain(|key| *key != decision.case);
                let id = decision.id;
                if let Some(problem) = self.refuse.take() {
                    return vec![Event::Decided { id, result: Err(problem) }];
                }
                let (state, case) = match decision.disposition.subject_status() {
                    _ if decision.is_proposal() => (DeliveryState::Proposed, CaseState::Escalated),
                    Some(_) => (DeliveryState::Held, CaseState::Decided),
                    None => (DeliveryState::Local, CaseState::Escalated),
                };
                self.put(&decision.case, case);
                self.propose(&decision.case, decision.is_proposal().then(|| decision.clone()));
                let row = HistoryRow {
                    due: self.now.plus(self.model.settings.undo_ms),
                    decision: *decision,
                    state,
                    attempts: 0,
                    note: None,
                    progress: Progress::default(),
                    settled_at: None,
                };
                self.decisions.insert(0, row);
                let mut events = vec![Event::Decided { id, result: Ok(state) }];
                events.extend(self.listed());
                events
            }
            Effect::Skip(key) => {
                self.in_hand.retain(|held| *held != key);
                if let Some(at) = self.cases.iter().position(|k| k.details.case.key == key) {
                    let last = self.cases.remove(at);
                    self.cases.push(last);
                }
                vec![Event::Skipped { key, result: Ok(()) }]
            }
            Effect::Undo(id) => self.undo(id),
            Effect::Void { case, why, .. } => {
                self.put(&case, CaseState::Open);
                self.propose(&case, None);
                vec![Event::Voided { case, why, result: Ok(true) }]
            }
            Effect::Reopen(id, case) => {
                self.put(&case, CaseState::Open);
                for kept in self.cases.iter_mut().filter(|k| k.details.case.key == case) {
                    kept.replaces = Some(id);
                }
                vec![Event::Reopened { id, case, result: Ok(true) }]
            }
            Effect::SendNow => vec![self.settle_decisions(DeliveryState::Sent)],
            Effect::FlushThenLeave => {
                vec![self.settle_decisions(DeliveryState::Sent), Event::Flushed]
            }
            Effect::Depart { key, .. } => {
                self.put(&key, CaseState::Departed);
                vec![Event::Pulled { queued: 0, departed: 1 }]
            }
            Effect::Refresh(key) => self.hydrated(&key),
            Effect::LoadHistory => vec![Event::History(Ok(self.decisions.clone()))],
            Effect::LoadStatistics => {
                let states = CaseState::ALL.to_vec();
                let all =
                    QueueQuery { states, filter: String::new(), from: Start::Front, limit: 1_000 };
                let (mut tallier, bands) = (Tallier::default(), self.model.settings.bands);
                self.view(all).rows.iter().for_each(|row| tallier.case(row, &bands));
                vec![Event::Statistics(Ok(Box::new(tallier.decisions(&self.decisions))))]
            }
            Effect::Pull
            | Effect::NextProtocol
            | Effect::NextCells
            | Effect::WipePictures
            | Effect::Suspend => Vec::new(),
        }
    }

    /// Didit has answered for everything that was held.
    pub fn settle_decisions(&mut self, state: DeliveryState) -> Event {
        for row in self.decisions.iter_mut().filter(|row| row.state.is_open()) {
            row.state = state;
            row.note = Some("as the play says".to_owned());
        }
        Event::Outbox(self.decisions.clone())
    }

    /// The lease is granted, but for a case that waits for somebody else than this reviewer.
    pub fn leased(&self, key: &SessionId) -> Event {
        let own = |proposal: &Decision| proposal.reviewer.id == self.model.settings.reviewer.id;
        let kept = self.cases.iter().find(|kept| kept.details.case.key == *key);
        let answer = if kept.and_then(|kept| kept.proposal.as_deref()).is_some_and(own) {
            LeaseAnswer::SecondReader
        } else {
            LeaseAnswer::Yours(lease(key))
        };
        Event::Leased { key: key.clone(), answer: Ok(answer) }
    }

    /// The case is hydrated and all its pictures come.
    pub fn hydrated(&self, key: &SessionId) -> Vec<Event> {
        let Some(kept) = self.cases.iter().find(|k| k.details.case.key == *key) else {
            return vec![Event::Hydrated {
                key: key.clone(),
                details: Err(problem(ProblemKind::NotFound)),
            }];
        };
        let details = Box::new(kept.details.clone());
        let sides =
            (0..details.candidates.len()).map(Side::Candidate).chain([Side::Subject]).map(|side| {
                let state = ready(&format!("{key}{side:?}"), START.plus(SHOWN));
                Event::Picture { key: key.clone(), side, state }
            });
        let pictures: Vec<Event> = sides.collect();
        let hydrated = Event::Hydrated { key: key.clone(), details: Ok(details) };
        std::iter::once(hydrated).chain(pictures).collect()
    }

    /// A part of the queue, as the store has it.
    pub fn view(&self, query: QueueQuery) -> QueueView {
        let fits = |kept: &&Kept| {
            let number = kept.details.case.session_number.unwrap_or(0).to_string();
            query.states.contains(&kept.state) && number.contains(&query.filter)
        };
        let rows: Vec<QueueRow> = self.cases.iter().filter(fits).map(row).collect();
        let count = |state| self.cases.iter().filter(|k| k.state == state).count() as u64;
        let tally = Tally {
            open: count(CaseState::Open),
            escalated: count(CaseState::Escalated),
            decided: count(CaseState::Decided),
            departed: count(CaseState::Departed),
            left: count(CaseState::Left),
        };
        QueueView {
            query,
            offset: 0,
            about: false,
            total: rows.len() as u64,
            rows,
            tally,
            explained: Vec::new(),
        }
    }

    fn undo(&mut self, id: DecisionId) -> Vec<Event> {
        let row = self.decisions.iter_mut().find(|row| row.decision.id == id);
        let result = match row {
            None => Undone::Unknown,
            Some(row) if row.state == DeliveryState::Sent => Undone::NotHeld(row.state),
            Some(row) => {
                row.state = DeliveryState::Undone;
                let key = row.decision.case.clone();
                self.put(&key, CaseState::Open);
                self.propose(&key, None);
                Undone::TakenBack(key)
            }
        };
        vec![Event::Outbox(self.decisions.clone()), Event::Undone { id, result: Ok(result) }]
    }

    fn put(&mut self, key: &SessionId, state: CaseState) {
        for kept in self.cases.iter_mut().filter(|k| k.details.case.key == *key) {
            kept.state = state;
        }
    }

    /// A case waits for a second person's answer to this, or no more.
    pub fn propose(&mut self, key: &SessionId, proposal: Option<Box<Decision>>) {
        for kept in self.cases.iter_mut().filter(|k| k.details.case.key == *key) {
            kept.proposal.clone_from(&proposal);
        }
    }

    // What a test asks.

    /// The number of the case on the desk; 0 for none.
    pub fn on_desk(&self) -> u64 {
        let Some(desk) = &self.model.desk else { return 0 };
        desk.key.as_str()[24..].trim_start_matches('0').parse().unwrap()
    }

    /// The candidate shown, by its place.
    pub fn place(&self) -> usize {
        self.model.desk.as_ref().map_or(usize::MAX, |desk| desk.place)
    }

    /// The last word to the reviewer.
    pub fn notice(&self) -> &str {
        self.model.notice.as_ref().map_or("", |n| n.text.as_str())
    }

    /// The decisions that the store was asked to record, as `#7 approve`.
    pub fn decided(&self) -> Vec<String> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Decide(d) => {
                    Some(format!("#{} {}", d.session_number.unwrap_or(0), d.disposition.word()))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether a deciding key would count now.
    pub fn armed(&self) -> bool {
        self.model.armed(self.now).is_ok()
    }

    /// What the consequence line says of `a`, and of `x`.
    pub fn consequence(&self) -> (String, String) {
        let line = Consequence::of(&self.model).unwrap();
        (line.approve, line.reject)
    }

    /// The overlay on top.
    pub fn top(&self) -> Option<&Overlay> {
        self.model.overlays.last()
    }

    /// What fills the screen.
    pub fn screen(&self) -> Screen {
        self.model.screen
    }

    /// Changes a case as Didit has it.
    pub fn change(&mut self, number: u64, change: impl FnOnce(&mut Details)) {
        let key = id(number);
        let kept = self.cases.iter_mut().find(|k| k.details.case.key == key).unwrap();
        change(&mut kept.details);
    }
}

/// A case as a row of the queue.
pub fn row(kept: &Kept) -> QueueRow {
    QueueRow {
        case: kept.details.case.clone(),
        state: kept.state,
        taken: None,
        watched: Vec::new(),
        decision: None,
        note: None,
        proposal: kept.proposal.clone(),
        replaces: kept.replaces,
    }
}
