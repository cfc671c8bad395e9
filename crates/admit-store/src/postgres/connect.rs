//! Connections: where the database is, how it is reached, and what holds for every session.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Boxed;
use crate::{Result, StoreError};

/// Connections for reads and for writes that no batch takes.
pub(super) const POOL_CONNECTIONS_MAX: usize = 16;
/// Most callers that wait for one of them; one more is answered [`StoreError::Busy`].
pub(super) const POOL_WAITING_MAX: usize = 1024;
/// Longest wait for one of them.
const POOL_WAIT: Duration = Duration::from_secs(3);
/// Longest wait for the database to take a new connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How soon a silent peer is asked whether it lives, and given up.
const SILENCE: Duration = Duration::from_secs(10);
/// Where a machine keeps the authorities it trusts, when none is named.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What holds for every session. A commit is answered when it is durable, whatever the role's
/// settings say; a stuck statement or a server that died in a transaction holds no lock for long.
const SESSION: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') = 'off';
    SET statement_timeout = 5000;
    SET lock_timeout = 4000;
    SET idle_in_transaction_session_timeout = 10000";

/// What a connection hears that nobody asked for: the payload of a notification.
pub(super) type Heard = mpsc::Sender<String>;

/// Where the database is.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Target {
    /// Reads `postgres://…` or `key=value …`, with `sslmode` and `sslrootcert` as elsewhere, except
    /// that an encrypted connection is always one to a verified host.
    pub(super) fn parse(text: &str, password: Option<&str>) -> Result<Self> {
        let (text, authorities) = without_authorities(text);
        let text = text.replace("sslmode=verify-full", "sslmode=require");
        let text = text.replace("sslmode=verify-ca", "sslmode=require");
        // The error of the library is not shown: it may quote what it could not read.
        let mut config: Config = text.parse().map_err(|_| {
            StoreError::Unavailable("the address of the database cannot be read".to_owned())
        })?;
        config.connect_timeout(CONNECT_WITHIN).keepalives_idle(SILENCE).tcp_user_timeout(SILENCE);
        if let Some(password) = password {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("admit");
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => None,
            _ => Some(trust(authorities.as_deref().unwrap_or(SYSTEM_AUTHORITIES))?),
        };
        Ok(Self { config, tls })
    }

    /// A session of its own, which the runtime drives until the client is dropped.
    pub(super) async fn connect(
        &self,
        heard: Option<Heard>,
    ) -> std::result::Result<Client, tokio_postgres::Error> {
        let (client, _driver) = self.open(&self.config, heard).await?;
        client.batch_execute(SESSION).await?;
        Ok(client)
    }

    async fn open(
        &self,
        config: &Config,
        heard: Option<Heard>,
    ) -> std::result::Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        if let Some(tls) = &self.tls {
            let (client, connection) = config.connect(tls.clone()).await?;
            Ok((client, tokio::spawn(drive(connection, heard))))
        } else {
            let (client, connection) = config.connect(NoTls).await?;
            Ok((client, tokio::spawn(drive(connection, heard))))
        }
    }

    /// The pool.
    pub(super) fn pool(&self) -> Result<Pool> {
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(self.config.clone(), self.clone(), settings);
        let timeouts = Timeouts {
            wait: Some(POOL_WAIT),
            create: Some(CONNECT_WITHIN),
            recycle: Some(CONNECT_WITHIN),
        };
        let prepare = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
        });
        Pool::builder(manager)
            .max_size(POOL_CONNECTIONS_MAX)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(prepare)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

impl Connect for Target {
    fn connect(
        &self,
        config: &Config,
    ) -> Boxed<'_, std::result::Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        let config = config.clone();
        Box::pin(async move { self.open(&config, None).await })
    }
}

/// Drives a connection to its end, and passes on what it hears.
async fn drive<S>(mut connection: Connection<Socket, S>, heard: Option<Heard>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(message))) => {
                if let Some(heard) = &heard
                    && heard.send(message.payload().to_owned()).await.is_err()
                {
                    return;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection to the database ended");
                return;
            }
            None => return,
        }
    }
}

/// Takes `sslrootcert` out, which the library does not know.
fn without_authorities(text: &str) -> (String, Option<String>) {
    let is_ours = |part: &&str| part.starts_with("sslrootcert=");
    let value = |part: &str| part.trim_start_matches("sslrootcert=").to_owned();
    if let Some((address, query)) = text.split_once('?') {
        let found = query.split('&').find(is_ours).map(value);
        let rest: Vec<_> = query.split('&').filter(|part| !is_ours(part)).collect();
        return (format!("{address}?{}", rest.join("&")), found);
    }
    let found = text.split_whitespace().find(is_ours).map(value);
    let rest: Vec<_> = text.split(' ').filter(|part| !is_ours(part)).collect();
    (rest.join(" "), found)
}

fn trust(file: &str) -> Result<MakeRustlsConnect> {
    let fault = |what: String| StoreError::Unavailable(format!("{file}: {what}"));
    let mut roots = rustls::RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).map_err(|error| fault(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_taken_out_of_the_address() {
        let (rest, file) = without_authorities("postgres://h/d?sslmode=require&sslrootcert=/a.pem");
        assert_eq!(
            (rest.as_str(), file.as_deref()),
            ("postgres://h/d?sslmode=require", Some("/a.pem"))
        );
        let (rest, file) = without_authorities("host=h sslrootcert=/a.pem dbname=d");
        assert_eq!((rest.as_str(), file.as_deref()), ("host=h dbname=d", Some("/a.pem")));
    }

    #[test]
    fn a_bad_address_is_refused_without_quoting_it() {
        let error = Target::parse("postgres://u:secret@h/d?nonsense=1", None).err().unwrap();
        assert!(!error.to_string().contains("secret"));
    }
}
