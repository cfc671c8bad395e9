//! Devices: pairing a scanner with a one-time code, and removing it.

use admit_core::id::{DeviceNo, EventNo, GateNo, UnixMs};
use admit_core::log::note::Verifier;
use admit_core::spent::signer_name;
use admit_store::account::{Device, Pairing};

use crate::App;
use crate::error::{Error, Result};
use crate::event::Faults;
use crate::secret::{self, Kind};

/// How long a pairing code is good for, in milliseconds.
pub const PAIRING_MS: i64 = 10 * 60 * 1000;

/// A pairing code for the desk to show.
pub struct Invitation {
    /// The code.
    pub code: String,
    /// When it ends.
    pub expires_at: UnixMs,
    /// The address that the code is opened with. The code stands after the `#`, which browsers send
    /// to nobody.
    pub url: String,
}

/// Makes a pairing code for a device of an event.
pub async fn invite(
    app: &App,
    event: EventNo,
    device_name: String,
    gate: Option<GateNo>,
) -> Result<Invitation> {
    let mut faults = Faults::default();
    faults.text("device_name", &device_name, 1, 60);
    faults.end()?;
    let code = secret::pairing_code()?;
    let expires_at = app.now().plus(PAIRING_MS);
    app.store
        .put_pairing(Pairing {
            code: secret::pairing_code_hash(&code),
            event,
            device_name,
            gate,
            expires_at,
        })
        .await?;
    let url = format!("{}/gate/#pair={code}", app.public_url);
    Ok(Invitation { code, expires_at, url })
}

/// Makes a device of whoever has the code: the device and its secret.
pub async fn pair(
    app: &App,
    code: &str,
    platform: String,
    public_key: Option<[u8; 32]>,
) -> Result<(Device, String)> {
    let mut faults = Faults::default();
    faults.text("platform", &platform, 0, 200);
    let name = signer_name(EventNo(0), DeviceNo(0));
    let key_fits = public_key.is_none_or(|key| Verifier::ed25519(&name, &key).is_ok());
    faults.unless(key_fits, "public_key", "This is no Ed25519 public key.");
    faults.end()?;
    let (text, hash) = secret::new(Kind::Device)?;
    let code = secret::pairing_code_hash(code);
    let device = app.store.pair(code, hash, platform, public_key, app.now()).await?;
    let device = device.ok_or(Error::PairingCode)?;
    app.refresh().await?;
    Ok((device, text))
}

/// Makes a device of a program that signs its own lists of spent tickets. It gets no secret: it asks
/// the server nothing as a device.
pub async fn enrol(
    app: &App,
    event: EventNo,
    name: String,
    public_key: [u8; 32],
) -> Result<Device> {
    let invitation = invite(app, event, name, None).await?;
    Ok(pair(app, &invitation.code, "program".to_owned(), Some(public_key)).await?.0)
}

/// The device with this secret; nothing but memory is asked, unless it is not there: another server
/// may have paired it a moment ago.
pub async fn authenticate(app: &App, text: &str) -> Result<Device> {
    let unknown = Error::NotSignedIn("this device is not known");
    let Some(hash) = secret::hash(Kind::Device, text) else { return Err(unknown) };
    let known = || app.books.now().device(&hash).cloned();
    let mut device = known();
    if device.is_none() {
        app.look().await?;
        device = known();
    }
    let device = device.ok_or(unknown)?;
    if device.revoked_at.is_some() {
        return Err(Error::DeviceRevoked);
    }
    Ok(device)
}

/// Removes a device at once.
pub async fn revoke(app: &App, event: EventNo, device: DeviceNo) -> Result<()> {
    if !app.store.revoke_device(event, device, app.now()).await? {
        return Err(Error::NotFound("device"));
    }
    app.refresh().await
}
