//! Who decides: the SSH key's fingerprint, else the operating system's user; and a name as a label on it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::domain::{Reviewer, ReviewerId, printable};

/// The reviewer. `name` is the configured label, empty for the system's user name; `auth_file` is what
/// sshd's `ExposeAuthInfo` put into `SSH_USER_AUTH`.
pub fn reviewer(name: &str, auth_file: Option<&str>) -> Reviewer {
    let uid = rustix::process::getuid().as_raw();
    let id = auth_file
        .and_then(|path| std::fs::read_to_string(path).ok())
        .and_then(|text| fingerprint(&text))
        .unwrap_or_else(|| format!("os:{uid}"));
    let name = [name.to_owned(), user_name(uid)]
        .into_iter()
        .map(|name| printable(&name, 40).replace(char::is_whitespace, "_"))
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid{uid}"));
    Reviewer { id: ReviewerId(id), name }
}

/// The fingerprint of the key in `publickey TYPE BASE64` (`sshd_config(5)`, `ExposeAuthInfo`), as ssh-keygen
/// prints it: `ssh:SHA256:…`.
fn fingerprint(auth_info: &str) -> Option<String> {
    let mut words = auth_info.lines().find(|line| line.starts_with("publickey "))?.split(' ');
    let blob = STANDARD.decode(words.nth(2)?.trim()).ok()?;
    Some(format!("ssh:SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob))))
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
    fn the_fingerprint_is_the_one_ssh_keygen_prints() {
        // `ssh-keygen -lf` of this public key, made for this test and used nowhere.
        let info = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        let id = fingerprint(info).unwrap();
        assert!(id.starts_with("ssh:SHA256:") && id.len() == 11 + 43, "{id}");
        assert_eq!(fingerprint("password\n"), None);
        assert_eq!(fingerprint("publickey ssh-ed25519 !!!"), None);
    }

    #[test]
    fn a_label_is_one_word() {
        let reviewer = reviewer("Ana\u{1b}[2J María", None);
        assert_eq!(reviewer.name, "Ana[2J_María");
        assert!(reviewer.id.0.starts_with("os:"));
    }
}
