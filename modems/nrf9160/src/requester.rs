//! A key of the modem as an implementation of the core's traits: [`Requester`] by `%KEYGEN`, [`Issuer`]
//! by `%JWT`.

use core::fmt::Write;

use sectag::clock::MIN_DATE;
use sectag::csr::{Request, Requester, Subject};
use sectag::jwt::{Claims, Issuer, Token, Value};
use sectag::{Control, Tag};

use crate::keys::{DeviceKeys, KeyError, KeyRequest, KeyUse, TokenRequest};
use crate::{Family, Nrf9160, clock};

/// The longest subject that `%KEYGEN` takes, in bytes.
const SUBJECT: usize = 200;

/// The key under a tag, made by the modem. A request makes the key, and fails with [`KeyError::Exists`]
/// if there is one already. A buffer for a request should have [`KEY_BUFFER`](crate::KEY_BUFFER) bytes,
/// one for a token [`TOKEN_BUFFER`](crate::TOKEN_BUFFER).
pub struct ModemKey<'a, F: Family>(pub Control<'a, Nrf9160<F>>, pub Tag);

impl<F: Family> Requester for ModemKey<'_, F> {
    type Error = KeyError;

    async fn request<'b>(
        &mut self,
        subject: &Subject<'_>,
        out: &'b mut [u8],
    ) -> Result<Request<'b>, KeyError> {
        subject.check().map_err(KeyError::Subject)?;
        let mut text = heapless::String::<SUBJECT>::new();
        let too_long = sectag::at::InvalidInput::TooLong { limit: SUBJECT };
        write!(text, "{subject}").map_err(|_| KeyError::InvalidInput(too_long))?;
        let request = KeyRequest::csr().subject(&text);
        let request = request.map_err(KeyError::InvalidInput)?;
        let key = self.0.generate_key(self.1, &request, out).await?;
        Ok(Request::from_der(key.der()))
    }
}

/// Tokens have the claims `aud` and `exp`, and `sub` if it is asked for; other claims are refused with
/// [`KeyError::ForeignClaim`].
impl<F: Family> Issuer for ModemKey<'_, F> {
    type Error = KeyError;

    async fn token<'b>(
        &mut self,
        claims: &Claims<'_>,
        out: &'b mut [u8],
    ) -> Result<Token<'b>, KeyError> {
        // The modem signs by its own clock, which is set from the network's time if it is not set.
        let now = clock::require(&self.0.at().await?, MIN_DATE).await?;
        claims.check(now).map_err(KeyError::Token)?;
        let mut request = TokenRequest::new()
            .lifetime(claims.seconds())
            .audience(claims.audience())
            .map_err(KeyError::InvalidInput)?
            .signed_by(self.1, KeyUse::Client);
        for (name, value) in claims.more() {
            request = match (*name, value) {
                ("sub", Value::Text(subject)) => {
                    request.subject(subject).map_err(KeyError::InvalidInput)?
                }
                _ => return Err(KeyError::ForeignClaim),
            };
        }
        let text = self.0.sign_token(&request, out).await?;
        Ok(Token::new(text, now, claims.seconds()))
    }
}
