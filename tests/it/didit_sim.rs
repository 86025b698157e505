//! The client against the simulator, which shares no type with it: a wrong path or field name in one
//! of them cannot agree with itself.

use std::time::Duration;

use jiff::Timestamp;
use secondlook::didit::{
    CarriedOut, Client, EntryType, ErrorKind, FaceSearchRequest, ListType, NewStatus, SearchType,
    SessionQuery, SessionRow, Settings, StatusWritten,
};
use secondlook::domain::{
    Comment, Decision, DecisionId, Details, Disposition, Millis, Receipt, Reviewer, ReviewerId,
    SessionId, Source, Status, SubjectKind,
};
use secondlook::sim::{
    Candidate, Effect, Fault, Key, On, Options, Route, SameStatus, Session, Sim, World, session_id,
};
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

fn world() -> World {
    let mut world = World::new(Timestamp::now());
    for number in [1, 2, 3] {
        let twin = Candidate::session(100 + number, 70.5 + 5.0 * number as f64);
        let listed = Candidate::list_entry(61.0);
        world.add(Session::in_review(number).with(twin).with(listed));
    }
    world.add(Session::approved(4));
    world.add(Session::in_review(5).but(|s| s.status = "In Progress".to_owned()));
    world.add(Session::saved_search(6).with(Candidate::imported("user-7", 75.0)));
    world
}

async fn start(options: Options) -> (Sim, Client) {
    let sim = Sim::start(world(), options).await.unwrap();
    let client = client(&sim, sim.api_key());
    (sim, client)
}

fn client(sim: &Sim, key: &str) -> Client {
    let base = Url::parse(sim.base_url()).unwrap();
    Client::new(Settings::new(base, SecretString::from(key))).unwrap()
}

fn id(number: u64) -> SessionId {
    SessionId::parse(&session_id(number).to_string()).unwrap()
}

fn comment() -> Comment {
    let decision = Decision {
        id: DecisionId(Uuid::nil()),
        case: id(1),
        session_number: Some(1),
        kind: SubjectKind::Workflow,
        disposition: Disposition::Approve,
        judgements: Vec::new(),
        reason: None,
        comment: None,
        target: None,
        reviewer: Reviewer { id: ReviewerId("os:1".into()), name: "ana".into() },
        seen_status: Status::InReview,
        at: Millis(0),
        receipt: Receipt::default(),
        replaces: None,
        answers: None,
        evidence: Vec::new(),
        workflow: None,
        signature: None,
    };
    decision.api_comment()
}

async fn hydrate(client: &Client, number: u64) -> Details {
    client.decision(&id(number), SubjectKind::Workflow).await.unwrap()
}

fn statuses_written(sim: &Sim, number: u64) -> usize {
    let effects = sim.effects_on(session_id(number));
    effects.iter().filter(|e| matches!(e, Effect::Status { .. })).count()
}

fn asked(sim: &Sim, route: Route) -> usize {
    sim.record().iter().filter(|r| r.route == Some(route)).count()
}

#[tokio::test]
async fn all_pages_of_the_queue_are_found() {
    let (_sim, client) = start(Options::default()).await;
    client.health().await.unwrap();
    let mut query = SessionQuery::faces(vec![Status::InReview]);
    query.limit = 2;
    let mut page = client.sessions(&query).await.unwrap();
    let mut rows: Vec<SessionRow> = page.rows;
    while let Some(next) = page.next {
        page = client.next_sessions(&next).await.unwrap();
        rows.append(&mut page.rows);
    }
    let numbers: Vec<_> = rows.iter().map(|r| r.session_number.unwrap()).collect();
    assert_eq!((numbers, page.count), (vec![3, 2, 1], Some(3)));
    assert!(rows.iter().all(|r| r.status == Status::InReview && r.created_at.is_some()));
    let searches = client.sessions(&SessionQuery::saved_searches(Millis(0))).await.unwrap();
    assert_eq!(searches.rows.iter().map(|r| r.session_number).collect::<Vec<_>>(), [Some(6)]);
}

#[tokio::test]
async fn a_session_is_hydrated_with_fresh_links_each_time() {
    let (_sim, client) = start(Options::default()).await;
    let seen = hydrate(&client, 2).await;
    assert_eq!((seen.case.key.clone(), seen.case.session_number), (id(2), Some(2)));
    assert_eq!((seen.case.status.clone(), seen.case.set_aside), (Status::InReview, 0));
    let [twin, listed] = seen.case.candidates.as_slice() else { panic!("two candidates") };
    assert_eq!((twin.session_id.clone(), twin.session_number), (Some(id(102)), Some(102)));
    assert_eq!(twin.similarity.unwrap().to_string(), "80.5");
    assert_eq!((listed.source.clone(), listed.blocklisted), (Source::ListEntry, true));
    assert_eq!(seen.subject.person.name.as_deref(), Some("Person 2"));
    assert_eq!(seen.subject.person.document_number.as_deref(), Some("***002"));
    assert_eq!(seen.candidates[0].person.name.as_deref(), Some("Person 102"));
    assert_eq!(seen.candidates[0].status, Some(Status::Approved));
    assert_eq!(seen.warnings[0].risk, "POSSIBLE_DUPLICATED_FACE");
    let fetched = reqwest::get(seen.subject.link.as_ref().unwrap().reveal()).await.unwrap();
    assert!(fetched.status().is_success());
    let search = client.decision(&id(6), SubjectKind::SavedSearch).await.unwrap();
    assert_eq!(search.case.candidates[0].source, Source::Imported);
    assert!(search.subject.link.is_some() && search.candidates[0].link.is_some());
}

#[tokio::test]
async fn what_is_malformed_old_or_hidden_is_still_read() {
    let (sim, client) = start(Options::default()).await;
    let decision = On::route(Route::Decision);
    sim.knobs().once(decision, Fault::MalformedMatches);
    let spoilt = hydrate(&client, 1).await;
    assert_eq!(spoilt.case.candidates.len() + spoilt.case.set_aside as usize, 2);
    assert!(spoilt.case.set_aside >= 1);
    sim.knobs().once(decision, Fault::OldShapes);
    let old = hydrate(&client, 1).await;
    assert_eq!(old.candidates[0].person.name.as_deref(), Some("Person 101"));
    assert_eq!(old.case.candidates[0].source, Source::Session);
    sim.knobs().once(decision, Fault::NullLinks);
    let hidden = hydrate(&client, 1).await;
    assert!(hidden.subject.link.is_none() && hidden.candidates[0].link.is_none());
}

#[tokio::test]
async fn a_status_is_written_once_whatever_happens_to_the_answer() {
    let (sim, client) = start(Options::default()).await;
    let note = comment();
    let write = async |number| client.update_status(&id(number), NewStatus::Approved, &note).await;
    assert_eq!(write(1).await.unwrap(), StatusWritten::Written);
    assert_eq!(write(1).await.unwrap(), StatusWritten::AlreadySo);
    sim.knobs().options(|o| o.same_status = SameStatus::NoOp200);
    assert_eq!(write(1).await.unwrap(), StatusWritten::Written);
    assert_eq!(statuses_written(&sim, 1), 1);
    let seen = hydrate(&client, 1).await;
    assert_eq!(seen.case.status, Status::Approved);
    assert_eq!(seen.reviews[0].comment.as_deref(), Some(note.as_str()));

    assert_eq!(write(5).await.unwrap_err().kind, ErrorKind::WrongStatus);
    let update = On::route(Route::UpdateStatus);
    for (number, fault, written) in [(2, Fault::DropBefore, 0), (3, Fault::DropAfter, 1)] {
        let before = asked(&sim, Route::UpdateStatus);
        sim.knobs().once(update, fault);
        let error = write(number).await.unwrap_err();
        assert_eq!((error.kind, error.carried_out), (ErrorKind::Network, CarriedOut::Maybe));
        assert_eq!(statuses_written(&sim, number), written);
        assert_eq!(asked(&sim, Route::UpdateStatus), before + 1, "never sent again by itself");
    }
}

#[tokio::test]
async fn reads_outlast_a_broken_line() {
    let (sim, client) = start(Options::default()).await;
    for fault in [Fault::DropBefore, Fault::DropAfter, Fault::CutBody(20)] {
        let before = asked(&sim, Route::Decision);
        sim.knobs().once(On::route(Route::Decision), fault);
        hydrate(&client, 1).await;
        assert_eq!(asked(&sim, Route::Decision), before + 2);
    }
}

#[tokio::test]
async fn notes_are_posted_and_read_back_in_both_shapes() {
    for old_reviews in [false, true] {
        let (_sim, client) = start(Options { old_reviews, ..Options::default() }).await;
        let note = comment();
        client.post_review(&id(1), &note).await.unwrap();
        client.update_status(&id(1), NewStatus::Declined, &note).await.unwrap();
        let feed = client.reviews(&id(1)).await.unwrap();
        assert_eq!(feed[0].new_status, Some(Status::Declined), "newest first, {old_reviews}");
        let marked = feed.iter().filter(|r| r.comment.as_deref() == Some(note.as_str())).count();
        assert_eq!(marked, 2, "{old_reviews}");
    }
}

#[tokio::test]
async fn a_face_is_listed_and_taken_off_by_the_older_calls() {
    let (sim, client) = start(Options::default()).await;
    client.blocklist_add_face(&id(1)).await.unwrap();
    client.blocklist_add_face(&id(1)).await.unwrap();
    let page = client.blocklist(0, 20).await.unwrap();
    assert!(page.rows.iter().any(|r| r.session_id == id(1) && r.session_number == Some(1)));
    assert!(page.set_aside.is_empty());
    client.blocklist_remove_face(&id(1)).await.unwrap();
    assert!(!sim.session(session_id(1)).unwrap().blocked.face);
    let page = client.blocklist(0, 20).await.unwrap();
    assert!(page.rows.iter().all(|r| r.session_id != id(1)));
}

#[tokio::test]
async fn a_face_is_listed_through_the_lists_where_the_older_calls_are_gone() {
    for gone in [404, 405] {
        let options = Options { old_blocklist_gone: Some(gone), ..Options::default() };
        let (_sim, client) = start(options).await;
        let error = client.blocklist_add_face(&id(1)).await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::NotFound, Some(gone)));
        let lists = client.lists(ListType::Blocklist, EntryType::Face).await.unwrap();
        let [list] = lists.rows.as_slice() else { panic!("one list of the system's") };
        assert!(list.is_system);
        let label = "decision:1";
        assert!(client.list_entries(list.id, Some(label), 0).await.unwrap().rows.is_empty());
        client.add_entry(list.id, &id(1), label, &comment()).await.unwrap();
        let found = client.list_entries(list.id, Some(label), 0).await.unwrap();
        let [entry] = found.rows.as_slice() else { panic!("one entry") };
        assert_eq!((entry.session_id.clone(), entry.label.as_deref()), (Some(id(1)), Some(label)));
        client.remove_entry(list.id, entry.id).await.unwrap();
        let error = client.remove_entry(list.id, entry.id).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_key_is_refused_for_what_it_lacks() {
    let full = Key::full("sk_test_full_key_0001");
    let reader = Key { write: false, media: false, ..Key::full("sk_test_read_key_0001") };
    let expired = Key { expired: true, ..Key::full("sk_test_old_key_00001") };
    let keys = vec![full, reader, expired];
    let (sim, _) = start(Options { keys, ..Options::default() }).await;
    let reader = client(&sim, "sk_test_read_key_0001");
    let seen = hydrate(&reader, 1).await;
    assert!(seen.subject.link.is_none() && seen.candidates[0].link.is_none());
    let error = reader.update_status(&id(1), NewStatus::Approved, &comment()).await.unwrap_err();
    assert_eq!((error.kind, error.carried_out), (ErrorKind::Permission, CarriedOut::No));
    for key in ["sk_test_old_key_00001", "sk_test_unknown_00001"] {
        assert_eq!(client(&sim, key).balance().await.unwrap_err().kind, ErrorKind::Key);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (sim, client) = start(Options::default()).await;
    let nobody = SessionId::parse("no-uuid").unwrap();
    let error = client.decision(&nobody, SubjectKind::Workflow).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::NotFound, Some(404)));
    assert!(sim.knobs().vanish(session_id(1)));
    let error = client.decision(&id(1), SubjectKind::Workflow).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn the_servers_limit_is_kept_by_all_clones() {
    let (sim, client) = start(Options::default()).await;
    sim.knobs().options(|o| o.limits.write = 1);
    client.blocklist_add_face(&id(1)).await.unwrap();
    let error = client.blocklist_add_face(&id(2)).await.unwrap_err();
    let ErrorKind::Limited { after } = error.kind else { panic!("{error}") };
    assert!(after > Duration::from_secs(20) && error.carried_out == CarriedOut::No);
    assert_eq!(error.status, Some(429));
    let asked_before = asked(&sim, Route::BlocklistAdd);
    let error = client.background().blocklist_add_face(&id(2)).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Limited { .. }) && error.status.is_none());
    assert_eq!(asked(&sim, Route::BlocklistAdd), asked_before);
}

#[tokio::test]
async fn a_search_is_paid_for_kept_and_read_back() {
    let (sim, client) = start(Options::default()).await;
    let link = hydrate(&client, 1).await.subject.link.unwrap();
    let bytes = reqwest::get(link.reveal()).await.unwrap().bytes().await.unwrap().to_vec();
    let request = FaceSearchRequest {
        file_name: "Ana Perez.jpg".into(),
        bytes,
        rotate: false,
        search_type: SearchType::MostSimilar,
        save: true,
        vendor_data: Some("user-105".into()),
        metadata: None,
    };
    let found = vec![Candidate::session(104, 77.0), Candidate::session(105, 88.0)];
    sim.knobs().next_search_finds(found.clone());
    assert_eq!(client.balance().await.unwrap().balance, "142.5000");
    let reply = client.face_search(&request).await.unwrap();
    assert_eq!(client.balance().await.unwrap().balance, "142.4500");
    let case = &reply.details.case;
    assert_eq!(case.kind, SubjectKind::SavedSearch);
    let own = |c: &secondlook::domain::Candidate| (c.session_number.unwrap(), c.self_match);
    let mut known: Vec<_> = case.candidates.iter().map(own).collect();
    known.sort_unstable();
    assert_eq!(known, [(104, false), (105, true)]);
    let kept = client.decision(&case.key, SubjectKind::SavedSearch).await.unwrap();
    assert_eq!(kept.case.candidates, case.candidates);

    sim.knobs().next_search_finds(found);
    let unsaved = FaceSearchRequest { save: false, ..request.clone() };
    let reply = client.face_search(&unsaved).await.unwrap();
    assert_eq!(reply.details.case.kind, SubjectKind::Unreachable);
    assert!(reply.details.candidates.iter().all(|c| c.link.is_none()));
    sim.knobs().set_balance(0);
    let error = client.face_search(&request).await.unwrap_err();
    assert_eq!((error.kind, error.carried_out), (ErrorKind::Credit, CarriedOut::No));
}

/// An imported face has no picture of its own where its link is hidden, and its user has a portrait; a template
/// that was kept has neither.
#[tokio::test]
async fn a_users_portrait_is_found_by_the_customers_own_id() {
    let mut world = World::new(jiff::Timestamp::UNIX_EPOCH);
    let user = uuid::Uuid::from_u128(7);
    let hidden = Candidate { picture: None, ..Candidate::imported("user/5 é", 77.0) };
    // Its face is enrolled with the user all the same.
    world.add(Session::in_review(9).with(Candidate::imported("user/5 é", 77.0)));
    let id = world.add(Session::in_review(1).with(hidden).with(Candidate::retained(user, 81.0)));
    let sim = Sim::start(world, Options::default()).await.unwrap();
    let client = super::stage::client(sim.base_url(), sim.api_key());
    let key = SessionId::parse(&id.to_string()).unwrap();
    let seen = client.decision(&key, SubjectKind::Workflow).await.unwrap();
    let [imported, kept] = &seen.candidates[..] else { panic!("{seen:?}") };
    assert!(imported.link.is_none() && kept.link.is_none() && kept.user.is_none());
    assert_eq!(kept.user_id.as_deref(), Some(user.to_string().as_str()));
    assert_eq!(seen.case.candidates[1].source, Source::Retained);
    let portrait = client.user_portrait(imported.user.as_ref().unwrap()).await.unwrap().unwrap();
    assert!(reqwest::get(portrait.reveal()).await.unwrap().status().is_success());
    assert!(
        !format!("{seen:?}").contains("user/5"),
        "what a user is asked for by is never printed"
    );
    sim.shutdown().await;
}
