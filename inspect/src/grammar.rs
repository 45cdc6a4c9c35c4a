use super::dates;
use super::fingerprint::Fingerprint;
use super::material::{Certificate, Content, KeyFormat, KeyType, PrivateKey};
use super::unsuitable::Unsuitable;
use crate::clock::DateTime;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The tags `[0]`, `[1]` and `[3]` around another element.
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_1: u8 = 0xa1;
const EXPLICIT_3: u8 = 0xa3;
/// The tags `[1]` and `[2]` in place of a bit string's own.
const IMPLICIT_1: u8 = 0x81;
const IMPLICIT_2: u8 = 0x82;

const BASIC_CONSTRAINTS: &[u8] = b"\x55\x1d\x13";

const ALGORITHMS: [(&[u8], Algorithm); 3] = [
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", Algorithm::Rsa),
    (b"\x2a\x86\x48\xce\x3d\x02\x01", Algorithm::Ec),
    (b"\x2b\x65\x70", Algorithm::Ed25519),
];
const CURVES: [(&[u8], KeyType); 2] = [
    (b"\x2a\x86\x48\xce\x3d\x03\x01\x07", KeyType::EcP256),
    (b"\x2b\x81\x04\x00\x22", KeyType::EcP384),
];

/// An element that the walker enters, by its name in RFC 5280, 5958, 8017 or 5915.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    /// The whole document, around the outermost element.
    Document,
    /// The outermost element, whose children show what it is.
    Outer,
    /// The first child of [`Outer`](Self::Outer), if that is a sequence: the part of a certificate
    /// that is signed, or the algorithm of a key.
    First,
    Validity,
    SubjectPublicKeyInfo,
    AlgorithmIdentifier,
    /// The bit string around an RSAPublicKey.
    RsaPublicKeyBits,
    RsaPublicKey,
    /// The tag `[3]` around the list of extensions.
    ExtensionsTag,
    Extensions,
    Extension,
    /// The octet string around a BasicConstraints.
    ExtensionValue,
    BasicConstraints,
    /// The octet string of a PKCS#8 key.
    PrivateKeyOctets,
    RsaPrivateKey,
    EcPrivateKey,
    /// The element `[0]` of an ECPrivateKey.
    EcParameters,
    /// The element `[1]` of an ECPrivateKey.
    EcPublicKey,
}

/// An element whose content the grammar reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Skipped,
    Version,
    Issuer,
    Subject,
    NotBefore,
    NotAfter,
    Algorithm,
    Curve,
    Modulus,
    /// The bit string that is a public key.
    Point,
    ExtensionId,
    Ca,
}

/// The action of the walker at an element.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Enter(Node),
    /// Enters a bit string, after its count of unused bits.
    EnterBits(Node),
    Take(Field),
}

use Action::{Enter, EnterBits, Take};

const SKIP: Action = Take(Field::Skipped);

/// The table of children whose action depends only on their number and tag: node, first number, last number, tag,
/// action.
const CHILDREN: [(Node, u8, u8, u8, Action); 42] = {
    use Field::*;
    use Node::*;
    [
        (Document, 0, 0, SEQUENCE, Enter(Outer)),
        // A certificate's signature.
        (Outer, 1, 1, SEQUENCE, SKIP),
        (Outer, 2, 2, BIT_STRING, SKIP),
        // Serial number and the signature's algorithm.
        (First, 1, 1, INTEGER, SKIP),
        (First, 2, 2, SEQUENCE, SKIP),
        (First, 3, 3, SEQUENCE, Take(Issuer)),
        (First, 4, 4, SEQUENCE, Enter(Validity)),
        (First, 5, 5, SEQUENCE, Take(Subject)),
        (First, 6, 6, SEQUENCE, Enter(SubjectPublicKeyInfo)),
        // Unique identifiers of version 2.
        (First, 7, 7, IMPLICIT_1, SKIP),
        (First, 7, 8, IMPLICIT_2, SKIP),
        (First, 7, 9, EXPLICIT_3, Enter(ExtensionsTag)),
        (Validity, 0, 0, UTC_TIME, Take(NotBefore)),
        (Validity, 0, 0, GENERALIZED_TIME, Take(NotBefore)),
        (Validity, 1, 1, UTC_TIME, Take(NotAfter)),
        (Validity, 1, 1, GENERALIZED_TIME, Take(NotAfter)),
        (
            SubjectPublicKeyInfo,
            0,
            0,
            SEQUENCE,
            Enter(AlgorithmIdentifier),
        ),
        (
            AlgorithmIdentifier,
            0,
            0,
            OBJECT_IDENTIFIER,
            Take(Algorithm),
        ),
        (AlgorithmIdentifier, 1, 1, OBJECT_IDENTIFIER, Take(Curve)),
        (AlgorithmIdentifier, 1, 1, NULL, SKIP),
        // Explicit parameters of a curve.
        (AlgorithmIdentifier, 1, 1, SEQUENCE, SKIP),
        (RsaPublicKeyBits, 0, 0, SEQUENCE, Enter(RsaPublicKey)),
        (RsaPublicKey, 0, 0, INTEGER, Take(Modulus)),
        (RsaPublicKey, 1, 1, INTEGER, SKIP),
        (ExtensionsTag, 0, 0, SEQUENCE, Enter(Extensions)),
        (Extensions, 0, u8::MAX, SEQUENCE, Enter(Extension)),
        (Extension, 0, 0, OBJECT_IDENTIFIER, Take(ExtensionId)),
        (Extension, 1, 1, BOOLEAN, SKIP),
        (ExtensionValue, 0, 0, SEQUENCE, Enter(BasicConstraints)),
        (BasicConstraints, 0, 0, BOOLEAN, Take(Ca)),
        // The path length constraint.
        (BasicConstraints, 0, 1, INTEGER, SKIP),
        (RsaPrivateKey, 0, 0, INTEGER, SKIP),
        (RsaPrivateKey, 1, 1, INTEGER, Take(Modulus)),
        (RsaPrivateKey, 2, 8, INTEGER, SKIP),
        // The further primes of a key with more than two.
        (RsaPrivateKey, 9, 9, SEQUENCE, SKIP),
        (EcPrivateKey, 0, 0, INTEGER, SKIP),
        (EcPrivateKey, 1, 1, OCTET_STRING, SKIP),
        (EcPrivateKey, 2, 2, EXPLICIT_0, Enter(EcParameters)),
        (EcPrivateKey, 2, 3, EXPLICIT_1, Enter(EcPublicKey)),
        (EcParameters, 0, 0, OBJECT_IDENTIFIER, Take(Curve)),
        // Explicit parameters of a curve.
        (EcParameters, 0, 0, SEQUENCE, SKIP),
        (EcPublicKey, 0, 0, BIT_STRING, Take(Point)),
    ]
};

/// The structure that the outermost element turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Certificate,
    /// A structure that begins with an algorithm: a public key, or an encrypted private key.
    Algorithm,
    Pkcs1,
    Pkcs8,
    Sec1,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rsa,
    Ec,
    Ed25519,
    Other,
}

/// The grammar of certificates and keys: it knows where the elements of interest are, and keeps their content.
pub(super) struct Grammar {
    form: Form,
    /// The number of children that an older form of the structure lacks at its start: 1 for a certificate without a
    /// version.
    missing: u8,
    /// The version; `None` where it is not 0 to 127.
    version: Option<u8>,
    algorithm: Algorithm,
    curve: KeyType,
    modulus_bits: u16,
    fingerprint: Option<Fingerprint>,
    issuer: Fingerprint,
    self_issued: bool,
    is_ca: Option<bool>,
    not_before: Option<DateTime>,
    not_after: Option<DateTime>,
    /// The extension under way is the basic constraints.
    basic_constraints: bool,

    // The state of the field that is being read.
    hash: Fingerprint,
    /// The number of bytes of the field, without the leading zeros of a modulus.
    count: u32,
    /// The first bytes of the field, as many as the longest field of interest has.
    text: [u8; 16],
}

impl Grammar {
    pub(super) const fn new() -> Self {
        Self {
            form: Form::Unknown,
            missing: 0,
            version: None,
            algorithm: Algorithm::Other,
            curve: KeyType::EcOther,
            modulus_bits: 0,
            fingerprint: None,
            issuer: Fingerprint::new(),
            self_issued: false,
            is_ca: None,
            not_before: None,
            not_after: None,
            basic_constraints: false,
            hash: Fingerprint::new(),
            count: 0,
            text: [0; 16],
        }
    }

    /// Returns the action at the child number `index` of `node`.
    pub(super) fn child(&mut self, node: Node, index: u8, tag: u8) -> Result<Action, Unsuitable> {
        match (node, index, tag) {
            (Node::Outer, ..) => self.outer_child(index, tag),
            (Node::First, ..) => self.first_child(index, tag),
            (Node::SubjectPublicKeyInfo, 1, BIT_STRING) => Ok(match self.algorithm {
                Algorithm::Rsa => EnterBits(Node::RsaPublicKeyBits),
                _ => Take(Field::Point),
            }),
            (Node::Extension, 1 | 2, OCTET_STRING) => Ok(if self.basic_constraints {
                Enter(Node::ExtensionValue)
            } else {
                SKIP
            }),
            (Node::PrivateKeyOctets, 0, SEQUENCE) => Ok(Enter(match self.algorithm {
                Algorithm::Rsa => Node::RsaPrivateKey,
                _ => Node::EcPrivateKey,
            })),
            _ => usual(node, index, tag),
        }
    }

    fn outer_child(&mut self, index: u8, tag: u8) -> Result<Action, Unsuitable> {
        if index == 0 {
            return match tag {
                SEQUENCE => Ok(Enter(Node::First)),
                INTEGER => Ok(Take(Field::Version)),
                // PKCS#7.
                OBJECT_IDENTIFIER => Err(Unsuitable::Archive),
                _ => Err(Unsuitable::BadStructure),
            };
        }
        match (self.form, index, tag) {
            (Form::Certificate, ..) => return usual(Node::Outer, index, tag),
            (Form::Algorithm, 1, BIT_STRING) => return Err(Unsuitable::PublicKeyOnly),
            (Form::Algorithm, 1, OCTET_STRING) => return Err(Unsuitable::EncryptedKey),
            (Form::Unknown, 1, _) => return self.second_of_key(tag),
            (Form::Pkcs1, ..) => return usual(Node::RsaPrivateKey, index, tag),
            (Form::Sec1, ..) => return usual(Node::EcPrivateKey, index, tag),
            _ => {}
        }
        // PKCS#8.
        match (self.algorithm, index, tag) {
            (Algorithm::Rsa | Algorithm::Ec, 2, OCTET_STRING) => Ok(Enter(Node::PrivateKeyOctets)),
            (_, 2, OCTET_STRING) => Ok(SKIP),
            // Attributes.
            (_, 3, EXPLICIT_0) => Ok(SKIP),
            (Algorithm::Rsa, 3 | 4, IMPLICIT_1) => Ok(SKIP),
            (_, 3 | 4, IMPLICIT_1) => Ok(Take(Field::Point)),
            _ => Err(Unsuitable::BadStructure),
        }
    }

    /// Distinguishes the formats of private keys, by the element after the version.
    fn second_of_key(&mut self, tag: u8) -> Result<Action, Unsuitable> {
        match (tag, self.version) {
            (INTEGER, Some(0 | 1)) => {
                self.form = Form::Pkcs1;
                self.algorithm = Algorithm::Rsa;
                Ok(Take(Field::Modulus))
            }
            // The first number was not a version but a modulus.
            (INTEGER, None) => Err(Unsuitable::PublicKeyOnly),
            (OCTET_STRING, Some(1)) => {
                self.form = Form::Sec1;
                self.algorithm = Algorithm::Ec;
                Ok(SKIP)
            }
            (SEQUENCE, Some(0 | 1)) => {
                self.form = Form::Pkcs8;
                Ok(Enter(Node::AlgorithmIdentifier))
            }
            // PKCS#12.
            (SEQUENCE, Some(3)) => Err(Unsuitable::Archive),
            _ => Err(Unsuitable::BadStructure),
        }
    }

    fn first_child(&mut self, index: u8, tag: u8) -> Result<Action, Unsuitable> {
        match (index, tag) {
            (0, EXPLICIT_0) => {
                self.form = Form::Certificate;
                // A certificate of version 3 is no CA's unless its basic constraints say so.
                self.is_ca = Some(false);
                return Ok(SKIP);
            }
            (0, INTEGER) => {
                self.form = Form::Certificate;
                self.missing = 1;
            }
            (0, OBJECT_IDENTIFIER) => self.form = Form::Algorithm,
            // A signing request has its attributes here, after a name and a key.
            (3, EXPLICIT_0) if self.missing == 1 => return Err(Unsuitable::CertificateRequest),
            _ => {}
        }
        match self.form {
            Form::Algorithm => Ok(SKIP),
            _ => usual(Node::First, index.saturating_add(self.missing), tag),
        }
    }

    /// Begins a field.
    pub(super) fn start(&mut self) {
        self.hash = Fingerprint::new();
        self.count = 0;
    }

    /// Takes a byte of a field.
    pub(super) fn byte(&mut self, field: Field, byte: u8) {
        match field {
            // Bytes of a private key come here too, and are not kept.
            Field::Skipped => return,
            Field::Modulus if self.count == 0 && byte == 0 => return,
            _ => self.hash.push(byte),
        }
        if let Some(free) = self.text.get_mut(self.count as usize) {
            *free = byte;
        }
        self.count = self.count.saturating_add(1);
    }

    /// Ends a field, and keeps its content.
    pub(super) fn taken(&mut self, field: Field) -> Result<(), Unsuitable> {
        // The text is empty where the field is longer than every value that it is compared with.
        let text = self.text.get(..self.count as usize).unwrap_or_default();
        match field {
            Field::Skipped => {}
            Field::Version => {
                self.version = match text {
                    [version @ ..0x80] => Some(*version),
                    _ => None,
                }
            }
            Field::Issuer => self.issuer = self.hash,
            Field::Subject => self.self_issued = self.issuer == self.hash,
            Field::NotBefore => self.not_before = dates::parse(text),
            Field::NotAfter => self.not_after = dates::parse(text),
            Field::Algorithm => {
                let known = ALGORITHMS.iter().find(|(id, _)| *id == text);
                self.algorithm = known.map_or(Algorithm::Other, |(_, algorithm)| *algorithm);
            }
            Field::Curve => {
                let known = CURVES.iter().find(|(id, _)| *id == text);
                self.curve = known.map_or(KeyType::EcOther, |(_, curve)| *curve);
            }
            Field::Modulus => {
                if self.count == 0 {
                    return Err(Unsuitable::BadStructure);
                }
                let bits = self.count.saturating_mul(8) - self.text[0].leading_zeros();
                self.modulus_bits = u16::try_from(bits).unwrap_or(u16::MAX);
                self.fingerprint = Some(self.hash);
            }
            Field::Point => {
                let comparable = match self.algorithm {
                    // A compressed point would have another fingerprint.
                    Algorithm::Ec => self.count > 2 && matches!(self.text, [0, 4, ..]),
                    Algorithm::Ed25519 => self.count > 1,
                    Algorithm::Rsa | Algorithm::Other => false,
                };
                self.fingerprint = comparable.then_some(self.hash);
            }
            Field::ExtensionId => self.basic_constraints = text == BASIC_CONSTRAINTS,
            Field::Ca => self.is_ca = Some(!matches!(text, [0])),
        }
        Ok(())
    }

    /// Ends `node`, which had this many children.
    pub(super) fn closed(&mut self, node: Node, children: u8) -> Result<(), Unsuitable> {
        let needed = match (node, self.form) {
            (Node::Document | Node::Extensions | Node::BasicConstraints, _) => 0,
            (Node::Outer, Form::Certificate | Form::Pkcs8) => 3,
            (Node::Outer, Form::Pkcs1) | (Node::RsaPrivateKey, _) => 9,
            (Node::Outer, Form::Sec1) => 2,
            // This is a signing request without the attributes at its end.
            (Node::First, Form::Certificate) if self.missing == 1 && children == 3 => {
                return Err(Unsuitable::CertificateRequest);
            }
            (Node::First, Form::Certificate) => 7 - self.missing,
            (
                Node::Validity
                | Node::SubjectPublicKeyInfo
                | Node::RsaPublicKey
                | Node::Extension
                | Node::EcPrivateKey,
                _,
            ) => 2,
            _ => 1,
        };
        if children >= needed {
            Ok(())
        } else {
            Err(Unsuitable::BadStructure)
        }
    }

    /// Returns the content.
    pub(super) fn finish(&self) -> Result<Content, Unsuitable> {
        let key = match self.algorithm {
            Algorithm::Rsa => KeyType::Rsa {
                bits: self.modulus_bits,
            },
            Algorithm::Ec => self.curve,
            Algorithm::Ed25519 => KeyType::Ed25519,
            Algorithm::Other => KeyType::Other,
        };
        let format = match self.form {
            Form::Certificate => {
                return Ok(Content::Certificate(Certificate {
                    is_ca: self.is_ca,
                    self_issued: self.self_issued,
                    key,
                    fingerprint: self.fingerprint,
                    not_before: self.not_before,
                    not_after: self.not_after,
                }));
            }
            Form::Pkcs1 => KeyFormat::Pkcs1,
            Form::Pkcs8 => KeyFormat::Pkcs8,
            Form::Sec1 => KeyFormat::Sec1,
            // It ended before its structure was known.
            Form::Unknown | Form::Algorithm => return Err(Unsuitable::BadStructure),
        };
        Ok(Content::PrivateKey(PrivateKey {
            format,
            key,
            fingerprint: self.fingerprint,
        }))
    }
}

/// Looks the action up in [`CHILDREN`].
fn usual(node: Node, index: u8, tag: u8) -> Result<Action, Unsuitable> {
    for &(of, first, last, tagged, action) in &CHILDREN {
        if of == node && (first..=last).contains(&index) && tagged == tag {
            return Ok(action);
        }
    }
    Err(Unsuitable::BadStructure)
}
