#!/usr/bin/env bash
# tmux 3.3a and GNU screen 4.9.0 answer CSI 5n ("are you well?") themselves, also while no terminal is attached.
#
# So an answer to it proves that the multiplexer has read what was sent before, not that anybody saw it. tmux alone says
# who it is (XTVERSION, CSI > q); screen answers that with nothing, and can be told by its secondary attributes
# only (CSI > c: 83, which is "S"; tmux: 84, "T").
#
# Seen: `ESC [ 0 n` from both, detached. Needs Debian 12 (for its pinned packages), which it unpacks into a temporary
# folder. Exits 1 if the behaviour changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq tmux=3.3a-3 screen=4.9.0-4 >/dev/null
for package in *.deb; do dpkg -x "$package" root; done
export PATH="$folder/root/usr/bin:$PATH" HOME="$folder" LC_ALL=C.UTF-8
printf '%s, %s\n' "$(tmux -V)" "$(screen --version || true)"
# Asks on its own terminal and keeps the answers that come before that of a last question.
cat > ask.py <<'PY'
import os, re, select, sys, termios, tty
tty.setraw(0)
def ask(question, wanted):
    os.write(1, question)
    got = b""
    while select.select([0], [], [], 5)[0]:
        got += os.read(0, 512)
        if re.search(wanted, got):
            return got
    return got
well = ask(b"\x1b[5n", rb"\x1b\[0n")
who = ask(b"\x1b[>q\x1b[>c", rb"\x1b\[>[0-9;]*c")
open(sys.argv[1], "w").write(repr(well) + " " + repr(who))
PY
tmux -L find -f /dev/null new-session -d "python3 ask.py tmux.out"
mkdir -m 700 sockets
SCREENDIR="$folder/sockets" screen -c /dev/null -dmS find python3 ask.py screen.out
for name in tmux screen; do
  for _ in $(seq 200); do [ -s "$name.out" ] && break; sleep 0.05; done
  printf '%s, nobody attached: %s\n' "$name" "$(cat "$name.out")"
  grep -q '\[0n' "$name.out" || { echo "$name did not answer: changed"; exit 1; }
done
grep -q 'tmux 3.3a' tmux.out || { echo "tmux does not say who it is: changed"; exit 1; }
grep -q '>83;' screen.out || { echo "screen's attributes: changed"; exit 1; }
echo "as described: both answer for a terminal that is not there"
