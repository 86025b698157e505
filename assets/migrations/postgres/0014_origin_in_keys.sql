-- Every key holds the origin: tenants share nothing but tables, and a server can part those by it.

ALTER TABLE decisions DROP CONSTRAINT decisions_case_id_fkey;
ALTER TABLE cases DROP CONSTRAINT cases_pkey, ADD CONSTRAINT cases_pkey PRIMARY KEY (origin, id);
ALTER TABLE decisions DROP CONSTRAINT decisions_pkey, ADD CONSTRAINT decisions_pkey PRIMARY KEY (origin, seq);
ALTER TABLE decisions DROP CONSTRAINT decisions_id_key, ADD CONSTRAINT decisions_id_key UNIQUE (origin, id);
ALTER TABLE decisions ADD CONSTRAINT decisions_case_id_fkey
    FOREIGN KEY (origin, case_id) REFERENCES cases (origin, id);
ALTER TABLE watchers DROP CONSTRAINT watchers_pkey, ADD CONSTRAINT watchers_pkey PRIMARY KEY (origin, worker);

-- The key of decisions has this order.
DROP INDEX decisions_origin;
DROP INDEX decisions_case;
CREATE INDEX decisions_case ON decisions (origin, case_id, seq);
DROP INDEX decisions_claimed;
CREATE INDEX decisions_claimed ON decisions (origin, claim_worker) WHERE claim_worker IS NOT NULL;
DROP INDEX cases_leased;
CREATE INDEX cases_leased ON cases (origin, lease_worker) WHERE lease_worker IS NOT NULL;
