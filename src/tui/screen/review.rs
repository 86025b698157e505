//! The pair: both faces, what agrees, what the keys would do, and whether they would do it now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::queue::{empty, queue_column};
use crate::core::{Consequence, Desk, Fact, Mark, Model, NotArmed, Side, facts};
use crate::domain::{Candidate, Case, Details, Judgement};
use crate::tui::draw::{Drawn, PlacedPicture};
use crate::tui::gallery::{Eyes, FrameKey, Gallery};
use crate::tui::layout::ReviewLayout;
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{key_line, notice, picture, status_line};

/// Below this many pixels between the eyes people are near chance while feeling sure (Merino et al. 2025).
const STOP: u16 = 10;
/// Below this the screen asks for a closer look.
const FLOOR: u16 = 20;

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
        frame.render_widget(Paragraph::new(empty(model)), layout.subject);
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
        facts_box(details, desk.place, layout.facts, theme, frame);
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
    let subject = format!(" A SUBJECT {}  {}", case.name(), case.status.word());
    let candidate = candidate_title(model, desk, case);
    let title = |text: String, loud: bool| {
        let meaning = if loud { Meaning::Bad } else { Meaning::Title };
        Paragraph::new(Line::styled(text, theme.style(meaning)))
    };
    let loud = desk.candidate(&case.candidates).is_some_and(|c| c.blocklisted);
    let (subject, turned) = if desk.flipped {
        (format!(" B in A's place (space flips back)  {}", case.name()), true)
    } else {
        (subject, false)
    };
    frame.render_widget(title(subject, turned), layout.subject_title);
    frame.render_widget(title(candidate, loud), layout.candidate_title);
}

fn candidate_title(model: &Model, desk: &Desk, case: &Case) -> String {
    let Some(c) = desk.candidate(&case.candidates) else {
        return " B no candidate".to_owned();
    };
    let number = match (c.session_number, &c.session_id) {
        (Some(number), _) => format!("#{number}"),
        (None, Some(id)) => id.short().to_owned(),
        (None, None) => "no session".to_owned(),
    };
    let score = c.similarity.map_or_else(
        || "no score".to_owned(),
        |s| format!("{s} % {}", model.settings.bands.of(s).word()),
    );
    let status = model
        .desk_details()
        .and_then(|d| d.candidates.get(desk.place)?.status.as_ref().map(|s| s.word().to_owned()))
        .unwrap_or_default();
    let flags = flags(c, desk, model);
    format!(
        " B {}/{} {number}  {score}  {status} {}{flags}",
        desk.place + 1,
        case.candidates.len(),
        if c.source == crate::domain::Source::Session { "" } else { c.source.word() },
    )
}

fn flags(c: &Candidate, desk: &Desk, model: &Model) -> String {
    let mut words = Vec::new();
    if c.blocklisted {
        words.push("BLOCKLISTED");
    }
    if c.allowlisted {
        words.push("allowlisted");
    }
    if c.self_match {
        words.push("same customer id");
    }
    if !c.must_judge(&model.settings.bands) {
        words.push("needs no judgement");
    }
    if let Some(judgement) = desk.judged.get(&desk.place) {
        words.push(match judgement {
            Judgement::Different => "judged different",
            Judgement::Same => "judged same",
            Judgement::Unsure => "unsure",
        });
    }
    words.iter().map(|w| format!(" {w}")).collect()
}

fn pictures(
    model: &Model,
    desk: &Desk,
    gallery: &Gallery,
    layout: &ReviewLayout,
    theme: Theme,
    frame: &mut Frame<'_>,
) -> Drawn {
    // Flipped: the candidate blinks in the subject's place. The sides themselves never swap.
    let left = if desk.flipped { Side::Candidate(desk.place) } else { Side::Subject };
    let sides = [(left, layout.subject), (Side::Candidate(desk.place), layout.candidate)];
    let mut drawn = Drawn::default();
    for (side, area) in sides {
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
            (format!("no picture: {why}. Skip (s) or escalate (e)."), Meaning::Bad)
        }
    };
    let middle = Rect::new(
        area.x + 1,
        area.y + area.height / 2,
        area.width.saturating_sub(2),
        2.min(area.height / 2),
    );
    let words = Paragraph::new(text).wrap(Wrap { trim: true }).style(theme.style(meaning));
    frame.render_widget(words, middle);
}

fn facts_box(details: &Details, place: usize, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let facts = facts(details, place);
    let mut lines: Vec<Line> = Vec::new();
    if let Some(line) = warning_line(details, theme) {
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
}

/// Didit's warnings and what is missing, in words: what the eye must not pass over.
fn warning_line(details: &Details, theme: Theme) -> Option<Line<'static>> {
    let mut words: Vec<String> = Vec::new();
    if details.several_faces {
        words.push("several faces in A".to_owned());
    }
    if details.case.set_aside > 0 {
        words.push(format!("{} candidate(s) unreadable", details.case.set_aside));
    }
    let shown = details.case.candidates.len();
    if let Some(total) = details.case.total_matches.filter(|t| *t as usize > shown) {
        words.push(format!("{shown} of {total} shown"));
    }
    let listed = details.warnings.iter().filter(|w| w.risk.contains("BLOCKLIST"));
    words.extend(listed.map(|w| w.risk.clone()));
    (!words.is_empty())
        .then(|| Line::styled(format!(" ! {}", words.join("  |  ")), theme.style(Meaning::Bad)))
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
    let cell = |text: &str| {
        let mut out = String::new();
        let mut used = 0;
        for c in text.chars() {
            let wide = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            if used + wide > column.saturating_sub(1) {
                out.push('…');
                used += 1;
                break;
            }
            used += wide;
            out.push(c);
        }
        out.extend(std::iter::repeat_n(' ', column.saturating_sub(used)));
        out
    };
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
    let (word, meaning) = match model.armed(model.now) {
        Ok(()) => ("ARMED".to_owned(), Meaning::Good),
        Err(why @ (NotArmed::Gone(_) | NotArmed::Store(_))) => (why.words(), Meaning::Bad),
        Err(why) => (why.words(), Meaning::Warn),
    };
    let eyes = drawn.pictures.iter().filter_map(|p| Some(gallery.get(&p.key)?.eyes));
    let eyes = eyes.min_by_key(|eyes| eyes.pixels());
    let legible = eyes.map_or_else(String::new, legibility);
    let mut marks = vec![desk.zoom.word().to_owned()];
    if desk.mirrored {
        marks.push("B mirrored".to_owned());
    }
    if let Some(reason) = desk.reason {
        marks.push(format!("reason {}", reason.word()));
    }
    if desk.comment.is_some() {
        marks.push("with comment".to_owned());
    }
    let low = eyes.is_some_and(|eyes| eyes.pixels() < FLOOR);
    let line = Line::from(vec![
        Span::styled(format!(" {word} "), theme.style(meaning)),
        Span::raw("  "),
        Span::styled(legible, theme.style(if low { Meaning::Warn } else { Meaning::Muted })),
        Span::styled(format!("   {}", marks.join("   ")), theme.style(Meaning::Muted)),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

/// The distance between the eyes in words, and what helps when it is too small.
fn legibility(eyes: Eyes) -> String {
    let px = eyes.pixels();
    let about = if matches!(eyes, Eyes::Guessed(_)) { "about " } else { "" };
    if px < STOP {
        format!("NOT LEGIBLE, {about}{px} px between the eyes: z zooms")
    } else if px < FLOOR {
        format!("{about}{px} px between the eyes: z zooms")
    } else {
        format!("{about}{px} px between the eyes")
    }
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
    let approve = part(crate::core::Action::Approve, what.approve);
    let reject = part(crate::core::Action::Reject, what.reject);
    let lines = if area.height > 1 {
        vec![Line::from(approve), Line::from(reject)]
    } else {
        vec![Line::from([approve, vec![Span::raw("   ")], reject].concat())]
    };
    frame.render_widget(Paragraph::new(lines), area);
}
