//! `update`: every event finds its way here, changes the model and answers with effects.

use super::action::Action;
use super::desk::{Desk, LeaseState, PictureState, Shown, Side};
use super::effect::Effect;
use super::event::{Event, Problem, ProblemKind, Signal};
use super::interlock::{Interlock, still_means};
use super::line::Line;
use super::model::{Cause, Exit, Leaving, Link, Model, Overlay, Screen, Severity, StoreTrouble};
use super::names;
use super::opening;
use super::queue::QueueView;
use super::sight::Sight;
use super::verdict;
use crate::domain::{
    Candidate, Decision, DecisionId, DeliveryState, Details, Disposition, HistoryRow, LeaseAnswer,
    Millis, Progress, QueueQuery, Reason, SessionId, Start, Status, SubjectKind, Taken, Undone,
    blind,
};
use crate::input::{Key, KeyCode};

/// Help is never scrolled by more lines than this: it has not more.
const HELP_LINES: u16 = 48;

/// Acts on an event.
#[must_use]
pub fn update(model: &mut Model, event: Event) -> Vec<Effect> {
    let effects = match event {
        Event::Key { key, at, burst } => on_key(model, key, at, burst),
        Event::Paste { text, at } => on_paste(model, &text, at),
        Event::Tick(at) => on_tick(model, at),
        Event::Resized(size) => {
            model.size = size;
            cover(model)
        }
        Event::Focus(_) => Vec::new(),
        Event::InputClosed | Event::Signal(Signal::Hangup | Signal::Terminate) => {
            leave(model, Leaving::Gone)
        }
        Event::Signal(Signal::Interrupt) => ask_to_leave(model),
        Event::LookedElsewhere => {
            if model.link == Link::Unknown {
                model.link = Link::Elsewhere;
            }
            Vec::new()
        }
        Event::StoreMended => {
            model.store_keeps();
            reload(model)
        }
        Event::News => reload(model),
        Event::Queue(result) => on_queue(model, result),
        Event::Leased { key, answer } => on_lease(model, &key, answer),
        Event::LeasedInstead { of, taken, key } => on_lease_instead(model, &of, taken, key),
        Event::LeaseLost { key, why } => on_lease_lost(model, &key, why),
        Event::Hydrated { key, details } => on_hydrated(model, key, details),
        Event::Picture { key, side, state } => on_picture(model, key, side, state),
        Event::Portrait { key, side, sha256 } => {
            model.portraits.insert((key, side), sha256);
            Vec::new()
        }
        Event::Painted { painted, at } => {
            model.now = model.now.max(at);
            if let Some(desk) = &mut model.desk
                && desk.epoch == painted.epoch
            {
                // The same pair in a better tier has been on the screen since the first one was.
                let since = desk.painted_at().unwrap_or(at);
                desk.painted = Some((painted, since));
            }
            Vec::new()
        }
        Event::Unconfirmed(epoch) => {
            if let Some(desk) = &mut model.desk {
                desk.unconfirmed = Some(epoch);
            }
            Vec::new()
        }
        Event::Covered => cover(model),
        Event::Reach(reach) => {
            opening::reach(model, reach);
            Vec::new()
        }
        Event::Attached => {
            opening::attached(model);
            Vec::new()
        }
        Event::Decided { id, result } => on_decided(model, id, result),
        Event::Voided { case, why, result } => on_voided(model, case, &why, result),
        Event::Skipped { key, result } => on_skipped(model, &key, result),
        Event::Undone { id, result } => on_undone(model, id, result),
        Event::Reopened { id, case, result } => on_reopened(model, id, case, result),
        Event::Outbox(rows) => on_outbox(model, rows),
        Event::Listing(workflows) => {
            model.listing = workflows;
            Vec::new()
        }
        Event::History(result) => on_history(model, result),
        Event::Statistics(result) => {
            match result {
                Ok(figures) => model.statistics.figures = Some(*figures),
                Err(problem) => model.problem(&problem),
            }
            model.statistics.step(0);
            Vec::new()
        }
        Event::Departed { key, status } => on_departed(model, &key, status.as_ref()),
        Event::Pulled { queued, departed } => {
            model.link = Link::Online;
            if queued + departed > 0 || !model.queue_read { reload(model) } else { Vec::new() }
        }
        Event::Waits(ms) => {
            model.link = Link::Waits(model.now.plus(ms));
            Vec::new()
        }
        Event::Link(None) => {
            model.link = Link::Online;
            model.passed(Cause::Link);
            Vec::new()
        }
        Event::Link(Some(problem)) => {
            model.problem(&problem);
            Vec::new()
        }
        Event::Protocol(name) => {
            model.protocol = name;
            cover(model)
        }
        Event::Flushed => {
            if model.leaving == Some(Leaving::Flushing) {
                model.exit = Some(Exit::Quit);
            }
            Vec::new()
        }
        Event::Unreadable(kind, rows) => {
            model.unreadable.retain(|row| row.kind != kind);
            model.unreadable.extend(rows);
            Vec::new()
        }
        Event::Say(text) => {
            model.say(Severity::Info, text);
            Vec::new()
        }
    };
    match_block(model);
    opening::tend(model);
    settle_leaving(model, effects)
}

/// Keeps the subject's picture beside the candidate that it was compared with, whatever has just changed.
fn match_block(model: &mut Model) {
    let Some(desk) = &model.desk else { return };
    let details = model.desk_details().map(|details| &details.case);
    let case = details.or_else(|| model.row(&desk.key).map(|row| &row.case));
    let Some(block) = case.and_then(|case| desk.candidate(&case.candidates)).map(|c| c.block)
    else {
        return;
    };
    if let Some(desk) = &mut model.desk {
        desk.match_block(block);
    }
}

// Keys.

fn on_key(model: &mut Model, key: Key, at: Millis, in_one_read: u32) -> Vec<Effect> {
    model.now = model.now.max(at);
    // A number may be typed as fast as fingers go: its digits decide nothing by themselves.
    let typing = match model.overlays.last() {
        Some(Overlay::Comment(_) | Overlay::Filter(_)) => true,
        Some(Overlay::Interlock(_)) => matches!(key.code, KeyCode::Char('0'..='9')),
        _ => false,
    };
    if verdict::burst(model, at, in_one_read) && !typing {
        verdict::drop_burst(model, at);
        return Vec::new();
    }
    // A word that was read and answered with a key has served.
    model.notice.take_if(|notice| notice.severity == Severity::Info);
    if key == Key::ctrl('c') {
        return ask_to_leave(model);
    }
    if key == Key::ctrl('z') {
        return vec![Effect::Suspend];
    }
    if !model.overlays.is_empty() {
        return on_overlay_key(model, key, at, in_one_read);
    }
    match model.settings.keymap.action(model.screen.scope(), key) {
        Some(action) if model.fits() || !action.info().mutating => act(model, action, key, at),
        Some(_) => Vec::new(),
        None => {
            if !opening::on_key(model, key, at, in_one_read) {
                unknown_key(model, key);
            }
            Vec::new()
        }
    }
}

fn unknown_key(model: &mut Model, key: Key) {
    if let KeyCode::Char(c) = key.code
        && c.is_alphabetic()
        && !c.is_ascii()
    {
        model.say(Severity::Warn, "The keyboard is not in a Latin layout: no key works.");
    }
}

fn act(model: &mut Model, action: Action, key: Key, at: Millis) -> Vec<Effect> {
    match action {
        Action::Approve => verdict::approve(model, at),
        Action::Reject => verdict::reject(model, at),
        Action::Unsure => verdict::unsure(model, at),
        Action::Escalate => verdict::escalate(model, at),
        Action::Skip => return skip(model, at),
        Action::Blocklist => open_interlock(model, at),
        Action::Undo => return undo(model),
        Action::SendNow => {
            model.say(Severity::Info, "Sending what is held.");
            return vec![Effect::SendNow];
        }
        Action::Face => choose_face(model, key),
        Action::Flip
        | Action::Zoom
        | Action::ZoomBack
        | Action::Nearer
        | Action::Farther
        | Action::ResetSight
        | Action::PanLeft
        | Action::PanRight
        | Action::PanUp
        | Action::PanDown
        | Action::Mirror => look(model, action),
        Action::PreviousCandidate => step_candidate(model, false),
        Action::NextCandidate => step_candidate(model, true),
        Action::NextCase | Action::NextLine => return step(model, 1),
        Action::PreviousCase | Action::PreviousLine => return step(model, -1),
        Action::PageDown => return step(model, half_page(model)),
        Action::PageUp => return step(model, -half_page(model)),
        Action::First => return jump(model, false),
        Action::Last => return jump(model, true),
        Action::Open => model.screen = Screen::Review,
        Action::Queue => {
            let queue = model.screen == Screen::Queue;
            model.screen = if queue { Screen::Review } else { Screen::Queue };
            return cover(model);
        }
        Action::View => return next_view(model),
        Action::Filter => {
            model.overlays.push(Overlay::Filter(Line::holding(&model.queue.query.filter)));
        }
        Action::History => {
            model.screen = Screen::History;
            model.history.loading = true;
            let mut effects = cover(model);
            effects.push(Effect::LoadHistory);
            return effects;
        }
        Action::Statistics => {
            model.screen = Screen::Statistics;
            let mut effects = cover(model);
            effects.push(Effect::LoadStatistics);
            return effects;
        }
        Action::Reason => open_on_desk(model, Overlay::Reason),
        Action::Comment => {
            let line = model.desk.as_ref().and_then(|d| d.comment.clone()).unwrap_or_default();
            open_on_desk(model, Overlay::Comment(Line::holding(&line)));
        }
        Action::Refresh => return refresh(model),
        Action::Reload => {
            model.say(Severity::Info, "Looking for new cases.");
            let mut effects = reload(model);
            effects.push(Effect::Pull);
            return effects;
        }
        Action::Protocol => return vec![Effect::NextProtocol],
        Action::Cells => return vec![Effect::NextCells],
        Action::Curtain => {
            model.overlays = vec![Overlay::Curtain];
            let mut effects = cover(model);
            effects.push(Effect::WipePictures);
            return effects;
        }
        Action::Help => {
            model.overlays.push(Overlay::Help(0));
            return cover(model);
        }
        Action::Back if model.screen == Screen::Review && key.code == KeyCode::Esc => {
            if let Some(desk) = model.desk.as_mut().filter(|desk| desk.shown != Shown::Pair) {
                desk.shown = Shown::Pair;
                return Vec::new();
            }
            // Pressed once too often after an overlay, it must not end the program.
            let quit = model.settings.keymap.label(Action::Back);
            model.say(Severity::Info, format!("{quit} leaves."));
        }
        Action::Back => return back(model),
    }
    Vec::new()
}

fn open_on_desk(model: &mut Model, overlay: Overlay) {
    if model.desk.is_some() {
        model.overlays.push(overlay);
    }
}

fn back(model: &mut Model) -> Vec<Effect> {
    match model.screen {
        Screen::Review => ask_to_leave(model),
        Screen::Queue | Screen::History | Screen::Statistics => {
            model.screen = Screen::Review;
            cover(model)
        }
    }
}

fn half_page(model: &Model) -> i64 {
    i64::from(model.size.1 / 2).max(1)
}

fn on_paste(model: &mut Model, text: &str, at: Millis) -> Vec<Effect> {
    model.now = model.now.max(at);
    match model.overlays.last_mut() {
        Some(Overlay::Comment(line) | Overlay::Filter(line)) => line.insert(text),
        _ => model.say(Severity::Warn, "A paste decides nothing."),
    }
    Vec::new()
}

fn on_overlay_key(model: &mut Model, key: Key, at: Millis, in_one_read: u32) -> Vec<Effect> {
    let Some(overlay) = model.overlays.pop() else { return Vec::new() };
    let leave = matches!(key.code, KeyCode::Esc);
    let action = model.settings.keymap.action(model.screen.scope(), key);
    match overlay {
        Overlay::Curtain => cover(model),
        Overlay::Help(line) => {
            let moved = match action {
                Some(Action::NextCase | Action::NextLine | Action::PanDown) => {
                    (line + 1).min(HELP_LINES)
                }
                Some(Action::PreviousCase | Action::PreviousLine | Action::PanUp) => {
                    line.saturating_sub(1)
                }
                _ => return cover(model),
            };
            model.overlays.push(Overlay::Help(moved));
            Vec::new()
        }
        Overlay::Reason => {
            pick_reason(model, key, leave);
            Vec::new()
        }
        Overlay::Comment(_) | Overlay::Filter(_) if leave => Vec::new(),
        Overlay::Comment(line) if key.code == KeyCode::Enter => {
            accept_comment(model, line);
            Vec::new()
        }
        Overlay::Filter(line) if key.code == KeyCode::Enter => accept_filter(model, &line),
        Overlay::Comment(mut line) => {
            line.key(key);
            model.overlays.push(Overlay::Comment(line));
            Vec::new()
        }
        Overlay::Filter(mut line) => {
            line.key(key);
            model.overlays.push(Overlay::Filter(line));
            Vec::new()
        }
        Overlay::Interlock(lock) => {
            on_interlock_key(model, lock, key, action, at);
            if action.is_none() && matches!(key.code, KeyCode::Char(c) if !c.is_ascii_digit()) {
                opening::on_key(model, key, at, in_one_read);
            }
            Vec::new()
        }
        Overlay::Quit => on_quit_key(model, key, action),
    }
}

fn pick_reason(model: &mut Model, key: Key, leave: bool) {
    let picked = match key.code {
        KeyCode::Char(c) => Reason::ALL.iter().find(|(letter, _)| *letter == c).map(|(_, r)| *r),
        _ => None,
    };
    match (picked, &mut model.desk) {
        (Some(reason), Some(desk)) => {
            desk.reason = Some(reason);
            model.say(Severity::Info, format!("Reason: {}.", reason.word()));
        }
        _ if leave => {}
        _ => model.say(Severity::Warn, "That letter is no reason; nothing was changed."),
    }
}

fn accept_comment(model: &mut Model, line: Line) {
    let text = line.text().trim().to_owned();
    if let Some(whose) = names::held(&text, model.desk_details()) {
        model.say(
            Severity::Warn,
            format!("It holds {whose}: leave names out, Didit keeps comments for ever."),
        );
        model.overlays.push(Overlay::Comment(line));
        return;
    }
    if let Some(desk) = &mut model.desk {
        desk.comment = (!text.is_empty()).then_some(text);
    }
}

fn accept_filter(model: &mut Model, line: &Line) -> Vec<Effect> {
    model.queue.query.filter = line.text().trim().trim_start_matches('#').to_owned();
    model.queue.query.from = Start::Front;
    // The case on the desk stays there if the filter lets it.
    load_around_desk(model)
}

fn on_interlock_key(
    model: &mut Model,
    mut lock: Interlock,
    key: Key,
    action: Option<Action>,
    at: Millis,
) {
    if !still_means(&lock, model) {
        model.say(Severity::Warn, "The case has changed; nothing was put on the blocklist.");
        return;
    }
    match (key.code, action) {
        (KeyCode::Esc, _) => {
            model.say(Severity::Info, "Nothing was put on the blocklist.");
            return;
        }
        (KeyCode::Char(c), _) if c.is_ascii_digit() => lock.digit(c),
        (_, Some(Action::PreviousCandidate)) => choose_target(model, &mut lock, false),
        (_, Some(Action::NextCandidate)) => choose_target(model, &mut lock, true),
        (_, Some(Action::Blocklist)) => {
            if let Some(target) = lock.confirmed() {
                model.overlays.push(Overlay::Interlock(lock));
                verdict::blocklist(model, target, at);
                return;
            }
        }
        _ => {}
    }
    model.overlays.push(Overlay::Interlock(lock));
}

fn on_quit_key(model: &mut Model, key: Key, action: Option<Action>) -> Vec<Effect> {
    if action == Some(Action::SendNow) {
        model.overlays.push(Overlay::Quit);
        if !matches!(model.leaving, Some(Leaving::SavingToFlush | Leaving::Flushing)) {
            // What is being recorded goes with the rest, so the sending begins after that.
            model.leaving = Some(Leaving::SavingToFlush);
        }
        return Vec::new();
    }
    match key.code {
        KeyCode::Char('k') => leave(model, Leaving::Saving),
        KeyCode::Esc => {
            model.leaving = None;
            cover(model)
        }
        _ => {
            model.overlays.push(Overlay::Quit);
            Vec::new()
        }
    }
}

fn open_interlock(model: &mut Model, at: Millis) {
    if let Err(why) = model.armed(at) {
        model.say(Severity::Warn, format!("The blocklist stays shut: {}.", why.words()));
        return;
    }
    if let Some(why) = verdict::void(model) {
        model.say(Severity::Warn, format!("The proposal is void: {why}."));
        return;
    }
    // The store gives nobody their own proposal to read; were it otherwise, it would still be confirmed by two.
    if model.proposal().is_some_and(|p| p.reviewer.id == model.settings.reviewer.id) {
        model.say(Severity::Warn, "You proposed this: somebody else has to confirm it.");
        return;
    }
    if let Some(proposal) = model.proposal().filter(|proposal| proposal.target.is_none()) {
        let words = verdict::named(proposal);
        model.say(Severity::Warn, format!("The blocklist stays shut: {words} is proposed."));
        return;
    }
    let Some(details) = model.desk_details() else { return };
    let lock = Interlock::open(details, model.proposal(), model.settings.alone.as_deref());
    show_target(model, &lock);
    model.overlays.push(Overlay::Interlock(lock));
}

fn choose_target(model: &mut Model, lock: &mut Interlock, forward: bool) {
    lock.step(forward);
    show_target(model, lock);
}

/// Whoever is named is shown: a candidate in its pane, the subject in its own. What was painted of another
/// pair counts no more.
fn show_target(model: &mut Model, lock: &Interlock) {
    let (Some(line), Some(desk)) = (lock.target(), &mut model.desk) else { return };
    let place = line.place.unwrap_or(desk.place);
    if desk.place != place || desk.shown != Shown::Pair {
        desk.turn_to(place);
    }
}

fn choose_face(model: &mut Model, key: Key) {
    let KeyCode::Char(digit) = key.code else { return };
    let faces = model.desk.as_ref().zip(model.desk_details()).and_then(|(desk, details)| {
        details.shows_several(desk.block).then(|| details.faces(desk.block).len().max(1))
    });
    let number = digit.to_digit(10).and_then(|n| usize::try_from(n).ok());
    match (faces, number, &mut model.desk) {
        (Some(count), Some(number), Some(desk)) if (1..=count).contains(&number) => {
            if desk.face.replace(number - 1) != Some(number - 1) {
                desk.forget_judgements();
            }
            desk.disarm();
            model.say(Severity::Info, format!("Face {number} is meant."));
        }
        (Some(_), ..) => model.say(Severity::Warn, "There is no face of that number."),
        _ => {}
    }
}

/// Looks closer. The same pair stays on the screen, so nothing here arms or disarms.
fn look(model: &mut Model, action: Action) {
    let Some(desk) = &mut model.desk else { return };
    let sight = desk.sight;
    desk.sight = match action {
        Action::Flip => {
            desk.shown = desk.shown.flip();
            desk.looks.0 = desk.looks.0.saturating_add(1);
            return;
        }
        Action::Mirror => {
            desk.mirrored = !desk.mirrored;
            return;
        }
        Action::PanLeft => sight.moved((-1, 0)),
        Action::PanRight => sight.moved((1, 0)),
        Action::PanUp => sight.moved((0, -1)),
        Action::PanDown => sight.moved((0, 1)),
        Action::Nearer => sight.nearer(1),
        Action::Farther => sight.nearer(-1),
        Action::ResetSight => Sight::of(sight.zoom()),
        Action::ZoomBack => sight.step(false),
        _ => sight.step(true),
    };
    let zoomed = (sight.zoom(), sight.times()) != (desk.sight.zoom(), desk.sight.times());
    desk.looks.1 = desk.looks.1.saturating_add(u16::from(zoomed));
}

fn step_candidate(model: &mut Model, forward: bool) {
    let Some(count) = model
        .desk
        .as_ref()
        .and_then(|d| {
            model.details.get(&d.key).map(|x| &x.case).or(model.row(&d.key).map(|r| &r.case))
        })
        .map(|case| case.candidates.len())
        .filter(|count| *count > 1)
    else {
        return;
    };
    if let Some(desk) = &mut model.desk {
        let place = (desk.place + if forward { 1 } else { count - 1 }) % count;
        desk.turn_to(place);
    }
}

// Moving about.

fn step(model: &mut Model, by: i64) -> Vec<Effect> {
    if scroll(model, by) {
        return Vec::new();
    }
    let last = model.queue.rows.len().saturating_sub(1);
    let at = model.cursor_index().unwrap_or(0);
    let wanted = i64::try_from(at).unwrap_or(0).saturating_add(by).max(0);
    let to = usize::try_from(wanted).unwrap_or(last).min(last);
    put_row_on_desk(model, to);
    fill_around(model, to)
}

/// Reads more of the queue when the cursor comes near the end of what is in memory. A read under way is
/// followed by another look.
fn fill_around(model: &mut Model, at: usize) -> Vec<Effect> {
    const NEAR: usize = 40;
    if model.queue_loading {
        return Vec::new();
    }
    let held = model.queue.rows.len();
    let more_below = model.queue.offset + u64::try_from(held).unwrap_or(0) < model.queue.total;
    let more_above = model.queue.offset > 0;
    if (at + NEAR >= held && more_below) || (at < NEAR && more_above) {
        let around = model.desk.as_ref().map(|d| d.key.clone());
        return load(model, around);
    }
    Vec::new()
}

/// Moves in a screen that is no list of cases. False on those that are.
fn scroll(model: &mut Model, by: i64) -> bool {
    match model.screen {
        Screen::Review | Screen::Queue => return false,
        Screen::History => model.history.step(by),
        Screen::Statistics => model.statistics.step(by),
    }
    true
}

fn jump(model: &mut Model, last: bool) -> Vec<Effect> {
    if scroll(model, if last { i64::MAX } else { i64::MIN }) {
        return Vec::new();
    }
    let held = u64::try_from(model.queue.rows.len()).unwrap_or(0);
    // What lacks in a short list is only just on its way.
    let short = model.queue.total <= u64::from(QueueView::ROWS);
    let in_memory = match last {
        true => short || model.queue.offset + held == model.queue.total,
        false => model.queue.offset == 0,
    };
    if in_memory {
        put_row_on_desk(model, if last { model.queue.rows.len().saturating_sub(1) } else { 0 });
        return Vec::new();
    }
    model.queue.query.from = if last { Start::Last } else { Start::Front };
    model.put_on_desk(None);
    let mut effects = load(model, None);
    if last {
        // The end of the last part, not its start.
        model.queue.rows.clear();
        effects.truncate(1);
    }
    effects
}

fn next_view(model: &mut Model) -> Vec<Effect> {
    model.view = model.view.next();
    model.queue.query.states = model.view.states();
    model.queue.query.from = Start::Front;
    model.put_on_desk(None);
    load(model, None)
}

fn put_row_on_desk(model: &mut Model, index: usize) {
    let Some(row) = model.queue.rows.get(index) else {
        model.put_on_desk(None);
        return;
    };
    let key = row.case.key.clone();
    if model.desk.as_ref().is_some_and(|desk| desk.key == key) {
        return;
    }
    let proposed = row.proposal.as_ref().and_then(|proposal| {
        let Some(target) = &proposal.target else {
            // What was not judged had no picture.
            return proposal.judgements.iter().find(|j| j.judgement.is_none()).map(|j| j.place);
        };
        let is_it = |c: &Candidate| c.session_id.as_ref() == Some(&target.session_id);
        row.case.candidates.iter().position(is_it)
    });
    let first = || row.case.must_judge(&model.settings.bands).next().unwrap_or(0);
    let place = proposed.unwrap_or_else(first);
    let desk = model.new_desk(key, place);
    model.put_on_desk(Some(desk));
}

// The queue.

/// Reads the queue, once the read under way has been answered: only one is, so that no older answer
/// comes after a newer one.
fn load(model: &mut Model, around: Option<SessionId>) -> Vec<Effect> {
    if model.queue_loading {
        model.queue_again = true;
        return Vec::new();
    }
    model.queue_loading = true;
    model.queue_around.clone_from(&around);
    let query = QueueQuery { limit: QueueView::ROWS, ..model.queue.query.clone() };
    vec![Effect::LoadQueue { query, around }]
}

/// Reads the queue again where the cursor is.
fn reload(model: &mut Model) -> Vec<Effect> {
    if !model.queue_loading {
        let first = model.queue.rows.first().filter(|_| model.queue.offset > 0);
        model.queue.query.from =
            first.map_or(Start::Front, |row| Start::Around(row.case.key.clone()));
    }
    load_around_desk(model)
}

fn load_around_desk(model: &mut Model) -> Vec<Effect> {
    let around = model.desk.as_ref().map(|d| d.key.clone());
    load(model, around)
}

fn on_queue(model: &mut Model, result: Result<Box<QueueView>, Problem>) -> Vec<Effect> {
    model.queue_loading = false;
    let around = model.queue_around.take();
    let again = std::mem::take(&mut model.queue_again);
    let taken = match result {
        Ok(view) => take_view(model, *view, around),
        Err(problem) => {
            model.problem(&problem);
            return if again { load_around_desk(model) } else { Vec::new() };
        }
    };
    let unseen = model.desk.as_ref().is_some_and(|d| model.queue.position(&d.key).is_none());
    if again || unseen || !taken {
        return load_around_desk(model);
    }
    model.cursor_index().map_or_else(Vec::new, |at| fill_around(model, at))
}

/// Takes a stretch of the queue that was read around a case; false when another one is wanted by now.
fn take_view(model: &mut Model, mut view: QueueView, around: Option<SessionId>) -> bool {
    let wanted = &model.queue.query;
    if view.query.states != wanted.states || view.query.filter != wanted.filter {
        return false;
    }
    // After a jump, an answer from around the case that was on the desk means nothing.
    if model.queue_read && model.desk.is_none() && view.query.from != wanted.from {
        return false;
    }
    // What was decided here but is not recorded yet still stands in the store's answer.
    for pending in &model.pending {
        let _ = view.remove(&pending.decision.case);
    }
    let kept = model.desk.as_ref().is_some_and(|d| view.position(&d.key).is_some());
    // The cursor has left the stretch that was asked for: its case is not gone, only elsewhere.
    if !kept && model.desk.as_ref().is_some_and(|d| around.as_ref() != Some(&d.key)) {
        return false;
    }
    let first_look = !model.queue_read;
    let to_the_end = model.queue.rows.is_empty() && view.offset > 0 && model.desk.is_none();
    let before = model.cursor_index();
    let gone = model.desk.as_ref().and_then(|d| model.row(&d.key)).map(|row| row.case.name());
    model.queue_read = true;
    model.queue = view;
    if !kept {
        let index = match before {
            _ if to_the_end => model.queue.rows.len().saturating_sub(1),
            Some(index) => index,
            None => 0,
        };
        if let Some(name) = gone {
            model.say(Severity::Warn, format!("{name} is no longer in this list."));
        }
        if first_look {
            let first = model.first.take().and_then(|key| model.queue.position(&key));
            model.advance_from(first.unwrap_or(0));
        } else {
            put_row_on_desk(model, index.min(model.queue.rows.len().saturating_sub(1)));
        }
    }
    model.forget_outside_window();
    true
}

fn on_departed(model: &mut Model, key: &SessionId, status: Option<&Status>) -> Vec<Effect> {
    let Some((index, row)) = model.queue.remove(key) else { return Vec::new() };
    let word = status.map_or_else(
        || "is no longer visible to this API key".to_owned(),
        |s| format!("is {} at Didit by now", s.word()),
    );
    model.say(Severity::Warn, format!("{} left the queue: it {word}.", row.case.name()));
    if model.desk.as_ref().is_some_and(|d| d.key == *key) {
        model.advance_from(index);
    }
    Vec::new()
}

fn skip(model: &mut Model, at: Millis) -> Vec<Effect> {
    if !verdict::quiet(model, Action::Skip, at) {
        return Vec::new();
    }
    let Some(desk) = &model.desk else { return Vec::new() };
    if let Err(why) = model.lease_held(desk) {
        model.say(Severity::Warn, format!("Not skipped: {}.", why.words()));
        return Vec::new();
    }
    let key = desk.key.clone();
    let Some((index, row)) = model.queue.remove(&key) else { return Vec::new() };
    model.say(Severity::Info, format!("{} skipped: back to the end.", row.case.name()));
    // It is still in the queue, at its end.
    model.queue.total += 1;
    model.advance_from(index);
    vec![Effect::Skip(key)]
}

fn on_skipped(model: &mut Model, key: &SessionId, result: Result<(), Problem>) -> Vec<Effect> {
    if let Err(problem) = result {
        model.problem(&problem);
        model
            .say(Severity::Warn, format!("{} could not be skipped: {}", key.short(), problem.text));
    }
    reload(model)
}

// The case on the desk.

fn on_lease(
    model: &mut Model,
    key: &SessionId,
    answer: Result<LeaseAnswer, Problem>,
) -> Vec<Effect> {
    let lease = match answer {
        Ok(LeaseAnswer::Yours(_)) => {
            // A lease is a write.
            model.store_keeps();
            LeaseState::Ours
        }
        Ok(LeaseAnswer::Taken(taken)) => LeaseState::Taken(taken),
        Ok(LeaseAnswer::Closed(state)) => LeaseState::Closed(state),
        Ok(LeaseAnswer::SecondReader) => {
            LeaseState::Lost("you have read it: another reviewer decides".to_owned())
        }
        Ok(LeaseAnswer::NotProven) => {
            let why = model.settings.alone.clone();
            LeaseState::Lost(why.unwrap_or_else(|| "it waits for another person".to_owned()))
        }
        Ok(LeaseAnswer::Unknown) => LeaseState::Lost("no longer in the queue".to_owned()),
        Err(problem) => LeaseState::Lost(problem.text),
    };
    if let Some(pending) = model.pending.iter_mut().find(|p| p.desk.key == *key) {
        pending.desk.lease = lease.clone();
    }
    let Some(desk) = model.desk.as_mut().filter(|desk| desk.key == *key) else { return Vec::new() };
    desk.lease = lease;
    desk.by_itself = false;
    if matches!(desk.lease, LeaseState::Closed(_)) { reload(model) } else { Vec::new() }
}

/// Two went on to the same case: who came second has another one in hand.
fn on_lease_instead(
    model: &mut Model,
    of: &SessionId,
    taken: Taken,
    key: SessionId,
) -> Vec<Effect> {
    if let Some(row) = model.queue.rows.iter_mut().find(|row| row.case.key == *of) {
        row.taken = Some(taken.clone());
    }
    let Some(desk) = model.desk.as_mut().filter(|desk| desk.key == *of) else { return Vec::new() };
    desk.lease = LeaseState::Taken(taken);
    if !std::mem::take(&mut desk.by_itself) {
        return Vec::new();
    }
    if let Some(index) = model.queue.position(&key) {
        put_row_on_desk(model, index);
        return fill_around(model, index);
    }
    let desk = model.new_desk(key.clone(), 0);
    model.put_on_desk(Some(desk));
    load(model, Some(key))
}

fn on_lease_lost(model: &mut Model, key: &SessionId, why: String) -> Vec<Effect> {
    if let Some(pending) = model.pending.iter_mut().find(|p| p.desk.key == *key) {
        pending.desk.lease = LeaseState::Lost(why.clone());
    }
    if let Some(desk) = model.desk.as_mut().filter(|desk| desk.key == *key) {
        desk.lease = LeaseState::Lost(why);
        desk.disarm();
        return reload(model);
    }
    Vec::new()
}

fn on_hydrated(
    model: &mut Model,
    key: SessionId,
    details: Result<Box<Details>, Problem>,
) -> Vec<Effect> {
    let details = match details {
        Ok(details) => *details,
        Err(problem) => {
            if problem.kind == ProblemKind::NotFound {
                model.unreachable.insert(key, problem.text);
            } else {
                model.problem(&problem);
            }
            return Vec::new();
        }
    };
    model.link = Link::Online;
    model.unreachable.remove(&key);
    let reopened = model.replaces(&key).is_some();
    let out_of_review = details.case.kind == SubjectKind::Workflow
        && !model.settings.statuses.contains(&details.case.status);
    if out_of_review && !reopened {
        let status = details.case.status.clone();
        let why = format!("{} at Didit", status.word());
        let mut effects = on_departed(model, &key, Some(&status));
        effects.push(Effect::Depart { key, why });
        return effects;
    }
    let old = model.details.insert(key.clone(), details);
    match_desk(model, &key, old.as_ref());
    void_proposal(model, &key)
}

/// Ends a proposal that rests on what is no longer so.
fn void_proposal(model: &mut Model, key: &SessionId) -> Vec<Effect> {
    let (Some(row), Some(details)) = (model.row(key), model.details.get(key)) else {
        return Vec::new();
    };
    let Some(proposal) = &row.proposal else { return Vec::new() };
    let Some(why) = proposal.void_by(details) else { return Vec::new() };
    vec![Effect::Void { proposal: proposal.id, case: key.clone(), why }]
}

fn on_voided(
    model: &mut Model,
    case: SessionId,
    why: &str,
    result: Result<bool, Problem>,
) -> Vec<Effect> {
    match result {
        Ok(true) => {}
        Ok(false) => return reload(model),
        Err(problem) => {
            model.problem(&problem);
            return Vec::new();
        }
    }
    let here = model.desk.as_ref().is_some_and(|desk| desk.key == case);
    let effects = if here { show_case(model, case) } else { reload(model) };
    model.say(Severity::Warn, format!("A proposal is void, nothing was done: {why}."));
    effects
}

/// What changed under the reviewer's eyes starts anew: no judgement is carried to another face.
fn match_desk(model: &mut Model, key: &SessionId, old: Option<&Details>) {
    let Some(new) = model.details.get(key) else { return };
    let Some(desk) = model.desk.as_mut().filter(|desk| desk.key == *key) else { return };
    let known = old.map(|details| &details.case);
    let faces_moved = old.is_some_and(|old| {
        old.faces(desk.block) != new.faces(desk.block)
            || old.shows_several(desk.block) != new.shows_several(desk.block)
    });
    let same = known.is_some_and(|case| {
        case.status == new.case.status && case.candidates == new.case.candidates
    });
    if same && !faces_moved {
        return;
    }
    let moved = known.is_some_and(|case| case.candidates != new.case.candidates);
    if moved || faces_moved {
        desk.forget_judgements();
    }
    if faces_moved {
        desk.face = None;
    }
    let fits = new.case.candidates.get(desk.place).is_some();
    let place = if fits && !moved {
        desk.place
    } else {
        new.case.must_judge(&model.settings.bands).next().unwrap_or(0)
    };
    desk.turn_to(place);
    if moved {
        model.say(Severity::Warn, "The candidates of this case have changed; judge them anew.");
    }
}

fn on_picture(model: &mut Model, key: SessionId, side: Side, state: PictureState) -> Vec<Effect> {
    let changed = model.pictures.get(&(key.clone(), side)).is_some_and(|old| match (old, &state) {
        (PictureState::Ready { sha256: a, .. }, PictureState::Ready { sha256: b, .. }) => a != b,
        (PictureState::Ready { .. }, _) => true,
        _ => false,
    });
    if changed && let Some(desk) = model.desk.as_mut().filter(|desk| desk.key == key) {
        desk.disarm();
    }
    if state.without().is_none()
        && let Some(desk) = model.desk.as_mut().filter(|desk| desk.key == key)
    {
        desk.wait_for(side);
    }
    if let PictureState::Ready { sha256, .. } = &state
        && let Some(desk) = model.desk.as_mut().filter(|desk| desk.key == key)
    {
        desk.match_picture(side, sha256);
    }
    model.pictures.insert((key, side), state);
    Vec::new()
}

fn refresh(model: &mut Model) -> Vec<Effect> {
    let Some(desk) = &mut model.desk else { return Vec::new() };
    desk.disarm();
    let key = desk.key.clone();
    model.unreachable.remove(&key);
    model.say(Severity::Info, "Asking for this case and its images again.");
    vec![Effect::Refresh(key)]
}

fn cover(model: &mut Model) -> Vec<Effect> {
    if let Some(desk) = &mut model.desk {
        desk.disarm();
    }
    Vec::new()
}

// Decisions.

fn on_tick(model: &mut Model, at: Millis) -> Vec<Effect> {
    model.now = model.now.max(at);
    let mut effects = model.ask_pending(false);
    if model.queue.forget_gone(&model.settings.reviewer.id, model.now) {
        // Who was there may still be: the store knows.
        effects.extend(reload(model));
    }
    effects
}

fn on_decided(
    model: &mut Model,
    id: DecisionId,
    result: Result<DeliveryState, Problem>,
) -> Vec<Effect> {
    let Some(at) = model.pending.iter().position(|p| p.decision.id == id) else {
        return Vec::new();
    };
    let Some(pending) = model.pending.remove(at) else { return Vec::new() };
    match result {
        Ok(state) => {
            model.store_keeps();
            model.reopened.remove(&pending.decision.case);
            let name = pending.row.case.name();
            let words = recorded(model, &pending.decision, state);
            model.say(Severity::Info, format!("{name} {words}."));
            remember(model, pending.decision, state);
            let mut effects = reload(model);
            if pending.undo {
                effects.push(Effect::Undo(id));
            }
            effects
        }
        Err(problem) => {
            let text = format!(
                "{} was NOT decided: {} {}",
                pending.row.case.name(),
                problem.text,
                problem.hint
            );
            let of_store = matches!(problem.kind, ProblemKind::Store | ProblemKind::Unwritable);
            if of_store {
                model.store_trouble = Some(StoreTrouble::Unwritable);
            }
            let rest = format!("{} was not decided.", pending.row.case.name());
            // The attempt has used the lease up: it is asked for again.
            let desk = Desk { lease: LeaseState::Asking, ..pending.desk };
            bring_back(model, pending.index, pending.row, desk);
            if of_store {
                model.say_while(Cause::Store, text, Some(rest));
            } else {
                model.say(Severity::Error, text);
            }
            reload(model)
        }
    }
}

/// Keeps a recorded decision in sight until the outbox is read: what is taken back meanwhile is the newest, and
/// who leaves is asked.
fn remember(model: &mut Model, decision: Decision, state: DeliveryState) {
    if model.outbox.iter().any(|row| row.decision.id == decision.id) {
        return;
    }
    let due = model.now.plus(model.settings.undo_ms);
    let row = HistoryRow {
        decision,
        state,
        attempts: 0,
        due,
        note: None,
        progress: Progress::default(),
        settled_at: None,
    };
    model.recorded.insert(0, row);
}

/// What a decision is once it is recorded, in words.
fn recorded(model: &Model, decision: &Decision, state: DeliveryState) -> String {
    let undo = model.settings.keymap.label(Action::Undo);
    let word = decision.disposition.word();
    match state {
        DeliveryState::Proposed => {
            let number = decision.target.as_ref().and_then(|target| target.session_number);
            let number = number.unwrap_or_default();
            format!(
                "proposed: a second person has to confirm blocklisting #{number}; nothing is sent"
            )
        }
        DeliveryState::Differs => {
            "goes to another reader: an earlier one said the contrary; nothing is sent".to_owned()
        }
        DeliveryState::Local if decision.disposition == Disposition::Escalate => {
            format!("escalated ({undo} takes it back)")
        }
        DeliveryState::Local => format!("{word} kept here"),
        _ => format!("{word} held ({undo} takes it back)"),
    }
}

fn bring_back(model: &mut Model, index: usize, row: crate::domain::QueueRow, desk: Desk) {
    model.queue.put_back(index, row);
    model.epoch += Model::DESK_EPOCHS;
    let mut back = Desk { epoch: model.epoch, painted: None, shown: Shown::Pair, ..desk };
    back.forget_judgements();
    // It is judged anew: a burst gives back nothing from before.
    model.before_burst = None;
    model.put_on_desk(Some(back));
    model.screen = Screen::Review;
}

/// `u`: takes the newest decision back while it is held. Touches no other.
fn undo(model: &mut Model) -> Vec<Effect> {
    if model.screen == Screen::History {
        return undo_chosen(model);
    }
    if let Some(pending) = model.pending.back_mut() {
        if pending.asked {
            pending.undo = true;
            return Vec::new();
        }
        if let Some(pending) = model.pending.pop_back() {
            let name = pending.row.case.name();
            bring_back(model, pending.index, pending.row, pending.desk);
            model.say(Severity::Info, format!("{name} taken back; nothing has left."));
        }
        return Vec::new();
    }
    let newest = model.decided().find(|row| row.state != DeliveryState::Undone);
    let standing = |row: &HistoryRow| match row.state {
        DeliveryState::Differs => "with another reader",
        DeliveryState::Local => "kept here",
        state => state.word(),
    };
    let newest = newest.map(|row| (row.decision.id, may_be_undone(row), row, standing(row)));
    match newest.map(|(id, may, row, standing)| (id, may, row.decision.case_name(), standing)) {
        None => {
            model.say(Severity::Info, "There is no decision of yours to take back.");
            Vec::new()
        }
        Some((id, true, ..)) => vec![Effect::Undo(id)],
        Some((_, _, name, standing)) => {
            let label = |action| model.settings.keymap.label(action);
            let (history, undo) = (label(Action::History), label(Action::Undo));
            model.say(
                Severity::Warn,
                format!("{name} is {standing} already; nothing was touched. {history}, then {undo}, opens its case again."),
            );
            Vec::new()
        }
    }
}

/// What the store may take back: what is held, and what another person has not taken up yet.
fn may_be_undone(row: &HistoryRow) -> bool {
    let escalation = row.decision.disposition == Disposition::Escalate;
    match row.state {
        DeliveryState::Held | DeliveryState::Proposed => true,
        DeliveryState::Local => escalation,
        _ => false,
    }
}

/// `u` in the history: a held decision is taken back, a settled one's case is opened again.
fn undo_chosen(model: &mut Model) -> Vec<Effect> {
    let Some(row) = model.history.current() else { return Vec::new() };
    let (id, case, state) = (row.decision.id, row.decision.case.clone(), row.state);
    match state {
        _ if may_be_undone(row) => vec![Effect::Undo(id)],
        DeliveryState::Differs => {
            model.say(Severity::Warn, "It counts as a reading; another reader decides the case.");
            Vec::new()
        }
        DeliveryState::Sending | DeliveryState::Unknown => {
            model.say(Severity::Warn, "It is on its way to Didit; wait until it is settled.");
            Vec::new()
        }
        DeliveryState::Undone => {
            model.say(Severity::Info, "It was taken back already.");
            Vec::new()
        }
        _ => vec![Effect::Reopen(id, case)],
    }
}

fn on_undone(model: &mut Model, id: DecisionId, result: Result<Undone, Problem>) -> Vec<Effect> {
    let text = match result {
        Ok(Undone::TakenBack(case)) => {
            let name =
                model.decided().find(|r| r.decision.id == id).map(|r| r.decision.case_name());
            let name = name.unwrap_or_else(|| case.short().to_owned());
            // It is the newest no more, whenever the outbox is read.
            let rows = model.recorded.iter_mut().chain(&mut model.outbox);
            for row in rows.filter(|row| row.decision.id == id) {
                row.state = DeliveryState::Undone;
            }
            model.say(Severity::Info, format!("{name} taken back; nothing has left."));
            return show_case(model, case);
        }
        Ok(Undone::NotHeld(DeliveryState::Local | DeliveryState::Proposed)) => {
            "Another reader has it by now; nothing was taken back.".to_owned()
        }
        Ok(Undone::NotHeld(state)) => {
            format!("It is {} already; nothing was taken back.", state.word())
        }
        Ok(Undone::NotYours) => "It is another reviewer's; nothing was taken back.".to_owned(),
        Ok(Undone::Unknown) => "There is no such decision.".to_owned(),
        Err(problem) => problem.text,
    };
    model.say(Severity::Warn, text);
    Vec::new()
}

fn on_reopened(
    model: &mut Model,
    id: DecisionId,
    case: SessionId,
    result: Result<bool, Problem>,
) -> Vec<Effect> {
    match result {
        Ok(true) => {
            model.reopened.insert(case.clone(), id);
            model.details.remove(&case);
            let rows = || model.history.rows.iter().chain(model.decided());
            let done = rows().find(|row| row.decision.id == id).map(HistoryRow::happened);
            let text = match done.filter(|done| !done.is_empty()) {
                Some(done) => format!("Open again, nothing is undone: {}.", done.join("; ")),
                None => "Open again; this decision has changed nothing at Didit.".to_owned(),
            };
            let mut effects = show_case(model, case.clone());
            model.say(Severity::Warn, text);
            effects.push(Effect::Refresh(case));
            effects
        }
        Ok(false) => {
            model.say(Severity::Warn, "There is nothing to open again.");
            Vec::new()
        }
        Err(problem) => {
            model.problem(&problem);
            Vec::new()
        }
    }
}

/// Puts a case on the desk that is open again: the queue is read around it.
fn show_case(model: &mut Model, case: SessionId) -> Vec<Effect> {
    model.screen = Screen::Review;
    model.view = super::queue::View::Waiting;
    model.queue.query.states = model.view.states();
    model.queue.query.filter.clear();
    let place =
        model.details.get(&case).and_then(|d| d.case.must_judge(&model.settings.bands).next());
    let desk = model.new_desk(case.clone(), place.unwrap_or(0));
    model.put_on_desk(Some(desk));
    load(model, Some(case))
}

fn on_outbox(model: &mut Model, rows: Vec<HistoryRow>) -> Vec<Effect> {
    let state_before =
        |id: DecisionId| model.decided().find(|r| r.decision.id == id).map(|r| r.state);
    let news = rows.iter().find(|row| {
        state_before(row.decision.id).is_some_and(|before| before != row.state)
            && !row.state.is_open()
    });
    let word = news.map(|row| {
        let name = row.decision.case_name();
        let note = row.note.clone().unwrap_or_default();
        match row.state {
            DeliveryState::Sent => {
                (Severity::Info, format!("{name} {}: {note}", row.decision.disposition.word()))
            }
            DeliveryState::Conflict => (
                Severity::Error,
                format!(
                    "CONFLICT {name}: {note} H shows both; theirs stays unless you decide again."
                ),
            ),
            DeliveryState::Refused => (Severity::Error, format!("{name} REFUSED by Didit: {note}")),
            _ if row.decision.is_proposal() => {
                (Severity::Warn, format!("{name}: your proposal is over, {note}"))
            }
            _ => (Severity::Info, format!("{name} {}. {note}", row.state.word())),
        }
    });
    model.recorded.retain(|own| rows.iter().all(|row| row.decision.id != own.decision.id));
    model.outbox = rows;
    if let Some((severity, text)) = word.filter(|(_, text)| !text.contains("undone")) {
        model.say(severity, text);
    }
    if model.screen == Screen::History { vec![Effect::LoadHistory] } else { Vec::new() }
}

fn on_history(model: &mut Model, result: Result<Vec<HistoryRow>, Problem>) -> Vec<Effect> {
    model.history.loading = false;
    match result {
        Ok(mut rows) => {
            blind(&mut rows, &model.settings.reviewer.id);
            model.history.rows = rows;
            model.history.step(0);
        }
        Err(problem) => model.problem(&problem),
    }
    Vec::new()
}

// Leaving.

fn ask_to_leave(model: &mut Model) -> Vec<Effect> {
    if model.leaving.is_some() {
        model.exit = Some(Exit::Quit);
        return Vec::new();
    }
    let unsent = model.unsent();
    if unsent.held + unsent.sending == 0 {
        return leave(model, Leaving::Saving);
    }
    if !matches!(model.overlays.last(), Some(Overlay::Quit)) {
        model.overlays.push(Overlay::Quit);
    }
    cover(model)
}

fn leave(model: &mut Model, how: Leaving) -> Vec<Effect> {
    model.leaving = Some(how);
    Vec::new()
}

/// Goes on with leaving as soon as nothing is being recorded any more. When the terminal is gone the model
/// waits for nothing: the shell still waits for what it was asked to record, so it is asked for all.
fn settle_leaving(model: &mut Model, mut effects: Vec<Effect>) -> Vec<Effect> {
    match model.leaving {
        Some(Leaving::Gone) => model.exit = Some(Exit::Gone),
        Some(Leaving::Saving) if model.pending.is_empty() => model.exit = Some(Exit::Quit),
        Some(Leaving::SavingToFlush) if model.pending.is_empty() => {
            model.leaving = Some(Leaving::Flushing);
            effects.push(Effect::FlushThenLeave);
        }
        Some(Leaving::Saving | Leaving::SavingToFlush | Leaving::Flushing) | None => {}
    }
    if model.exit.is_some() {
        effects.extend(model.ask_pending(true));
    }
    effects
}

impl Model {
    /// Epochs set aside for one desk; each new desk starts behind the last one's.
    const DESK_EPOCHS: u64 = 1 << 20;

    /// Asks the store to record the decisions that no burst can take back any more, or all of them.
    fn ask_pending(&mut self, all: bool) -> Vec<Effect> {
        let now = self.now;
        let due = self
            .pending
            .iter_mut()
            .filter(|p| !p.asked && (all || now.since(p.decision.at) >= verdict::KEPT_BACK_MS));
        due.map(|p| {
            p.asked = true;
            Effect::Decide(Box::new(p.decision.clone()))
        })
        .collect()
    }

    /// A case as it is put on the desk for the first time.
    fn new_desk(&mut self, key: SessionId, place: usize) -> Desk {
        self.epoch += Self::DESK_EPOCHS;
        let replaces = self.replaces(&key);
        Desk { replaces, ..Desk::new(key, place, self.epoch) }
    }

    /// Puts a case on the desk, or none. What was begun for another case is closed.
    fn put_on_desk(&mut self, desk: Option<Desk>) {
        let key = |desk: &Option<Desk>| desk.as_ref().map(|desk| desk.key.clone());
        let moved = key(&self.desk) != key(&desk);
        self.desk = desk;
        if moved {
            self.overlays.retain(|overlay| {
                !matches!(overlay, Overlay::Interlock(_) | Overlay::Reason | Overlay::Comment(_))
            });
            self.forget_outside_window();
        }
    }

    /// Takes up the first row at or after `index` that nobody else has, else the one before.
    pub(super) fn advance_from(&mut self, index: usize) {
        let me = &self.settings.reviewer.id;
        let free =
            |row: &crate::domain::QueueRow| row.taken.as_ref().is_none_or(|t| t.reviewer.id == *me);
        let rows = &self.queue.rows;
        let next = (index..rows.len())
            .find(|i| free(&rows[*i]))
            .or_else(|| (0..index.min(rows.len())).rev().find(|i| free(&rows[*i])))
            .or_else(|| (!rows.is_empty()).then(|| index.min(rows.len() - 1)));
        match next {
            Some(next) => {
                put_row_on_desk(self, next);
                if let Some(desk) = self.desk.as_mut().filter(|d| d.lease == LeaseState::Asking) {
                    desk.by_itself = true;
                }
            }
            None => self.put_on_desk(None),
        }
    }

    /// A version 7 UUID of this moment.
    pub(super) fn new_uuid(&mut self, at: Millis) -> uuid::Uuid {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        let ms = u64::try_from(at.0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }

    /// Keeps the desk as it is before a deciding key, in case the key is the first of a burst.
    pub(super) fn remember_before_burst(&mut self, at: Millis) {
        self.before_burst = self.desk.clone().map(|desk| (at, desk));
    }

    /// Takes back what the first keys of a burst began.
    pub(super) fn restore_before_burst(&mut self, at: Millis) {
        if matches!(self.leaving, Some(Leaving::Saving | Leaving::SavingToFlush)) {
            self.leaving = None;
        }
        let before = self.before_burst.take_if(|(since, _)| at.since(*since) <= verdict::BURST_MS);
        let mut decided = false;
        // Every key of it counts for nothing, so the first case of several is on the desk again.
        while let Some(pending) =
            self.pending.pop_back_if(|p| !p.asked && at.since(p.decision.at) <= verdict::BURST_MS)
        {
            bring_back(self, pending.index, pending.row, pending.desk);
            decided = true;
        }
        if !decided
            && let Some((_, desk)) = before
            && let Some(now) = self.desk.as_mut().filter(|now| now.key == desk.key)
        {
            now.judged = desk.judged;
            now.judged_by = desk.judged_by;
            now.turn_to(desk.place);
        }
    }

    /// Says what went wrong.
    fn problem(&mut self, problem: &Problem) {
        let text = format!("{} {}", problem.text, problem.hint).trim().to_owned();
        match problem.kind {
            ProblemKind::Network | ProblemKind::Key => {
                self.link = Link::Down(problem.text.clone());
                self.say_while(Cause::Link, text, None);
            }
            ProblemKind::Store => {
                self.store_trouble.get_or_insert(StoreTrouble::Unreachable);
                self.say_while(Cause::Store, text, None);
            }
            ProblemKind::Unwritable => {
                self.store_trouble = Some(StoreTrouble::Unwritable);
                self.say_while(Cause::Store, text, None);
            }
            ProblemKind::NotFound | ProblemKind::Lost | ProblemKind::Other => {
                self.say(Severity::Error, text);
            }
        }
    }

    /// Forgets details and pictures of cases outside the window.
    fn forget_outside_window(&mut self) {
        let wanted = super::effect::wants(self).window;
        let keep = |key: &SessionId| wanted.iter().any(|(wanted, _)| wanted == key);
        self.details.retain(|key, _| keep(key));
        self.unreachable.retain(|key, _| keep(key));
        self.pictures.retain(|(key, _), _| keep(key));
        self.portraits.retain(|(key, _), _| keep(key));
    }
}
