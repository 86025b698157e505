//! What only tmux can tell: whether keys go to our pane, and which terminals show it. What the terminal
//! around it answers goes where the keys go, and a picture that tmux knows nothing of is drawn where that
//! pane's cursor is. And a tmux outlives whoever started it: another terminal may be looking by now.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::child::{Sees, child};

/// How long tmux may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Terminals that are told apart.
const CLIENTS: usize = 64;

/// A terminal attached to tmux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its process, and when it came: a number alone comes back.
    id: String,
    /// Its size in cells.
    size: String,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Keys go to our pane: it is the active one of its window, and in no mode of tmux's own (a search of what
    /// went before, say), which has the keys then.
    pub active: bool,
    /// The terminals that show its window.
    pub clients: Vec<Client>,
    /// It lets through what goes to the terminal around it (`allow-passthrough all`) also while it has not
    /// drawn its pane yet, so that an answer says nothing of what is on the screen. With `on` it drops both.
    pub overtakes: bool,
}

/// Asks about a pane (`%3`); `None` when tmux does not tell.
pub async fn ask(pane: &str) -> Option<Told> {
    let mut tmux = Command::from(child("tmux", Sees::Needed));
    let ours = "#{window_id} #{pane_active} #{window_active} #{pane_in_mode} #{allow-passthrough}";
    let theirs = "#{window_id} #{client_pid} #{client_created} #{client_width}x#{client_height}";
    tmux.args(["display-message", "-p", "-t", pane, ours, ";", "list-clients", "-F", theirs]);
    tmux.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, tmux.output()).await.ok()?.ok()?;
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> Option<Told> {
    let mut lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let (window, active, passes) = match lines.next()?[..] {
        [window, "1", "1", modes, passes] => (window, matches!(modes, "0" | ""), passes),
        [window, "0" | "1", "0" | "1", _, passes] => (window, false, passes),
        _ => return None,
    };
    let client = |line: Vec<&str>| match line[..] {
        [shown, pid, created, size] if shown == window => {
            Some(Client { id: format!("{pid} {created}"), size: size.to_owned() })
        }
        _ => None,
    };
    let clients = lines.filter_map(client).take(CLIENTS).collect();
    Some(Told { active, clients, overtakes: passes == "all" })
}

/// Who looks at the console through tmux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// Not asked yet.
    Unasked,
    /// tmux does not tell.
    Untold,
    /// It runs on another machine, where it cannot be asked.
    Elsewhere,
    /// Nobody.
    Nobody,
    /// One terminal, whose console it is.
    One,
    /// The same, and its answers may come before what tmux has still to draw.
    OneAhead,
    /// Several, which were there when it began, all of one size.
    Several,
    /// Several, of different sizes.
    Sizes,
    /// Another one besides.
    Another,
}

/// Keeps whose console it is.
#[derive(Debug, Default)]
pub struct Watch {
    /// Those attached when it began, or the last time that none of them was left and others came.
    owners: Vec<Client>,
    asked: bool,
}

impl Watch {
    /// Takes in what tmux tells; whether another terminal has come in the place of those before.
    pub fn take(&mut self, told: Option<&Told>) -> (Looks, bool) {
        let Some(told) = told else { return (Looks::Untold, false) };
        let first = !std::mem::replace(&mut self.asked, true);
        let same = |a: &Client, b: &Client| a.id == b.id;
        let is_owner = |client: &Client| self.owners.iter().any(|owner| same(owner, client));
        let (known, new): (Vec<_>, Vec<_>) = told.clients.iter().partition(|c| is_owner(c));
        let mut anew = false;
        if known.is_empty() && !new.is_empty() {
            self.owners.clone_from(&told.clients);
            anew = !first;
        } else if !new.is_empty() {
            return (Looks::Another, false);
        }
        let looks = match told.clients.as_slice() {
            [] => Looks::Nobody,
            [_] if told.overtakes => Looks::OneAhead,
            [_] => Looks::One,
            [one, others @ ..] if others.iter().all(|other| other.size == one.size) => {
                Looks::Several
            }
            _ => Looks::Sizes,
        };
        (looks, anew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(clients: &str) -> Told {
        read(&format!("@1 1 1 0 on\n{clients}")).unwrap()
    }

    #[test]
    fn only_terminals_that_show_our_window_look_at_it() {
        let told = told("@1 71 1700000000 80x24\n@2 72 1700000001 80x24\n");
        assert_eq!(told.clients.len(), 1);
        assert!(told.active);
        assert!(!read("@1 1 1 1 1\n").unwrap().active, "in a mode of tmux's own");
        assert!(!read("@1 0 1 0 \n").unwrap().active);
        for nonsense in ["", "no server running", "@1 1 1\n", "@1 1 1 0\n"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_console_is_theirs_who_were_there_when_it_began() {
        let (mine, other) = ("@1 71 17 80x24\n", "@1 72 18 80x24\n");
        let mut watch = Watch::default();
        assert_eq!(watch.take(Some(&told(mine))), (Looks::One, false));
        assert_eq!(watch.take(Some(&told(&[mine, other].concat()))), (Looks::Another, false));
        assert_eq!(watch.take(Some(&told(mine))), (Looks::One, false));
        assert_eq!(watch.take(Some(&told(""))), (Looks::Nobody, false));
        // The same terminal cannot come back: it is another process.
        assert_eq!(watch.take(Some(&told(other))), (Looks::One, true));
        assert_eq!(watch.take(Some(&told(&[mine, other].concat()))), (Looks::Another, false));
        assert_eq!(watch.take(None), (Looks::Untold, false));
    }

    #[test]
    fn two_from_the_beginning_may_look_if_they_see_the_same() {
        let both = |size| format!("@1 71 17 80x24\n@1 72 18 {size}\n");
        let mut watch = Watch::default();
        assert_eq!(watch.take(Some(&told(&both("80x24")))), (Looks::Several, false));
        assert_eq!(watch.take(Some(&told(&both("90x24")))), (Looks::Sizes, false));
    }

    #[test]
    fn what_may_be_answered_before_the_pane_is_drawn_is_told_apart() {
        for (passes, looks) in [("all", Looks::OneAhead), ("on", Looks::One), ("1", Looks::One)] {
            let told = read(&format!("@1 1 1 0 {passes}\n@1 71 17 80x24\n"));
            assert_eq!(Watch::default().take(told.as_ref()), (looks, false), "{passes}");
        }
    }

    #[test]
    fn whoever_comes_first_to_a_console_that_nobody_saw_is_told() {
        let mut watch = Watch::default();
        assert_eq!(watch.take(Some(&told(""))), (Looks::Nobody, false));
        assert_eq!(watch.take(Some(&told("@1 71 17 80x24\n"))), (Looks::One, true));
    }
}
