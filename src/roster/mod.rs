//! Who may review, propose and confirm: people with a short id and several proofs of who they are. The
//! roster is no table that somebody could change: it is what the acts of its administrators come to, read
//! in their order, each judged by the roster as it was then. Knows no store, no agent and no clock.

mod act;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use act::{Act, Beside, Enacted, Require, Scope, statement, text};
pub use standing::{
    CHALLENGE, DECISION, ROSTER, Standing, challenge, decision_statement, needs_signature,
    two_person,
};

use crate::domain::{Millis, Reviewer, ReviewerId, printable};
use crate::proof::{self, Proof, Signer};

/// How long a recovery is told on every screen, in milliseconds: seven days.
pub const TOLD_MS: i64 = 7 * 86_400_000;

/// The short id of a person: `ana`, `b.meyer`. 1 to 32 letters, digits, `.`, `-` or `_`, the first a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonId(String);

/// A text that cannot be a person's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a person's id is 1 to 32 lower-case letters, digits, '.', '-' or '_', and begins with a letter or a digit"
)]
pub struct BadPerson;

impl PersonId {
    /// Reads an id.
    ///
    /// # Errors
    /// [`BadPerson`] when it is none.
    pub fn parse(text: &str) -> Result<Self, BadPerson> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = text.len() <= 32
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|b| plain(b) || b"._-".contains(&b));
        if fits { Ok(Self(text.to_owned())) } else { Err(BadPerson) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identity that the person's work is kept under.
    #[must_use]
    pub fn reviewer(&self) -> ReviewerId {
        ReviewerId::of_person(&self.0)
    }
}

impl TryFrom<String> for PersonId {
    type Error = BadPerson;
    fn try_from(text: String) -> Result<Self, BadPerson> {
        Self::parse(&text)
    }
}

impl From<PersonId> for String {
    fn from(id: PersonId) -> Self {
        id.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody on the roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The short id.
    pub id: PersonId,
    /// What people call them.
    pub label: String,
    /// Whether they may change the roster.
    pub admin: bool,
    /// How they prove who they are.
    pub proofs: Vec<Proof>,
    /// Everybody who added them or one of their proofs: nobody whose proposals they may confirm.
    pub added_by: Vec<ReviewerId>,
    /// Whether they, or a proof of theirs, came with a recovery that nobody signed, and no administrator from
    /// before it has signed for them since: such a person is nobody's second.
    pub unvouched: bool,
}

impl Person {
    /// As decisions name them.
    #[must_use]
    pub fn reviewer(&self) -> Reviewer {
        Reviewer { id: self.id.reviewer(), name: self.label.clone() }
    }

    /// Whether a signature can prove them, as far as no key is revoked.
    fn can_sign(&self, revoked: &BTreeMap<String, Revoked>) -> bool {
        self.proofs.iter().any(|proof| match proof {
            Proof::Role(_) => false,
            Proof::Key(key) => !revoked.contains_key(&key.fingerprint()),
            Proof::Certificate { ca, .. } => !revoked.contains_key(&ca.fingerprint()),
        })
    }

    /// Whether a name is theirs as Didit's console shows it, whatever its case.
    fn is_called(&self, name: &str) -> bool {
        let name = as_label(name).to_lowercase();
        self.id.as_str() == name || self.label.to_lowercase() == name
    }
}

/// What the acts of a store come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    people: BTreeMap<PersonId, Person>,
    revoked: BTreeMap<String, Revoked>,
    adopted: BTreeMap<ReviewerId, ReviewerId>,
    require: Require,
    recovered: Option<(Millis, PersonId)>,
    /// Whether somebody from before a recovery was taken out by who came with it.
    cast_out: bool,
    /// Who had added those that were taken out: it is not forgotten when they come back.
    former: BTreeMap<PersonId, Vec<ReviewerId>>,
    /// What was signed already, and when: nothing is done twice by one signature.
    signed: BTreeSet<(Millis, String)>,
    /// Every name that anybody ever bore, in small letters: it stays theirs.
    borne: BTreeSet<(String, PersonId)>,
    /// Whose a role of the database ever was.
    roles: BTreeSet<(String, PersonId)>,
    begun: bool,
    /// Whether something was done to it that counts for nothing.
    tried: bool,
    /// Whether another key or address of the same store has one.
    elsewhere: bool,
}

/// Why nothing is decided or sent where there is no roster: there should be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The store has one for another key or another address of Didit.
    #[error(
        "this store has a roster for another key or address, and none for this one: its administrator runs \
         `secondlook store rebind` for a new key, or `secondlook reviewers add` for this one"
    )]
    Elsewhere,
    /// What was done to it counts for nothing: an owner did it whom this store cannot tell from reviewers.
    #[error(
        "this store holds a roster that counts for nothing here (`secondlook audit verify` says why): on a server \
         its owner runs `secondlook store init --roles`; in a file `secondlook reviewers add` begins one"
    )]
    Uncounted,
}

/// From when on a key proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Revoked {
    since: Millis,
    /// When that was said, the earliest time: what is entered after it comes after it, whatever time it bears.
    said: Millis,
}

/// The roster after each of its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rosters(Vec<(u64, Roster)>);

impl Rosters {
    /// The roster after each act.
    #[must_use]
    pub fn of(scope: &Scope, acts: &[Enacted]) -> Self {
        Self::with_findings(scope, acts).0
    }

    /// The same, with what is wrong with any act, by its place.
    #[must_use]
    pub fn with_findings(scope: &Scope, acts: &[Enacted]) -> (Self, Vec<(u64, NotEnacted)>) {
        let (mut roster, mut findings) = (Roster::default(), Vec::new());
        let mut all = vec![(0, roster.clone())];
        for enacted in acts {
            match roster.judge(scope, enacted) {
                Ok(act) => {
                    roster.apply(act, enacted);
                    all.push((enacted.seq, roster.clone()));
                }
                Err(why) => {
                    findings.push((enacted.seq, why));
                    if !roster.begun && !roster.tried && begins(&enacted.act) {
                        roster.tried = true;
                        all.push((enacted.seq, roster.clone()));
                    }
                }
            }
        }
        (Self(all), findings)
    }

    /// Beside what other keys and addresses of the same store have.
    #[must_use]
    pub fn beside(mut self, elsewhere: bool) -> Self {
        if let Some((_, now)) = self.0.last_mut() {
            now.elsewhere = elsewhere;
        }
        self
    }

    /// The roster as it was before a place of the audit.
    #[must_use]
    pub fn before(&self, seq: u64) -> &Roster {
        let after = self.0.partition_point(|(at, _)| *at < seq.max(1));
        &self.0[after.saturating_sub(1)].1
    }

    /// Whether somebody bore a name at any time before a place of the audit: a run may be older than its change.
    #[must_use]
    pub fn was_called(&self, id: &ReviewerId, name: &str, seq: u64) -> bool {
        let then = self.0.iter().take_while(|(at, _)| *at < seq);
        then.filter_map(|(_, roster)| roster.named(id)).any(|person| person.label == name)
    }

    /// The roster as it is now.
    #[must_use]
    pub fn now(&self) -> &Roster {
        self.before(u64::MAX)
    }
}

/// Whether a text is an act by which a roster begins: every one but to hand over what an identity held.
#[must_use]
pub fn begins(act: &str) -> bool {
    !matches!(serde_json::from_str(act), Ok(Act::Adopt { .. }))
}

/// Why an act is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEnacted {
    /// It is not signed, and nobody unsigned may do it.
    #[error("a change of the roster is signed by an administrator")]
    Unsigned,
    /// The signature is none of it.
    #[error("the signature is none of this change: {0}")]
    BadSignature(String),
    /// Who signed is no administrator.
    #[error("{0} is no administrator of the roster")]
    NotAdmin(String),
    /// Who is named is not who signed.
    #[error("{0} did not sign it")]
    Another(ReviewerId),
    /// The first person adds themselves, as an administrator, with the proof they sign with.
    #[error(
        "the first on the roster is an administrator who adds themselves, with the key they sign with"
    )]
    First,
    /// The last administrator, or their last proof, stays.
    #[error("{0} is the last administrator who can prove who they are")]
    LastAdmin(PersonId),
    /// A proof is somebody else's already.
    #[error("that proof is {0}'s already")]
    Shared(PersonId),
    /// A name is somebody else's: a comment at Didit could not tell them.
    #[error("{0} is called that already, and comments at Didit could not tell them apart")]
    SameName(PersonId),
    /// A name was somebody else's: what is recorded under it is theirs.
    #[error("{0} was called that once, and comments at Didit could not tell them apart")]
    OnceNamed(PersonId),
    /// A key that was revoked proves nothing to anybody.
    #[error("{0} was revoked, and what it signs proves nothing")]
    Revoked(String),
    /// There is nobody of that name, or not that proof.
    #[error("there is no {0} on the roster")]
    Nobody(String),
    /// It changes nothing.
    #[error("that is so already")]
    Nothing,
    /// It is only the owner's.
    #[error("only the owner of the store does that")]
    NotOwner,
    /// The audit says nothing of it.
    #[error("it has no entry in the audit")]
    NotEntered,
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable,
}

impl Roster {
    /// What the acts come to. Those that were not allowed when they were done change nothing.
    #[must_use]
    pub fn of(scope: &Scope, acts: &[Enacted]) -> Self {
        Rosters::of(scope, acts).0.pop().map(|(_, roster)| roster).unwrap_or_default()
    }

    /// Whether an act may be done now; what it is then.
    ///
    /// # Errors
    /// [`NotEnacted`].
    pub fn judge(&self, scope: &Scope, enacted: &Enacted) -> Result<Act, NotEnacted> {
        let act: Act = serde_json::from_str(&enacted.act).map_err(|_| NotEnacted::Unreadable)?;
        if !enacted.entered {
            return Err(NotEnacted::NotEntered);
        }
        if self.signed.contains(&(enacted.at, enacted.act.clone())) {
            return Err(NotEnacted::Nothing);
        }
        let Some(signature) = &enacted.signature else {
            let owners = enacted.owned || matches!(act, Act::Recover { .. });
            // Without a roster there is nobody to adopt from but other identities of the one person there is.
            let early = !self.begun
                && !self.tried
                && matches!(&act, Act::Adopt { from, .. } if from.person().is_none());
            if !owners && !early {
                return Err(NotEnacted::Unsigned);
            }
            self.is_possible(&act)?;
            return Ok(act);
        };
        let text = statement(scope, enacted.at, &enacted.act);
        let signer = proof::verify(text.as_bytes(), signature, ROSTER)
            .map_err(|why| NotEnacted::BadSignature(why.to_string()))?;
        let Some(admin) = self.person_of(&signer, enacted.at) else {
            return self.first(act, &signer, enacted);
        };
        if !admin.admin {
            return Err(NotEnacted::NotAdmin(admin.id.to_string()));
        }
        if enacted.by != admin.id.reviewer() {
            return Err(NotEnacted::Another(enacted.by.clone()));
        }
        if matches!(act, Act::Recover { .. }) {
            return Err(NotEnacted::NotOwner);
        }
        self.is_possible(&act)?;
        Ok(act)
    }

    /// The first act: somebody adds themselves, and signs with what they add.
    fn first(&self, act: Act, signer: &Signer, enacted: &Enacted) -> Result<Act, NotEnacted> {
        if self.begun {
            return Err(NotEnacted::NotAdmin(signer.key().fingerprint()));
        }
        let Act::Add { person, admin: Some(true), proofs, .. } = &act else {
            return Err(NotEnacted::First);
        };
        let theirs = proofs.iter().any(|proof| signer.satisfies(proof, enacted.at).is_ok());
        if !theirs || enacted.by != person.reviewer() {
            return Err(NotEnacted::First);
        }
        self.is_possible(&act)?;
        Ok(act)
    }

    /// Whether an act makes sense on this roster, whoever does it.
    fn is_possible(&self, act: &Act) -> Result<(), NotEnacted> {
        match act {
            Act::Add { person, label, admin, proofs } => {
                self.is_free(person, proofs)?;
                let known = self.people.get(person);
                if known.is_none() && proofs.is_empty() {
                    return Err(NotEnacted::Nobody(person.to_string()));
                }
                let same = known.is_some_and(|known| {
                    proofs.iter().all(|proof| known.proofs.contains(proof))
                        && label.as_ref().is_none_or(|label| *label == known.label)
                        && admin.is_none_or(|admin| admin == known.admin)
                });
                if same && !known.is_some_and(|known| known.unvouched) {
                    return Err(NotEnacted::Nothing);
                }
                self.keeps_an_admin(act)
            }
            Act::Remove { person, proof } => {
                let known = self.people.get(person);
                let known = known.ok_or_else(|| NotEnacted::Nobody(person.to_string()))?;
                if proof.as_ref().is_some_and(|proof| !known.proofs.contains(proof)) {
                    return Err(NotEnacted::Nobody(format!("such proof of {person}")));
                }
                self.keeps_an_admin(act)
            }
            Act::Recover { person, proofs } => {
                self.is_free(person, proofs)?;
                let can_sign = proofs.iter().any(|proof| !matches!(proof, Proof::Role(_)));
                if can_sign { Ok(()) } else { Err(NotEnacted::LastAdmin(person.clone())) }
            }
            Act::Revoke { key, since } => match self.revoked.get(key) {
                Some(known) if known.since <= *since => Err(NotEnacted::Nothing),
                _ => self.keeps_an_admin(act),
            },
            Act::Adopt { from, to } => {
                if from == to || self.adopted.get(from) == Some(to) {
                    return Err(NotEnacted::Nothing);
                }
                // Once there is a roster, only a person of it is handed anything.
                let known = if self.begun || to.person().is_some() {
                    self.named(to).is_some()
                } else {
                    true
                };
                if known { Ok(()) } else { Err(NotEnacted::Nobody(to.to_string())) }
            }
            Act::Policy { require } if *require == self.require && self.begun => {
                Err(NotEnacted::Nothing)
            }
            Act::Policy { .. } => Ok(()),
        }
    }

    /// Two people never share a proof.
    fn is_free(&self, person: &PersonId, proofs: &[Proof]) -> Result<(), NotEnacted> {
        let other = self.people.values().find(|other| {
            other.id != *person && proofs.iter().any(|proof| other.proofs.contains(proof))
        });
        other.map_or(Ok(()), |other| Err(NotEnacted::Shared(other.id.clone())))
    }

    /// After an act there is somebody left who can change the roster, once there was.
    fn keeps_an_admin(&self, act: &Act) -> Result<(), NotEnacted> {
        let can_act = |roster: &Self| {
            let mut admins = roster.people.values().filter(|p| p.admin);
            admins.find(|p| p.can_sign(&roster.revoked)).map(|p| p.id.clone())
        };
        let Some(last) = can_act(self) else { return Ok(()) };
        let mut after = self.clone();
        let seen = Enacted {
            seq: 0,
            at: Millis(0),
            not_before: Millis(0),
            by: last.reviewer(),
            act: String::new(),
            signature: None,
            owned: false,
            entered: true,
        };
        after.apply(act.clone(), &seen);
        if can_act(&after).is_none() { Err(NotEnacted::LastAdmin(last)) } else { Ok(()) }
    }

    fn apply(&mut self, act: Act, enacted: &Enacted) {
        let begins = !self.begun && !matches!(act, Act::Adopt { .. });
        if begins {
            self.begun = true;
            // What somebody handed to themselves before anybody had to prove anything ends here.
            self.adopted.retain(|_, to| to.person().is_some());
        }
        let beside = Beside::of(&enacted.act);
        let by = (&enacted.by, beside.hand.as_ref());
        // Who came with a recovery passes on no more than they have.
        let by_unvouched = self.named(&enacted.by).is_some_and(|person| person.unvouched);
        if enacted.signature.is_some() {
            self.signed.insert((enacted.at, enacted.act.clone()));
        }
        match act {
            Act::Add { person, label, admin, proofs } => {
                let known = self.people.get(&person).map(|known| known.proofs.clone());
                let adds = known.is_none_or(|known| proofs.iter().any(|p| !known.contains(p)));
                let person = self.put(person, label, admin, proofs, by);
                person.unvouched = by_unvouched && (adds || person.unvouched);
            }
            Act::Recover { person, proofs } => {
                let at = enacted.at.max(enacted.not_before);
                self.recovered = Some((at, person.clone()));
                // Where somebody is left from before it, they say whether it was right.
                let left = self.people.values().any(|p| p.id != person && !p.unvouched);
                let asks = beside.unvouched || !enacted.owned;
                let unvouched = asks && (left || self.cast_out);
                self.put(person, None, Some(true), proofs, by).unvouched |= unvouched;
            }
            Act::Remove { person, proof: None } => {
                if let Some(gone) = self.people.remove(&person) {
                    self.cast_out |= by_unvouched && !gone.unvouched;
                    self.former.insert(person, gone.added_by);
                }
            }
            Act::Remove { person, proof: Some(proof) } => {
                if let Some(known) = self.people.get_mut(&person) {
                    known.proofs.retain(|other| *other != proof);
                }
            }
            Act::Revoke { key, since } => {
                let said = enacted.at;
                let known = self.revoked.entry(key).or_insert(Revoked { since, said });
                known.since = since.min(known.since);
            }
            Act::Adopt { from, to } => {
                self.adopted.insert(from, to);
            }
            Act::Policy { require } => self.require = require,
        }
    }

    fn put(
        &mut self,
        id: PersonId,
        label: Option<String>,
        admin: Option<bool>,
        proofs: Vec<Proof>,
        (by, hand): (&ReviewerId, Option<&PersonId>),
    ) -> &mut Person {
        let added_by = self.former.remove(&id).unwrap_or_default();
        let label = label.as_deref().map(as_label);
        let called = label.iter().map(|label| label.to_lowercase());
        for name in called.chain([id.to_string()]) {
            self.borne.insert((name, id.clone()));
        }
        for proof in &proofs {
            if let Proof::Role(role) = proof {
                self.roles.insert((role.clone(), id.clone()));
            }
        }
        let person = self.people.entry(id.clone()).or_insert_with(|| Person {
            label: id.to_string(),
            id,
            admin: false,
            proofs: Vec::new(),
            added_by,
            unvouched: false,
        });
        if let Some(label) = label {
            person.label = label;
        }
        person.admin = admin.unwrap_or(person.admin);
        let adds = !proofs.iter().all(|proof| person.proofs.contains(proof));
        for proof in proofs {
            if !person.proofs.contains(&proof) {
                person.proofs.push(proof);
            }
        }
        let hands = std::iter::once(by.clone()).chain(hand.map(PersonId::reviewer));
        for by in hands.filter(|_| adds) {
            if by != person.id.reviewer() && !person.added_by.contains(&by) {
                person.added_by.push(by);
            }
        }
        person
    }

    /// Whether there is a roster: nobody works as a second person without one.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.begun
    }

    /// The same beside what other keys and addresses of the same store have.
    #[must_use]
    pub fn beside(mut self, elsewhere: bool) -> Self {
        self.elsewhere = elsewhere;
        self
    }

    /// Why nothing is decided or sent, where there is no roster and there should be one.
    #[must_use]
    pub fn is_missing(&self) -> Option<Missing> {
        match (self.begun, self.tried, self.elsewhere) {
            (true, _, _) | (false, false, false) => None,
            (false, true, _) => Some(Missing::Uncounted),
            (false, false, true) => Some(Missing::Elsewhere),
        }
    }

    /// Everybody, by their ids.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// One of them.
    #[must_use]
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|(known, _)| known.as_str() == id).map(|(_, person)| person)
    }

    /// Whom an identity names, if a person of the roster.
    #[must_use]
    pub fn named(&self, id: &ReviewerId) -> Option<&Person> {
        self.person(id.person()?)
    }

    /// Who signed, if a person of the roster with a proof that held at that moment.
    #[must_use]
    pub fn person_of(&self, signer: &Signer, at: Millis) -> Option<&Person> {
        if self
            .is_revoked_by(signer, |revoked| at >= revoked.since || revoked.since <= revoked.said)
        {
            return None;
        }
        self.people
            .values()
            .find(|person| person.proofs.iter().any(|proof| signer.satisfies(proof, at).is_ok()))
    }

    /// Whether what somebody signed at that moment proves nothing, because the key was revoked for it later.
    #[must_use]
    pub fn is_revoked(&self, signer: &Signer, at: Millis) -> bool {
        self.is_revoked_by(signer, |revoked| at >= revoked.since)
    }

    fn is_revoked_by(&self, signer: &Signer, dead: impl Fn(&Revoked) -> bool) -> bool {
        let revoked = |key: String| self.revoked.get(&key).is_some_and(&dead);
        let ca = match signer {
            Signer::Certificate(certificate) => Some(certificate.ca().fingerprint()),
            Signer::Key(_) => None,
        };
        std::iter::once(signer.key().fingerprint()).chain(ca).any(revoked)
    }

    /// Who logs into the database by that role.
    #[must_use]
    pub fn person_of_role(&self, role: &str) -> Option<&Person> {
        let is_theirs = |proof: &Proof| matches!(proof, Proof::Role(known) if known == role);
        self.people.values().find(|person| person.proofs.iter().any(is_theirs))
    }

    /// Who is called that, if anybody.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<&Person> {
        self.people.values().find(|person| person.is_called(name))
    }

    /// Why an act is refused today, although it would count for what it says where it was done already: it
    /// gives somebody a name that is or was another's, or a key that proves nothing any more.
    ///
    /// # Errors
    /// [`NotEnacted::SameName`], [`NotEnacted::OnceNamed`] and [`NotEnacted::Revoked`].
    pub fn is_clear(&self, act: &str) -> Result<(), NotEnacted> {
        let act: Act = serde_json::from_str(act).map_err(|_| NotEnacted::Unreadable)?;
        let (person, label, proofs) = match &act {
            Act::Add { person, label, proofs, .. } => (person, label.as_deref(), proofs),
            Act::Recover { person, proofs } => (person, None, proofs),
            _ => return Ok(()),
        };
        let dead = |key: String| self.revoked.contains_key(&key).then_some(key);
        let dead = proofs.iter().find_map(|proof| match proof {
            Proof::Key(key) => dead(key.fingerprint()),
            Proof::Certificate { ca, .. } => dead(ca.fingerprint()),
            Proof::Role(_) => None,
        });
        if let Some(key) = dead {
            return Err(NotEnacted::Revoked(key));
        }
        // A label that reads like an identity is that identity's.
        let bare = |label: &str| {
            let label = as_label(label).to_lowercase();
            label.strip_prefix("person:").unwrap_or(&label).to_owned()
        };
        let names: Vec<_> = label.map(bare).into_iter().chain([person.to_string()]).collect();
        let others = || self.people.values().filter(|other| other.id != *person);
        if let Some(other) = others().find(|other| names.iter().any(|name| other.is_called(name))) {
            return Err(NotEnacted::SameName(other.id.clone()));
        }
        let once = self.borne.iter().find(|(name, of)| of != person && names.contains(name));
        once.map_or(Ok(()), |(_, of)| Err(NotEnacted::OnceNamed(of.clone())))
    }

    /// Why somebody counts as nobody's second person, if they do not.
    #[must_use]
    pub fn is_nobodys_second(&self, who: &ReviewerId) -> Option<String> {
        let Some(person) = self.named(who) else {
            return Some(format!("{who} is nobody of the roster"));
        };
        person.unvouched.then(|| {
            format!(
                "{} came with a recovery by the store's owner: an administrator from before it has to \
                 sign for them (`secondlook reviewers add {}`)",
                person.label, person.id
            )
        })
    }

    /// What has to be signed.
    #[must_use]
    pub fn require(&self) -> Require {
        self.require
    }

    /// Whose work was handed over, and to whom.
    pub fn adoptions(&self) -> impl Iterator<Item = (&ReviewerId, &ReviewerId)> {
        self.adopted.iter()
    }

    /// Identities whose work somebody has now.
    #[must_use]
    pub fn adopted_by(&self, who: &ReviewerId) -> Vec<ReviewerId> {
        let theirs = self.adopted.iter().filter(|(_, to)| *to == who);
        theirs.map(|(from, _)| from.clone()).collect()
    }

    /// The last recovery, while it is to be told.
    #[must_use]
    pub fn recovered(&self, now: Millis) -> Option<&PersonId> {
        self.recovered.as_ref().filter(|(at, _)| now.since(*at) < TOLD_MS).map(|(_, who)| who)
    }

    /// Why somebody may not confirm what another proposed, if they may not.
    #[must_use]
    pub fn may_not_confirm(&self, who: &ReviewerId, proposer: &ReviewerId) -> Option<String> {
        let Some(person) = self.named(who) else {
            return Some(format!("{who} is nobody of the roster"));
        };
        if let Some(why) = self.is_nobodys_second(who) {
            return Some(why);
        }
        if self.named(proposer).is_some()
            && let Some(why) = self.is_nobodys_second(proposer)
        {
            return Some(why);
        }
        if proposer.person().is_none() {
            return Some(
                "it was proposed before there was a roster, by somebody whom nothing proves; decline \
                 it and propose anew"
                    .to_owned(),
            );
        }
        if who == proposer || self.adopted.get(proposer) == Some(who) {
            return Some(
                "a second person confirms, and this is the one who proposed it".to_owned(),
            );
        }
        self.were_added_by(person)
            .contains(proposer)
            .then(|| format!("{} was put on the roster by who proposed it", person.label))
    }

    /// Everybody who added somebody, or added who added them, and so on; with a role of the database whosever it
    /// is or was. Nobody confirms what one of these proposed.
    #[must_use]
    pub fn were_added_by(&self, person: &Person) -> Vec<ReviewerId> {
        let mut found = person.added_by.clone();
        let mut next = 0;
        while let Some(by) = found.get(next).cloned() {
            let gone = by.person().and_then(|id| {
                self.former.iter().find(|(known, _)| known.as_str() == id).map(|(_, by)| by)
            });
            let known = self.named(&by).map(|person| &person.added_by).or(gone);
            let role = by.role();
            let theirs = self.roles.iter().filter(|(known, _)| role == Some(known.as_str()));
            let theirs = theirs.map(|(_, of)| of.reviewer());
            for other in known.into_iter().flatten().cloned().chain(theirs) {
                if other != person.id.reviewer() && !found.contains(&other) {
                    found.push(other);
                }
            }
            next += 1;
        }
        found
    }
}

/// A label as it is kept: one word, so that it stands in a comment as one.
fn as_label(label: &str) -> String {
    printable(label, 40).replace(char::is_whitespace, "_")
}
