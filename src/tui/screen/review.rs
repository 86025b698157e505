//! The pair: both faces, what agrees, what the keys would do, and whether they would do it now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr as _;

use super::legibility::legibility;
use super::queue::{empty, queue_column};
use crate::core::{
    Action, Consequence, Desk, Fact, LeaseState, Mark, Model, NotArmed, Shown, Side, Told,
    candidates, facts, told,
};
use crate::domain::{Case, Decision, Details, Judgement, Source, printable};
use crate::tui::draw::{Drawn, PlacedPicture};
use crate::tui::gallery::{FrameKey, Gallery};
use crate::tui::layout::ReviewLayout;
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{Piece, clip, fit, key_line, notice, pad, picture, piece, status_line};

/// The Review screen.
pub fn review(model: &Model, gallery: &Gallery, theme: Theme, frame: &mut Frame<'_>) -> Drawn {
    let layout = ReviewLayout::new(model.size);
    status_line(model, theme, layout.status, frame);
    if let Some(area) = layout.queue {
        queue_column(model, area, theme, frame);
    }
    let keys = key_line(
        &model.settings.keymap,
        model.screen.scope(),
        (layout.keys.width, layout.keys.height),
        theme,
    );
    frame.render_widget(Paragraph::new(keys), layout.keys);
    notice(model, theme, layout.notice, frame);
    let Some(desk) = &model.desk else {
        let area = layout.subject.union(layout.candidate);
        frame.render_widget(Paragraph::new(empty(model)).wrap(Wrap { trim: false }), area);
        return Drawn::default();
    };
    let Some(case) =
        model.desk_details().map(|d| &d.case).or_else(|| model.row(&desk.key).map(|row| &row.case))
    else {
        frame.render_widget(Paragraph::new(" Reading the case…"), layout.subject);
        return Drawn::default();
    };
    titles(model, desk, case, &layout, theme, frame);
    let drawn = pictures(model, desk, gallery, &layout, theme, frame);
    if let Some(details) = model.desk_details() {
        facts_box(model, details, desk.place, layout.facts, theme, frame);
    }
    arming(model, desk, &drawn, gallery, layout.arming, theme, frame);
    consequence(model, layout.consequence, theme, frame);
    drawn
}

fn titles(
    model: &Model,
    desk: &Desk,
    case: &Case,
    layout: &ReviewLayout,
    theme: Theme,
    frame: &mut Frame<'_>,
) {
    let keymap = &model.settings.keymap;
    let subject = vec![
        piece(0, Meaning::Title, "A SUBJECT"),
        piece(0, Meaning::Title, case.name()),
        piece(1, Meaning::Title, case.status.word()),
    ];
    let flip = format!("{} flips", keymap.label(Action::Flip));
    let mut title = |pieces: Vec<Piece>, area: Rect| {
        frame.render_widget(Paragraph::new(fit(pieces, area.width, theme)), area);
    };
    let alone = layout.places(desk).len() == 1;
    let left = match desk.shown {
        Shown::Pair => subject,
        Shown::SubjectFlipped if alone => {
            let hint = piece(1, Meaning::Muted, format!("{flip}, esc shows both"));
            [subject, vec![hint]].concat()
        }
        Shown::SubjectFlipped => subject,
        Shown::CandidateFlipped => {
            let word = if alone { "B, WHERE A WAS" } else { "B IN A's PLACE" };
            let hint = if alone { format!("{flip}, esc shows both") } else { flip };
            let mut pieces = vec![piece(0, Meaning::Bad, word), piece(1, Meaning::Title, hint)];
            if alone {
                pieces.extend(candidate_title(model, desk, case).into_iter().skip(1));
            }
            pieces
        }
    };
    if alone {
        title(left, layout.alone_title);
    } else {
        title(left, layout.subject_title);
        title(candidate_title(model, desk, case), layout.candidate_title);
    }
}

fn candidate_title(model: &Model, desk: &Desk, case: &Case) -> Vec<Piece> {
    let Some(c) = desk.candidate(&case.candidates) else {
        return vec![piece(0, Meaning::Title, "B no candidate")];
    };
    let bands = &model.settings.bands;
    let number = match (c.session_number, &c.session_id) {
        (Some(number), _) => format!("#{number}"),
        (None, Some(id)) => id.short().to_owned(),
        (None, None) => "no session".to_owned(),
    };
    let score = c.similarity.map_or_else(|| "score unreadable".to_owned(), |s| format!("{s} %"));
    let status = model
        .desk_details()
        .and_then(|d| Some(d.candidates.get(desk.place)?.status.as_ref()?.word().to_owned()));
    let judged = desk.judged.get(&desk.place).map_or("", |judgement| match judgement {
        Judgement::Different => "judged different",
        Judgement::Same => "judged same",
        Judgement::Unsure => "unsure",
    });
    let when = |holds: bool, words: &'static str| if holds { words } else { "" };
    let count = format!("B {}/{}", desk.place + 1, case.candidates.len());
    vec![
        piece(0, Meaning::Title, count),
        piece(1, Meaning::Title, number),
        piece(
            0,
            Meaning::Bad,
            when(model.is_portrait(&desk.key, Side::Candidate(desk.place)), "PORTRAIT"),
        ),
        piece(0, Meaning::Bad, when(c.blocklisted, "BLOCKLISTED")),
        piece(1, Meaning::Title, score),
        piece(5, Meaning::Title, c.similarity.map_or("", |s| bands.of(s).word())),
        piece(3, Meaning::Title, status.unwrap_or_default()),
        piece(2, Meaning::Warn, when(!c.must_judge(bands), "needs no judgement")),
        piece(2, Meaning::Title, judged),
        piece(4, Meaning::Title, when(c.allowlisted, "allowlisted")),
        piece(4, Meaning::Title, when(c.self_match, "same customer id")),
        piece(6, Meaning::Title, if c.source == Source::Session { "" } else { c.source.word() }),
    ]
}

fn pictures(
    model: &Model,
    desk: &Desk,
    gallery: &Gallery,
    layout: &ReviewLayout,
    theme: Theme,
    frame: &mut Frame<'_>,
) -> Drawn {
    let mut drawn = Drawn::default();
    for (side, area) in layout.places(desk) {
        let key = FrameKey::of(desk, side, (area.width, area.height));
        match gallery.get(&key) {
            Some(found) => {
                let area = picture(found, area, frame);
                drawn.pictures.push(PlacedPicture { key, area });
            }
            None => placeholder(model, desk, side, area, theme, frame),
        }
    }
    drawn
}

fn placeholder(
    model: &Model,
    desk: &Desk,
    side: Side,
    area: Rect,
    theme: Theme,
    frame: &mut Frame<'_>,
) {
    use crate::core::PictureState::{Failed, Gone, Ready, Waiting};
    let (text, meaning) = match (model.unreachable.get(&desk.key), model.picture(&desk.key, side)) {
        (Some(why), _) => (format!("no picture: {why}"), Meaning::Bad),
        (None, Waiting) => ("loading…".to_owned(), Meaning::Muted),
        (None, Ready { .. }) => ("drawing…".to_owned(), Meaning::Muted),
        (None, Failed { why }) => (format!("not yet: {why}"), Meaning::Warn),
        (None, Gone { why }) => {
            let ways = "Skip (s), escalate (e), or two decide (reason no_picture)";
            (format!("no picture: {why}. {ways}."), Meaning::Bad)
        }
    };
    let middle = Rect::new(
        area.x + 1,
        area.y + area.height / 2,
        area.width.saturating_sub(2),
        3.min(area.height / 2),
    );
    let words = Paragraph::new(text).wrap(Wrap { trim: true }).style(theme.style(meaning));
    frame.render_widget(words, middle);
}

fn facts_box(
    model: &Model,
    details: &Details,
    place: usize,
    area: Rect,
    theme: Theme,
    frame: &mut Frame<'_>,
) {
    let facts = facts(details, place);
    let mut lines: Vec<Line> = Vec::new();
    if let Some(line) = warning_line(model, details, place, area, theme) {
        lines.push(line);
    }
    if area.height <= 1 {
        if lines.is_empty() {
            let words =
                facts.iter().filter(|f| f.mark != Mark::Plain).flat_map(|f| short_fact(f, theme));
            lines.push(Line::from(words.collect::<Vec<_>>()));
        }
    } else {
        let column = usize::from(area.width.saturating_sub(18) / 2).min(44);
        lines.extend(facts.iter().map(|fact| fact_line(fact, column, theme)));
    }
    frame.render_widget(Paragraph::new(lines), area);
    let told = told(details, place);
    if let Some(left) = beside(area, told.len()) {
        let room = Rect { x: area.x + left, width: area.width - left, ..area };
        let style = theme.style(Meaning::Bad);
        let lines = told.iter().map(|one| {
            let words = clip(&format!("! {}: {}", one.face, one.words), usize::from(room.width));
            Line::styled(words, style)
        });
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), room);
    }
}

/// Didit's warnings and what is missing, in words: what the eye must not pass over.
fn warning_line(
    model: &Model,
    details: &Details,
    place: usize,
    area: Rect,
    theme: Theme,
) -> Option<Line<'static>> {
    let width = area.width;
    let mut words: Vec<(u8, String)> = Vec::new();
    words.extend(model.proposal().map(|proposal| (0, proposed(proposal, details))));
    if model.desk.as_ref().is_some_and(|desk| details.shows_several(desk.block)) {
        words.push((0, "several faces in A".to_owned()));
    }
    let case = &details.case;
    let listed = case.candidates.iter().enumerate().filter(|(at, c)| c.blocklisted && *at != place);
    words.extend(listed.map(|(at, _)| (0, format!("candidate {} is BLOCKLISTED", at + 1))));
    if case.set_aside > 0 {
        words.push((1, format!("{} unreadable", candidates(case.set_aside))));
    }
    if model.is_portrait(&details.case.key, Side::Candidate(place)) {
        words.push((0, "B: portrait, not the picture that matched".to_owned()));
    }
    let told = told(details, place);
    if beside(area, told.len()).is_none() {
        words.extend(in_short(&told).into_iter().map(|words| (2, words)));
        // What finds no room is still counted.
        let needed: usize = words.iter().map(|(_, words)| words.width() + 4).sum();
        if needed > usize::from(width) && !told.is_empty() {
            words.push((0, format!("{} warning(s)", told.len())));
        }
    }
    let shown = case.candidates.len();
    if let Some(total) = case.total_matches.filter(|t| *t as usize > shown) {
        words.push((3, format!("{shown} of {total} shown")));
    }
    let pieces = words.iter().map(|(rank, words)| piece(*rank, Meaning::Bad, format!("! {words}")));
    (!words.is_empty()).then(|| fit(pieces.collect(), width, theme))
}

/// Warnings in a few words, face by face.
fn in_short(told: &[Told]) -> Vec<String> {
    let mut faces: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in told {
        match faces.iter_mut().find(|(face, _)| *face == one.face) {
            Some((_, words)) => words.push(&one.short),
            None => faces.push((&one.face, vec![&one.short])),
        }
    }
    faces.into_iter().map(|(face, words)| format!("{face}: {}", words.join(", "))).collect()
}

/// Where warnings stand a line each: right of the facts, where there is room for that.
fn beside(area: Rect, warnings: usize) -> Option<u16> {
    let left = 16 + 2 * 44;
    let rows = usize::from(area.height);
    (rows > 1 && area.width >= left + 60 && (1..=rows).contains(&warnings)).then_some(left)
}

/// What waits for a second person: by whom, whose face.
fn proposed(proposal: &Decision, details: &Details) -> String {
    if proposal.is_without_picture() {
        let name = clip(&proposal.reviewer.name, 20);
        return format!("{name} PROPOSES to {} without a picture", proposal.disposition.word());
    }
    let target = proposal.target.as_ref();
    let number = target.and_then(|target| target.session_number).unwrap_or_default();
    let place = details.case.candidates.iter().position(|candidate| {
        candidate.session_id.is_some()
            && candidate.session_id.as_ref() == target.map(|target| &target.session_id)
    });
    let kind = place.map_or_else(|| "SUBJECT".to_owned(), |place| format!("CAND {}", place + 1));
    format!("{} PROPOSES to blocklist {kind} #{number}", clip(&proposal.reviewer.name, 20))
}

fn mark_meaning(mark: Mark) -> Meaning {
    match mark {
        Mark::Same => Meaning::Same,
        Mark::Different => Meaning::Different,
        Mark::Unknown | Mark::Plain => Meaning::Muted,
    }
}

fn short_fact(fact: &Fact, theme: Theme) -> [Span<'static>; 2] {
    [
        Span::styled(format!(" {}", fact.mark.sign()), theme.style(mark_meaning(fact.mark))),
        Span::raw(format!(" {} ", fact.label)),
    ]
}

fn fact_line(fact: &Fact, column: usize, theme: Theme) -> Line<'static> {
    let cell = |text: &str| format!("{} ", pad(text, column.saturating_sub(1)));
    Line::from(vec![
        Span::styled(format!(" {:<12}", fact.label), theme.style(Meaning::Muted)),
        Span::styled(format!("{} ", fact.mark.sign()), theme.style(mark_meaning(fact.mark))),
        Span::raw(cell(&fact.subject)),
        Span::raw(cell(&fact.candidate)),
    ])
}

fn arming(
    model: &Model,
    desk: &Desk,
    drawn: &Drawn,
    gallery: &Gallery,
    area: Rect,
    theme: Theme,
    frame: &mut Frame<'_>,
) {
    let armed = model.armed(model.now);
    // The key stands in no frame that still has the faces to bring: on a slow line it would be seen before them.
    let key = match armed {
        Err(NotArmed::Shut(key)) => Some(key),
        Ok(()) | Err(_) => None,
    };
    let (word, meaning) = match (armed, key) {
        (_, Some(key)) => (format!("SHUT: press {key} to open"), Meaning::Warn),
        (Ok(()), None) => ("ARMED".to_owned(), Meaning::Good),
        (Err(why @ (NotArmed::Gone(_) | NotArmed::Store(_) | NotArmed::Off(_))), _) => {
            (format!("OFF: {}", why.words()), Meaning::Bad)
        }
        (Err(NotArmed::Lease(why)), _) if desk.lease != LeaseState::Asking => {
            (format!("OFF: {why}"), Meaning::Bad)
        }
        (Err(why), _) => (format!("WAIT: {}", why.words()), Meaning::Warn),
    };
    let reason = desk.reason.map_or_else(String::new, |reason| format!("reason {}", reason.word()));
    let when = |holds: bool, words: &'static str| if holds { words } else { "" };
    let part = if desk.sight.is_plain() {
        desk.sight.zoom().word().to_owned()
    } else {
        format!("{} x{:.1}, moved", desk.sight.zoom().word(), desk.sight.times())
    };
    // Who has it is said where it keeps the keys off; here, who looks on.
    let me = &model.settings.reviewer.id;
    let watched = model.row(&desk.key).map_or(&[][..], |row| &row.watched);
    let watchers: Vec<_> = watched
        .iter()
        .filter(|watcher| watcher.reviewer.id != *me)
        .map(|watcher| printable(&watcher.reviewer.name, 20))
        .collect();
    let watchers = match watchers.as_slice() {
        [] => String::new(),
        [one] => format!("{one} looks on"),
        [first, more @ ..] => format!("{first} and {} more look on", more.len()),
    };
    let (why_shut, remedy) = model.shut_words();
    let opened = key.is_none();
    let mut pieces = vec![
        piece(0, meaning, word),
        piece(if opened { 3 } else { 1 }, Meaning::Muted, why_shut),
        piece(if opened { 5 } else { 2 }, Meaning::Muted, remedy),
        piece(
            1,
            Meaning::Warn,
            when(model.is_forced(), "forced: nothing proves that pictures show"),
        ),
        piece(2, Meaning::Warn, watchers),
    ];
    pieces.extend(legibility(model, desk, drawn, gallery));
    pieces.extend([
        piece(4, Meaning::Muted, part),
        piece(2, Meaning::Muted, when(desk.mirrored, "B mirrored")),
        piece(3, Meaning::Muted, reason),
        piece(3, Meaning::Muted, when(desk.comment.is_some(), "with comment")),
    ]);
    frame.render_widget(Paragraph::new(fit(pieces, area.width, theme)), area);
}

fn consequence(model: &Model, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let Some(what) = Consequence::of(model) else { return };
    let keymap = &model.settings.keymap;
    let part = |action, words: String| {
        vec![
            Span::raw(" IF "),
            Span::styled(keymap.label(action), theme.style(Meaning::Key)),
            Span::raw(format!(": {words}")),
        ]
    };
    let approve = part(Action::Approve, what.approve);
    let reject = part(Action::Reject, what.reject);
    let lines = vec![Line::from(approve), Line::from(reject)];
    frame.render_widget(Paragraph::new(lines), area);
}
