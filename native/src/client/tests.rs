//! The client against a server of a few lines, to see what only sockets show.

use super::*;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zebu_core::error::ZkError;
use zebu_core::id::Zxid;
use zebu_core::wire::client::{ConnectRequest, ConnectResponse, RequestHeader, Response, reply_frame, xid};
use zebu_core::wire::frame::split_frame;

async fn frame(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Bytes> {
    loop {
        if let Some(frame) = split_frame(buffer, 1 << 20).unwrap() {
            return Some(frame);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Serves one connection: the session is 5, every request is answered with an empty reply, but for the first `lost`
/// ones, at which the connection is closed.
async fn serve(listener: &TcpListener, lost: bool) -> ConnectRequest {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = BytesMut::new();
    let hello = ConnectRequest::decode(frame(&mut stream, &mut buffer).await.unwrap()).unwrap();
    let passwd = Bytes::from_static(&[1; 16]);
    let welcome = ConnectResponse { timeout_ms: 4000, session: SessionId(5), passwd, read_only: Some(false) };
    stream.write_all(&welcome.frame()).await.unwrap();
    while let Some(payload) = frame(&mut stream, &mut buffer).await {
        let (header, _) = RequestHeader::decode(payload).unwrap();
        if lost && header.xid > 0 {
            break;
        }
        stream.write_all(&reply_frame(header.xid, Zxid(1), &Ok(Response::Empty))).await.unwrap();
    }
    hello
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn options(to: &str) -> Options {
    Options {
        to: to.parse().unwrap(),
        timeout: Duration::from_secs(4),
        read_only: false,
        credentials: Vec::new(),
        sasl: None,
        tls: None,
    }
}

fn delete() -> Request {
    Request::Delete { path: "/a".into(), version: -1 }
}

#[tokio::test]
async fn a_session_goes_on_at_another_server() {
    let ((first, one), (second, two)) = (listen().await, listen().await);
    let (client, mut events) = start(options(&format!("{one},{two}")));
    let server = async {
        let mut hellos = Vec::new();
        // Whichever is dialed first loses the request.
        tokio::select! {
            hello = serve(&first, true) => { hellos.push(hello); hellos.push(serve(&second, false).await); }
            hello = serve(&second, true) => { hellos.push(hello); hellos.push(serve(&first, false).await); }
        }
        hellos
    };
    let asking = async move {
        assert_eq!(client.request(delete()).await, Err(RequestError::Lost));
        assert_eq!(client.request(delete()).await, Ok((Zxid(1), Response::Empty)));
        assert_eq!(client.status().session, Some(SessionId(5)));
        client.close(Duration::from_secs(5)).await;
        assert_eq!(client.status().standing, Standing::Closed);
        assert_eq!(client.request(delete()).await, Err(RequestError::Over(Ending::Closed)));
    };
    let (hellos, ()) = tokio::join!(server, asking);
    assert_eq!(hellos.iter().map(|hello| hello.session.0).collect::<Vec<_>>(), [0, 5]);
    let mut seen = Vec::new();
    while let Some(event) = events.recv().await {
        seen.push(match event {
            ClientEvent::Connected { fresh: true, .. } => "opened",
            ClientEvent::Connected { fresh: false, .. } => "resumed",
            ClientEvent::Disconnected => "lost",
            ClientEvent::Over(Ending::Closed) => "closed",
            _ => "other",
        });
    }
    assert_eq!(seen, ["opened", "lost", "resumed", "closed"]);
}

#[tokio::test]
async fn authentication_is_answered() {
    let (listener, address) = listen().await;
    let (client, _events) = start(options(&address));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = BytesMut::new();
        frame(&mut stream, &mut buffer).await.unwrap();
        let passwd = Bytes::from_static(&[1; 16]);
        let welcome = ConnectResponse { timeout_ms: 4000, session: SessionId(5), passwd, read_only: Some(false) };
        stream.write_all(&welcome.frame()).await.unwrap();
        for outcome in [Ok(Response::Empty), Ok(Response::Empty), Err(ZkError::AuthFailed)] {
            let (header, _) = RequestHeader::decode(frame(&mut stream, &mut buffer).await.unwrap()).unwrap();
            stream.write_all(&reply_frame(header.xid, Zxid(0), &outcome)).await.unwrap();
            if outcome.is_err() {
                assert_eq!(header.xid, xid::AUTH);
            }
        }
    };
    let asking = async {
        client.request(delete()).await.unwrap();
        let credential = |text: &'static str| Credential { scheme: "digest".into(), auth: Some(text.into()) };
        assert_eq!(client.authenticate(credential("a:b")).await, Ok(()));
        let refused = RequestError::Over(Ending::AuthFailed);
        assert_eq!(client.authenticate(credential("c:d")).await, Err(refused));
        assert_eq!(client.request(delete()).await, Err(refused));
    };
    tokio::join!(server, asking);
}

#[tokio::test]
async fn where_nobody_listens_it_is_said_why() {
    let (listener, address) = listen().await;
    drop(listener);
    let (client, _events) = start(options(&address));
    assert_eq!(client.request(delete()).await, Err(RequestError::NotServed));
    let troubles = client.status().troubles;
    assert!(troubles.len() == 1 && troubles[0].contains(&address) && troubles[0].contains("refused"), "{troubles:?}");
}
