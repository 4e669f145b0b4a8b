//! Many clients that ask for what is longest and do not read it: the memory of the daemon stays bounded, and it answers
//! others.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use rusqlite::Connection;
use socket2::{Domain, Socket, Type};

use crate::harness::{ACME, Configuration, Daemon, World, now};

/// As many as there may be connections.
const READERS: usize = 256;
const TENANTS: usize = 1000;
const TOKENS_PER_TENANT: usize = 5;
/// Lines of the history, a third of them about one token.
const TRANSITIONS: usize = 90_000;
/// The report of all tokens.
const REPORT: &str = "/report";
/// In MiB: less than half of what `MemoryMax` of the unit allows.
const MOST_MEMORY: u64 = 200;

/// A daemon with 5,000 tokens that all have an alert and an entry in the calendar, and with a long history.
fn large(world: &World) -> Daemon {
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
    let mut store = Connection::open(world.path("state.db")).unwrap();
    let changes = store.transaction().unwrap();
    for number in 0..TRANSITIONS {
        let at = chrono::DateTime::from_timestamp(now() - i64::try_from(TRANSITIONS - number).unwrap(), 0).unwrap();
        let at = at.format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let tenant = format!("tenant-{}", if number % 3 == 0 { 0 } else { number % TENANTS });
        let line = (&at, tenant, "Tickets - Create", "granted", "missing", "the user's right ticket.write is not set");
        changes
            .execute(
                "INSERT INTO transitions (at, since, tenant, token_name, kind, subject, before, after, evidence, shown_by)
                 VALUES (?1, ?1, ?2, 'token-0', 'permission', ?3, ?4, ?5, 'right', ?6)",
                line,
            )
            .unwrap();
    }
    changes.commit().unwrap();
    drop(store);
    Daemon::start(&configuration(world), &[])
}

fn configuration(world: &World) -> PathBuf {
    let path = world.configure(&Configuration::acme(""));
    let mut text =
        fs::read_to_string(path).unwrap().replace("\"2s\"\npermissions = \"4s\"", "\"30d\"\npermissions = \"30d\"");
    let expires = chrono::DateTime::from_timestamp(now() + 3 * 86_400, 0).unwrap().format("%Y-%m-%d");
    for tenant in 0..TENANTS {
        let base_url = world.base_url("acme");
        write!(text, "[[tenants]]\nname = \"tenant-{tenant}\"\nbase_url = \"{base_url}\"\n").unwrap();
        for token in 0..TOKENS_PER_TENANT {
            let lines = "token_file = \"acme-jumpcloud\"\nprofile = \"jumpcloud\"";
            write!(text, "[[tenants.tokens]]\nname = \"token-{token}\"\n{lines}\nexpires = {expires}\n").unwrap();
        }
    }
    world.write("config.toml", &text)
}

/// Asks for a path on a connection of its own until it is answered, and reads no more than the beginning of the answer.
fn begin(address: &str, path: &str) -> TcpStream {
    let address = address.trim_start_matches("http://");
    loop {
        // So little that the kernel does not take the answer in the place of the client.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&address.parse::<SocketAddr>().unwrap().into()).unwrap();
        let mut stream = TcpStream::from(socket);
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let mut start = [0; 12];
        // One that is shut out, or is refused because too many wait, comes again.
        let answered = stream.write_all(request.as_bytes()).and_then(|()| stream.read_exact(&mut start));
        if answered.is_ok() && start == *b"HTTP/1.1 200" {
            return stream;
        }
    }
}

/// The memory that the daemon has taken at most since the last call, in MiB.
fn peak(daemon: &Daemon) -> u64 {
    let folder = PathBuf::from(format!("/proc/{}", daemon.process()));
    let status = fs::read_to_string(folder.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    // Forgets the peak: proc_pid_clear_refs(5).
    fs::write(folder.join("clear_refs"), "5").unwrap();
    kilobytes / 1024
}

#[test]
fn those_who_do_not_read_what_they_ask_for_take_a_bounded_memory() {
    let world = World::new(ACME);
    let daemon = large(&world);
    println!("after the start: {} MiB", peak(&daemon));
    let mut too_much = Vec::new();
    for path in [
        "/",
        "/?page=7",
        "/tenants/tenant-0/tokens/token-0",
        "/calendar.ics",
        "/metrics",
        "/api/v1/tokens",
        "/api/v1/alerts",
        "/api/v1/transitions?limit=1000",
        "/api/v1/transitions?limit=1000&tenant=tenant-0",
        "/api/v1/transitions?limit=1000&token_name=token-0",
        "/api/v1/users",
        "/report?tenant=tenant-0",
        "/report?output=csv&since=1d",
        REPORT,
    ] {
        // The history of every token is read for each.
        let count = if path == REPORT { READERS / 32 } else { READERS };
        let readers: Vec<_> = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..count).map(|_| scope.spawn(|| begin(&daemon.address, path))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap()).collect()
        });
        let peak = peak(&daemon);
        drop(readers);
        assert_eq!(daemon.get("/-/healthy").0, 200, "{path}");
        println!("{count} slow readers of {path}: {peak} MiB");
        if peak >= MOST_MEMORY {
            too_much.push((path, peak));
        }
    }
    assert_eq!(too_much, []);
}
