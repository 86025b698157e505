//! The world of the demo: a queue as a team sees it on a working day. The same seed makes the same
//! world. Knows nothing of HTTP.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::state::new_id;
use super::world::{Candidate, Coding, Face, Kind, Picture, Session, World};

/// The newest cases have numbers from here, in a small world.
const FIRST_CASE: u64 = 4_790;

/// After so many flagged cases comes one session that is not flagged.
const EVERY: usize = 8;

/// The cases of a working day: what is special about each turns round after this many.
const ROUND: usize = 24;

const NAMES: [&str; 24] = [
    "Ana Pérez",
    "Jonas Lindqvist",
    "Mariam Diallo",
    "Tomasz Wójcik",
    "Chiara Bianchi",
    "Daniel Okafor",
    "Sofia Almeida",
    "Liam O'Connor",
    "Yuki Tanaka",
    "Fatima Zahra El Idrissi",
    "Nikos Papadopoulos",
    "Emily Carter",
    "Mateusz Zieliński",
    "Aylin Yılmaz",
    "Lukas Huber",
    "Priya Raman",
    "João Carvalho",
    "Nguyễn Thị Hoa",
    "Ibrahim Haddad",
    "Elena Popescu",
    "Kwame Mensah",
    "Camille Laurent",
    "Siti Rahmawati",
    "Oleksandr Bondar",
];

/// A name that tries to take over the terminal and to read backwards.
const HOSTILE: &str =
    "Mallory \u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m\u{202e}gpj.eciohc\u{2066}\u{9b}5n\r\nAPPROVED";

const COUNTRIES: [&str; 8] = ["ESP", "DEU", "PRT", "POL", "FRA", "ITA", "GBR", "ROU"];
const DOCUMENTS: [&str; 4] = ["Passport", "Identity Card", "Driver's License", "Residence Permit"];
const CODINGS: [Coding; 10] = [
    Coding::Jpeg,
    Coding::Jpeg,
    Coding::Png,
    Coding::Jpeg,
    Coding::WebP,
    Coding::Jpeg,
    Coding::Turned(6),
    Coding::Tiff,
    Coding::Jpeg,
    Coding::Turned(3),
];

impl World {
    /// A world with exactly `cases` flagged cases (at least one candidate from 70 to 89 % that is
    /// neither the same `vendor_data` nor allowlisted) and one session more for every eight of
    /// them that is not flagged. Everything happened in the hours before `start`.
    #[must_use]
    pub fn seeded(seed: u64, cases: usize, start: Timestamp) -> Self {
        let mut maker = Maker::new(seed, cases, start);
        for case in 0..cases {
            maker.flagged_case(case);
            if case % EVERY == EVERY - 1 {
                maker.plain_session(case);
            }
        }
        maker.world
    }
}

struct Maker {
    world: World,
    rng: fastrand::Rng,
    start: Timestamp,
    /// Seconds between two cases.
    step: i64,
    /// How many sessions there will be above the enrolled ones.
    subjects: usize,
    made: usize,
    case_number: u64,
    enrolled_number: u64,
    enrolled_step: u64,
}

impl Maker {
    fn new(seed: u64, cases: usize, start: Timestamp) -> Self {
        let subjects = cases + cases / EVERY;
        // At most five candidates each, so enrolled numbers stay below the cases'.
        let enrolled = 5 * cases as u64 + 1;
        let first = FIRST_CASE.max(1_000 + enrolled);
        Self {
            world: World::new(start),
            rng: fastrand::Rng::with_seed(seed),
            start,
            step: (7 * 3_600 / subjects.max(1).cast_signed() as i64).clamp(1, 1_500),
            subjects,
            made: 0,
            case_number: first + 7,
            enrolled_number: 1_000,
            enrolled_step: ((first - 1_000) / enrolled).max(1),
        }
    }

    fn id(&mut self) -> Uuid {
        new_id(&mut self.rng)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        ((low + self.rng.f64() * (high - low)) * 10.0).round() / 10.0
    }

    /// A similarity in the possible band. Same persons score higher than look-alikes, but the two
    /// overlap widely, or nobody would need to look.
    fn similarity(&mut self, same: bool) -> f64 {
        let middle = if same { 82.0 } else { 77.0 };
        let bell = (0..3).map(|_| self.rng.f64()).sum::<f64>() / 1.5 - 1.0;
        let percent = (middle + bell * 9.5_f64).clamp(70.0, 89.4);
        (percent * 10.0).round() / 10.0
    }

    fn coding(&mut self) -> Coding {
        CODINGS[self.rng.usize(..CODINGS.len())]
    }

    fn name(&mut self) -> String {
        NAMES[self.rng.usize(..NAMES.len())].to_owned()
    }

    /// A subject: numbers and times go up together, the last one a few minutes before the start.
    fn subject(&mut self, kind: Kind) -> Session {
        self.made += 1;
        self.case_number += self.rng.u64(1..=3);
        let to_go = (self.subjects - self.made).cast_signed() as i64;
        let ago = 180 + to_go * self.step + self.rng.i64(0..self.step.max(2)) / 2;
        let created_at = earlier(self.start, ago);
        let number = self.case_number;
        let (identity, shot) = (self.rng.u64(..), self.rng.u64(..));
        let coding = self.coding();
        let mut session = Session {
            id: self.id(),
            created_at,
            picture: Some(Picture::of(Face::of(identity), shot).coded(coding)),
            vendor_data: Some(format!("cust-{:06}", self.rng.u32(100_000..1_000_000))),
            age: self.rng.u8(19..68),
            ..Session::in_review(number)
        };
        match kind {
            Kind::Workflow => {
                session.full_name = Some(self.name());
                session.document_type = Some(DOCUMENTS[self.rng.usize(..4)].to_owned());
                session.document_number = Some(self.document());
                session.country = Some(COUNTRIES[self.rng.usize(..8)].to_owned());
            }
            Kind::Api(_) => {
                let saved = Session::saved_search(number);
                session = Session {
                    id: session.id,
                    created_at,
                    picture: session.picture,
                    vendor_data: session.vendor_data,
                    ..saved
                };
            }
        }
        session
    }

    fn document(&mut self) -> String {
        let letters: String = (0..2).map(|_| self.rng.uppercase()).collect();
        format!("{letters}{:07}", self.rng.u32(1_000_000..10_000_000))
    }

    /// A candidate from a session of its own: the subject again, or somebody like them.
    fn candidate(&mut self, subject: &Session, similarity: f64, same: bool) -> Candidate {
        self.enrolled_number += self.enrolled_step;
        let identity = identity_of(subject);
        // Nearer faces score higher.
        let near = (0.45 + (similarity - 70.0) / 45.0).clamp(0.4, 0.92) as f32;
        let face = match same {
            true => Face::of(identity),
            false => Face { identity, like: Some((self.rng.u64(..), near)) },
        };
        let (shot, coding) = (self.rng.u64(..), self.coding());
        let days = self.rng.i64(5..700);
        let full_name = if same && self.rng.u8(..3) == 0 {
            subject.full_name.clone().unwrap_or_else(|| self.name())
        } else {
            self.name()
        };
        Candidate {
            session_id: Some(self.id()),
            vendor_data: Some(format!("cust-{:06}", self.rng.u32(100_000..1_000_000))),
            full_name: Some(full_name),
            document_type: Some(DOCUMENTS[self.rng.usize(..4)].to_owned()),
            document_number: Some(self.document()),
            verified_at: Some(earlier(self.start, days * 86_400 + self.rng.i64(0..86_400))),
            picture: Some(Picture::of(face, shot).coded(coding)),
            raw_score: None,
            check: 0,
            vendor_user_id: None,
            template_id: None,
            truth: Some(same),
            ..Candidate::session(self.enrolled_number, similarity)
        }
    }

    fn without_session(&mut self, mut made: Candidate, subject: &Session, same: bool) -> Candidate {
        let like = Some((self.rng.u64(..), 0.6)).filter(|_| !same);
        let face = Face { identity: identity_of(subject), like };
        made.picture = Some(Picture::of(face, self.rng.u64(..)));
        made.truth = Some(same);
        made
    }

    fn flagged_case(&mut self, case: usize) {
        let special = case % ROUND;
        let kind = match special {
            5 | 15 => Kind::Api("FACE_SEARCH".to_owned()),
            _ => Kind::Workflow,
        };
        let mut subject = self.subject(kind);
        let same = self.rng.u8(..100) < 42;
        let percent = self.similarity(same);
        let first = self.candidate(&subject, percent, same);
        subject.candidates.push(first);
        let more = match special {
            20 => 4,
            _ => [0, 0, 0, 1, 1, 2][self.rng.usize(..6)],
        };
        for _ in 0..more {
            let same = same && self.rng.u8(..100) < 50;
            let percent = self.similarity(same);
            let candidate = self.candidate(&subject, percent, same);
            subject.candidates.push(candidate);
        }
        self.make_special(special, &mut subject);
        sort_as_sent(&mut subject.candidates);
        self.world.add(subject);
    }

    /// What makes a case of the round worth a look.
    fn make_special(&mut self, special: usize, subject: &mut Session) {
        match special {
            2 => {
                let percent = self.between(96.6, 97.6);
                let strong = self.candidate(subject, percent, true);
                subject.candidates.push(strong);
            }
            4 => {
                let percent = self.between(91.0, 98.0);
                let mut own = self.candidate(subject, percent, true);
                own.vendor_data.clone_from(&subject.vendor_data);
                own.full_name.clone_from(&subject.full_name);
                subject.candidates.push(own);
            }
            7 => {
                let percent = self.between(72.0, 86.0);
                let mut listed = self.candidate(subject, percent, false);
                listed.blocklisted = true;
                listed.status = Some("Declined".to_owned());
                // Listed after the search: the report itself warned of a duplicate.
                subject.candidates.push(listed);
            }
            8 => {
                let percent = self.between(71.0, 84.0);
                let entry = self.without_session(Candidate::list_entry(percent), subject, false);
                subject.candidates.push(entry);
            }
            9 => {
                let percent = self.between(74.0, 88.0);
                let who = format!("imported-{}", self.rng.u32(1_000..10_000));
                let mut face = Candidate::imported(&who, percent);
                face.full_name = Some(self.name());
                let face = self.without_session(face, subject, true);
                subject.candidates.push(face);
            }
            10 => {
                let percent = self.between(75.0, 88.0);
                let mut twin = self.candidate(subject, percent, false);
                twin.allowlisted = true;
                subject.candidates.push(twin);
            }
            11 | 23 => subject.auto_blocklist = true,
            12 => self.second_face(subject),
            _ => name_specially(special, subject),
        }
    }

    fn second_face(&mut self, subject: &mut Session) {
        if let Some(Picture::Drawn { beside, coding, .. }) = &mut subject.picture {
            *beside = Some(Face::of(self.rng.u64(..)));
            *coding = Coding::Jpeg;
        }
        subject.warnings.push("MULTIPLE_FACES_DETECTED".to_owned());
    }

    /// A session that is not flagged: only strong ones, only weak ones, or none at all.
    fn plain_session(&mut self, case: usize) {
        let mut subject = self.subject(Kind::Workflow);
        match (case / EVERY) % 3 {
            0 => {
                let percent = self.between(93.0, 99.0);
                let candidate = self.candidate(&subject, percent, true);
                subject.candidates.push(candidate);
                subject.warnings = vec!["DUPLICATED_FACE".to_owned()];
            }
            1 => {
                subject.warnings.clear();
                subject.status = "Approved".to_owned();
            }
            _ => {
                let percent = self.between(58.0, 69.0);
                let candidate = self.candidate(&subject, percent, false);
                subject.candidates.push(candidate);
            }
        }
        self.world.add(subject);
    }
}

fn name_specially(special: usize, subject: &mut Session) {
    let subject_name = match special {
        6 => Some("محمد عبد الرحمن"),
        13 => Some("王小明"),
        14 => Some(HOSTILE),
        16 => Some("Анна Кузнецова"),
        19 => Some("Zoë 👩🏽‍🚀 Mbeki 🇿🇦"),
        _ => None,
    };
    if let Some(name) = subject_name {
        subject.full_name = Some(name.to_owned());
    }
    if let (21, Some(first)) = (special, subject.candidates.first_mut()) {
        first.full_name = Some(HOSTILE.to_owned());
        first.vendor_data = Some("cust-\u{1b}[8m\u{202e}000001".to_owned());
    }
}

/// The order Didit sends: listed ones first, then by similarity.
fn sort_as_sent(candidates: &mut [Candidate]) {
    let listed = |c: &Candidate| c.blocklisted || c.allowlisted;
    let score = |c: &Candidate| c.similarity.unwrap_or(0.0);
    candidates.sort_by(|a, b| listed(b).cmp(&listed(a)).then(score(b).total_cmp(&score(a))));
}

fn identity_of(session: &Session) -> u64 {
    match &session.picture {
        Some(Picture::Drawn { face, .. }) => face.identity,
        _ => 0,
    }
}

fn earlier(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::super::world::Blocked;
    use super::*;

    fn start() -> Timestamp {
        "2026-06-12T15:00:00Z".parse().unwrap()
    }

    fn flagged(session: &Session) -> bool {
        session.candidates.iter().any(|c| {
            let own = c.vendor_data.is_some() && c.vendor_data == session.vendor_data;
            !own && !c.allowlisted && c.similarity.is_some_and(|s| (70.0..90.0).contains(&s))
        })
    }

    #[test]
    fn there_are_as_many_flagged_cases_as_asked_for() {
        for cases in [0, 1, 8, 24, 100] {
            let world = World::seeded(5, cases, start());
            let subjects = world.sessions().filter(|s| flagged(s)).count();
            assert_eq!(subjects, cases);
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_world() {
        let made = |seed| World::seeded(seed, 30, start()).sessions().cloned().collect::<Vec<_>>();
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }

    #[test]
    fn a_round_holds_everything_a_reviewer_meets() {
        let world = World::seeded(1, 24, start());
        let subjects: Vec<&Session> =
            world.sessions().filter(|s| !s.candidates.is_empty()).collect();
        let any = |test: &dyn Fn(&Session) -> bool| subjects.iter().any(|s| test(s));
        let candidate = |test: &dyn Fn(&Candidate) -> bool| {
            subjects.iter().flat_map(|s| &s.candidates).any(test)
        };
        assert!(any(&|s| matches!(s.kind, Kind::Api(_))));
        assert!(any(&|s| s.candidates.len() == 5));
        assert!(any(&|s| s.auto_blocklist));
        assert!(any(&|s| s.warnings.iter().any(|w| w == "MULTIPLE_FACES_DETECTED")));
        assert!(any(&|s| s.full_name.as_deref() == Some(HOSTILE)));
        assert!(any(&|s| s.candidates.iter().any(|c| c.vendor_data == s.vendor_data)));
        assert!(any(&|s| !flagged(s)));
        assert!(candidate(&|c| c.similarity.is_some_and(|s| (96.5..98.0).contains(&s))));
        assert!(candidate(&|c| c.source == "imported"));
        assert!(candidate(&|c| c.source == "list_entry"));
        assert!(candidate(&|c| c.allowlisted));
        assert!(candidate(&|c| c.blocklisted && c.session_id.is_some()));
        assert!(candidate(&|c| c.truth == Some(true)) && candidate(&|c| c.truth == Some(false)));
    }

    #[test]
    fn numbers_and_times_go_up_together_and_end_before_the_start() {
        let world = World::seeded(3, 200, start());
        let subjects: Vec<&Session> =
            world.sessions().filter(|s| !s.candidates.is_empty()).collect();
        assert!(subjects.windows(2).all(|two| two[0].created_at >= two[1].created_at));
        let span = start().duration_since(subjects[subjects.len() - 1].created_at);
        assert!(subjects[0].created_at < start() && span.as_hours() < 9, "{span:?}");
        // Every session that is named exists.
        for candidate in subjects.iter().flat_map(|s| &s.candidates) {
            assert!(candidate.session_id.is_none_or(|id| world.session(id).is_some()));
        }
    }

    #[test]
    fn the_blocklisted_candidates_session_is_blocklisted() {
        let world = World::seeded(1, 24, start());
        let listed = world
            .sessions()
            .flat_map(|s| &s.candidates)
            .find(|c| c.blocklisted && c.session_id.is_some())
            .and_then(|c| world.session(c.session_id?))
            .unwrap();
        assert_eq!(listed.blocked, Blocked { face: true, ..Blocked::default() });
    }
}
