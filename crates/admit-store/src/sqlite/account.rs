//! Staff, sessions, API keys, devices and pairing codes in SQLite.

use admit_core::id::{DeviceNo, EventNo, GateNo, UnixMs};
use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::row::{Columns, collect, first};
use super::{SqliteStore, lease};
use crate::Result;
use crate::account::{Accounts, ApiKey, Device, Pairing, Role, SecretHash, Session, User};

fn role(columns: &Columns<'_, '_>) -> Result<Role> {
    Role::parse(&columns.text("role")?).ok_or_else(|| columns.corrupt("role"))
}

fn read_user(columns: &Columns<'_, '_>) -> Result<User> {
    Ok(User {
        name: columns.text("name")?,
        password_hash: columns.text("password_hash")?,
        role: role(columns)?,
    })
}

fn read_device(columns: &Columns<'_, '_>) -> Result<Device> {
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

fn pair(
    tx: &Connection,
    code: &SecretHash,
    secret: &SecretHash,
    platform: &str,
    public_key: Option<[u8; 32]>,
    now: UnixMs,
) -> Result<Option<Device>> {
    tx.execute("DELETE FROM pairing WHERE expires_at <= ?1", [now.0])?;
    let mut statement = tx.prepare_cached("DELETE FROM pairing WHERE code = ?1 RETURNING *")?;
    let pairing = first(&mut statement, [code], "pairing", |columns| {
        Ok(Pairing {
            code: *code,
            event: columns.event()?,
            device_name: columns.text("device_name")?,
            gate: columns.small_or_none("gate")?.map(GateNo),
            expires_at: columns.time("expires_at")?,
        })
    })?;
    let Some(pairing) = pairing else { return Ok(None) };
    let mut statement = tx.prepare_cached(
        "INSERT INTO device (event, name, platform, gate, secret, paired_at, public_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING *",
    )?;
    first(
        &mut statement,
        params![
            pairing.event.0,
            pairing.device_name,
            platform,
            pairing.gate.map(|gate| gate.0),
            secret,
            now.0,
            public_key
        ],
        "device",
        read_device,
    )
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn put_user(&self, user: User, at: UnixMs) -> Result<()> {
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO staff VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET password_hash = ?2, role = ?3",
                params![user.name, user.password_hash, user.role.code(), at.0],
            )?;
            // A changed password ends what was opened with the old one.
            tx.execute("DELETE FROM session WHERE staff = ?1", [&user.name])?;
            Ok(())
        })
        .await
    }

    async fn user(&self, name: &str) -> Result<Option<User>> {
        let name = name.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM staff WHERE name = ?1")?;
            first(&mut statement, [name], "staff", read_user)
        })
        .await
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM staff ORDER BY name")?;
            collect(&mut statement, [], "staff", read_user)
        })
        .await
    }

    async fn remove_user(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.write(move |tx| Ok(tx.execute("DELETE FROM staff WHERE name = ?1", [name])? > 0)).await
    }

    async fn open_session(&self, secret: SecretHash, user: &str, expires_at: UnixMs) -> Result<()> {
        let user = user.to_owned();
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO session VALUES (?1, ?2, ?3)",
                params![secret, user, expires_at.0],
            )?;
            Ok(())
        })
        .await
    }

    async fn session(&self, secret: SecretHash, now: UnixMs) -> Result<Option<Session>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT session.staff, role, expires_at FROM session
                 JOIN staff ON staff.name = session.staff WHERE secret = ?1 AND expires_at > ?2",
            )?;
            first(&mut statement, params![secret, now.0], "session", |columns| {
                Ok(Session {
                    secret,
                    user: columns.text("staff")?,
                    role: role(columns)?,
                    expires_at: columns.time("expires_at")?,
                })
            })
        })
        .await
    }

    async fn close_session(&self, secret: SecretHash) -> Result<()> {
        self.write(move |tx| {
            tx.execute("DELETE FROM session WHERE secret = ?1", params![secret])?;
            Ok(())
        })
        .await
    }

    async fn put_api_key(&self, key: ApiKey, at: UnixMs) -> Result<()> {
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO api_key VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO UPDATE SET secret = ?2, role = ?3, sandbox = ?5",
                params![key.name, key.secret, key.role.code(), at.0, key.sandbox],
            )?;
            Ok(())
        })
        .await
    }

    async fn api_key(&self, secret: SecretHash) -> Result<Option<ApiKey>> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM api_key WHERE secret = ?1")?;
            first(&mut statement, params![secret], "api_key", |columns| {
                Ok(ApiKey {
                    name: columns.text("name")?,
                    secret,
                    role: role(columns)?,
                    sandbox: columns.flag("sandbox")?,
                })
            })
        })
        .await
    }

    async fn remove_api_key(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.write(move |tx| Ok(tx.execute("DELETE FROM api_key WHERE name = ?1", [name])? > 0))
            .await
    }

    async fn put_pairing(&self, pairing: Pairing) -> Result<()> {
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO pairing VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    pairing.code,
                    pairing.event.0,
                    pairing.device_name,
                    pairing.gate.map(|gate| gate.0),
                    pairing.expires_at.0
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn pair(
        &self,
        code: SecretHash,
        secret: SecretHash,
        platform: String,
        public_key: Option<[u8; 32]>,
        now: UnixMs,
    ) -> Result<Option<Device>> {
        self.write(move |tx| pair(tx, &code, &secret, &platform, public_key, now)).await
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM device ORDER BY number")?;
            collect(&mut statement, [], "device", read_device)
        })
        .await
    }

    async fn revoke_device(&self, event: EventNo, device: DeviceNo, at: UnixMs) -> Result<bool> {
        self.write(move |tx| {
            lease::release_all(tx, event, device)?;
            Ok(tx.execute(
                "UPDATE device SET revoked_at = COALESCE(revoked_at, ?3)
                 WHERE event = ?1 AND number = ?2",
                params![event.0, device.0, at.0],
            )? > 0)
        })
        .await
    }
}
