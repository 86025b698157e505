//! What only tmux can tell: whether keys go to our pane. What the terminal around it answers goes where
//! the keys go, and a picture that tmux knows nothing of is drawn where that pane's cursor is.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::child::{Sees, child};

/// How long tmux may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether a pane (`%3`) is the active one of the window that is shown, and in no mode of tmux's own (a search
/// of what went before, say), which has the keys then; `None` when tmux does not tell.
pub async fn is_active(pane: &str) -> Option<bool> {
    let mut tmux = Command::from(child("tmux", Sees::Needed));
    tmux.args([
        "display-message",
        "-p",
        "-t",
        pane,
        "#{pane_active} #{window_active} #{pane_in_mode}",
    ]);
    tmux.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, tmux.output()).await.ok()?.ok()?;
    match output.stdout.trim_ascii().split(|byte| *byte == b' ').collect::<Vec<_>>()[..] {
        [b"1", b"1", modes] => Some(matches!(modes, b"0" | b"")),
        [b"0" | b"1", b"0" | b"1", _] => Some(false),
        _ => None,
    }
}
