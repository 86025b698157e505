-- A store as the build before the roster left it (schema 7): two decisions on their way, one of them of unknown
-- outcome, an escalation and proposals. Made by that build on the simulator (seed 5, 8 cases): nobody's data.
PRAGMA application_id = 845966129;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE store (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    schema INTEGER NOT NULL,
    salt   BLOB NOT NULL
) STRICT;
INSERT INTO store VALUES(1,7,X'2fa1cee1859994f89ce95d74c478965889717c4ae3a6dd4f17499d0c118d2bc9');
CREATE TABLE origins (
    id   INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
, news INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO origins VALUES(1,'http://127.0.0.1:46857#838c5b820517',61);
CREATE TABLE cases (
    id             INTEGER NOT NULL PRIMARY KEY,
    origin         INTEGER NOT NULL REFERENCES origins (id),
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
    must_replace   TEXT, readings TEXT,
    UNIQUE (origin, key)
) STRICT;
INSERT INTO cases VALUES(1,1,'9ac44b77-d933-48c2-8b59-d0ebe1c5108b','4814','workflow','{"key":"9ac44b77-d933-48c2-8b59-d0ebe1c5108b","session_number":4814,"kind":"workflow","status":"In Review","created_at":1795839815222,"candidates":[{"session_id":"cec5e5a5-2981-47c7-8322-7d5d03d1f1fd","session_number":2748,"similarity":95.0,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','left',1795839815222,NULL,1795840500666,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO cases VALUES(2,1,'eca5f765-389e-4a5d-97ce-31e7ba7b5025','4813','workflow','{"key":"eca5f765-389e-4a5d-97ce-31e7ba7b5025","session_number":4813,"kind":"workflow","status":"In Review","created_at":1795838097222,"candidates":[{"session_id":"ff5ac984-2353-44d3-bd70-c66aa0cef430","session_number":2656,"similarity":83.9,"source":"session","self_match":false,"blocklisted":true,"allowlisted":false},{"session_id":"5177d21c-bf64-4575-90db-eb51b678c86f","session_number":2564,"similarity":79.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','open',1795838097222,NULL,1795840500671,7,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO cases VALUES(3,1,'98054ab4-44f9-4080-9696-4919237fd96c','4811','workflow','{"key":"98054ab4-44f9-4080-9696-4919237fd96c","session_number":4811,"kind":"workflow","status":"In Review","created_at":1795836781222,"candidates":[{"session_id":"87249e72-d346-436c-b98b-d2e24fc808c3","session_number":2380,"similarity":77.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"42915490-b35d-4159-9131-709fa49e7d6b","session_number":2472,"similarity":70.0,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','escalated',1795836781222,NULL,1795840500673,1,NULL,NULL,NULL,NULL,NULL,'[{"by":"os:0","said":[{"place":0,"session_id":"87249e72-d346-436c-b98b-d2e24fc808c3","judgement":null},{"place":1,"session_id":"42915490-b35d-4159-9131-709fa49e7d6b","judgement":null}]}]');
INSERT INTO cases VALUES(4,1,'128440ad-39c5-4b52-864f-be6b0859c1ed','4808','workflow','{"key":"128440ad-39c5-4b52-864f-be6b0859c1ed","session_number":4808,"kind":"workflow","status":"In Review","created_at":1795833777222,"candidates":[{"session_id":"9c6ab5f6-1dd1-46b1-8089-52ee67ed10ad","session_number":2196,"similarity":96.0,"source":"session","self_match":true,"blocklisted":false,"allowlisted":false},{"session_id":"eaaf0ff7-d58b-477d-9771-937679d054a8","session_number":2104,"similarity":80.8,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"11471dc8-281a-4d5b-a681-f3edca4bd047","session_number":2012,"similarity":79.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','escalated',1795833777222,NULL,1795840500674,3,NULL,NULL,NULL,NULL,NULL,'[{"by":"os:0","said":[{"place":1,"session_id":"eaaf0ff7-d58b-477d-9771-937679d054a8","judgement":null},{"place":2,"session_id":"11471dc8-281a-4d5b-a681-f3edca4bd047","judgement":null}]}]');
INSERT INTO cases VALUES(5,1,'0af866fe-75e3-4606-a23d-bacfdbe3193c','4806','workflow','{"key":"0af866fe-75e3-4606-a23d-bacfdbe3193c","session_number":4806,"kind":"workflow","status":"In Review","created_at":1795832307222,"candidates":[{"session_id":"8960e55a-8a13-4cc2-9fd8-fde00ea22e08","session_number":1920,"similarity":82.9,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','decided',1795832307222,NULL,1795840500675,1,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO cases VALUES(6,1,'356bc118-72fc-43dc-b893-b398b341bb53','4800','workflow','{"key":"356bc118-72fc-43dc-b893-b398b341bb53","session_number":4800,"kind":"workflow","status":"In Review","created_at":1795829398222,"candidates":[{"session_id":"052eae2f-4691-4282-9666-fd716eba5ec7","session_number":1276,"similarity":84.3,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"74288c73-9155-4bd6-963a-404363a4d0aa","session_number":1460,"similarity":79.3,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"d751cea4-2933-43dc-9ae2-8aa6f067b11c","session_number":1368,"similarity":73.1,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','escalated',1795829398222,NULL,1795840500677,1,NULL,NULL,NULL,NULL,NULL,'[{"by":"os:0","said":[{"place":0,"session_id":"052eae2f-4691-4282-9666-fd716eba5ec7","judgement":null},{"place":1,"session_id":"74288c73-9155-4bd6-963a-404363a4d0aa","judgement":null},{"place":2,"session_id":"d751cea4-2933-43dc-9ae2-8aa6f067b11c","judgement":null}]}]');
INSERT INTO cases VALUES(7,1,'02fbc677-ca20-436a-925f-1007f293f0c9','4798','workflow','{"key":"02fbc677-ca20-436a-925f-1007f293f0c9","session_number":4798,"kind":"workflow","status":"In Review","created_at":1795828142222,"candidates":[{"session_id":"edec247c-8a0d-4fe6-9f44-33895c6f9da5","session_number":1092,"similarity":79.6,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"24ab8398-e51c-4c53-905e-27c2b9ff4ccd","session_number":1184,"similarity":77.1,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','decided',1795828142222,NULL,1795840500678,1,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO cases VALUES(8,1,'0d7b451b-6737-4d6a-86d5-8b2fe4edaf64','4803','workflow','{"key":"0d7b451b-6737-4d6a-86d5-8b2fe4edaf64","session_number":4803,"kind":"workflow","status":"In Review","created_at":1795831259222,"candidates":[{"session_id":"d58febf0-7f6d-40cb-bbba-5f536dac49c7","session_number":1828,"similarity":97.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"5cd06bd6-399d-411f-b429-674b0efc6fab","session_number":1552,"similarity":88.5,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"7e62eb6d-f96f-4c22-acab-81b6af9f1a04","session_number":1644,"similarity":78.9,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"b4f24288-9afe-4b83-90d7-27c7307080be","session_number":1736,"similarity":77.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','escalated',1795831259222,NULL,1795840500680,7,NULL,NULL,NULL,NULL,NULL,'[{"by":"os:0","said":[{"place":0,"session_id":"d58febf0-7f6d-40cb-bbba-5f536dac49c7","judgement":null},{"place":1,"session_id":"5cd06bd6-399d-411f-b429-674b0efc6fab","judgement":null},{"place":2,"session_id":"7e62eb6d-f96f-4c22-acab-81b6af9f1a04","judgement":null},{"place":3,"session_id":"b4f24288-9afe-4b83-90d7-27c7307080be","judgement":null}]}]');
INSERT INTO cases VALUES(9,1,'5000002d-d643-4a5f-9ccc-d87b206deb68','4810','saved_search','{"key":"5000002d-d643-4a5f-9ccc-d87b206deb68","session_number":4810,"kind":"saved_search","status":"Approved","created_at":1795835647222,"candidates":[{"session_id":"af60ea9c-820e-4a47-a157-254c26bfd7c2","session_number":2288,"similarity":76.3,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}],"set_aside":0,"total_matches":null}','escalated',1795835647222,NULL,1795840500683,5,NULL,NULL,NULL,NULL,NULL,'[{"by":"os:0","said":[{"place":0,"session_id":"af60ea9c-820e-4a47-a157-254c26bfd7c2","judgement":null}]}]');
CREATE TABLE tallies (
    origin INTEGER NOT NULL REFERENCES origins (id),
    state  TEXT NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (origin, state)
) STRICT;
INSERT INTO tallies VALUES(1,'left',1);
INSERT INTO tallies VALUES(1,'open',1);
INSERT INTO tallies VALUES(1,'decided',2);
INSERT INTO tallies VALUES(1,'escalated',5);
CREATE TABLE decisions (
    seq              INTEGER NOT NULL PRIMARY KEY, -- in the order of recording
    origin           INTEGER NOT NULL REFERENCES origins (id),
    id               TEXT NOT NULL UNIQUE,
    case_id          INTEGER NOT NULL REFERENCES cases (id),
    reviewer         TEXT NOT NULL,
    disposition      TEXT NOT NULL,
    record           TEXT NOT NULL,                  -- the decision, JSON; never changed
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
    settled_at       INTEGER
) STRICT;
INSERT INTO decisions VALUES(1,1,'01a2206f-8e24-723b-b771-a18b2b12e858',7,'os:0','approve','{"id":"01a2206f-8e24-723b-b771-a18b2b12e858","case":"02fbc677-ca20-436a-925f-1007f293f0c9","session_number":4798,"kind":"workflow","disposition":"approve","judgements":[{"place":0,"session_id":"edec247c-8a0d-4fe6-9f44-33895c6f9da5","judgement":"different"},{"place":1,"session_id":"24ab8398-e51c-4c53-905e-27c2b9ff4ccd","judgement":"different"}],"reason":null,"comment":null,"target":null,"reviewer":{"id":"os:0","name":"ana"},"seen_status":"In Review","at":1795840511524,"receipt":{"pictures":[],"protocol":"script","eye_pixels":[],"zooms":0,"flips":0,"score_hidden":false,"dwell_ms":0},"replaces":null,"workflow":"0b5e55ed-0000-4000-8000-000000000001"}','open','held',1795840411524,0,0,NULL,NULL,0,0,0,0,NULL,NULL);
INSERT INTO decisions VALUES(2,1,'01a2206f-8e45-7430-b3ce-6577e45652fa',5,'os:0','reject','{"id":"01a2206f-8e45-7430-b3ce-6577e45652fa","case":"0af866fe-75e3-4606-a23d-bacfdbe3193c","session_number":4806,"kind":"workflow","disposition":"reject","judgements":[{"place":0,"session_id":"8960e55a-8a13-4cc2-9fd8-fde00ea22e08","judgement":null}],"reason":null,"comment":null,"target":null,"reviewer":{"id":"os:0","name":"ana"},"seen_status":"In Review","at":1795840511556,"receipt":{"pictures":[],"protocol":"script","eye_pixels":[],"zooms":0,"flips":0,"score_hidden":false,"dwell_ms":0},"replaces":null,"workflow":"0b5e55ed-0000-4000-8000-000000000001"}','open','unknown',1795840411556,1,0,NULL,NULL,1,0,0,0,NULL,NULL);
INSERT INTO decisions VALUES(3,1,'01a2206f-8e69-744e-aa39-d507a734a06b',3,'os:0','escalate','{"id":"01a2206f-8e69-744e-aa39-d507a734a06b","case":"98054ab4-44f9-4080-9696-4919237fd96c","session_number":4811,"kind":"workflow","disposition":"escalate","judgements":[{"place":0,"session_id":"87249e72-d346-436c-b98b-d2e24fc808c3","judgement":null},{"place":1,"session_id":"42915490-b35d-4159-9131-709fa49e7d6b","judgement":null}],"reason":null,"comment":null,"target":null,"reviewer":{"id":"os:0","name":"ana"},"seen_status":"In Review","at":1795840511592,"receipt":{"pictures":[],"protocol":"script","eye_pixels":[],"zooms":0,"flips":0,"score_hidden":false,"dwell_ms":0},"replaces":null,"workflow":"0b5e55ed-0000-4000-8000-000000000001"}','open','local',1795840111592,0,0,NULL,NULL,0,0,0,0,NULL,1795840511592);
INSERT INTO decisions VALUES(4,1,'01a2206f-8e8c-7349-a110-e0365a438444',6,'os:0','blocklist','{"id":"01a2206f-8e8c-7349-a110-e0365a438444","case":"356bc118-72fc-43dc-b893-b398b341bb53","session_number":4800,"kind":"workflow","disposition":"blocklist","judgements":[{"place":0,"session_id":"052eae2f-4691-4282-9666-fd716eba5ec7","judgement":null},{"place":1,"session_id":"74288c73-9155-4bd6-963a-404363a4d0aa","judgement":null},{"place":2,"session_id":"d751cea4-2933-43dc-9ae2-8aa6f067b11c","judgement":null}],"reason":null,"comment":null,"target":{"session_id":"052eae2f-4691-4282-9666-fd716eba5ec7","session_number":1276,"is_subject":false,"approved":true},"reviewer":{"id":"os:0","name":"ana"},"seen_status":"In Review","at":1795840511627,"receipt":{"pictures":[],"protocol":"script","eye_pixels":[],"zooms":0,"flips":0,"score_hidden":false,"dwell_ms":0},"replaces":null,"workflow":"0b5e55ed-0000-4000-8000-000000000001","evidence":[{"session_id":"052eae2f-4691-4282-9666-fd716eba5ec7","session_number":1276,"similarity":84.3,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"74288c73-9155-4bd6-963a-404363a4d0aa","session_number":1460,"similarity":79.3,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"d751cea4-2933-43dc-9ae2-8aa6f067b11c","session_number":1368,"similarity":73.1,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}]}','open','proposed',1795840111627,0,0,NULL,NULL,0,0,0,0,NULL,NULL);
INSERT INTO decisions VALUES(5,1,'01a2206f-9051-7458-beac-095921e132b5',4,'os:0','blocklist','{"id":"01a2206f-9051-7458-beac-095921e132b5","case":"128440ad-39c5-4b52-864f-be6b0859c1ed","session_number":4808,"kind":"workflow","disposition":"blocklist","judgements":[{"place":1,"session_id":"eaaf0ff7-d58b-477d-9771-937679d054a8","judgement":null},{"place":2,"session_id":"11471dc8-281a-4d5b-a681-f3edca4bd047","judgement":null}],"reason":null,"comment":null,"target":{"session_id":"9c6ab5f6-1dd1-46b1-8089-52ee67ed10ad","session_number":2196,"is_subject":false,"approved":true},"reviewer":{"id":"os:0","name":"ana"},"seen_status":"In Review","at":1795840512081,"receipt":{"pictures":[],"protocol":"script","eye_pixels":[],"zooms":0,"flips":0,"score_hidden":false,"dwell_ms":0},"replaces":null,"workflow":"0b5e55ed-0000-4000-8000-000000000001","evidence":[{"session_id":"9c6ab5f6-1dd1-46b1-8089-52ee67ed10ad","session_number":2196,"similarity":96.0,"source":"session","self_match":true,"blocklisted":false,"allowlisted":false},{"session_id":"eaaf0ff7-d58b-477d-9771-937679d054a8","session_number":2104,"similarity":80.8,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"11471dc8-281a-4d5b-a681-f3edca4bd047","session_number":2012,"similarity":79.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}]}','open','proposed',1795840112081,0,0,NULL,NULL,0,0,0,0,NULL,NULL);
INSERT INTO decisions VALUES(6,1,'01a2206f-91fd-7109-b2a1-f117fe0ac80e',9,'os:0','blocklist','{"id":"01a2206f-91fd-7109-b2a1-f117fe0ac80e","case":"5000002d-d643-4a5f-9ccc-d87b206deb68","session_number":4810,"kind":"saved_search","disposition":"blocklist","judgements":[{"place":0,"session_id":"af60ea9c-820e-4a47-a157-254c26bfd7c2","judgement":null}],"reason":null,"comment":null,"target":{"session_id":"af60ea9c-820e-4a47-a157-254c26bfd7c2","session_number":2288,"is_subject":false,"approved":true},"reviewer":{"id":"os:0","name":"ana"},"seen_status":"Approved","at":1795840512509,"receipt":{"pictures":[],"protocol":"script","eye_pixels":[],"zooms":0,"flips":0,"score_hidden":false,"dwell_ms":0},"replaces":null,"evidence":[{"session_id":"af60ea9c-820e-4a47-a157-254c26bfd7c2","session_number":2288,"similarity":76.3,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}]}','open','proposed',1795840112509,0,0,NULL,NULL,0,0,0,0,NULL,NULL);
INSERT INTO decisions VALUES(7,1,'01a2206f-936f-7761-801e-52f37055e7d5',8,'os:0','blocklist','{"id":"01a2206f-936f-7761-801e-52f37055e7d5","case":"0d7b451b-6737-4d6a-86d5-8b2fe4edaf64","session_number":4803,"kind":"workflow","disposition":"blocklist","judgements":[{"place":0,"session_id":"d58febf0-7f6d-40cb-bbba-5f536dac49c7","judgement":null},{"place":1,"session_id":"5cd06bd6-399d-411f-b429-674b0efc6fab","judgement":null},{"place":2,"session_id":"7e62eb6d-f96f-4c22-acab-81b6af9f1a04","judgement":null},{"place":3,"session_id":"b4f24288-9afe-4b83-90d7-27c7307080be","judgement":null}],"reason":null,"comment":null,"target":{"session_id":"5cd06bd6-399d-411f-b429-674b0efc6fab","session_number":1552,"is_subject":false,"approved":true},"reviewer":{"id":"os:0","name":"ana"},"seen_status":"In Review","at":1795840512878,"receipt":{"pictures":[],"protocol":"script","eye_pixels":[],"zooms":0,"flips":0,"score_hidden":false,"dwell_ms":0},"replaces":null,"workflow":"0b5e55ed-0000-4000-8000-000000000001","evidence":[{"session_id":"d58febf0-7f6d-40cb-bbba-5f536dac49c7","session_number":1828,"similarity":97.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"5cd06bd6-399d-411f-b429-674b0efc6fab","session_number":1552,"similarity":88.5,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"7e62eb6d-f96f-4c22-acab-81b6af9f1a04","session_number":1644,"similarity":78.9,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false},{"session_id":"b4f24288-9afe-4b83-90d7-27c7307080be","session_number":1736,"similarity":77.2,"source":"session","self_match":false,"blocklisted":false,"allowlisted":false}]}','open','proposed',1795840112878,0,0,NULL,NULL,0,0,0,0,NULL,NULL);
CREATE TABLE audit_heads (
    origin INTEGER NOT NULL PRIMARY KEY REFERENCES origins (id),
    seq    INTEGER NOT NULL,
    hash   TEXT NOT NULL
) STRICT;
INSERT INTO audit_heads VALUES(1,7,'9b790a86be249816ab8da9884cf10672f54fd8ebbfb935722376423bd78dc9ad');
CREATE TABLE audit (
    origin INTEGER NOT NULL REFERENCES origins (id),
    seq    INTEGER NOT NULL,
    entry  TEXT NOT NULL,             -- JSON, hashed as it stands
    hash   TEXT NOT NULL,
    PRIMARY KEY (origin, seq)
) STRICT;
INSERT INTO audit VALUES(1,1,'{"seq":1,"at":1795840511524,"what":"decided","decision":"01a2206f-8e24-723b-b771-a18b2b12e858","case":"02fbc677-ca20-436a-925f-1007f293f0c9","disposition":"approve","state":"held","reviewer":"os:0","record":"723b7305a084f6a47bd6a5968274c6bf48f90575cb9b10b4911ffccf22aa7b0a","before":""}','a5be799be93b2ce9021fa64f56e31ddf2c4003e94924179cd4d5284332edab77');
INSERT INTO audit VALUES(1,2,'{"seq":2,"at":1795840511556,"what":"decided","decision":"01a2206f-8e45-7430-b3ce-6577e45652fa","case":"0af866fe-75e3-4606-a23d-bacfdbe3193c","disposition":"reject","state":"held","reviewer":"os:0","record":"844390d659d4ce3b40421f0e9eb10232b09078dd67f94a68647fb4ababe8f051","before":"a5be799be93b2ce9021fa64f56e31ddf2c4003e94924179cd4d5284332edab77"}','811e6cab594deef819349c66af277b226e0bf281d83848c97c199bdf7a6d3d87');
INSERT INTO audit VALUES(1,3,'{"seq":3,"at":1795840511592,"what":"decided","decision":"01a2206f-8e69-744e-aa39-d507a734a06b","case":"98054ab4-44f9-4080-9696-4919237fd96c","disposition":"escalate","state":"local","reviewer":"os:0","record":"f94cfdd48edb121dea4c50e13d79dc506cce07112b8ae121f0fffde3aa3eb92b","before":"811e6cab594deef819349c66af277b226e0bf281d83848c97c199bdf7a6d3d87"}','0d7bcfcb045c0ee4c51925268ff65f8cdea7fdf69b46b83b51adfc53af4d6d2a');
INSERT INTO audit VALUES(1,4,'{"seq":4,"at":1795840511627,"what":"proposed","decision":"01a2206f-8e8c-7349-a110-e0365a438444","case":"356bc118-72fc-43dc-b893-b398b341bb53","disposition":"blocklist","state":"proposed","reviewer":"os:0","record":"e2fdeb059e16a3e00b8935a1a4c1b3721fe2e32fb47ca23808204d5511d1e729","before":"0d7bcfcb045c0ee4c51925268ff65f8cdea7fdf69b46b83b51adfc53af4d6d2a"}','cca593938070e1ed6958215787b8a2543e10911d5eb25a73a03e1b5d8e043bdb');
INSERT INTO audit VALUES(1,5,'{"seq":5,"at":1795840512081,"what":"proposed","decision":"01a2206f-9051-7458-beac-095921e132b5","case":"128440ad-39c5-4b52-864f-be6b0859c1ed","disposition":"blocklist","state":"proposed","reviewer":"os:0","record":"200bcd5d5ef7788731825ef8121100d12d69aab39d26c4703d34979a1d733419","before":"cca593938070e1ed6958215787b8a2543e10911d5eb25a73a03e1b5d8e043bdb"}','9baecede7af70b33cc4e3c845face3f8fbaf9e3f50eab0bdde91a6339e9bfa8f');
INSERT INTO audit VALUES(1,6,'{"seq":6,"at":1795840512509,"what":"proposed","decision":"01a2206f-91fd-7109-b2a1-f117fe0ac80e","case":"5000002d-d643-4a5f-9ccc-d87b206deb68","disposition":"blocklist","state":"proposed","reviewer":"os:0","record":"94fa78bc2d45e3c9531b5d5a6b44ef2a25e2483d6acd02c08d5b42aa6d356c62","before":"9baecede7af70b33cc4e3c845face3f8fbaf9e3f50eab0bdde91a6339e9bfa8f"}','65f82e35130b041d20d10d9f1eb11b1543967c032a29fb31e2a9c1f9df53e199');
INSERT INTO audit VALUES(1,7,'{"seq":7,"at":1795840512878,"what":"proposed","decision":"01a2206f-936f-7761-801e-52f37055e7d5","case":"0d7b451b-6737-4d6a-86d5-8b2fe4edaf64","disposition":"blocklist","state":"proposed","reviewer":"os:0","record":"1a7e24791eb6651e399c7dce7af80083d2f763257a58551b10f30b32ae74180c","before":"65f82e35130b041d20d10d9f1eb11b1543967c032a29fb31e2a9c1f9df53e199"}','9b790a86be249816ab8da9884cf10672f54fd8ebbfb935722376423bd78dc9ad');
CREATE TABLE audit_signatures (
    origin    INTEGER NOT NULL REFERENCES origins (id),
    seq       INTEGER NOT NULL,
    signature TEXT NOT NULL,          -- as ssh-keygen -Y sign writes it, of the entry's hash
    PRIMARY KEY (origin, seq)
) STRICT;
CREATE TABLE watchers (
    worker   TEXT NOT NULL PRIMARY KEY,
    origin   INTEGER NOT NULL REFERENCES origins (id),
    key      TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    name     TEXT NOT NULL,
    until    INTEGER NOT NULL
) STRICT;
CREATE TABLE duties (
    origin INTEGER NOT NULL PRIMARY KEY REFERENCES origins (id),
    worker TEXT NOT NULL,
    until  INTEGER NOT NULL
) STRICT;
CREATE TABLE budgets (
    origin INTEGER NOT NULL REFERENCES origins (id),
    verb   TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (origin, verb)
) STRICT;
INSERT INTO budgets VALUES(1,'read','[[1795840563000,24],[1795840574000,60],[1795840575000,70]]');
CREATE TABLE workflows (
    origin   INTEGER NOT NULL REFERENCES origins (id),
    workflow TEXT NOT NULL,            -- its id at Didit
    lists    INTEGER NOT NULL,           -- 0 or 1
    seen_at  INTEGER NOT NULL,
    PRIMARY KEY (origin, workflow)
) STRICT;
CREATE INDEX cases_queue ON cases (origin, state, place, key, session_number);
CREATE INDEX cases_unseen ON cases (origin, seen_at)
    WHERE kind = 'workflow' AND state IN ('open', 'escalated', 'left');
CREATE INDEX cases_leased ON cases (lease_worker) WHERE lease_worker IS NOT NULL;
CREATE INDEX decisions_case ON decisions (case_id, seq);
CREATE INDEX decisions_origin ON decisions (origin, seq);
CREATE INDEX decisions_open ON decisions (origin, due, id)
    WHERE state IN ('held', 'sending', 'unknown');
CREATE INDEX decisions_outbox ON decisions (origin, seq)
    WHERE state IN ('held', 'sending', 'unknown');
CREATE INDEX decisions_claimed ON decisions (claim_worker) WHERE claim_worker IS NOT NULL;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_signatures_stay BEFORE UPDATE ON audit_signatures
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_signatures_are_kept BEFORE DELETE ON audit_signatures
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE INDEX watchers_origin ON watchers (origin, until);
COMMIT;
