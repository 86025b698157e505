-- What `stats` tells, kept by the database with every change: to count a million rows takes minutes.

-- Cases by the best score of those candidates that count, in hundredths of a percent; -1 where none has one.
CREATE TABLE scores (
    origin BIGINT NOT NULL REFERENCES origins (id),
    score  BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    PRIMARY KEY (origin, score)
);
-- Nothing where the record cannot be read.
CREATE FUNCTION score_of(record TEXT) RETURNS BIGINT LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT max(floor((f ->> 'similarity')::float8 * 100 + 0.000001))::bigint
        FROM json_array_elements(record::json -> 'candidates') f
        WHERE NOT coalesce((f ->> 'self_match')::boolean, FALSE)
            AND NOT coalesce((f ->> 'allowlisted')::boolean, FALSE)), -1);
EXCEPTION WHEN OTHERS THEN RETURN NULL;
END $$;
INSERT INTO scores (origin, score, n)
    SELECT origin, score, count(*) FROM (SELECT c.origin, score_of(c.record) AS score FROM cases c) scored
    WHERE score IS NOT NULL GROUP BY origin, score;
CREATE FUNCTION cases_score() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE before BIGINT; after BIGINT;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := score_of(OLD.record); END IF;
    IF TG_OP <> 'DELETE' THEN after := score_of(NEW.record); END IF;
    IF before IS NOT DISTINCT FROM after THEN RETURN NULL; END IF;
    IF before IS NOT NULL THEN
        UPDATE scores SET n = n - 1 WHERE origin = OLD.origin AND score = before;
    END IF;
    IF after IS NOT NULL THEN
        INSERT INTO scores (origin, score, n) VALUES (NEW.origin, after, 1)
            ON CONFLICT (origin, score) DO UPDATE SET n = scores.n + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER cases_score AFTER INSERT OR DELETE ON cases FOR EACH ROW EXECUTE FUNCTION cases_score();
CREATE TRIGGER cases_score_anew AFTER UPDATE OF record ON cases FOR EACH ROW
    WHEN (OLD.record IS DISTINCT FROM NEW.record) EXECUTE FUNCTION cases_score();

-- Of each decision what is counted. One that is `stale` was changed by something else than the program, or its
-- record cannot be read: it is read itself.
CREATE TABLE figures (
    origin      BIGINT NOT NULL,
    seq         BIGINT NOT NULL,           -- of the decision
    case_id     BIGINT NOT NULL,
    reviewer    TEXT COLLATE "C" NOT NULL,
    name        TEXT,
    disposition TEXT NOT NULL,
    state       TEXT NOT NULL,
    made_at     BIGINT,
    looked      BIGINT,                    -- from both pictures to the key; nothing where a script decided
    waited      BIGINT,                    -- from the session's beginning
    sent        BIGINT,                    -- to its end at Didit
    stale       BIGINT NOT NULL,
    PRIMARY KEY (origin, seq)
);
CREATE INDEX figures_stale ON figures (origin, seq) WHERE stale = 1;
CREATE INDEX figures_cases ON figures (origin, case_id, reviewer, state, stale);
CREATE FUNCTION figure_of(d decisions) RETURNS figures
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE f figures; j json; began BIGINT;
BEGIN
    f.origin := d.origin; f.seq := d.seq; f.case_id := d.case_id; f.reviewer := d.reviewer;
    f.disposition := d.disposition; f.state := d.state; f.stale := 1;
    BEGIN
        j := d.record::json;
        f.name := j -> 'reviewer' ->> 'name';
        f.made_at := (j ->> 'at')::bigint;
        IF j -> 'receipt' ->> 'protocol' NOT IN ('', 'script') THEN
            f.looked := (j -> 'receipt' ->> 'dwell_ms')::bigint;
        END IF;
        IF d.state = 'sent' THEN f.sent := d.settled_at - f.made_at; END IF;
        f.stale := (f.name IS NULL OR f.made_at IS NULL)::int;
    EXCEPTION WHEN OTHERS THEN f.stale := 1;
    END;
    BEGIN
        SELECT (c.record::json ->> 'created_at')::bigint INTO began
            FROM cases c WHERE c.origin = d.origin AND c.id = d.case_id;
        f.waited := f.made_at - began;
    EXCEPTION WHEN OTHERS THEN f.waited := NULL;
    END;
    RETURN f;
END $$;
INSERT INTO figures SELECT f.* FROM decisions d, LATERAL figure_of(d) f;
CREATE FUNCTION decisions_figure() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO figures SELECT f.* FROM decisions d, LATERAL figure_of(d) f
            WHERE d.origin = NEW.origin AND d.seq = NEW.seq;
        RETURN NULL;
    END IF;
    UPDATE figures SET state = NEW.state,
        sent = CASE WHEN NEW.state = 'sent' THEN NEW.settled_at - made_at END,
        stale = CASE WHEN NEW.record IS DISTINCT FROM OLD.record OR NEW.case_was IS DISTINCT FROM OLD.case_was
            OR NEW.attempts NOT BETWEEN 0 AND 4294967295 OR NEW.writes NOT BETWEEN 0 AND 4294967295
            OR NEW.fence NOT BETWEEN 0 AND 9223372036854775806
            OR NEW.may_have_written NOT IN (0, 1) OR NEW.status_done NOT IN (0, 1)
            OR NEW.listed NOT IN (0, 1) OR NEW.noted NOT IN (0, 1)
            OR NEW.state NOT IN ('held', 'sending', 'unknown', 'sent', 'refused', 'conflict', 'local',
                'undone', 'proposed', 'differs')
            THEN 1 ELSE stale END
        WHERE origin = NEW.origin AND seq = NEW.seq;
    RETURN NULL;
END $$;
CREATE TRIGGER decisions_figure AFTER INSERT OR UPDATE ON decisions
    FOR EACH ROW EXECUTE FUNCTION decisions_figure();

-- Those that no list has shown for the longest time come first, without a sort.
DROP INDEX cases_unseen;
CREATE INDEX cases_unseen ON cases (origin, seen_at, place, key)
    WHERE kind = 'workflow' AND state IN ('open', 'escalated', 'left');

-- What runs as the owner finds the owner's tables, and no temporary one before them.
DO $$
DECLARE guard REGPROCEDURE;
BEGIN
    FOR guard IN SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', guard, current_schema());
    END LOOP;
END $$;

-- Nobody else lets them count the rows of a table of one's own.
REVOKE ALL ON FUNCTION cases_score(), decisions_figure() FROM PUBLIC;

-- Where `store init --roles` told the owner from reviewers before, these are read as the other tables are; nobody
-- but the database writes them.
DO $$ BEGIN
    IF (SELECT owner FROM store) IS NOT NULL THEN
        EXECUTE 'GRANT SELECT ON scores, figures TO secondlook_reviewer, secondlook_auditor';
    END IF;
END $$;
