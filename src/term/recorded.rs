//! What terminals answer to `questions`, for the tests: the names, attributes and modes are theirs,
//! the sizes and colours those of one window.

/// One terminal's answers.
pub(super) struct Recorded {
    pub name: &'static str,
    /// To the first batch.
    pub here: &'static [u8],
    /// To the batch for the terminal around tmux; empty where there is none.
    pub outside: &'static [u8],
}

macro_rules! recorded {
    ($name:literal, $here:expr) => {
        recorded!($name, $here, "")
    };
    ($name:literal, $here:expr, $outside:expr) => {
        Recorded { name: $name, here: $here.as_bytes(), outside: $outside.as_bytes() }
    };
}

pub(super) const TERMINALS: &[Recorded] = &[
    recorded!(
        "kitty 0.36.4",
        "\x1bP>|kitty(0.36.4)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;20;10t\x1b[4;800;1100t\
         \x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\\x1b[?62;c\x1b[0n"
    ),
    recorded!(
        "kitty 0.26.5",
        "\x1bP>|kitty(0.26.5)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;20;10t\x1b[4;800;1100t\
         \x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;c\x1b[0n"
    ),
    recorded!(
        "ghostty 1.2.0",
        "\x1bP>|ghostty 1.2.0\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;34;16t\x1b[4;1360;1920t\
         \x1b]11;rgb:2828/2c2c/3434\x1b\\\x1b[?62;22c\x1b[0n"
    ),
    recorded!(
        "rio 0.5.28",
        "\x1bP>|Rio 0.5.28\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;22;11t\x1b[4;880;1320t\
         \x1b]11;rgb:0f0f/0d0d/0e0e\x1b\\\x1b[?62;4;6;22;52c\x1b[0n"
    ),
    recorded!(
        "wezterm",
        "\x1bP>|WezTerm 20240203-110809-5046fc22\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;21;10t\
         \x1b[4;504;800t\x1b[?1;0;65536S\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?65;4;6;18;22c\x1b[0n"
    ),
    recorded!(
        "konsole",
        "\x1bP>|Konsole 22.12.3\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[4;480;640t\x1b[?1;0;256S\
         \x1b]11;rgb:2323/2626/2727\x07\x1b[?62;1;4c\x1b[0n"
    ),
    recorded!(
        "iTerm2",
        "\x1bP>|iTerm2 3.5.4\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;17;8t\x1b[4;408;640t\
         \x1b[?1;0;256S\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?64;1;2;4;6;17;18;21;22c\x1b[0n"
    ),
    recorded!(
        "foot 1.13.1",
        "\x1bP>|foot(1.13.1)\x1b\\\x1b[?2026;2$y\x1b[6;18;9t\x1b[4;720;990t\x1b[?1;0;1024S\
         \x1b]11;rgb:1111/1111/1111\x1b\\\x1b[?62;4;22c\x1b[0n"
    ),
    recorded!(
        "xterm 379 as a VT340",
        "\x1bP>|XTerm(379)\x1b\\\x1b[?2026;0$y\x1b[?1;0;1024S\x1b]11;rgb:ffff/ffff/ffff\x1b\\\
         \x1b[?63;1;2;4;6;9;15;16;22;28c\x1b[0n"
    ),
    recorded!(
        "VS Code with images",
        "\x1bP>|xterm.js(6.1.0-beta.336)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;18;9t\
         \x1b[4;432;720t\x1b[?1;0;4096S\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\\x1b[?62;4;9;22c\x1b[0n"
    ),
    recorded!(
        "VS Code without",
        "\x1bP>|xterm.js(6.0.0)\x1b\\\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\\x1b[?1;2c\x1b[0n"
    ),
    recorded!(
        "zellij 0.45 in kitty",
        "\x1bP>|Zellij(4500)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?2026;2$y\x1b[6;20;10t\x1b[4;800;1100t\
         \x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;52c\x1b[0n"
    ),
    recorded!(
        "zellij 0.45 in foot",
        "\x1b[?1;0;256S\x1bP>|Zellij(4500)\x1b\\\x1b[?62;4;52c\x1b[0n"
    ),
    recorded!(
        "tmux 3.3a in kitty",
        "\x1bP>|tmux 3.3a\x1b\\\x1b[?1;2c\x1b[0n",
        "\x1bP>|kitty(0.36.4)\x1b\\\x1b_Gi=32;OK\x1b\\\x1b[?2026;2$y\x1b[6;20;10t\x1b[4;800;1100t\
         \x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\\x1b[?62;c\x1b[0n"
    ),
    recorded!(
        "tmux 3.7c in kitty",
        "\x1bP>|tmux 3.7c\x1b\\\x1b[?2026;2$y\x1b[6;20;10t\x1b[4;800;1100t\
         \x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?1;2;4c\x1b[0n",
        "\x1bP>|kitty(0.36.4)\x1b\\\x1b_Gi=32;OK\x1b\\\x1b[?2026;2$y\x1b[6;20;10t\x1b[4;800;1100t\
         \x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\\x1b[?62;c\x1b[0n"
    ),
    recorded!(
        "tmux 3.6b in iTerm2",
        "\x1bP>|tmux 3.6b\x1b\\\x1b[6;17;8t\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?1;2;4c\x1b[0n",
        "\x1bP>|iTerm2 3.5.4\x1b\\\x1b_Gi=32;OK\x1b\\\x1b[?2026;2$y\x1b[6;17;8t\x1b[?1;0;256S\
         \x1b[?64;1;2;4;6;17;18;21;22c\x1b[0n"
    ),
    recorded!(
        "tmux 3.3a that passes nothing on",
        "\x1bP>|tmux 3.3a\x1b\\\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?1;2;4c\x1b[0n"
    ),
    recorded!("GNU screen", "\x1b[?1;2c\x1b[0n"),
    recorded!("mute", ""),
];
