//! From a deciding key to a decision: the rules that keep a wrong person from being decided about.

use super::action::Action;
use super::desk::{Desk, NotArmed, PictureState};
use super::model::{Cause, Model, Overlay, Pending, Severity};
use super::names;
use crate::domain::{
    Case, Decision, DecisionId, Details, Disposition, Judged, Judgement, Millis, Reason, Receipt,
    SeenPicture, SubjectKind, Target, printable,
};

/// More than this many keys within [`BURST_MS`] are a paste or a fault, and decide nothing.
pub const BURST_KEYS: usize = 3;
/// The window of a burst, in milliseconds.
pub const BURST_MS: i64 = 30;
/// A decision is kept back this long before it is recorded, in milliseconds: longer than a burst lasts, for
/// its last key is heard a little after it was read.
pub const KEPT_BACK_MS: i64 = 50;
/// A deciding key must have been quiet this long, in milliseconds: a held key decides at most once.
pub const QUIET_MS: i64 = 150;

/// Why a pair that can be looked at is not decided without a picture.
const PICTURES_OF_THIS: &str = "there are pictures of this pair: choose another reason";

/// What a key would do now, in the words of the consequence line. Names every session it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consequence {
    /// What `a` would do.
    pub approve: String,
    /// What `x` would do.
    pub reject: String,
}

impl Consequence {
    /// The consequence of the keys for the pair on the screen.
    #[must_use]
    pub fn of(model: &Model) -> Option<Self> {
        let desk = model.desk.as_ref()?;
        let details = model.desk_details()?;
        let case = &details.case;
        let name = case.name();
        // A status of a few words; what comes after it must not be pushed off the line.
        let now = printable(case.status.word(), 20);
        let after = remaining(case, desk, model).len();
        let unreachable = case.kind == SubjectKind::Unreachable;
        let blind = model.blind();
        let chosen = desk.reason == Some(Reason::NoPicture);
        let two = match model.proposal() {
            Some(proposal) => format!(", confirms {}", named(proposal)),
            None => ", proposed to a second person".to_owned(),
        };
        let refusal = |disposition| {
            let what = blind.as_ref()?;
            let why = without_picture_refusal(model, disposition)?;
            Some(format!("nothing, {what}: {why}"))
        };
        let approve = match approve_refusal(details, desk, model).filter(|_| blind.is_none()) {
            Some(why) => format!("nothing, {why}"),
            None => match (refusal(Disposition::Approve), &blind) {
                (Some(nothing), _) => nothing,
                (None, Some(what)) if after > 0 => format!("{what}, then {after} more to judge"),
                (None, None) if after > 0 => {
                    format!("this pair different, then {after} more to judge")
                }
                (None, _) => match unfit_reason(model, blind.is_some()) {
                    Some(why) => format!("nothing, {why}"),
                    None => {
                        let two = if chosen { two.as_str() } else { "" };
                        match unreachable {
                            true => format!("{name} kept here as approved, nothing at Didit{two}"),
                            false => format!("{name} {now} -> Approved{two}"),
                        }
                    }
                },
            },
        };
        let seen = details.workflow.as_ref().is_some_and(|id| model.listing.contains(id));
        let listing = match details.auto_blocklist.or(seen.then_some(true)) {
            Some(true) => " + AUTO-BLOCKLIST of its face",
            Some(false) => "",
            None => " (its workflow may blocklist by itself)",
        };
        // Any other word on the case is a no to what was proposed about it.
        let declines =
            if model.proposal().is_some() && !chosen { ", declines the proposal" } else { "" };
        let two = if chosen { two.as_str() } else { "" };
        let reject = match refusal(Disposition::Reject) {
            Some(nothing) => nothing,
            None if chosen && blind.is_none() => format!("nothing, {PICTURES_OF_THIS}"),
            None if unreachable => format!("{name} kept here as rejected, nothing at Didit{two}"),
            None => format!("{name} {now} -> Declined{listing}{two}"),
        };
        Some(Self {
            approve: format!("{approve}{declines}"),
            reject: format!("{reject}{declines}"),
        })
    }
}

/// Must-judge candidates that would still be in the way of an approval after the one on the screen.
fn remaining(case: &Case, desk: &Desk, model: &Model) -> Vec<usize> {
    let different = |place: &usize| {
        desk.judged.get(place) == Some(&Judgement::Different) || desk.blind.contains(place)
    };
    case.must_judge(&model.settings.bands)
        .filter(|place| *place != desk.place && !different(place))
        .collect()
}

/// Why `a` is off for this pair, in words for the consequence line.
fn approve_refusal(details: &Details, desk: &Desk, model: &Model) -> Option<String> {
    if let Some(faces) = desk.several_faces(details) {
        // Didit often boxes only the largest one.
        let keys = match faces.len() {
            0 | 1 => "1 if the largest is".to_owned(),
            most => format!("1-{} for the one that is", most.min(5)),
        };
        return Some(format!("several faces: press {keys} meant"));
    }
    let chosen = desk.reason == Some(Reason::NoPicture);
    if details.case.set_aside > 0 && !chosen && remaining(&details.case, desk, model).is_empty() {
        return Some(format!("{} could not be read", candidates(details.case.set_aside)));
    }
    let judged_here = desk.candidate(&details.case.candidates)?.must_judge(&model.settings.bands);
    (!judged_here).then(|| "this candidate needs no judgement".to_owned())
}

/// `1 candidate`, `2 candidates`.
#[must_use]
pub fn candidates(count: u32) -> String {
    if count == 1 { "1 candidate".to_owned() } else { format!("{count} candidates") }
}

/// Notes a press; whether the key was quiet before it, so that a held key acts once.
pub fn quiet(model: &mut Model, action: Action, at: Millis) -> bool {
    model.last_press.insert(action, at).is_none_or(|last| at.since(last) >= QUIET_MS)
}

/// Whether the comment holds a name, learnt perhaps after it was typed. Says so.
fn comment_holds_a_name(model: &mut Model) -> bool {
    let comment = model.desk.as_ref().and_then(|desk| desk.comment.as_deref());
    let Some(whose) = comment.and_then(|text| names::held(text, model.desk_details())) else {
        return false;
    };
    let key = model.settings.keymap.label(Action::Comment);
    model.say(Severity::Warn, format!("Nothing decided: the comment holds {whose} ({key} edits)."));
    true
}

/// Whether a deciding key counts now. Says why not, and notes the press.
fn gate(model: &mut Model, action: Action, at: Millis) -> bool {
    if !quiet(model, action, at) {
        let label = model.settings.keymap.label(action);
        let text = format!("'{label}' came again too soon (held down?): it counted once.");
        model.say(Severity::Warn, text);
        return false;
    }
    match model.armed(at) {
        Ok(()) => !comment_holds_a_name(model),
        Err(why) => {
            let label = model.settings.keymap.label(action);
            let words = match (&why, model.blind()) {
                (NotArmed::Gone(why), Some(_)) if without_picture(action) => {
                    format!("{why}; {}", two_people(model))
                }
                _ => why.words(),
            };
            model.say(Severity::Warn, format!("'{label}' decided nothing: {words}."));
            let of_store = matches!(why, NotArmed::Store(_)).then_some(Cause::Store);
            model.notice.iter_mut().for_each(|notice| notice.cause = of_store);
            false
        }
    }
}

/// Whether the key can be one of two people's word where there is no picture.
fn without_picture(action: Action) -> bool {
    matches!(action, Action::Approve | Action::Reject)
}

/// How what has no picture is decided.
fn two_people(model: &Model) -> String {
    let key = model.settings.keymap.label(Action::Reason);
    let letter = Reason::ALL.iter().find(|(_, reason)| *reason == Reason::NoPicture);
    let letter = letter.map_or(' ', |(letter, _)| *letter);
    format!("two people decide, reason no_picture ({key} {letter})")
}

/// Who proposed what, in a few words.
pub fn named(proposal: &Decision) -> String {
    let name = printable(&proposal.reviewer.name, 20);
    format!("{name}: {}", proposal.disposition.word())
}

/// Why a decision without a picture is none now, in words: it takes its reason, and two people who mean the same.
fn without_picture_refusal(model: &Model, disposition: Disposition) -> Option<String> {
    let (desk, case) = (model.desk.as_ref()?, &model.desk_details()?.case);
    let bands = &model.settings.bands;
    let counts = desk.candidate(&case.candidates).is_some_and(|c| c.must_judge(bands));
    if !counts && case.must_judge(bands).next().is_some() {
        return Some("this candidate needs no judgement".to_owned());
    }
    if desk.reason != Some(Reason::NoPicture) {
        return Some(two_people(model));
    }
    if let Some(alone) = &model.settings.alone {
        return Some(format!("that takes two people, and {alone}"));
    }
    let proposal = model.proposal()?;
    if let Some(why) = void(model) {
        return Some(format!("the proposal is void: {why}"));
    }
    let same = proposal.is_without_picture() && proposal.disposition == disposition;
    let key = model.settings.keymap.label(Action::Escalate);
    (!same).then(|| format!("{} is proposed; {key} declines that", named(proposal)))
}

/// The gate of a decision without a picture: everything counts but the picture. Says why not.
fn gate_without_picture(
    model: &mut Model,
    action: Action,
    disposition: Disposition,
    at: Millis,
) -> bool {
    let label = model.settings.keymap.label(action);
    if !quiet(model, action, at) {
        let text = format!("'{label}' came again too soon (held down?): it counted once.");
        model.say(Severity::Warn, text);
        return false;
    }
    let why = match model.ready_but_for_pictures() {
        Ok(()) => without_picture_refusal(model, disposition),
        Err(why) => Some(why.words()),
    };
    if let Some(why) = why {
        model.say(Severity::Warn, format!("'{label}' decided nothing: {why}."));
        return false;
    }
    !comment_holds_a_name(model)
}

/// Whether the reviewer said that there is no picture, and there is none.
fn decides_blind(model: &Model) -> bool {
    let chosen = model.desk.as_ref().is_some_and(|desk| desk.reason == Some(Reason::NoPicture));
    chosen && model.blind().is_some()
}

/// `a`: the pair is of two people. The last one approves.
pub fn approve(model: &mut Model, at: Millis) {
    let label = model.settings.keymap.label(Action::Approve);
    let blind = decides_blind(model);
    if blind {
        if !gate_without_picture(model, Action::Approve, Disposition::Approve, at) {
            return;
        }
    } else if !gate(model, Action::Approve, at) {
        return;
    }
    let (Some(desk), Some(details)) = (&model.desk, model.desk_details()) else { return };
    if !blind && let Some(why) = approve_refusal(details, desk, model) {
        model.say(Severity::Warn, format!("'{label}' decided nothing: {why}."));
        return;
    }
    let next = remaining(&details.case, desk, model);
    if next.is_empty()
        && let Some(why) = unfit_reason(model, blind)
    {
        model.say(Severity::Warn, format!("'{label}' decided nothing: {why}."));
        return;
    }
    if blind {
        model.remember_before_burst(at);
        if let Some(desk) = &mut model.desk {
            desk.blind.insert(desk.place);
        }
    } else {
        judge_here(model, Judgement::Different, at);
    }
    let Some(desk) = &mut model.desk else { return };
    let after = desk.place;
    match next.iter().find(|place| **place > after).or(next.first()) {
        Some(place) => {
            let place = *place;
            desk.turn_to(place);
            let word = if blind { "No picture" } else { "Different" };
            model.say(Severity::Info, format!("{word}. {} more to judge.", next.len()));
        }
        None => decide(model, Disposition::Approve, None, at),
    }
}

/// Why an approval does not fit its reason: what lacks a picture takes `no_picture` and two people, and where nothing
/// does there is none.
fn unfit_reason(model: &Model, blind: bool) -> Option<String> {
    let desk = model.desk.as_ref()?;
    let set_aside = model.desk_details().is_some_and(|details| details.case.set_aside > 0);
    let lacks = blind || !desk.blind.is_empty() || set_aside;
    match (lacks, desk.reason == Some(Reason::NoPicture)) {
        (true, _) => without_picture_refusal(model, Disposition::Approve),
        (false, true) => Some("there are pictures of all: choose another reason".to_owned()),
        (false, false) => None,
    }
}

/// `x`: the pair is of one person. Declines at once, the rest stays unjudged.
pub fn reject(model: &mut Model, at: Millis) {
    if decides_blind(model) {
        if gate_without_picture(model, Action::Reject, Disposition::Reject, at) {
            model.remember_before_burst(at);
            decide(model, Disposition::Reject, None, at);
        }
        return;
    }
    let chosen = model.desk.as_ref().is_some_and(|desk| desk.reason == Some(Reason::NoPicture));
    if chosen && model.armed(at).is_ok() {
        let label = model.settings.keymap.label(Action::Reject);
        model.say(Severity::Warn, format!("'{label}' decided nothing: {PICTURES_OF_THIS}."));
        return;
    }
    if !gate(model, Action::Reject, at) || !on_a_must_judge(model, Action::Reject) {
        return;
    }
    judge_here(model, Judgement::Same, at);
    decide(model, Disposition::Reject, None, at);
}

/// `i`: cannot tell. To a second reviewer.
pub fn unsure(model: &mut Model, at: Millis) {
    if !gate(model, Action::Unsure, at) || !on_a_must_judge(model, Action::Unsure) {
        return;
    }
    judge_here(model, Judgement::Unsure, at);
    decide(model, Disposition::Escalate, None, at);
}

/// `e`: to a second reviewer. Works without pictures: that is what it is for.
pub fn escalate(model: &mut Model, at: Millis) {
    if !quiet(model, Action::Escalate, at) {
        return;
    }
    let Some(desk) = &model.desk else { return };
    if let Err(why) = model.lease_held(desk) {
        model.say(Severity::Warn, format!("Nothing was escalated: {}.", why.words()));
        return;
    }
    if comment_holds_a_name(model) {
        return;
    }
    model.remember_before_burst(at);
    judge_by_reason(model, at);
    decide(model, Disposition::Escalate, None, at);
}

/// A reason that says what the reader thinks of this pair goes with the case as their reading of it, if
/// they could see the pair.
fn judge_by_reason(model: &mut Model, at: Millis) {
    let Some(desk) = &model.desk else { return };
    let opinion = match desk.reason {
        Some(Reason::SamePerson) => Judgement::Same,
        Some(Reason::DifferentPeople) => Judgement::Different,
        _ => return,
    };
    if model.armed(at).is_ok() && !desk.judged.contains_key(&desk.place) {
        judge_here(model, opinion, at);
    }
}

/// The second `B` of the interlock, the number typed.
pub fn blocklist(model: &mut Model, target: Target, at: Millis) {
    if !gate(model, Action::Blocklist, at) {
        return;
    }
    if let Some(why) = void(model) {
        model.say(Severity::Warn, format!("The proposal is void: {why}."));
        return;
    }
    judge_here(model, Judgement::Same, at);
    model.overlays.retain(|o| !matches!(o, Overlay::Interlock(_)));
    decide(model, Disposition::Blocklist, Some(target), at);
}

/// Why the proposal about the case on the desk rests on what is no longer so.
pub fn void(model: &Model) -> Option<String> {
    model.proposal()?.void_by(model.desk_details()?)
}

/// Whether a verdict on the shown candidate means anything.
fn on_a_must_judge(model: &mut Model, action: Action) -> bool {
    let fits = model.desk.as_ref().zip(model.desk_details()).is_some_and(|(desk, details)| {
        desk.candidate(&details.case.candidates)
            .is_some_and(|c| c.must_judge(&model.settings.bands))
    });
    if !fits {
        let label = model.settings.keymap.label(action);
        model.say(
            Severity::Warn,
            format!("'{label}' decided nothing: this candidate needs no judgement."),
        );
    }
    fits
}

fn judge_here(model: &mut Model, judgement: Judgement, at: Millis) {
    model.remember_before_burst(at);
    let Some(desk) = &mut model.desk else { return };
    desk.judged.insert(desk.place, judgement);
    for side in desk.sides() {
        if let Some(PictureState::Ready { sha256, .. }) =
            model.pictures.get(&(desk.key.clone(), side))
        {
            desk.judged_by.insert(side, sha256.clone());
        }
    }
}

/// Makes the decision, takes the case off the desk and shows the next one. It is recorded once a burst
/// of keys can be ruled out.
fn decide(model: &mut Model, disposition: Disposition, target: Option<Target>, at: Millis) {
    let Some(decision) = form(model, disposition, target, at) else { return };
    let Some(desk) = model.desk.clone() else { return };
    let Some((index, row)) = model.queue.remove(&desk.key) else { return };
    let words = match disposition {
        Disposition::Escalate => "escalated",
        Disposition::Approve => "approve",
        Disposition::Blocklist => "blocklist",
        _ => "reject",
    };
    model.say(Severity::Info, format!("{} {words}: saving.", row.case.name()));
    let pending = Pending { decision, index, row, desk, asked: false, undo: false };
    model.pending.push_back(pending);
    model.advance_from(index);
}

fn form(
    model: &mut Model,
    disposition: Disposition,
    target: Option<Target>,
    at: Millis,
) -> Option<Decision> {
    let id = DecisionId(model.new_uuid(at));
    let desk = model.desk.as_ref()?;
    let row = model.row(&desk.key)?;
    // An escalation is possible before the case could be hydrated; everything else was armed.
    let case = model.desk_details().map_or(&row.case, |details| &details.case);
    let judgements = case
        .must_judge(&model.settings.bands)
        .map(|place| Judged {
            place,
            session_id: case.candidates[place].session_id.clone(),
            judgement: desk.judged.get(&place).copied(),
        })
        .collect();
    let mut decision = Decision {
        id,
        case: case.key.clone(),
        session_number: case.session_number,
        kind: case.kind,
        disposition,
        judgements,
        reason: desk.reason,
        comment: desk.comment.clone(),
        target,
        reviewer: model.settings.reviewer.clone(),
        seen_status: case.status.clone(),
        at,
        receipt: receipt(model, desk, at),
        replaces: desk.replaces,
        answers: row.proposal.as_ref().map(|proposal| proposal.id),
        evidence: Vec::new(),
        workflow: model.desk_details().and_then(|details| details.workflow.clone()),
        signature: None,
    };
    if decision.is_proposal() {
        decision.evidence = case.candidates.clone();
    }
    Some(decision)
}

fn receipt(model: &Model, desk: &Desk, at: Millis) -> Receipt {
    let Some((painted, since)) = &desk.painted else { return Receipt::default() };
    let seen = |side, at: usize| match model.picture(&desk.key, side) {
        PictureState::Ready { sha256, .. } => Some(SeenPicture {
            sha256: sha256.clone(),
            cells: painted.cells[at],
            tier: painted.tiers[at].map(str::to_owned),
            portrait: model.is_portrait(&desk.key, side),
        }),
        _ => None,
    };
    Receipt {
        pictures: desk
            .sides()
            .into_iter()
            .enumerate()
            .filter_map(|(at, side)| seen(side, at))
            .collect(),
        protocol: painted.protocol.clone(),
        eye_pixels: painted.eye_pixels.iter().flatten().copied().collect(),
        zooms: desk.looks.1,
        flips: desk.looks.0,
        score_hidden: false,
        dwell_ms: at.since(*since),
    }
}

/// Notes a key's arrival; true when it is part of a burst.
pub fn burst(model: &mut Model, at: Millis, in_one_read: u32) -> bool {
    model.arrivals.push_back(at);
    while model.arrivals.len() > BURST_KEYS + 1 {
        model.arrivals.pop_front();
    }
    let many = model.arrivals.len() > BURST_KEYS
        && model.arrivals.front().is_some_and(|first| at.since(*first) <= BURST_MS);
    many || usize::try_from(in_one_read).unwrap_or(usize::MAX) > BURST_KEYS
}

/// A burst decides nothing: what its first keys had begun is taken back.
pub fn drop_burst(model: &mut Model, at: Millis) {
    model.restore_before_burst(at);
    model.say(Severity::Warn, "Too many keys at once (a paste?): nothing was decided.");
}
