//! `admit user` and `admit api-key`.

use std::io::BufRead;

use admit_store::account::Role;
use anyhow::Context;
use clap::Subcommand;

use super::{Data, say};
use crate::{secret, session};

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Create a user, or change the password and role of an existing one
    Create(Create),
    /// List users as CSV: name, role
    List(Data),
    /// Remove a user and end their sessions
    Remove(Remove),
}

#[derive(clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    data: Data,
    /// The name to sign in with
    #[arg(long)]
    name: String,
    /// What they may do
    #[arg(long, default_value = "organiser", value_parser = ["viewer", "organiser", "admin"])]
    role: String,
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

#[derive(clap::Args)]
pub(super) struct Remove {
    #[command(flatten)]
    data: Data,
    /// The user's name
    name: String,
}

impl UserCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run().await,
            Self::List(data) => {
                let (app, _) = data.open().await?;
                say("name,role")?;
                for user in app.store.users().await? {
                    say(&format!("{},{}", user.name, user.role.code()))?;
                }
                Ok(())
            }
            Self::Remove(remove) => {
                let (app, _) = remove.data.open().await?;
                anyhow::ensure!(app.store.remove_user(&remove.name).await?, "no such user");
                say("removed")
            }
        }
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let role = Role::parse(&self.role).context("no such role")?;
        let (password, made) = if self.password_stdin {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            (line.trim_end_matches(['\r', '\n']).to_owned(), false)
        } else {
            (secret::pairing_code()?.to_lowercase(), true)
        };
        session::put_user(&app, &self.name, password.clone(), role).await?;
        if made { say(&format!("password: {password}")) } else { say("created") }
    }
}

#[derive(Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Make an API key; prints it this once
    Create(CreateKey),
    /// Remove an API key
    Remove(Remove),
}

#[derive(clap::Args)]
pub(super) struct CreateKey {
    #[command(flatten)]
    data: Data,
    /// The key's name
    #[arg(long)]
    name: String,
    /// What it may do
    #[arg(long, default_value = "organiser", value_parser = ["viewer", "organiser", "admin"])]
    role: String,
}

impl ApiKeyCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => {
                let (app, _) = create.data.open().await?;
                let role = Role::parse(&create.role).context("no such role")?;
                say(&session::new_api_key(&app, &create.name, role).await?)
            }
            Self::Remove(remove) => {
                let (app, _) = remove.data.open().await?;
                anyhow::ensure!(app.store.remove_api_key(&remove.name).await?, "no such key");
                say("removed")
            }
        }
    }
}
