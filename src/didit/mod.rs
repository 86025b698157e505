//! The typed client of Didit's HTTP API: answers come out in the words of `domain`.
//!
//! It knows hosts, paths, shapes, limits and what may be tried again. It refuses to know what a
//! decision means, where things are stored, or what is on a screen. It follows no redirect, holds
//! no cookie, and shows the key to the API's own host alone.

mod account;
mod budget;
mod checks;
mod client;
mod convert;
mod dto;
mod error;
mod events;
mod http;
mod lists;
mod read;
mod refusal;
mod retry;
mod rows;
mod search;
mod sessions;
mod survey;
mod types;
mod webhooks;

pub use account::{Account, Application, Token};
pub use budget::SharedBudget;
pub use client::{Client, Settings};
pub use error::{ApiError, CarriedOut, ErrorKind, Result};
pub use events::{Item, parse_item};
pub use search::parse_face_search;
pub use sessions::parse_decision;
pub use survey::{Survey, Unknown};
pub use types::{
    Balance, BlocklistPage, BlocklistRow, CheckFile, CheckOptions, CheckReply, EntryId, EntryPage,
    EntryRow, EntryType, FaceSearchReply, FaceSearchRequest, FaceSteps, ListId, ListPage, ListRow,
    ListType, NewStatus, NextPage, SavedSearch, SearchType, SessionPage, SessionQuery, SessionRow,
    SetAside, StatusWritten, TopUp,
};
pub use webhooks::{Destination, EVENTS, NewDestination};
