//! Staff, sessions, API keys, devices and pairing codes in PostgreSQL.

use admit_core::id::{DeviceNo, EventNo, GateNo, UnixMs};
use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::row::{Columns, collect, first};
use super::{Done, PostgresStore, lease, query};
use crate::Result;
use crate::account::{Accounts, ApiKey, Device, Pairing, Role, SecretHash, Session, User};

fn role(columns: &Columns<'_>) -> Result<Role> {
    Role::parse(&columns.text("role")?).ok_or_else(|| columns.corrupt("role"))
}

fn read_user(columns: &Columns<'_>) -> Result<User> {
    Ok(User {
        name: columns.text("name")?,
        password_hash: columns.text("password_hash")?,
        role: role(columns)?,
    })
}

fn read_device(columns: &Columns<'_>) -> Result<Device> {
    Ok(Device {
        number: DeviceNo(columns.int("number")?),
        event: columns.event()?,
        name: columns.text("name")?,
        platform: columns.text("platform")?,
        gate: columns.small_or_none("gate")?.map(GateNo),
        secret: columns.bytes("secret")?,
        public_key: columns.bytes_or_none("public_key")?,
        paired_at: columns.time("paired_at")?,
        revoked_at: columns.time_or_none("revoked_at")?,
    })
}

async fn pair(
    tx: &Transaction<'_>,
    code: SecretHash,
    secret: SecretHash,
    platform: &str,
    public_key: Option<[u8; 32]>,
    now: UnixMs,
) -> Done<Option<Device>> {
    tx.execute("DELETE FROM pairing WHERE expires_at <= $1", &[&now.0]).await?;
    let code = code.as_slice();
    let rows = query(tx, "DELETE FROM pairing WHERE code = $1 RETURNING *", &[&code]).await?;
    let Some(found) = rows.first() else { return Ok(None) };
    let pairing = Columns { row: found, table: "pairing" };
    // The row of the book is held: nobody else draws a number meanwhile.
    let rows = query(
        tx,
        "INSERT INTO device (number, event, name, platform, gate, secret, paired_at, public_key)
         SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM device RETURNING *",
        &[
            &pairing.int("event")?,
            &pairing.text("device_name")?,
            &platform,
            &pairing.int_or_none("gate")?,
            &secret.as_slice(),
            &now.0,
            &public_key.as_ref().map(<[u8; 32]>::as_slice),
        ],
    )
    .await?;
    Ok(first(&rows, "device", read_device)?)
}

#[async_trait]
impl Accounts for PostgresStore {
    async fn put_user(&self, user: User, at: UnixMs) -> Result<()> {
        Ok(self
            .transact(|tx| {
                let user = user.clone();
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO staff VALUES ($1, $2, $3, $4)
                     ON CONFLICT (name) DO UPDATE SET password_hash = $2, role = $3",
                        &[&user.name, &user.password_hash, &user.role.code(), &at.0],
                    )
                    .await?;
                    // A changed password ends what was opened with the old one.
                    tx.execute("DELETE FROM session WHERE staff = $1", &[&user.name]).await?;
                    Ok(())
                })
            })
            .await?)
    }

    async fn user(&self, name: &str) -> Result<Option<User>> {
        let rows = self.query("SELECT * FROM staff WHERE name = $1", &[&name]).await?;
        first(&rows, "staff", read_user)
    }

    async fn users(&self) -> Result<Vec<User>> {
        let rows = self.query("SELECT * FROM staff ORDER BY name", &[]).await?;
        collect(&rows, "staff", read_user)
    }

    async fn remove_user(&self, name: &str) -> Result<bool> {
        Ok(self.execute("DELETE FROM staff WHERE name = $1", &[&name]).await? > 0)
    }

    async fn open_session(&self, secret: SecretHash, user: &str, expires_at: UnixMs) -> Result<()> {
        self.execute(
            "INSERT INTO session VALUES ($1, $2, $3)",
            &[&secret.as_slice(), &user, &expires_at.0],
        )
        .await?;
        Ok(())
    }

    async fn session(&self, secret: SecretHash, now: UnixMs) -> Result<Option<Session>> {
        let rows = self
            .query(
                "SELECT session.staff, role, expires_at FROM session
                 JOIN staff ON staff.name = session.staff WHERE secret = $1 AND expires_at > $2",
                &[&secret.as_slice(), &now.0],
            )
            .await?;
        first(&rows, "session", |columns| {
            Ok(Session {
                secret,
                user: columns.text("staff")?,
                role: role(columns)?,
                expires_at: columns.time("expires_at")?,
            })
        })
    }

    async fn close_session(&self, secret: SecretHash) -> Result<()> {
        self.execute("DELETE FROM session WHERE secret = $1", &[&secret.as_slice()]).await?;
        Ok(())
    }

    async fn put_api_key(&self, key: ApiKey, at: UnixMs) -> Result<()> {
        self.execute(
            "INSERT INTO api_key VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO UPDATE SET secret = $2, role = $3, sandbox = $5",
            &[&key.name, &key.secret.as_slice(), &key.role.code(), &at.0, &i64::from(key.sandbox)],
        )
        .await?;
        Ok(())
    }

    async fn api_key(&self, secret: SecretHash) -> Result<Option<ApiKey>> {
        let sql = "SELECT * FROM api_key WHERE secret = $1";
        let rows = self.query(sql, &[&secret.as_slice()]).await?;
        first(&rows, "api_key", |columns| {
            Ok(ApiKey {
                name: columns.text("name")?,
                secret,
                role: role(columns)?,
                sandbox: columns.flag("sandbox")?,
            })
        })
    }

    async fn remove_api_key(&self, name: &str) -> Result<bool> {
        Ok(self.execute("DELETE FROM api_key WHERE name = $1", &[&name]).await? > 0)
    }

    async fn put_pairing(&self, pairing: Pairing) -> Result<()> {
        self.execute(
            "INSERT INTO pairing VALUES ($1, $2, $3, $4, $5)",
            &[
                &pairing.code.as_slice(),
                &i64::from(pairing.event.0),
                &pairing.device_name,
                &pairing.gate.map(|gate| i64::from(gate.0)),
                &pairing.expires_at.0,
            ],
        )
        .await?;
        Ok(())
    }

    async fn pair(
        &self,
        code: SecretHash,
        secret: SecretHash,
        platform: String,
        public_key: Option<[u8; 32]>,
        now: UnixMs,
    ) -> Result<Option<Device>> {
        Ok(self
            .transact_books(|tx| {
                let platform = platform.clone();
                Box::pin(async move { pair(tx, code, secret, &platform, public_key, now).await })
            })
            .await?)
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        let rows = self.query("SELECT * FROM device ORDER BY number", &[]).await?;
        collect(&rows, "device", read_device)
    }

    async fn revoke_device(&self, event: EventNo, device: DeviceNo, at: UnixMs) -> Result<bool> {
        Ok(self
            .transact_books(|tx| {
                Box::pin(async move {
                    lease::release_all(tx, event, device).await?;
                    let changed = tx
                        .execute(
                            "UPDATE device SET revoked_at = COALESCE(revoked_at, $3)
                         WHERE event = $1 AND number = $2",
                            &[&i64::from(event.0), &device.0, &at.0],
                        )
                        .await?;
                    Ok(changed > 0)
                })
            })
            .await?)
    }
}
