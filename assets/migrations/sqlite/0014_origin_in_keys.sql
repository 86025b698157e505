-- Every key holds the origin: tenants share nothing but tables. A key cannot be changed here, so the rows move.

CREATE TABLE cases_keyed (
    origin         INTEGER NOT NULL REFERENCES origins (id),
    id             INTEGER NOT NULL,  -- counted up for each origin
    key            TEXT NOT NULL,
    session_number TEXT,              -- as people read it: the filter looks for parts of it
    kind           TEXT NOT NULL,
    record         TEXT NOT NULL,     -- the case and its candidates, JSON
    state          TEXT NOT NULL,
    place          INTEGER NOT NULL,
    note           TEXT,
    seen_at        INTEGER NOT NULL,
    fence          INTEGER NOT NULL,
    lease_worker   TEXT,
    lease_reviewer TEXT,
    lease_name     TEXT,
    lease_until    INTEGER,
    must_replace   TEXT,
    readings       TEXT,              -- who has read it and what they said: a JSON list
    PRIMARY KEY (origin, id),
    UNIQUE (origin, key)
) STRICT;

CREATE TABLE decisions_keyed (
    origin           INTEGER NOT NULL REFERENCES origins (id),
    seq              INTEGER NOT NULL, -- in the order of recording, counted up for each origin
    id               TEXT NOT NULL,
    case_id          INTEGER NOT NULL,
    reviewer         TEXT NOT NULL,
    disposition      TEXT NOT NULL,
    record           TEXT NOT NULL,    -- the decision, JSON; never changed
    case_was         TEXT NOT NULL,
    state            TEXT NOT NULL,
    due              INTEGER NOT NULL,
    attempts         INTEGER NOT NULL,
    fence            INTEGER NOT NULL,
    claim_worker     TEXT,
    claim_until      INTEGER,
    may_have_written INTEGER NOT NULL,
    status_done      INTEGER NOT NULL,
    listed           INTEGER NOT NULL,
    noted            INTEGER NOT NULL,
    note             TEXT,
    settled_at       INTEGER,
    writes           INTEGER NOT NULL DEFAULT 0, -- of the step in hand, counted before the request leaves
    answered_at      INTEGER,          -- when Didit first said yes
    PRIMARY KEY (origin, seq),
    UNIQUE (origin, id),
    FOREIGN KEY (origin, case_id) REFERENCES cases_keyed (origin, id)
) STRICT;

INSERT INTO cases_keyed
    (origin, id, key, session_number, kind, record, state, place, note, seen_at, fence,
     lease_worker, lease_reviewer, lease_name, lease_until, must_replace, readings)
    SELECT origin, id, key, session_number, kind, record, state, place, note, seen_at, fence,
     lease_worker, lease_reviewer, lease_name, lease_until, must_replace, readings FROM cases ORDER BY id;
INSERT INTO decisions_keyed
    (origin, seq, id, case_id, reviewer, disposition, record, case_was, state, due, attempts, fence,
     claim_worker, claim_until, may_have_written, status_done, listed, noted, note, settled_at, writes, answered_at)
    SELECT origin, seq, id, case_id, reviewer, disposition, record, case_was, state, due, attempts, fence,
     claim_worker, claim_until, may_have_written, status_done, listed, noted, note, settled_at, writes, answered_at
    FROM decisions ORDER BY seq;
DROP TABLE decisions;
DROP TABLE cases;
ALTER TABLE cases_keyed RENAME TO cases;
ALTER TABLE decisions_keyed RENAME TO decisions;

-- Pages, ranks and the filter are answered from this index alone.
CREATE INDEX cases_queue ON cases (origin, state, place, key, session_number, id);
CREATE INDEX cases_unseen ON cases (origin, seen_at)
    WHERE kind = 'workflow' AND state IN ('open', 'escalated', 'left');
CREATE INDEX cases_leased ON cases (origin, lease_worker) WHERE lease_worker IS NOT NULL;
CREATE INDEX decisions_case ON decisions (origin, case_id, seq);
CREATE INDEX decisions_open ON decisions (origin, due, id)
    WHERE state IN ('held', 'sending', 'unknown');
CREATE INDEX decisions_outbox ON decisions (origin, seq)
    WHERE state IN ('held', 'sending', 'unknown');
CREATE INDEX decisions_claimed ON decisions (origin, claim_worker) WHERE claim_worker IS NOT NULL;
CREATE TRIGGER decisions_are_kept BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are only added to'); END;

CREATE TABLE watchers_keyed (
    origin   INTEGER NOT NULL REFERENCES origins (id),
    worker   TEXT NOT NULL,
    key      TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    name     TEXT NOT NULL,
    until    INTEGER NOT NULL,
    PRIMARY KEY (origin, worker)
) STRICT;
INSERT INTO watchers_keyed (origin, worker, key, reviewer, name, until)
    SELECT origin, worker, key, reviewer, name, until FROM watchers;
DROP TABLE watchers;
ALTER TABLE watchers_keyed RENAME TO watchers;
CREATE INDEX watchers_origin ON watchers (origin, until);
