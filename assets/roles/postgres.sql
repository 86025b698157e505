-- `secondlook store init --roles`: whoever runs it owns the store from now on; members of secondlook_reviewer
-- review, members of secondlook_auditor read. Run again, it changes nothing.
DO $$ BEGIN CREATE ROLE secondlook_reviewer NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE secondlook_auditor NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO secondlook_reviewer, secondlook_auditor', current_schema());
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, secondlook_reviewer, secondlook_auditor',
        current_schema());
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC, secondlook_reviewer, secondlook_auditor',
        current_schema());
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO secondlook_reviewer, secondlook_auditor',
        current_schema());
END $$;
GRANT INSERT ON origins, cases, tallies, decisions, audit, audit_heads, audit_signatures, proofs, watchers,
    duties, budgets, workflows, passed_over, listings TO secondlook_reviewer;
GRANT UPDATE ON tallies, audit_heads, watchers, duties, budgets, workflows, passed_over, listings
    TO secondlook_reviewer;
GRANT UPDATE (schema) ON store TO secondlook_reviewer;
GRANT UPDATE (session_number, kind, record, state, place, note, seen_at, fence, lease_worker, lease_reviewer,
    lease_name, lease_until, must_replace, readings) ON cases TO secondlook_reviewer;
GRANT UPDATE (state, due, attempts, fence, claim_worker, claim_until, may_have_written, status_done, listed,
    noted, writes, answered_at, note, settled_at) ON decisions TO secondlook_reviewer;
GRANT DELETE ON watchers, duties, passed_over TO secondlook_reviewer;
-- Another key or address of Didit is another place, which has no roster: once there is one in this store, its owner
-- alone begins such a place.
CREATE OR REPLACE FUNCTION origins_begin_with_the_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF session_is_told() AND NOT EXISTS (SELECT 1 FROM origins o WHERE o.name = NEW.name)
       AND EXISTS (SELECT 1 FROM acts a WHERE a.act NOT LIKE '{"act":"adopt"%')
    THEN RAISE EXCEPTION 'this store has a roster for another key or address of Didit; its owner runs '
        '`secondlook store rebind` for a new key, or `secondlook reviewers add` for this one'; END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS origins_begin_with_the_owner ON origins;
CREATE TRIGGER origins_begin_with_the_owner BEFORE INSERT ON origins
    FOR EACH ROW EXECUTE FUNCTION origins_begin_with_the_owner();
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION origins_begin_with_the_owner() SET search_path = %I, pg_temp', current_schema());
END $$;
UPDATE store SET owner = session_user;
