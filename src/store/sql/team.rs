//! What consoles have together, in a database.

use async_trait::async_trait;

use super::engine::{anew, args};
use super::{SqlStore, rows, schema, statements};
use crate::domain::{Millis, Origin, WorkerId};
use crate::roster::Enacted;
use crate::store::{CallsAsked, CallsGranted, Login, NewAct, Result, Team};

#[async_trait]
impl Team for SqlStore {
    async fn login(&self) -> Result<Login> {
        self.engine.read(async |tx| rows::login(tx).await).await
    }

    async fn acts(&self, origin: &Origin) -> Result<Vec<Enacted>> {
        self.engine.read(async |tx| rows::acts(tx, origin).await).await
    }

    async fn elsewhere(&self, origin: &Origin) -> Result<bool> {
        self.engine.read(async |tx| rows::elsewhere(tx, origin).await).await
    }

    async fn enact(&self, origin: &Origin, act: &NewAct, now: Millis) -> Result<Enacted> {
        let scope = self.scope(origin);
        self.engine
            .write(anew!(async |tx| {
                schema::still_known(tx).await?;
                let enacted = rows::enact(tx, &scope, origin, act, now).await?;
                tx.announce(origin).await?;
                Ok(enacted)
            }))
            .await
    }

    async fn take_duty(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<bool> {
        self.engine
            .write(anew!(async |tx| {
                tx.run(statements::ADD_ORIGIN, args![origin]).await?;
                let values = args![origin, worker, now.plus(ttl_ms), now];
                Ok(tx.row(statements::TAKE_DUTY, values).await?.is_some())
            }))
            .await
    }

    async fn leave_duty(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.engine
            .write(anew!(async |tx| tx.run(statements::LEAVE_DUTY, args![origin, worker]).await))
            .await
            .map(drop)
    }

    async fn grant(
        &self,
        origin: &Origin,
        asked: &CallsAsked,
        now: Millis,
    ) -> Result<CallsGranted> {
        self.engine
            .write(anew!(async |tx| {
                let mut window = rows::budget(tx, origin, asked.verb).await?;
                let granted = window.grant(asked, now);
                if matches!(granted, CallsGranted::Now(_)) {
                    rows::save_budget(tx, origin, asked.verb, &window).await?;
                }
                Ok(granted)
            }))
            .await
    }
}
