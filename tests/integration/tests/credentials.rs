//! Credentials: what is refused, converted, skipped by proof, replaced; and what interruptions leave.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use embassy_futures::join::join5;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer, with_timeout};
use sectag::at::InvalidInput;
use sectag::inspect::{KeyType, Misplaced, Unsuitable};
use sectag::modem::Credentials;
use sectag::{
    AtError, Code, Comparison, ConnectError, CredentialError, CredentialSet, Digest, Ensured, Kind,
    Proof, ProvisionRecord, RotateError, Source, Tag, TlsConfig,
};
use sectag_bg96::Bg96;
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_integration_tests::{Bench, bench};
use sectag_simulator::{Chunk, Options, Profile, Reaction};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

const TAG: Tag = Tag(7);

fn world(options: Options) -> World {
    let world = World::new(options);
    world.serve(echo);
    world
}

fn key() -> &'static [u8] {
    Pki::shared().client().key_pem.as_bytes()
}

/// Another private key, as far as anybody can tell from its length and its public part.
fn other_key() -> Vec<u8> {
    let mut other = key().to_vec();
    let at = other.len() - 120;
    other[at] = if other[at] == b'A' { b'B' } else { b'A' };
    other
}

fn set(pki: &Pki) -> [(Kind, Vec<u8>); 3] {
    let client = pki.client();
    [
        (Kind::Ca, pki.ca_pem().into_bytes()),
        (
            Kind::ClientCertificate,
            client.cert_pem.clone().into_bytes(),
        ),
        (Kind::PrivateKey, client.key_pem.clone().into_bytes()),
    ]
}

fn as_set(parts: &[(Kind, Vec<u8>)]) -> CredentialSet<&[u8]> {
    parts.iter().fold(CredentialSet::new(), |set, (kind, pem)| {
        set.with(*kind, &pem[..])
    })
}

/// Our files in the modem, markers and all.
fn files(world: &World) -> BTreeMap<String, Vec<u8>> {
    world.modem.files()
}

async fn connect(bench: Bench) -> Result<(), ConnectError> {
    bench.control.connect(HOST, PORT, &TLS).await.map(drop)
}

/// Polls at most `times`, then drops it.
async fn poll_times<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// A source that calls `at` before each of its reads.
struct Watched<'a, F> {
    content: &'a [u8],
    at: F,
}

impl<F: FnMut(usize)> Source for Watched<'_, F> {
    type Error = Infallible;

    fn len(&self) -> usize {
        self.content.len()
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Infallible> {
        (self.at)(offset);
        self.content.read_at(offset, buf).await
    }
}

#[test]
fn each_mistake_has_its_own_words_and_nothing_is_sent() {
    let pki = Pki::shared();
    let (ca, client) = (pki.ca_pem(), pki.client().clone());
    let encrypted = format!(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}-----END ENCRYPTED PRIVATE KEY-----\n",
        client.key_pem.lines().nth(1).unwrap()
    );
    let cut = &ca[..ca.len() - 40];
    let unsuitable = CredentialError::<Infallible>::Unsuitable;
    let misplaced = CredentialError::<Infallible>::Misplaced;
    let cases: Vec<(Kind, String, CredentialError<Infallible>)> = vec![
        (Kind::Ca, String::new(), unsuitable(Unsuitable::Empty)),
        (Kind::Ca, "hello".into(), unsuitable(Unsuitable::NotPem)),
        (Kind::Ca, cut.into(), unsuitable(Unsuitable::Truncated)),
        (
            Kind::Ca,
            client.cert_pem.clone(),
            misplaced(Misplaced::NotCa { number: 1 }),
        ),
        (
            Kind::Ca,
            format!("{ca}{ca}"),
            misplaced(Misplaced::TooMany {
                found: 2,
                allowed: 1,
            }),
        ),
        (
            Kind::Ca,
            client.key_pem.clone(),
            misplaced(Misplaced::KeyForCertificate { wanted: Kind::Ca }),
        ),
        (
            Kind::ClientCertificate,
            ca.clone(),
            misplaced(Misplaced::CaForClient),
        ),
        (
            Kind::PrivateKey,
            ca.clone(),
            misplaced(Misplaced::CertificateForKey),
        ),
        (
            Kind::PrivateKey,
            encrypted,
            unsuitable(Unsuitable::EncryptedKey),
        ),
        (
            Kind::PrivateKey,
            format!("{}{}", client.key_pem, client.cert_pem),
            unsuitable(Unsuitable::Mixed),
        ),
        (
            Kind::ClientCertificate,
            pki.issue_server((0..1200).map(|n| format!("device-{n}.sectag.test")))
                .cert_pem,
            CredentialError::InvalidInput(InvalidInput::TooLong { limit: 32 * 1024 }),
        ),
    ];
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                let before = world.commands().len();
                let mut words = Vec::new();
                for (kind, content, expected) in &cases {
                    let content = content.as_bytes();
                    let stored = bench.control.store(TAG, *kind, content).await;
                    assert_eq!(stored, Err(*expected));
                    let ensured = bench.control.ensure(TAG, *kind, content).await;
                    assert_eq!(ensured, Err(*expected));
                    words.push(expected.to_string());
                }
                words.sort();
                words.dedup();
                assert_eq!(words.len(), cases.len(), "each its own: {words:#?}");

                // Two that are good by themselves and do not belong together.
                let stranger = pki.issue_client_with_new_key("stranger");
                let mixed = CredentialSet::new()
                    .ca(ca.as_bytes())
                    .client_certificate(client.cert_pem.as_bytes())
                    .private_key(stranger.key_pem.as_bytes());
                let error = bench.control.ensure_set(TAG, mixed).await.unwrap_err();
                assert_eq!(error.kind, Kind::PrivateKey);
                assert_eq!(error.error, misplaced(Misplaced::OtherKey));
                assert_eq!(world.commands().len(), before);
            })
            .await;
    });
}

#[test]
fn der_is_converted_and_the_modem_can_use_it() {
    virtually(async || {
        let world = world(Options {
            profile: Profile {
                accepts_der: false,
                ..Profile::BG96_LATER
            },
            ..Options::default()
        });
        world
            .attach(async |bench| {
                let pki = Pki::shared();
                let client = pki.client();
                let key = client.key_der();
                let pkcs1 = client.key_pem_pkcs1().unwrap();
                let ders = [
                    (Kind::Ca, pki.ca_der()),
                    (Kind::ClientCertificate, client.cert_der().to_vec()),
                    (Kind::PrivateKey, key.secret_der().to_vec()),
                ];
                for (kind, der) in &ders {
                    bench.control.store(TAG, *kind, &der[..]).await.unwrap();
                }
                for (name, (_, pem)) in ["st7.ca", "st7.crt", "st7.key"].iter().zip(set(pki)) {
                    let stored = String::from_utf8(files(&world)[*name].clone()).unwrap();
                    let pem = String::from_utf8(pem).unwrap().replace('\r', "");
                    assert_eq!(stored.trim_end(), pem.trim_end(), "{name}");
                }
                connect(bench).await.unwrap();
                // PEM and DER of the same are the same.
                let uploads = world.count("AT+QFUPL");
                for (kind, der) in &ders {
                    let ensured = bench.control.ensure(TAG, *kind, &der[..]).await;
                    assert_eq!(ensured, Ok(Ensured::AlreadyThere(Proof::ReadBack)));
                }
                assert_eq!(world.count("AT+QFUPL"), uploads);
                // Another structure has another label.
                let inner: Vec<u8> = pkcs1_der(&pkcs1);
                bench
                    .control
                    .store(TAG, Kind::PrivateKey, &inner[..])
                    .await
                    .unwrap();
                let stored = String::from_utf8(files(&world)["st7.key"].clone()).unwrap();
                assert_eq!(stored.trim_end(), pkcs1.trim_end());
                connect(bench).await.unwrap();
            })
            .await;
    });
}

fn pkcs1_der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::PrivatePkcs1KeyDer;
    use rustls::pki_types::pem::PemObject;
    let key = PrivatePkcs1KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    key.secret_pkcs1_der().to_vec()
}

#[test]
fn cold_start_with_credentials_present_uploads_nothing() {
    virtually(async || {
        let world = world(Options {
            turnaround: Duration::from_millis(20),
            baud: Some(115_200),
            chunk: Chunk::Random { max: 40 },
            ..Options::default()
        });
        let parts = set(Pki::shared());
        let start = async |bench: Bench| {
            let stored = bench.control.ensure_set(TAG, as_set(&parts)).await.unwrap();
            connect(bench).await.unwrap();
            stored
        };
        assert_eq!(world.attach(start).await, 3);
        let uploads = world.count("AT+QFUPL");
        assert_eq!(world.attach(start).await, 0);
        assert_eq!(world.count("AT+QFUPL"), uploads, "nothing was sent again");
        assert_eq!(files(&world).len(), 3, "{:?}", files(&world).keys());
    });
}

#[test]
fn key_of_equal_length_is_replaced() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                let other = other_key();
                assert_eq!(other.len(), key().len());
                let control = bench.control;
                let found = control.compare(TAG, Kind::PrivateKey, &other[..]).await;
                assert_eq!(found, Ok(Comparison::Differs));
                let ensured = control.ensure(TAG, Kind::PrivateKey, &other[..]).await;
                assert_eq!(ensured, Ok(Ensured::Stored));
                assert_eq!(files(&world)["st7.key"], other);
                let found = control.compare(TAG, Kind::PrivateKey, &other[..]).await;
                assert_eq!(found, Ok(Comparison::Same));
                let found = control.compare(Tag(8), Kind::PrivateKey, &other[..]).await;
                assert_eq!(found, Ok(Comparison::Absent));
            })
            .await;
    });
}

#[test]
fn digest_is_of_the_bytes_in_the_modem() {
    virtually(async || {
        let world = world(Options {
            chunk: Chunk::Bytes(1),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let control = bench.control;
                for (kind, pem) in set(Pki::shared()) {
                    let digest = control.digest(TAG, kind).await.unwrap();
                    assert_eq!(digest, Some(Digest::of(&pem)));
                }
                assert_eq!(control.digest(Tag(8), Kind::Ca).await, Ok(None));
                // Of any length, with anything in it.
                for len in [0, 1, 255, 256, 257, 1000] {
                    let content: Vec<u8> = b"\r\nOK\r\n> +QFUPL: 1,1\r\nCONNECT 5\r\n"
                        .iter()
                        .copied()
                        .cycle()
                        .take(len)
                        .collect();
                    world.modem.put_file("st9.ca", &content);
                    let digest = control.digest(Tag(9), Kind::Ca).await.unwrap();
                    assert_eq!(digest, Some(Digest::of(&content)), "{len}");
                }
            })
            .await;
    });
}

#[test]
fn calls_for_several_tags_at_once_take_turns() {
    virtually(async || {
        let world = world(Options {
            turnaround: Duration::from_millis(5),
            baud: Some(115_200),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                let control = bench.control;
                let parts = set(Pki::shared());
                control.ensure_set(Tag(3), as_set(&parts)).await.unwrap();
                let mut seen = Vec::new();
                let look = async {
                    for _ in 0..40 {
                        control.list(&mut |entry| seen.push(entry)).await.unwrap();
                        Timer::after_millis(20).await;
                    }
                };
                let (one, two, three, digest, ()) = join5(
                    control.ensure_set(Tag(1), as_set(&parts)),
                    control.ensure_set(Tag(2), as_set(&parts)),
                    control.ensure_set(Tag(3), as_set(&parts)),
                    control.digest(Tag(3), Kind::PrivateKey),
                    look,
                )
                .await;
                assert_eq!((one, two, three), (Ok(3), Ok(3), Ok(0)));
                assert_eq!(digest, Ok(Some(Digest::of(key()))));
                for tag in 1..=3 {
                    assert_eq!(files(&world)[&format!("st{tag}.key")], key());
                }
                assert_eq!(files(&world).len(), 9);
                // What is only half there was never listed.
                for entry in seen {
                    let (_, pem) = &parts[entry.kind as usize];
                    assert_eq!(entry.len, Some(pem.len()), "{entry:?}");
                }
            })
            .await;
    });
}

#[test]
fn file_system_that_is_full_is_reported_with_its_figures() {
    let stored = |options: Options, occupied: usize, reply: Option<&'static str>| {
        virtually(async || {
            let world = world(options.clone());
            world.modem.put_file("other", &vec![0; occupied]);
            if let Some(reply) = reply {
                let mut uploads = 0;
                world.modem.set_script(Box::new(move |line| {
                    if line.starts_with(b"AT+QFUPL") {
                        uploads += 1;
                        if uploads == 2 {
                            return Reaction::Reply(reply.into());
                        }
                    }
                    Reaction::Normal
                }));
            }
            let stored = world
                .attach(async |bench| bench.control.store(TAG, Kind::PrivateKey, key()).await)
                .await;
            assert_eq!(files(&world).keys().collect::<Vec<_>>(), ["other"]);
            stored
        })
    };
    let flash = |flash| Options {
        flash,
        ..Options::default()
    };
    let needed = key().len();
    // No room at all: not even for the marker.
    assert_eq!(
        stored(flash(1000), 1000, None),
        Err(CredentialError::NoSpace { needed, free: 0 })
    );
    // 403 and 420 for the file, 423 by a firmware that counts otherwise.
    for (room, reply) in [
        (1, None),
        (500, None),
        (1_000_000, Some("\r\n+CME ERROR: 423\r\n")),
    ] {
        assert_eq!(
            stored(flash(1000 + room), 1000, reply),
            Err(CredentialError::NoSpace { needed, free: room })
        );
    }
}

#[test]
fn store_that_is_dropped_anywhere_leaves_nothing_half_valid() {
    virtually(async || {
        let world = world(Options {
            turnaround: Duration::from_millis(2),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut polls = 0;
                loop {
                    let store = bench.control.store(TAG, Kind::PrivateKey, key());
                    let ended = poll_times(polls, store).await;
                    if let Some(stored) = ended {
                        stored.unwrap();
                        break;
                    }
                    // Long enough for the runner to clean up.
                    Timer::after_secs(10).await;
                    let left = files(&world);
                    let whole = left.get("st7.key").is_none_or(|content| content == key());
                    assert!(whole, "half a key after {polls} polls");
                    assert!(!left.contains_key("st7.xke"), "after {polls} polls");
                    if !left.contains_key("st7.key") {
                        assert_eq!(
                            connect(bench).await,
                            Err(ConnectError::CredentialMissing(Kind::PrivateKey))
                        );
                    }
                    polls += 1;
                }
                assert!(polls > 20, "{polls}");
                connect(bench).await.unwrap();
            })
            .await;
    });
}

#[test]
fn ensure_that_is_dropped_anywhere_leaves_no_file_open() {
    virtually(async || {
        let world = world(Options {
            turnaround: Duration::from_millis(2),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut polls = 0;
                loop {
                    let ensure = bench.control.ensure(TAG, Kind::PrivateKey, key());
                    let ended = poll_times(polls, ensure).await;
                    let digest = bench.control.digest(TAG, Kind::PrivateKey).await;
                    assert_eq!(digest, Ok(Some(Digest::of(key()))), "after {polls} polls");
                    if let Some(ensured) = ended {
                        assert_eq!(ensured, Ok(Ensured::AlreadyThere(Proof::ReadBack)));
                        break;
                    }
                    polls += 1;
                }
                assert!(polls > 10, "{polls}");
                bench.control.remove(TAG, Kind::PrivateKey).await.unwrap();
                assert!(!files(&world).contains_key("st7.key"));
            })
            .await;
    });
}

#[test]
fn modem_that_resets_in_an_upload_keeps_nothing_half_valid() {
    virtually(async || {
        let world = world(Options::default());
        let world = &world;
        world
            .attach(async |bench| {
                provision(bench).await;
                let reads = Cell::new(0);
                for target in 0.. {
                    reads.set(0);
                    let source = Watched {
                        content: key(),
                        at: |_| {
                            if reads.get() == target {
                                world.modem.reset();
                            }
                            reads.set(reads.get() + 1);
                        },
                    };
                    let stored = bench.control.store(TAG, Kind::PrivateKey, source).await;
                    if reads.get() <= target {
                        stored.unwrap();
                        break;
                    }
                    Timer::after_secs(20).await;
                    bench.control.wait_up().await.unwrap();
                    let left = files(world);
                    assert!(!left.contains_key("st7.xke"), "read {target}");
                    let whole = left.get("st7.key").is_none_or(|content| content == key());
                    assert!(whole, "half a key, read {target}");
                    assert!(stored.is_err() || left.contains_key("st7.key"));
                }
                connect(bench).await.unwrap();
            })
            .await;
    });
}

#[test]
fn reset_of_the_mcu_in_an_upload_leaves_nothing_half_valid() {
    virtually(async || {
        let world = world(Options::default());
        let world = &world;
        // Each read of the pass that looks, and of the one that uploads.
        for target in 0..100 {
            let reads = Cell::new(0);
            let ended = world
                .attach(async |bench| {
                    let stop = poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        if reads.get() > target {
                            Poll::Ready(())
                        } else {
                            Poll::Pending
                        }
                    });
                    let source = Watched {
                        content: key(),
                        at: |_| reads.set(reads.get() + 1),
                    };
                    bench.control.wait_up().await.unwrap();
                    let store = bench.control.store(TAG, Kind::PrivateKey, source);
                    matches!(select(stop, store).await, Either::Second(_))
                })
                .await;
            world
                .attach(async |bench| {
                    with_timeout(Duration::from_secs(120), async {
                        while bench.control.wait_up().await.is_err() {}
                    })
                    .await
                    .expect("it comes up again");
                    let left = files(world);
                    assert!(!left.contains_key("st7.xke"), "read {target}");
                    let whole = left.get("st7.key").is_none_or(|content| content == key());
                    assert!(whole, "half a key, read {target}");
                    let found = bench.control.compare(TAG, Kind::PrivateKey, key()).await;
                    let expected = match left.contains_key("st7.key") {
                        true => Comparison::Same,
                        false => Comparison::Absent,
                    };
                    assert_eq!(found, Ok(expected));
                    bench.control.remove(TAG, Kind::PrivateKey).await.unwrap();
                })
                .await;
            if ended {
                assert!(target > 30, "{target}");
                return;
            }
        }
        panic!("it never ended");
    });
}

#[test]
fn half_a_file_counts_as_absent_before_it_is_deleted() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                // As another life of the MCU leaves it, while this one is up already.
                world.modem.put_file("st7.xke", b"x");
                assert_eq!(
                    connect(bench).await,
                    Err(ConnectError::CredentialMissing(Kind::PrivateKey))
                );
                let found = bench.control.compare(TAG, Kind::PrivateKey, key()).await;
                assert_eq!(found, Ok(Comparison::Absent));
                bench
                    .control
                    .store(TAG, Kind::PrivateKey, key())
                    .await
                    .unwrap();
                connect(bench).await.unwrap();
            })
            .await;
        world.modem.put_file("st7.xcr", b"");
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                let left: Vec<String> = files(&world).into_keys().collect();
                assert_eq!(left, ["st7.ca", "st7.key"]);
            })
            .await;
    });
}

#[test]
fn file_that_an_earlier_life_left_open_can_be_read_and_removed() {
    virtually(async || {
        let world = world(Options {
            turnaround: Duration::from_millis(2),
            ..Options::default()
        });
        world.attach(provision).await;
        for then_remove in [false, true] {
            let reads = Cell::new(0);
            world
                .attach(async |bench| {
                    let source = Watched {
                        content: key(),
                        at: |_| reads.set(reads.get() + 1),
                    };
                    let opened = async {
                        while world.count("AT+QFREAD") == 0 {
                            Timer::after_micros(100).await;
                        }
                    };
                    let compare = bench.control.compare(TAG, Kind::PrivateKey, source);
                    assert!(matches!(select(compare, opened).await, Either::Second(())));
                })
                .await;
            assert_eq!(world.count("AT+QFCLOSE"), 0);
            world
                .attach(async |bench| {
                    if then_remove {
                        bench.control.remove(TAG, Kind::PrivateKey).await.unwrap();
                        assert!(!files(&world).contains_key("st7.key"));
                    } else {
                        let digest = bench.control.digest(TAG, Kind::PrivateKey).await;
                        assert_eq!(digest, Ok(Some(Digest::of(key()))));
                    }
                })
                .await;
            world.modem.take_commands();
        }
    });
}

#[test]
fn file_is_closed_when_its_reader_is_dropped() {
    virtually(async || {
        let world = world(Options {
            turnaround: Duration::from_millis(2),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let opened = async {
                    while world.count("AT+QFREAD") < 2 {
                        Timer::after_micros(100).await;
                    }
                };
                let digest = bench.control.digest(TAG, Kind::PrivateKey);
                assert!(matches!(select(digest, opened).await, Either::Second(())));
                assert_eq!(world.count("AT+QFCLOSE"), 0);
                Timer::after_secs(5).await;
                assert_eq!(world.count("AT+QFCLOSE"), 1);
            })
            .await;
    });
}

#[test]
fn report_that_comes_late_is_replaced_by_a_look() {
    virtually(async || {
        for corrupt in [false, true] {
            let world = world(Options {
                upload_result_delay: Duration::from_secs(12),
                ..Options::default()
            });
            if corrupt {
                // A byte was lost, and nobody says so.
                let modem = world.modem.clone();
                world.modem.set_script(Box::new(move |line| {
                    if line.starts_with(b"AT+QFLST") && modem.files().contains_key("st7.key") {
                        modem.put_file("st7.key", &key()[1..]);
                    }
                    Reaction::Normal
                }));
            }
            let stored = world
                .attach(async |bench| bench.control.store(TAG, Kind::PrivateKey, key()).await)
                .await;
            let left = files(&world);
            if corrupt {
                assert_eq!(stored, Err(CredentialError::Corrupted));
                assert!(left.is_empty(), "{:?}", left.keys());
            } else {
                assert_eq!(stored, Ok(()));
                assert_eq!(left["st7.key"], key());
                assert_eq!(left.len(), 1);
            }
        }
    });
}

#[test]
fn bytes_lost_on_the_line_are_told_as_such() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.until_upload().await;
            modem.say("\r\nCONNECT\r\n").await;
            modem.payload(4).await;
            modem
                .say("\r\n+QFUPL: 3,207\r\n\r\n+CME ERROR: 421\r\n")
                .await;
            modem.answer("AT+QFDEL=\"st7.ca\"", "\r\nOK\r\n").await;
            modem.answer("AT+QFDEL=\"st7.xca\"", "\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let stored = bench
                .control
                .store_unchecked(TAG, Kind::Ca, &b"abcd"[..])
                .await;
            assert_eq!(stored, Err(CredentialError::Corrupted));
        },
    );
}

#[test]
fn unchecked_content_is_read_once_and_sent_as_it_is() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                let next = Cell::new(0);
                let source = Watched {
                    content: &[0xa5; 700],
                    at: |offset| {
                        assert_eq!(offset, next.get());
                        next.set(offset + 128);
                    },
                };
                let stored = bench.control.store_unchecked(TAG, Kind::Ca, source).await;
                stored.unwrap();
                assert_eq!(files(&world)["st7.ca"], [0xa5; 700]);
            })
            .await;
    });
}

#[derive(Default)]
struct Record {
    known: HashMap<(u32, &'static str), Digest>,
    broken: bool,
}

impl ProvisionRecord for Record {
    async fn recall(&mut self, tag: Tag, kind: Kind) -> Option<Digest> {
        self.known.get(&(tag.0, word(kind))).copied()
    }

    async fn note(&mut self, tag: Tag, kind: Kind, digest: Option<Digest>) -> bool {
        let entry = (tag.0, word(kind));
        match digest {
            Some(digest) => self.known.insert(entry, digest),
            None => self.known.remove(&entry),
        };
        !self.broken
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::PrivateKey => "key",
        _ => "other",
    }
}

#[test]
fn without_read_back_only_a_record_saves_an_upload() {
    virtually(async || {
        let world = world(Options {
            profile: Profile {
                reads_files: false,
                ..Profile::BG96_LATER
            },
            ..Options::default()
        });
        world
            .attach(async |bench| {
                let control = bench.control;
                let kind = Kind::PrivateKey;
                for _ in 0..2 {
                    let ensured = control.ensure(TAG, kind, key()).await;
                    assert_eq!(ensured, Ok(Ensured::Stored), "equal size is no proof");
                }
                let found = control.compare(TAG, kind, key()).await;
                assert_eq!(found, Ok(Comparison::Unreadable));
                let digest = control.digest(TAG, kind).await;
                assert_eq!(digest, Err(CredentialError::Unreadable));

                let mut record = Record::default();
                let other = other_key();
                let proved = Ok(Ensured::AlreadyThere(Proof::Record));
                for (content, expected) in [
                    (key(), Ok(Ensured::Stored)),
                    (key(), proved),
                    (&other[..], Ok(Ensured::Stored)),
                    (&other[..], proved),
                    (key(), Ok(Ensured::Stored)),
                ] {
                    let ensured = control
                        .ensure_recorded(TAG, kind, content, &mut record)
                        .await;
                    assert_eq!(ensured, expected);
                }
                // What is not there is not proved by a record.
                control.remove(TAG, kind).await.unwrap();
                let ensured = control.ensure_recorded(TAG, kind, key(), &mut record).await;
                assert_eq!(ensured, Ok(Ensured::Stored));

                record.broken = true;
                let uploads = world.count("AT+QFUPL");
                let ensured = control
                    .ensure_recorded(TAG, kind, &other[..], &mut record)
                    .await;
                assert_eq!(ensured, Err(CredentialError::RecordNotWritten));
                assert_eq!(world.count("AT+QFUPL"), uploads);
            })
            .await;
    });
}

#[test]
fn rotation_removes_the_old_only_when_the_new_has_worked() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                let control = bench.control;
                let parts = set(Pki::shared());
                let tags = |world: &World| -> Vec<String> {
                    files(world)
                        .into_keys()
                        .map(|name| name.split('.').next().unwrap().to_owned())
                        .collect()
                };
                let same = control
                    .rotate(TAG, TAG, as_set(&parts), async || Ok::<_, ()>(()))
                    .await;
                assert_eq!(same, Err(RotateError::SameTag));
                let half = control
                    .rotate(TAG, Tag(8), as_set(&parts[..2]), async || Ok::<_, ()>(()))
                    .await;
                assert_eq!(half, Err(RotateError::Incomplete(Kind::PrivateKey)));
                let fewer = control
                    .rotate(TAG, Tag(8), as_set(&parts[..1]), async || Ok::<_, ()>(()))
                    .await;
                assert_eq!(fewer, Err(RotateError::Fewer(Kind::ClientCertificate)));
                let empty = control
                    .rotate(Tag(6), Tag(8), as_set(&parts), async || Ok::<_, ()>(()))
                    .await;
                assert_eq!(empty, Err(RotateError::NothingOld));
                assert_eq!(tags(&world), ["st7"; 3]);
                let refused = control
                    .rotate(TAG, Tag(8), as_set(&parts), async || Err("refused"))
                    .await;
                assert_eq!(refused, Err(RotateError::Probe("refused")));
                assert_eq!(tags(&world), ["st7"; 3]);
                let rotated = control
                    .rotate(TAG, Tag(8), as_set(&parts), async || {
                        assert_eq!(files(&world).len(), 6);
                        connect_with(bench, Tag(8)).await
                    })
                    .await;
                assert_eq!(rotated, Ok(()));
                assert_eq!(tags(&world), ["st8"; 3]);
                connect_with(bench, Tag(8)).await.unwrap();
            })
            .await;
    });
}

#[test]
fn rotation_touches_nothing_that_is_under_the_new_tag() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                let control = bench.control;
                let (parts, stranger) = (set(Pki::shared()), Pki::new());
                let other = set(&stranger);
                let (kind, pem) = &other[1];
                control.store(Tag(8), *kind, pem.as_slice()).await.unwrap();
                let before = files(&world);
                let in_use = control
                    .rotate(TAG, Tag(8), as_set(&parts), async || Err("refused"))
                    .await;
                assert_eq!(in_use, Err(RotateError::InUse(Kind::ClientCertificate)));
                // A kind that the new set has not is in the way, too.
                let ca_only = || as_set(&parts[..1]).drop_client_certificate();
                let in_use = control
                    .rotate(TAG, Tag(8), ca_only(), async || Err("refused"))
                    .await;
                assert_eq!(in_use, Err(RotateError::InUse(Kind::ClientCertificate)));
                assert_eq!(files(&world), before);

                // What an interrupted one has left is gone on with; what was there before stays when it does not work.
                control.remove(Tag(8), *kind).await.unwrap();
                let (kind, pem) = &parts[0];
                control.store(Tag(8), *kind, pem.as_slice()).await.unwrap();
                let before = files(&world);
                let refused = control
                    .rotate(TAG, Tag(8), as_set(&parts), async || Err("refused"))
                    .await;
                assert_eq!(refused, Err(RotateError::Probe("refused")));
                assert_eq!(files(&world), before);

                // Without a client certificate from now on, when that is said.
                let done = control
                    .rotate(TAG, Tag(8), ca_only(), async || Ok::<_, ()>(()))
                    .await;
                assert_eq!(done, Ok(()));
                let left: Vec<_> = files(&world).into_keys().collect();
                assert_eq!(left, ["st8.ca"]);
            })
            .await;
    });
}

async fn connect_with(bench: Bench, tag: Tag) -> Result<(), ConnectError> {
    let tls = TlsConfig::new(tag)
        .client_certificate()
        .ca_scope(sectag::CaScope::Private);
    bench.control.connect(HOST, PORT, &tls).await.map(drop)
}

#[test]
fn rotation_that_is_dropped_anywhere_leaves_a_complete_set_under_the_tag_in_use() {
    virtually(async || {
        let world = world(Options {
            turnaround: Duration::from_millis(1),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let parts = set(Pki::shared());
                // As in the application's flash.
                let used = Cell::new(7);
                let mut polls = 0;
                loop {
                    let (old, new) = (used.get(), 15 - used.get());
                    let rotate =
                        bench
                            .control
                            .rotate(Tag(old), Tag(new), as_set(&parts), async || {
                                connect_with(bench, Tag(new)).await?;
                                used.set(new);
                                Ok::<_, ConnectError>(())
                            });
                    let ended = poll_times(polls, rotate).await;
                    let finished = ended.is_some();
                    if let Some(ended) = ended {
                        ended.unwrap();
                        assert_eq!(used.get(), new);
                    }
                    Timer::after_secs(10).await;
                    let now = used.get();
                    let left = files(&world);
                    for (kind, (_, pem)) in ["ca", "crt", "key"].iter().zip(&parts) {
                        assert_eq!(
                            &left[&format!("st{now}.{kind}")],
                            pem,
                            "after {polls} polls"
                        );
                    }
                    assert!(
                        left.keys().all(|name| !name.contains(".x")),
                        "{:?}",
                        left.keys()
                    );
                    if finished {
                        break;
                    }
                    polls += 1 + polls / 8;
                }
                assert!(polls > 60, "{polls}");
            })
            .await;
    });
}

#[test]
fn piece_of_a_file_is_counted_and_nothing_else_is_believed() {
    // What the modem answers to the read, and how that ends.
    let cases = [
        ("\r\nCONNECT 4\r\nabcd\r\nOK\r\n", Ok(Comparison::Same)),
        ("\r\nCONNECT 4\r\nOK\r\n\r\nOK\r\n", Ok(Comparison::Differs)),
        ("\r\nCONNECT 2\r\nab\r\nOK\r\n", Ok(Comparison::Same)),
        (
            "\r\nCONNECT 5\r\nabcde\r\nOK\r\n",
            Err(CredentialError::At(AtError::Garbled)),
        ),
        (
            "\r\nCONNECT 3\r\nabcd\r\nOK\r\n",
            Err(CredentialError::At(AtError::Garbled)),
        ),
        ("\r\nOK\r\n", Err(CredentialError::At(AtError::Garbled))),
        (
            "\r\nCONNECT x\r\nabcd\r\nOK\r\n",
            Err(CredentialError::At(AtError::Garbled)),
        ),
        ("\r\n+CME ERROR: 402\r\n", Ok(Comparison::Differs)),
        (
            "\r\n+CME ERROR: 411\r\n",
            Err(CredentialError::At(AtError::Refused(Code::Cme(411)))),
        ),
    ];
    for (answer, expected) in cases {
        for chunk in [1, 4096] {
            let found = Rc::new(RefCell::new(None));
            let report = found.clone();
            bench(
                async |uart| {
                    let mut modem = Modem::new(uart, chunk);
                    modem.bring_up().await;
                    loop {
                        let command = modem
                            .obey_until(|command| {
                                command.starts_with("AT+QFREAD")
                                    || command.starts_with("AT+QFOPEN=")
                                    || command == "AT+QFLST=\"*\""
                            })
                            .await;
                        match &*command {
                            "AT+QFLST=\"*\"" => {
                                modem.say("\r\n+QFLST: \"st7.ca\",4\r\n\r\nOK\r\n").await;
                            }
                            "AT+QFOPEN=\"st7.ca\",2" => {
                                modem.say("\r\n+QFOPEN: 5\r\n\r\nOK\r\n").await;
                            }
                            "AT+QFREAD=5,4" => modem.say(answer).await,
                            // The rest of a short one.
                            "AT+QFREAD=5,2" => modem.say("\r\nCONNECT 2\r\ncd\r\nOK\r\n").await,
                            other => panic!("{other}"),
                        }
                    }
                },
                async |bench| {
                    let mut raw = &b"abcd"[..];
                    let at = bench.control.keeps_connections().at().await.unwrap();
                    let compared = Bg96::compare(&at, TAG, Kind::Ca, &mut raw).await;
                    *report.borrow_mut() = Some(compared);
                    // The next command gets its own answer.
                    assert!(bench.control.clock().await.is_ok());
                },
            );
            assert_eq!(found.take().unwrap(), expected, "{answer:?}");
        }
    }
}

/// A key of X25519, as `openssl genpkey -algorithm x25519` writes it: for agreement, so that nothing is signed with it.
const NO_SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VuBCIEIPBFRDwbdVcQAIzeTl0SViJMODYolhYD3Bf2l2CH7RZe\n\
-----END PRIVATE KEY-----\n";

/// What its TLS cannot use is refused before a byte, unless it is asked for by name.
#[test]
fn key_that_the_modem_cannot_use_is_refused_when_it_is_stored() {
    let pki = Pki::shared();
    let client = pki.issue_server_ecdsa(["device.sectag.test"]);
    let (certificate, key) = (&client.cert_pem, &client.key_pem);
    virtually(async || {
        for (profile, usable) in [(Profile::BG96_LATER, false), (Profile::EG25, true)] {
            let world = world(Options {
                profile,
                ..Options::default()
            });
            world
                .attach(async |bench| {
                    let control = bench.control;
                    for (kind, pem) in [
                        (Kind::ClientCertificate, certificate),
                        (Kind::PrivateKey, key),
                    ] {
                        let stored = control.store(TAG, kind, pem.as_bytes()).await;
                        let ensured = control.ensure(TAG, kind, pem.as_bytes()).await;
                        if usable {
                            assert_eq!(stored, Ok(()));
                            continue;
                        }
                        let refused = CredentialError::KeyType(KeyType::EcP256);
                        assert_eq!(stored, Err(refused));
                        assert_eq!(ensured, Err(refused));
                        assert!(refused.to_string().contains("RSA"), "{refused}");
                        assert!(files(&world).is_empty());
                        let anyway = control.store_as_it_is(TAG, kind, pem.as_bytes()).await;
                        assert_eq!(anyway, Ok(()));
                        control.remove(TAG, kind).await.unwrap();
                    }
                    let odd = NO_SIGNING_KEY.as_bytes();
                    let before = files(&world);
                    let stored = control.store(TAG, Kind::PrivateKey, odd).await;
                    let refused = CredentialError::KeyType(KeyType::Other);
                    assert_eq!(stored, Err(refused));
                    let told = "keys of RSA and ECDSA, and this is neither";
                    assert!(refused.to_string().contains(told), "{refused}");
                    assert_eq!(files(&world), before);
                    // A CA's key signs, and what it signs may be a server's RSA key.
                    assert_eq!(
                        control.store(TAG, Kind::Ca, pki.ca_pem().as_bytes()).await,
                        Ok(())
                    );
                })
                .await;
        }
    });
}
