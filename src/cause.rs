//! The possible causes of failures, independent of the modem.

use core::fmt;

/// Defines the causes, one entry each: name, short text, hint. The short text is also the documentation.
macro_rules! causes {
    ($($name:ident: $text:literal, $hint:literal;)*) => {
        /// A possible cause of a failure. Causes are separate entries only where an observation can tell them apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Cause {
            $(
                #[doc = $text]
                $name
            ),*
        }

        impl Cause {
            /// Returns the cause in a few words.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text),*
                }
            }

            /// Returns what to do about the cause, in a sentence. It needs the feature `hints`, because the texts take
            /// some kilobytes of flash.
            #[cfg(feature = "hints")]
            pub const fn hint(self) -> &'static str {
                match self {
                    $(Self::$name => $hint),*
                }
            }

            /// Returns the hint as a string that defmt interns: its text is in the ELF file and not in flash, so it needs no
            /// feature but `defmt`. The look-up takes some bytes for each cause.
            #[cfg(feature = "defmt")]
            pub fn interned_hint(self) -> defmt::Str {
                match self {
                    $(Self::$name => defmt::intern!($hint)),*
                }
            }
        }

        #[cfg(test)]
        const ALL: &[Cause] = &[$(Cause::$name),*];
    };
}

causes! {
    // The server and its certificate.
    CaMismatch: "the CA under the tag is not the one that signed the server's certificate",
        "store the root CA of the server's chain; openssl s_client -showcerts shows who signed it";
    CaUnreadable: "the CA under the tag is damaged, or in a form that the modem does not read",
        "store the CA again, as a PEM file with one certificate";
    CertificateExpired: "the server's certificate has expired",
        "renew the certificate on the server; if it is in force, check the modem's clock";
    CertificateNotYetValid: "the server's certificate is not valid yet by the modem's clock",
        "check the modem's clock, then the first date of the server's certificate";
    CertificateRevoked: "a certificate of the server's chain is revoked",
        "have the server's operator renew it";
    ChainIncomplete: "the server does not send the certificates between its own and the CA, or sends them in the wrong order",
        "let the server send its own certificate first and then each that signed the one before (a file fullchain.pem, not cert.pem)";
    ClientCertificateNeeded: "the server asks for a client certificate, and none is sent",
        "store a client certificate and its private key under the tag, and ask for mutual TLS";
    ClientCertificateRefused: "the server refused the client certificate",
        "check its dates, and that the server trusts the CA that signed it";
    ClientKeyMismatch: "the private key under the tag does not belong to the client certificate",
        "store the certificate and the key that was made for it";
    NameMismatch: "the server's certificate is not for this name",
        "connect by a name that stands in the certificate, or have the server's name put into it";
    NameNotCommon: "the server's certificate has this name as an alternative name only, and the modem may look at the common name alone",
        "have the server's name put into the common name of its certificate too";
    NoCommonSuite: "modem and server have no TLS version or cipher suite in common",
        "enable on the server what the modem has, see the table in the README";
    CertificateNotForServers: "the server's certificate was not issued for servers",
        "give the server a certificate with the extended key usage serverAuth; a device's certificate must not work for a server";
    ChainUnsound: "a certificate in the server's chain was signed by one that may not sign others",
        "have the server's certificate signed by the CA itself; if it was, somebody with a device's key stands in between";
    ServerKeyUnproven: "the server did not prove that it has the key of its certificate",
        "do not trust it: somebody may stand in between; check key and certificate on the server";
    NotTls: "the server on this port does not speak TLS",
        "check the port: 8883 is MQTT over TLS, 1883 is MQTT without";
    RootNotInCatalog: "the root of the server's chain is not in the modem's catalog of trusted roots",
        "program the vendor's production catalog, or your own root where the catalog allows it";
    ServerKeyUnsupported: "the server's key is of a type for which the modem has no cipher suite",
        "give the server an RSA certificate too; many servers can hold both an RSA and an ECDSA one";
    SniNeeded: "the server needs its name in the handshake (SNI), which this firmware does not send",
        "use a host name that the server serves by default, or a newer firmware of the modem";

    // The route to the server.
    DataConnectionDown: "the data connection is down",
        "connect again: the driver makes a new one; if it stays down, restart the modem, then check the signal and the subscription";
    NameUnknown: "the name has no address",
        "check the spelling of the host name";
    NameUnknownHere: "the name is unknown to the DNS of this data connection",
        "a private APN may not resolve public names, nor a public one private names: check the APN";
    NetworkSlow: "the network or the server did not answer in time",
        "try again; check the signal, and that no firewall drops the packets";
    PeerClosed: "the server closed the connection",
        "the server's log tells why";
    Unreachable: "nothing answers at this host and port",
        "check the port, that the service runs, and that no firewall stops this network";

    // The network.
    ApnLoginWrong: "the access point wants another user name or password",
        "ask the SIM's operator for user name, password and kind of authentication of the APN";
    ApnMissing: "no access point name (APN) is configured",
        "configure the APN: the SIM's operator tells its name";
    ApnWrong: "the network does not know, or does not allow, the access point name (APN)",
        "check the APN: the SIM's operator tells its name";
    ContextInUse: "the network allows one data connection, and it is up elsewhere",
        "end the other data connection, for instance one that a USB host keeps with this modem";
    DataNotAllowed: "the subscription does not include data",
        "ask the SIM's operator whether data is enabled and paid for";
    NoCoverage: "no cell is heard",
        "check the antenna and its plug, then the place";
    RadioMismatch: "the cells that are heard do not take this modem: bands, radio technology or roaming",
        "check that the operator has LTE-M or NB-IoT here, and which bands and technologies the modem may use";
    RadioOff: "the modem's radio is off, or it does not search",
        "switch the radio on (AT+CFUN=1, AT+COPS=0)";
    NoAddress: "the Wi-Fi network gives no address",
        "check that its DHCP server runs and has addresses left";
    PassphraseRefused: "the access point refused the passphrase",
        "configure the passphrase of this network; capitals and blanks count";
    RegistrationDenied: "the network refused this SIM",
        "check that the subscription is active, and that it covers this radio technology and country";
    WifiNotFound: "no access point of this Wi-Fi network is heard",
        "check the network's name (SSID), capitals included, the antenna, and that the access point uses a band and channel that the modem has";
    WifiSecurityMismatch: "the access point wants another kind of security than the one that is configured",
        "let it take WPA2 personal, or configure an open network as open";

    // The SIM.
    SimForeign: "the modem is locked to another operator's SIMs",
        "use a SIM of that operator, or have the lock removed";
    SimMissing: "no SIM is inserted",
        "check that the SIM is inserted the right way round and makes contact";
    SimNotReady: "the SIM does not become ready",
        "see that it is inserted, clean its contacts, try it in another device; where the modem detects the card by a switch, its level may be set wrong";
    SimPinMissing: "the SIM wants a PIN, and none is configured",
        "configure the SIM's PIN";
    SimPinWrong: "the SIM refused the configured PIN",
        "configure the right PIN; it is tried once only, for three wrong ones lock the SIM";
    SimPukNeeded: "the SIM is blocked and wants its PUK",
        "unblock it with the PUK from its operator, in a telephone";
    SimUnreadable: "the SIM is inserted and cannot be read",
        "clean its contacts, try it in another device";

    // The modem.
    BadParameter: "the modem does not take the parameters, or its data stack is worn out",
        "restart the modem; if it happens again, report the trace: it is the driver's fault";
    ClockNotSet: "the modem's clock is not set, so that certificate dates cannot be checked",
        "set the clock: from the network, by NTP, or from the host";
    ChainTooLong: "the server's certificate chain is longer than the modem takes",
        "let the server send no more than its own and the intermediate certificates, with EC keys if possible; the modem's record limit is in its capabilities";
    CredentialInOtherStore: "the credentials under the tag were stored for another TLS than the one that this firmware uses",
        "store them again with this firmware; a key that was made in the modem cannot be used by native TLS";
    CredentialMissing: "the tag does not hold a credential that is needed",
        "store it";
    CredentialUnsuitable: "the modem does not accept this as a credential of its kind",
        "store one PEM block with LF line ends and nothing around it; a long chain can be too long";
    IdInUse: "the modem still holds a connection of this number",
        "connect again: the driver takes another number";
    LineFault: "bytes between host and modem are lost or garbled",
        "check wiring and speed, and wire RTS and CTS";
    ModemBusy: "the modem is busy",
        "try again later";
    ModemOff: "the modem is off",
        "check its supply and its power key";
    ModemReset: "the modem restarted",
        "connect again; if it restarts again, check its supply: transmitting takes up to 2 A";
    OtherMode: "another host has left the modem in a mode in which it takes no commands, such as a multiplexer (CMUX)",
        "restart the modem by its power key, its reset or its supply";
    OutOfMemory: "the modem has no memory or no free connection left",
        "close other connections, then restart the modem";
    Unknown: "the modem does not say why",
        "try again with a trace of the AT commands";
    PowerSaving: "the modem saves power: it sleeps, or has switched itself off (PSM)",
        "wake it by its power key; where none is wired, switch PSM off (AT+CPSMS=0) while it is awake";
    SettingRefused: "this model or firmware does not take a setting that the configuration asks for",
        "leave the setting out, or use a firmware that has it";
    StorageFull: "the modem has no room left for files or credentials",
        "remove credentials and files that are not needed";
    SupplyLow: "the modem's supply is too low to write its flash",
        "charge or replace the battery, then do it again";
    WrongPort: "this port does not lead to the modem's AT interface, or another program has it",
        "check TX and RX, and which of its ports take AT commands";
    WrongSpeed: "the modem's port is set to another speed",
        "try the modem's other speeds; 115200 is its factory setting";

    // The MQTT broker.
    BrokerBusy: "the broker is not available now, or its quota is used up",
        "try again later; the broker's log tells more";
    BrokerMoved: "the broker has moved to another address",
        "use the address that the broker's operator names";
    ClientIdRefused: "the broker does not allow this client id, or another client uses it",
        "use the client id that the broker expects of this device, and no other device's";
    LoginRefused: "the broker does not know this login: user name, password, or the user of the client certificate",
        "check user name and password, and to which user the broker maps the client certificate";
    NotAllowed: "the broker accepted the login, and does not allow this request",
        "check the broker's access rules for this client and topic";
    NotMqtt: "the server on this port is not an MQTT broker",
        "check the port: it belongs to another service";
    ProtocolVersion: "the broker does not speak this version of MQTT",
        "use the version that the broker speaks: 5 or 3.1.1";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// An iterator over possible causes in order of likelihood, without those that were ruled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Causes {
    left: &'static [Cause],
    /// A bit set: bit n is set where the n-th of `left` was ruled out.
    disproved: u32,
}

impl Causes {
    /// The empty list: no cause is known.
    pub const NONE: Self = Self::new(&[]);

    /// Makes a list of candidates, the likeliest first.
    ///
    /// # Panics
    /// Above 32 candidates.
    pub const fn new(candidates: &'static [Cause]) -> Self {
        assert!(candidates.len() <= 32);
        Self {
            left: candidates,
            disproved: 0,
        }
    }

    /// Rules `cause` out.
    pub const fn without(mut self, cause: Cause) -> Self {
        let mut at = 0;
        while at < self.left.len() {
            if self.left[at] as u8 == cause as u8 {
                self.disproved |= 1 << at;
            }
            at += 1;
        }
        self
    }
}

impl Iterator for Causes {
    type Item = Cause;

    fn next(&mut self) -> Option<Cause> {
        loop {
            let (first, rest) = self.left.split_first()?;
            let disproved = self.disproved & 1 != 0;
            *self = Self {
                left: rest,
                disproved: self.disproved >> 1,
            };
            if !disproved {
                return Some(*first);
            }
        }
    }
}

/// Prints the causes as `a; or: b; or: c`, and nothing where there is none.
impl fmt::Display for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cause) in self.enumerate() {
            if index > 0 {
                f.write_str("; or: ")?;
            }
            f.write_str(cause.text())?;
        }
        Ok(())
    }
}

/// Logs the causes as `A: what to do about it; or: B: ...`, and nothing where there is none.
#[cfg(feature = "defmt")]
impl defmt::Format for Causes {
    fn format(&self, f: defmt::Formatter<'_>) {
        for (index, cause) in self.enumerate() {
            if index > 0 {
                defmt::write!(f, "; or: ");
            }
            defmt::write!(f, "{}: {=istr}", cause, cause.interned_hint());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Cause::{CaMismatch, CertificateExpired, Unreachable};

    static THREE: [Cause; 3] = [CaMismatch, Unreachable, CertificateExpired];

    #[test]
    fn order_stays_when_one_is_ruled_out() {
        let causes = Causes::new(&THREE);
        assert!(causes.eq(THREE));
        assert!(
            causes
                .without(Unreachable)
                .eq([CaMismatch, CertificateExpired])
        );
        assert!(
            causes
                .without(CaMismatch)
                .without(Cause::NotMqtt)
                .eq([Unreachable, CertificateExpired])
        );
        let none = THREE
            .iter()
            .fold(causes, |left, cause| left.without(*cause));
        assert_eq!(none.count(), 0);
    }

    #[test]
    fn texts_are_distinct_and_do_not_stack_failures() {
        for (index, cause) in ALL.iter().enumerate() {
            let text = cause.text();
            assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
            assert!(!text.contains("failed to"), "{text}");
            assert!(ALL[..index].iter().all(|other| other.text() != text));
            assert_eq!(*cause as usize, index);
            #[cfg(feature = "hints")]
            assert!(!cause.hint().is_empty() && !cause.hint().ends_with('.'));
        }
    }
}
