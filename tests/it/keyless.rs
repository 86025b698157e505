//! Reading one's own store needs no key: of one application, or of the one whose roster names the reader.

use crate::crash::{Rig, Way};
use crate::people::Person;
use crate::roster::{no, ok, rostered};

const READS: [&[&str]; 6] = [
    &["queue", "list", "--json"],
    &["queue", "show", "1002", "--json"],
    &["history", "--json"],
    &["stats", "--json"],
    &["audit", "verify", "--json"],
    &["export"],
];

/// Whoever comes without a key, and with a person's agent where one is given.
fn keyless(rig: &mut Rig, who: Option<&Person>) {
    rig.env = who.map(Person::env).unwrap_or_default();
    rig.env.push(("DIDIT_API_KEY".to_owned(), String::new()));
}

/// The id by which the program names the application of another simulator whose cases are in the same store.
async fn and_another(rig: &mut Rig, other: &Rig) -> String {
    let before = origins(rig).await;
    let env = std::mem::take(&mut rig.env);
    rig.env = vec![
        ("DIDIT_BASE_URL".to_owned(), other.sim.base_url().to_owned()),
        ("DIDIT_API_KEY".to_owned(), other.sim.api_key().to_owned()),
    ];
    ok(rig, &["sync"]).await;
    rig.env = env;
    let after = origins(rig).await;
    after.into_iter().find(|id| !before.contains(id)).unwrap()
}

async fn origins(rig: &Rig) -> Vec<String> {
    let store = secondlook::store::open(&crate::roster::store_of(rig)).await.unwrap();
    let all = store.origins().await.unwrap();
    store.close().await;
    all.iter().map(|origin| origin.0.rsplit_once('#').unwrap().1.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_one_application_is_read_without_a_key() {
    let mut rig = Rig::new(&[Way::Reject, Way::Approve], 21).await;
    ok(&rig, &["decide", "1001", "reject"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    let mut with = Vec::new();
    for command in READS {
        with.push(ok(&rig, command).await);
    }
    assert!(with.iter().all(|out| !out.is_empty()), "{with:?}");
    let id = origins(&rig).await.remove(0);
    keyless(&mut rig, None);
    for (command, with) in READS.iter().zip(&with) {
        assert_eq!(ok(&rig, command).await, *with, "{command:?}");
        let named = [*command, &["--origin", &id][..]].concat();
        assert_eq!(ok(&rig, &named).await, *with, "{named:?}");
    }
    // What asks Didit, changes something or tells what readers said takes the key.
    for command in [&["sync"][..], &["decide", "1002", "approve"], &["audit", "export"]] {
        no(&rig, command, 4, "there is no API key").await;
    }
    no(&rig, &["history", "--origin", "ffffff"], 3, "holds no origin ffffff").await;
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_applications_the_one_whose_roster_names_the_reader_is_read() {
    let Some((mut rig, people)) = rostered(&[Way::Reject], &["chief", "ana"]).await else { return };
    let mine = origins(&rig).await.remove(0);
    let shown = ok(&rig, &["queue", "list", "--json"]).await;
    let other = Rig::new(&[Way::Reject, Way::Approve], 22).await;
    let theirs = and_another(&mut rig, &other).await;
    // Nobody in particular: the sentence names both, by host and id.
    keyless(&mut rig, None);
    for command in READS {
        for named in [vec![], vec!["--origin", &mine], vec!["--origin", &theirs]] {
            let (code, out, err) = rig.run_aloud(&[command, &named[..]].concat()).await;
            assert_eq!((code, out.as_str()), (Some(4), ""), "{command:?} {named:?}: {err}");
            assert!(err.contains(&mine) && err.contains("--origin"), "{err}");
            assert!(err.contains("127.0.0.1"), "{err}");
        }
    }
    // A person of one of the rosters reads that one, named or not, and never the other.
    keyless(&mut rig, Some(&people[1]));
    assert_eq!(ok(&rig, &["queue", "list", "--json"]).await, shown);
    assert_eq!(ok(&rig, &["queue", "list", "--json", "--origin", &mine]).await, shown);
    no(&rig, &["queue", "list", "--origin", &theirs], 4, "neither a key nor a roster").await;
    rig.sim.shutdown().await;
    other.sim.shutdown().await;
}

/// Who is not proven counts as one who has read nothing: what a first reader said is not told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blindness_holds_without_a_key() {
    let Some((mut rig, people)) = rostered(&[Way::Reject], &["chief", "ana", "eva"]).await else {
        return;
    };
    let [_, ana, eva] = &people[..] else { panic!() };
    rig.env = ana.env();
    ok(&rig, &["decide", "1001", "escalate", "--reason", "same_person"]).await;
    for (who, sees) in [(None, false), (Some(eva), false), (Some(ana), true)] {
        keyless(&mut rig, who);
        let mut told = String::new();
        for command in
            [&["history", "--json"][..], &["history"], &["export"], &["export", "--format", "csv"]]
        {
            told += &ok(&rig, command).await;
        }
        assert_eq!(told.contains("same_person"), sees, "{told}");
        for command in [
            &["queue", "list", "--state", "escalated", "--json"][..],
            &["queue", "show", "1001"],
            &["stats"],
        ] {
            assert!(!ok(&rig, command).await.contains("same_person"), "{command:?}");
        }
    }
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_roster_nobody_without_a_key_has_read_anything() {
    let mut rig = Rig::new(&[Way::Reject], 23).await;
    ok(&rig, &["decide", "1001", "escalate", "--reason", "same_person"]).await;
    assert!(ok(&rig, &["history", "--json"]).await.contains("same_person"));
    keyless(&mut rig, None);
    assert!(!ok(&rig, &["history", "--json"]).await.contains("same_person"));
    rig.sim.shutdown().await;
}
