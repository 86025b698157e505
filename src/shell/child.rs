//! Other programs that are started, and what of our surroundings they see. Every one begins here: the
//! API key, where Didit is, and the store's address with its password stay with us.

use std::ffi::OsStr;
use std::process::Command;

/// How much of the environment a program sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// What programs of the system need: where things are, which language, terminal, tmux and agent.
    Needed,
    /// All but what is ours: a command of the user's own may need anything of theirs.
    AllButOurs,
}

/// Variables that programs of the system need.
const NEEDED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSH_SK_PROVIDER",
    "SSH_SK_HELPER",
    "SSH_PKCS11_HELPER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
];
/// The same, by how their names begin.
const NEEDED_GROUPS: &[&str] = &["LC_", "XDG_", "TMUX", "TERMINFO"];
/// Variables that hold a secret of ours: the store's address and password.
const OURS: &[&str] = &["SECONDLOOK_STORE", "PGPASSWORD"];
/// The same, by how their names begin.
const OUR_GROUP: &str = "DIDIT_";

/// A program that is yet to be started.
#[must_use]
pub fn child(program: &str, sees: Sees) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| is_shown(name, sees)));
    command
}

fn is_shown(name: &OsStr, sees: Sees) -> bool {
    let Some(name) = name.to_str() else { return sees == Sees::AllButOurs };
    let ours = OURS.contains(&name) || name.starts_with(OUR_GROUP);
    let needed =
        NEEDED.contains(&name) || NEEDED_GROUPS.iter().any(|group| name.starts_with(group));
    !ours && (needed || sees == Sees::AllButOurs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_shown_what_is_ours() {
        for (name, needed, own) in [
            ("PATH", true, true),
            ("LC_ALL", true, true),
            ("TMUX_PANE", true, true),
            ("SSH_AUTH_SOCK", true, true),
            ("XDG_RUNTIME_DIR", true, true),
            ("VAULT_TOKEN", false, true),
            ("SECONDLOOK_REVIEWER", false, true),
            ("SSH_USER_AUTH", false, true),
            ("DIDIT_API_KEY", false, false),
            ("DIDIT_WEBHOOK_SECRET", false, false),
            ("DIDIT_ANYTHING", false, false),
            ("SECONDLOOK_STORE", false, false),
            ("PGPASSWORD", false, false),
        ] {
            assert_eq!(is_shown(OsStr::new(name), Sees::Needed), needed, "{name}");
            assert_eq!(is_shown(OsStr::new(name), Sees::AllButOurs), own, "{name}");
        }
    }
}
