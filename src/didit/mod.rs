//! The typed client of Didit's HTTP API: answers come out in the words of `domain`.
//!
//! It knows hosts, paths, shapes, limits and what may be tried again. It refuses to know what a
//! decision means, where things are stored, or what is on a screen. It follows no redirect, holds
//! no cookie, and shows the key to the API's own host alone.

mod client;
mod error;
mod types;

pub use client::{Client, Settings, parse_decision, parse_face_search};
pub use error::{ApiError, CarriedOut, ErrorKind, Result};
pub use types::{
    Balance, BlocklistPage, BlocklistRow, DUPLICATE_RISKS, EntryId, EntryPage, EntryRow, EntryType,
    FaceSearchReply, FaceSearchRequest, ListId, ListPage, ListRow, ListType, NewStatus, NextPage,
    SearchType, SessionPage, SessionQuery, SessionRow, SetAside, StatusWritten,
};
