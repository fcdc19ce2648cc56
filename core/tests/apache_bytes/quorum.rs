//! Every packet and election message of the captured ensembles decodes, and encodes to the same bytes again.

use crate::vectors;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};
use zebu_core::config::Ensemble;
use zebu_core::disk::body::BodyReader;
use zebu_core::wire::client::Request;
use zebu_core::wire::frame::split_frame;
use zebu_core::wire::jute::Fault;
use zebu_core::wire::notification::{InitialMessage, MAX_MESSAGE, Notification};
use zebu_core::wire::op::OpCode;
use zebu_core::wire::peer::{Limits, PacketDecoder, PeerMsg, Sender};
use zebu_core::wire::txn::{Txn, TxnBody, TxnHeader};

/// One packet of a capture; a SNAP with its body.
struct Packet {
    scenario: String,
    /// From and to; a learner without an id is -1.
    way: (i64, i64),
    sender: Sender,
    name: String,
    bytes: Vec<u8>,
}

fn sender_of(name: &str) -> Option<Sender> {
    Some(match name {
        "FOLLOWERINFO" | "OBSERVERINFO" | "ACKEPOCH" | "ACK" | "REQUEST" => Sender::Learner,
        "PING" | "REVALIDATE" | "SYNC" | "77" => return None,
        _ => Sender::Leader,
    })
}

fn packets() -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    for file in vectors::files("quorum") {
        let capture = vectors::json(&file);
        let scenario = file.file_stem().unwrap().to_str().unwrap().to_string();
        let mut senders = BTreeMap::new();
        for event in capture["events"].as_array().unwrap() {
            let name = event["type"].as_str().unwrap();
            let way = (event["from"].as_i64().unwrap_or(-1), event["to"].as_i64().unwrap_or(-1));
            if event["channel"] != "quorum" || matches!(name, "(FIN)" | "(RST)") {
                continue;
            }
            let bytes = vectors::hex(&event["hex"]);
            if name == "(SNAP body)" {
                let snap = packets.iter_mut().rev().find(|p| p.way == way && p.scenario == scenario).unwrap();
                assert_eq!(snap.name, "SNAP");
                snap.bytes.extend(bytes);
                continue;
            }
            // A capture may begin in the middle of a connection: then by whether a PING has data.
            let ping = if bytes[12..16] == [0xff; 4] { Sender::Leader } else { Sender::Learner };
            let sender = sender_of(name).unwrap_or_else(|| *senders.get(&way).unwrap_or(&ping));
            let other = if sender == Sender::Leader { Sender::Learner } else { Sender::Leader };
            senders.insert(way, sender);
            senders.insert((way.1, way.0), other);
            packets.push(Packet { scenario: scenario.clone(), way, sender, name: name.to_string(), bytes });
        }
    }
    packets
}

/// Why a packet's bytes can't come out as they went in, if so: what is lost is of no use to anybody.
fn loss(packet: &Packet, message: &PeerMsg) -> Option<&'static str> {
    match message {
        PeerMsg::Unknown { .. } => Some("ignored, with its data"),
        PeerMsg::FollowerInfo { .. } if packet.bytes.len() < 40 => Some("without configuration version"),
        PeerMsg::Sync if packet.sender == Sender::Learner => Some("made up, with another zxid than Apache's"),
        PeerMsg::Pong { .. } if packet.bytes[12..16] == [0xff; 4] => Some("null for an empty table"),
        _ => None,
    }
}

#[test]
fn every_packet_decodes_and_encodes() {
    let mut names = BTreeMap::new();
    let mut losses = BTreeMap::new();
    for packet in packets() {
        let about = format!("{} {:?} {}", packet.scenario, packet.way, packet.name);
        let mut decoder = PacketDecoder::new(packet.sender, Limits::default());
        let mut buf = BytesMut::from(&packet.bytes[..]);
        let message = match decoder.next(&mut buf) {
            Ok(Some(message)) => message,
            Err(e) if matches!(e.fault, Fault::TooOld(0 | 8)) => continue,
            other => panic!("{about}: {other:?}"),
        };
        assert!(buf.is_empty(), "{about}");
        let mut out = BytesMut::new();
        message.encode(&mut out);
        match loss(&packet, &message) {
            None => assert_eq!(out, packet.bytes, "{about}"),
            Some(why) => *losses.entry(why).or_insert(0) += 1,
        }
        let expected = match (message.name(), &message) {
            ("PONG", _) => "PING",
            (_, PeerMsg::Unknown { kind: 77, .. }) => "77",
            (name, _) => name,
        };
        assert_eq!(expected, packet.name, "{about}");
        *names.entry(packet.name.clone()).or_insert(0) += 1;
        match message {
            // The hostile leader's INFORM to a follower, which ignores it.
            PeerMsg::Inform { txn, .. } if txn.is_empty() && packet.scenario == "hostile-leader" => {}
            PeerMsg::Proposal { zxid, txn }
            | PeerMsg::Inform { zxid, txn }
            | PeerMsg::InformAndActivate { zxid, txn, .. } => {
                let decoded = Txn::decode(txn.clone()).unwrap_or_else(|e| panic!("{about}: {e}"));
                assert_eq!(decoded.encode(), txn, "{about}");
                assert_eq!(TxnHeader::peek(&txn).unwrap().0.zxid, zxid, "{about}");
            }
            PeerMsg::Snap { body, .. } => {
                let mut reader = BodyReader::new(body).unwrap();
                let mut nodes = BTreeSet::new();
                while let Some(node) = reader.next_node().unwrap() {
                    nodes.insert(node.path);
                }
                assert!(nodes.contains("/zookeeper/quota"), "{about}");
            }
            _ => {}
        }
    }
    println!("{names:?}\n{losses:?}");
    assert!(names.len() == 20 && names.values().sum::<i32>() > 1000, "{names:?}");
}

#[test]
fn any_fragmentation_gives_the_same_packets() {
    let mut streams: BTreeMap<_, Vec<Packet>> = BTreeMap::new();
    for packet in packets() {
        streams.entry((packet.scenario.clone(), packet.way, packet.sender == Sender::Leader)).or_default().push(packet);
    }
    for ((scenario, way, _), packets) in streams {
        let mut want = Vec::new();
        let mut bytes = Vec::new();
        for packet in &packets {
            let mut buf = BytesMut::from(&packet.bytes[..]);
            if let Ok(message) = PacketDecoder::new(packet.sender, Limits::default()).next(&mut buf) {
                want.push(message.unwrap());
                bytes.extend_from_slice(&packet.bytes);
            }
        }
        for piece in [1, 2, 13, 14, 100, 4096, bytes.len()] {
            let Some(first) = packets.first() else { continue };
            let mut decoder = PacketDecoder::new(first.sender, Limits::default());
            let (mut buf, mut got) = (BytesMut::new(), Vec::new());
            for part in bytes.chunks(piece.max(1)) {
                buf.extend_from_slice(part);
                while let Some(message) = decoder.next(&mut buf).unwrap() {
                    got.push(message);
                }
            }
            assert!(buf.is_empty());
            assert_eq!(got, want, "{scenario} {way:?} in pieces of {piece}");
        }
    }
}

/// The hostile peers' messages that every server skips.
fn is_skipped(payload: &[u8]) -> bool {
    payload.len() < 28
        || payload[..4] == [0, 0, 0, 9]
        || (payload.len() > 44 && payload[40..44] == 5000i32.to_be_bytes())
        || payload.len() == 42
        || (payload.len() >= 44 && payload[40] == 0xff)
}

#[test]
fn every_election_message_decodes_and_encodes() {
    let (mut notifications, mut initial, mut skipped, mut other_forms) = (0, 0, 0, 0);
    for file in vectors::files("quorum") {
        let capture = vectors::json(&file);
        for event in capture["events"].as_array().unwrap() {
            if event["channel"] != "election" {
                continue;
            }
            let bytes = vectors::hex(&event["hex"]);
            match event["type"].as_str().unwrap() {
                "INITIAL" => {
                    let mut buf = BytesMut::from(&bytes[..]);
                    let message = InitialMessage::decode(&mut buf).unwrap().unwrap();
                    let mut out = BytesMut::new();
                    message.encode(&mut out);
                    assert_eq!((out, buf.len()), (BytesMut::from(&bytes[..]), 0), "{file:?}");
                    initial += 1;
                }
                "NOTIFICATION" => {
                    let mut buf = BytesMut::from(&bytes[..]);
                    let payload = split_frame(&mut buf, MAX_MESSAGE).unwrap().unwrap();
                    match Notification::decode(payload.clone()) {
                        Ok(n) if n.version == 2 => {
                            assert_eq!(n.frame(), Bytes::from(bytes), "{file:?}");
                            notifications += 1;
                        }
                        Ok(n) => {
                            assert_eq!((n.version, n.config.as_str()), (0, ""), "{file:?}");
                            assert!(payload.len() == 28 || payload.len() == 40);
                            other_forms += 1;
                        }
                        Err(e) => {
                            assert!(is_skipped(&payload), "{file:?}: {e}");
                            skipped += 1;
                        }
                    }
                }
                _ => {}
            }
        }
    }
    println!("{initial} initial, {notifications} notifications, {other_forms} of other forms, {skipped} skipped");
    assert!(initial > 80 && notifications > 290 && other_forms >= 2 && skipped >= 3);
}

/// The text of a change of members, if a packet proposes one.
fn change_of(message: &PeerMsg) -> Option<String> {
    let (PeerMsg::Proposal { txn, .. } | PeerMsg::InformAndActivate { txn, .. }) = message else { return None };
    match Txn::decode(txn.clone()).ok()?.body {
        TxnBody::SetData { reconfig: true, path, data, version: -1 } if path == "/zookeeper/config" => {
            Some(String::from_utf8(data?.to_vec()).unwrap())
        }
        _ => None,
    }
}

fn message_of(packet: &Packet) -> Option<PeerMsg> {
    PacketDecoder::new(packet.sender, Limits::default()).next(&mut BytesMut::from(&packet.bytes[..])).ok().flatten()
}

/// Every configuration that Apache's servers say is read, and printed as they print it.
#[test]
fn configurations_are_apaches() {
    let sorted = |text: &str| text.lines().map(String::from).collect::<BTreeSet<_>>();
    let (mut texts, mut versions) = (0, BTreeSet::new());
    for packet in packets() {
        let text = match message_of(&packet) {
            Some(PeerMsg::NewLeader { config, .. }) => Some(config),
            Some(message) => change_of(&message),
            None => None,
        };
        let Some(text) = text.filter(|text| text.starts_with("server.")) else { continue };
        let read = Ensemble::parse(&text).unwrap_or_else(|e| panic!("{}: {e}: {text}", packet.scenario));
        assert_eq!(sorted(&read.text()), sorted(&text), "{}", packet.scenario);
        texts += 1;
        versions.insert(read.version());
    }
    assert!(texts > 30 && versions.len() > 4, "{texts} texts, versions {versions:x?}");
}

/// A change needs nothing but the members before it and the request: the two stand in captures that follow each other.
#[test]
fn the_captured_addition_is_made_of_its_request() {
    let of = |scenario: &str| packets().into_iter().filter(|p| p.scenario == scenario).collect::<Vec<_>>();
    let before = of("reconfig-joiner").iter().find_map(|p| match message_of(p) {
        Some(PeerMsg::NewLeader { config, .. }) => Some(Ensemble::parse(&config).unwrap()),
        _ => None,
    });
    let add = of("reconfig-add");
    let request = add.iter().find_map(|p| match message_of(p) {
        Some(PeerMsg::Request(f)) => Some(Request::decode(OpCode::Reconfig, f.body).unwrap()),
        _ => None,
    });
    let (text, zxid) = add
        .iter()
        .find_map(|p| match message_of(p) {
            Some(PeerMsg::Proposal { zxid, txn }) => {
                change_of(&PeerMsg::Proposal { zxid, txn }).map(|text| (text, zxid))
            }
            _ => None,
        })
        .unwrap();
    let Some(Request::Reconfig { joining, leaving, members: None, config: -1 }) = request else {
        panic!("{request:?}")
    };
    let made = before.unwrap().changed(joining.as_deref(), leaving.as_deref()).unwrap().with_version(zxid.0);
    let sorted = |text: &str| text.lines().map(String::from).collect::<BTreeSet<_>>();
    assert_eq!(sorted(&made.text()), sorted(&text));
}
