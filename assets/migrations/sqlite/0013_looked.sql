-- What the intake has looked at: sessions that are no case and why, and how far it has come in Didit's lists.
CREATE TABLE passed_over (
    origin   INTEGER NOT NULL REFERENCES origins (id),
    key      TEXT NOT NULL,              -- the session's id
    status   TEXT NOT NULL,              -- its status at Didit then
    rule     TEXT NOT NULL,              -- the settings it was judged by
    reason   TEXT NOT NULL,              -- strong_only, below_band, …
    seen_at  INTEGER NOT NULL,           -- listed last
    PRIMARY KEY (origin, key)
) STRICT;
CREATE INDEX passed_over_seen ON passed_over (origin, seen_at);
CREATE TABLE listings (
    origin   INTEGER NOT NULL REFERENCES origins (id),
    name     TEXT NOT NULL,              -- which of Didit's lists
    record   TEXT NOT NULL,              -- how far it was walked
    PRIMARY KEY (origin, name)
) STRICT;
