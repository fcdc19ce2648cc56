//! `conf` and `dirs`.

use super::push;
use crate::operator::Operator;
use crate::operator::configuration::Configuration;

/// What the server was told. Of a member of an ensemble the answer ends without a newline.
pub fn conf(c: &Configuration) -> String {
    let mut out = format!(
        "clientPort={}\nsecureClientPort={}\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\ntickTime={}\n\
         maxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
        c.client_port.map_or(-1, i32::from),
        c.secure_client_port.map_or(-1, i32::from),
        c.data_dir.display(),
        c.data_size,
        c.log_dir.display(),
        c.log_size,
        c.tick_ms,
        c.max_client_cnxns,
        c.min_session_ms,
        c.max_session_ms,
        c.backlog,
        c.server_id,
    );
    if let Some(q) = &c.quorum {
        push(
            &mut out,
            format_args!(
                "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={}\nmembership: \n{}",
                q.init_limit, q.sync_limit, q.election_port, q.quorum_port, q.peer_type, q.membership,
            ),
        );
    }
    out
}

/// How much room the files take.
pub fn dirs(operator: &Operator) -> String {
    let (data, log) = operator.folder_sizes();
    format!("datadir_size: {data}\nlogdir_size: {log}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::configuration::QuorumConfiguration;

    #[test]
    fn as_apache_writes_it() {
        let configuration = Configuration {
            client_port: Some(23191),
            secure_client_port: None,
            data_dir: "DATADIR/version-2".into(),
            data_size: 66245,
            log_dir: "DATADIR/version-2".into(),
            log_size: 66245,
            tick_ms: 2000,
            max_client_cnxns: 0,
            min_session_ms: 4000,
            max_session_ms: 40000,
            backlog: -1,
            server_id: 1,
            quorum: Some(QuorumConfiguration {
                init_limit: 10,
                sync_limit: 5,
                election_port: 23381,
                quorum_port: 23281,
                peer_type: 0,
                membership: "server.1=127.0.0.1:23281:23381:participant\nversion=0".into(),
            }),
        };
        let head = "clientPort=23191\nsecureClientPort=-1\ndataDir=DATADIR/version-2\ndataDirSize=66245\n\
                    dataLogDir=DATADIR/version-2\ndataLogSize=66245\ntickTime=2000\nmaxClientCnxns=0\n\
                    minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\n";
        let rest = "serverId=1\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=23381\nquorumPort=23281\n\
                    peerType=0\nmembership: \nserver.1=127.0.0.1:23281:23381:participant\nversion=0";
        assert_eq!(conf(&configuration), format!("{head}{rest}"));
        let alone = Configuration { quorum: None, server_id: 0, ..configuration };
        assert_eq!(conf(&alone), format!("{head}serverId=0\n"));
        let secure = Configuration { client_port: None, secure_client_port: Some(23192), ..alone };
        assert!(conf(&secure).starts_with("clientPort=-1\nsecureClientPort=23192\n"));
    }
}
