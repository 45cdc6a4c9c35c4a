//! User name and password of a PPP link.

use core::fmt;

/// User name and password for PAP and CHAP. `Debug` and `defmt` show neither.
///
/// Most links need none, for instance those of ODIN-W2 and of many operators. [`Login::NONE`] is for
/// them. It also answers a peer that asks for a login and accepts any, such as SARA-R410 (sheet B.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Login {
    user: &'static str,
    password: &'static str,
}

/// A user name or password that is longer than [`Login::LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LoginInvalid;

impl Login {
    /// The longest user name and the longest password, in bytes.
    pub const LIMIT: usize = 64;

    /// An empty user name and an empty password.
    pub const NONE: Self = Self {
        user: "",
        password: "",
    };

    /// Returns a login with user name and password of at most [`LIMIT`](Self::LIMIT) bytes each, or
    /// [`LoginInvalid`]. In a `const`, it is checked when the firmware is built.
    pub const fn new(user: &'static str, password: &'static str) -> Result<Self, LoginInvalid> {
        if user.len() > Self::LIMIT || password.len() > Self::LIMIT {
            return Err(LoginInvalid);
        }
        Ok(Self { user, password })
    }

    pub(crate) const fn user(&self) -> &'static [u8] {
        self.user.as_bytes()
    }

    pub(crate) const fn password(&self) -> &'static [u8] {
        self.password.as_bytes()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(masked)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Login {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Login(masked)");
    }
}

impl fmt::Display for LoginInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "user name or password of the PPP link is longer than {} bytes: shorten it",
            Login::LIMIT
        )
    }
}

impl core::error::Error for LoginInvalid {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_login_is_bounded_and_never_shown() {
        const LONG: &str = match core::str::from_utf8(&[b'a'; 65]) {
            Ok(text) => text,
            Err(_) => "",
        };
        assert_eq!(Login::new(LONG, ""), Err(LoginInvalid));
        assert_eq!(Login::new("", LONG), Err(LoginInvalid));
        let login = Login::new("meter-1", "s3cret").unwrap();
        assert_eq!(std::format!("{login:?}"), "Login(masked)");
    }
}
