//! The loop: one ordered stream of events in, effects out, frames drawn when something changed. Owns the
//! terminal and the time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal as UnixSignal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::board::Board;
use super::drawing::{Drawing, cell_of, drawing, first_drawing};
use super::easel::{Easel, Made};
use super::given::Given;
use super::leases::{InHand, Leases, Wanted};
use super::memory::{Memory, Place};
use super::process::SystemClock;
use super::signer::Signer;
use super::tmux::{self, Looks, Watch};
use super::way::way;
use super::who::Who;
use super::window::{SharedVault, Window};
use super::workers::Workers;
use crate::core::{
    Desk, Effect, Event, Exit, LeaseState, Model, Reach, Settings, Severity, Signal, update, wants,
};
use crate::didit::Client;
use crate::domain::{Clock, Holder, Origin, SessionId, WorkerId};
use crate::intake::{self, Intake};
use crate::outbox::{self, Outbox};
use crate::picture::protocol::Wrap;
use crate::picture::{self, Fetcher};
use crate::store::Store;
use crate::term::{
    self, Arrival, Environment, Guard, Heard, Inside, Probe, Reader, What, Wish, Wishes, Writer,
};
use crate::tui::Theme;

/// How long the terminal has to answer before it counts as silent; late answers still count.
pub(super) const PROBE: Duration = Duration::from_millis(1500);
/// Events that may wait; whoever has more waits himself.
const EVENTS: usize = 256;
/// How long leaving waits for calls under way.
const GRACE: Duration = Duration::from_secs(5);
/// How often pictures in a tmux are asked after.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How often a tmux is asked who looks and who has the keys: it tells nobody that another terminal has come.
const ASK_SOON: Duration = Duration::from_secs(1);
/// At most one frame in this time.
const FRAME: Duration = Duration::from_millis(16);

/// What a console is made of, put together by the command line.
pub struct Parts {
    /// The rules.
    pub settings: Settings,
    /// Who this run is, and what signs for them.
    pub who: Who,
    /// Where decisions are kept.
    pub store: Arc<dyn Store>,
    /// How Didit is reached.
    pub client: Client,
    /// How images are fetched.
    pub fetcher: Fetcher,
    /// What is taken in.
    pub intake: intake::Settings,
    /// Whose rows.
    pub origin: Origin,
    /// What was handed in besides the store.
    pub given: Given,
    /// What is to be said first.
    pub warning: Option<String>,
    /// What signs the audit, if anything does.
    pub signer: Option<Signer>,
    /// This process.
    pub worker: WorkerId,
    /// The time.
    pub clock: SystemClock,
    /// How pictures are drawn, if the user said so.
    pub set: Wish,
    /// What was chosen in which terminal.
    pub memory: Memory,
    /// What the environment says of the terminal.
    pub environment: Environment,
}

/// Why a console could not run.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// Standard input or output is no terminal.
    #[error("the console needs a terminal: {0}")]
    Terminal(#[from] io::Error),
    /// A signal ended it while the terminal was being asked.
    #[error("a signal ended it while the terminal was being asked")]
    Stopped,
}

/// How a console ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Console {
    /// Why.
    pub exit: Exit,
    /// Decisions that are held or on their way still.
    pub unsent: usize,
}

/// Runs the console until the reviewer leaves.
///
/// # Errors
/// [`ShellError`] when there is no terminal.
pub async fn run(parts: Parts) -> Result<Console, ShellError> {
    let tty = term::open()?;
    let size = term::size(&tty)?;
    let guard = Guard::new(tty)?;
    let (writer, written) = Writer::start(term::open()?)?;
    term::install_panic_hook(&guard, writer.hush(), picture::is_apart);
    let (reader, heard) = Reader::start(term::open()?)?;
    let mut shell = Shell::new(parts, size, guard, writer)?;
    let exit = shell.work(heard, written).await;
    shell.close(exit, reader).await
}

/// Signals the console answers to.
pub(super) struct Signals {
    pub(super) terminate: UnixSignal,
    pub(super) hangup: UnixSignal,
    pub(super) interrupt: UnixSignal,
    resize: UnixSignal,
    resume: UnixSignal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            resize: signal(SignalKind::window_change())?,
            resume: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

/// Something for the loop.
enum Happened {
    Event(Event),
    Arrival(Arrival),
    Written(term::Event),
    Made(Made),
    Resize,
    Resume,
    ProbeOver,
    Tmux(Told),
    AskAgain,
    Nothing,
}

/// What tmux has told, and the mark that waits for it.
struct Told {
    about: Option<tmux::Told>,
    mark: Option<(u64, Instant)>,
}

struct Shell {
    model: Model,
    clock: SystemClock,
    theme: Theme,
    environment: Environment,
    wishes: Wishes,
    memory: Memory,
    /// We talk to the terminal around a tmux.
    outside: bool,
    /// A key has chosen how pictures are drawn: what was chosen before counts no more.
    chosen_now: bool,
    /// What a key has chosen is not kept yet.
    to_keep: bool,
    guard: Guard,
    writer: Writer,
    board: Board,
    easel: Easel,
    probe: Probe,
    probe_ends: Option<Instant>,
    /// Who looks, as tmux tells it.
    looks: Looks,
    watch: Watch,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    workers: Workers,
    given: Arc<Given>,
    events: mpsc::Receiver<Event>,
    leases: watch::Sender<Wanted>,
    window: watch::Sender<Vec<(SessionId, crate::domain::SubjectKind)>>,
    again: mpsc::Sender<SessionId>,
    /// When pictures are asked after again, where nobody would tell that they are gone.
    ask_again: Option<Instant>,
    /// When the pictures on the screen were asked after last.
    asked_after: Option<Instant>,
    dirty: bool,
    drawn_at: Option<Instant>,
}

impl Shell {
    fn new(parts: Parts, size: term::Size, guard: Guard, writer: Writer) -> io::Result<Self> {
        let (send, events) = mpsc::channel(EVENTS);
        let stop = CancellationToken::new();
        let tracker = TaskTracker::new();
        let clock: Arc<dyn Clock> = Arc::new(parts.clock);
        let reviewer = parts.settings.reviewer.clone();
        let in_hand = InHand::default();
        let vault = SharedVault::new();
        let given = Arc::new(parts.given);
        let delivery =
            outbox::Settings::new(parts.origin.clone(), parts.worker.clone(), reviewer.id.clone());
        let delivery = outbox::Settings { adopted: parts.who.adopted.clone(), ..delivery };
        let outbox =
            Outbox::new(parts.store.clone(), parts.client.clone(), clock.clone(), delivery);
        let (leases, wanted_leases) = watch::channel(Wanted::default());
        let (window, wanted_window) = watch::channel(Vec::new());
        let (again, asked_again) = mpsc::channel(64);
        let keeper = Leases {
            store: parts.store.clone(),
            origin: parts.origin.clone(),
            holder: Holder { reviewer: reviewer.clone(), worker: parts.worker.clone() },
            clock: clock.clone(),
            in_hand: in_hand.clone(),
            events: send.clone(),
        };
        tracker.spawn(keeper.run(wanted_leases, stop.clone()));
        let hydrator = Window {
            client: parts.client.clone(),
            fetcher: Arc::new(parts.fetcher),
            vault: vault.clone(),
            clock: clock.clone(),
            given: given.clone(),
            events: send.clone(),
        };
        tracker.spawn(hydrator.run(wanted_window, asked_again, stop.clone()));
        let intake = Intake::new(
            parts.store.clone(),
            &parts.client,
            clock.clone(),
            parts.origin.clone(),
            parts.intake,
        );
        let workers = Workers {
            store: parts.store,
            origin: parts.origin,
            who: Arc::new(parts.who),
            worker: parts.worker,
            clock,
            in_hand,
            outbox,
            trouble: Arc::default(),
            pull: Arc::default(),
            to_sign: Arc::default(),
            undo_ms: parts.settings.undo_ms,
            bands: parts.settings.bands,
            events: send,
            tracker,
            stop,
        };
        let (me, signer) = (workers.clone(), parts.signer);
        let first = given.first().cloned();
        workers.tracker.spawn(async move {
            me.recover().await;
            me.first_queue(first).await;
            me.start_tasks(intake, signer);
        });
        let cells = (size.columns, size.rows);
        let drawing = first_drawing(cell_of(size, None).0);
        // Random, so that two consoles in one terminal do not meet.
        let session = fastrand::u8(1..);
        let (tell, told) = mpsc::channel(EVENTS);
        let looks = match parts.environment.pane {
            Some(_) => Looks::Unasked,
            None => Looks::Elsewhere,
        };
        let mut model = Model::new(parts.settings, cells, parts.clock.now(), fastrand::u64(..));
        drawing.protocol.word().clone_into(&mut model.protocol);
        model.first = given.first().cloned();
        if let Some(warning) = parts.warning {
            model.say(Severity::Warn, warning);
        }
        Ok(Self {
            model,
            clock: parts.clock,
            theme: Theme::new(!parts.environment.no_color),
            probe: Probe::new(&parts.environment),
            environment: parts.environment,
            wishes: Wishes { set: parts.set, ..Wishes::default() },
            memory: parts.memory,
            outside: false,
            chosen_now: false,
            to_keep: false,
            guard,
            writer,
            board: Board::new(cells)?,
            easel: Easel::new(vault, drawing, session),
            probe_ends: Some(Instant::now() + PROBE),
            looks,
            watch: Watch::default(),
            tell,
            told,
            workers,
            given,
            events,
            leases,
            window,
            again,
            ask_again: None,
            asked_after: None,
            dirty: true,
            drawn_at: None,
        })
    }

    async fn work(
        &mut self,
        mut heard: mpsc::Receiver<Arrival>,
        mut written: mpsc::Receiver<term::Event>,
    ) -> Exit {
        let Ok(mut signals) = Signals::new() else { return Exit::Gone };
        // What the settings say is drawn at once; else characters are, until the terminal has answered.
        self.choose_drawing();
        let _ = self.writer.ask(term::questions(&self.environment, false), 0);
        loop {
            self.draw();
            self.follow_wants();
            let first = self.next(&mut heard, &mut written, &mut signals).await;
            if self.writer.is_hushed() {
                // Something has panicked, and the program is about to end: nothing is heard any more.
                std::future::pending::<()>().await;
            }
            self.act_on(first);
            while let Ok(event) = self.events.try_recv() {
                self.act_on(Happened::Event(event));
            }
            if let Some(exit) = self.model.exit {
                return exit;
            }
        }
    }

    async fn next(
        &mut self,
        heard: &mut mpsc::Receiver<Arrival>,
        written: &mut mpsc::Receiver<term::Event>,
        signals: &mut Signals,
    ) -> Happened {
        let sleep_until = |at: Option<Instant>| async move {
            match at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let wake = self.model.wake().map(|at| self.clock.instant(at));
        let frame = self.frame_due();
        let hung_up = || Happened::Event(Event::Signal(Signal::Hangup));
        tokio::select! {
            biased;
            _ = signals.terminate.recv() => Happened::Event(Event::Signal(Signal::Terminate)),
            _ = signals.hangup.recv() => hung_up(),
            _ = signals.interrupt.recv() => Happened::Event(Event::Signal(Signal::Interrupt)),
            _ = signals.resize.recv() => Happened::Resize,
            _ = signals.resume.recv() => Happened::Resume,
            arrival = heard.recv() => arrival.map_or_else(hung_up, Happened::Arrival),
            event = written.recv() => event.map_or_else(hung_up, Happened::Written),
            event = self.events.recv() => event.map_or(Happened::Nothing, Happened::Event),
            told = self.told.recv() => told.map_or(Happened::Nothing, Happened::Tmux),
            made = self.easel.next() => made.map_or(Happened::Nothing, Happened::Made),
            () = sleep_until(self.probe_ends) => Happened::ProbeOver,
            () = sleep_until(self.ask_again) => Happened::AskAgain,
            () = sleep_until(frame) => Happened::Nothing,
            () = sleep_until(wake) => Happened::Event(Event::Tick(self.clock.now())),
        }
    }

    fn act_on(&mut self, happened: Happened) {
        match happened {
            Happened::Event(event) => self.update(event),
            Happened::Arrival(arrival) => self.on_arrival(arrival),
            Happened::Written(event) => self.on_written(event),
            Happened::Made(made) => self.on_made(made),
            Happened::Resize => self.on_resize(),
            Happened::Resume => self.on_resume(),
            Happened::ProbeOver => {
                self.probe_ends = None;
                self.choose_drawing();
            }
            Happened::Tmux(told) => self.on_told(told),
            Happened::AskAgain => self.ask_again(),
            Happened::Nothing => {}
        }
    }

    fn update(&mut self, event: Event) {
        self.dirty = true;
        // Time has passed since the last event, whatever this one is.
        self.model.now = self.model.now.max(self.clock.now());
        if let Event::Picture { key, .. } = &event {
            self.easel.look_again(key);
        }
        if let Event::Decided { result: Err(_), .. } | Event::Skipped { result: Err(_), .. } =
            &event
        {
            // The attempt has used the lease up: wanting the same again is news to whoever holds leases.
            self.leases.send_modify(|_| {});
        }
        if let Event::Decided { result: Ok(_), .. } = &event {
            self.remember();
        }
        let waits = |desk: &Desk| !matches!(desk.lease, LeaseState::Ours | LeaseState::Asking);
        if event == Event::News && self.model.desk.as_ref().is_some_and(waits) {
            // What somebody else had may be free by now.
            self.leases.send_modify(|_| {});
        }
        let effects = update(&mut self.model, event);
        if self.model.store_trouble.is_some() {
            self.workers.trouble.notify_one();
        }
        for effect in effects {
            match effect {
                Effect::Refresh(key) => {
                    let _ = self.again.try_send(key);
                }
                Effect::NextProtocol => self.next_protocol(),
                Effect::NextCells => self.next_cells(),
                Effect::WipePictures => self.easel.wipe(&self.writer),
                Effect::Suspend => self.suspend(),
                other => self.workers.perform(other),
            }
        }
    }

    // The terminal speaks.

    fn on_arrival(&mut self, arrival: Arrival) {
        let at = self.clock.at(arrival.at);
        match arrival.heard {
            Heard::Key(key) => self.update(Event::Key { key, at, burst: arrival.burst }),
            Heard::Paste { text, .. } => self.update(Event::Paste { text, at }),
            Heard::FocusGained => self.on_focus(true),
            // In a tmux it may be our pane all the same, of a window that others are in front of.
            Heard::FocusLost if self.asks_tmux() => self.ask_again(),
            Heard::FocusLost => self.on_focus(false),
            Heard::Answer(answer) => {
                match answer {
                    term::Answer::StatusOk => self.writer.acknowledge(arrival.at),
                    term::Answer::Kitty { id: Some(id), ok, .. } => self.on_picture_answer(id, ok),
                    _ => {}
                }
                let known = self.probe.complete();
                self.probe.heard(&answer);
                if self.probe.wants_outside() {
                    self.probe.asked_outside();
                    let _ = self.writer.ask(term::questions(&self.environment, true), 0);
                }
                // Late answers count too: the decision is made again.
                if self.probe.complete() && !known {
                    self.probe_ends = None;
                    self.choose_drawing();
                }
            }
        }
    }

    fn on_focus(&mut self, focused: bool) {
        self.focus(focused);
        self.dirty = true;
        if focused {
            // In a tmux, another terminal may be looking now.
            self.easel.question(&self.writer, |_| true);
        }
        if self.easel.drawing().is_over_tmux() {
            // It shows another window or pane, or this one again: both without our pictures.
            self.begin_anew();
            self.update(Event::Covered);
        }
        self.update(Event::Focus(focused));
    }

    /// tmux has told whether keys go to our pane.
    fn on_pane(&mut self, active: bool) {
        if active != self.easel.focused {
            self.on_focus(active);
        } else if active && self.asked_after.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
            self.asked_after = Some(Instant::now());
            self.easel.question(&self.writer, |key| self.board.shows(key));
        }
    }

    /// Asks tmux for our pane, and where it is the active one, the terminal for its pictures: the answers of
    /// the terminal go to whatever pane is active.
    fn ask_again(&mut self) {
        let soon = self.asks_tmux();
        self.ask_again = Some(Instant::now() + if soon { ASK_SOON } else { ASK_AGAIN });
        if soon {
            self.ask_tmux(None);
        } else {
            self.on_pane(self.easel.focused);
        }
    }

    fn ask_tmux(&self, mark: Option<(u64, Instant)>) {
        let Some(pane) = self.environment.pane.clone() else { return };
        let tell = self.tell.clone();
        self.workers.tracker.spawn(async move {
            let about = tmux::ask(&pane).await;
            let _ = tell.send(Told { about, mark }).await;
        });
    }

    /// Whether we are in a tmux that can be asked.
    fn asks_tmux(&self) -> bool {
        let in_tmux = matches!(self.probe.conclude().inside, Inside::Tmux { .. });
        in_tmux && self.environment.pane.is_some()
    }

    /// tmux has told who looks, and whether keys go to our pane.
    fn on_told(&mut self, Told { about, mark }: Told) {
        let (looks, anew) = self.watch.take(about.as_ref());
        self.looks = looks;
        if anew {
            self.on_attached();
        }
        self.find_way();
        match mark {
            // The pair was written, and those who look are still those of before.
            Some((mark, at)) => self.confirm(mark, at),
            // A tmux that does not tell is not waited for.
            None => self.on_pane(about.is_none_or(|about| about.active)),
        }
    }

    /// Another terminal is attached in the place of the one before: it is asked what it is, and holds nothing.
    fn on_attached(&mut self) {
        self.update(Event::Attached);
        self.easel.unconfirm();
        self.probe.forget_outside();
        self.probe.asked_outside();
        self.probe_ends = Some(Instant::now() + PROBE);
        let _ = self.writer.ask(term::questions(&self.environment, true), 0);
        self.easel.question(&self.writer, |_| true);
    }

    /// Tells the rules what is known of the way to the reviewer's eyes.
    fn find_way(&mut self) {
        let known = self.probe.conclude();
        let reach = way(&known, self.probe_ends.is_some(), self.looks);
        if reach != self.model.reach {
            self.update(Event::Reach(reach));
        }
    }

    /// The terminal has said whether it holds a picture. What it lost is sent again, and a pair with it is
    /// not armed until then.
    fn on_picture_answer(&mut self, id: u32, ok: bool) {
        let Some(lost) = self.easel.answered(id, ok) else {
            let waited =
                |desk: &Desk| desk.unconfirmed == Some(desk.epoch) && desk.painted_at().is_none();
            if ok && self.model.desk.as_ref().is_some_and(waited) {
                self.board.ask_anew();
                self.dirty = true;
            }
            return;
        };
        self.dirty = true;
        if self.board.shows(&lost) {
            self.update(Event::Covered);
        }
    }

    fn on_written(&mut self, event: term::Event) {
        match event {
            term::Event::Written { id } => {
                let written = self.easel.written(id);
                self.dirty |= written;
                if written && self.easel.focused {
                    // Before the frame that shows it, so that the answer comes before that frame's.
                    let _ = self.writer.frame(self.easel.question_of(id));
                }
            }
            term::Event::Dropped { id } => self.easel.dropped(id),
            term::Event::Painted { what: What::Mark(mark), at } => self.on_painted(mark, at),
            term::Event::Unanswered { what: What::Mark(mark), at } => {
                // Where nothing that draws answers, the pair's own key says that it is seen. Where the terminal
                // does, its answer may still come.
                if matches!(self.model.reach, Reach::Blind { .. }) {
                    self.on_painted(mark, at);
                }
            }
            term::Event::Closed => self.update(Event::InputClosed),
            term::Event::Painted { .. } | term::Event::Unanswered { .. } => {}
        }
    }

    fn on_painted(&mut self, mark: u64, at: Instant) {
        if self.asks_tmux() {
            // Somebody else may have come to look since it was asked last.
            return self.ask_tmux(Some((mark, at)));
        }
        self.confirm(mark, at);
    }

    fn confirm(&mut self, mark: u64, at: Instant) {
        let Some(painted) = self.board.painted(mark) else { return };
        if !self.easel.confirms(self.board.shown()) {
            return self.update(Event::Unconfirmed(painted.epoch));
        }
        let at = self.clock.at(at);
        self.update(Event::Painted { painted, at });
    }

    fn on_made(&mut self, made: Made) {
        let missing = self.easel.hang(made);
        if let Some(case) = missing {
            let _ = self.again.try_send(case);
        }
        self.dirty = true;
    }

    fn on_resize(&mut self) {
        let Ok(size) = term::open().and_then(|tty| term::size(&tty)) else { return };
        let (cell, _) = cell_of(size, self.probe.conclude().cell_pixels);
        if cell != self.easel.drawing().cell {
            let drawing = Drawing { cell, ..*self.easel.drawing() };
            self.easel.redraw_by(drawing, &self.writer);
        }
        self.update(Event::Resized((size.columns, size.rows)));
        self.begin_anew();
        if self.asks_tmux() {
            // The window may have been split, and the new pane be the active one.
            self.focus(false);
            return self.ask_again();
        }
        // Another terminal may be looking now, which holds nothing.
        self.easel.question(&self.writer, |_| true);
    }

    fn begin_anew(&mut self) {
        // Bytes collected in memory: this cannot fail.
        let _ = self.board.begin_anew(self.model.size, &self.writer);
        self.dirty = true;
    }

    // How pictures are drawn.

    fn choose_drawing(&mut self) {
        let known = self.probe.conclude();
        let answered = self.probe_ends.is_none();
        if answered && !self.chosen_now {
            self.wishes.chosen = self.memory.of(&Place::of(&known, &self.environment));
        }
        let choice = term::choose(&known, &self.environment, &self.wishes);
        let drawing = drawing(&choice, &known, self.easel.drawing());
        self.board.synchronized = drawing.synchronizes(&known);
        self.outside = drawing.options.wrap == Wrap::Tmux && answers_around(&known);
        self.writer.set_tmux(self.outside);
        self.board.counts = known.inside == Inside::Bare && known.version.is_some();
        self.theme = self.theme.on_light(known.is_light());
        self.dirty = true;
        self.draw_by(drawing);
        self.focus(self.easel.focused);
        if self.looks == Looks::Unasked && self.asks_tmux() {
            self.ask_tmux(None);
        }
        self.find_way();
    }

    /// Takes in whether keys come here. Where they do not, in a tmux, nothing is asked: somebody else would
    /// be typed the answers.
    fn focus(&mut self, focused: bool) {
        self.easel.focused = focused;
        let elsewhere = !focused && self.outside;
        let silent = self.probe_ends.is_none() && self.probe.conclude().silent;
        self.board.wait(elsewhere);
        self.writer.set_silent(silent || elsewhere);
        self.guard.set_silent(silent || elsewhere);
    }

    fn draw_by(&mut self, drawing: Drawing) {
        if drawing == *self.easel.drawing() && !self.model.protocol.is_empty() {
            return;
        }
        self.easel.redraw_by(drawing, &self.writer);
        self.begin_anew();
        self.update(Event::Protocol(drawing.name()));
    }

    /// Steps to the next protocol. The terminal's own choice is wished for by nobody, so that stepping back
    /// to it is how a wish is forgotten.
    fn next_protocol(&mut self) {
        let (own, now) = self.choices();
        let known = self.probe.conclude();
        let proven = |way: &term::Protocol| term::is_proven(*way, &known, &self.environment);
        let ways: Vec<term::Protocol> =
            term::Protocol::ALL.into_iter().filter(|way| proven(way)).collect();
        let next = after(&ways, now.protocol);
        if next == now.protocol {
            let word = self.easel.drawing().protocol.word();
            let text = format!("The terminal confirms no other way to draw than {word}.");
            return self.update(Event::Say(text));
        }
        self.wishes.set.protocol = None;
        self.wishes.chosen.protocol = (next != own.protocol).then_some(next);
        self.chosen_by_key();
    }

    /// Steps to the next set of characters, where pictures are made of them.
    fn next_cells(&mut self) {
        let (own, now) = self.choices();
        if now.protocol != term::Protocol::Blocks {
            let protocol = self.easel.drawing().protocol.word();
            let shown = self.easel.confirms(self.board.shown());
            let verb = if shown { "are drawn" } else { "go out, but are not confirmed," };
            let text =
                format!("Pictures {verb} by {protocol}, not of characters; nothing to change.");
            return self.update(Event::Say(text));
        }
        let next = after(&term::Blocks::ALL, now.blocks);
        self.wishes.set.blocks = None;
        self.wishes.chosen.blocks = (next != own.blocks).then_some(next);
        self.chosen_by_key();
        self.update(Event::Say(format!("Pictures are made of {}.", next.word())));
    }

    /// What would be chosen if nobody wished for anything, and what is.
    fn choices(&self) -> (term::Choice, term::Choice) {
        let known = self.probe.conclude();
        let choose = |wishes| term::choose(&known, &self.environment, wishes);
        (choose(&Wishes::default()), choose(&self.wishes))
    }

    fn chosen_by_key(&mut self) {
        (self.chosen_now, self.to_keep) = (true, true);
        self.choose_drawing();
    }

    /// Keeps what a key has chosen for the next time in this terminal: when a case was decided by it, or the
    /// reviewer leaves. What was only tried is not worth it.
    fn remember(&mut self) {
        if !std::mem::take(&mut self.to_keep) {
            return;
        }
        let place = Place::of(&self.probe.conclude(), &self.environment);
        let (memory, wish) = (self.memory.clone(), self.wishes.chosen);
        let events = self.workers.events.clone();
        self.workers.tracker.spawn(async move {
            let kept = tokio::task::spawn_blocking(move || memory.keep(place, wish)).await;
            if let Ok(Err(error)) = kept {
                let text = format!("What you chose for pictures is for today only: {error}.");
                let _ = events.send(Event::Say(text)).await;
            }
        });
    }

    // Drawing and wanting.

    /// When a frame that is wanted may be drawn; `None` when none is wanted.
    fn frame_due(&self) -> Option<Instant> {
        if !self.dirty {
            return None;
        }
        let due = self.drawn_at.map_or_else(Instant::now, |at| at + FRAME);
        // A terminal that is behind is looked at again a little later.
        Some(if Board::has_room(&self.writer) { due } else { Instant::now() + FRAME })
    }

    fn draw(&mut self) {
        if self.easel.tend(&self.model, &self.writer) {
            // Whatever happens, the faces of this session do not stay in the terminal.
            let wrap = self.easel.drawing().options.wrap;
            // Inside tmux, the end of a string that was cut off on its way out.
            let mut farewell = wrap.seal(b"\x1b\\".to_vec().into()).to_vec();
            farewell.extend(self.easel.farewell());
            self.guard.set_farewell(farewell);
        }
        let due = self.frame_due().is_some_and(|due| due <= Instant::now());
        if !due || !Board::has_room(&self.writer) {
            return;
        }
        self.drawn_at = Some(Instant::now());
        self.dirty = false;
        // Bytes collected in memory: this cannot fail.
        let _ = self.board.draw(&self.model, self.easel.gallery(), self.theme, &self.writer);
        self.easel.delete(&self.writer);
        // tmux tells nobody that another terminal has come to look, which holds no picture of ours, and not
        // everybody that another pane is looked at.
        if self.asks_tmux() {
            self.ask_again.get_or_insert_with(|| Instant::now() + ASK_SOON);
        }
    }

    fn follow_wants(&mut self) {
        let wants = wants(&self.model);
        let wanted = Wanted { leases: wants.leases, or_next: wants.or_next };
        self.leases.send_if_modified(|now| {
            let changed = *now != wanted;
            if changed {
                *now = wanted;
            }
            changed
        });
        let mut entered = Vec::new();
        self.window.send_if_modified(|now| {
            let changed = *now != wants.window;
            if changed {
                entered.extend(
                    wants
                        .window
                        .iter()
                        .filter(|case| !now.contains(case))
                        .map(|(key, _)| key.clone()),
                );
                *now = wants.window;
            }
            changed
        });
        // A case that left and came back before the window has looked is forgotten here and ready there: it is
        // asked for again. For all others this means nothing.
        for key in entered {
            let _ = self.again.try_send(key);
        }
    }

    // Stopping, for a while or for good.

    fn suspend(&mut self) {
        if leads_session() {
            // As under `ssh -t host secondlook`: the system would not stop us, and nobody could resume us.
            let text = "There is no shell to come back from; ctrl-z does nothing here.";
            self.update(Event::Say(text.to_owned()));
            return;
        }
        // With every upload taken back, deletions may go as a frame, which a pause does not hold.
        self.writer.cancel_all();
        let wiped = self.easel.forget(&self.writer);
        let _ = self.writer.frame(wiped);
        let _ = self.writer.pause(Instant::now() + Duration::from_millis(500));
        let _ = self.guard.leave();
        // The whole job, as the shell's own suspend key would.
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        // Stopped in the call and resumed by now, or not stopped at all, where the system ignores it.
        self.on_resume();
    }

    fn on_resume(&mut self) {
        if self.guard.enter().is_err() {
            self.update(Event::InputClosed);
            return;
        }
        self.writer.resume();
        self.on_resize();
    }

    async fn close(mut self, exit: Exit, reader: Reader) -> Result<Console, ShellError> {
        let unsent = self.model.unsent();
        if exit == Exit::Quit {
            self.remember();
        }
        self.workers.tracker.close();
        // What was decided is recorded before anything else ends.
        let recorded = self.drain_pending();
        let _ = tokio::time::timeout(GRACE, recorded).await;
        self.workers.stop.cancel();
        let mut events = self.events;
        let drain = async { while events.recv().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, async {
            tokio::select! {
                () = self.workers.tracker.wait() => {}
                () = drain => {}
            }
        })
        .await;
        let wiped = self.easel.forget(&self.writer);
        let deadline = Instant::now() + Duration::from_millis(500);
        let _ = self.writer.finish(wiped, deadline);
        drop(reader);
        let _ = self.guard.restore();
        // What cannot be put away now is taken up by whoever opens the same file again.
        let Workers { store, origin, .. } = &self.workers;
        let away = self.given.put_away(store.as_ref(), origin, self.clock.now());
        let _ = tokio::time::timeout(GRACE, away).await;
        store.close().await;
        Ok(Console { exit, unsent: unsent.held + unsent.sending })
    }

    /// Waits until no decision is being recorded any more.
    async fn drain_pending(&mut self) {
        while !self.model.pending.is_empty() {
            let Some(event) = self.events.recv().await else { return };
            for effect in update(&mut self.model, event) {
                if matches!(effect, Effect::Decide(_) | Effect::Undo(_)) {
                    self.workers.perform(effect);
                }
            }
        }
    }
}

/// Whether whoever is around the tmux answers what is asked through it.
fn answers_around(known: &term::Capabilities) -> bool {
    known.version.is_some() || known.answers == term::Answers::Terminal
}

/// What stands after this in a list, the first after the last.
fn after<T: Copy + PartialEq>(all: &[T], now: T) -> T {
    let rest = all.iter().skip_while(|one| **one != now).skip(1);
    rest.chain(all).next().copied().unwrap_or(now)
}

/// Whether this process is at the head of its session: no shell started it as one job of several.
fn leads_session() -> bool {
    rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpid())
}
