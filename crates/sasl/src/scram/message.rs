//! The four messages of SCRAM (RFC 5802 §7), read strictly: attributes in their order, no mandatory extension, base64
//! with its padding. Optional extensions at the end of client-first and server-first are skipped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{ITERATIONS_MAX, SALT_OCTETS_MAX};

/// Longest nonce of one side, in octets.
pub const NONCE_OCTETS_MAX: usize = 256;

/// What a client says about channel binding (gs2-cbind-flag).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding<'a> {
    /// `n`: the client cannot.
    Unsupported,
    /// `y`: the client can, and saw no -PLUS offered.
    NotOffered,
    /// `p=`: the client does, by this type.
    Used(&'a str),
}

/// client-first-message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst<'a> {
    /// What the client says about channel binding.
    pub binding: Binding<'a>,
    /// The identity to act as, decoded; empty if none was given.
    pub authzid: String,
    /// The login, decoded.
    pub login: String,
    /// The client's nonce.
    pub nonce: &'a str,
    /// The gs2-header with both its commas, as sent.
    pub gs2_header: &'a str,
    /// client-first-message-bare, as sent.
    pub bare: &'a str,
}

impl<'a> ClientFirst<'a> {
    /// Reads the message.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let message = str::from_utf8(message).ok()?;
        let (flag, rest) = message.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let binding = match flag {
            "n" => Binding::Unsupported,
            "y" => Binding::NotOffered,
            _ => Binding::Used(flag.strip_prefix("p=").filter(|name| is_binding_name(name))?),
        };
        let authzid = match authzid {
            "" => String::new(),
            _ => decode_name(authzid.strip_prefix("a=")?)?,
        };
        let mut attributes = bare.split(',');
        let login = decode_name(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=").filter(|nonce| is_nonce(nonce))?;
        let gs2_header = &message[..message.len() - bare.len()];
        attributes.all(is_extension).then_some(Self { binding, authzid, login, nonce, gs2_header, bare })
    }
}

/// server-first-message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFirst<'a> {
    /// Both nonces, the client's first.
    pub nonce: &'a str,
    /// The salt, decoded.
    pub salt: Vec<u8>,
    /// The iterations.
    pub iterations: u32,
}

impl<'a> ServerFirst<'a> {
    /// Reads the message.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let message = str::from_utf8(message).ok()?;
        let mut attributes = message.split(',');
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let salt = salt(attributes.next()?.strip_prefix("s=")?)?;
        let iterations = iterations(attributes.next()?.strip_prefix("i=")?)?;
        attributes.all(is_extension).then_some(Self { nonce, salt, iterations })
    }
}

/// client-final-message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFinal<'a> {
    /// gs2-header and channel-binding data, decoded.
    pub channel_binding: Vec<u8>,
    /// Both nonces.
    pub nonce: &'a str,
    /// ClientProof, decoded.
    pub proof: [u8; 32],
    /// client-final-message-without-proof, as sent.
    pub without_proof: &'a str,
}

impl<'a> ClientFinal<'a> {
    /// Reads the message.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let message = str::from_utf8(message).ok()?;
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let proof = STANDARD.decode(proof).ok()?.try_into().ok()?;
        let mut attributes = without_proof.split(',');
        let channel_binding = STANDARD.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        attributes.all(is_extension).then_some(Self { channel_binding, nonce, proof, without_proof })
    }
}

/// server-final-message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFinal<'a> {
    /// `v=`: ServerSignature.
    Verifier([u8; 32]),
    /// `e=`: the server's reason.
    Error(&'a str),
}

impl<'a> ServerFinal<'a> {
    /// Reads the message.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let message = str::from_utf8(message).ok()?;
        let (first, extensions) = message.split_once(',').map_or((message, None), |(first, rest)| (first, Some(rest)));
        if !extensions.is_none_or(|rest| rest.split(',').all(is_extension)) {
            return None;
        }
        if let Some(reason) = first.strip_prefix("e=") {
            return Some(Self::Error(reason));
        }
        let verifier = STANDARD.decode(first.strip_prefix("v=")?).ok()?;
        Some(Self::Verifier(verifier.try_into().ok()?))
    }
}

/// Writes a name as saslname: `,` and `=` escaped (RFC 5802 §5.1).
pub fn encode_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// Reads a saslname; `None` on any other use of `=`, on NUL and on nothing at all.
pub fn decode_name(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (letter, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        name.push(letter);
        name.push_str(rest);
    }
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

pub(super) fn iterations(text: &str) -> Option<u32> {
    let digits_only = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|count| digits_only && (1..=ITERATIONS_MAX).contains(count))
}

pub(super) fn salt(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|salt| (1..=SALT_OCTETS_MAX).contains(&salt.len()))
}

/// Printable ASCII but the comma (RFC 5802 §7), bounded.
fn is_nonce(text: &str) -> bool {
    (1..=NONCE_OCTETS_MAX).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b',')
}

fn is_binding_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'))
}

/// `ALPHA "=" 1*value-char`, but not `m`, which would be mandatory to understand.
fn is_extension(attribute: &str) -> bool {
    match attribute.as_bytes() {
        [name, b'=', value @ ..] => {
            name.is_ascii_alphabetic() && *name != b'm' && !value.is_empty() && !value.contains(&0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Binding, ClientFinal, ClientFirst, ServerFinal, ServerFirst, decode_name, encode_name};

    #[test]
    fn client_first() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=b=2Cc,n=us=3Der,r=abc,x=ext").unwrap();
        assert_eq!(first.binding, Binding::Used("tls-exporter"));
        assert_eq!((&*first.authzid, &*first.login, first.nonce), ("b,c", "us=er", "abc"));
        assert_eq!(first.gs2_header, "p=tls-exporter,a=b=2Cc,");
        assert_eq!(first.bare, "n=us=3Der,r=abc,x=ext");
        assert_eq!(ClientFirst::parse(b"y,,n=u,r=a").unwrap().binding, Binding::NotOffered);
        for bad in [
            &b""[..],
            b"n",
            b"n,",
            b"n,,",
            b"n,,n=u",
            b"n,,n=u,r=",
            b"n,,n=,r=a",
            b"n,,r=a,n=u",
            b"n,,m=x,n=u,r=a",
            b"n,,n=u,r=a,m=x",
            b"n,,n=u,r=a,",
            b"n,,n=u=2c,r=a",
            b"n,,n=u=,r=a",
            b"n,,n=u,r=a b",
            b"n,b,n=u,r=a",
            b"n,a=,n=u,r=a",
            b"p=,,n=u,r=a",
            b"p=tls exporter,,n=u,r=a",
            b"P=tls-exporter,,n=u,r=a",
            b"x,,n=u,r=a",
            b"n,,n=\xff,r=a",
        ] {
            assert_eq!(ClientFirst::parse(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn server_first() {
        let first = ServerFirst::parse(b"r=ab,s=AAE=,i=4096,x=y").unwrap();
        assert_eq!((first.nonce, &first.salt[..], first.iterations), ("ab", &[0, 1][..], 4096));
        for bad in
            [&b"r=ab,s=,i=1"[..], b"r=ab,s=AAE=,i=0", b"r=ab,s=AAE=,i=-1", b"r=ab,s=AAE=,i=9999999", b"r=ab,s=AAE="]
        {
            assert_eq!(ServerFirst::parse(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn finals() {
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let message = format!("c=biws,r=ab,p={proof}");
        let read = ClientFinal::parse(message.as_bytes()).unwrap();
        assert_eq!((&read.channel_binding[..], read.nonce, read.without_proof), (&b"n,,"[..], "ab", "c=biws,r=ab"));
        for bad in [
            format!("c=biws,p={proof}"),
            format!("r=ab,c=biws,p={proof}"),
            "c=biws,r=ab,p=AA==".into(),
            format!("{message},x=y"),
        ] {
            assert_eq!(ClientFinal::parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(matches!(ServerFinal::parse(format!("v={proof}").as_bytes()), Some(ServerFinal::Verifier(_))));
        assert_eq!(ServerFinal::parse(b"e=invalid-proof"), Some(ServerFinal::Error("invalid-proof")));
        for bad in [&b""[..], b"v=", b"v=AA==", b"x=1", b"e=no,"] {
            assert_eq!(ServerFinal::parse(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn names_there_and_back() {
        for name in ["user", "a,b", "a=b", "=2C", "利用者", ",=,="] {
            assert_eq!(decode_name(&encode_name(name)).as_deref(), Some(name));
        }
    }
}
