//! Parts the tables that grow by origin, where a server keeps them: each tenant's rows lie in tables of their own,
//! which can be moved, kept aside or dropped by themselves. Knows no row and no key of a table: the server is asked
//! what they are, so that what a later version adds is parted as well. A file has no partitions.

use super::copy;
use super::engine::{Tx, args};
use crate::domain::Millis;
use crate::store::{Result, StoreError};

/// The functions that do it, and that give a new origin its partitions.
const FUNCTIONS: &str = include_str!("../../../assets/partitions/postgres.sql");
/// Nobody is in the tables while they are moved; a decision belongs to a case of whichever table meanwhile.
const BEGIN: &str = "LOCK TABLE origins, cases, decisions, audit, audit_signatures, proofs, passed_over \
    IN ACCESS EXCLUSIVE MODE; \
    ALTER TABLE decisions DROP CONSTRAINT decisions_case_id_fkey";
const END: &str = "ALTER TABLE decisions ADD CONSTRAINT decisions_case_id_fkey \
    FOREIGN KEY (origin, case_id) REFERENCES cases (origin, id); \
    DROP TRIGGER IF EXISTS origins_get_partitions ON origins; \
    CREATE TRIGGER origins_get_partitions AFTER INSERT ON origins \
    FOR EACH ROW EXECUTE FUNCTION origins_get_partitions()";

/// Parts the tables; `told` hears of each how many rows were moved.
///
/// # Errors
/// [`StoreError::InUse`] when consoles are at work; [`StoreError::Other`] for a file.
pub async fn make(
    tx: &mut Tx,
    now: Millis,
    told: &(dyn Fn(&str, u64) + Send + Sync),
) -> Result<()> {
    if let Tx::Sqlite(_) = tx {
        return Err(StoreError::Other("a file has no partitions".to_owned()));
    }
    let at_work = copy::at_work(tx, now).await?;
    if at_work > 0 {
        return Err(StoreError::InUse(at_work));
    }
    tx.at_length().await?;
    tx.script(FUNCTIONS).await?;
    tx.script(BEGIN).await?;
    for row in tx.rows("SELECT unnest(parted_tables()) AS parted", args![]).await? {
        let table = row.text("parted")?;
        let moved = tx.moved("SELECT part_table($1) AS moved", args![table.as_str()]).await?;
        told(&table, moved);
    }
    tx.script(END).await
}
