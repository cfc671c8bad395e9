//! The till: which ways of paying are open on this server, and asking them without holding anybody up.

use std::sync::Arc;

use admit_core::id::UnixMs;

use crate::error::{Error, Result};
use crate::payment::stripe::webhook::{WebhookRefused, webhook};
use crate::payment::{Opened, Order, Paid, PaymentError, Provider as Payee};
use crate::sale::Provider;

/// The ways of paying that are open. Vouchers always are.
#[derive(Clone, Default)]
pub struct Till {
    /// Whether test payments are taken: in demonstrations only.
    pub demo: bool,
    /// Stripe, and the secret of its notices.
    pub stripe: Option<StripeTill>,
}

/// Stripe as a way of paying.
#[derive(Clone)]
pub struct StripeTill {
    /// Whom to ask.
    pub payee: Arc<dyn Payee>,
    /// What its notices are signed with; without it payments are asked after by wallets alone.
    pub webhook_secret: Option<String>,
}

impl Till {
    /// Whether this way is open.
    pub fn takes(&self, provider: Provider) -> bool {
        match provider {
            Provider::Test => self.demo,
            Provider::Stripe => self.stripe.is_some(),
        }
    }

    /// Begins a payment.
    pub async fn open(&self, order: Order, now: UnixMs) -> Result<Opened> {
        self.ask(move |payee| payee.open(&order, now)).await
    }

    /// How far a payment is.
    pub async fn check(&self, reference: &str) -> Result<Paid> {
        let reference = reference.to_owned();
        self.ask(move |payee| payee.check(&reference)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Payee) -> std::result::Result<T, PaymentError> + Send + 'static,
    ) -> Result<T> {
        let stripe = self.stripe.as_ref().ok_or(Error::NotFound("payment"))?;
        let payee = Arc::clone(&stripe.payee);
        let answer = tokio::task::spawn_blocking(move || question(payee.as_ref())).await;
        answer.map_err(Error::internal)?.map_err(|error| {
            tracing::warn!(%error, "no answer about a payment");
            Error::PaymentUnavailable
        })
    }

    /// The payment that a notice of Stripe is about, if it is about one; it is asked after, not believed.
    pub fn notice(&self, body: &[u8], signature: &str, now: UnixMs) -> Result<Option<String>> {
        let secret = self.stripe.as_ref().and_then(|stripe| stripe.webhook_secret.as_deref());
        let secret = secret.ok_or(Error::NotFound("page"))?;
        match webhook(body, signature, secret, now) {
            Ok(reference) => Ok(Some(reference)),
            Err(WebhookRefused::Irrelevant) => Ok(None),
            Err(refused) => Err(Error::field("Stripe-Signature", refused.to_string())),
        }
    }
}
