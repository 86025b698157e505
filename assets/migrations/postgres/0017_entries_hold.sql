-- What a second attack on the guards showed: an entry that was untrue, about what another decided, was believed.
-- Each entry is now held against the row that it is about and against those before it, as src/store/evidence.rs
-- (`may_follow`) holds them.

-- Whether an entry may follow the first and the last that its decision has.
CREATE FUNCTION entry_may_follow(first JSON, last JSON, said JSON) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE AS $$
    SELECT said ->> 'record' = first ->> 'record' AND said ->> 'case' = first ->> 'case'
        AND said ->> 'reviewer' = first ->> 'reviewer' AND said ->> 'disposition' = first ->> 'disposition'
        AND CASE said ->> 'what'
            WHEN 'undone' THEN said ->> 'state' = 'undone'
                AND (last ->> 'state' IN ('held', 'unknown', 'proposed')
                    OR (last ->> 'state' = 'local' AND first ->> 'disposition' = 'escalate'))
            WHEN 'settled' THEN CASE WHEN first ->> 'what' = 'proposed'
                THEN last ->> 'state' = 'proposed' AND said ->> 'state' IN ('local', 'refused')
                ELSE last ->> 'state' IN ('held', 'unknown')
                    AND said ->> 'state' IN ('sent', 'refused', 'conflict', 'local') END
            WHEN 'proposed' THEN first ->> 'what' = 'proposed' AND last ->> 'what' = 'settled'
                AND said ->> 'state' = 'proposed'
            WHEN 'reopened' THEN first ->> 'what' <> 'proposed' AND said ->> 'state' = last ->> 'state'
                AND (last ->> 'what' IN ('settled', 'reopened')
                    OR (last ->> 'state' = 'local' AND first ->> 'disposition' <> 'escalate'))
            WHEN 'retried' THEN last ->> 'what' = 'settled' AND last ->> 'state' = 'refused'
                AND said ->> 'state' IN ('held', 'unknown')
            ELSE FALSE
        END
$$;

-- An entry as the program writes it, letter by letter.
CREATE FUNCTION entry_as_written(said JSON) RETURNS TEXT
LANGUAGE sql IMMUTABLE AS $$
    SELECT '{"seq":' || ((said ->> 'seq')::bigint)::text || ',"at":' || ((said ->> 'at')::bigint)::text
        || ',"what":' || to_json(said ->> 'what')::text
        || ',"decision":' || to_json(said ->> 'decision')::text
        || ',"case":' || to_json(said ->> 'case')::text
        || ',"disposition":' || to_json(said ->> 'disposition')::text
        || ',"state":' || to_json(said ->> 'state')::text
        || ',"reviewer":' || to_json(said ->> 'reviewer')::text
        || coalesce(',"by":' || to_json(said ->> 'by')::text, '')
        || ',"record":' || to_json(said ->> 'record')::text
        || ',"before":' || to_json(said ->> 'before')::text || '}'
$$;

CREATE OR REPLACE FUNCTION audit_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    said JSON; head RECORD; kept RECORD; first JSON; last JSON; answer JSON; taken_back JSON; ended JSON;
    me TEXT; what TEXT; field TEXT;
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
       OR entry_as_written(said) IS DISTINCT FROM NEW.entry
    THEN RAISE EXCEPTION 'an entry of the audit is written as the program writes it'; END IF;
    SELECT h.seq, h.hash INTO head FROM audit_heads h WHERE h.origin = NEW.origin;
    IF NEW.seq IS DISTINCT FROM head.seq + 1 OR (said ->> 'seq')::bigint IS DISTINCT FROM NEW.seq
       OR said ->> 'before' IS DISTINCT FROM head.hash
       OR NEW.hash IS DISTINCT FROM encode(sha256(convert_to(NEW.entry, 'UTF8')), 'hex')
       OR NEW.decision IS DISTINCT FROM said ->> 'decision'
    THEN RAISE EXCEPTION 'an entry of the audit follows the one before'; END IF;
    what := said ->> 'what';
    me := session_reviewer(NEW.origin);
    IF what NOT IN ('decided', 'proposed', 'confirmed', 'undone', 'reopened', 'retried', 'settled')
    THEN RAISE EXCEPTION 'an entry % is the owner''s', what; END IF;
    -- The row that it is about, and whether this very transaction wrote it.
    SELECT d.state, d.reviewer, d.disposition, d.record, d.xmin = pg_current_xact_id()::xid AS fresh
        INTO kept FROM decisions d WHERE d.origin = NEW.origin AND d.id = NEW.decision;
    IF kept.state IS DISTINCT FROM said ->> 'state' OR (what <> 'reopened' AND kept.fresh IS NOT TRUE)
    THEN RAISE EXCEPTION 'an entry of the audit says what becomes of its decision'; END IF;
    SELECT a.entry::json INTO first FROM audit a
        WHERE a.origin = NEW.origin AND a.decision = NEW.decision ORDER BY a.seq LIMIT 1;
    SELECT a.entry::json INTO last FROM audit a
        WHERE a.origin = NEW.origin AND a.decision = NEW.decision ORDER BY a.seq DESC LIMIT 1;
    IF first IS NULL THEN
        -- Its making; or the end of what was put in without an entry, and is not sent.
        IF what = 'settled' AND said ->> 'state' = 'refused' THEN RETURN NEW; END IF;
        IF what NOT IN ('decided', 'proposed', 'confirmed')
           OR kept.reviewer IS DISTINCT FROM said ->> 'reviewer'
           OR kept.disposition IS DISTINCT FROM said ->> 'disposition'
           OR kept.record::json ->> 'case' IS DISTINCT FROM said ->> 'case'
           OR said ->> 'record' IS DISTINCT FROM encode(sha256(convert_to(kept.record, 'UTF8')), 'hex')
           OR (what = 'proposed') IS DISTINCT FROM (said ->> 'state' = 'proposed')
        THEN RAISE EXCEPTION 'a decision begins with its own entry'; END IF;
    ELSIF entry_may_follow(first, last, said) IS NOT TRUE THEN
        RAISE EXCEPTION 'an entry % cannot follow what the audit says of decision %', what, NEW.decision;
    END IF;
    -- What came of a decision is entered by whoever sent it.
    IF what = 'settled' THEN RETURN NEW; END IF;
    IF what = 'proposed' AND first IS NOT NULL THEN
        -- A proposal waits again when the answer that ended it is taken back, just before this.
        SELECT a.entry::json INTO taken_back FROM audit a WHERE a.origin = NEW.origin AND a.seq = NEW.seq - 1;
        SELECT a.entry::json INTO answer FROM audit a
            WHERE a.origin = NEW.origin AND a.seq = (last ->> 'seq')::bigint - 1;
        IF taken_back ->> 'what' IS DISTINCT FROM 'undone'
           OR answer ->> 'what' NOT IN ('decided', 'proposed', 'confirmed')
           OR answer ->> 'decision' IS DISTINCT FROM taken_back ->> 'decision'
        THEN RAISE EXCEPTION 'a proposal waits again when its answer is taken back'; END IF;
        RETURN NEW;
    END IF;
    -- Deciding and taking back are one's own; a case is opened again, or a decision tried again, by anybody
    -- who says so.
    IF (what IN ('reopened', 'retried') AND coalesce(said ->> 'by', said ->> 'reviewer') IS DISTINCT FROM me)
       OR (what NOT IN ('reopened', 'retried') AND (said ->> 'reviewer' IS DISTINCT FROM me
           OR coalesce(said ->> 'by', me) IS DISTINCT FROM me))
    THEN RAISE EXCEPTION 'an entry of the audit is made in one''s own name'; END IF;
    RETURN NEW;
END $$;

-- The end of the audit moves with each entry: one behind it would stop everybody.
CREATE FUNCTION audit_moves_its_head() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_is_told() AND NOT EXISTS (
        SELECT 1 FROM audit_heads h WHERE h.origin = NEW.origin AND h.seq >= NEW.seq)
    THEN RAISE EXCEPTION 'the end of the audit moves with its entry'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_moves_its_head AFTER INSERT ON audit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_moves_its_head();

-- Nobody decides in another's name, or something that is done already.
CREATE OR REPLACE FUNCTION decisions_are_ones_own() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE body JSON;
BEGIN
    IF NOT session_is_told() THEN RETURN NEW; END IF;
    body := NEW.record::json;
    IF NEW.reviewer IS DISTINCT FROM session_reviewer(NEW.origin)
       OR body -> 'reviewer' ->> 'id' IS DISTINCT FROM NEW.reviewer
       OR body ->> 'id' IS DISTINCT FROM NEW.id
    THEN RAISE EXCEPTION 'a decision is made in one''s own name: %', session_reviewer(NEW.origin); END IF;
    IF NEW.state IS NULL OR NEW.state NOT IN ('held', 'local', 'proposed', 'differs')
       OR (NEW.may_have_written, NEW.status_done, NEW.listed, NEW.noted, NEW.writes) IS DISTINCT FROM (0, 0, 0, 0, 0)
       OR NEW.answered_at IS NOT NULL
    THEN RAISE EXCEPTION 'nothing of a decision is done when it is made'; END IF;
    RETURN NEW;
END $$;

-- Who has been handed what another holds: the last one only.
CREATE FUNCTION session_holds_of(of_origin BIGINT, whose TEXT) RETURNS BOOLEAN
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT coalesce(whose = session_reviewer(of_origin) OR session_reviewer(of_origin) = (
        SELECT a.act::json ->> 'to' FROM acts a
        WHERE a.origin = of_origin AND a.act::json ->> 'act' = 'adopt' AND a.act::json ->> 'from' = whose
        ORDER BY a.seq DESC LIMIT 1), FALSE)
$$;

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
    -- What is known of a decision is told by the words beside it, which stay.
    IF NEW.state = OLD.state AND OLD.state IN ('sent', 'conflict', 'local', 'refused', 'undone', 'differs')
       AND (NEW.note, NEW.settled_at, NEW.attempts) IS DISTINCT FROM (OLD.note, OLD.settled_at, OLD.attempts)
    THEN RAISE EXCEPTION 'what came of a decision is never changed'; END IF;
    own := session_holds_of(OLD.origin, OLD.reviewer);
    IF OLD.state = 'held' AND own IS NOT TRUE
    THEN RAISE EXCEPTION 'what is held is its reviewer''s alone'; END IF;
    IF NEW.state = 'undone' AND OLD.state <> 'undone' AND own IS NOT TRUE
    THEN RAISE EXCEPTION 'a decision is taken back by its reviewer'; END IF;
    left_behind := 1 IN (OLD.may_have_written, OLD.status_done, OLD.listed, OLD.noted);
    IF OLD.state = 'refused' AND NEW.state <> 'refused' AND own IS NOT TRUE AND left_behind IS NOT TRUE
    THEN RAISE EXCEPTION 'what was refused is tried again by its reviewer'; END IF;
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
