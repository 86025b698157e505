//! What can go wrong with the store.

/// An error of the store. The text of a database error never holds row contents.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names no kind of store.
    #[error("the store address must be sqlite:PATH, postgres://… or memory:")]
    BadUrl,
    /// The file is not a database of ours.
    #[error("{path} is not a secondlook store: {why}")]
    NotAStore {
        /// The file.
        path: String,
        /// What it is instead.
        why: String,
    },
    /// A later version made it.
    #[error("the store was made by a later version (schema {found}, this program knows {known})")]
    Newer {
        /// Its schema version.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// Others may read the file.
    #[error("{path} can be read by others (mode {mode:o}); run chmod 600 on it")]
    Permissions {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may write the folder, so they may put files in the place of the store's.
    #[error(
        "others may write the folder {path} (mode {mode:o}), and with it the store's files; {remedy}"
    )]
    OpenFolder {
        /// The folder.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// What to do.
        remedy: &'static str,
    },
    /// The lease is not ours any more.
    #[error("the case is not yours any more")]
    LostLease,
    /// The case has been decided already.
    #[error("the case has been decided already")]
    Conflict,
    /// The case waits for a second reader, and the decision is by one who escalated it.
    #[error("you escalated the case: another reviewer decides it")]
    SecondReader,
    /// The decision is one of two people's, and who makes it is nobody that the roster knows.
    #[error("a second reading is a proven person's: `secondlook reviewers` says who that can be")]
    NotProven,
    /// There is no roster where there should be one.
    #[error("nothing is decided: {0}")]
    NoRoster(crate::roster::Missing),
    /// The decision is not that of whoever it names, by the roster as it is now.
    #[error("nothing is decided: {0}")]
    NotThem(String),
    /// A change of the roster that may not be made.
    #[error("the roster stays as it is: {0}")]
    NotEnacted(#[from] crate::roster::NotEnacted),
    /// A confirmation by somebody who may not give it.
    #[error("nothing is confirmed: {0}")]
    NotSecond(String),
    /// The store holds something already, and may not.
    #[error("the store is not empty")]
    NotEmpty,
    /// The store is not carried over.
    #[error("the store is not copied: {0}")]
    Kept(String),
    /// Consoles are at work in the store.
    #[error("{0} console(s) are at work in the store")]
    InUse(u64),
    /// Nothing can be entered in the audit: its end is not where its entries end.
    #[error("nothing can be entered in the audit: {0}")]
    AuditEnd(String),
    /// A decision that had to be sent and cannot be read.
    #[error("{0}")]
    Parked(Box<crate::domain::Parked>),
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The store is busy or out of reach; trying again may help.
    #[error("the store cannot be reached: {0}")]
    Busy(String),
    /// The server answers and takes no writes.
    #[error(
        "the server takes no writes: it is a standby, or default_transaction_read_only is on there"
    )]
    ReadOnly,
    /// Others changed the same at the same moment, again and again.
    #[error("others change the same at the same moment")]
    Collision,
    /// The address names something that holds no store as it is.
    #[error("{0}")]
    Unfit(String),
    /// A row cannot be read.
    #[error("a row of the store cannot be read: {0}")]
    Corrupt(String),
    /// A guard in the database raised: it says what nobody may.
    #[error("the store's guard refused it: {0}")]
    Guard(String),
    /// Anything else.
    #[error("the store failed: {0}")]
    Other(String),
}
