//! Inspection and conversion of credentials: total on any input, the same however the input is cut, and
//! what is accepted becomes what others read as the same, there and back.
//!
//! Input: a chunk size, then the credential.
#![no_main]

use embassy_futures::select::{Either, select};
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::pem::{self, SectionKind};
use sectag::inspect::{Container, Content, Inspector, KeyFormat, Material, Unsuitable};
use sectag::{Kind, NoPins, State, Tag};
use sectag_fuzz::credential_store::CredentialStore;
use sectag_fuzz::uart::{End, Pipe};
use sectag_simulator::time::VirtualClock;

fuzz_target!(|input: &[u8]| {
    let Some((&chunk, credential)) = input.split_first() else {
        return;
    };
    let chunk = usize::from(chunk).max(1);
    let found = inspect(std::iter::once(credential));
    assert_eq!(found, inspect(credential.chunks(1)));
    assert_eq!(found, inspect(credential.chunks(chunk)));
    let Ok(material) = found else {
        return;
    };
    let kind = match material.content {
        Content::PrivateKey(_) => Kind::PrivateKey,
        Content::Certificate(_) if material.first_leaf.is_none() => Kind::Ca,
        Content::Certificate(_) => Kind::ClientCertificate,
    };
    match material.container {
        Container::Der => {
            assert_eq!(material.der_len as usize, credential.len());
            // It may be refused for its place, for instance one of version 1, which may be anything.
            let Some(text) = converted::<false>(chunk, kind, credential) else {
                return;
            };
            let read = pem::from_buf(&mut &text[..]).expect("it is PEM");
            let (label, der) = read.expect("there is a block");
            assert_eq!(label, label_of(&material.content));
            assert_eq!(der, credential);
            same(&material, &text);
            let back = converted::<true>(chunk, kind, &text).expect("it is the same");
            assert_eq!(back, credential);
        }
        Container::Pem => {
            // It may be refused for its place: a chain in the wrong order, a CA for a client's.
            let Some(der) = converted::<true>(chunk, kind, credential) else {
                return;
            };
            assert_eq!(der.len(), material.der_len as usize);
            same(&material, &der);
            let text = converted::<false>(chunk, kind, &der).expect("it is the same");
            let read = pem::from_buf(&mut &text[..]).expect("it is PEM");
            assert_eq!(read.map(|(_, again)| again), Some(der));
        }
    }
});

fn inspect<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Result<Material, Unsuitable> {
    let mut inspector = Inspector::new();
    for chunk in chunks {
        inspector.feed(chunk);
    }
    inspector.finish()
}

/// In the other container it is still what it was; only the first of several is converted.
fn same(material: &Material, converted: &[u8]) {
    let again = inspect(std::iter::once(converted)).expect("it was accepted");
    assert_ne!(again.container, material.container);
    assert_eq!(again.content, material.content);
    assert_eq!(again.der_len, material.der_len);
}

fn label_of(content: &Content) -> SectionKind {
    match content {
        Content::Certificate(_) => SectionKind::Certificate,
        Content::PrivateKey(key) => match key.format {
            KeyFormat::Pkcs1 => SectionKind::RsaPrivateKey,
            KeyFormat::Pkcs8 => SectionKind::PrivateKey,
            KeyFormat::Sec1 => SectionKind::EcPrivateKey,
        },
    }
}

/// What a modem is given that takes DER or PEM; `None` when it is refused.
fn converted<const DER: bool>(chunk: usize, kind: Kind, credential: &[u8]) -> Option<Vec<u8>> {
    let mut stored = None;
    VirtualClock::new().run(async {
        let pipes = ['>', '<'].map(|name| Pipe::new(name, 64, 64));
        let [to_modem, to_driver] = pipes.each_ref().map(|pipe| End { pipe, paced: false });
        let mut state = State::<_, 1, 16, 16>::new();
        let (control, mut runner) = sectag::new(
            &mut state,
            CredentialStore::<DER>::new(chunk),
            to_driver,
            to_modem,
            NoPins,
        );
        let storing = control.store(Tag(1), kind, credential);
        stored = match select(runner.run(), storing).await {
            Either::Second(Ok(())) => Some(control.modem(CredentialStore::content)),
            Either::Second(Err(_)) => None,
            Either::First(error) => panic!("the runner ended: {error}"),
        };
    });
    stored
}
