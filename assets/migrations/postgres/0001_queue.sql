-- The queue and the outbox. Times are Unix milliseconds, flags are 0 or 1.
-- No names, no document data, no links, no vendor data, no keys: see src/store/mod.rs.

CREATE TABLE store (
    one    BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    schema BIGINT NOT NULL,
    salt   BYTEA NOT NULL
);

-- BASE_URL#FINGERPRINT, as a number in all other tables to keep the indexes narrow.
CREATE TABLE origins (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE cases (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin         BIGINT NOT NULL REFERENCES origins (id),
    key            TEXT COLLATE "C" NOT NULL,
    session_number TEXT,              -- as people read it: the filter looks for parts of it
    kind           TEXT NOT NULL,
    record         TEXT NOT NULL,     -- the case and its candidates, JSON
    state          TEXT NOT NULL,
    place          BIGINT NOT NULL,
    note           TEXT,
    seen_at        BIGINT NOT NULL,
    fence          BIGINT NOT NULL,
    lease_worker   TEXT,
    lease_reviewer TEXT,
    lease_name     TEXT,
    lease_until    BIGINT,
    must_replace   TEXT,
    UNIQUE (origin, key)
);

-- Pages, ranks and the filter are answered from this index alone.
CREATE INDEX cases_queue ON cases (origin, state, place, key, session_number);
CREATE INDEX cases_unseen ON cases (origin, seen_at)
    WHERE kind = 'workflow' AND state IN ('open', 'escalated', 'left');
CREATE INDEX cases_leased ON cases (lease_worker) WHERE lease_worker IS NOT NULL;

-- How many cases stand where, kept with every change of a state: counting a million takes too long.
CREATE TABLE tallies (
    origin BIGINT NOT NULL REFERENCES origins (id),
    state  TEXT NOT NULL,
    n      BIGINT NOT NULL,
    PRIMARY KEY (origin, state)
);

CREATE TABLE decisions (
    seq              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- in the order of recording
    origin           BIGINT NOT NULL REFERENCES origins (id),
    id               TEXT COLLATE "C" NOT NULL UNIQUE,
    case_id          BIGINT NOT NULL REFERENCES cases (id),
    reviewer         TEXT NOT NULL,
    disposition      TEXT NOT NULL,
    record           TEXT NOT NULL,                  -- the decision, JSON; never changed
    case_was         TEXT NOT NULL,
    state            TEXT NOT NULL,
    due              BIGINT NOT NULL,
    attempts         BIGINT NOT NULL,
    fence            BIGINT NOT NULL,
    claim_worker     TEXT,
    claim_until      BIGINT,
    may_have_written BIGINT NOT NULL,
    status_done      BIGINT NOT NULL,
    listed           BIGINT NOT NULL,
    noted            BIGINT NOT NULL,
    note             TEXT,
    settled_at       BIGINT
);

CREATE INDEX decisions_case ON decisions (case_id, seq);
CREATE INDEX decisions_origin ON decisions (origin, seq);
CREATE INDEX decisions_open ON decisions (origin, due, id)
    WHERE state IN ('held', 'sending', 'unknown');
CREATE INDEX decisions_outbox ON decisions (origin, seq)
    WHERE state IN ('held', 'sending', 'unknown');
CREATE INDEX decisions_claimed ON decisions (claim_worker) WHERE claim_worker IS NOT NULL;
