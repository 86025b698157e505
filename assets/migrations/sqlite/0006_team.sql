-- What consoles that share a store know of each other.

-- Raised with every change that another console has to hear of.
ALTER TABLE origins ADD COLUMN news INTEGER NOT NULL DEFAULT 0;

-- Who looks at a case without having it. One row a console, alive until `until`.
CREATE TABLE watchers (
    worker   TEXT NOT NULL PRIMARY KEY,
    origin   INTEGER NOT NULL REFERENCES origins (id),
    key      TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    name     TEXT NOT NULL,
    until    INTEGER NOT NULL
) STRICT;

CREATE INDEX watchers_origin ON watchers (origin, until);

-- What one console does for all: looking for new cases at Didit.
CREATE TABLE duties (
    origin INTEGER NOT NULL PRIMARY KEY REFERENCES origins (id),
    worker TEXT NOT NULL,
    until  INTEGER NOT NULL
) STRICT;

-- The calls that may be made with one key: those granted within the last minute, JSON.
CREATE TABLE budgets (
    origin INTEGER NOT NULL REFERENCES origins (id),
    verb   TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (origin, verb)
) STRICT;
