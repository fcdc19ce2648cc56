//! A script of the crate zookeeper-client: `zebu-compat-client HOSTS`.
//!
//! Prints `ok STEP` for each step that went as it must; the first that does not ends the program with an error.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use zookeeper_client::{
    Acl, Acls, AddWatchMode, AuthId, AuthUser, Client, CreateMode, CreateOptions, Error, EventType, MultiReadResult,
    MultiWriteError, MultiWriteResult, Permission, WatchedEvent,
};

const PATIENCE: Duration = Duration::from_secs(60);
const OPEN: Acls<'static> = Acls::anyone_all();
const PERSISTENT: CreateOptions<'static> = CreateMode::Persistent.with_acls(OPEN);
const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(OPEN);
const CONTAINER: CreateOptions<'static> = CreateMode::Container.with_acls(OPEN);

#[tokio::main]
async fn main() -> Result<()> {
    let hosts = std::env::args().nth(1).context("which hosts?")?;
    tokio::time::timeout(PATIENCE, script(&hosts)).await.context("the script hangs")?
}

async fn connect(hosts: &str) -> Result<Client> {
    Client::connector().with_session_timeout(Duration::from_secs(10)).connect(hosts).await.context("connect")
}

fn done(step: &str) {
    println!("ok {step}");
}

/// An error that must have come.
fn refused<T>(result: Result<T, Error>, wanted: Error) -> Result<()> {
    match result {
        Err(error) if error == wanted => Ok(()),
        Err(error) => anyhow::bail!("{error:?} came and not {wanted:?}"),
        Ok(_) => anyhow::bail!("{wanted:?} did not come"),
    }
}

fn is(event: &WatchedEvent, kind: EventType, path: &str) -> Result<()> {
    ensure!(event.event_type == kind && event.path == path, "{event:?} came and not {kind:?} of {path}");
    Ok(())
}

async fn script(hosts: &str) -> Result<()> {
    let one = connect(hosts).await?;
    let two = connect(hosts).await?;
    ensure!(one.session_id() != two.session_id());
    done("connect");

    let top = format!("/rust-{}", std::process::id());
    let (made, sequence) = one.create(&top, b"first", &PERSISTENT).await?;
    ensure!(made.czxid == made.mzxid && made.data_length == 5, "{made:?}");
    ensure!(sequence.into_i64() == -1);
    let (data, stat) = one.get_data(&top).await?;
    ensure!(data == b"first" && stat == made, "{stat:?}");
    refused(one.create(&top, b"", &PERSISTENT).await, Error::NodeExists)?;
    refused(one.create(&format!("{top}/none/child"), b"", &PERSISTENT).await, Error::NoNode)?;
    done("create and get");

    watches(&one, &two, &top).await?;
    kinds(&one, &top).await?;
    multi(&one, &top).await?;
    access(&one, &two, &top).await?;

    let path = format!("{top}/ephemeral");
    let (owned, _) = two.create(&path, b"", &EPHEMERAL).await?;
    ensure!(format!("{:x}", owned.ephemeral_owner) == two.session_id().to_string().trim_start_matches("0x"));
    ensure!(two.list_ephemerals(&top).await? == [path.clone()]);
    refused(two.create(&format!("{path}/child"), b"", &PERSISTENT).await, Error::NoChildrenForEphemerals)?;
    one.sync(&path).await?;
    let (_, watcher) = one.check_and_watch_stat(&path).await?;
    drop(two);
    is(&watcher.changed().await, EventType::NodeDeleted, &path)?;
    done("an ephemeral goes with its session");

    let names = one.list_children(&top).await?;
    for name in names {
        one.delete(&format!("{top}/{name}"), None).await?;
    }
    one.delete(&top, None).await?;
    ensure!(one.check_stat(&top).await?.is_none());
    drop(one);
    done("remove all and close");
    Ok(())
}

/// One-shot, persistent and recursive watches.
async fn watches(one: &Client, two: &Client, top: &str) -> Result<()> {
    let (_, _, watcher) = one.get_and_watch_data(top).await?;
    let stat = two.set_data(top, b"second", Some(0)).await?;
    ensure!(stat.version == 1);
    is(&watcher.changed().await, EventType::NodeDataChanged, top)?;
    ensure!(one.get_data(top).await?.0 == b"second");
    refused(two.set_data(top, b"third", Some(0)).await, Error::BadVersion)?;
    let (_, _, unused) = one.get_and_watch_data(top).await?;
    drop(unused);
    done("a watch of data, and its removal");

    let child = format!("{top}/child");
    let (_, _, children) = one.get_and_watch_children(top).await?;
    let (missing, created) = one.check_and_watch_stat(&child).await?;
    ensure!(missing.is_none());
    two.create(&child, b"", &PERSISTENT).await?;
    is(&created.changed().await, EventType::NodeCreated, &child)?;
    is(&children.changed().await, EventType::NodeChildrenChanged, top)?;
    let (names, stat) = one.get_children(top).await?;
    ensure!(names == ["child"] && stat.num_children == 1);
    refused(one.delete(top, None).await, Error::NotEmpty)?;
    done("watches of existence and of children");

    let mut recursive = one.watch(top, AddWatchMode::PersistentRecursive).await?;
    let mut persistent = one.watch(&child, AddWatchMode::Persistent).await?;
    two.set_data(&child, b"x", None).await?;
    two.set_data(&child, b"y", None).await?;
    two.delete(&child, None).await?;
    for kind in [EventType::NodeDataChanged, EventType::NodeDataChanged, EventType::NodeDeleted] {
        is(&recursive.changed().await, kind, &child)?;
        is(&persistent.changed().await, kind, &child)?;
    }
    drop(recursive);
    drop(persistent);
    done("persistent and recursive watches");
    Ok(())
}

/// Sequential nodes, containers, nodes with a time to live.
async fn kinds(one: &Client, top: &str) -> Result<()> {
    let options = CreateMode::PersistentSequential.with_acls(OPEN);
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let (_, sequence) = one.create(&format!("{top}/n-"), b"", &options).await?;
        numbers.push(sequence.into_i64());
    }
    ensure!(numbers == [1, 2, 3], "{numbers:?}");
    one.create(&format!("{top}/container"), b"", &CONTAINER).await?;
    let short = CreateMode::Persistent.with_acls(OPEN).with_ttl(PATIENCE);
    one.create(&format!("{top}/brief"), b"", &short).await?;
    ensure!(one.count_descendants_number(top).await? == 5);
    done("nodes of several kinds");
    Ok(())
}

/// All of several operations or none; several reads at once.
async fn multi(one: &Client, top: &str) -> Result<()> {
    let path = format!("{top}/t");
    let mut writer = one.new_multi_writer();
    writer.add_create(&path, b"", &PERSISTENT)?;
    writer.add_set_data(&path, b"x", Some(0))?;
    writer.add_check_version(&path, 1)?;
    writer.add_create(&format!("{path}/u"), b"", &PERSISTENT)?;
    writer.add_delete(&format!("{path}/u"), None)?;
    let results = writer.commit().await?;
    ensure!(matches!(&results[0], MultiWriteResult::Create { path: made, .. } if *made == path), "{results:?}");
    ensure!(results.len() == 5, "{results:?}");

    let mut failing = one.new_multi_writer();
    failing.add_create(&format!("{path}/never"), b"", &PERSISTENT)?;
    failing.add_check_version(&path, 9)?;
    let error = failing.commit().await.err().context("a failing multi went well")?;
    let wanted = MultiWriteError::OperationFailed { index: 1, source: Error::BadVersion };
    ensure!(error == wanted, "{error:?}");
    ensure!(one.check_stat(&format!("{path}/never")).await?.is_none());

    let mut reader = one.new_multi_reader();
    reader.add_get_data(&path)?;
    reader.add_get_children(&path)?;
    reader.add_get_data(&format!("{path}/never"))?;
    let results = reader.commit().await?;
    ensure!(matches!(&results[0], MultiReadResult::Data { data, .. } if data == b"x"), "{results:?}");
    ensure!(matches!(&results[1], MultiReadResult::Children { children } if children.is_empty()), "{results:?}");
    ensure!(matches!(&results[2], MultiReadResult::Error { err: Error::NoNode }), "{results:?}");
    done("multi and multiRead");
    Ok(())
}

/// Access lists and identities.
async fn access(one: &Client, two: &Client, top: &str) -> Result<()> {
    let path = format!("{top}/mine");
    one.auth("digest", b"user1:12345").await?;
    let users = one.list_auth_users().await?;
    ensure!(users.contains(&AuthUser::new("digest", "user1")), "{users:?}");
    one.create(&path, b"m", &CreateMode::Persistent.with_acls(Acls::creator_all())).await?;
    let (acls, _) = one.get_acl(&path).await?;
    ensure!(
        acls == [Acl::new(Permission::ALL, AuthId::new("digest", "user1:+owfoSBn/am19roBPzR1/MfCblE="))],
        "{acls:?}"
    );
    two.sync(&path).await?;
    refused(two.get_data(&path).await, Error::NoAuth)?;
    let stat = one.set_acl(&path, &[Acl::new(Permission::ALL, AuthId::anyone())], Some(0)).await?;
    ensure!(stat.aversion == 1);
    two.sync(&path).await?;
    ensure!(two.get_data(&path).await?.0 == b"m");
    done("access lists");
    Ok(())
}
