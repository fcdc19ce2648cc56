//! `cons` and `crst`.

use super::push;
use crate::operator::Operator;
use crate::operator::connections::Connection;
use zebu_core::id::LinkId;

/// Who is connected, with all that is known.
pub fn cons(operator: &Operator, asking: LinkId) -> String {
    let mut out = String::new();
    for connection in operator.connections(Some(asking)) {
        full(&mut out, &connection);
    }
    out + "\n"
}

/// Begins to count anew what connections do.
pub fn reset(operator: &Operator) -> String {
    operator.reset_connections();
    "Connection stats reset.\n".into()
}

/// ` /ip:port[ops](queued=n,recved=n,sent=n)`
pub fn brief(out: &mut String, c: &Connection) {
    push(
        out,
        format_args!(
            " /{}[{:x}](queued={},recved={},sent={})",
            c.remote, c.interest, c.queued, c.told.received, c.told.sent
        ),
    );
}

/// The brief form, with its session's behind it where there is one.
fn full(out: &mut String, c: &Connection) {
    brief(out, c);
    if let Some(session) = c.session {
        out.pop();
        push(out, format_args!(",sid={session},lop={},est={},to={},", c.told.last_op, c.established, c.told.timeout));
        if c.told.last_cxid >= 0 {
            push(out, format_args!("lcxid=0x{:x},", c.told.last_cxid));
        }
        push(
            out,
            format_args!(
                "lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={})",
                c.told.last_zxid,
                c.told.last_response,
                c.told.last_latency,
                c.told.min_latency,
                c.told.avg_latency,
                c.told.max_latency,
            ),
        );
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::link_stats::LinkTold;
    use std::net::SocketAddr;
    use zebu_core::id::SessionId;

    #[test]
    fn as_apache_writes_it() {
        let told = LinkTold {
            received: 6,
            sent: 6,
            timeout: 20000,
            last_op: "ADDW",
            last_cxid: 5,
            last_zxid: 0x4f4,
            last_response: 5_354_858,
            last_latency: 0,
            min_latency: 0,
            avg_latency: 0,
            max_latency: 1,
        };
        let connection = Connection {
            secure: false,
            remote: SocketAddr::from(([127, 0, 0, 1], 50684)),
            interest: 1,
            queued: 0,
            session: Some(SessionId(0x0100_003c_c7b3_00c0)),
            established: 1_795_416_297_680,
            told,
            expires: 0,
        };
        let text = |connection: Connection| {
            let mut out = String::new();
            full(&mut out, &connection);
            out
        };
        assert_eq!(
            text(connection),
            " /127.0.0.1:50684[1](queued=0,recved=6,sent=6,sid=0x100003cc7b300c0,lop=ADDW,est=1795416297680,to=20000,\
             lcxid=0x5,lzxid=0x4f4,lresp=5354858,llat=0,minlat=0,avglat=0,maxlat=1)\n"
        );
        let reset = LinkTold { received: 0, sent: 0, last_op: "NA", last_cxid: -1, last_zxid: -1, ..told };
        let reset = LinkTold { last_response: 0, max_latency: 0, ..reset };
        assert_eq!(
            text(Connection { told: reset, ..connection }),
            " /127.0.0.1:50684[1](queued=0,recved=0,sent=0,sid=0x100003cc7b300c0,lop=NA,est=1795416297680,to=20000,\
             lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)\n"
        );
        let asking = Connection { interest: 0, session: None, told: LinkTold { received: 1, ..reset }, ..connection };
        assert_eq!(text(asking), " /127.0.0.1:50684[0](queued=0,recved=1,sent=0)\n");
    }
}
