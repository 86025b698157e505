-- What an attack on the guards of 0010 showed: a temporary table of one's own stood before the store's; what
-- compares to nothing raises nothing; and what another decided could be taken back, tried again, or noted as done.

-- A decision: what it is never changes, how far it has come changes while it is sent, and what another holds or
-- decided is theirs.
CREATE OR REPLACE FUNCTION decisions_go_their_way() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE moved BOOLEAN; own BOOLEAN; left_behind BOOLEAN;
BEGIN
    IF (NEW.seq, NEW.origin, NEW.id, NEW.case_id, NEW.reviewer, NEW.disposition, NEW.record, NEW.case_was)
       IS DISTINCT FROM
       (OLD.seq, OLD.origin, OLD.id, OLD.case_id, OLD.reviewer, OLD.disposition, OLD.record, OLD.case_was)
    THEN RAISE EXCEPTION 'a decision is never changed'; END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('held', 'sending'), ('held', 'undone'),
        ('sending', 'held'), ('sending', 'unknown'), ('sending', 'sent'), ('sending', 'refused'),
        ('sending', 'conflict'), ('sending', 'local'),
        ('unknown', 'sending'), ('unknown', 'held'),
        ('refused', 'held'), ('refused', 'unknown'),
        ('proposed', 'local'), ('proposed', 'undone'), ('local', 'proposed'), ('local', 'undone'),
        ('differs', 'undone'))
    THEN RAISE EXCEPTION 'no decision goes from % to %', OLD.state, NEW.state; END IF;
    IF NOT session_is_told() THEN RETURN NEW; END IF;
    moved := (NEW.may_have_written, NEW.status_done, NEW.listed, NEW.noted, NEW.writes, NEW.answered_at)
        IS DISTINCT FROM
        (OLD.may_have_written, OLD.status_done, OLD.listed, OLD.noted, OLD.writes, OLD.answered_at);
    IF moved AND OLD.state NOT IN ('sending', 'unknown')
    THEN RAISE EXCEPTION 'how far a decision has come is noted while it is sent'; END IF;
    own := OLD.reviewer = session_reviewer(OLD.origin) OR EXISTS (
        SELECT 1 FROM acts a WHERE a.origin = OLD.origin AND a.act::json ->> 'act' = 'adopt'
            AND a.act::json ->> 'from' = OLD.reviewer
            AND a.act::json ->> 'to' = session_reviewer(OLD.origin));
    IF OLD.state = 'held' AND own IS NOT TRUE
    THEN RAISE EXCEPTION 'what is held is its reviewer''s alone'; END IF;
    IF NEW.state = 'undone' AND OLD.state <> 'undone' AND own IS NOT TRUE
    THEN RAISE EXCEPTION 'a decision is taken back by its reviewer'; END IF;
    left_behind := 1 IN (OLD.may_have_written, OLD.status_done, OLD.listed, OLD.noted);
    IF OLD.state = 'refused' AND NEW.state <> 'refused' AND own IS NOT TRUE AND left_behind IS NOT TRUE
    THEN RAISE EXCEPTION 'what was refused is tried again by its reviewer'; END IF;
    RETURN NEW;
END $$;

-- Nobody decides in another's name.
CREATE OR REPLACE FUNCTION decisions_are_ones_own() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE body JSON;
BEGIN
    IF NOT session_is_told() THEN RETURN NEW; END IF;
    body := NEW.record::json;
    IF NEW.reviewer IS DISTINCT FROM session_reviewer(NEW.origin)
       OR body -> 'reviewer' ->> 'id' IS DISTINCT FROM NEW.reviewer
       OR body ->> 'id' IS DISTINCT FROM NEW.id
       OR NEW.state NOT IN ('held', 'local', 'proposed', 'differs')
       OR 0 <> ALL (ARRAY[NEW.may_have_written, NEW.status_done, NEW.listed, NEW.noted, NEW.writes])
    THEN RAISE EXCEPTION 'a decision is made in one''s own name: %', session_reviewer(NEW.origin); END IF;
    RETURN NEW;
END $$;

-- The audit: each entry follows the one before, is written as the program writes it, and says what its own doer
-- did with a decision of one case.
CREATE OR REPLACE FUNCTION audit_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE said JSON; head RECORD; me TEXT; what TEXT; field TEXT;
BEGIN
    IF NOT session_is_told() THEN RETURN NEW; END IF;
    said := NEW.entry::json;
    IF json_typeof(said) IS DISTINCT FROM 'object'
    THEN RAISE EXCEPTION 'an entry of the audit is an object'; END IF;
    FOREACH field IN ARRAY ARRAY['what', 'decision', 'case', 'disposition', 'state', 'reviewer', 'record',
        'before']
    LOOP
        IF json_typeof(said -> field) IS DISTINCT FROM 'string'
        THEN RAISE EXCEPTION 'an entry of the audit says %', field; END IF;
    END LOOP;
    IF json_typeof(said -> 'seq') IS DISTINCT FROM 'number' OR json_typeof(said -> 'at') IS DISTINCT FROM 'number'
       OR coalesce(json_typeof(said -> 'by'), 'string') <> 'string'
       OR said ->> 'at' IS DISTINCT FROM ((said ->> 'at')::bigint)::text
       OR position('"case":"' || (said ->> 'case') || '"' IN NEW.entry) = 0
    THEN RAISE EXCEPTION 'an entry of the audit is written as the program writes it'; END IF;
    SELECT h.seq, h.hash INTO head FROM audit_heads h WHERE h.origin = NEW.origin;
    IF NEW.seq IS DISTINCT FROM head.seq + 1 OR (said ->> 'seq')::bigint IS DISTINCT FROM NEW.seq
       OR said ->> 'before' IS DISTINCT FROM head.hash
       OR NEW.hash IS DISTINCT FROM encode(sha256(convert_to(NEW.entry, 'UTF8')), 'hex')
       OR NEW.decision IS DISTINCT FROM said ->> 'decision'
    THEN RAISE EXCEPTION 'an entry of the audit follows the one before'; END IF;
    IF EXISTS (SELECT 1 FROM audit a WHERE a.origin = NEW.origin AND a.decision = NEW.decision
               AND a.entry::json ->> 'case' IS DISTINCT FROM said ->> 'case')
    THEN RAISE EXCEPTION 'the entries of a decision are about one case'; END IF;
    what := said ->> 'what';
    me := session_reviewer(NEW.origin);
    -- What came of a decision is entered by whoever sent it; a proposal waits again when its answer is taken
    -- back by who gave that.
    IF what = 'settled' OR (what = 'proposed' AND EXISTS (
        SELECT 1 FROM audit a WHERE a.origin = NEW.origin AND a.decision = NEW.decision))
    THEN RETURN NEW; END IF;
    IF what NOT IN ('decided', 'proposed', 'confirmed', 'undone', 'reopened', 'retried')
    THEN RAISE EXCEPTION 'an entry % is the owner''s', what; END IF;
    -- Deciding and taking back are one's own; a case is opened again, or a decision tried again, by anybody
    -- who says so.
    IF (what IN ('reopened', 'retried') AND coalesce(said ->> 'by', said ->> 'reviewer') IS DISTINCT FROM me)
       OR (what NOT IN ('reopened', 'retried') AND (said ->> 'reviewer' IS DISTINCT FROM me
           OR coalesce(said ->> 'by', me) IS DISTINCT FROM me))
    THEN RAISE EXCEPTION 'an entry of the audit is made in one''s own name'; END IF;
    RETURN NEW;
END $$;

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
