-- What consoles that share a store know of each other. Changes are told by NOTIFY.

-- Who looks at a case without having it. One row a console, alive until `until`.
CREATE TABLE watchers (
    worker   TEXT NOT NULL PRIMARY KEY,
    origin   BIGINT NOT NULL REFERENCES origins (id),
    key      TEXT COLLATE "C" NOT NULL,
    reviewer TEXT NOT NULL,
    name     TEXT NOT NULL,
    until    BIGINT NOT NULL
);

CREATE INDEX watchers_origin ON watchers (origin, until);

-- What one console does for all: looking for new cases at Didit.
CREATE TABLE duties (
    origin BIGINT NOT NULL PRIMARY KEY REFERENCES origins (id),
    worker TEXT NOT NULL,
    until  BIGINT NOT NULL
);

-- The calls that may be made with one key: those granted within the last minute, JSON.
CREATE TABLE budgets (
    origin BIGINT NOT NULL REFERENCES origins (id),
    verb   TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (origin, verb)
);
