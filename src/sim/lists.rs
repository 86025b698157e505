//! Blocklists and lists: the flags of the older calls and the rows of the Lists API, kept in step.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::decide::{API_CLIENT, text_of};
use super::decision::{paths, stamp};
use super::record::Effect;
use super::reply::Reply;
use super::route::{Route, uuid};
use super::serve::Call;
use super::state::{State, Window, new_id};
use super::world::{Blocked, Picture, Session};

/// A face handed to a list may be this large once decoded.
const UPLOAD_LIMIT: usize = 2 * 1024 * 1024;

const ENTRY_TYPES: [&str; 12] = [
    "face",
    "document",
    "phone",
    "email",
    "ip_address",
    "device_fingerprint",
    "wallet_address",
    "bank_account",
    "country",
    "user",
    "business",
    "key",
];

/// The records of a session that the older calls can flag.
const ITEMS: [&str; 4] = ["face", "document", "phone", "email"];

#[derive(Debug)]
struct List {
    id: Uuid,
    name: String,
    description: Option<String>,
    kind: String,
    entry_type: String,
    system: bool,
    entries: Vec<Entry>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Clone)]
struct Entry {
    id: Uuid,
    value: String,
    label: Option<String>,
    comment: Option<String>,
    session: Option<(Uuid, u64)>,
    object: Option<Uuid>,
    metadata: Value,
    picture: Option<Picture>,
    created_at: Timestamp,
}

/// All lists: a system blocklist for each entry type, and what was made since.
#[derive(Debug)]
pub(super) struct Lists(Vec<List>);

impl Lists {
    pub(super) fn new(now: Timestamp, rng: &mut fastrand::Rng) -> Self {
        let system = |entry_type: &&str| List {
            id: new_id(rng),
            name: format!("{entry_type} blocklist"),
            description: None,
            kind: "blocklist".to_owned(),
            entry_type: (*entry_type).to_owned(),
            system: true,
            entries: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        Self(ENTRY_TYPES.iter().map(system).collect())
    }

    fn list(&mut self, id: Uuid) -> Option<&mut List> {
        self.0.iter_mut().find(|list| list.id == id)
    }

    fn system(&mut self, entry_type: &str) -> Option<&mut List> {
        self.0.iter_mut().find(|list| list.system && list.entry_type == entry_type)
    }

    /// The picture that was uploaded as an entry.
    pub(super) fn picture(&self, entry: Uuid) -> Option<Picture> {
        let mut entries = self.0.iter().flat_map(|list| &list.entries);
        entries.find(|row| row.id == entry)?.picture.clone()
    }

    pub(super) fn block_user(&mut self, who: &str, now: Timestamp, rng: &mut fastrand::Rng) {
        let entry = Entry::of(new_id(rng), who, now);
        if let Some(list) = self.system("user") {
            list.entries.push(entry);
        }
    }

    pub(super) fn unblock_user(&mut self, who: &str) {
        if let Some(list) = self.system("user") {
            list.entries.retain(|entry| entry.value != who);
        }
    }
}

impl Entry {
    fn of(id: Uuid, value: &str, created_at: Timestamp) -> Self {
        Self {
            id,
            value: value.to_owned(),
            label: None,
            comment: None,
            session: None,
            object: None,
            metadata: Value::Null,
            picture: None,
            created_at,
        }
    }
}

fn flag<'a>(blocked: &'a mut Blocked, item: &str) -> Option<&'a mut bool> {
    match item {
        "face" => Some(&mut blocked.face),
        "document" => Some(&mut blocked.document),
        "phone" => Some(&mut blocked.phone),
        "email" => Some(&mut blocked.email),
        _ => None,
    }
}

/// What an entry of a type holds for a session; `None` where the session has no such data.
fn value_of(session: &Session, entry_type: &str) -> Option<String> {
    match entry_type {
        "face" => session.picture.as_ref().map(|_| session.id.to_string()),
        "document" => session.document_number.clone(),
        "phone" => session.phone.clone(),
        "email" => session.email.clone(),
        "user" => session.vendor_data.clone(),
        "country" => session.country.clone(),
        _ => None,
    }
}

impl State {
    /// Flags a session's record and puts it on the system list. Nothing happens where it is there
    /// already or the session has no such record.
    pub(super) fn block(&mut self, id: Uuid, item: &str, automatic: bool) {
        let now = self.now();
        let Some(session) = self.world.session_mut(id) else { return };
        let (number, value) = (session.number, value_of(session, item));
        let (Some(value), Some(set)) = (value, flag(&mut session.blocked, item)) else { return };
        if std::mem::replace(set, true) {
            return;
        }
        let row =
            Entry { session: Some((id, number)), ..Entry::of(new_id(&mut self.rng), &value, now) };
        if let Some(list) = self.lists.system(item) {
            list.entries.push(row);
        }
        self.effects.push(Effect::Blocklisted { session: id, item: item.to_owned(), automatic });
    }

    fn unblock(&mut self, id: Uuid, item: &str) {
        let Some(session) = self.world.session_mut(id) else { return };
        let was = flag(&mut session.blocked, item).is_some_and(std::mem::take);
        if !was {
            return;
        }
        if let Some(list) = self.lists.system(item) {
            list.entries.retain(|row| row.session.is_none_or(|(session, _)| session != id));
        }
        self.effects.push(Effect::Unblocked { session: id, item: item.to_owned() });
    }

    /// `POST /v3/blocklist/add/` and `/remove/`
    pub(super) fn flag_session(&mut self, call: &Call) -> Reply {
        if let Some(status) = self.options.old_blocklist_gone {
            return match status {
                404 => Reply::html_not_found(),
                _ => Reply::detail(status, format!("Method \"{}\" not allowed.", call.method)),
            };
        }
        let adding = call.place.route() == Some(Route::BlocklistAdd);
        let Some(id) = text_of(&call.json, "session_id") else {
            return Reply::field("session_id", "This field is required.");
        };
        let Some(id) = uuid(&id) else {
            return Reply::field("session_id", "Must be a valid UUID.");
        };
        if self.world.session(id).is_none() {
            return Reply::session_not_found();
        }
        let prefix = if adding { "blocklist" } else { "unblock" };
        for item in ITEMS {
            if call.json.get(format!("{prefix}_{item}")).and_then(Value::as_bool) == Some(true) {
                if adding {
                    self.block(id, item, false);
                } else {
                    self.unblock(id, item);
                }
            }
        }
        let text = match adding {
            true => "Successfully updated blocklist.",
            false => "Successfully removed from blocklist.",
        };
        Reply::json(200, json!({ "message": text }))
    }

    /// `GET /v3/blocklist/`
    pub(super) fn list_blocklist(&mut self, call: &Call) -> Reply {
        let only = call.query.iter().find(|(k, _)| k == "item_type").map(|(_, v)| v.as_str());
        if let Some(word) = only.filter(|word| !ITEMS.contains(word)) {
            return Reply::field("item_type", format!("\"{word}\" is not a valid choice."));
        }
        let wanted = |item: &str| only.is_none_or(|only| only == item);
        let mut rows: Vec<(String, Entry)> = Vec::new();
        for list in self.lists.0.iter().filter(|list| list.system && wanted(&list.entry_type)) {
            if ITEMS.contains(&list.entry_type.as_str()) {
                let of = |row: &Entry| (list.entry_type.clone(), row.clone());
                rows.extend(list.entries.iter().filter(|row| row.session.is_some()).map(of));
            }
        }
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.created_at));
        let window = Window::of(&call.query, 20);
        let shown = window.cut(&rows).iter();
        let shown = shown.map(|(item, row)| self.blocklist_row(item, row)).collect();
        Reply::json(200, self.page(&call.path, &window, rows.len(), shown))
    }

    fn blocklist_row(&mut self, item: &str, row: &Entry) -> Value {
        let session = row.session.and_then(|(id, _)| self.world.session(id)).cloned();
        let paths = session.as_ref().map(paths);
        let mut made = json!({
            "type": item,
            "session_id": row.session.map(|(id, _)| id),
            "session_number": row.session.map(|(_, number)| number),
            "blocklisted_at": stamp(row.created_at),
        });
        match item {
            "face" => made["face_image"] = self.link(paths.and_then(|p| p.reference)),
            "document" => {
                made["document_type"] =
                    json!(session.as_ref().and_then(|s| s.document_type.clone()));
                made["document_number"] = json!(row.value);
                made["front_image"] = self.link(paths.and_then(|p| p.front));
            }
            "phone" => made["phone_number"] = json!(row.value),
            _ => made["email"] = json!(row.value),
        }
        made
    }

    /// `GET /v3/lists/`
    pub(super) fn list_lists(&mut self, call: &Call) -> Reply {
        let is = |name: &str, value: &str| {
            call.query.iter().find(|(k, _)| k == name).is_none_or(|(_, v)| v == value)
        };
        let wanted =
            |list: &&List| is("list_type", &list.kind) && is("entry_type", &list.entry_type);
        let rows: Vec<Value> = self.lists.0.iter().filter(wanted).map(list_row).collect();
        let window = Window::of(&call.query, 25);
        let shown = window.cut(&rows).to_vec();
        Reply::json(200, self.page(&call.path, &window, rows.len(), shown))
    }

    /// `POST /v3/lists/`
    pub(super) fn add_list(&mut self, call: &Call) -> Reply {
        let field = |name: &str| text_of(&call.json, name);
        let (Some(name), Some(kind), Some(entry_type)) =
            (field("name"), field("list_type"), field("entry_type"))
        else {
            let missing = ["name", "list_type", "entry_type"].into_iter();
            let first = missing.filter(|name| field(name).is_none()).collect::<Vec<_>>();
            return Reply::field(
                first.first().copied().unwrap_or("name"),
                "This field is required.",
            );
        };
        if !["allowlist", "custom"].contains(&kind.as_str()) {
            return Reply::field("list_type", format!("\"{kind}\" is not a valid choice."));
        }
        if !ENTRY_TYPES.contains(&entry_type.as_str()) {
            return Reply::field("entry_type", format!("\"{entry_type}\" is not a valid choice."));
        }
        let (id, now) = (self.new_id(), self.now());
        let list = List {
            id,
            name,
            description: field("description"),
            kind,
            entry_type,
            system: false,
            entries: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        let row = list_row(&list);
        self.lists.0.push(list);
        self.setting("list made");
        Reply::json(201, row)
    }

    /// `GET`, `PATCH`, `DELETE /v3/lists/{id}/`
    pub(super) fn one_list(&mut self, call: &Call) -> Reply {
        let (id, now) = (call.place.id(), self.now());
        let Some(list) = self.lists.list(id) else { return Reply::not_found() };
        match call.place.route() {
            Some(Route::List) => return Reply::json(200, list_row(list)),
            _ if list.system => return Reply::detail(400, "System lists cannot be changed."),
            Some(Route::EditList) => {
                if let Some(name) = text_of(&call.json, "name") {
                    list.name = name;
                }
                list.description =
                    text_of(&call.json, "description").or_else(|| list.description.take());
                list.updated_at = now;
                let row = list_row(list);
                self.setting("list changed");
                return Reply::json(200, row);
            }
            _ => {}
        }
        self.lists.0.retain(|list| list.id != id);
        self.setting("list removed");
        Reply::empty(204)
    }

    /// `GET /v3/lists/{id}/entries/`
    pub(super) fn list_entries(&mut self, call: &Call) -> Reply {
        let Some(list) = self.lists.list(call.place.id()) else { return Reply::not_found() };
        let search = call.query.iter().find(|(k, _)| k == "search").map(|(_, v)| v.to_lowercase());
        let holds = |field: &str| search.as_ref().is_none_or(|s| field.to_lowercase().contains(s));
        let wanted = |row: &&Entry| {
            holds(&row.value)
                || row.label.as_deref().is_some_and(holds)
                || row.comment.as_deref().is_some_and(holds)
        };
        let mut found: Vec<Entry> = list.entries.iter().filter(wanted).cloned().collect();
        found.reverse();
        let window = Window::of(&call.query, 25);
        let rows = window.cut(&found).iter().map(|row| self.entry_row(row)).collect();
        Reply::json(200, self.page(&call.path, &window, found.len(), rows))
    }

    fn entry_row(&mut self, row: &Entry) -> Value {
        let mut made = json!({
            "uuid": row.id,
            "value": row.value,
            "display_label": row.label,
            "comment": row.comment,
            "added_by": API_CLIENT,
            "reference_session_id": row.session.map(|(id, _)| id),
            "reference_session_number": row.session.map(|(_, number)| number),
            "reference_object_uuid": row.object,
            "metadata": row.metadata,
            "created_at": stamp(row.created_at),
        });
        if let Some(picture) = &row.picture {
            let path = format!("/{}/entry.{}", row.id, picture.extension());
            made["metadata"] = json!({ "face_image_url": self.link(Some(path)) });
        }
        made
    }

    /// `POST /v3/lists/{id}/entries/`: no idempotency, each call adds a row.
    pub(super) fn add_entry(&mut self, call: &Call) -> Reply {
        let (id, now) = (call.place.id(), self.now());
        let Some(list) = self.lists.list(id) else { return Reply::not_found() };
        let entry_type = list.entry_type.clone();
        let field = |name: &str| text_of(&call.json, name);
        let reference = field("reference_session_id");
        let mut row = Entry::of(self.new_id(), &field("value").unwrap_or_default(), now);
        if let Some(text) = reference {
            let session = uuid(&text).and_then(|id| self.world.session(id));
            let Some(session) = session else {
                return Reply::field("reference_session_id", "Session not found.");
            };
            let Some(value) = value_of(session, &entry_type) else {
                let text = format!("The session has no {entry_type} data.");
                return Reply::field("reference_session_id", text);
            };
            row.session = Some((session.id, session.number));
            if row.value.is_empty() {
                row.value = value;
            }
        } else if row.value.is_empty() {
            return Reply::field("value", "This field is required.");
        }
        row.label = field("display_label");
        row.comment = field("comment");
        row.object = field("reference_object_uuid").as_deref().and_then(uuid);
        row.metadata = call.json.get("metadata").cloned().unwrap_or(Value::Null);
        self.put_entry(id, row)
    }

    /// Adds a row, and sets the flag of the session it refers to where the list is a blocklist.
    fn put_entry(&mut self, list_id: Uuid, row: Entry) -> Reply {
        let body = self.entry_row(&row);
        let Some(list) = self.lists.list(list_id) else { return Reply::not_found() };
        list.updated_at = row.created_at;
        let blocks = (list.kind == "blocklist").then(|| list.entry_type.clone());
        self.effects.push(Effect::EntryAdded {
            list: list_id,
            entry: row.id,
            session: row.session.map(|(id, _)| id),
            label: row.label.clone(),
        });
        let session = row.session.map(|(id, _)| id);
        list.entries.push(row);
        if let (Some(item), Some(session)) = (blocks, session) {
            self.set_flag(session, &item, true);
        }
        Reply::json(201, body)
    }

    fn set_flag(&mut self, session: Uuid, item: &str, on: bool) {
        let session = self.world.session_mut(session);
        if let Some(set) = session.and_then(|s| flag(&mut s.blocked, item)) {
            *set = on;
        }
    }

    /// `DELETE /v3/lists/{id}/entries/{entry}/`
    pub(super) fn delete_entry(&mut self, call: &Call) -> Reply {
        let (list_id, entry) = (call.place.id(), call.place.id_at(1));
        let Some(list) = self.lists.list(list_id) else { return Reply::not_found() };
        let Some(at) = list.entries.iter().position(|row| row.id == entry) else {
            return Reply::not_found();
        };
        let row = list.entries.remove(at);
        let session = row.session.map(|(id, _)| id);
        let still = list.entries.iter().any(|row| row.session.map(|(id, _)| id) == session);
        let item = list.entry_type.clone();
        if let Some(session) = session.filter(|_| list.kind == "blocklist" && !still) {
            self.set_flag(session, &item, false);
        }
        self.effects.push(Effect::EntryRemoved { list: list_id, entry, session });
        Reply::empty(204)
    }

    /// `POST /v3/lists/{id}/entries/face-upload/`
    pub(super) fn upload_face(&mut self, call: &Call) -> Reply {
        let (id, now) = (call.place.id(), self.now());
        let Some(list) = self.lists.list(id) else { return Reply::not_found() };
        if list.entry_type != "face" || list.kind == "custom" {
            return Reply::detail(400, "Faces can be uploaded to face lists only.");
        }
        let Some(text) = text_of(&call.json, "image") else {
            return Reply::json(400, json!({ "image": "This field is required." }));
        };
        let Ok(bytes) = STANDARD.decode(text) else {
            return Reply::json(400, json!({ "image": "Invalid base64 image." }));
        };
        if bytes.len() > UPLOAD_LIMIT {
            return Reply::json(400, json!({ "image": "Image size exceeds 2MB." }));
        }
        let Some(kind) = super::pictures::face_kind(&bytes) else {
            return Reply::json(400, json!({ "image": "No face detected in the image." }));
        };
        let entry_id = self.new_id();
        let row = Entry {
            label: text_of(&call.json, "display_label"),
            comment: text_of(&call.json, "comment"),
            picture: Some(Picture::Bytes(kind.to_owned(), bytes.into())),
            ..Entry::of(entry_id, &entry_id.to_string(), now)
        };
        self.put_entry(id, row)
    }
}

fn list_row(list: &List) -> Value {
    json!({
        "uuid": list.id,
        "name": list.name,
        "description": list.description,
        "list_type": list.kind,
        "entry_type": list.entry_type,
        "is_system": list.system,
        "entry_count": list.entries.len(),
        "last_entry_added_at": list.entries.last().map(|row| stamp(row.created_at)),
        "created_at": stamp(list.created_at),
        "updated_at": stamp(list.updated_at),
    })
}
