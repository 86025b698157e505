//! What stands below the options in a command's help and in its manual page: what has to be known, and
//! examples. One table, so that both say the same; tests read every example as the program would, and
//! fail for a command without one.

use clap::CommandFactory as _;

use super::args::Args;

/// The words of one command.
pub struct Words {
    /// The command, such as `webhook serve`; empty for the program itself.
    pub command: &'static str,
    /// What has to be known, a paragraph each.
    pub notes: &'static [&'static str],
    /// Lines for a shell.
    pub examples: &'static [&'static str],
}

const fn words(
    command: &'static str,
    notes: &'static [&'static str],
    examples: &'static [&'static str],
) -> Words {
    Words { command, notes, examples }
}

/// The table.
pub const WORDS: &[Words] = &[
    words(
        "",
        &[
            "Without a command the console opens.",
            "Data goes to standard output, talk to standard error. Exit codes: 0 done, 1 failed, 2 wrongly \
             called, 3 nothing to do or not found, 4 key or permission, 5 credit, 6 conflict, 7 network, \
             8 partly done.",
        ],
        &["secondlook demo", "secondlook doctor", "secondlook search selfie.jpg", "secondlook"],
    ),
    words(
        "demo",
        &[],
        &[
            "secondlook demo",
            "secondlook demo --cases 200 --images blocks",
            "secondlook demo --preset mnemonic",
        ],
    ),
    words(
        "review",
        &[
            "With --from the console opens on the first case of the file: lines as `ingest` takes them, each \
             with an optional subject_image, the path of the subject's picture on this machine. Of a face \
             search that Didit does not show to this key the links are held in memory only, and a decision \
             is kept here; what is left undecided leaves the queue with the console.",
            "A line that cannot be reviewed is named by its number; the exit code is 3 when there is no other.",
        ],
        &[
            "secondlook review",
            "ssh -t host secondlook review",
            "secondlook review --from replies.jsonl",
        ],
    ),
    words(
        "sync",
        &[
            "With --json, or where standard output is no terminal, each look is a line {seen, queued, \
             updated, known, left, explained, set_aside, silent, departed}.",
            "Every session that Didit holds is a case or has a reason: `seen` is the sum of what follows \
             it up to `silent`, which is 0.",
        ],
        &["secondlook sync", "secondlook sync --watch --json"],
    ),
    words(
        "search",
        &[
            "How many searches will be billed and the balance are shown first, and you are asked.",
            "On a terminal the result is a table, elsewhere JSON lines {file, request_id, status, matches: \
             [{session_id, similarity_percentage, band, is_blocklisted}], queued, error}.",
            "The same picture twice is searched once. Ctrl-C waits for the answers under way; a second \
             one does not.",
            "Exit codes: 0 done, 1 all failed, 3 no picture, 4 key, 5 credit, 7 network, 8 stopped or partly \
             failed.",
        ],
        &[
            "secondlook search selfie.jpg",
            "secondlook search selfies/ --resume night.jsonl --enqueue --yes",
            "find . -name '*.jpg' -newer last-run | secondlook search - --json --yes",
        ],
    ),
    words(
        "verify",
        &[
            "With --json each step is a line {step, request_id, status, score, warnings}, and the last line \
             is {result, queued, why}; result is verified, possible_duplicate or declined.",
            "Exit codes: 0 verified and unique, 8 a possible duplicate waits for review, 1 declined or \
             failed.",
        ],
        &[
            "secondlook verify --selfie selfie.jpg --id-front front.jpg --id-back back.jpg",
            "secondlook verify --selfie selfie.jpg --id-front front.jpg --all --yes --json",
        ],
    ),
    words("balance", &[], &["secondlook balance", "secondlook balance --json"]),
    words(
        "top-up",
        &["Nothing is charged before the amount is paid on that page."],
        &["secondlook top-up 100"],
    ),
    words("account register", &[], &["secondlook account register ana@example.org"]),
    words(
        "account verify-email",
        &["A code is good for about ten minutes."],
        &[
            "secondlook account verify-email ana@example.org",
            "secondlook account verify-email ana@example.org --print-key | pass insert -e didit",
        ],
    ),
    words("account resend", &[], &["secondlook account resend ana@example.org"]),
    words(
        "account login",
        &[],
        &[
            "secondlook account login ana@example.org",
            "pass show didit-login | secondlook account login ana@example.org",
        ],
    ),
    words(
        "account logout",
        &["The key itself stays valid at Didit."],
        &["secondlook account logout"],
    ),
    words(
        "ingest",
        &[
            "Only what the store keeps is kept: no name, no link. A known case stays as it is. A search that \
             Didit did not save is counted as unsaved: nobody can look at it later.",
            "A line that cannot be read is named by its number on standard error, and the others are kept; \
             the exit code is then 8, or 1 when no line could be read. A line holds at most 8 MiB; of a longer \
             one its beginning is set aside.",
        ],
        &[
            "secondlook ingest replies.jsonl",
            "zcat events-*.gz | secondlook ingest - --set-aside bad.jsonl --json",
        ],
    ),
    words(
        "queue list",
        &["With --json a case is a line {case, session_number, state, candidates: [{session_id, \
           similarity_percentage, band, source, self_match, blocklisted}]}."],
        &["secondlook queue list", "secondlook queue list --state escalated --json"],
    ),
    words("queue show", &[], &["secondlook queue show 4821"]),
    words(
        "decide",
        &["A decision is held for the undo window; `secondlook undo` takes it back as long."],
        &[
            "secondlook decide 4821 approve",
            "secondlook decide 4821 reject --reason fraud --comment 'the same scar'",
            "secondlook decide 4821 blocklist --target 4821",
        ],
    ),
    words(
        "store init",
        &[
            "With --roles, on a PostgreSQL server, whoever runs it owns the store from then on: members of \
             secondlook_reviewer review in their own name alone, members of secondlook_auditor read. Run \
             again it changes nothing.",
            "With --partitions, on a PostgreSQL server, cases, decisions and the audit are parted by origin, and so \
             is what comes later; a store that is there already is moved, in one transaction that can be stopped and \
             begun again. It takes the disk once more while it runs.",
        ],
        &[
            "secondlook store init",
            "secondlook store init --roles",
            "secondlook store init --partitions",
        ],
    ),
    words("store status", &[], &["secondlook store status", "secondlook store status --json"]),
    words(
        "store copy",
        &[
            "An address is sqlite:PATH or postgres://…; the password can come from PGPASSWORD or ~/.pgpass, \
             so that it stands in no list of processes.",
            "Carried are cases, decisions, what is held or on its way, and the audit; leases end. It is one \
             transaction: what breaks off leaves the new store empty, and the old one is never changed.",
        ],
        &["secondlook store copy --from sqlite:old.db --to postgres://ana@db.example/secondlook"],
    ),
    words("store rebind", &[], &["secondlook store rebind"]),
    words(
        "reviewers list",
        &["With --json a person is a line {person, label, admin, proofs, added_by}."],
        &["secondlook reviewers list", "secondlook reviewers list --json"],
    ),
    words("reviewers show", &[], &["secondlook reviewers show ana"]),
    words(
        "reviewers add",
        &[
            "A proof is an SSH public key (--key), the name in certificates of a CA (--ca with --key-id or \
             --principal), or a role of PostgreSQL (--role). A role signs nothing: an act of two people takes \
             a key or a certificate.",
            "The first on the roster adds themselves, with a key that their ssh-agent holds: it is tried at \
             once. After that an administrator's agent signs each change. Nobody confirms what was proposed \
             by whoever added them or one of their proofs.",
        ],
        &[
            "secondlook reviewers add ana --key ~/.ssh/id_ed25519.pub",
            "secondlook reviewers add ben --label Ben --ca ca.pub --key-id ben@example.org",
            "secondlook reviewers add eva --key eva.pub --role eva --admin",
        ],
    ),
    words(
        "reviewers remove",
        &["The last administrator stays, and so does their last key."],
        &["secondlook reviewers remove ben", "secondlook reviewers remove eva --key eva"],
    ),
    words(
        "reviewers revoke",
        &[
            "What the key signed before that time still counts, by the time at which the store recorded it.",
        ],
        &["secondlook reviewers revoke lost.pub --since 2026-11-28"],
    ),
    words(
        "reviewers adopt",
        &[
            "The person sends what the old identity holds, and cannot confirm what it proposed. Without a \
             roster you can adopt for yourself only.",
        ],
        &["secondlook reviewers adopt os:1000 ana"],
    ),
    words(
        "reviewers recover",
        &["It needs no signature, for there may be no key left to make one."],
        &["secondlook reviewers recover ana --key new.pub"],
    ),
    words(
        "reviewers import",
        &[
            "A line with cert-authority stands for certificates of that CA with that principal. Patterns and \
             lines with several principals are passed over, for a proof is one person's. What the options \
             say of namespaces and times is not kept.",
            "Each line is a change of its own; the exit code is 8 when some were not made, 1 when none was.",
        ],
        &["secondlook reviewers import allowed_signers"],
    ),
    words(
        "reviewers export",
        &[
            "Roles and key ids are left out and named on standard error: that form has no word for them.",
        ],
        &["secondlook reviewers export > allowed_signers"],
    ),
    words("policy show", &[], &["secondlook policy show", "secondlook policy show --json"]),
    words(
        "policy set",
        &["two-person: proposals, confirmations and decisions on an escalated case are signed. \
             every-decision: all are, and whoever cannot sign decides nothing."],
        &["secondlook policy set every-decision"],
    ),
    words(
        "outbox list",
        &["With --json a decision is a line {decision, case, disposition, state, attempts, due}."],
        &["secondlook outbox list"],
    ),
    words(
        "outbox flush",
        &[
            "A decision that cannot be read is refused, its case opened again, and named on standard error; the \
             others are sent.",
            "Exit codes: 0 all sent, 1 refused or not to be read, 6 conflict, 7 still on its way, 8 partly sent.",
        ],
        &["secondlook outbox flush", "secondlook sync && secondlook outbox flush --json"],
    ),
    words(
        "outbox end",
        &[
            "With --json the decision is an object as in `history --json`.",
            "Exit codes: 0 it is over, 3 it is not of unknown outcome, 6 somebody else decided at Didit, 7 Didit \
             cannot be read: nothing was ended.",
        ],
        &["secondlook outbox end 0198c5a2-7f3e-7a11-b2c4-5d6e7f809102"],
    ),
    words(
        "outbox retry",
        &[
            "With --json a decision is a line {decision, case, state, retried, why}.",
            "Exit codes: 0 all are due now, 3 there is nothing to try again, 4 another reviewer's, 6 not the \
             last word on its case any more, 8 some of them.",
        ],
        &[
            "secondlook outbox retry 0198c5a2-7f3e-7a11-b2c4-5d6e7f809102",
            "secondlook outbox retry --all && secondlook outbox flush",
        ],
    ),
    words(
        "outbox release",
        &[
            "An administrator of the roster does it. With --json a decision is a line {decision, case}.",
            "Exit codes: 0 something was taken back, 3 nothing is held, 4 you are no administrator.",
        ],
        &["secondlook outbox release --of ben", "secondlook outbox release --of os:1000"],
    ),
    words(
        "audit verify",
        &[
            "In the store each decision is held against its entries, each entry against its decision, and each \
             signature against the roster of then. In an export the chain, the signatures and the end are \
             looked at.",
            "Keep an export, or the printed head, where nobody who reviews can write: who owns the whole store \
             can cut or write anew what is not signed, and only --head or --since shows it.",
            "Every finding is a line; with --json {seq, finding}. Where there is none the line is {entries, \
             whole, signed, unsigned, before_roster, head}. The exit code is 1 when something was found.",
        ],
        &[
            "secondlook audit verify",
            "secondlook audit verify audit.jsonl",
            "secondlook audit verify --since audit.jsonl",
        ],
    ),
    words(
        "audit export",
        &[
            "The last line is the head: where the chain ends, when it was printed and of which store. It is \
             signed with your key of the roster, else with audit.sign_with.",
        ],
        &["secondlook audit export > audit.jsonl"],
    ),
    words(
        "history",
        &[
            "With --json a decision is a line {decision, case, disposition, state, target, reviewer, at}; one that \
             cannot be read {decision, unreadable}.",
        ],
        &["secondlook history --limit 20"],
    ),
    words("undo", &[], &["secondlook undo 0198c5a2-7f3e-7a11-b2c4-5d6e7f809102"]),
    words("blocklist list", &[], &["secondlook blocklist list"]),
    words("blocklist remove", &[], &["secondlook blocklist remove 4821"]),
    words(
        "webhook serve",
        &[
            "Didit sends events to a public https address only: put your reverse proxy before it; any path \
             will do. GET /health answers ok.",
            "The secret comes from DIDIT_WEBHOOK_SECRET, or from a file with mode 0600, which `secondlook \
             webhook config URL` writes.",
            "An event is answered at once and worked on afterwards; without room the answer is 503, and \
             Didit sends it again. What is refused or late is told on standard error.",
        ],
        &["secondlook webhook serve", "secondlook webhook serve --listen 127.0.0.1:9000 --json"],
    ),
    words(
        "webhook config",
        &[],
        &["secondlook webhook config", "secondlook webhook config https://hooks.example.org/didit"],
    ),
    words(
        "export",
        &[
            "In a spreadsheet no cell is a formula.",
            "What others said of a case that waits for your own reading is withheld, and the row says so.",
            "A decision that cannot be read is left out and named on standard error; the exit code is 8 then.",
        ],
        &["secondlook export > decisions.jsonl", "secondlook export --format csv > decisions.csv"],
    ),
    words("stats", &[], &["secondlook stats", "secondlook stats --json"]),
    words(
        "sim",
        &["What is left to chance in a scenario is drawn from the seed."],
        &[
            "secondlook sim",
            "secondlook sim --scenario faults --seed 7",
            "secondlook sim --port 8080 --cases 500",
        ],
    ),
    words("config show", &[], &["secondlook config show", "secondlook config show --json"]),
    words(
        "config init",
        &[],
        &["secondlook config init", "secondlook config init --config team.toml"],
    ),
    words(
        "doctor",
        &[
            "Each line is ok, warn or FAIL, with what to do. The exit code is 1 when something fails.",
            "On a terminal it says what that was asked, what it answered, and how faces would be drawn there \
             and why. With --json the same as JSON lines, also into a pipe.",
        ],
        &[
            "secondlook doctor",
            "secondlook doctor --card",
            "secondlook doctor --card --images sixel",
        ],
    ),
    words("keys", &[], &["secondlook keys", "secondlook keys --preset mnemonic"]),
    words(
        "completions",
        &[],
        &[
            "secondlook completions bash > ~/.local/share/bash-completion/completions/secondlook",
            "secondlook completions zsh > ~/.zfunc/_secondlook",
            "secondlook completions fish > ~/.config/fish/completions/secondlook.fish",
        ],
    ),
    words(
        "man",
        &[],
        &["secondlook man search | man -l -", "secondlook man --dir ~/.local/share/man/man1"],
    ),
];

impl Words {
    /// As one text.
    fn text(&self) -> String {
        let mut text: String = self.notes.iter().map(|note| format!("{note}\n\n")).collect();
        text.push_str("Examples:");
        text.extend(self.examples.iter().map(|example| format!("\n  {example}")));
        text
    }
}

/// All arguments with all words, from which help, completions and manual pages are made.
#[must_use]
pub fn command() -> clap::Command {
    WORDS.iter().fold(Args::command(), |command, words| put(command, words.command, words))
}

fn put(command: clap::Command, path: &str, words: &Words) -> clap::Command {
    let (first, rest) = path.split_once(' ').unwrap_or((path, ""));
    // A name that does not exist would be made, and mean nothing; a test finds it.
    match command.find_subcommand(first) {
        None => command.after_help(words.text()),
        Some(_) => command.mut_subcommand(first, |command| put(command, rest, words)),
    }
}
