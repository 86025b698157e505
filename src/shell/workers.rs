//! Turns effects into calls on the store, the outbox and the intake, and their answers into events. Every
//! call runs on its own; the loop never waits for one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::leases::InHand;
use super::problem;
use super::process::is_dead;
use super::signer::Signer;
use super::who::Who;
use crate::core::{Effect, Event, Problem, ProblemKind, QueueView};
use crate::domain::{
    Bands, CaseState, Clock, Decision, DecisionId, DeliveryState, HistoryQuery, HistoryRow, Origin,
    QueueQuery, RowKind, SessionId, Start, WorkerId,
};
use crate::intake::{Intake, Notice};
use crate::outbox::{self, Outbox};
use crate::store::{self, Store};

/// How long leaving waits for decisions to be sent.
const FLUSH: Duration = Duration::from_secs(60);
/// How long news are gathered before the next look.
const QUIET: Duration = Duration::from_millis(500);
/// From one try of a store in trouble to the next: doubled from the first to the second.
const MEND: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// How many of its own decisions the console keeps in sight.
const RECENT: u32 = 100;
/// How many of its own that are on their way, at most.
const ON_THEIR_WAY: u32 = 10_000;
/// How many decisions the history screen shows.
const HISTORY: u32 = 2_000;

/// What the workers work with.
#[derive(Clone)]
pub struct Workers {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Whose rows.
    pub origin: Origin,
    /// Who decides, and what signs for them.
    pub who: Arc<Who>,
    /// This process.
    pub worker: WorkerId,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Leases in hand.
    pub in_hand: InHand,
    /// What delivers decisions.
    pub outbox: Outbox,
    /// Said while the store is in trouble: it is tried until it is well again.
    pub trouble: Arc<Notify>,
    /// Begins a look for new cases at once.
    pub pull: Arc<Notify>,
    /// Wakes what signs the audit: something of this reviewer's may have been recorded.
    pub to_sign: Arc<Notify>,
    /// Undo window, milliseconds.
    pub undo_ms: i64,
    /// The band edges, for figures.
    pub bands: Bands,
    /// Where answers go.
    pub events: mpsc::Sender<Event>,
    /// Calls under way; leaving waits for them.
    pub tracker: TaskTracker,
    /// Ends everything.
    pub stop: CancellationToken,
}

impl Workers {
    /// Carries out an effect that is not the loop's own.
    pub fn perform(&self, effect: Effect) {
        let me = self.clone();
        self.tracker.spawn(async move {
            let event = match effect {
                Effect::LoadQueue { query, around } => me.load_queue(query, around).await,
                Effect::Decide(decision) => me.decide(&decision).await,
                Effect::Skip(key) => me.skip(key).await,
                Effect::Undo(id) => me.undo(id).await,
                Effect::Void { proposal, case, why } => me.void(proposal, case, why).await,
                Effect::Reopen(id, case) => me.reopen(id, case).await,
                Effect::SendNow => me.send_now().await,
                Effect::FlushThenLeave => me.flush().await,
                Effect::Depart { key, why } => me.depart(&key, &why).await,
                Effect::LoadHistory => me.history().await,
                Effect::LoadStatistics => me.statistics().await,
                Effect::Pull => {
                    me.pull.notify_one();
                    return;
                }
                // The loop's own.
                Effect::Refresh(_)
                | Effect::NextProtocol
                | Effect::NextCells
                | Effect::WipePictures
                | Effect::Suspend => return,
            };
            me.tell(event).await;
        });
    }

    async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    async fn load_queue(&self, query: QueueQuery, around: Option<SessionId>) -> Event {
        let view = self.queue_view(query, around).await;
        Event::Queue(view.map(Box::new).map_err(|error| problem::of_store(&error)))
    }

    async fn queue_view(
        &self,
        mut query: QueueQuery,
        around: Option<SessionId>,
    ) -> store::Result<QueueView> {
        if let Some(key) = around {
            query.from = Start::Around(key);
        }
        let page = self.store.queue(&self.origin, &query, self.clock.now()).await?;
        self.tell(Event::Unreadable(RowKind::Case, page.unreadable)).await;
        let tally = self.store.tally(&self.origin).await?;
        let explained = if query.states.contains(&CaseState::Left) {
            self.store.explained(&self.origin).await?
        } else {
            Vec::new()
        };
        let (offset, about, rows, total) = (page.before, page.about, page.rows, page.total);
        Ok(QueueView { query, offset, about, rows, total, tally, explained })
    }

    async fn decide(&self, decision: &Decision) -> Event {
        let mut decision = decision.clone();
        let now = self.clock.now();
        if let Err(why) = self.who.sign(&self.store, &self.origin, &mut decision, now).await {
            let result = Err(problem::unsigned(&why));
            return Event::Decided { id: decision.id, result };
        }
        let decision = &decision;
        let result = match self.in_hand.take(&decision.case) {
            None => Err(lost()),
            Some(lease) => {
                let now = self.clock.now();
                let held_until = now.plus(self.undo_ms);
                self.store
                    .decide(&lease, decision, held_until, now)
                    .await
                    .map_err(|error| problem::of_store(&error))
            }
        };
        self.refresh_outbox().await;
        self.outbox.nudge();
        Event::Decided { id: decision.id, result }
    }

    async fn skip(&self, key: SessionId) -> Event {
        let result = match self.in_hand.take(&key) {
            None => Err(lost()),
            Some(lease) => self
                .store
                .skip(&lease, self.clock.now())
                .await
                .map_err(|error| problem::of_store(&error)),
        };
        Event::Skipped { key, result }
    }

    async fn undo(&self, id: DecisionId) -> Event {
        let result =
            self.store.undo(&self.origin, id, &self.who.reviewer.id, self.clock.now()).await;
        self.refresh_outbox().await;
        Event::Undone { id, result: result.map_err(|error| problem::of_store(&error)) }
    }

    async fn void(&self, proposal: DecisionId, case: SessionId, why: String) -> Event {
        let result = self.store.void(&self.origin, proposal, &why, self.clock.now()).await;
        self.refresh_outbox().await;
        Event::Voided { case, why, result: result.map_err(|error| problem::of_store(&error)) }
    }

    async fn reopen(&self, id: DecisionId, case: SessionId) -> Event {
        let now = self.clock.now();
        let result = self.store.reopen(&self.origin, id, &self.who.reviewer.id, now).await;
        self.to_sign.notify_one();
        Event::Reopened { id, case, result: result.map_err(|error| problem::of_store(&error)) }
    }

    async fn send_now(&self) -> Event {
        let sent = self.store.send_now(&self.origin, &self.who.reviewer.id, self.clock.now()).await;
        self.outbox.nudge();
        self.refresh_outbox().await;
        match sent {
            Ok(0) => Event::Say("Nothing is held.".to_owned()),
            Ok(count) => Event::Say(format!("Sending {count}.")),
            Err(error) => Event::Link(Some(problem::of_store(&error))),
        }
    }

    async fn flush(&self) -> Event {
        let flushed = self.outbox.flush(FLUSH, &self.stop).await;
        self.refresh_outbox().await;
        match flushed {
            Ok(_) => Event::Flushed,
            Err(error) => Event::Link(Some(problem::of_store(&error))),
        }
    }

    async fn depart(&self, key: &SessionId, why: &str) -> Event {
        match self.store.depart(&self.origin, key, why, self.clock.now()).await {
            // What the screen shows was said when the status was read.
            Ok(_) => Event::Pulled { queued: 0, departed: 1 },
            Err(error) => Event::Link(Some(problem::of_store(&error))),
        }
    }

    async fn history(&self) -> Event {
        let query = HistoryQuery { limit: Some(HISTORY), ..HistoryQuery::default() };
        match self.store.history(&self.origin, &query).await {
            Ok(past) => {
                self.tell(Event::Unreadable(RowKind::Decision, past.unreadable)).await;
                Event::History(Ok(past.rows))
            }
            Err(error) => Event::History(Err(problem::of_store(&error))),
        }
    }

    async fn statistics(&self) -> Event {
        let figures = self.store.figures(&self.origin, &self.bands).await;
        Event::Statistics(figures.map(Box::new).map_err(|error| problem::of_store(&error)))
    }

    /// Reads what this reviewer has on its way or decided last.
    pub async fn refresh_outbox(&self) {
        let event = match self.mine().await {
            Ok(rows) => Event::Outbox(rows),
            Err(error) => Event::Link(Some(problem::of_store(&error))),
        };
        self.to_sign.notify_one();
        self.tell(event).await;
        // What cannot be read now is read with the next news.
        if let Ok(seen) = self.store.workflows(&self.origin).await {
            let lists = seen.into_iter().filter(|seen| seen.lists).map(|seen| seen.workflow);
            self.tell(Event::Listing(lists.collect())).await;
        }
    }

    /// Signs this reviewer's entries of the audit as they are made, the last ones while leaving.
    async fn sign(&self, signer: Signer) {
        let Ok(mut last) = signer.begin().await else { return };
        let mut well = true;
        loop {
            let leaving = tokio::select! {
                biased;
                () = self.to_sign.notified() => false,
                () = self.stop.cancelled() => true,
            };
            // What the store cannot give now is read the next time.
            let done = signer.catch_up(&mut last).await.unwrap_or_default();
            if let Some((count, why)) = done.unsigned {
                // Once, not with every decision.
                if std::mem::take(&mut well) {
                    let text = format!("{count} entries of the audit stay unsigned: {why}.");
                    self.tell(Event::Say(text)).await;
                }
            } else if done.signed > 0 {
                well = true;
            }
            if leaving {
                return;
            }
        }
    }

    /// What this reviewer, under any name that was theirs, decided last, newest first, and whatever else of theirs
    /// is on its way: a line that was down for an hour holds back more than the last few.
    async fn mine(&self) -> store::Result<Vec<HistoryRow>> {
        let by = std::iter::once(&self.who.reviewer.id).chain(&self.who.adopted).cloned().collect();
        let last = HistoryQuery { by, limit: Some(RECENT), ..HistoryQuery::default() };
        let states = DeliveryState::ALL.into_iter().filter(|state| state.is_open()).collect();
        let open = HistoryQuery { states, limit: Some(ON_THEIR_WAY), ..last.clone() };
        let mut mine = self.store.history(&self.origin, &last).await?.rows;
        let open = self.store.history(&self.origin, &open).await?.rows;
        let known: HashSet<_> = mine.iter().map(|row| row.decision.id).collect();
        mine.extend(open.into_iter().filter(|row| !known.contains(&row.decision.id)));
        Ok(mine)
    }

    /// What a console does first: takes over what a dead console of this machine had, and starts the undo
    /// window of held decisions anew, for nobody has seen them since.
    pub async fn recover(&self) {
        let buried = self.outbox.bury(is_dead).await;
        let until = self.clock.now().plus(self.undo_ms);
        let rewound = self.store.rewind_held(&self.origin, &self.who.reviewer.id, until).await;
        for error in [buried.err(), rewound.err()].into_iter().flatten() {
            self.tell(Event::Link(Some(problem::of_store(&error)))).await;
        }
    }

    /// Starts what runs beside the loop: the outbox, its news, the look for new cases, and what signs.
    pub fn start_tasks(&self, intake: Intake, signer: Option<Signer>) {
        if let Some(signer) = signer {
            let me = self.clone();
            self.tracker.spawn(async move { me.sign(signer).await });
        }
        let (send, mut news) = mpsc::channel::<outbox::Event>(64);
        let (me, stop) = (self.clone(), self.stop.clone());
        self.tracker.spawn(async move { me.outbox.run(send, stop).await });
        let me = self.clone();
        self.tracker.spawn(async move {
            while let Some(event) = news.recv().await {
                if let outbox::Event::Failed(error) = event {
                    me.tell(Event::Link(Some(problem::of_store(&error)))).await;
                }
                me.refresh_outbox().await;
            }
        });
        let me = self.clone();
        self.tracker.spawn(async move { me.watch(intake).await });
        let me = self.clone();
        self.tracker.spawn(async move { me.hear().await });
        let me = self.clone();
        self.tracker.spawn(async move { me.mend().await });
    }

    /// Tries the store while it is in trouble, and says when it keeps what it is given again.
    async fn mend(&self) {
        let mending = async {
            loop {
                self.trouble.notified().await;
                let mut wait = MEND.0;
                loop {
                    tokio::time::sleep(wait).await;
                    if self.store.keeps().await.is_ok() {
                        break;
                    }
                    wait = (wait * 2).min(MEND.1);
                }
                self.tell(Event::StoreMended).await;
                self.refresh_outbox().await;
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = mending => {}
        }
    }

    /// Hears of what other consoles do. However much that is, it is looked at a few times a second.
    async fn hear(&self) {
        let mut news = self.store.news(&self.origin);
        let looking = async {
            while let Some(heard) = news.next().await {
                match heard {
                    Ok(()) => {
                        self.tell(Event::News).await;
                        self.refresh_outbox().await;
                    }
                    Err(error) => self.tell(Event::Link(Some(problem::of_store(&error)))).await,
                }
                tokio::time::sleep(QUIET).await;
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = looking => {}
        }
    }

    async fn watch(&self, mut intake: Intake) {
        let (send, mut notices) = mpsc::channel::<Event>(256);
        let forward = async {
            while let Some(event) = notices.recv().await {
                self.tell(event).await;
            }
        };
        let report = move |notice: Notice| {
            let event = match notice {
                Notice::Pulled(counts) => Event::Pulled {
                    queued: counts.queued + counts.updated + counts.left,
                    departed: counts.departed,
                },
                Notice::Departed { case, .. } => Event::Departed { key: case, status: None },
                Notice::Progress(counts) if counts.queued > 0 => {
                    Event::Pulled { queued: counts.queued, departed: 0 }
                }
                Notice::LookedElsewhere => Event::LookedElsewhere,
                Notice::Failed(error) => match problem::of_intake(&error) {
                    Some(problem) => Event::Link(Some(problem)),
                    None => return,
                },
                Notice::Unreadable { case, candidates } => Event::Say(format!(
                    "{case} is in the queue: {candidates} candidate(s) or scores cannot be read."
                )),
                Notice::Unknown { kind, name } => {
                    Event::Say(format!("Didit uses a {kind} that is not known here: {name}."))
                }
                Notice::Waits(wait) => {
                    Event::Waits(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
                }
                Notice::Progress(_) | Notice::SetAside { .. } | Notice::Listed(_) => return,
            };
            // News that finds no room is told by the next round.
            let _ = send.try_send(event);
        };
        let watching = async {
            intake.watch(&self.worker, &report, &self.pull, &self.stop).await;
            drop(report);
        };
        tokio::join!(watching, forward);
    }

    /// Whether any case waits: what a console begins with, around the case that it opens on.
    pub async fn first_queue(&self, around: Option<SessionId>) {
        let query = QueueQuery {
            states: vec![CaseState::Open],
            filter: String::new(),
            from: Start::Front,
            limit: QueueView::ROWS,
        };
        let event = self.load_queue(query, around).await;
        self.tell(event).await;
        self.refresh_outbox().await;
    }
}

fn lost() -> Problem {
    Problem {
        kind: ProblemKind::Lost,
        text: "The case is not yours any more.".to_owned(),
        hint: "Look at it again.".to_owned(),
    }
}
