//! What a server ends because of what others did at the same moment is done once more, whole: serialization
//! failures (40001) and deadlocks (40P01).

use secondlook::domain::{DeliveryState, Disposition};
use secondlook::store::{self, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::audit::behind;
use crate::postgres::shared;
use crate::store::{T, WINDOW, admit, at, decision, holder, id, lease, origin, row};

/// Every other transaction that writes is ended with a serialization failure or a deadlock in turns, at its
/// first write. A sequence keeps its place when a transaction is rolled back.
const COLLIDES: &str = "CREATE SEQUENCE tries;
    CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE this BIGINT;
    BEGIN
        IF coalesce(current_setting('look.tried', true), '') = '' THEN
            PERFORM set_config('look.tried', '1', true);
            this := nextval('tries');
            IF this % 4 = 1 THEN RAISE EXCEPTION 'collides' USING ERRCODE = '40001'; END IF;
            IF this % 4 = 3 THEN RAISE EXCEPTION 'collides' USING ERRCODE = '40P01'; END IF;
        END IF;
        RETURN NULL;
    END $$;
    DO $$ DECLARE t TEXT; BEGIN
        FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
            EXECUTE format('CREATE TRIGGER a_collides BEFORE INSERT OR UPDATE OR DELETE ON %I '
                           'FOR EACH STATEMENT EXECUTE FUNCTION collide()', t);
        END LOOP;
    END $$";

/// Makes every transaction of a store collide with another one before it is kept.
pub async fn collide(url: &str) {
    assert!(behind(url, COLLIDES).await);
}

#[tokio::test]
async fn a_transaction_that_always_collides_ends_with_a_sentence() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database().await;
    let store = store::open(&url).await.unwrap();
    let always = COLLIDES.replace("this % 4 = 1", "true");
    assert!(behind(&url, &always).await);
    let failed = store.keeps().await.unwrap_err();
    assert!(matches!(failed, StoreError::Collision), "{failed:?}");
    let mut server = PgConnection::connect(&url).await.unwrap();
    let tries = sqlx::query("SELECT last_value FROM tries").fetch_one(&mut server).await.unwrap();
    assert_eq!(tries.get::<i64, _>(0), 8, "and it was tried so often");
}

/// Another connection holds what a decision needs last and asks for what it has: one of the two has to go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_lived_through() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database().await;
    let store = store::open(&url).await.unwrap();
    admit(store.as_ref(), 1).await;
    let ana = holder("ana", 1);
    let first = lease(store.as_ref(), 1, &ana, T).await;
    store.decide(&first, &decision(1, &first, Disposition::Reject), at(WINDOW), T).await.unwrap();
    admit(store.as_ref(), 2).await;
    let ours = lease(store.as_ref(), 2, &ana, T).await;

    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut run = async |sql: &str| {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut other).await.unwrap();
    };
    // Whoever looks first ends itself; the other one never looks.
    run("SET deadlock_timeout = '1h'").await;
    run("BEGIN").await;
    run("SELECT seq FROM audit_heads FOR UPDATE").await;
    let deciding = {
        let (store, ours) = (store.clone(), ours.clone());
        tokio::spawn(async move {
            let made = decision(2, &ours, Disposition::Reject);
            store.decide(&ours, &made, at(WINDOW), T).await
        })
    };
    let mut watching = PgConnection::connect(&url).await.unwrap();
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                 WHERE NOT l.granted AND a.datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watching).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    run("SELECT key FROM cases WHERE key LIKE '%2' FOR UPDATE").await;
    run("COMMIT").await;
    assert_eq!(deciding.await.unwrap().unwrap(), DeliveryState::Held);
    let ended = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    // The figure is told a little later than what it counts.
    while sqlx::query_scalar::<_, i64>(ended).fetch_one(&mut watching).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(row(store.as_ref(), 2).await.decision.id, id(2), "and it is recorded once");
    assert_eq!(store.audit_head(&origin()).await.unwrap().seq, 2);
}
