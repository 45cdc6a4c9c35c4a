//! The token with which this device logs in: a JWT in place of a password, signed with ES256 on the MCU.

use sectag::Control;
use sectag::jwt::{self, Claims};
use sectag::signer::P256Key;
use sectag_firmware::println;
use static_cell::ConstStaticCell;

use crate::modem::Driver;

/// What the broker takes the token for, often the id of a project.
const AUDIENCE: &str = "sectag-firmware";
/// The longest life of a token, in seconds. The broker ends the session after it, and a device that is
/// started for longer makes a new session with a new token; the example of `sectag::jwt` has a loop that does.
const LIFETIME: u32 = jwt::MAX_LIFETIME;
/// The device's private number. This one is known to everybody, since it stands here: a product reads its
/// own from protected memory, or signs by a secure element behind `sectag::signer::Signer`.
const KEY: [u8; 32] = [0x5A; 32];

static TEXT: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);

/// Makes the token, with the time of the modem's clock. Takes the buffer, so call it once.
pub(crate) async fn make(control: Control<'static, Driver>) -> Result<&'static str, &'static str> {
    control.wait_up().await.map_err(|reason| {
        println!("{reason}");
        "the modem does not come up"
    })?;
    let mut key = P256Key::from_scalar(&KEY).map_err(|_| "the key is none")?;
    let claims = Claims::new(AUDIENCE).lifetime(LIFETIME);
    let token = jwt::issue(&control, &mut key, &claims, TEXT.take()).await;
    token.map(|token| token.expose()).map_err(|reason| {
        println!("{reason}");
        "no token was made"
    })
}
