//! `admit serve`: listeners, certificates, and the small jobs that run beside the requests.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admit_store::sqlite::Durability;
use anyhow::Context;
use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use ipnet::IpNet;

use super::{Data, say};
use crate::database::Database;
use crate::http::{self, Help, Options, Proxies};
use crate::log::{self, Rollback};
use crate::payment::stripe::{self, Settings, Stripe};
use crate::qr::{self, Level, Symbol};
use crate::till::{StripeTill, Till};
use crate::tls::{self, Names, Tls};
use crate::{App, clock, sample, sandbox};

/// How often changes made by other processes are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often idle rate limits are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// How often the certificate is looked at.
const RENEW_EVERY: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a client has to send the head of a request.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long open requests have to finish when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The two ports of a server that speaks TLS itself.
struct Listeners {
    https: std::net::TcpListener,
    http: std::net::TcpListener,
}

impl Listeners {
    fn https_port(&self) -> anyhow::Result<u16> {
        Ok(self.https.local_addr()?.port())
    }
}

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Serve {
    #[command(flatten)]
    data: Data,
    /// Port of HTTPS; 0 for any free one
    #[arg(long, default_value_t = 8443)]
    https: u16,
    /// Port of the plain help page and redirect; 0 for any free one
    #[arg(long, default_value_t = 8080)]
    http: u16,
    /// A further name that people reach this server by; may be given several times
    #[arg(long)]
    name: Vec<String>,
    /// Your own certificate chain, PEM
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// The key of your own certificate, PEM
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
    /// The address that people reach this server by, when it is not one of its own names
    #[arg(long)]
    public_url: Option<String>,
    /// Serve plain HTTP at this address only, for a TLS proxy in front
    #[arg(long)]
    plain: Option<SocketAddr>,
    /// A network whose proxies are believed about where a request comes from (X-Forwarded-For), such
    /// as 10.0.0.0/24; may be given several times. Rates are limited by that address
    #[arg(long, env = "ADMIT_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',', value_parser = network)]
    trusted_proxy: Vec<IpNet>,
    /// Serve Prometheus metrics at this address; anybody who reaches it can read them
    #[arg(long)]
    metrics: Option<SocketAddr>,
    /// Make the data folder with a sample event when there is none
    #[arg(long)]
    sample: bool,
    /// Open the sandbox: two events with synthetic tickets and a key that everybody knows
    #[arg(long)]
    sandbox: bool,
    /// Take test payments: for demonstrations, never for tickets that cost money
    #[arg(long)]
    demo: bool,
    /// Secret key of a Stripe account (sk_…); opens payment by card
    #[arg(long, env = "ADMIT_STRIPE_KEY", hide_env_values = true)]
    stripe_key: Option<String>,
    /// Secret that Stripe signs its notices to /v1/payments/stripe with (whsec_…)
    #[arg(long, env = "ADMIT_STRIPE_WEBHOOK_SECRET", hide_env_values = true)]
    stripe_webhook_secret: Option<String>,
    /// Who answers in the place of Stripe
    #[arg(long, env = "ADMIT_STRIPE_URL", hide = true)]
    stripe_url: Option<String>,
    /// Go on although the database is older than the newest signed checkpoint (a restored backup):
    /// the audit log tells it, and is signed for another origin from now on
    #[arg(long)]
    accept_rollback: bool,
    /// Add an endpoint that does nothing, to measure against
    #[arg(long, hide = true)]
    bench: bool,
    /// How hard commits are pushed to the disk; anything but full loses admissions in a power cut
    #[arg(long, hide = true, default_value = "full", value_parser = ["full", "normal"])]
    synchronous: String,
    /// Most writes in one commit
    #[arg(long, hide = true)]
    batch_max: Option<usize>,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let folder = self.data.folder();
        let new = self.sample && folder.create()?;
        // First the ports: a port in use should be told before anything is opened.
        let listeners = if self.plain.is_none() { Some(self.listeners()?) } else { None };
        let https_port = listeners.as_ref().map_or(Ok(443), Listeners::https_port)?;
        let url = self.public_url(https_port)?;
        let database = match (self.data.database(), self.synchronous.as_str()) {
            (Database::Embedded(_), "normal") => Database::Embedded(Durability::Normal),
            (database, _) => database,
        };
        let (app, database) = folder.open(clock::system(), &url, &database).await?;
        if let Some(jobs) = self.batch_max {
            database.limit_batch(jobs);
        }
        if new {
            sample::create(&app).await?;
        }
        if self.sandbox {
            sandbox::open(&app).await?;
        }
        app.open_till(self.till(&url)?)?;
        if self.demo {
            sample::sell(&app).await?;
        }
        let checkpoints = folder.checkpoints();
        let on_rollback = if self.accept_rollback { Rollback::Accept } else { Rollback::Refuse };
        log::check_kept(app.store.as_ref(), &checkpoints, &on_rollback, app.now()).await?;
        tokio::spawn(look_after(Arc::clone(&app), checkpoints.clone()));
        if let Some(address) = self.metrics {
            serve_metrics(Arc::clone(&app), address)?;
        }
        let options =
            Options { bench: self.bench, proxies: Proxies::new(self.trusted_proxy.clone()) };
        let router = http::router(Arc::clone(&app), options);
        let served = async {
            match (listeners, self.plain) {
                (Some(listeners), _) => self.serve_tls(router, &url, listeners).await,
                (None, Some(address)) => serve_plain(router, address).await,
                (None, None) => Ok(()),
            }
        };
        tokio::select! {
            result = served => result.and(app.log.keep(&checkpoints).map_err(Into::into)),
            why = database.broken() => anyhow::bail!(
                "the disk failed ({why}); stopped, because nothing written now could be trusted"
            ),
        }
    }

    fn till(&self, url: &str) -> anyhow::Result<Till> {
        let Some(key) = &self.stripe_key else {
            return Ok(Till { demo: self.demo, stripe: None });
        };
        let settings = Settings {
            base_url: self.stripe_url.clone().unwrap_or_else(|| stripe::BASE_URL.to_owned()),
            secret_key: key.clone(),
            paid_url: format!("{url}/ticket/#paid"),
            unpaid_url: format!("{url}/ticket/#unpaid"),
            answer_within: stripe::ANSWER_WITHIN,
        };
        let webhook_secret = self.stripe_webhook_secret.clone();
        let payee = Arc::new(Stripe::new(settings)?);
        Ok(Till { demo: self.demo, stripe: Some(StripeTill { payee, webhook_secret }) })
    }

    fn listeners(&self) -> anyhow::Result<Listeners> {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(Listeners {
            https: bind(SocketAddr::new(any, self.https))?,
            http: bind(SocketAddr::new(any, self.http))?,
        })
    }

    fn public_url(&self, https_port: u16) -> anyhow::Result<String> {
        if let Some(url) = &self.public_url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let host = match self.name.first() {
            Some(name) => name.clone(),
            None => tls::lan_addresses()?
                .into_iter()
                .find(IpAddr::is_ipv4)
                .map_or_else(|| "localhost".to_owned(), |address| address.to_string()),
        };
        Ok(format!("https://{host}:{https_port}"))
    }

    fn names(&self) -> anyhow::Result<Names> {
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        Ok(Names::new(host.trim(), &self.name, &tls::lan_addresses()?)?)
    }

    fn certificate(&self) -> anyhow::Result<Tls> {
        Ok(match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => tls::bring(certificate, key)?,
            _ => tls::open(&self.data.data, &self.names()?, clock::now().0, tls::CA_DAYS)?,
        })
    }

    async fn serve_tls(
        &self,
        router: Router,
        url: &str,
        Listeners { https, http }: Listeners,
    ) -> anyhow::Result<()> {
        let tls = self.certificate()?;
        let (https_port, help_port) = (https.local_addr()?.port(), http.local_addr()?.port());
        let names = self.names()?;
        let known = names.dns().iter().map(ToString::to_string);
        let help = Help {
            authority: tls.authority.clone(),
            names: known.chain(names.ips().iter().map(ToString::to_string)).collect(),
            https_port,
        };
        banner(url, &tls, help_port)?;
        announce(&serde_json::json!({
            "ready": true, "https": https_port, "http": help_port,
        }))?;
        let config = RustlsConfig::from_config(Arc::clone(&tls.config));
        let acceptor = RustlsAcceptor::new(config.clone()).acceptor(NoDelayAcceptor::new());
        let handle = Handle::new();
        tokio::spawn(stop_gracefully(handle.clone()));
        let secure = patient(axum_server::from_tcp(https)?)
            .acceptor(acceptor)
            .handle(handle.clone())
            .serve(router.into_make_service_with_connect_info::<SocketAddr>());
        let helping = patient(axum_server::from_tcp(http)?)
            .handle(handle)
            .serve(http::help_router(help).into_make_service());
        let (secure, helping, ()) = tokio::join!(secure, helping, async {
            tokio::select! {
                () = self.renew(&config) => {}
                () = stopped() => {}
            }
        });
        Ok(secure.and(helping)?)
    }

    /// Keeps the certificate fresh; runs as long as the server.
    async fn renew(&self, config: &RustlsConfig) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.certificate() {
                Ok(tls) => config.reload_from_config(tls.config),
                Err(error) => tracing::error!(%error, "the certificate could not be renewed"),
            }
        }
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| alone()).map_err(|_| "no network such as 10.0.0.0/24".to_owned())
}

async fn serve_plain(router: Router, address: SocketAddr) -> anyhow::Result<()> {
    let listener = bind(address)?;
    announce(&serde_json::json!({ "ready": true, "plain": listener.local_addr()?.port() }))?;
    let handle = Handle::new();
    tokio::spawn(stop_gracefully(handle.clone()));
    Ok(patient(axum_server::from_tcp(listener)?)
        .acceptor(NoDelayAcceptor::new())
        .handle(handle)
        .serve(router.into_make_service_with_connect_info::<SocketAddr>())
        .await?)
}

/// Serves metrics beside the service; ends with the process.
fn serve_metrics(app: Arc<App>, address: SocketAddr) -> anyhow::Result<()> {
    let server = patient(axum_server::from_tcp(bind(address)?)?);
    let run = server.serve(http::metrics_router(app).into_make_service());
    tokio::spawn(async move {
        if let Err(error) = run.await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
    Ok(())
}

/// Sets how long a client may take to say what it wants: slow ones must not hold connections.
fn patient(mut server: axum_server::Server<SocketAddr>) -> axum_server::Server<SocketAddr> {
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADERS_WITHIN);
    server
}

fn bind(address: SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; choose another port"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Looks for changes by other processes (the command line, other servers), and forgets idle limits.
async fn look_after(app: Arc<App>, checkpoints: PathBuf) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut forget = tokio::time::interval(FORGET_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {
                if let Err(error) = app.log.keep(&checkpoints) {
                    tracing::error!(%error, "the newest checkpoints could not be kept");
                }
                if let Err(error) = app.look().await {
                    tracing::error!(%error, "changes could not be read");
                }
            }
            _ = forget.tick() => app.limits.forget_idle(),
        }
    }
}

async fn stopped() {
    #[cfg(unix)]
    {
        let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        if let Ok(mut terminated) = terminated {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn stop_gracefully(handle: Handle<SocketAddr>) {
    stopped().await;
    handle.graceful_shutdown(Some(STOP_WITHIN));
}

/// One line for programs that started this one.
fn announce(ready: &serde_json::Value) -> anyhow::Result<()> {
    if std::io::stdout().is_terminal() { Ok(()) } else { say(&ready.to_string()) }
}

/// What a person needs to know, on the terminal.
fn banner(url: &str, tls: &Tls, http_port: u16) -> anyhow::Result<()> {
    let mut out = std::io::stderr().lock();
    writeln!(out, "\nAdmit One is running.\n")?;
    writeln!(out, "  Public page   {url}/")?;
    writeln!(out, "  Desk          {url}/desk/")?;
    writeln!(out, "  Gate app      {url}/gate/")?;
    writeln!(out, "  API           {url}/docs/\n")?;
    for name in &tls.uncovered {
        writeln!(out, "  The certificate cannot cover {name}; see docs/operate.md")?;
    }
    if let Some(authority) = &tls.authority {
        let host = url.trim_start_matches("https://");
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let help = format!("http://{host}:{http_port}/help/ca");
        writeln!(out, "  Phones must trust this server's own certificate authority once:")?;
        writeln!(out, "  open {help}")?;
        writeln!(out, "  and compare its fingerprint:\n  {}\n", authority.fingerprint())?;
        if let Ok(symbol) = Symbol::new(&help, Level::Low) {
            writeln!(out, "{}", qr::to_terminal(&symbol))?;
        }
    }
    Ok(())
}
