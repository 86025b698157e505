//! Where a roster counts, and where there should be one: other keys and addresses of the same store, copies, what the
//! owner of a server does, and what was done before it began.

use secondlook::domain::Origin;
use secondlook::sim::{Limits, Options, Sim};
use secondlook::store;
use serde_json::Value;

use crate::audit::behind;
use crate::crash::{Rig, Way};
use crate::people::Person;
use crate::postgres::Cluster;
use crate::roster::{no, ok, rig, rostered, store_of, target, writes};
use crate::terminal::{Home, Ran, world};

/// A held decision stays so for as long as a test takes.
fn holds(rig: &Rig) {
    let config = rig.folder.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("undo_seconds = 0", "undo_seconds = 300")).unwrap();
}

fn me() -> String {
    format!("os:{}", rustix::process::getuid().as_raw())
}

/// Another spelling of Didit's address, in somebody's environment without an agent.
fn alias(rig: &Rig) -> Vec<(String, String)> {
    let url = rig.sim.base_url().replace("127.0.0.1", "localhost");
    assert_ne!(url, rig.sim.base_url());
    vec![("DIDIT_BASE_URL".to_owned(), url), ("SECONDLOOK_REVIEWER".to_owned(), "Eva".to_owned())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_of_didit_is_no_place_without_a_roster() {
    let Some((mut rig, people)) = rig(&[Way::Approve, Way::Reject], &["chief", "eva"]).await else {
        return;
    };
    holds(&rig);
    // Decided there before there was any roster: nothing is wrong with it.
    rig.env = alias(&rig);
    ok(&rig, &["sync"]).await;
    ok(&rig, &["decide", "1002", "reject"]).await;
    rig.env = people[0].env();
    ok(&rig, &["reviewers", "add", "chief", "--key", &people[0].key()]).await;
    ok(&rig, &["reviewers", "add", "eva", "--label", "Eva", "--key", &people[1].key()]).await;
    for env in [alias(&rig), [alias(&rig), people[1].env()].concat()] {
        rig.env = env;
        let word = "this store has a roster for another key or address";
        no(&rig, &["decide", "1001", "approve"], 4, word).await;
        no(&rig, &["outbox", "flush"], 4, word).await;
        no(&rig, &["reviewers", "adopt", "os:424242", &me()], 4, word).await;
        let (_, _, said) = rig.run_aloud(&["reviewers", "list"]).await;
        assert!(said.contains(word), "{said}");
        let (_, doctor) = rig.run(&["doctor"]).await;
        assert!(doctor.contains(word), "{doctor}");
        let (code, out) = rig.run(&["audit", "verify"]).await;
        assert!(code == Some(1) && out.contains(word) && out.lines().count() == 1, "{out}");
    }
    // Nor does any console send it.
    let store = store::open(&store_of(&rig)).await.unwrap();
    let other = |origin: &Origin| origin.0.contains("localhost");
    let origin = store.origins().await.unwrap().into_iter().find(other).unwrap();
    let held = store.kept(&origin, 0, 1).await.unwrap().remove(0).decision().unwrap();
    let evidence = store.evidence(&origin, held.id).await.unwrap().unwrap();
    assert!(evidence.stands().unwrap_err().contains("a roster for another key or address"));
    // Nor is anything recorded behind the program's back that the store is asked to.
    let holder = store::Holder {
        reviewer: held.reviewer.clone(),
        worker: secondlook::domain::WorkerId("w".to_owned()),
    };
    let now = held.at;
    let open = store::QueueQuery {
        states: vec![secondlook::domain::CaseState::Open],
        filter: String::new(),
        from: secondlook::domain::Start::Front,
        limit: 1,
    };
    let key = store.queue(&origin, &open, now).await.unwrap().rows[0].case.key.clone();
    let leased = store.lease(&origin, &key, &holder, now, 60_000).await.unwrap();
    let store::LeaseAnswer::Yours(lease) = leased else { panic!("{leased:?}") };
    let again = secondlook::domain::Decision {
        id: secondlook::domain::DecisionId(uuid::Uuid::now_v7()),
        case: key,
        ..held
    };
    let answer = store.decide(&lease, &again, now, now).await;
    assert!(matches!(answer, Err(store::StoreError::NoRoster(_))), "{answer:?}");
    store.close().await;
    assert_eq!(writes(&rig), 0);
    // With a roster of its own it goes on: what was decided before it leaves.
    rig.env = [alias(&rig), people[0].env()].concat();
    ok(&rig, &["reviewers", "add", "chief", "--key", &people[0].key()]).await;
    ok(&rig, &["reviewers", "adopt", &me(), "chief"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// What happens by accident: the key is a new one, and nobody has rebound the store yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_decides_nothing_until_the_store_is_rebound() {
    let ways = [Way::Approve, Way::Reject];
    let Some((mut rig, people)) = rostered(&ways, &["chief", "ana"]).await else { return };
    holds(&rig);
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "approve"]).await;
    let old = "UPDATE origins SET name = substr(name, 1, instr(name, '#')) || '000000000000'";
    assert!(behind(&store_of(&rig), old).await);
    ok(&rig, &["sync"]).await;
    no(&rig, &["decide", "1002", "reject"], 4, "secondlook store rebind").await;
    rig.env = people[0].env();
    ok(&rig, &["store", "rebind"]).await;
    rig.env = people[1].env();
    ok(&rig, &["decide", "1002", "reject"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 2);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// Acts that count for nothing, as in a file into which a server's store was carried by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roster_that_counts_for_nothing_is_not_no_roster() {
    let ways = [Way::Approve, Way::Reject];
    let Some((mut rig, people)) = rostered(&ways, &["chief", "eva"]).await else { return };
    holds(&rig);
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "approve"]).await;
    let unsigned = "DROP TRIGGER acts_stay; UPDATE acts SET signature = NULL";
    assert!(behind(&store_of(&rig), unsigned).await);
    rig.env = vec![("SECONDLOOK_REVIEWER".to_owned(), "eva".to_owned())];
    let word = "holds a roster that counts for nothing here";
    no(&rig, &["decide", "1002", "reject"], 4, word).await;
    no(&rig, &["reviewers", "adopt", "person:eva", &me()], 4, word).await;
    no(&rig, &["outbox", "flush"], 4, word).await;
    let (code, out) = rig.run(&["audit", "verify"]).await;
    assert!(code == Some(1) && out.contains("counts for nothing: a change of the roster"), "{out}");
    // Begun anew by somebody, it sends nothing of what the old one held.
    let Some(mallory) = Person::new("mallory") else { return };
    rig.env = mallory.env();
    ok(&rig, &["reviewers", "add", "eva", "--key", &mallory.key()]).await;
    rig.run(&["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 0);
    let shown = ok(&rig, &["history", "--json"]).await;
    assert!(shown.contains("not sent: "), "{shown}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_adopted_before_the_roster_that_counts_after_it() {
    let Some((mut rig, people)) = rig(&[Way::Reject], &["chief", "eva"]).await else { return };
    holds(&rig);
    let nobody = rig.env.clone();
    no(&rig, &["reviewers", "adopt", "person:eva", &me()], 3, "is nobody yet").await;
    let store = store::open(&store_of(&rig)).await.unwrap();
    let origin = store.origins().await.unwrap().remove(0);
    let act = store::NewAct {
        by: secondlook::domain::ReviewerId(me()),
        act: format!(r#"{{"act":"adopt","from":"person:eva","to":"{}"}}"#, me()),
        signature: None,
    };
    let answer = store.enact(&origin, &act, secondlook::domain::Millis(1)).await;
    assert!(matches!(answer, Err(store::StoreError::NotEnacted(_))), "{answer:?}");
    store.close().await;
    ok(&rig, &["reviewers", "adopt", "os:424242", &me()]).await;
    let list = ok(&rig, &["reviewers", "list"]).await;
    assert!(list.contains(&format!("{} has what os:424242 held", me())), "{list}");
    rig.env = people[0].env();
    ok(&rig, &["reviewers", "add", "chief", "--key", &people[0].key()]).await;
    ok(&rig, &["reviewers", "add", "eva", "--key", &people[1].key()]).await;
    // What was handed to an identity that nothing proves has ended; an administrator hands it over anew.
    let list = ok(&rig, &["reviewers", "list"]).await;
    assert!(!list.contains("held"), "{list}");
    ok(&rig, &["reviewers", "adopt", "os:424242", "eva"]).await;
    for words in [&["reviewers", "list"][..], &["reviewers", "show", "eva"]] {
        let shown = ok(&rig, words).await;
        assert!(shown.contains("has what os:424242 held"), "{shown}");
    }
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "reject"]).await;
    rig.env = nobody;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 0);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// What was recorded under a name stays that person's, and no label reads like another's id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_stays_with_whoever_bore_it() {
    let Some((mut rig, people)) = rostered(&[Way::Approve], &["chief", "karin"]).await else {
        return;
    };
    let Some(other) = Person::new("other") else { return };
    ok(&rig, &["reviewers", "add", "karin", "--label", "Karin_Old"]).await;
    let key = other.key();
    for (label, word) in [
        ("Karin", "karin is called that already"),
        ("karin_old", "karin is called that already"),
        ("person:karin", "karin is called that already"),
    ] {
        no(&rig, &["reviewers", "add", "q2", "--label", label, "--key", &key], 4, word).await;
    }
    ok(&rig, &["reviewers", "add", "karin", "--label", "Karin_New"]).await;
    ok(&rig, &["reviewers", "remove", "karin"]).await;
    for label in ["karin", "Karin_Old", "Karin_New"] {
        let add = ["reviewers", "add", "q2", "--label", label, "--key", &key];
        no(&rig, &add, 4, "karin was called that once").await;
    }
    // Who comes back has their own again.
    ok(&rig, &["reviewers", "add", "karin", "--label", "Karin_Old", "--key", &people[1].key()])
        .await;
    // And whom nothing proves bears their id, whatever they say.
    rig.env = vec![("SECONDLOOK_REVIEWER".to_owned(), "Kаrin_Old".to_owned())];
    ok(&rig, &["decide", "1001", "approve"]).await;
    let shown = ok(&rig, &["history", "--json"]).await;
    assert!(shown.contains(&format!("\"reviewer\":\"{}\"", me())), "{shown}");
    rig.sim.shutdown().await;
}

/// An administrator takes a confirmation back: what it answered waits again, for somebody to answer it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_confirmation_leaves_its_proposal_waiting() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    holds(&rig);
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    for who in [1, 2] {
        rig.env = people[who].env();
        ok(&rig, &blocklist).await;
    }
    rig.env = people[0].env();
    ok(&rig, &["outbox", "release", "--of", "eva"]).await;
    let shown = ok(&rig, &["history", "--json"]).await;
    assert!(shown.contains("\"state\":\"proposed\""), "{shown}");
    assert!(!shown.contains("confirmed by"), "{shown}");
    rig.env = people[2].env();
    ok(&rig, &blocklist).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 2);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// Numbers in the store are notes of what Didit said once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_another_sessions_decides_nothing() {
    let ways = [Way::Reject, Way::Approve];
    let Some((rig, _people)) = rostered(&ways, &["ana", "ben"]).await else { return };
    let swapped = "UPDATE cases SET session_number = CASE session_number WHEN '1001' THEN '1002' ELSE '1001' END, \
                   record = CASE session_number WHEN '1001' THEN replace(record, '\"session_number\":1001,', \
                   '\"session_number\":1002,') ELSE replace(record, '\"session_number\":1002,', \
                   '\"session_number\":1001,') END";
    assert!(behind(&store_of(&rig), swapped).await);
    let word = "the store has session #1002 under number 1001";
    no(&rig, &["decide", "1001", "reject"], 6, word).await;
    assert_eq!(ok(&rig, &["history", "--json"]).await, "");
    rig.sim.shutdown().await;
}

/// A server with roles, its owner with somebody's agent, and people with logins of their own.
struct Server {
    sim: Sim,
    url: String,
    cluster: Cluster,
    people: Vec<Person>,
}

impl Server {
    async fn new(names: &[&str]) -> Option<Self> {
        let cluster = Cluster::start()?;
        let people = names.iter().map(|name| Person::new(name)).collect::<Option<Vec<_>>>()?;
        let options = Options { limits: Limits::none(), ..Options::default() };
        let sim = Sim::start(world([1001, 1002, 1003]), options).await.unwrap();
        let url = cluster.database().await;
        let server = Self { sim, url, cluster, people };
        done(&server.owner(None), &["store", "init", "--roles"]);
        for name in &names[1..] {
            let role = format!("CREATE ROLE {name} LOGIN; GRANT secondlook_reviewer TO {name}");
            assert!(behind(&server.url, &role).await);
        }
        Some(server)
    }

    fn home(&self, role: &str, agent: Option<usize>) -> Home {
        let mut home = Home::at(&self.sim, 300);
        for (name, value) in agent.map(|who| self.people[who].env()).unwrap_or_default() {
            home.set(&name, &value);
        }
        home.set("SECONDLOOK_STORE", &self.url.replace("user=test", &format!("user={role}")));
        home
    }

    fn owner(&self, agent: Option<usize>) -> Home {
        self.home("test", agent)
    }

    /// A person at their own login.
    fn of(&self, who: usize) -> Home {
        self.home(&self.people[who].name, Some(who))
    }

    fn add(&self, agent: Option<usize>, who: usize) {
        let (name, key) = (self.people[who].name.clone(), self.people[who].key());
        done(&self.owner(agent), &["reviewers", "add", &name, "--role", &name, "--key", &key]);
    }
}

fn done(home: &Home, arguments: &[&str]) -> String {
    let ran = home.run(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    ran.out
}

fn refused(home: &Home, arguments: &[&str], code: i32, word: &str) -> Ran {
    let ran = home.run(arguments);
    assert!(ran.code == code && ran.err.contains(word), "{arguments:?}: {ran:?}");
    ran
}

const BLOCKLIST: [&str; 5] = ["decide", "1001", "blocklist", "--target", "6001"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_owners_login_is_no_puppets_second() {
    let Some(server) = Server::new(&["chief", "puppet", "eva"]).await else { return };
    let chief = server.owner(Some(0));
    done(&chief, &["sync"]);
    done(&chief, &["reviewers", "add", "chief", "--admin", "--key", &server.people[0].key()]);
    // The chief with their key, at the owner's login.
    server.add(Some(0), 1);
    let shown = done(&chief, &["reviewers", "show", "puppet"]);
    assert!(shown.contains("added by db:test"), "{shown}");
    assert!(shown.contains("cannot confirm what person:chief proposes"), "{shown}");
    done(&chief, &BLOCKLIST);
    let word = "put on the roster by who proposed it";
    refused(&server.of(1), &BLOCKLIST, 6, word);
    // Somebody without any key there: it is said that nobody is kept from anything.
    let key = server.people[2].key();
    let add = ["reviewers", "add", "eva", "--role", "eva", "--key", &key];
    let ran = refused(&server.owner(None), &add, 0, "had better propose nothing");
    assert!(ran.out.contains("eva"), "{ran:?}");
    // And whose the owner's login is or was, added whomever it added.
    done(&server.owner(None), &["reviewers", "add", "chief", "--role", "test"]);
    refused(&server.of(2), &BLOCKLIST, 6, word);
    done(&server.owner(None), &["reviewers", "remove", "chief", "--key", "test"]);
    refused(&server.of(2), &BLOCKLIST, 6, word);
    done(&server.owner(None), &["audit", "verify"]);
    server.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_recovered_on_a_server_is_nobodys_second_either() {
    let Some(server) = Server::new(&["chief", "ana", "eva", "puppet"]).await else { return };
    let owner = server.owner(None);
    done(&owner, &["sync"]);
    for who in [1, 2] {
        server.add(None, who);
    }
    let (ana, puppet) = (server.of(1), server.of(3));
    done(&ana, &BLOCKLIST);
    let key = server.people[3].key();
    let recover = ["reviewers", "recover", "puppet", "--role", "puppet", "--key", &key];
    refused(&ana, &recover, 4, "the store's guard refused it: ");
    done(&owner, &recover);
    refused(&puppet, &BLOCKLIST, 6, "came with a recovery by the store's owner");
    done(&owner, &["reviewers", "add", "puppet"]);
    done(&puppet, &BLOCKLIST);
    done(&owner, &["audit", "verify"]);
    server.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_lets_no_reviewer_begin_another_place() {
    let Some(server) = Server::new(&["chief", "ana"]).await else { return };
    server.add(None, 1);
    let mut ana = server.of(1);
    done(&ana, &["sync"]);
    done(&ana, &["decide", "1001", "reject"]);
    ana.set("DIDIT_BASE_URL", &server.sim.base_url().replace("127.0.0.1", "localhost"));
    refused(
        &ana,
        &["sync"],
        4,
        "the store's guard refused it: this store has a roster for another key",
    );
    let url = server.url.replace("user=test", "user=ana");
    assert!(!behind(&url, "INSERT INTO origins (name) VALUES ('https://elsewhere.test#1')").await);
    // The owner may, and then nobody decides there without a roster all the same.
    let mut owner = server.owner(None);
    owner.set("DIDIT_BASE_URL", &server.sim.base_url().replace("127.0.0.1", "localhost"));
    done(&owner, &["sync"]);
    for home in [&owner, &ana] {
        let word = "this store has a roster for another key or address";
        refused(home, &["decide", "1002", "approve"], 4, word);
        refused(home, &["outbox", "flush"], 4, word);
    }
    assert_eq!(server.sim.effects(), []);
    server.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_has_the_roster_or_there_is_none() {
    let Some(server) = Server::new(&["chief", "ana", "eva"]).await else { return };
    let owner = server.owner(None);
    done(&owner, &["sync"]);
    for who in [1, 2] {
        server.add(None, who);
    }
    let (ana, eva) = (server.of(1), server.of(2));
    done(&eva, &["decide", "1001", "reject"]);
    // A reviewer carries nothing away.
    let folder = tempfile::TempDir::new().unwrap();
    let file = format!("sqlite:{}", folder.path().join("copy.db").display());
    let asked = server.url.replace("user=test", "user=ana");
    let copy = ["store", "copy", "--from", &asked, "--to", &file];
    refused(&ana, &copy, 4, "is not its owner");
    assert!(!folder.path().join("copy.db").exists());
    // The owner neither, to where the roster would count for nothing.
    let plain = server.cluster.database().await;
    for to in [&file, &plain] {
        let copy = ["store", "copy", "--from", &server.url, "--to", to];
        refused(&owner, &copy, 4, "its roster would be another one in the new store");
    }
    let roled = server.cluster.database().await;
    let mut there = server.owner(None);
    there.set("SECONDLOOK_STORE", &roled);
    done(&there, &["store", "init", "--roles"]);
    done(&owner, &["store", "copy", "--from", &server.url, "--to", &roled]);
    let list = |home: &Home| done(home, &["reviewers", "list", "--json"]);
    assert_eq!(list(&there), list(&owner));
    done(&there, &["audit", "verify"]);
    let mut eva = eva;
    eva.set("SECONDLOOK_STORE", &roled.replace("user=test", "user=eva"));
    done(&eva, &["outbox", "flush"]);
    let rows = done(&there, &["history", "--json"]);
    let row: Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!(row["state"], "sent", "{rows}");
    server.sim.shutdown().await;
}
