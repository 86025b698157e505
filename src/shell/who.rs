//! Who this run of the program is: the person of the roster who can sign a fresh challenge with a key or a
//! certificate of theirs, now. What sshd says of a login (`SSH_USER_AUTH`) is a file that anybody may
//! name, and decides nothing.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::agent::{self, Agent, AgentError, Patience};
use crate::domain::{Clock, Decision, Millis, Origin, Reviewer, ReviewerId};
use crate::proof::{self, Signer};
use crate::roster::{
    CHALLENGE, DECISION, Missing, Person, ROSTER, Roster, Scope, Standing, challenge,
    decision_statement, needs_signature, statement,
};
use crate::store::audit::hash_of;
use crate::store::{self, Store};

/// Who a run is, by what, and what signs for them.
#[derive(Clone)]
pub struct Who {
    /// The person of the roster, else who the operating system says.
    pub reviewer: Reviewer,
    /// By what.
    pub standing: Standing,
    /// What signs for this person; nothing where nothing can.
    pub hand: Option<Hand>,
    /// Whether every decision has to be signed.
    pub every_decision: bool,
    /// Why nothing is decided and nothing sent here, if that is so: there should be a roster.
    pub stopped: Option<Missing>,
    /// Older identities whose work this person has now.
    pub adopted: Vec<ReviewerId>,
    /// What has to be told on every screen: a recovery of the last days.
    pub told: Option<String>,
}

/// Where the ssh-agent may be, as the environment says.
#[derive(Debug, Clone, Default)]
pub struct AgentAt {
    /// `SSH_AUTH_SOCK`.
    pub socket: Option<PathBuf>,
    /// `TMUX`: who attaches brings an agent of their own, which tmux knows of.
    pub tmux: Option<String>,
}

/// What signs for one person.
#[derive(Clone)]
pub struct Hand {
    agent: Agent,
    around: AgentAt,
    signer: Signer,
    scope: Scope,
    person: ReviewerId,
}

/// Looks who this run is.
///
/// # Errors
/// When the store cannot be read.
pub async fn who(
    store: &Arc<dyn Store>,
    origin: &Origin,
    system: &Reviewer,
    around: &AgentAt,
    clock: &dyn Clock,
) -> store::Result<Who> {
    let (scope, roster) = roster(store, origin).await?;
    let now = clock.now();
    let told = roster.recovered(now).map(|person| {
        format!(
            "The roster was recovered by the store's owner, who made {person} an administrator."
        )
    });
    let every_decision = roster.require() == crate::roster::Require::EveryDecision;
    let run = |reviewer: Reviewer, standing, hand| {
        let adopted = roster.adopted_by(&reviewer.id);
        let stopped = roster.is_missing();
        Who { reviewer, standing, hand, every_decision, stopped, adopted, told: told.clone() }
    };
    let login = store.login().await?;
    // A server that tells reviewers from the owner takes what they write in the name of their role alone.
    let system = match &login.role {
        Some(role) if login.told => {
            &Reviewer { id: ReviewerId::of_role(role), name: system.name.clone() }
        }
        _ => system,
    };
    // Whom nothing proves bears no name but their id: Didit's console shows nothing else, and what a label
    // looks like there is nobody's to judge.
    let nameless = Reviewer { id: system.id.clone(), name: system.id.0.clone() };
    if let Some(missing) = roster.is_missing() {
        return Ok(run(nameless, Standing::Unproven { why: missing.to_string() }, None));
    }
    if !roster.is_begun() {
        return Ok(run(system.clone(), Standing::Alone, None));
    }
    let role = login.role.as_deref().and_then(|role| roster.person_of_role(role));
    let signed = match around.find().await {
        Ok(agent) => proven(&roster, &scope, (agent, around), system, now).await,
        Err(error) => Err(error.to_string()),
    };
    Ok(match (signed, role) {
        (Ok((person, _)), Some(role)) if person.id != role.id => {
            let why =
                format!("the database knows you as {}, the ssh-agent as {}", role.id, person.id);
            run(nameless, Standing::Unproven { why }, None)
        }
        (Ok((person, _)), None) if login.told => {
            let why = format!("your role in the database is none of {}'s", person.label);
            run(nameless, Standing::Unproven { why }, None)
        }
        (Ok((person, hand)), _) => {
            run(person.reviewer(), Standing::Person { signs: true }, Some(hand))
        }
        (Err(_), Some(person)) => run(person.reviewer(), Standing::Person { signs: false }, None),
        (Err(why), None) => run(nameless, Standing::Unproven { why }, None),
    })
}

/// The roster as it is now, and what signatures hold for.
///
/// # Errors
/// When the store cannot be read.
pub async fn roster(store: &Arc<dyn Store>, origin: &Origin) -> store::Result<(Scope, Roster)> {
    let scope = Scope::of(&store.salt().await?, origin);
    let roster = Roster::of(&scope, &store.acts(origin).await?);
    let roster = roster.beside(store.elsewhere(origin).await?);
    Ok((scope, roster))
}

/// The person whose key in the agent signs a fresh challenge.
async fn proven<'a>(
    roster: &'a Roster,
    scope: &Scope,
    (agent, around): (Agent, &AgentAt),
    system: &Reviewer,
    now: Millis,
) -> Result<(&'a Person, Hand), String> {
    let identities = agent.list().await.map_err(|error| error.to_string())?.usable;
    let theirs = |signer: Signer| roster.person_of(&signer, now).map(|person| (person, signer));
    let mut found: Vec<(&Person, Signer)> =
        identities.into_iter().filter_map(|identity| theirs(identity.signer)).collect();
    let mut people: Vec<_> = found.iter().map(|(person, _)| &person.id).collect();
    people.sort();
    people.dedup();
    if people.len() > 1 {
        // Two people in one agent are one who can be both, unless they say who they are.
        let named = |(person, _): &(&Person, Signer)| {
            person.id.as_str() == system.name || person.label == system.name
        };
        if !found.iter().any(named) {
            return Err("the ssh-agent holds keys of several people: set SECONDLOOK_REVIEWER to \
                        the one you are"
                .to_owned());
        }
        found.retain(named);
    }
    let text = challenge(scope, &host(), now, &Uuid::new_v4().to_string());
    let mut last = "the ssh-agent holds no key of anybody on the roster".to_owned();
    for (person, signer) in found {
        // What the agent answers has been checked to be this key's signature.
        match agent.sign(&signer, CHALLENGE, text.as_bytes()).await {
            Ok(_) => {
                let around = around.clone();
                let id = person.id.reviewer();
                let hand = Hand::with((agent, around), signer, scope.clone(), id);
                return Ok((person, hand));
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

impl AgentAt {
    /// An agent that answers: the one that is named, else the one that tmux knows of.
    async fn find(&self) -> Result<Agent, AgentError> {
        let again = async || agent::tmux_socket(self.tmux.as_deref()).await;
        agent::find(self.socket.as_deref(), Patience::default(), again).await
    }
}

/// This computer's name.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl Hand {
    /// A hand that signs with a given key of the agent: for the first administrator, who is on no roster yet.
    #[must_use]
    pub fn with(
        (agent, around): (Agent, AgentAt),
        signer: Signer,
        scope: Scope,
        person: ReviewerId,
    ) -> Self {
        Self { agent, around, signer, scope, person }
    }

    /// Signs a decision of this person's.
    ///
    /// # Errors
    /// In words, with what to do.
    pub async fn sign(&self, decision: &mut Decision) -> Result<(), String> {
        let record = serde_json::to_string(&*decision)
            .map_err(|_| "the decision cannot be written".to_owned())?;
        let text = decision_statement(&self.scope, decision, &hash_of(&record));
        decision.signature = Some(self.signature(DECISION, &text).await?);
        Ok(())
    }

    /// Signs a change of the roster.
    ///
    /// # Errors
    /// In words, with what to do.
    pub async fn sign_act(&self, act: &str, at: Millis) -> Result<String, String> {
        self.signature(ROSTER, &statement(&self.scope, at, act)).await
    }

    /// Signs a text. An agent that is gone, as after tmux was attached anew, is looked for again; whoever
    /// it is then, only this key's signature is taken.
    ///
    /// # Errors
    /// In words, with what to do.
    pub async fn signature(&self, namespace: &str, text: &str) -> Result<String, String> {
        let first = self.agent.sign(&self.signer, namespace, text.as_bytes()).await;
        let lost = matches!(
            first,
            Err(AgentError::NoAgent
                | AgentError::Unreachable(_)
                | AgentError::Locked
                | AgentError::Gone)
        );
        if !lost {
            return first.map_err(|error| error.to_string());
        }
        let agent = self.around.find().await.map_err(|error| error.to_string())?;
        let signature = agent.sign(&self.signer, namespace, text.as_bytes()).await;
        signature.map_err(|error| error.to_string())
    }
}

impl Who {
    /// Somebody who works alone: there is no roster.
    #[must_use]
    pub fn alone(reviewer: Reviewer) -> Self {
        let standing = Standing::Alone;
        let (hand, every_decision, stopped) = (None, false, None);
        let (adopted, told) = (Vec::new(), None);
        Self { reviewer, standing, hand, every_decision, stopped, adopted, told }
    }

    /// Signs a decision where that has to be. What has to be is the roster's word of this moment.
    ///
    /// # Errors
    /// Why it cannot be recorded, in words.
    pub async fn sign(
        &self,
        store: &Arc<dyn Store>,
        origin: &Origin,
        decision: &mut Decision,
        now: Millis,
    ) -> Result<(), String> {
        let words = |error: store::StoreError| error.to_string();
        let (_, roster) = roster(store, origin).await.map_err(words)?;
        if let Some(missing) = roster.is_missing() {
            return Err(missing.to_string());
        }
        if !roster.is_begun() {
            return Ok(());
        }
        let case = store.case(origin, &decision.case, now).await.map_err(words)?;
        // A case that is not there is refused by the store.
        let Some(case) = case else { return Ok(()) };
        if !needs_signature(&roster, decision, case.state) {
            return Ok(());
        }
        match &self.hand {
            Some(hand) if hand.person == decision.reviewer.id => hand.sign(decision).await,
            _ => Err(self.standing.cannot_be_second().unwrap_or_else(|| {
                "it has to be signed, and there is nothing to sign it with".to_owned()
            })),
        }
    }

    /// Why this run cannot decide at all, in words: there should be a roster, or every decision has to be signed
    /// and nothing can sign.
    #[must_use]
    pub fn cannot_decide(&self) -> Option<String> {
        if let Some(missing) = self.stopped {
            return Some(missing.to_string());
        }
        let cannot = self.standing.cannot_be_second()?;
        self.every_decision.then(|| format!("the team wants every decision signed, and {cannot}"))
    }
}

/// What the file says that `SSH_USER_AUTH` names: a hint, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// It is not set.
    None,
    /// It fits who this run is, or there is nobody to compare it with.
    Fits,
    /// It cannot be read: the login whose file it was has ended, or it is another user's.
    Gone(String),
    /// It is not a file of this user's.
    NotOurs(String),
    /// It names other keys than those of the person who signed.
    Contradicts(String),
}

/// Looks at the file that `SSH_USER_AUTH` names. It decides nothing.
#[must_use]
pub fn hint(path: Option<&str>, roster: &Roster, who: &Who, now: Millis) -> Hint {
    let Some(path) = path.map(Path::new) else { return Hint::None };
    let text = std::fs::metadata(path).and_then(|meta| {
        let ours = meta.uid() == rustix::process::getuid().as_raw();
        std::fs::read_to_string(path).map(|text| (ours, text))
    });
    let (ours, text) = match text {
        Ok(read) => read,
        Err(error) => {
            return Hint::Gone(format!(
                "SSH_USER_AUTH names a file that cannot be read ({}): the login it was made for has \
                 ended (a tmux or screen outlives it), or it is another user's",
                error.kind()
            ));
        }
    };
    if !ours {
        return Hint::NotOurs("SSH_USER_AUTH names a file that is not yours".to_owned());
    }
    let signers = proof::auth_info(&text);
    let Some(person) = roster.named(&who.reviewer.id) else { return Hint::Fits };
    let theirs = |signer: &Signer| roster.person_of(signer, now).is_some_and(|p| p.id == person.id);
    if signers.is_empty() || signers.iter().any(theirs) {
        return Hint::Fits;
    }
    Hint::Contradicts(format!(
        "SSH_USER_AUTH names a key that is none of {}'s, who signed: whose login is this?",
        person.label
    ))
}
