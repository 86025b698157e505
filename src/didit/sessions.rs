//! The calls about sessions: list, decision, status, reviews.

use jiff::Timestamp;
use serde_json::json;
use url::Url;

use super::client::Client;
use super::error::{ApiError, BodyShape, ErrorKind, Result};
use super::http::{Answer, Body, Call, took};
use super::read::Field;
use super::types::{NewStatus, NextPage, SessionPage, SessionQuery, StatusWritten};
use super::{convert, dto, read, rows};
use crate::domain::{
    Comment, Details, Link, Millis, ReviewEntry, SessionId, Status, SubjectKind, UserKey,
};

/// Lines of a review feed a page.
const REVIEWS_A_PAGE: &str = "100";
/// Pages of a review feed that are read: the newest thousand lines.
const MOST_REVIEW_PAGES: usize = 10;

impl Client {
    /// A page of sessions.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Protocol`] naming the host when the next page is on another one.
    pub async fn sessions(&self, query: &SessionQuery) -> Result<SessionPage> {
        self.session_page(self.list_url(query)).await
    }

    fn list_url(&self, query: &SessionQuery) -> Url {
        let mut url = self.url(&["v3", "sessions"]);
        ask(&mut url, query);
        url
    }

    /// A page of sessions, as it came.
    pub(super) async fn session_list(&self, query: &SessionQuery) -> Result<Answer> {
        self.call(Call::get(self.list_url(query))).await
    }

    /// The page after.
    ///
    /// # Errors
    /// As [`Client::sessions`].
    pub async fn next_sessions(&self, next: &NextPage) -> Result<SessionPage> {
        // A page of another client's may be of another server: this one's key does not go there.
        self.session_page(self.own(next.0.as_str())?).await
    }

    async fn session_page(&self, url: Url) -> Result<SessionPage> {
        let answer = self.call(Call::get(url.clone())).await?;
        let page: dto::Page<dto::Session> = answer.read()?;
        let next = self.next(page.next, &url)?;
        let (rows, set_aside) = rows::read(page.results, rows::session)?;
        Ok(SessionPage { rows, set_aside, count: page.count, next: next.map(NextPage) })
    }

    /// The next page's address: on the API's own host, and not the page that has just been read.
    fn next(&self, next: Field<String>, this: &Url) -> Result<Option<Url>> {
        let protocol = |why| ApiError::new(ErrorKind::Protocol, why);
        match next {
            Field::Absent => Ok(None),
            Field::Unreadable => Err(protocol("the next page has no address")),
            Field::Is(link) => {
                let next = self.own(&link)?;
                if next == *this {
                    return Err(protocol("a page names itself as the next"));
                }
                Ok(Some(next))
            }
        }
    }

    /// Hydrates a session: its status, its matches, fresh image links.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::Protocol`] when the answer is about another session.
    pub async fn decision(&self, id: &SessionId, kind: SubjectKind) -> Result<Details> {
        self.read_decision(id, kind).await.map(|(details, _)| details)
    }

    /// The decision, and the answer it was read from.
    pub(super) async fn read_decision(
        &self,
        id: &SessionId,
        kind: SubjectKind,
    ) -> Result<(Details, Answer)> {
        let url = self.url(&["v3", "session", id.as_str(), "decision"]);
        let answer = self.call(Call::get(url)).await?;
        let mut details = convert::details(answer.read()?, kind, answer.at)?;
        // No wrong person: what is shown under a number has to be what was asked for.
        if !details.case.key.as_str().eq_ignore_ascii_case(id.as_str()) {
            return Err(ApiError::new(ErrorKind::Protocol, "it is about another session"));
        }
        // Written the way it was asked for: a case has one key.
        details.case.key = id.clone();
        Ok((details, answer))
    }

    /// The portrait in Didit's record of a user, where there is one. It is not the picture that any match was
    /// found by.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn user_portrait(&self, user: &UserKey) -> Result<Option<Link>> {
        let url = self.url(&["v3", "users", user.reveal()]);
        let user: dto::User = self.call(Call::get(url)).await?.read()?;
        Ok(convert::link(user.portrait_image_url))
    }

    /// Writes a session's status. Never tried again once it may have been carried out.
    ///
    /// # Errors
    /// [`ApiError`]; [`ErrorKind::WrongStatus`] when the present status allows no change.
    pub async fn update_status(
        &self,
        id: &SessionId,
        status: NewStatus,
        comment: &Comment,
    ) -> Result<StatusWritten> {
        let url = self.url(&["v3", "session", id.as_str(), "update-status"]);
        let body = json!({ "new_status": status.word(), "comment": comment.as_str() });
        match self.call(Call::patch(url, Body::Json(body))).await {
            Ok(answer) => took(&answer).map(|()| StatusWritten::Written),
            Err(error) => refused_status(error),
        }
    }

    /// The review feed of a session, newest first, without the rows that only say that somebody
    /// looked. Of a very long feed the newest thousand lines.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn reviews(&self, id: &SessionId) -> Result<Vec<ReviewEntry>> {
        let mut url = self.url(&["v3", "sessions", id.as_str(), "reviews"]);
        url.query_pairs_mut().append_pair("limit", REVIEWS_A_PAGE);
        let mut items = read::Items::default();
        for _ in 0..MOST_REVIEW_PAGES {
            let answer = self.call(Call::get(url.clone())).await?;
            // Older servers send the whole feed as an array.
            if answer.text().trim_start().starts_with('[') {
                return Ok(convert::reviews(read::list(answer.text())));
            }
            let page: dto::Page<dto::Review> = answer.read()?;
            items = items.and(rows::results(page.results)?);
            match self.next(page.next, &url)? {
                Some(next) => url = next,
                None => break,
            }
        }
        Ok(convert::reviews(items))
    }

    /// Adds a note to a session's review feed. Changes no status.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn post_review(&self, id: &SessionId, comment: &Comment) -> Result<()> {
        let url = self.url(&["v3", "sessions", id.as_str(), "reviews"]);
        let body = json!({ "comment": comment.as_str() });
        took(&self.call(Call::post(url, Body::Json(body))).await?)
    }
}

/// Reads a session's decision, or a webhook's payload that carries one, received at `at`.
///
/// # Errors
/// [`ErrorKind::Protocol`] when `text` is neither.
pub fn parse_decision(text: &str, kind: SubjectKind, at: Millis) -> Result<Details> {
    let payload: dto::Payload = read::root(text)?;
    let decision = match payload.decision {
        Some(decision) => decision,
        None => read::root(text)?,
    };
    convert::details(decision, kind, at)
}
/// What a refusal to write a status means: the bare array is the one for a repeated status.
fn refused_status(error: ApiError) -> Result<StatusWritten> {
    let says = |word: &str| error.detail().to_lowercase().contains(word);
    match (error.status, error.shape()) {
        (Some(400), BodyShape::BareArray) if says("same") => Ok(StatusWritten::AlreadySo),
        (Some(400), BodyShape::Detail) if says("status") => {
            Err(error.with_kind(ErrorKind::WrongStatus))
        }
        _ => Err(error),
    }
}

/// Puts a query into an address.
fn ask(url: &mut Url, query: &SessionQuery) {
    let statuses = query.statuses.iter().map(Status::word).collect::<Vec<_>>().join(",");
    let date = query.date_from.and_then(|at| Timestamp::from_millisecond(at.0).ok());
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let fields = [
        ("status", statuses),
        ("warning", query.warnings.join(",")),
        ("session_type", given(&query.session_type)),
        ("api_service", given(&query.api_service)),
        ("search", given(&query.search)),
        ("vendor_data", given(&query.vendor_data)),
        ("date_from", date.map(|d| d.strftime("%Y-%m-%d").to_string()).unwrap_or_default()),
        ("limit", query.limit.clamp(1, 100).to_string()),
        ("offset", query.offset.to_string()),
    ];
    let mut pairs = url.query_pairs_mut();
    for (field, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
        pairs.append_pair(field, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_an_address() {
        let address = |query: &SessionQuery| {
            let mut url = Url::parse("https://api.example/v3/sessions/").unwrap();
            ask(&mut url, query);
            url.query().unwrap_or_default().to_owned()
        };
        assert_eq!(
            address(&SessionQuery {
                statuses: vec![Status::InReview, Status::Approved],
                warnings: vec!["DUPLICATED_FACE".into(), "POSSIBLE_DUPLICATED_FACE".into()],
                ..SessionQuery::default()
            }),
            "status=In+Review%2CApproved&warning=DUPLICATED_FACE%2CPOSSIBLE_DUPLICATED_FACE&limit=50&offset=0"
        );
        let all = address(&SessionQuery::faces(Vec::new()));
        assert!(all.contains("POSSIBLE_FACE_IN_BLOCKLIST"), "{all}");
        assert_eq!(
            address(&SessionQuery::saved_searches(Millis(1_768_900_500_000))),
            "session_type=API&api_service=FACE_SEARCH&date_from=2026-01-20&limit=50&offset=0"
        );
        let odd = SessionQuery {
            search: Some("a&b=c".into()),
            vendor_data: Some(String::new()),
            date_from: Some(Millis(i64::MAX)),
            limit: 0,
            offset: 7,
            ..SessionQuery::default()
        };
        assert_eq!(address(&odd), "search=a%26b%3Dc&limit=1&offset=7");
    }
}
