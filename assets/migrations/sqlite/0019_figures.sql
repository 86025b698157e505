-- What `stats` tells, kept by the database with every change: to count a million rows takes minutes.

-- Cases by the best score of those candidates that count, in hundredths of a percent; -1 where none has one.
CREATE TABLE scores (
    origin INTEGER NOT NULL REFERENCES origins (id),
    score  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (origin, score)
) STRICT;
CREATE VIEW scored AS
    SELECT c.id, c.origin, coalesce((
        SELECT max(CASE WHEN f.type = 'object' THEN
            CASE WHEN json_type(f.value, '$.similarity') IN ('integer', 'real')
                AND NOT coalesce(json_extract(f.value, '$.self_match'), 0)
                AND NOT coalesce(json_extract(f.value, '$.allowlisted'), 0)
                THEN CAST(json_extract(f.value, '$.similarity') * 100 + 0.000001 AS INTEGER) END END)
        FROM json_each(c.record, '$.candidates') f), -1) AS score
    FROM cases c WHERE json_valid(c.record);
-- One by one: to group them, all records would be held at once.
INSERT INTO scores (origin, score, n) SELECT origin, score, 1 FROM scored WHERE TRUE
    ON CONFLICT (origin, score) DO UPDATE SET n = n + 1;
CREATE TRIGGER cases_score_in AFTER INSERT ON cases BEGIN
    INSERT INTO scores (origin, score, n) SELECT origin, score, 1 FROM scored
        WHERE origin = NEW.origin AND id = NEW.id
        ON CONFLICT (origin, score) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER cases_score_out BEFORE DELETE ON cases BEGIN
    UPDATE scores SET n = n - 1
        WHERE origin = OLD.origin AND score = (SELECT score FROM scored WHERE origin = OLD.origin AND id = OLD.id);
END;
CREATE TRIGGER cases_score_from BEFORE UPDATE OF record ON cases WHEN OLD.record IS NOT NEW.record BEGIN
    UPDATE scores SET n = n - 1
        WHERE origin = OLD.origin AND score = (SELECT score FROM scored WHERE origin = OLD.origin AND id = OLD.id);
END;
CREATE TRIGGER cases_score_to AFTER UPDATE OF record ON cases WHEN OLD.record IS NOT NEW.record BEGIN
    INSERT INTO scores (origin, score, n) SELECT origin, score, 1 FROM scored
        WHERE origin = NEW.origin AND id = NEW.id
        ON CONFLICT (origin, score) DO UPDATE SET n = n + 1;
END;

-- Of each decision what is counted. One that is `stale` was changed by something else than the program, or its
-- record cannot be read: it is read itself.
CREATE TABLE figures (
    origin      INTEGER NOT NULL,
    seq         INTEGER NOT NULL,          -- of the decision
    case_id     INTEGER NOT NULL,
    reviewer    TEXT NOT NULL,
    name        TEXT,
    disposition TEXT NOT NULL,
    state       TEXT NOT NULL,
    made_at     INTEGER,
    looked      INTEGER,                   -- from both pictures to the key; nothing where a script decided
    waited      INTEGER,                   -- from the session's beginning
    sent        INTEGER,                   -- to its end at Didit
    stale       INTEGER NOT NULL,
    PRIMARY KEY (origin, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX figures_stale ON figures (origin, seq) WHERE stale = 1;
CREATE INDEX figures_cases ON figures (origin, case_id, reviewer, state, stale);
-- What somebody wrote by hand may be anything.
CREATE VIEW figured AS
    SELECT origin, seq, case_id, reviewer, name, disposition, state, made_at, looked,
        CAST(made_at - began AS INTEGER) AS waited,
        CASE WHEN state = 'sent' THEN CAST(settled_at - made_at AS INTEGER) END AS sent
    FROM (
        SELECT d.origin, d.seq, d.case_id, d.reviewer, d.disposition, d.state, d.settled_at,
            CASE json_type(d.record, '$.reviewer.name')
                WHEN 'text' THEN json_extract(d.record, '$.reviewer.name') END AS name,
            CASE typeof(json_extract(d.record, '$.at'))
                WHEN 'integer' THEN json_extract(d.record, '$.at') END AS made_at,
            CASE WHEN json_extract(d.record, '$.receipt.protocol') NOT IN ('', 'script')
                AND typeof(json_extract(d.record, '$.receipt.dwell_ms')) = 'integer'
                THEN json_extract(d.record, '$.receipt.dwell_ms') END AS looked,
            (SELECT CASE WHEN json_valid(c.record) AND typeof(json_extract(c.record, '$.created_at')) = 'integer'
                THEN json_extract(c.record, '$.created_at') END
                FROM cases c WHERE c.origin = d.origin AND c.id = d.case_id) AS began
        FROM decisions d WHERE json_valid(d.record)
    );
INSERT INTO figures SELECT *, name IS NULL OR made_at IS NULL FROM figured;
INSERT OR IGNORE INTO figures (origin, seq, case_id, reviewer, disposition, state, stale)
    SELECT origin, seq, case_id, reviewer, disposition, state, 1 FROM decisions WHERE NOT json_valid(record);
CREATE TRIGGER decisions_figure AFTER INSERT ON decisions BEGIN
    INSERT INTO figures SELECT *, name IS NULL OR made_at IS NULL FROM figured
        WHERE origin = NEW.origin AND seq = NEW.seq;
    INSERT OR IGNORE INTO figures (origin, seq, case_id, reviewer, disposition, state, stale)
        VALUES (NEW.origin, NEW.seq, NEW.case_id, NEW.reviewer, NEW.disposition, NEW.state, 1);
END;
CREATE TRIGGER decisions_figure_anew AFTER UPDATE ON decisions BEGIN
    UPDATE figures SET state = NEW.state, stale = 1,
        sent = CASE WHEN NEW.state = 'sent' THEN CAST(NEW.settled_at - made_at AS INTEGER) END
        WHERE origin = NEW.origin AND seq = NEW.seq;
END;

-- Those that no list has shown for the longest time come first, without a sort.
DROP INDEX cases_unseen;
CREATE INDEX cases_unseen ON cases (origin, seen_at, place, key)
    WHERE kind = 'workflow' AND state IN ('open', 'escalated', 'left');
