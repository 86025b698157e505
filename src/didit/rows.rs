//! Pages: rows read one by one, what cannot be read set aside with its reason, the page kept. And the
//! balance.

use uuid::Uuid;

use super::convert::{MOST_TEXT, id, name, protocol, word};
use super::dto;
use super::error::Result;
use super::read::{Field, Items};
use super::types::{
    Balance, BlocklistRow, EntryId, EntryRow, FaceSteps, ListId, ListRow, SessionRow, SetAside,
    TopUp,
};
use crate::domain::{Status, printable};

/// What a row became, or why it could not.
type Row<T> = std::result::Result<T, &'static str>;

/// The rows of a page. A page without a list is none: it must not look like an empty one.
pub(super) fn results<T>(results: Option<Items<T>>) -> Result<Items<T>> {
    results.ok_or_else(|| protocol("it holds no list of results"))
}

/// Reads every row of a page, setting aside what cannot be one.
pub(super) fn read<T, R>(
    found: Option<Items<T>>,
    read: impl Fn(T) -> Row<R>,
) -> Result<(Vec<R>, Vec<SetAside>)> {
    let mut rows = Vec::new();
    let mut set_aside = Vec::new();
    for (place, item) in results(found)?.0.into_iter().enumerate() {
        match item.and_then(&read) {
            Ok(row) => rows.push(row),
            Err(why) => set_aside.push(SetAside { place, why }),
        }
    }
    Ok((rows, set_aside))
}

/// A row of the list of sessions.
pub(super) fn session(row: dto::Session) -> Row<SessionRow> {
    Ok(SessionRow {
        session_id: id(row.session_id.as_deref()).ok_or("its session_id is no id")?,
        session_number: row.session_number,
        status: Status::from(word(&row.status.ok_or("it has no status")?)),
        created_at: row.created_at,
        faces: faces(&row.features),
    })
}

/// What the steps of a row say of its face. Only where another step is certainly the one that waits is the
/// session held for no face.
fn faces(steps: &Items<dto::Step>) -> FaceSteps {
    let about_a_face = |name: &str| ["FACE", "LIVENESS"].iter().any(|word| name.contains(word));
    let mut another_waits = false;
    for step in &steps.0 {
        let Ok(dto::Step { feature: Some(feature), status: Some(status) }) = step else {
            return FaceSteps::Open;
        };
        match (about_a_face(feature), status.as_str()) {
            (true, "Approved" | "Not Finished") => {}
            (true, _) => return FaceSteps::Open,
            (false, "In Review") => another_waits = true,
            (false, _) => {}
        }
    }
    if another_waits { FaceSteps::Clear } else { FaceSteps::Open }
}

/// A row of the blocklist.
pub(super) fn blocklisted(row: dto::Blocklisted) -> Row<BlocklistRow> {
    Ok(BlocklistRow {
        session_id: id(row.session_id.as_deref()).ok_or("its session_id is no id")?,
        session_number: row.session_number,
        blocklisted_at: row.blocklisted_at,
    })
}

fn uuid(text: Option<String>) -> Row<Uuid> {
    text.and_then(|t| Uuid::parse_str(&t).ok()).ok_or("its uuid is none")
}

/// A list.
pub(super) fn list(row: dto::List) -> Row<ListRow> {
    Ok(ListRow {
        id: ListId(uuid(row.uuid)?),
        name: name(row.name).unwrap_or_default(),
        is_system: row.is_system == Field::Is(true),
        entry_count: row.entry_count,
    })
}

/// An entry of a list.
pub(super) fn entry(row: dto::Entry) -> Row<EntryRow> {
    Ok(EntryRow {
        id: EntryId(uuid(row.uuid)?),
        label: row.display_label.map(|t| printable(&t, MOST_TEXT)),
        comment: row.comment.map(|t| printable(&t, MOST_TEXT)),
        session_id: id(row.reference_session_id.as_deref()),
        session_number: row.reference_session_number,
        created_at: row.created_at,
    })
}

/// The balance, digits as they came.
pub(super) fn balance(balance: dto::Balance) -> Result<Balance> {
    Ok(Balance {
        balance: amount(balance.balance).ok_or_else(|| protocol("it holds no balance"))?,
        auto_refill: balance.auto_refill_enabled.ok(),
        refill_amount: amount(balance.auto_refill_amount),
        refill_below: amount(balance.auto_refill_threshold),
    })
}

pub(super) fn top_up(page: dto::TopUp) -> Result<TopUp> {
    let url = page.checkout_session_url.filter(|text| {
        // Somebody will open it: it has to be an address and nothing else.
        let url = url::Url::parse(text);
        url.is_ok_and(|url| url.scheme() == "https" && url.has_host())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    Ok(TopUp {
        id: word(page.checkout_session_id.as_deref().unwrap_or_default()),
        url: url.ok_or_else(|| protocol("it holds no address to pay at"))?,
    })
}

/// Digits, at most one point, perhaps a sign.
fn amount(text: Option<String>) -> Option<String> {
    let text = text?;
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |t: &str| !t.is_empty() && t.len() <= 30 && t.bytes().all(|b| b.is_ascii_digit());
    (digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(part)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::read::root;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_without_a_list_is_no_empty_page() {
        for text in ["{}", r#"{"results": null}"#, r#"{"results": {}}"#, r#"{"results": "none"}"#] {
            let page: dto::Page<dto::Session> = root(text).unwrap();
            assert!(read(page.results, session).is_err(), "{text}");
        }
        let page: dto::Page<dto::Session> = root(r#"{"results": []}"#).unwrap();
        assert_eq!(read(page.results, session).unwrap(), (vec![], vec![]));
    }

    proptest! {
        #[test]
        fn no_row_is_lost_and_none_spoils_the_page(
            rows in prop::collection::vec(
                r#"null|7|-1e999|"x"|\[\[\]\]|\{"session_id": ("a-1"|7|"a b"), "status": ("Approved"|\{\})\}"#,
                0..8,
            ),
        ) {
            let text = format!("{{\"results\": [{}]}}", rows.join(", "));
            let page: dto::Page<dto::Session> = root(&text).unwrap();
            let (good, bad) = read(page.results, session).unwrap();
            let well_formed = |row: &&String| row.contains("a-1") && row.contains("Approved");
            prop_assert_eq!(good.len(), rows.iter().filter(well_formed).count());
            prop_assert_eq!(good.len() + bad.len(), rows.len());
        }
    }
}
