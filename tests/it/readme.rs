//! Draws the README's picture: the Review screen as `tui::draw` makes it, on a simulated queue, written
//! as an SVG. Run it after the screen has changed:
//!
//! ```text
//! cargo test --test it -- --ignored readme_picture
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use secondlook::core::{
    Effect, Event, Keymap, Model, Painted, PictureState, Settings, Side, update,
};
use secondlook::domain::{
    Bands, DeliveryState, Details, HistoryQuery, Holder, LeaseAnswer, SessionId, Status,
};
use secondlook::input::Key;
use secondlook::intake::{self, Intake};
use secondlook::picture::{
    self, CellMode, EncodeOptions, Encoded, FaceFinder, Fetcher, Limits, Pane, Protocol, Rules,
    View, eye_pixels, fit,
};
use secondlook::sim::World;
use secondlook::tui::{
    Eyes, Frame, FrameBody, FrameKey, Gallery, ReviewLayout, SMALLEST, Theme, draw,
};
use tokio_util::sync::CancellationToken;

use crate::stage::{Backend, START, Stage, reviewer, worker};

/// Columns and rows of the picture.
const SIZE: (u16, u16) = (120, 40);
/// The case shown, by its place in the queue.
const SHOWN: usize = 16;
/// 14:32 on the day the tests begin.
const MOMENT: i64 = START + (14 * 60 + 32) * 60_000;

#[tokio::test]
#[ignore = "writes assets/screen.svg"]
async fn readme_picture() {
    let mut shop = Shop::open().await;
    // One decision is held, as on a working day; then the case that is shown.
    shop.show(SHOWN - 1).await;
    shop.press("x").await;
    shop.stage.clock.turn(6_000);
    let gallery = shop.show(SHOWN - 1).await;
    shop.model.notice = None;
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
    terminal
        .draw(|frame| {
            draw(&shop.model, &gallery, Theme::new(true), frame);
        })
        .unwrap();
    let buffer = terminal.backend().buffer();
    let text: String = buffer.content().iter().map(Cell::symbol).collect();
    assert!(text.contains("ARMED") && text.contains("held: #"), "the picture would mislead");
    let svg = svg(buffer);
    assert!(svg.len() < 600_000, "{} bytes", svg.len());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/screen.svg");
    std::fs::write(path, svg).unwrap();
}

/// A console without a terminal: the model, and what its effects ask for.
struct Shop {
    stage: Stage,
    model: Model,
    fetcher: Fetcher,
    leases: BTreeMap<SessionId, secondlook::domain::Lease>,
}

impl Shop {
    async fn open() -> Self {
        let day = jiff::Timestamp::from_millisecond(MOMENT).unwrap();
        let stage = Stage::new(Backend::Memory, World::seeded(1, 40, day)).await;
        stage.clock.turn(MOMENT - START);
        let mut intake = Intake::new(
            stage.store.clone(),
            &stage.client,
            stage.clock.clone(),
            stage.origin.clone(),
            intake::Settings::default(),
        );
        intake.pull(&|_| (), &CancellationToken::new()).await.unwrap();
        let settings = Settings {
            bands: Bands::default(),
            undo_ms: 30_000,
            dwell_ms: 700,
            window_pairs: 64,
            statuses: vec![Status::InReview],
            reviewer: reviewer("ana"),
            alone: None,
            unsigned: None,
            place: "DEMO".to_owned(),
            keymap: Keymap::new(&BTreeMap::new()).unwrap(),
            smallest: SMALLEST,
        };
        let mut model = Model::new(settings, SIZE, stage.now(), 1);
        Protocol::Blocks.word().clone_into(&mut model.protocol);
        model.reach = secondlook::core::Reach::EndToEnd;
        let rules = Rules { allow_loopback_http: true, ..Rules::default() };
        let fetcher = Fetcher::new(rules).unwrap();
        let mut shop = Self { stage, model, fetcher, leases: BTreeMap::new() };
        let mut view = secondlook::core::QueueView::default();
        let page = shop.stage.store.queue(&shop.stage.origin, &view.query, shop.stage.now()).await;
        let page = page.unwrap();
        (view.rows, view.total) = (page.rows, page.total);
        shop.tell(Event::Queue(Ok(Box::new(view)))).await;
        // What the window would have fetched by now.
        let keys: Vec<SessionId> =
            shop.model.queue.rows.iter().map(|row| row.case.key.clone()).collect();
        for key in keys {
            shop.fetch(&key).await;
        }
        shop
    }

    /// Hands an event to the rules and does what they ask for.
    async fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            self.model.now = self.model.now.max(self.stage.now());
            for effect in update(&mut self.model, event) {
                if let Effect::Decide(decision) = effect {
                    let lease = self.leases.remove(&decision.case).unwrap();
                    let (store, now) = (&self.stage.store, self.stage.now());
                    store.decide(&lease, &decision, now.plus(30_000), now).await.unwrap();
                    let mine = HistoryQuery::default();
                    let rows = store.history(&self.stage.origin, &mine).await.unwrap().rows;
                    events
                        .push(Event::Decided { id: decision.id, result: Ok(DeliveryState::Held) });
                    events.push(Event::Outbox(rows));
                }
            }
        }
    }

    async fn press(&mut self, key: &str) {
        let key = Key::parse(key).unwrap();
        self.tell(Event::Key { key, at: self.stage.now(), burst: 1 }).await;
        self.stage.clock.turn(100);
        self.tell(Event::Tick(self.stage.now())).await;
    }

    async fn fetch(&mut self, key: &SessionId) {
        let kind = self.model.row(key).unwrap().case.kind;
        let details = self.stage.client.decision(key, kind).await.unwrap();
        for (side, link) in links(&details) {
            let file = self.fetcher.fetch(link.unwrap()).await.unwrap();
            let pixels = (0, 0);
            let until = self.stage.now().plus(3_540_000);
            let sha256 = file.sha256().to_owned();
            let state = PictureState::Ready { sha256, pixels, until, missing: None };
            self.tell(Event::Picture { key: key.clone(), side, state }).await;
        }
        self.tell(Event::Hydrated { key: key.clone(), details: Ok(Box::new(details)) }).await;
    }

    /// Goes to the case at a place of the queue, has it painted and looks at it for a while.
    async fn show(&mut self, place: usize) -> Gallery {
        self.press("g").await;
        for _ in 0..place {
            self.press("j").await;
        }
        let desk = self.model.desk.clone().unwrap();
        let holder = Holder { reviewer: reviewer("ana"), worker: worker("ana") };
        let now = self.stage.now();
        let store = &self.stage.store;
        let answer = store.lease(&self.stage.origin, &desk.key, &holder, now, 60_000).await;
        let answer = answer.unwrap();
        let LeaseAnswer::Yours(lease) = &answer else { panic!("{answer:?}") };
        self.leases.insert(desk.key.clone(), lease.clone());
        self.tell(Event::Leased { key: desk.key.clone(), answer: Ok(answer) }).await;
        let desk = self.model.desk.clone().unwrap();
        let details = self.model.desk_details().unwrap();
        let mut gallery = Gallery::default();
        let cells = ReviewLayout::new(SIZE).picture_cells();
        for side in [Side::Subject, Side::Candidate(desk.place)] {
            let frame = paint(&self.fetcher, details, side, cells).await;
            gallery.put(FrameKey::of(&desk, side, cells), frame);
        }
        let painted = Painted {
            case: desk.key.clone(),
            place: desk.place,
            epoch: desk.epoch,
            protocol: self.model.protocol.clone(),
            cells: [cells; 2],
            eye_pixels: [None; 2],
            tiers: [None; 2],
        };
        self.tell(Event::Painted { painted, at: self.stage.now() }).await;
        self.stage.clock.turn(1_000);
        self.tell(Event::Tick(self.stage.now())).await;
        gallery
    }
}

fn links(details: &Details) -> Vec<(Side, Option<&secondlook::domain::Link>)> {
    let candidates = details.candidates.iter().enumerate();
    std::iter::once((Side::Subject, details.subject.link.as_ref()))
        .chain(candidates.map(|(place, c)| (Side::Candidate(place), c.link.as_ref())))
        .collect()
}

/// A picture of characters, for a pane of so many cells, as the console makes it.
async fn paint(fetcher: &Fetcher, details: &Details, side: Side, cells: (u16, u16)) -> Frame {
    let link = links(details).into_iter().find(|(of, _)| *of == side).unwrap().1.unwrap();
    let file = fetcher.fetch(link).await.unwrap();
    let subject = (side == Side::Subject).then_some(&details.subject);
    let turn = subject.map_or(0, |s| s.turn);
    let portrait = picture::decode(&file, turn, &Limits::default()).unwrap();
    let given = subject.and_then(|s| portrait.place(s.faces.first()?));
    let face = given.or_else(|| portrait.face(&FaceFinder::new())).unwrap();
    let options = EncodeOptions { cells: CellMode::Quadrant, ..EncodeOptions::default() };
    let (cell, how) = ((10, 20), Protocol::Blocks);
    let pane = Pane::new(cells.0, cells.1, cell, how.dots(cell, options.cells));
    let fitted = fit(&portrait, Some(&face), &View::default(), how.aim(), &pane).unwrap();
    let pixels = eye_pixels(&face, &fitted, how.across(&fitted, &options));
    let eyes = if given.is_some() { Eyes::Measured(pixels) } else { Eyes::Detected(pixels) };
    let encoded = picture::encode(&fitted, how, &options).unwrap();
    let (columns, rows) = encoded.size();
    let Encoded::Cells(cells) = encoded else { panic!("{encoded:?}") };
    Frame { columns, rows, body: FrameBody::Cells(cells.into()), eyes, tier: None }
}

// From cells to an SVG.

/// A cell in units of the picture.
const CELL: (f64, f64) = (8.4, 17.0);
const INK: &str = "#d6d9e0";
const GROUND: &str = "#14161c";
/// The colours of a dark terminal for the sixteen names that the theme uses.
const NAMED: [(Color, &str); 5] = [
    (Color::DarkGray, "#7b8394"),
    (Color::Cyan, "#56c8d8"),
    (Color::Yellow, "#e5c07b"),
    (Color::Green, "#8fce72"),
    (Color::Red, "#f0717a"),
];

fn svg(buffer: &Buffer) -> String {
    let (width, height) = (f64::from(SIZE.0) * CELL.0, f64::from(SIZE.1) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-12 -12 {:.0} {:.0}\" \
         font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\">\n\
         <title>secondlook: two drawn faces side by side, and what each key would do</title>\n\
         <rect x=\"-12\" y=\"-12\" width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n",
        width + 24.0,
        height + 24.0,
    );
    dots(buffer, &mut out);
    texts(buffer, &mut out);
    out.push_str("</svg>\n");
    out
}

/// Everything behind the letters, two by two dots a cell; one path a colour, runs of equal dots as one.
fn dots(buffer: &Buffer, out: &mut String) {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for row in 0..SIZE.1 * 2 {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for column in 0..SIZE.0 * 2 {
            let place = row % 2 * 2 + column % 2;
            let Some(colour) = dot(&buffer[(column / 2, row / 2)], place) else { continue };
            match runs.last_mut() {
                Some((from, length, same)) if *same == colour && *from + *length == column => {
                    *length += 1;
                }
                _ => runs.push((column, 1, colour)),
            }
        }
        for (from, length, colour) in runs {
            let path = paths.entry(colour).or_default();
            let _ = write!(path, "M{from} {row}h{length}v1h-{length}z");
        }
    }
    let (x, y) = (CELL.0 / 2.0, CELL.1 / 2.0);
    let _ = writeln!(out, "<g transform=\"scale({x} {y})\" shape-rendering=\"crispEdges\">");
    for (colour, path) in paths {
        let _ = writeln!(out, "<path fill=\"{colour}\" d=\"{path}\"/>");
    }
    out.push_str("</g>\n");
}

/// The characters of quadrants; the bits of their places are the dots drawn, row by row.
const QUADRANTS: [&str; 16] =
    [" ", "▘", "▝", "▀", "▖", "▌", "▞", "▛", "▗", "▚", "▐", "▜", "▄", "▙", "▟", "█"];

/// The colour of one of a cell's four dots, where it is not the ground.
fn dot(cell: &Cell, place: u16) -> Option<String> {
    let mask = QUADRANTS.iter().position(|symbol| *symbol == cell.symbol()).unwrap_or(0);
    let (ink, ground) = inks(cell);
    let colour = if mask >> place & 1 == 1 { ink } else { ground };
    (colour != GROUND).then_some(colour)
}

fn texts(buffer: &Buffer, out: &mut String) {
    for row in 0..SIZE.1 {
        let mut column = 0;
        while column < SIZE.0 {
            let first = &buffer[(column, row)];
            let (ink, bold) = (inks(first).0, first.modifier.contains(Modifier::BOLD));
            let from = column;
            let mut text = String::new();
            // A run ends where the style does, and at the second of two blanks.
            while column < SIZE.0 {
                let cell = &buffer[(column, row)];
                let same = inks(cell).0 == ink && cell.modifier.contains(Modifier::BOLD) == bold;
                let blank = cell.symbol() == " " && (text.is_empty() || text.ends_with(' '));
                if !same || blank || is_picture(cell) {
                    break;
                }
                text.push_str(cell.symbol());
                column += 1;
            }
            column = column.max(from + 1);
            let text = text.trim_end();
            if text.is_empty() {
                continue;
            }
            let columns = text.chars().count();
            let (x, y) = (f64::from(from) * CELL.0, f64::from(row) * CELL.1 + 13.0);
            let weight = if bold { " font-weight=\"bold\"" } else { "" };
            let length = columns as f64 * CELL.0;
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y:.0}\" textLength=\"{length:.1}\" fill=\"{ink}\"{weight}>{text}</text>"
            );
        }
    }
}

fn is_picture(cell: &Cell) -> bool {
    QUADRANTS[1..].contains(&cell.symbol())
}

/// The colours of a cell's letter and of what is behind it.
fn inks(cell: &Cell) -> (String, String) {
    let (ink, ground) = (colour(cell.fg, INK), colour(cell.bg, GROUND));
    if cell.modifier.contains(Modifier::REVERSED) { (ground, ink) } else { (ink, ground) }
}

fn colour(colour: Color, plain: &str) -> String {
    if let Color::Rgb(r, g, b) = colour {
        // Steps of four cannot be seen, and equal neighbours become one run.
        let [r, g, b] = [r, g, b].map(|channel| channel & !3);
        return format!("#{r:02x}{g:02x}{b:02x}");
    }
    let named = NAMED.iter().find(|(name, _)| *name == colour);
    named.map_or(plain, |(_, value)| value).to_owned()
}
