//! What becomes of a session that was read, as pure functions of it.

use crate::didit::ErrorKind;
use crate::domain::{
    Bands, Case, CaseState, DeliveryState, Details, Explained, Millis, ReviewEntry, Source, Status,
    SubjectKind, risk_words,
};
use crate::store::QueueRow;

use super::Settings;

/// What every comment of ours begins with.
const OURS: &str = "secondlook by:";

/// What becomes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a case, in this state.
    Case(CaseState),
    /// It is none, and will not be one unless its status changes.
    Explained(Explained),
    /// It is not where the listing said: the next listing knows better.
    Elsewhere,
}

/// What becomes of a session, as its decision call shows it. `cutoff` is the age limit of saved
/// searches.
pub(super) fn standing(settings: &Settings, details: &Details, cutoff: Millis) -> Standing {
    let case = &details.case;
    match case.kind {
        SubjectKind::Workflow if !wanted(settings, &case.status) => return Standing::Elsewhere,
        SubjectKind::SavedSearch if is_old(case.created_at, cutoff) => {
            return Standing::Explained(Explained::TooOld);
        }
        SubjectKind::SavedSearch if ours(&details.reviews) => {
            return Standing::Explained(Explained::Decided);
        }
        SubjectKind::Workflow if !is_warned_of(settings, details) => {
            return Standing::Explained(Explained::NotWanted);
        }
        SubjectKind::Workflow | SubjectKind::SavedSearch | SubjectKind::Unreachable => {}
    }
    match case.worth(&settings.bands) {
        Some(CaseState::Left) if settings.queue_strong => Standing::Case(CaseState::Open),
        Some(state) => Standing::Case(state),
        None => Standing::Explained(why_not(settings, details)),
    }
}

/// Why a session without anything to judge is no case.
fn why_not(settings: &Settings, details: &Details) -> Explained {
    let case = &details.case;
    let about_a_face = !details.warnings.is_empty() || !case.candidates.is_empty();
    if case.kind == SubjectKind::Workflow && !about_a_face {
        return Explained::NoFaceReason;
    }
    case.explained(&settings.bands).unwrap_or(Explained::NoCandidate)
}

/// The settings that reasons hang on, in a word: under others a session is read anew.
pub(super) fn rule(settings: &Settings) -> String {
    let Bands { lower, upper } = settings.bands;
    let mut warnings = settings.warnings.clone();
    warnings.sort_unstable();
    // FNV-1a: the same for ever, unlike a hasher of the library's.
    let mixed = warnings.join(" ").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{lower} {upper} {} {mixed:016x}", u8::from(settings.queue_strong))
}

/// Whether a workflow session in this status is taken in.
pub(super) fn wanted(settings: &Settings, status: &Status) -> bool {
    settings.statuses.is_empty() || settings.statuses.contains(status)
}

/// Whether one of the wanted warnings speaks of a session, or one that nobody knows. Older decisions hold no
/// warnings at all; there the candidates alone decide. Searches are made for their candidates.
pub(super) fn is_warned_of(settings: &Settings, details: &Details) -> bool {
    let wanted = |risk: &String| settings.warnings.contains(risk) || risk_words(risk).is_none();
    details.case.kind != SubjectKind::Workflow
        || details.warnings.is_empty()
        || details.warnings.iter().any(|warning| wanted(&warning.risk))
}

/// Words of Didit's that this version does not know, with their kind. They hide nothing; but they say that
/// Didit has changed.
pub(super) fn unknown(details: &Details) -> Vec<(&'static str, String)> {
    let risks = details.warnings.iter().filter(|w| risk_words(&w.risk).is_none());
    let mut found: Vec<_> = risks.map(|w| ("warning about a face", w.risk.clone())).collect();
    found.extend(details.case.candidates.iter().filter_map(|c| match &c.source {
        Source::Session | Source::Imported | Source::ListEntry | Source::Retained => None,
        Source::Other(word) => Some(("source of a face", word.clone())),
    }));
    found
}

/// How many candidates of a case cannot be read: a score of theirs, or all of them.
pub(super) fn unreadable(case: &Case) -> u64 {
    let without = case.candidates.iter().filter(|c| c.similarity.is_none());
    without.fold(u64::from(case.set_aside), |n, _| n + 1)
}

/// Whether a session is certainly older than the limit.
pub(super) fn is_old(created_at: Option<Millis>, cutoff: Millis) -> bool {
    created_at.is_some_and(|at| at < cutoff)
}

/// Whether a comment of ours stands in a review feed.
pub(super) fn ours(feed: &[ReviewEntry]) -> bool {
    feed.iter().any(is_ours)
}

fn is_ours(entry: &ReviewEntry) -> bool {
    entry.comment.as_deref().is_some_and(|c| c.trim_start().starts_with(OURS))
}

/// Whether a decision call may bring anything new about a session that the store asks for. A decided
/// case opens again only when it is in review after its decision was sent.
pub(super) fn worth_asking(listed: &Status, known: Option<&QueueRow>) -> bool {
    let Some(row) = known.filter(|row| row.state == CaseState::Decided) else { return true };
    let sent = row.decision.is_some_and(|(_, _, state)| state == DeliveryState::Sent);
    sent && *listed == Status::InReview
}

/// Why a case that is in none of the statuses any more left, in words.
pub(super) fn departure(details: &Details) -> String {
    let status = &details.case.status;
    let entry = details.reviews.iter().find(|e| e.new_status.as_ref() == Some(status));
    let how = match entry {
        Some(entry) if is_ours(entry) => "in another secondlook",
        Some(entry) if entry.who.contains('@') => "in the web console",
        Some(entry) if entry.who == "API Client" => "through the API",
        Some(_) | None => "at Didit",
    };
    format!("{} {how}", crate::domain::printable(status.word(), 40))
}

/// Why a case that cannot be read any more left.
pub(super) const INVISIBLE: &str = "No longer visible to this key";

/// What a failed decision call means for the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setback {
    /// The session is gone.
    Vanished,
    /// This one answer cannot be read; others may.
    Unreadable,
    /// The server failed: a few of these are borne.
    Stumble,
    /// The others would fail as well.
    Fatal,
}

/// What a failed decision call means for the round.
pub(super) fn setback(kind: ErrorKind) -> Setback {
    match kind {
        ErrorKind::NotFound => Setback::Vanished,
        ErrorKind::Protocol
        | ErrorKind::Validation
        | ErrorKind::WrongStatus
        | ErrorKind::Conflict => Setback::Unreadable,
        ErrorKind::Server | ErrorKind::Timeout => Setback::Stumble,
        ErrorKind::Key
        | ErrorKind::Permission
        | ErrorKind::Credit
        | ErrorKind::Limited { .. }
        | ErrorKind::Network
        | ErrorKind::Redirect
        | ErrorKind::Settings => Setback::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Candidate, DecisionId, Disposition, Person, SessionId, Similarity, SubjectDetails, Warning,
    };

    const WORKFLOW: SubjectKind = SubjectKind::Workflow;
    const SEARCH: SubjectKind = SubjectKind::SavedSearch;

    fn details(kind: SubjectKind, status: &str, percents: &[f64]) -> Details {
        let candidate = |percent: &f64| Candidate {
            session_id: None,
            session_number: None,
            similarity: Similarity::new(*percent),
            source: Source::Session,
            self_match: false,
            blocklisted: false,
            allowlisted: false,
            block: 0,
        };
        let case = Case {
            key: SessionId::parse("subject").unwrap(),
            session_number: None,
            kind,
            status: status.into(),
            created_at: Some(Millis(1_000)),
            candidates: percents.iter().map(candidate).collect(),
            set_aside: 0,
            total_matches: None,
        };
        let person = Person::default();
        let subject =
            SubjectDetails { link: None, turn: 0, faces: Vec::new(), person, captured_at: None };
        Details {
            case,
            subject,
            candidates: Vec::new(),
            others: Vec::new(),
            warnings: Vec::new(),
            reviews: Vec::new(),
            several_faces: false,
            auto_blocklist: None,
            workflow: None,
            at: Millis(0),
        }
    }

    fn entry(who: &str, status: Option<&str>, comment: Option<&str>) -> ReviewEntry {
        let new_status = status.map(Status::from);
        ReviewEntry { who: who.into(), new_status, comment: comment.map(str::to_owned), at: None }
    }

    #[test]
    fn what_becomes_of_a_session() {
        let open = Standing::Case(CaseState::Open);
        let left = Standing::Case(CaseState::Left);
        let settings = Settings::default();
        for (kind, status, percents, wanted) in [
            (WORKFLOW, "In Review", vec![81.0], open),
            (WORKFLOW, "In Review", vec![97.0, 70.0, 20.0], open),
            (WORKFLOW, "In Review", vec![97.0], left),
            (WORKFLOW, "In Review", vec![f64::NAN], open),
            (WORKFLOW, "In Review", vec![97.0, 101.0], open),
            (WORKFLOW, "In Review", vec![69.9], Standing::Explained(Explained::BelowBand)),
            (WORKFLOW, "In Review", vec![], Standing::Explained(Explained::NoFaceReason)),
            (WORKFLOW, "Approved", vec![81.0], Standing::Elsewhere),
            (SEARCH, "Approved", vec![81.0], open),
            (SEARCH, "Declined", vec![97.0], left),
        ] {
            let found = standing(&settings, &details(kind, status, &percents), Millis(0));
            assert_eq!(found, wanted, "{kind:?} {status} {percents:?}");
        }
        let mut unreadable = details(WORKFLOW, "In Review", &[]);
        unreadable.case.set_aside = 1;
        assert_eq!(standing(&settings, &unreadable, Millis(0)), open);
        let strong = details(WORKFLOW, "In Review", &[97.0]);
        let too = Settings { queue_strong: true, ..Settings::default() };
        assert_eq!(standing(&too, &strong, Millis(0)), open);
    }

    #[test]
    fn why_a_session_is_no_case_has_a_name() {
        let settings = Settings::default();
        let found = |change: fn(&mut Details)| {
            let mut session = details(WORKFLOW, "In Review", &[50.0]);
            let risk = "POSSIBLE_DUPLICATED_FACE".to_owned();
            session.warnings = vec![Warning { risk, short: None, block: Some(0), about: None }];
            change(&mut session);
            match standing(&settings, &session, Millis(0)) {
                Standing::Explained(reason) => reason.word(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(found(|_| ()), "below_band");
        assert_eq!(found(|d| d.case.candidates.clear()), "no_candidate");
        assert_eq!(found(|d| d.case.candidates[0].self_match = true), "same_customer");
        assert_eq!(found(|d| d.case.candidates[0].allowlisted = true), "allowlisted");
        let few = Settings { warnings: vec!["DUPLICATED_FACE".into()], ..Settings::default() };
        let mut session = details(WORKFLOW, "In Review", &[81.0]);
        let risk =
            |risk: &str| Warning { risk: risk.into(), short: None, block: None, about: None };
        session.warnings = vec![risk("LOW_FACE_QUALITY")];
        let left_out = Standing::Explained(Explained::NotWanted);
        assert_eq!(standing(&few, &session, Millis(0)), left_out);
        // What nobody knows is never left out by a list that cannot name it.
        session.warnings = vec![risk("FACE_OF_THE_FUTURE")];
        assert_eq!(standing(&few, &session, Millis(0)), Standing::Case(CaseState::Open));
        let said = unknown(&session);
        assert_eq!(said, [("warning about a face", "FACE_OF_THE_FUTURE".to_owned())]);
    }

    #[test]
    fn another_rule_reads_anew() {
        let changes: [fn(&mut Settings); 4] = [
            |s| s.bands.lower = 60.0,
            |s| s.bands.upper = 95.0,
            |s| s.queue_strong = true,
            |s| s.warnings.truncate(3),
        ];
        let usual = rule(&Settings::default());
        assert_eq!(usual, rule(&Settings { page_size: 7, ..Settings::default() }));
        for (place, change) in changes.into_iter().enumerate() {
            let mut settings = Settings::default();
            change(&mut settings);
            assert_ne!(rule(&settings), usual, "{place}");
        }
    }

    #[test]
    fn a_saved_search_is_taken_for_a_while_and_once() {
        let settings = Settings::default();
        let found = |change: fn(&mut Details), cutoff| {
            let mut search = details(SEARCH, "Approved", &[81.0]);
            change(&mut search);
            standing(&settings, &search, Millis(cutoff))
        };
        let open = Standing::Case(CaseState::Open);
        assert_eq!(found(|_| (), 1_000), open);
        assert_eq!(found(|_| (), 1_001), Standing::Explained(Explained::TooOld));
        assert_eq!(found(|d| d.case.created_at = None, 1_001), open);
        let noted = |d: &mut Details| {
            d.reviews = vec![entry("Unknown", None, Some("secondlook by:ana case:subject"))];
        };
        assert_eq!(found(noted, 0), Standing::Explained(Explained::Decided));
        let other = |d: &mut Details| {
            d.reviews = vec![entry("bo@example.org", None, Some("a secondlook by: me"))];
        };
        assert_eq!(found(other, 0), open);
    }

    #[test]
    fn a_status_is_a_setting() {
        let statuses = vec!["Approved".into(), "In Review".into()];
        let settings = Settings { statuses, ..Settings::default() };
        assert!(wanted(&settings, &"Approved".into()));
        assert!(!wanted(&settings, &"approved".into()));
        let any = Settings { statuses: Vec::new(), ..Settings::default() };
        assert!(wanted(&any, &"Kyc Expired".into()));
    }

    #[test]
    fn why_a_case_left_in_words() {
        for (who, comment, wanted) in [
            ("bo@example.org", None, "Approved in the web console"),
            ("API Client", None, "Approved through the API"),
            ("API Client", Some("secondlook by:bo"), "Approved in another secondlook"),
            ("Unknown", None, "Approved at Didit"),
        ] {
            let mut gone = details(WORKFLOW, "Approved", &[]);
            gone.reviews = vec![entry(who, Some("Approved"), comment)];
            assert_eq!(departure(&gone), wanted);
        }
        assert_eq!(departure(&details(WORKFLOW, "Resubmitted", &[])), "Resubmitted at Didit");
    }

    #[test]
    fn a_decided_case_is_asked_for_only_when_it_is_back_in_review() {
        let review = Status::InReview;
        assert!(worth_asking(&review, None));
        let mut row = QueueRow {
            case: details(WORKFLOW, "In Review", &[]).case,
            state: CaseState::Departed,
            taken: None,
            watched: Vec::new(),
            decision: None,
            note: None,
            proposal: None,
            replaces: None,
        };
        assert!(worth_asking(&review, Some(&row)));
        row.state = CaseState::Decided;
        let id = DecisionId::parse("018f0000-0000-7000-8000-000000000001").unwrap();
        for state in DeliveryState::ALL {
            row.decision = Some((id, Disposition::Approve, state));
            assert_eq!(
                worth_asking(&review, Some(&row)),
                state == DeliveryState::Sent,
                "{state:?}"
            );
            assert!(!worth_asking(&Status::Approved, Some(&row)), "{state:?}");
        }
    }
}
