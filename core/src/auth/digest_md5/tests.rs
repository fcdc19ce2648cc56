use super::*;
use crate::collections::BTreeMap;
use crate::config::Secret;
use alloc::string::ToString;
use bytes::Bytes;

/// What Debian's ZooKeeper 3.8.0 said to a client in `sasl_digest_md5_1` and `_2` of the vectors.
const NONCE: &str = "K0wgV6iZuwHGvbFAsEkBOQLepUklI7nW+eQ484H0";
const CHALLENGE: &str =
    "realm=\"zk-sasl-md5\",nonce=\"K0wgV6iZuwHGvbFAsEkBOQLepUklI7nW+eQ484H0\",charset=utf-8,algorithm=md5-sess";
const ANSWER: &str = "charset=utf-8,username=\"bob\",realm=\"zk-sasl-md5\",\
                      nonce=\"K0wgV6iZuwHGvbFAsEkBOQLepUklI7nW+eQ484H0\",nc=00000001,cnonce=\"abcdefcnonce\",\
                      digest-uri=\"zookeeper/zk-sasl-md5\",maxbuf=65536,response=d51fb029d590a7bac82d7c0e54bd41c4,\
                      qop=auth";
const RSPAUTH: &str = "rspauth=4341229d4f822cffd1a366a641e2a39a";

fn nonce() -> [u8; NONCE_SIZE] {
    use base64ct::{Base64, Encoding as _};
    let mut bytes = [0; NONCE_SIZE];
    Base64::decode(NONCE, &mut bytes).expect("Base64");
    bytes
}

fn users() -> BTreeMap<String, Secret> {
    [("bob", "bobsecret"), ("\u{e4}\"\\", "\u{20ac}")]
        .map(|(user, password)| (user.to_string(), Secret::new(password)))
        .into()
}

fn asked() -> Server {
    let mut server = Server::new(&nonce());
    let reply = server.respond(&users(), b"").expect("the first token is empty");
    assert_eq!(reply, Reply { token: CHALLENGE.into(), user: None });
    server
}

#[test]
fn the_example_of_the_rfc() {
    let secrets = Secrets {
        user: "chris",
        realm: "elwood.innosoft.com",
        password: "secret",
        nonce: b"OA6MG9tEQGm2hh",
        cnonce: b"OA6MHXh6VqTrRk",
        authzid: None,
        uri: b"imap/elwood.innosoft.com",
    };
    assert_eq!(secrets.response(), "d388dad90d4bbd760a152321f2143af7");
    assert_eq!(secrets.rspauth(), "ea40f60335c427b5527b84dbabcdfffd");
}

#[test]
fn an_exchange_with_apaches_server() {
    let mut server = asked();
    let reply = server.respond(&users(), ANSWER.as_bytes()).expect("the right password");
    assert_eq!(reply, Reply { token: RSPAUTH.into(), user: Some("bob".into()) });
    assert_eq!(server.respond(&users(), ANSWER.as_bytes()), Err(Failure::OutOfTurn), "once only");

    let mut client = Client::new("bob", Secret::new("bobsecret"), "abcdefcnonce");
    assert_eq!(client.respond(CHALLENGE.as_bytes()), Ok(Some(Bytes::from(ANSWER))));
    assert_eq!(client.respond(RSPAUTH.as_bytes()), Ok(None));
    assert_eq!(client.respond(RSPAUTH.as_bytes()), Err(Failure::OutOfTurn));
}

#[test]
fn both_sides_understand_each_other() {
    for user in users().keys() {
        let (mut server, mut client) = (asked(), Client::new(user.as_str(), users()[user].clone(), "c\"n\\once"));
        let answer = client.respond(CHALLENGE.as_bytes()).expect("asked rightly").expect("an answer");
        let reply = server.respond(&users(), &answer).expect("the right password");
        assert_eq!((reply.user.as_ref(), client.respond(&reply.token)), (Some(user), Ok(None)));
    }
}

#[test]
fn what_the_server_refuses() {
    let with = |from: &str, to: &str| ANSWER.replace(from, to);
    for (token, failure) in [
        (String::new(), Failure::Missing("username")),
        ("x".repeat(4097), Failure::TooLong(4097)),
        ("nonsense".into(), Failure::Malformed),
        (with("utf-8", "latin"), Failure::Wrong("charset")),
        (with("65536", "much"), Failure::Wrong("maxbuf")),
        (with("username=\"bob\",", ""), Failure::Missing("username")),
        (with("\"bob\"", "\"eve\""), Failure::UnknownUser("eve".into())),
        (with("realm=\"zk-sasl-md5\"", "realm=\"other\""), Failure::Wrong("realm")),
        (with("realm=\"zk-sasl-md5\",", ""), Failure::Wrong("realm")),
        (with("K0wg", "k0wg"), Failure::Wrong("nonce")),
        (with("cnonce=\"abcdefcnonce\",", ""), Failure::Missing("cnonce")),
        (with("00000001", "00000002"), Failure::Wrong("nc")),
        (with("qop=auth", "qop=auth-conf"), Failure::Wrong("qop")),
        (with("zookeeper/", "imap/"), Failure::Wrong("digest-uri")),
        (with("d51f", "d52f"), Failure::WrongPassword("bob".into())),
        (with("qop=auth", "qop=auth,authzid=\"root\""), Failure::WrongPassword("bob".into())),
        (with("qop=auth", "qop=auth,nc=00000001"), Failure::Repeated("nc")),
    ] {
        let mut server = asked();
        assert_eq!(server.respond(&users(), token.as_bytes()), Err(failure), "{token}");
        assert_eq!(server.respond(&users(), b""), Err(Failure::OutOfTurn), "there is no second try");
    }
    assert_eq!(Server::new(&nonce()).respond(&users(), b"x"), Err(Failure::OutOfTurn), "the first token is empty");
}

#[test]
fn one_is_whose_password_one_knows() {
    let secrets = Secrets {
        user: "bob",
        realm: REALM,
        password: "bobsecret",
        nonce: NONCE.as_bytes(),
        cnonce: b"abcdefcnonce",
        authzid: Some(b"root"),
        uri: b"ZooKeeper/zk-sasl-md5",
    };
    let answer = ANSWER
        .replace("zookeeper/", "ZooKeeper/")
        .replace("d51fb029d590a7bac82d7c0e54bd41c4", &secrets.response())
        .replace("qop=auth", "authzid=\"root\"");
    let reply = asked().respond(&users(), answer.as_bytes()).expect("the right password");
    assert_eq!(reply.user.as_deref(), Some("bob"));
}

#[test]
fn what_the_client_refuses() {
    for (challenge, failure) in [
        ("algorithm=md5-sess", Failure::Missing("nonce")),
        ("nonce=x", Failure::Missing("algorithm")),
        ("nonce=x,algorithm=md5", Failure::Wrong("algorithm")),
        ("nonce=x,algorithm=md5-sess,qop=\"auth-int,auth-conf\"", Failure::Wrong("qop")),
        ("nonce=x,algorithm=md5-sess,charset=latin1", Failure::Wrong("charset")),
    ] {
        let mut client = Client::new("bob", Secret::new("bobsecret"), "c");
        assert_eq!(client.respond(challenge.as_bytes()), Err(failure), "{challenge}");
    }
    let mut client = Client::new("bob", Secret::new("other"), "abcdefcnonce");
    assert!(client.respond(CHALLENGE.as_bytes()).is_ok());
    assert_eq!(client.respond(RSPAUTH.as_bytes()), Err(Failure::Impostor));
}
