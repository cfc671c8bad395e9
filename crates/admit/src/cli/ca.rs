//! `admit ca`: the local certificate authority, for comparing on phones.

use super::{Data, say};
use crate::clock;
use crate::tls::{self, Names};

#[derive(clap::Args)]
pub(super) struct Ca {
    #[command(flatten)]
    data: Data,
    /// Print the certificate itself, PEM
    #[arg(long)]
    pem: bool,
}

impl Ca {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let made = self.data.data.join("tls/ca.pem").exists();
        anyhow::ensure!(made, "there is no local authority yet; the first start makes it");
        // No names beyond the machine's own: the server's certificate covers those, and stays.
        let names = Names::new("localhost", &[], &[])?;
        let tls = tls::open(&self.data.data, &names, clock::now().0, tls::CA_DAYS)?;
        let authority = tls.authority.ok_or_else(|| anyhow::anyhow!("no local authority"))?;
        say(if self.pem { authority.pem().to_owned() } else { authority.fingerprint() }.trim())
    }
}
