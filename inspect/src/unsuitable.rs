use core::fmt;

/// The reason why content is no credential that a modem can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Unsuitable {
    /// The content is a PKCS#12 or PKCS#7 archive.
    Archive,
    /// Between BEGIN and END a character is not base64 or at the wrong place, or padding is missing.
    BadBase64 {
        /// The line, from 1.
        line: u32,
    },
    /// A BEGIN or END is not alone on its line, is indented, lacks dashes, or has another label than its counterpart.
    BadBoundary {
        /// The line, from 1.
        line: u32,
    },
    /// The content is DER, but not that of a certificate or private key.
    BadStructure,
    /// A byte order mark of UTF-8 or UTF-16 stands before the text.
    ByteOrderMark,
    /// The content is a certificate signing request.
    CertificateRequest,
    /// The content is empty, or only white space.
    Empty,
    /// The content is a private key that is encrypted with a password.
    EncryptedKey,
    /// The content is JSON, such as the answer of a cloud's command line tool.
    Json,
    /// The file has a certificate and a private key.
    Mixed,
    /// The content is neither PEM nor DER.
    NotPem,
    /// The content is a public key without certificate or private key.
    PublicKeyOnly,
    /// The file has more than one private key.
    SeveralKeys,
    /// More bytes follow after the end of the DER, in the file or in a PEM block.
    TrailingData,
    /// The content is incomplete: a BEGIN or END line is missing, or it is shorter than its DER says.
    Truncated,
    /// The content is a PEM block of another kind.
    WrongBlock(Block),
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Archive => {
                "this is a PKCS#12 or PKCS#7 archive: take it apart with openssl pkcs12 -in .. -nodes -out .. (or openssl pkcs7 -print_certs), and store its parts one by one"
            }
            Self::BadBase64 { line } => {
                return write!(
                    f,
                    "line {line} is not base64: copy the file again, unchanged"
                );
            }
            Self::BadBoundary { line } => {
                return write!(
                    f,
                    "line {line} is no proper BEGIN or END line: it must stand alone and not indented, have five dashes at each end, and END must name the same as BEGIN"
                );
            }
            Self::BadStructure => {
                "the content is not the certificate or private key that it claims to be: export it again from where it was made"
            }
            Self::ByteOrderMark => {
                "the file starts with a byte order mark, over which modems stumble: save it as plain ASCII (UTF-8 without BOM)"
            }
            Self::CertificateRequest => {
                "this is a certificate signing request: have a CA sign it and store the certificate that comes back"
            }
            Self::Empty => "there is nothing in it: check how the content is read",
            Self::EncryptedKey => {
                "the private key is encrypted and the modem cannot ask for its password: decrypt it first: openssl pkey -in .. -out .."
            }
            Self::Json => {
                "this is JSON: take the certificate or key out of it first, as with jq -r .certificatePem"
            }
            Self::Mixed => {
                "certificate and private key are in one file: store them one by one"
            }
            Self::NotPem => {
                "this is neither PEM (no BEGIN line) nor DER: give a certificate or key as openssl writes it"
            }
            Self::PublicKeyOnly => {
                "this is a public key alone: store the certificate or the private key that it belongs to"
            }
            Self::SeveralKeys => {
                "there are several private keys in the file: keep only the one of the client certificate"
            }
            Self::TrailingData => {
                "more bytes follow the end of the certificate or key: check the length, and that nothing was appended"
            }
            Self::Truncated => {
                "a part is missing at the end, at the start or in between: copy the file whole, including its BEGIN and END lines"
            }
            Self::WrongBlock(block) => {
                let step = match block {
                    Block::TrustedCertificate => {
                        "only OpenSSL reads that; convert it: openssl x509 -in .. -out .."
                    }
                    Block::OpensshPrivateKey => {
                        "only OpenSSH reads that; convert a copy: ssh-keygen -p -m PEM -f .."
                    }
                    Block::EcParameters => "the key itself is missing; copy the file whole",
                    _ => "give a file with CERTIFICATE or PRIVATE KEY blocks only",
                };
                return write!(f, "the file has {block}: {step}");
            }
        })
    }
}

impl core::error::Error for Unsuitable {}

/// A PEM block that is no certificate and no private key for a modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Block {
    /// `DSA PRIVATE KEY`.
    DsaPrivateKey,
    /// `EC PARAMETERS` alone; beside an `EC PRIVATE KEY` this block is skipped.
    EcParameters,
    /// `OPENSSH PRIVATE KEY`.
    OpensshPrivateKey,
    /// Any other block.
    Other,
    /// `TRUSTED CERTIFICATE`: a certificate with OpenSSL's trust settings after it.
    TrustedCertificate,
    /// `X509 CRL`: a revocation list.
    X509Crl,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DsaPrivateKey => "a block DSA PRIVATE KEY",
            Self::EcParameters => "a block EC PARAMETERS",
            Self::OpensshPrivateKey => "a block OPENSSH PRIVATE KEY",
            Self::Other => "a block that is neither certificate nor private key",
            Self::TrustedCertificate => "a block TRUSTED CERTIFICATE",
            Self::X509Crl => "a block X509 CRL",
        })
    }
}
