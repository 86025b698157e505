//! `balance` and `top-up`: what is left at Didit, and the page where more is bought. Amounts are decimal
//! text from end to end.

use std::io::{self, IsTerminal};

use serde::Serialize;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say};
use super::super::wire::Setup;
use super::prompt;

/// The balance as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Left<'a> {
    balance: &'a str,
    auto_refill_enabled: Option<bool>,
    auto_refill_amount: Option<&'a str>,
    auto_refill_threshold: Option<&'a str>,
}

/// Prints the balance.
pub async fn balance(args: &Args) -> Result<Exit, CliError> {
    let balance = Setup::load(args)?.client().await?.balance().await?;
    if args.json {
        json(&Left {
            balance: &balance.balance,
            auto_refill_enabled: balance.auto_refill,
            auto_refill_amount: balance.refill_amount.as_deref(),
            auto_refill_threshold: balance.refill_below.as_deref(),
        })?;
        return Ok(Exit::Done);
    }
    line(&format!("${}", balance.balance))?;
    match (balance.auto_refill, &balance.refill_amount, &balance.refill_below) {
        (Some(true), Some(amount), Some(below)) => {
            say(&format!("Refills itself by ${amount} below ${below}."));
        }
        (Some(true), ..) => say("Refills itself."),
        (Some(false), ..) => say("Does not refill itself."),
        (None, ..) => {}
    }
    Ok(Exit::Done)
}

/// The page as JSON.
#[derive(Serialize)]
struct Page<'a> {
    checkout_session_id: &'a str,
    checkout_session_url: &'a str,
    amount_in_dollars: &'a str,
}

/// Opens a page to pay on and prints its link.
pub async fn top_up(args: &Args, dollars: &str, agreed: bool) -> Result<Exit, CliError> {
    let amount = amount(dollars)?;
    let client = Setup::load(args)?.client().await?;
    if !agreed {
        ask_twice(&amount)?;
    }
    let page = client.top_up(&amount).await?;
    if args.json {
        json(&Page {
            checkout_session_id: &page.id,
            checkout_session_url: &page.url,
            amount_in_dollars: &amount,
        })?;
    } else {
        line(&page.url)?;
        say(&format!("Nothing is charged before ${amount} are paid on that page."));
    }
    Ok(Exit::Done)
}

fn ask_twice(amount: &str) -> Result<(), CliError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::new(
            Exit::Usage,
            "nobody can be asked whether to top up, so nothing was done",
            "Run it in a terminal, or say --yes to agree beforehand",
        ));
    }
    let stopped = || CliError::new(Exit::Nothing, "nothing was done", "Run it again to top up");
    if !prompt::yes(&format!("Top up by ${amount}?"))? {
        return Err(stopped());
    }
    let typed = prompt::line("Type the amount again: ")?;
    let same = typed.trim().trim_start_matches('$') == amount;
    same.then_some(()).ok_or_else(stopped)
}

/// An amount as Didit takes it: at least 50 dollars, cents at most.
fn amount(text: &str) -> Result<String, CliError> {
    let text = text.trim().trim_start_matches('$');
    let (whole, cents) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 6) || !digits(cents, 2) {
        return Err(CliError::new(
            Exit::Usage,
            "that is no amount in dollars",
            "Write it like 100 or 99.50",
        ));
    }
    if whole.parse().is_ok_and(|whole: u32| whole < 50) {
        return Err(CliError::new(
            Exit::Usage,
            "Didit takes no less than 50 dollars",
            "Name a larger amount",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_at_least_fifty_dollars_and_keeps_its_digits() {
        for (text, kept) in [
            ("50", Some("50")),
            ("$99.50", Some("99.50")),
            ("100.1", Some("100.1")),
            (" 250 ", Some("250")),
            ("49.99", None),
            ("0", None),
            ("50.001", None),
            ("50.", None),
            (".50", None),
            ("-50", None),
            ("5e3", None),
            ("1,000", None),
            ("1000000", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(amount(text).ok().as_deref(), kept, "{text}");
        }
    }
}
