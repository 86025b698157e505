#!/usr/bin/env bash
# tmux 3.3a hands on what is wrapped for the terminal around it before the text that was written earlier.
#
# With allow-passthrough on, a program that writes text and then, in the same write, a wrapped CSI 5n ("are you well?")
# would expect the terminal to read them in that order. tmux gathers the cells of what it reads and draws them when it
# has read all that is there; what is wrapped it hands on at once. So the terminal answers before it has been given the text, and
# on a slow line that is seconds earlier: such an answer does not prove that anything is on the screen. Setting the
# scrolling region (CSI r, here between ESC 7 and ESC 8) makes tmux draw what it has gathered, and the order is right.
#
# Seen: the question comes before the text; with CSI r between them, after it. Needs Debian 12 (for its pinned package),
# which it unpacks into a temporary folder, and python3. Exits 1 if the behaviour changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq tmux=3.3a-3 >/dev/null
dpkg -x tmux_*.deb root
export PATH="$folder/root/usr/bin:$PATH" HOME="$folder" LC_ALL=C.UTF-8 TERM=xterm-256color
tmux -V
# A terminal of 80x24 with a tmux in it, whose only pane writes the payload in one write when it is told to. Prints what
# came first.
cat > first.py <<'PY'
import fcntl, os, pty, select, struct, sys, termios
tmux = ["tmux", "-L", "find", "-f", "conf"]
open("conf", "w").write("set -g allow-passthrough on\nset -g status off\n")
open("payload", "wb").write(b"\x1b[5;5Htext" + sys.argv[1].encode().decode("unicode_escape").encode() + b"\x1bPtmux;\x1b\x1b[5n\x1b\\")
pane = "stty -echo; echo ready; read line; cat payload; exec cat"
child, terminal = pty.fork()
if child == 0:
    os.execvp("tmux", tmux + ["new-session", "sh", "-c", pane])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
def until(*wanted):
    got = b""
    while not all(text in got for text in wanted):
        if not select.select([terminal], [], [], 10)[0]:
            sys.exit("nothing more came: " + repr(got[-200:]))
        got += os.read(terminal, 65536)
    return got
until(b"ready")
os.write(terminal, b"\r")
got = until(b"text", b"\x1b[5n")
print("text" if got.index(b"text") < got.index(b"\x1b[5n") else "question", flush=True)
os.system("tmux -L find kill-server")
PY
bare=$(python3 first.py '')
region=$(python3 first.py '\x1b7\x1b[r\x1b8')
echo "text, question:         the $bare comes first"
echo "text, CSI r, question:  the $region comes first"
[ "$bare" = question ] && [ "$region" = text ] || { echo "changed"; exit 1; }
echo "as described"
