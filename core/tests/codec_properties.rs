//! What is encoded decodes to the same, and no bytes whatever make a decoder panic or believe a length.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use zebu_core::disk::body::{BodyReader, BodyScanner, BodyWriter, NodeSink, OPEN_ACL_KEY, StatPersisted};
use zebu_core::disk::snapshot::{Snapshot, SnapshotDigest, SnapshotWriter};
use zebu_core::disk::txn_log::{LogEnd, LogScanner, put_header, put_record};
use zebu_core::disk::{epoch_file, names};
use zebu_core::id::{Epoch, ServerId, SessionId, Zxid};
use zebu_core::wire::client::{
    AddWatchMode, AuthInfo, ConnectRequest, ConnectResponse, EventKind, OpResult, ReplyHeader, Request, RequestHeader,
    Response, WatchLists, WatchType, WatcherEvent, event_frame, reply_frame, request_frame,
};
use zebu_core::wire::frame::split_frame;
use zebu_core::wire::jute::MAX_FRAME;
use zebu_core::wire::notification::{InitialMessage, Notification};
use zebu_core::wire::op::OpCode;
use zebu_core::wire::peer::{Forwarded, LearnerInfo, Limits, PacketDecoder, PeerMsg, Sender};
use zebu_core::wire::record::{Acl, Id, SessionEntry, Stat};
use zebu_core::wire::txn::{Txn, TxnBody, TxnDigest, TxnHeader};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/]{0,12}", ".{0,6}"]
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    option::of(vec(any::<u8>(), 0..40).prop_map(Bytes::from))
}

fn blob() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..60).prop_map(Bytes::from)
}

fn zxid() -> impl Strategy<Value = Zxid> {
    any::<i64>().prop_map(Zxid)
}

fn id() -> impl Strategy<Value = Id> {
    (text(), text()).prop_map(|(scheme, id)| Id { scheme, id })
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    vec((any::<i32>(), id()).prop_map(|(perms, id)| Acl { perms, id }), 0..4)
}

fn stat() -> impl Strategy<Value = Stat> {
    (any::<[i64; 6]>(), any::<[i32; 5]>()).prop_map(|(longs, ints)| Stat {
        czxid: Zxid(longs[0]),
        mzxid: Zxid(longs[1]),
        ctime: longs[2],
        mtime: longs[3],
        version: ints[0],
        cversion: ints[1],
        aversion: ints[2],
        ephemeral_owner: longs[4],
        data_length: ints[3],
        num_children: ints[4],
        pzxid: Zxid(longs[5]),
    })
}

fn stat_persisted() -> impl Strategy<Value = StatPersisted> {
    stat().prop_map(|s| StatPersisted {
        czxid: s.czxid,
        mzxid: s.mzxid,
        ctime: s.ctime,
        mtime: s.mtime,
        version: s.version,
        cversion: s.cversion,
        aversion: s.aversion,
        ephemeral_owner: s.ephemeral_owner,
        pzxid: s.pzxid,
    })
}

/// Every kind but a multi, which holds these.
fn single_txn() -> impl Strategy<Value = TxnBody> {
    let version = any::<i32>;
    prop_oneof![
        (any::<bool>(), text(), data(), acl(), any::<bool>(), version()).prop_map(
            |(v2, path, data, acl, ephemeral, parent_cversion)| TxnBody::Create {
                v2,
                path,
                data,
                acl,
                ephemeral,
                parent_cversion
            }
        ),
        (text(), data(), acl(), version()).prop_map(|(path, data, acl, parent_cversion)| TxnBody::CreateContainer {
            path,
            data,
            acl,
            parent_cversion
        }),
        (text(), data(), acl(), version(), any::<i64>()).prop_map(|(path, data, acl, parent_cversion, ttl_ms)| {
            TxnBody::CreateTtl { path, data, acl, parent_cversion, ttl_ms }
        }),
        (any::<bool>(), text()).prop_map(|(container, path)| TxnBody::Delete { container, path }),
        (any::<bool>(), text(), data(), version()).prop_map(|(reconfig, path, data, version)| TxnBody::SetData {
            reconfig,
            path,
            data,
            version
        }),
        (text(), acl(), version()).prop_map(|(path, acl, version)| TxnBody::SetAcl { path, acl, version }),
        (text(), version()).prop_map(|(path, version)| TxnBody::Check { path, version }),
        version().prop_map(|timeout_ms| TxnBody::CreateSession { timeout_ms }),
        option::of(vec("/[a-z]{1,9}", 0..4)).prop_map(|paths| TxnBody::CloseSession { paths }),
        version().prop_map(|code| TxnBody::Error { code }),
    ]
}

fn txn() -> impl Strategy<Value = Txn> {
    let body = prop_oneof![4 => single_txn(), 1 => vec(single_txn(), 0..5).prop_map(|txns| TxnBody::Multi { txns })];
    let digest = option::of(any::<i64>().prop_map(|tree| TxnDigest { version: 2, tree }));
    (any::<i64>(), any::<i32>(), zxid(), any::<i64>(), body, digest).prop_map(
        |(session, cxid, zxid, time_ms, body, digest)| Txn {
            header: TxnHeader { session: SessionId(session), cxid, zxid, time_ms },
            body,
            digest,
        },
    )
}

fn write() -> impl Strategy<Value = Request> {
    prop_oneof![
        (0..3usize, text(), data(), acl(), any::<i32>()).prop_map(|(op, path, data, acl, flags)| {
            let op = [OpCode::Create, OpCode::Create2, OpCode::CreateContainer][op];
            Request::Create { op, path, data, acl, flags }
        }),
        (text(), data(), acl(), any::<i32>(), any::<i64>())
            .prop_map(|(path, data, acl, flags, ttl_ms)| Request::CreateTtl { path, data, acl, flags, ttl_ms }),
        (text(), any::<i32>()).prop_map(|(path, version)| Request::Delete { path, version }),
        (text(), data(), any::<i32>()).prop_map(|(path, data, version)| Request::SetData { path, data, version }),
        (text(), any::<i32>()).prop_map(|(path, version)| Request::Check { path, version }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let watched = || (text(), any::<bool>());
    let paths = || vec(text(), 0..4);
    prop_oneof![
        write(),
        vec(write(), 0..5).prop_map(|ops| Request::Multi { ops }),
        watched().prop_map(|(path, watch)| Request::Exists { path, watch }),
        watched().prop_map(|(path, watch)| Request::GetData { path, watch }),
        watched().prop_map(|(path, watch)| Request::GetChildren { path, watch }),
        watched().prop_map(|(path, watch)| Request::GetChildren2 { path, watch }),
        text().prop_map(|path| Request::GetAcl { path }),
        text().prop_map(|path| Request::Sync { path }),
        (text(), acl(), any::<i32>()).prop_map(|(path, acl, version)| Request::SetAcl { path, acl, version }),
        (text(), data()).prop_map(|(scheme, auth)| Request::Auth { scheme, auth }),
        (zxid(), paths(), paths(), paths()).prop_map(|(relative, data, exist, child)| Request::SetWatches {
            relative,
            data,
            exist,
            child
        }),
        special_request(),
        Just(Request::Ping),
        Just(Request::CloseSession),
    ]
}

fn read() -> impl Strategy<Value = Request> {
    prop_oneof![
        text().prop_map(|path| Request::GetData { path, watch: false }),
        text().prop_map(|path| Request::GetChildren { path, watch: false }),
    ]
}

fn watch_type() -> impl Strategy<Value = WatchType> {
    use WatchType::{Any, Children, Data, Persistent, PersistentRecursive};
    select(vec![Children, Data, Any, Persistent, PersistentRecursive])
}

/// What few clients ask.
fn special_request() -> impl Strategy<Value = Request> {
    let paths = || vec(text(), 0..4);
    let list = || option::of(text());
    let mode = select(vec![AddWatchMode::Persistent, AddWatchMode::PersistentRecursive]);
    prop_oneof![
        vec(read(), 0..5).prop_map(|ops| Request::MultiRead { ops }),
        data().prop_map(|token| Request::Sasl { token }),
        (list(), list(), list(), any::<i64>()).prop_map(|(joining, leaving, members, config)| Request::Reconfig {
            joining,
            leaving,
            members,
            config
        }),
        (text(), watch_type()).prop_map(|(path, kind)| Request::CheckWatches { path, kind }),
        (text(), watch_type()).prop_map(|(path, kind)| Request::RemoveWatches { path, kind }),
        list().prop_map(|prefix| Request::GetEphemerals { prefix }),
        text().prop_map(|path| Request::GetAllChildrenNumber { path }),
        (zxid(), paths(), paths(), paths(), paths(), paths()).prop_map(
            |(relative, data, exist, child, persistent, recursive)| {
                Request::SetWatches2(Box::new(WatchLists { relative, data, exist, child, persistent, recursive }))
            }
        ),
        (text(), mode).prop_map(|(path, mode)| Request::AddWatch { path, mode }),
        Just(Request::WhoAmI),
    ]
}

fn op_result() -> impl Strategy<Value = OpResult> {
    prop_oneof![
        text().prop_map(OpResult::Create),
        (text(), stat()).prop_map(|(path, stat)| OpResult::Create2(path, stat)),
        Just(OpResult::Delete),
        stat().prop_map(OpResult::SetData),
        Just(OpResult::Check),
        vec(text(), 0..5).prop_map(OpResult::Children),
        (data(), stat()).prop_map(|(data, stat)| OpResult::Data(data, stat)),
        any::<i32>().prop_map(OpResult::Error),
    ]
}

fn response() -> impl Strategy<Value = (OpCode, Response)> {
    let names = || vec(text(), 0..5);
    prop_oneof![
        Just((OpCode::Delete, Response::Empty)),
        text().prop_map(|path| (OpCode::Create, Response::Path(path))),
        (text(), stat()).prop_map(|(path, stat)| (OpCode::Create2, Response::PathStat(path, stat))),
        stat().prop_map(|stat| (OpCode::Exists, Response::Stat(stat))),
        (data(), stat()).prop_map(|(data, stat)| (OpCode::GetData, Response::Data(data, stat))),
        (acl(), stat()).prop_map(|(acl, stat)| (OpCode::GetAcl, Response::Acl(acl, stat))),
        names().prop_map(|names| (OpCode::GetChildren, Response::Children(names))),
        (names(), stat()).prop_map(|(names, stat)| (OpCode::GetChildren2, Response::Children2(names, stat))),
        vec(op_result(), 0..5).prop_map(|results| (OpCode::Multi, Response::Multi(results))),
        any::<i32>().prop_map(|number| (OpCode::GetAllChildrenNumber, Response::Number(number))),
        any::<i32>().prop_map(|code| (OpCode::AddWatch, Response::Code(code))),
        data().prop_map(|token| (OpCode::Sasl, Response::Token(token))),
        vec((text(), text()).prop_map(|(scheme, user)| AuthInfo { scheme, user }), 0..4)
            .prop_map(|list| (OpCode::WhoAmI, Response::Identities(list))),
    ]
}

fn body() -> impl Strategy<Value = Bytes> {
    let sessions = vec((any::<i64>(), any::<i32>()), 0..4);
    let acls = vec((any::<i64>(), acl()), 0..4);
    let nodes = vec(("(/[a-z]{1,5}){1,3}", data(), any::<i64>(), stat_persisted()), 0..6);
    (sessions, acls, nodes).prop_map(|(sessions, acls, nodes)| {
        let mut out = BytesMut::new();
        let sessions = sessions.into_iter().map(|(id, timeout_ms)| SessionEntry { id: SessionId(id), timeout_ms });
        let mut writer = BodyWriter::begin(&mut out, sessions, acls);
        writer.node("", None, OPEN_ACL_KEY, &StatPersisted::default());
        for (path, data, key, stat) in &nodes {
            writer.node(path, data.as_ref(), *key, stat);
        }
        writer.finish();
        out.freeze()
    })
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (0i64..=0x7fff_ffff).prop_map(Epoch)
}

fn learner_info() -> impl Strategy<Value = LearnerInfo> {
    (any::<i64>(), any::<i32>(), any::<i64>()).prop_map(|(server, protocol, config_version)| LearnerInfo {
        server: ServerId(server),
        protocol,
        config_version,
    })
}

fn from_leader() -> impl Strategy<Value = PeerMsg> {
    prop_oneof![
        (epoch(), any::<i32>()).prop_map(|(epoch, protocol)| PeerMsg::LeaderInfo { epoch, protocol }),
        zxid().prop_map(|target| PeerMsg::Diff { target }),
        zxid().prop_map(|to| PeerMsg::Trunc { to }),
        (zxid(), body()).prop_map(|(zxid, body)| PeerMsg::Snap { zxid, body }),
        (epoch(), text()).prop_map(|(epoch, config)| PeerMsg::NewLeader { epoch, config }),
        Just(PeerMsg::UpToDate),
        (zxid(), blob()).prop_map(|(zxid, txn)| PeerMsg::Proposal { zxid, txn }),
        zxid().prop_map(|zxid| PeerMsg::Commit { zxid }),
        (zxid(), blob()).prop_map(|(zxid, txn)| PeerMsg::Inform { zxid, txn }),
        zxid().prop_map(|zxid| PeerMsg::Ping { zxid }),
        (any::<i64>(), any::<bool>())
            .prop_map(|(session, valid)| PeerMsg::Revalidated { session: SessionId(session), valid }),
        Just(PeerMsg::Sync),
        (zxid(), any::<i64>()).prop_map(|(zxid, id)| PeerMsg::CommitAndActivate { zxid, designated: ServerId(id) }),
        (zxid(), any::<i64>(), blob()).prop_map(|(zxid, id, txn)| PeerMsg::InformAndActivate {
            zxid,
            designated: ServerId(id),
            txn
        }),
        (zxid(), 20..).prop_map(|(zxid, kind)| PeerMsg::Unknown { kind, zxid }),
    ]
}

fn from_learner() -> impl Strategy<Value = PeerMsg> {
    let forwarded = (any::<i64>(), any::<i32>(), any::<i32>(), blob(), vec(id(), 0..4))
        .prop_map(|(session, cxid, op, body, auth)| Forwarded { session: SessionId(session), cxid, op, body, auth });
    let touched = vec((any::<i64>().prop_map(SessionId), any::<i32>()), 0..5);
    prop_oneof![
        (epoch(), learner_info()).prop_map(|(accepted, info)| PeerMsg::FollowerInfo { accepted, info }),
        (epoch(), learner_info()).prop_map(|(accepted, info)| PeerMsg::ObserverInfo { accepted, info }),
        (zxid(), option::of(epoch())).prop_map(|(last, current)| PeerMsg::AckEpoch { last, current }),
        zxid().prop_map(|zxid| PeerMsg::Ack { zxid }),
        (zxid(), touched).prop_map(|(zxid, touched)| PeerMsg::Pong { zxid, touched }),
        forwarded.prop_map(PeerMsg::Request),
        (any::<i64>(), any::<i32>())
            .prop_map(|(session, timeout_ms)| PeerMsg::Revalidate { session: SessionId(session), timeout_ms }),
    ]
}

/// Encodes all, decodes them in pieces of `piece` bytes.
fn through_the_wire(sender: Sender, messages: &[PeerMsg], piece: usize) -> Vec<PeerMsg> {
    let mut stream = BytesMut::new();
    messages.iter().for_each(|message| message.encode(&mut stream));
    let mut decoder = PacketDecoder::new(sender, Limits::default());
    let (mut buf, mut got) = (BytesMut::new(), Vec::new());
    for part in stream.chunks(piece) {
        buf.extend_from_slice(part);
        while let Some(message) = decoder.next(&mut buf).expect("own packets") {
            got.push(message);
        }
    }
    assert!(buf.is_empty());
    got
}

fn payload(frame: Bytes) -> Bytes {
    split_frame(&mut BytesMut::from(&frame[..]), MAX_FRAME).expect("a frame").expect("a whole frame")
}

/// Every decoder over the same bytes. What they say of them does not matter, only that they say something.
fn decode_as_everything(bytes: &Bytes) {
    let all = || bytes.clone();
    for code in -20..120 {
        if let Some(op) = OpCode::from_code(code) {
            let _ = Request::decode(op, all());
            let _ = Response::decode(op, all());
        }
    }
    let _ = ConnectRequest::decode(all());
    let _ = ConnectResponse::decode(all());
    let _ = RequestHeader::decode(all());
    let _ = ReplyHeader::decode(all());
    let _ = WatcherEvent::decode(all());
    let _ = Txn::decode(all());
    let _ = TxnHeader::peek(bytes);
    let _ = Notification::decode(all());
    let _ = InitialMessage::decode(&mut BytesMut::from(&bytes[..]));
    let _ = split_frame(&mut BytesMut::from(&bytes[..]), MAX_FRAME);
    for sender in [Sender::Leader, Sender::Learner] {
        let mut decoder = PacketDecoder::new(sender, Limits { field: 100, snapshot: 500 });
        let mut buf = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = decoder.next(&mut buf) {}
    }
    let _ = BodyScanner::new(usize::MAX).scan(bytes);
    if let Ok(mut reader) = BodyReader::new(all()) {
        while let Ok(Some(_)) = reader.next_node() {}
    }
    let _ = Snapshot::open(all());
    let _ = Snapshot::open(SnapshotWriter::around(bytes, None));
    let _ = LogScanner::new(all()).finish();
    let _ = epoch_file::parse(bytes);
    let _ = names::parse(&String::from_utf8_lossy(bytes));
}

proptest! {
    #[test]
    fn transactions(txn in txn()) {
        let entry = txn.encode();
        let digest = if txn.digest.is_some() { 12 } else { 0 };
        prop_assert_eq!(entry.len(), TxnHeader::SIZE + txn.body.encoded_len() + digest);
        prop_assert_eq!(TxnHeader::peek(&entry), Ok((txn.header, txn.body.type_code())));
        prop_assert_eq!(Txn::decode(entry), Ok(txn));
    }

    #[test]
    fn requests(xid: i32, request in request()) {
        let (header, body) = RequestHeader::decode(payload(request_frame(xid, &request))).unwrap();
        prop_assert_eq!(header, RequestHeader { xid, op: request.op().code() });
        prop_assert_eq!(Request::decode(request.op(), body), Ok(request));
    }

    #[test]
    fn replies_and_events(xid: i32, zxid in zxid(), (op, response) in response(), kind in 1..5, path in text()) {
        let (header, body) = ReplyHeader::decode(payload(reply_frame(xid, zxid, &Ok(response.clone())))).unwrap();
        prop_assert_eq!(header, ReplyHeader { xid, zxid, err: 0 });
        prop_assert_eq!(Response::decode(op, body), Ok(response));
        let event = WatcherEvent { kind: EventKind::from_code(kind).unwrap(), path: path.into() };
        let (header, body) = ReplyHeader::decode(payload(event_frame(zxid, &event))).unwrap();
        prop_assert_eq!(header.xid, -1);
        prop_assert_eq!(WatcherEvent::decode(body), Ok(event));
    }

    #[test]
    fn handshakes(zxid in zxid(), timeout_ms: i32, session: i64, passwd in blob(), read_only: Option<bool>) {
        let session = SessionId(session);
        let request = ConnectRequest {
            protocol: 0, last_zxid_seen: zxid, timeout_ms, session, passwd: passwd.clone(), read_only,
        };
        prop_assert_eq!(ConnectRequest::decode(payload(request.frame())), Ok(request));
        let response = ConnectResponse { timeout_ms, session, passwd, read_only };
        prop_assert_eq!(ConnectResponse::decode(payload(response.frame())), Ok(response));
    }

    #[test]
    fn packets(leader in vec(from_leader(), 1..6), learner in vec(from_learner(), 1..6), piece in 1usize..40) {
        prop_assert_eq!(through_the_wire(Sender::Leader, &leader, piece), leader);
        prop_assert_eq!(through_the_wire(Sender::Learner, &learner, piece), learner);
    }

    #[test]
    fn snapshots(body in body(), zxid in zxid(), tree: i64, with_digest: bool) {
        let digest = Some(SnapshotDigest { zxid, version: 2, tree }).filter(|_| with_digest);
        let snapshot = Snapshot::open(SnapshotWriter::around(&body, digest)).unwrap();
        prop_assert_eq!((snapshot.body, snapshot.digest, snapshot.last_zxid), (body, digest, None));
    }

    #[test]
    fn logs(txns in vec(txn(), 0..6), padding in 0usize..2000) {
        let mut file = BytesMut::new();
        put_header(&mut file);
        let entries: Vec<_> = txns.iter().map(Txn::encode).collect();
        entries.iter().for_each(|entry| put_record(&mut file, entry));
        let at = file.len();
        file.resize(at + padding, 0);
        let mut scanner = LogScanner::new(file.freeze());
        prop_assert_eq!(scanner.by_ref().map(|record| record.entry).collect::<Vec<_>>(), entries);
        prop_assert_eq!(scanner.finish(), LogEnd::Clean { at });
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in blob()) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn nearly_right_bytes_never_panic(
        txn in txn(), request in request(), response in response(), body in body(), packet in from_learner(),
        place: prop::sample::Index, byte: u8, cut: prop::sample::Index,
    ) {
        let mut samples = vec![BytesMut::from(&txn.encode()[..]), BytesMut::from(&body[..])];
        samples.push(BytesMut::from(&SnapshotWriter::around(&body, None)[..]));
        for encode in [&|out: &mut BytesMut| request.encode(out), &|out: &mut BytesMut| response.1.encode(out),
            &|out: &mut BytesMut| packet.encode(out), &|out: &mut BytesMut| PeerMsg::Snap { zxid: Zxid(1), body: body.clone() }.encode(out),
            &|out: &mut BytesMut| { put_header(out); put_record(out, &txn.encode()); }] as [&dyn Fn(&mut BytesMut); 5] {
            let mut out = BytesMut::new();
            encode(&mut out);
            samples.push(out);
        }
        for mut sample in samples {
            if !sample.is_empty() {
                let at = place.index(sample.len());
                sample[at] = byte;
                sample.truncate(cut.index(sample.len() * 2 + 1));
            }
            decode_as_everything(&sample.freeze());
        }
    }
}

/// A peer that announces much, and one that sends small things without end: neither is let grow.
#[test]
fn limits_of_the_quorum_port() {
    let limits = Limits { field: 1000, snapshot: 2000 };
    let mut head = BytesMut::new();
    PeerMsg::Ack { zxid: Zxid(1) }.encode(&mut head);
    let with = |at: usize, bytes: &[u8]| {
        let mut packet = head[..at].to_vec();
        packet.extend_from_slice(bytes);
        packet
    };
    let endless_ids = [&i32::MAX.to_be_bytes()[..], &[0; 4000]].concat();
    let mut snap = BytesMut::new();
    PeerMsg::Snap { zxid: Zxid(1), body: Bytes::new() }.encode(&mut snap);
    let many_sessions = [&snap[..snap.len() - 14], &1000i32.to_be_bytes()].concat();
    for (name, bytes) in [
        ("data over the limit", with(12, &1001i32.to_be_bytes())),
        ("negative length", with(12, &(-2i32).to_be_bytes())),
        ("negative number of identities", with(16, &(-2i32).to_be_bytes())),
        ("identities without end", with(16, &endless_ids)),
        ("one long identity", with(16, &[1i32.to_be_bytes(), 1001i32.to_be_bytes()].concat())),
        ("a SNAP that announces too much", many_sessions),
    ] {
        let mut decoder = PacketDecoder::new(Sender::Leader, limits);
        let mut buf = BytesMut::new();
        let mut refused = None;
        for byte in bytes {
            buf.extend_from_slice(&[byte]);
            match decoder.next(&mut buf) {
                Ok(None) => {}
                Ok(Some(message)) => panic!("{name}: {message:?}"),
                Err(e) => {
                    refused = Some(e);
                    break;
                }
            }
        }
        assert!(refused.is_some() && buf.len() <= 2100, "{name}: {refused:?} after {} bytes", buf.len());
    }
}
