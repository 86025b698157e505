-- `secondlook store init --partitions`: the tables that grow are parted by origin. Each origin has partitions of
-- its own, a new one gets them from a function of the owner's; what gets none lies in the default ones (`_rest`).
-- Run again, it gives partitions to those that have none. All in one transaction: what breaks off changes nothing.

-- The tables that are parted, in the order in which they are taken.
CREATE OR REPLACE FUNCTION parted_tables() RETURNS TEXT[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['cases', 'decisions', 'audit', 'audit_signatures', 'proofs', 'passed_over']
$$;

-- What guards a whole statement guards it on a partition that is named too: rows have theirs already.
CREATE OR REPLACE FUNCTION guard_partition(parted TEXT, part TEXT) RETURNS void LANGUAGE plpgsql AS $$
DECLARE guard RECORD;
BEGIN
    FOR guard IN
        SELECT tgname, replace(pg_get_triggerdef(oid), format(' ON %I.%I ', current_schema(), parted),
            format(' ON %I.%I ', current_schema(), part)) AS definition
        FROM pg_trigger WHERE tgrelid = parted::regclass AND NOT tgisinternal AND tgtype & 1 = 0
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT 1 FROM pg_trigger WHERE tgrelid = part::regclass AND tgname = guard.tgname);
        EXECUTE guard.definition;
    END LOOP;
END $$;

-- Gives an origin its partition of one table, with the rows that lay in the default one.
CREATE OR REPLACE FUNCTION give_partition(parted TEXT, of_origin BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE part TEXT := format('%s_%s', parted, of_origin); rest TEXT := parted || '_rest'; moved BIGINT;
BEGIN
    IF to_regclass(part) IS NOT NULL THEN RETURN 0; END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parted);
    EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE origin = %s', part, rest, of_origin);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved > 0 THEN
        EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', rest);
        EXECUTE format('DELETE FROM %I WHERE origin = %s', rest, of_origin);
        EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', rest);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', parted, part, of_origin);
    PERFORM guard_partition(parted, part);
    RETURN moved;
END $$;

-- A new origin gets its partitions at once. Where that cannot be (somebody holds a table for longer than a
-- second, there are too many), its rows lie in the default ones, and nobody has to wait.
CREATE OR REPLACE FUNCTION origins_get_partitions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE parted TEXT;
BEGIN
    IF (SELECT count(*) FROM origins) > 100 THEN RETURN NULL; END IF;
    FOREACH parted IN ARRAY parted_tables() LOOP
        PERFORM give_partition(parted, NEW.id);
    END LOOP;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'origin % lies in the default partitions: %', NEW.id, SQLERRM;
    RETURN NULL;
END $$;

-- Parts one table; returns how many rows that moved.
CREATE OR REPLACE FUNCTION part_table(parted TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    was TEXT := parted || '_before';
    kept TEXT[]; one RECORD; moved BIGINT := 0;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = parted::regclass) = 'p' THEN
        FOR one IN SELECT id FROM origins ORDER BY id LOOP
            moved := moved + give_partition(parted, one.id);
        END LOOP;
        RETURN moved;
    END IF;
    -- What it has to have again: keys, indexes, guards, in the words of the server.
    SELECT array_agg(line ORDER BY place, line) INTO kept FROM (
        -- Functions of a row of this table, which is another type then.
        SELECT 0 AS place, pg_get_functiondef(p.oid) AS line FROM pg_proc p JOIN pg_type t ON t.typrelid = parted::regclass
        WHERE t.oid = ANY (p.proargtypes)
        UNION ALL
        SELECT 1, format('ALTER TABLE %I ADD CONSTRAINT %I %s', parted, conname,
            pg_get_constraintdef(oid))
        FROM pg_constraint WHERE conrelid = parted::regclass AND contype IN ('p', 'u', 'f')
        UNION ALL
        SELECT 2, pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = parted::regclass
            AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid
                AND c.conrelid = i.indrelid)
        UNION ALL
        SELECT 3, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid = parted::regclass AND NOT tgisinternal
        UNION ALL
        SELECT 4, format('GRANT %s ON %I TO %s', privilege_type, parted,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
        FROM pg_class, aclexplode(relacl) WHERE oid = parted::regclass AND grantee <> relowner
        UNION ALL
        SELECT 4, format('GRANT %s (%I) ON %I TO %s', privilege_type, attname, parted,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
        FROM pg_attribute, aclexplode(attacl) WHERE attrelid = parted::regclass AND attnum > 0
    ) AS lines;
    FOR one IN SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_type t
        ON t.typrelid = parted::regclass WHERE t.oid = ANY (p.proargtypes)
    LOOP
        EXECUTE format('DROP FUNCTION %s', one.name);
    END LOOP;
    -- Its names are free for the new one.
    FOR one IN SELECT indexrelid::regclass::text AS name, c.relname FROM pg_index
        JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = parted::regclass
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', one.relname, one.relname || '_before');
    END LOOP;
    FOR one IN SELECT attname, pg_get_serial_sequence(parted, attname)::regclass AS counter FROM pg_attribute
        WHERE attrelid = parted::regclass AND attidentity <> ''
    LOOP
        EXECUTE format('ALTER SEQUENCE %s RENAME TO %I', one.counter, parted || '_counter_before');
    END LOOP;
    EXECUTE format('ALTER TABLE %I RENAME TO %I', parted, was);
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING CONSTRAINTS) '
        'PARTITION BY LIST (origin)', parted, was);
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parted || '_rest', parted);
    FOR one IN SELECT id FROM origins ORDER BY id LOOP
        PERFORM give_partition(parted, one.id);
    END LOOP;
    EXECUTE format('INSERT INTO %I OVERRIDING SYSTEM VALUE SELECT * FROM %I', parted, was);
    GET DIAGNOSTICS moved = ROW_COUNT;
    FOR one IN SELECT attname FROM pg_attribute WHERE attrelid = parted::regclass AND attidentity <> ''
    LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), last_value, is_called) FROM %I',
            parted, one.attname, parted || '_counter_before');
    END LOOP;
    EXECUTE format('DROP TABLE %I', was);
    FOR i IN 1 .. coalesce(array_length(kept, 1), 0) LOOP
        EXECUTE kept[i];
    END LOOP;
    FOR one IN SELECT inhrelid::regclass::text AS part FROM pg_inherits WHERE inhparent = parted::regclass
    LOOP
        PERFORM guard_partition(parted, one.part);
    END LOOP;
    EXECUTE format('ANALYZE %I', parted);
    RETURN moved;
END $$;

-- These are the owner's, and find the owner's tables; a new origin waits for nobody.
DO $$
DECLARE one REGPROCEDURE;
BEGIN
    FOR one IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
        AND p.proname IN ('parted_tables', 'guard_partition', 'give_partition', 'part_table', 'origins_get_partitions')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', one, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', one);
    END LOOP;
    EXECUTE $set$ALTER FUNCTION origins_get_partitions() SET lock_timeout = '1s'$set$;
END $$;
