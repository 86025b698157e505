//! Who sits at the computer, as far as the operating system knows: its user, and a name as a label on it. It
//! proves nothing; a person of the roster is proven by a signature (`shell/who.rs`).

use crate::domain::{Reviewer, ReviewerId, printable};

/// The system's user. `name` is the configured label, empty for the system's user name.
pub fn system(name: &str) -> Reviewer {
    let uid = rustix::process::getuid().as_raw();
    let name = [name.to_owned(), user_name(uid)]
        .into_iter()
        .map(|name| printable(&name, 40).replace(char::is_whitespace, "_"))
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid{uid}"));
    Reviewer { id: ReviewerId(format!("os:{uid}")), name }
}

/// The user's name by the system's list, not by the environment, which anybody can set.
fn user_name(uid: u32) -> String {
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    list.lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
        })
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_word() {
        let reviewer = system("Ana\u{1b}[2J María");
        assert_eq!(reviewer.name, "Ana[2J_María");
        assert!(reviewer.id.0.starts_with("os:"));
    }
}
