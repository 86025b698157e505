//! What goes into the client's calls and comes out of them, where `domain` has no word for it.
//! Open sets are carried as text, times as Unix milliseconds, amounts as decimal text.

use std::fmt;

use url::Url;
use uuid::Uuid;

use crate::domain::{Details, Millis, SessionId, Status, Warning, face_risks};

/// Whether a session can be held for a face, as its row in the list tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceSteps {
    /// Every step about a face is approved or there is none, and another step is the one in review.
    Clear,
    /// A step about a face is not approved, or the row does not tell.
    Open,
}

/// Which sessions to list. Empty fields ask for nothing; all others must hold at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionQuery {
    /// In one of these statuses.
    pub statuses: Vec<Status>,
    /// With one of these risk codes.
    pub warnings: Vec<String>,
    /// `API`, `HOSTED`, `MIGRATED` or `ALL`; a comma list is allowed.
    pub session_type: Option<String>,
    /// The API product, such as `FACE_SEARCH`.
    pub api_service: Option<String>,
    /// A session id, a number, an e-mail address or a name, as Didit's own search box takes it.
    pub search: Option<String>,
    /// The customer's own id, exact.
    pub vendor_data: Option<String>,
    /// Created on this day (UTC) or later: Didit knows days only, so earlier rows of the day come too.
    pub date_from: Option<Millis>,
    /// Rows a page, 1 to 100. Always sent, because the server's default is not settled.
    pub limit: u32,
    /// Rows to pass over.
    pub offset: u32,
}

impl Default for SessionQuery {
    fn default() -> Self {
        Self {
            statuses: Vec::new(),
            warnings: Vec::new(),
            session_type: None,
            api_service: None,
            search: None,
            vendor_data: None,
            date_from: None,
            limit: 50,
            offset: 0,
        }
    }
}

impl SessionQuery {
    /// Workflow sessions in these statuses with a warning about a face.
    #[must_use]
    pub fn faces(statuses: Vec<Status>) -> Self {
        let warnings = face_risks().map(str::to_owned).collect();
        Self { statuses, warnings, ..Self::default() }
    }

    /// Saved standalone searches of the day of `since` (UTC) and later.
    #[must_use]
    pub fn saved_searches(since: Millis) -> Self {
        Self {
            session_type: Some("API".to_owned()),
            api_service: Some("FACE_SEARCH".to_owned()),
            date_from: Some(since),
            ..Self::default()
        }
    }
}

/// A row of the list of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The session.
    pub session_id: SessionId,
    /// The number people call it by.
    pub session_number: Option<u64>,
    /// Its status.
    pub status: Status,
    /// When it was created, where readable.
    pub created_at: Option<Millis>,
    /// Whether it can be held for a face.
    pub faces: FaceSteps,
}

/// An item of an answer that could not be read. The page it stood on is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Its place on the page, 0-based.
    pub place: usize,
    /// Why, in our words: never a piece of the item.
    pub why: &'static str,
}

/// A page of sessions, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The rows that could be read.
    pub rows: Vec<SessionRow>,
    /// The rows that could not.
    pub set_aside: Vec<SetAside>,
    /// How many the query holds in all, where the server says so.
    pub count: Option<u64>,
    /// Where the next page is, if there is one.
    pub next: Option<NextPage>,
}

/// Where a next page is: a link of the server's that was found to stay on the API's own host.
#[derive(Clone, PartialEq, Eq)]
pub struct NextPage(pub(super) Url);

impl fmt::Debug for NextPage {
    // The query may hold what was searched for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NextPage(…)")
    }
}

/// A status that can be written to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NewStatus {
    /// `Approved`.
    Approved,
    /// `Declined`.
    Declined,
}

impl NewStatus {
    /// The API's own word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Approved => "Approved",
            Self::Declined => "Declined",
        }
    }
}

/// What writing a status brought. Newer servers answer a repeated status like a change, so both
/// words mean no more than: it is so now. Who made it so stands in the reviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusWritten {
    /// The server took it.
    Written,
    /// The session had this status already.
    AlreadySo,
}

/// A face on the blocklist, as the older blocklist call lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlocklistRow {
    /// The session whose face it is.
    pub session_id: SessionId,
    /// Its number.
    pub session_number: Option<u64>,
    /// Since when.
    pub blocklisted_at: Option<Millis>,
}

/// A page of the face blocklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlocklistPage {
    /// The rows that could be read.
    pub rows: Vec<BlocklistRow>,
    /// The rows that could not.
    pub set_aside: Vec<SetAside>,
    /// How many there are in all, where the server says so.
    pub count: Option<u64>,
}

/// The id of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListId(pub Uuid);

/// The id of an entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryId(pub Uuid);

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListType {
    /// The system's blocklist: one for each entry type.
    Blocklist,
    /// The system's allowlist.
    Allowlist,
    /// A list of the customer's.
    Custom,
}

impl ListType {
    /// The API's own word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocklist => "blocklist",
            Self::Allowlist => "allowlist",
            Self::Custom => "custom",
        }
    }
}

/// What the entries of a list are. Only those this console deals with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryType {
    /// Faces.
    Face,
    /// Documents.
    Document,
}

impl EntryType {
    /// The API's own word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Document => "document",
        }
    }
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// Its id.
    pub id: ListId,
    /// Its name, printable.
    pub name: String,
    /// Whether it is one of the system's: the one that blocks.
    pub is_system: bool,
    /// How many entries it has, where the server says so.
    pub entry_count: Option<u64>,
}

/// The lists of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The lists that could be read.
    pub rows: Vec<ListRow>,
    /// The ones that could not.
    pub set_aside: Vec<SetAside>,
    /// How many there are in all, where the server says so.
    pub count: Option<u64>,
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its id.
    pub id: EntryId,
    /// The label it was added under, printable.
    pub label: Option<String>,
    /// Its comment, printable.
    pub comment: Option<String>,
    /// The session it was taken from.
    pub session_id: Option<SessionId>,
    /// The number of that session.
    pub session_number: Option<u64>,
    /// Since when.
    pub created_at: Option<Millis>,
}

/// A page of a list's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries that could be read.
    pub rows: Vec<EntryRow>,
    /// The ones that could not.
    pub set_aside: Vec<SetAside>,
    /// How many the search holds in all, where the server says so.
    pub count: Option<u64>,
}

/// Which enrolled faces a search looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SearchType {
    /// Every enrolled face, best first.
    #[default]
    MostSimilar,
    /// Only blocklisted, allowlisted, approved and imported ones, blocklisted first.
    BlocklistedOrApproved,
}

impl SearchType {
    /// The API's own word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::MostSimilar => "most_similar",
            Self::BlocklistedOrApproved => "blocklisted_or_approved",
        }
    }
}

/// A face search: one photograph against all enrolled faces. Costs a credit.
#[derive(Clone)]
pub struct FaceSearchRequest {
    /// Name of the file; only its extension matters to Didit (tiff, jpg, jpeg, png, webp).
    pub file_name: String,
    /// The file, at most 5 MB.
    pub bytes: Vec<u8>,
    /// Whether to try the picture in all four directions; slower.
    pub rotate: bool,
    /// Which faces to look at.
    pub search_type: SearchType,
    /// Whether Didit keeps the search as a session. Only a saved one has links that can be refreshed.
    pub save: bool,
    /// The customer's own id, kept and echoed.
    pub vendor_data: Option<String>,
    /// A JSON object, kept and echoed.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl fmt::Debug for FaceSearchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, rotate, search_type, save, .. } = self;
        f.debug_struct("FaceSearchRequest")
            .field("bytes", &bytes.len())
            .field("rotate", rotate)
            .field("search_type", search_type)
            .field("save", save)
            .finish_non_exhaustive()
    }
}

/// The answer to a face search, in the words of the trade.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceSearchReply {
    /// The search as a case: its key is the `request_id`, its status the search's own word. Its kind
    /// is [`crate::domain::SubjectKind::Unreachable`] where the reply shows that it was not saved. The
    /// subject has no link: the reply shows matches only.
    pub details: Details,
    /// No face was found in the picture, by the older reply's warning (today's server answers 400).
    pub no_face: bool,
}

/// A saved search, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedSearch {
    /// The search as a case.
    pub details: Details,
    /// What was given as metadata; empty where that was no object.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// A page on which credit is bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUp {
    /// Its id.
    pub id: String,
    /// Its address, https.
    pub url: String,
}

/// A file for a check.
#[derive(Clone)]
pub struct CheckFile {
    /// Its name; only the ending matters.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for CheckFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckFile({} bytes)", self.bytes.len())
    }
}

/// How a check is made.
#[derive(Clone)]
pub struct CheckOptions {
    /// Whether Didit keeps it as a session.
    pub save: bool,
    /// The customer's own id, kept and echoed.
    pub vendor_data: Option<String>,
}

/// What a check says of a person, without the person.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReply {
    /// Its id, where it can be read.
    pub request_id: Option<SessionId>,
    /// The verdict.
    pub status: Status,
    /// 0 to 100, where the check has one.
    pub score: Option<f64>,
    /// What speaks against it.
    pub warnings: Vec<Warning>,
}

/// The balance at Didit. Amounts are decimal text in US dollars, exactly as the server wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// What is left.
    pub balance: String,
    /// Whether it refills itself, where the server says so.
    pub auto_refill: Option<bool>,
    /// By how much.
    pub refill_amount: Option<String>,
    /// Below which balance.
    pub refill_below: Option<String>,
}
