-- What a reviewer of a team may write, held by the server: see SECURITY.md. The owner of the tables sets
-- these up; where `store init --roles` has named that owner, reviewers are told from them by session_user.

-- Whom this session's role is: the person of the roster with that role, else the role itself. The acts of the
-- owner need no signature, so the roster can be read here without one.
CREATE FUNCTION session_reviewer(of_origin BIGINT) RETURNS TEXT
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT coalesce((
        SELECT 'person:' || (added.act::json ->> 'person')
        FROM acts added, json_array_elements(added.act::json -> 'proofs') proof
        WHERE added.origin = of_origin
          AND added.act::json ->> 'act' IN ('add', 'recover')
          AND proof ->> 'role' = session_user
          AND NOT EXISTS (
              SELECT 1 FROM acts removed
              WHERE removed.origin = of_origin AND removed.seq > added.seq
                AND removed.act::json ->> 'act' = 'remove'
                AND removed.act::json ->> 'person' = added.act::json ->> 'person'
                AND (removed.act::json -> 'proof' IS NULL
                     OR removed.act::json -> 'proof' ->> 'role' = session_user))
        ORDER BY added.seq DESC LIMIT 1), 'db:' || session_user)
$$;

-- Whether this session is told from the owner: then it acts for its own role alone.
CREATE FUNCTION session_is_told() RETURNS BOOLEAN
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT coalesce((SELECT owner <> session_user FROM store), false)
$$;

-- A decision: what it is never changes, and how far it has come changes along the outbox's arrows.
CREATE FUNCTION decisions_go_their_way() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE me TEXT;
BEGIN
    IF (NEW.seq, NEW.origin, NEW.id, NEW.case_id, NEW.reviewer, NEW.disposition, NEW.record, NEW.case_was)
       IS DISTINCT FROM
       (OLD.seq, OLD.origin, OLD.id, OLD.case_id, OLD.reviewer, OLD.disposition, OLD.record, OLD.case_was)
    THEN RAISE EXCEPTION 'a decision is never changed'; END IF;
    IF NEW.state = OLD.state THEN RETURN NEW; END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('held', 'sending'), ('held', 'undone'),
        ('sending', 'held'), ('sending', 'unknown'), ('sending', 'sent'), ('sending', 'refused'),
        ('sending', 'conflict'), ('sending', 'local'),
        ('unknown', 'sending'), ('unknown', 'held'),
        ('refused', 'held'), ('refused', 'unknown'),
        ('proposed', 'local'), ('proposed', 'undone'), ('local', 'proposed'), ('local', 'undone'),
        ('differs', 'undone'))
    THEN RAISE EXCEPTION 'no decision goes from % to %', OLD.state, NEW.state; END IF;
    IF OLD.state = 'held' AND session_is_told() THEN
        me := session_reviewer(OLD.origin);
        IF OLD.reviewer <> me AND NOT EXISTS (
            SELECT 1 FROM acts a WHERE a.origin = OLD.origin AND a.act::json ->> 'act' = 'adopt'
                AND a.act::json ->> 'from' = OLD.reviewer AND a.act::json ->> 'to' = me)
        THEN RAISE EXCEPTION 'what is held is its reviewer''s alone'; END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decisions_go_their_way BEFORE UPDATE ON decisions
    FOR EACH ROW EXECUTE FUNCTION decisions_go_their_way();
CREATE TRIGGER decisions_are_kept BEFORE DELETE OR TRUNCATE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();

-- Nobody decides in another's name.
CREATE FUNCTION decisions_are_ones_own() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_is_told() AND (NEW.reviewer <> session_reviewer(NEW.origin)
       OR NEW.record::json -> 'reviewer' ->> 'id' <> NEW.reviewer
       OR NEW.record::json ->> 'id' <> NEW.id
       OR NEW.state NOT IN ('held', 'local', 'proposed', 'differs'))
    THEN RAISE EXCEPTION 'a decision is made in one''s own name: %', session_reviewer(NEW.origin); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decisions_are_ones_own BEFORE INSERT ON decisions
    FOR EACH ROW EXECUTE FUNCTION decisions_are_ones_own();

-- And none without its entry.
CREATE FUNCTION decisions_are_entered() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_is_told() AND NOT EXISTS (
        SELECT 1 FROM audit a WHERE a.origin = NEW.origin AND a.decision = NEW.id
            AND a.entry::json ->> 'what' IN ('decided', 'proposed', 'confirmed')
            AND a.entry::json ->> 'record' = encode(sha256(convert_to(NEW.record, 'UTF8')), 'hex'))
    THEN RAISE EXCEPTION 'decision % has no entry in the audit', NEW.id; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER decisions_are_entered AFTER INSERT ON decisions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION decisions_are_entered();

-- The audit: each entry follows the one before, and says what its own doer did.
CREATE FUNCTION audit_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE entry JSON; head RECORD;
BEGIN
    IF NOT session_is_told() THEN RETURN NEW; END IF;
    entry := NEW.entry::json;
    SELECT h.seq, h.hash INTO head FROM audit_heads h WHERE h.origin = NEW.origin;
    IF NEW.seq <> head.seq + 1 OR (entry ->> 'seq')::bigint <> NEW.seq OR entry ->> 'before' <> head.hash
       OR NEW.hash <> encode(sha256(convert_to(NEW.entry, 'UTF8')), 'hex')
       OR NEW.decision <> entry ->> 'decision'
    THEN RAISE EXCEPTION 'an entry of the audit follows the one before'; END IF;
    -- What came of a decision is entered by whoever sent it; a proposal waits again when its answer is taken
    -- back by who gave that.
    IF entry ->> 'what' = 'settled' OR (entry ->> 'what' = 'proposed' AND EXISTS (
        SELECT 1 FROM audit a WHERE a.origin = NEW.origin AND a.decision = NEW.decision))
    THEN RETURN NEW; END IF;
    IF coalesce(entry ->> 'by', entry ->> 'reviewer')
       <> session_reviewer(NEW.origin)
    THEN RAISE EXCEPTION 'an entry of the audit is made in one''s own name'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_follows BEFORE INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_follows();

-- Its end moves with an entry, and only so.
CREATE FUNCTION audit_heads_move_on() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT session_is_told() THEN RETURN NEW; END IF;
    IF TG_OP = 'INSERT' AND NEW.seq = 0 AND NEW.hash = '' THEN RETURN NEW; END IF;
    IF TG_OP = 'UPDATE' AND NEW.origin = OLD.origin AND NEW.seq = OLD.seq + 1 AND EXISTS (
        SELECT 1 FROM audit a WHERE a.origin = NEW.origin AND a.seq = NEW.seq AND a.hash = NEW.hash)
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the end of the audit moves with an entry';
END $$;
CREATE TRIGGER audit_heads_move_on BEFORE INSERT OR UPDATE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION audit_heads_move_on();

-- A signature is laid beside one's own decision.
CREATE FUNCTION proofs_are_ones_own() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_is_told() AND NOT EXISTS (
        SELECT 1 FROM decisions d WHERE d.origin = NEW.origin AND d.id = NEW.decision
            AND d.reviewer = session_reviewer(NEW.origin))
    THEN RAISE EXCEPTION 'a decision is signed by its reviewer'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proofs_are_ones_own BEFORE INSERT ON proofs
    FOR EACH ROW EXECUTE FUNCTION proofs_are_ones_own();

-- And beside one's own entry.
CREATE FUNCTION audit_signatures_are_ones_own() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_is_told() AND NOT EXISTS (
        SELECT 1 FROM audit a WHERE a.origin = NEW.origin AND a.seq = NEW.seq
            AND coalesce(a.entry::json ->> 'by', a.entry::json ->> 'reviewer')
                = session_reviewer(NEW.origin))
    THEN RAISE EXCEPTION 'an entry is signed by its doer'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_signatures_are_ones_own BEFORE INSERT ON audit_signatures
    FOR EACH ROW EXECUTE FUNCTION audit_signatures_are_ones_own();

-- The store's own row is the owner's.
CREATE FUNCTION store_is_the_owners() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_is_told() AND NEW IS DISTINCT FROM OLD
    THEN RAISE EXCEPTION 'the store is its owner''s'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_is_the_owners BEFORE UPDATE ON store
    FOR EACH ROW EXECUTE FUNCTION store_is_the_owners();
