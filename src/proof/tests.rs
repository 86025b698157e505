//! Proofs that no tool here can make: hardware keys, and bytes that nobody meant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use sha2::{Digest as _, Sha256};

use super::wire::put;
use super::*;

const NAMESPACE: &str = "decision@secondlook";
const TEXT: &[u8] = b"declined, case 1, at noon";

/// A key pair in software that signs as its hardware would.
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair, SystemRandom),
}

impl Pair {
    fn ed25519() -> Self {
        let secret = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(secret.as_ref()).unwrap())
    }

    fn p256() -> Self {
        let (random, way) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let secret = EcdsaKeyPair::generate_pkcs8(way, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(way, secret.as_ref(), &random).unwrap(), random)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "sk-ssh-ed25519@openssh.com",
            Self::P256(..) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The numbers of the key, as they stand in keys and certificates.
    fn numbers(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Ed25519(pair) => put(&mut out, pair.public_key().as_ref()),
            Self::P256(pair, _) => {
                put(&mut out, b"nistp256");
                put(&mut out, pair.public_key().as_ref());
            }
        }
        put(&mut out, b"ssh:");
        out
    }

    fn key(&self) -> PublicKey {
        let mut blob = Vec::new();
        put(&mut blob, self.name().as_bytes());
        blob.extend(self.numbers());
        PublicKey::of_blob(&blob).unwrap()
    }

    fn sign(&self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.sign(data).as_ref().to_vec(),
            Self::P256(pair, random) => {
                let raw = pair.sign(random, data).unwrap();
                let mut out = Vec::new();
                for half in raw.as_ref().chunks(32) {
                    let zeros = half.iter().take_while(|byte| **byte == 0).count();
                    let mut number = half[zeros..].to_vec();
                    if number[0] >= 0x80 {
                        number.insert(0, 0);
                    }
                    put(&mut out, &number);
                }
                out
            }
        }
    }

    /// A signature with these flags, as an agent gives it.
    fn touched(&self, data: &[u8], flags: u8) -> Vec<u8> {
        let mut signed = Sha256::digest(b"ssh:").to_vec();
        signed.push(flags);
        signed.extend(7_u32.to_be_bytes());
        signed.extend(Sha256::digest(data));
        let mut out = Vec::new();
        put(&mut out, self.name().as_bytes());
        put(&mut out, &self.sign(&signed));
        out.push(flags);
        out.extend(7_u32.to_be_bytes());
        out
    }

    fn armoured(&self, signer: &Signer, flags: u8) -> String {
        armoured(signer, NAMESPACE, &self.touched(&to_be_signed(TEXT, NAMESPACE), flags))
    }

    /// A certificate by this CA of another key, with one critical option.
    fn certify(&self, other: &Self, option: &str, principals: usize) -> Vec<u8> {
        let mut blob = Vec::new();
        let name = other.name().replace("@openssh.com", key::CERTIFICATE);
        put(&mut blob, name.as_bytes());
        put(&mut blob, b"nonce");
        blob.extend(other.numbers());
        blob.extend(1_u64.to_be_bytes());
        blob.extend(1_u32.to_be_bytes());
        put(&mut blob, b"ana");
        let mut names = Vec::new();
        for _ in 0..principals {
            put(&mut names, b"ana");
        }
        put(&mut blob, &names);
        blob.extend(0_u64.to_be_bytes());
        blob.extend(u64::MAX.to_be_bytes());
        let mut options = Vec::new();
        put(&mut options, option.as_bytes());
        put(&mut options, b"");
        put(&mut blob, &options);
        put(&mut blob, b"");
        put(&mut blob, b"");
        put(&mut blob, self.key().blob());
        let signature = self.touched(&blob, 1);
        put(&mut blob, &signature);
        blob
    }
}

#[test]
fn a_hardware_key_must_have_been_touched() {
    for pair in [Pair::ed25519(), Pair::p256()] {
        let signer = Signer::Key(pair.key());
        for flags in [1, 5] {
            assert_eq!(verify(TEXT, &pair.armoured(&signer, flags), NAMESPACE), Ok(signer.clone()));
        }
        for flags in [0, 4] {
            let untouched = verify(TEXT, &pair.armoured(&signer, flags), NAMESPACE);
            assert_eq!(untouched, Err(NotProven::Signature(BadSignature::Untouched)));
        }
        // Flags that were changed afterwards.
        let mut raw = pair.touched(&to_be_signed(TEXT, NAMESPACE), 0);
        let at = raw.len() - 5;
        raw[at] = 1;
        let bent = verify(TEXT, &armoured(&signer, NAMESPACE, &raw), NAMESPACE);
        assert_eq!(bent, Err(NotProven::Signature(BadSignature::Wrong)));
    }
}

#[test]
fn a_certificate_may_ask_for_a_pin() {
    let ca = Pair::ed25519();
    for pair in [Pair::ed25519(), Pair::p256()] {
        let signer = Signer::of_blob(&ca.certify(&pair, "verify-required", 1)).unwrap();
        let name = CertName::Principal("ana".to_owned());
        let proof = Proof::Certificate { ca: ca.key(), name };
        let found = verify(TEXT, &pair.armoured(&signer, 5), NAMESPACE).unwrap();
        found.satisfies(&proof, Millis(0)).unwrap();
        let without = verify(TEXT, &pair.armoured(&signer, 1), NAMESPACE);
        assert_eq!(without, Err(NotProven::Unverified));
        assert!(Certificate::of_blob(&ca.certify(&pair, "force-command", 256)).is_ok());
        let many = Certificate::of_blob(&ca.certify(&pair, "force-command", 257));
        assert_eq!(many, Err(BadCertificate::Garbled));
        // Nothing may stand behind the signature.
        let mut blob = ca.certify(&pair, "force-command", 1);
        blob.extend(b"more");
        assert_eq!(Certificate::of_blob(&blob), Err(BadCertificate::Garbled));
    }
}

/// A key whose 32 bytes are these.
fn ed25519(point: &[u8]) -> Result<PublicKey, BadKey> {
    let mut blob = Vec::new();
    put(&mut blob, b"ssh-ed25519");
    put(&mut blob, point);
    PublicKey::of_blob(&blob)
}

fn rsa(e: &[u8], n: &[u8]) -> Result<PublicKey, BadKey> {
    let mut blob = Vec::new();
    put(&mut blob, b"ssh-rsa");
    put(&mut blob, e);
    put(&mut blob, n);
    PublicKey::of_blob(&blob)
}

#[test]
fn keys_for_which_anybody_can_sign_are_refused() {
    // With the neutral point as key and as R, a zero S is a signature of everything: ring says so too.
    let mut one = [0; 32];
    one[0] = 1;
    let mut universal = one.to_vec();
    universal.extend([0; 32]);
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, one);
    assert!(key.verify(b"anything", &universal).is_ok());
    assert_eq!(ed25519(&one), Err(BadKey::Weak));
    one[31] = 0x80;
    assert_eq!(ed25519(&one), Err(BadKey::Weak));
    let mut beyond = [0xff; 32];
    for first in 0xec..=0xff {
        beyond[0] = first;
        assert_eq!(ed25519(&beyond), Err(BadKey::Weak));
    }
    assert_eq!(ed25519(&[9; 31]), Err(BadKey::Garbled));

    let mut n = [0xff; 257];
    n[0] = 0;
    assert!(rsa(&[1, 0, 1], &n).is_ok());
    assert_eq!(rsa(&[1], &n), Err(BadKey::Weak));
    assert_eq!(rsa(&[2], &n), Err(BadKey::Garbled));
    // The same numbers in another form would be another key.
    assert_eq!(rsa(&[0, 1, 0, 1], &n), Err(BadKey::Garbled));
    assert_eq!(rsa(&[1, 0, 1], &[&[0], &n[..]].concat()), Err(BadKey::Garbled));
    assert_eq!(rsa(&[1, 0, 1], &[0x7f; 256]), Err(BadKey::RsaBits(2047)));
    assert_eq!(rsa(&[1, 0, 1], &[0x7f; 1100]), Err(BadKey::RsaBits(8799)));
}

#[test]
fn a_proof_is_kept_in_one_form() {
    let ca = ed25519(&[9; 32]).unwrap();
    let line = ca.line();
    let certificate = |name| Proof::Certificate { ca: ca.clone(), name };
    for (proof, json) in [
        (Proof::Key(ca.clone()), format!(r#"{{"key":"{line}"}}"#)),
        (
            certificate(CertName::KeyId("ana".to_owned())),
            format!(r#"{{"certificate":{{"ca":"{line}","name":{{"key_id":"ana"}}}}}}"#),
        ),
        (
            certificate(CertName::Principal("ana".to_owned())),
            format!(r#"{{"certificate":{{"ca":"{line}","name":{{"principal":"ana"}}}}}}"#),
        ),
        (Proof::Role("ana".to_owned()), r#"{"role":"ana"}"#.to_owned()),
    ] {
        assert_eq!(serde_json::to_string(&proof).unwrap(), json);
        assert_eq!(serde_json::from_str::<Proof>(&json).unwrap(), proof);
    }
    for bad in [
        r#"{"key":"ssh-ed25519 AAAA"}"#.to_owned(),
        format!(r#"{{"certificate":{{"ca":"{line}","name":{{"key_id":"ana"}},"more":1}}}}"#),
        r#"{"moon":"ana"}"#.to_owned(),
    ] {
        assert!(serde_json::from_str::<Proof>(&bad).is_err(), "{bad}");
    }
}

#[test]
fn each_form_that_is_none_has_its_words() {
    let said = |line: &str| PublicKey::parse(line).unwrap_err();
    assert_eq!(said(""), BadKey::NotALine);
    assert_eq!(said("ssh-ed25519"), BadKey::NotALine);
    assert_eq!(said("no-pty ssh-ed25519 AAAA"), BadKey::NotALine);
    assert_eq!(said("ssh-dss AAAA"), BadKey::Kind("ssh-dss".to_owned()));
    assert_eq!(said("ssh-ed25519 AAAA"), BadKey::Garbled);
    assert_eq!(said(&format!("ssh-ed25519 {}", "A".repeat(100_000))), BadKey::Garbled);
    let key = ed25519(&[9; 32]).unwrap();
    assert_eq!(said(&key.line().replacen("ssh-ed25519", "ssh-rsa", 1)), BadKey::Garbled);
    assert_eq!(said(&format!("{}\n{}", key.line(), key.line())), BadKey::NotALine);

    let none = |signature: &str| verify(TEXT, signature, NAMESPACE).unwrap_err();
    let blob = |body: &[&[u8]]| {
        let text = STANDARD.encode(body.concat());
        format!("-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----")
    };
    assert_eq!(none("hello"), NotProven::NotASignature);
    assert_eq!(none(&"A".repeat(LONGEST + 1)), NotProven::NotASignature);
    assert_eq!(none(&blob(&[b"SSHSIX"])), NotProven::NotASignature);
    assert_eq!(none(&blob(&[b"SSHSIG"])), NotProven::Garbled);
    assert_eq!(none(&blob(&[b"SSHSIG", &[0, 0, 0, 2]])), NotProven::Version(2));
    let with = |hash: &[u8], reserved: &[u8]| {
        let mut out = b"SSHSIG\0\0\0\x01".to_vec();
        for part in [key.blob(), NAMESPACE.as_bytes(), reserved, hash, b""] {
            put(&mut out, part);
        }
        none(&blob(&[&out]))
    };
    assert_eq!(with(b"md5", b""), NotProven::Hash("md5".to_owned()));
    assert_eq!(with(b"sha512", b"x"), NotProven::Garbled);
    assert_eq!(with(b"sha512", b""), NotProven::Signature(BadSignature::Garbled));
}

#[test]
fn a_bad_line_of_a_list_does_not_end_it() {
    let key = ed25519(&[9; 32]).unwrap();
    let line = key.line();
    let text = format!(
        "# the team\n\nana {line} laptop\n* {line}\nben ssh-dss AAAAB3Nz\n\
         \"ben {line}\nben moon=\"x\" {line}\nben valid-before=\"soon\" {line}\nben\n,ben {line}\n\
         ben cert-authority,namespaces=\"a b,c\" {line}\n\"ben b,b\" {line}\n"
    );
    let (good, bad) = parse_signers(&text);
    let numbers: Vec<usize> = bad.iter().map(|bad| bad.line).collect();
    assert_eq!(numbers, [4, 5, 6, 7, 8, 9, 10], "{bad:?}");
    let words: Vec<String> = bad.iter().map(ToString::to_string).collect();
    assert!(words[0].starts_with("line 4: `*` is a pattern"), "{words:?}");
    assert!(words[1].contains("keys of the kind `ssh-dss`"), "{words:?}");
    let names: Vec<&str> = good.iter().map(|signer| signer.principals[0].as_str()).collect();
    assert_eq!(names, ["ana", "ben", "ben b"]);
    assert!(good[1].cert_authority);
    assert_eq!(good[1].namespaces.as_deref(), Some(&["a b".to_owned(), "c".to_owned()][..]));
    let printed = print_signers(&good).unwrap();
    assert_eq!(parse_signers(&printed), (good.clone(), Vec::new()), "{printed}");

    for name in ["", "a,b", "a\"b", "a\nb", "*", "!ana", " ana"] {
        let mut bent = good.clone();
        bent[1].principals = vec![name.to_owned()];
        assert_eq!(print_signers(&bent).unwrap_err().entry, 2, "{name:?}");
    }
}

/// A signature by a certificate, a certificate and a key that are right.
fn right() -> (String, Vec<u8>, PublicKey) {
    let (ca, pair) = (Pair::p256(), Pair::ed25519());
    let blob = ca.certify(&pair, "force-command", 2);
    let signer = Signer::of_blob(&blob).unwrap();
    (pair.armoured(&signer, 1), blob, ca.key())
}

#[test]
fn no_byte_of_a_signature_may_be_another() {
    let (signature, ..) = right();
    let text: String = signature.lines().filter(|line| !line.starts_with('-')).collect();
    let blob = STANDARD.decode(text).unwrap();
    let wrapped = |blob: &[u8]| {
        let text = STANDARD.encode(blob);
        format!("-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n")
    };
    assert!(verify(TEXT, &wrapped(&blob), NAMESPACE).is_ok());
    for at in 0..blob.len() {
        for bit in [0x01, 0x80] {
            let mut bent = blob.clone();
            bent[at] ^= bit;
            assert!(verify(TEXT, &wrapped(&bent), NAMESPACE).is_err(), "byte {at}");
        }
        assert!(verify(TEXT, &wrapped(&blob[..at]), NAMESPACE).is_err(), "cut at {at}");
    }
}

/// Bytes that nobody meant: any at all, or some that begin right.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec![
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "ssh-rsa-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    ]);
    let parts = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..14);
    let begun = (names, parts, any::<Vec<u8>>()).prop_map(|(name, parts, end)| {
        let mut out = Vec::new();
        put(&mut out, name.as_bytes());
        for part in parts {
            put(&mut out, &part);
        }
        out.extend(end);
        out
    });
    prop_oneof![any::<Vec<u8>>(), begun]
}

proptest! {
    #[test]
    fn no_bytes_break_keys_and_certificates(blob in bytes()) {
        if let Ok(key) = PublicKey::of_blob(&blob) {
            prop_assert_eq!(key.blob(), &blob[..]);
            prop_assert_eq!(PublicKey::parse(&key.line()), Ok(key));
        }
        prop_assert!(Certificate::of_blob(&blob).is_err());
        let line = format!("ssh-rsa {}", STANDARD.encode(&blob));
        let _ = (PublicKey::parse(&line), Certificate::parse(&line), Signer::of_blob(&blob));
        let key = ed25519(&[9; 32]).unwrap();
        prop_assert!(key.check(TEXT, &blob).is_err());
    }

    #[test]
    fn no_bytes_are_a_signature(blob in bytes(), text in ".*") {
        let mut begun = b"SSHSIG\0\0\0\x01".to_vec();
        begun.extend(&blob);
        for blob in [&blob, &begun] {
            let inner = STANDARD.encode(blob);
            let armour = format!("-----BEGIN SSH SIGNATURE-----\n{inner}\n-----END SSH SIGNATURE-----");
            prop_assert!(verify(TEXT, &armour, NAMESPACE).is_err());
        }
        prop_assert!(verify(TEXT, &text, NAMESPACE).is_err());
        let _ = auth_info(&text);
    }

    #[test]
    fn no_key_breaks_on_a_signature_of_its_form(number in 0_u8..4, raw in prop::collection::vec(any::<u8>(), 0..300), halves in any::<bool>()) {
        let point = |size: usize| [&[4][..], &vec![7; 2 * size]].concat();
        let mut blob = Vec::new();
        let (name, curve) = [
            ("ecdsa-sha2-nistp256", ("nistp256", 32)),
            ("ecdsa-sha2-nistp384", ("nistp384", 48)),
            ("ecdsa-sha2-nistp521", ("nistp521", 66)),
            ("ssh-rsa", ("", 0)),
        ][usize::from(number)];
        put(&mut blob, name.as_bytes());
        if curve.1 > 0 {
            put(&mut blob, curve.0.as_bytes());
            put(&mut blob, &point(curve.1));
        } else {
            put(&mut blob, &[3]);
            put(&mut blob, &[0x7f; 300]);
        }
        let key = PublicKey::of_blob(&blob).unwrap();
        let mut signature = Vec::new();
        put(&mut signature, if number == 3 { b"rsa-sha2-512" } else { name.as_bytes() });
        if halves {
            let mut both = Vec::new();
            for half in raw.chunks(raw.len().div_ceil(2).max(1)) {
                put(&mut both, half);
            }
            put(&mut signature, &both);
        } else {
            put(&mut signature, &raw);
        }
        prop_assert!(key.check(TEXT, &signature).is_err());
    }

    #[test]
    fn no_text_breaks_a_list(text in "([a-z*,\"= \t\\\\#!]|ssh-ed25519|AAAA|valid-after=|namespaces=|cert-authority|\n){0,60}") {
        let (good, bad) = parse_signers(&text);
        prop_assert!(good.is_empty());
        let lines = text.lines().filter(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        prop_assert_eq!(bad.len(), lines.count());
    }

    #[test]
    fn what_is_printed_is_read(names in prop::collection::vec("[a-z@. #ü-]{1,12}", 1..4), ca in any::<bool>(), spaces in prop::option::of("[a-z@, ]{0,12}"), after in prop::option::of(0_u64..4_000_000_000), comment in "[ -~]{0,20}", byte in 2_u8..0x7f) {
        let signer = AllowedSigner {
            principals: names.iter().map(|name| printable(name, 20)).collect(),
            cert_authority: ca,
            namespaces: spaces.map(|all| all.split(',').map(str::to_owned).collect()),
            valid_after: after,
            valid_before: after.map(|second| second + 1),
            key: ed25519(&[byte; 32]).unwrap(),
            comment: printable(&comment, 20),
        };
        let writable = signer.principals.iter().all(|name| !name.is_empty());
        let printed = print_signers(std::slice::from_ref(&signer));
        if let Ok(printed) = printed {
            prop_assert_eq!(parse_signers(&printed), (vec![signer], Vec::new()), "{}", printed);
        } else {
            prop_assert!(!writable || signer.namespaces.is_some());
        }
    }
}
