//! The calls about blocklists: the older ones that set flags on a session's records, and the Lists
//! API that takes their place where they are gone.

use serde_json::json;

use super::client::Client;
use super::error::Result;
use super::http::{Body, Call, took};
use super::types::{BlocklistPage, EntryId, EntryPage, EntryType, ListId, ListPage, ListType};
use super::{dto, rows};
use crate::domain::{Comment, SessionId};

/// Rows a page of lists or of entries.
const ROWS_A_PAGE: &str = "100";

impl Client {
    /// Puts a session's face on the blocklist, by the older call, which sets a flag: safe to repeat.
    ///
    /// # Errors
    /// [`super::ApiError`]; [`super::ErrorKind::NotFound`] (404, 405) when the session or the whole call is unknown.
    pub async fn blocklist_add_face(&self, id: &SessionId) -> Result<()> {
        let url = self.url(&["v3", "blocklist", "add"]);
        let body = json!({ "session_id": id, "blocklist_face": true });
        took(&self.call(Call::post(url, Body::Json(body))).await?)
    }

    /// Takes a session's face off the blocklist.
    ///
    /// # Errors
    /// As [`Client::blocklist_add_face`].
    pub async fn blocklist_remove_face(&self, id: &SessionId) -> Result<()> {
        let url = self.url(&["v3", "blocklist", "remove"]);
        let body = json!({ "session_id": id, "unblock_face": true });
        took(&self.call(Call::post(url, Body::Json(body))).await?)
    }

    /// A page of the face blocklist, `limit` from 1 to 100.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn blocklist(&self, offset: u32, limit: u32) -> Result<BlocklistPage> {
        let mut url = self.url(&["v3", "blocklist"]);
        url.query_pairs_mut()
            .append_pair("item_type", "face")
            .append_pair("limit", &limit.clamp(1, 100).to_string())
            .append_pair("offset", &offset.to_string());
        let page: dto::Page<dto::Blocklisted> = self.call(Call::get(url)).await?.read()?;
        let (rows, set_aside) = rows::read(page.results, rows::blocklisted)?;
        Ok(BlocklistPage { rows, set_aside, count: page.count })
    }

    /// The lists of a kind (up to 100).
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn lists(&self, list_type: ListType, entry_type: EntryType) -> Result<ListPage> {
        let mut url = self.url(&["v3", "lists"]);
        url.query_pairs_mut()
            .append_pair("list_type", list_type.word())
            .append_pair("entry_type", entry_type.word())
            .append_pair("limit", ROWS_A_PAGE);
        let page: dto::Page<dto::List> = self.call(Call::get(url)).await?.read()?;
        let (rows, set_aside) = rows::read(page.results, rows::list)?;
        Ok(ListPage { rows, set_aside, count: page.count })
    }

    /// A page of up to 100 entries of a list; `search` looks into labels and values.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn list_entries(
        &self,
        list: ListId,
        search: Option<&str>,
        offset: u32,
    ) -> Result<EntryPage> {
        let mut url = self.url(&["v3", "lists", &list.0.to_string(), "entries"]);
        if let Some(search) = search {
            url.query_pairs_mut().append_pair("search", search);
        }
        url.query_pairs_mut()
            .append_pair("limit", ROWS_A_PAGE)
            .append_pair("offset", &offset.to_string());
        let page: dto::Page<dto::Entry> = self.call(Call::get(url)).await?.read()?;
        let (rows, set_aside) = rows::read(page.results, rows::entry)?;
        Ok(EntryPage { rows, set_aside, count: page.count })
    }

    /// Adds a session's record to a list under a label. Didit guards against no repetition: search
    /// for the label first, and again after a lost answer.
    ///
    /// # Errors
    /// [`super::ApiError`].
    pub async fn add_entry(
        &self,
        list: ListId,
        session: &SessionId,
        label: &str,
        comment: &Comment,
    ) -> Result<()> {
        let url = self.url(&["v3", "lists", &list.0.to_string(), "entries"]);
        let body = json!({
            "reference_session_id": session,
            "display_label": label,
            "comment": comment.as_str(),
        });
        took(&self.call(Call::post(url, Body::Json(body))).await?)
    }

    /// Takes an entry off a list.
    ///
    /// # Errors
    /// [`super::ApiError`]; [`super::ErrorKind::NotFound`] when it is gone already.
    pub async fn remove_entry(&self, list: ListId, entry: EntryId) -> Result<()> {
        let (list, entry) = (list.0.to_string(), entry.0.to_string());
        let url = self.url(&["v3", "lists", &list, "entries", &entry]);
        took(&self.call(Call::delete(url)).await?)
    }
}
