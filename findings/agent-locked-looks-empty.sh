#!/usr/bin/env bash
# OpenSSH 9.2p1: an agent that is locked says that it holds no identities, with success, exactly as an empty one does.
#
# Who lists an agent's keys before the work begins cannot tell "unlock it" from "add a key"; `ssh-add -l` prints "The
# agent has no identities." for both and exits 1. Only a signature that is refused afterwards tells that something
# is amiss, and that answer is the same as for a key that was taken out.
#
# Seen: both lists empty, exit 1 for both; a `sign` that is refused while locked and goes after unlocking.
# Needs Debian 12 (for its pinned package), which it unpacks into a temporary folder. Exits 1 if the behaviour changes.
set -euo pipefail
version='1:9.2p1-2+deb12u10'
folder=$(mktemp -d)
trap 'kill "${agent:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq "openssh-client=$version" >/dev/null
dpkg -x openssh-client_*.deb root
export PATH="$folder/root/usr/bin:$PATH"
echo "$(ssh -V 2>&1)"
ssh-agent -D -a "$folder/agent" >/dev/null & agent=$!
export SSH_AUTH_SOCK="$folder/agent"
for _ in $(seq 100); do [ -S agent ] && break; sleep 0.05; done
list() { set +e; ssh-add -l 2>&1; echo "exit $?"; set -e; }
empty=$(list)
ssh-keygen -q -t ed25519 -N '' -C '' -f key
ssh-add -q key
# The passphrase is asked for on a terminal, or by a program that is named.
printf '#!/bin/sh\necho once\n' > ask && chmod 700 ask
export SSH_ASKPASS="$folder/ask" SSH_ASKPASS_REQUIRE=force
ssh-add -x 2>&1
locked=$(list)
printf 'empty:  %s\nlocked: %s\n' "$(echo $empty)" "$(echo $locked)"
signs() { rm -f key.priv; mv key key.priv; printf x | ssh-keygen -q -Y sign -n test -f key.pub >/dev/null 2>&1; local r=$?; mv key.priv key; return $r; }
if signs; then echo "a locked agent signs: changed"; exit 1; fi
ssh-add -X 2>&1
signs || { echo "an unlocked agent does not sign: changed"; exit 1; }
[ "$empty" = "$locked" ] || { echo "they can be told apart by now: changed"; exit 1; }
echo "as described: a locked agent and an empty one give the same list"
