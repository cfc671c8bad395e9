//! Two servers on one PostgreSQL, killed one after the other, and the database twice: what clients
//! were told is what is stored, nothing is admitted twice, and nothing that was answered is lost.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at any surprise"
)]

#[path = "common/client.rs"]
mod client;
#[path = "common/desk.rs"]
mod desk;
#[path = "../../admit-store/tests/common/postgres.rs"]
#[expect(dead_code, reason = "these tests speak to the database directly")]
mod postgres;
#[expect(dead_code, reason = "no site here is on the data folder's own database")]
#[path = "common/site.rs"]
mod site;
#[path = "common/told.rs"]
mod told;

use std::fs;
use std::io;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};
use std::thread;

use client::{Answer, Client, new_scan_id};
use desk::Desk;
use postgres::Cluster;
use site::{Issued, Server, Site};
use told::{Told, ask_again, compare_with_books};

const CLIENTS: usize = 8;
const TICKETS: usize = 4000;
/// Servers that are killed and started again, one after the other.
const KILLS: usize = 16;
/// After which of these the database is crashed as well.
const CRASHES: [usize; 2] = [5, 11];

/// What there is to be asked.
struct World {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    ports: [Option<u16>; 2],
    database: bool,
    over: bool,
}

impl World {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// The server whose turn it is, or the other; none when the load is to end.
    fn server(&self, turn: usize) -> Option<u16> {
        let state = self.state.lock().unwrap();
        let nobody =
            |state: &mut State| !state.over && (!state.database || state.ports == [None, None]);
        let state = self.changed.wait_while(state, nobody).unwrap();
        if state.over {
            return None;
        }
        state.ports[turn % 2].or(state.ports[(turn + 1) % 2])
    }
}

/// Another server's folder: the same keys and the same database.
fn beside(site: &Site) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("data/keys");
    fs::create_dir_all(&keys).unwrap();
    for key in fs::read_dir(site.data().join("keys")).unwrap() {
        let key = key.unwrap();
        fs::copy(key.path(), keys.join(key.file_name())).unwrap();
    }
    Site { folder, database: site.database.clone() }
}

/// Presents each ticket until it is answered, to the servers in turn: a lost answer and a 503 are
/// repaired by asking the next one under the same scan id.
fn gate(world: &World, token: &str, tickets: &[Issued], told: &Sender<Told>) {
    let mut turn = 0;
    for ticket in tickets {
        let scan_id = new_scan_id();
        let answer = loop {
            turn += 1;
            let Some(port) = world.server(turn) else { return };
            let present = |mut client: Client| client.present(token, &ticket.code, &scan_id);
            match Client::connect(port).and_then(present) {
                Ok(Answer { status: 503, .. }) | Err(_) => {}
                Ok(answer) => break answer,
            }
        };
        // The test has heard enough when it no longer listens.
        let _ = told.send(Told { ticket: ticket.clone(), scan_id, answer });
    }
}

struct Pair<'a> {
    world: &'a World,
    sites: [&'a Site; 2],
    servers: [Option<Server>; 2],
}

impl Pair<'_> {
    fn start(&mut self, number: usize) {
        let server = self.sites[number].start(&[], &[]);
        let port = server.port;
        self.servers[number] = Some(server);
        self.world.change(|state| state.ports[number] = Some(port));
    }

    fn kill(&mut self, number: usize) {
        self.world.change(|state| state.ports[number] = None);
        self.servers[number] = None;
    }
}

/// Lets the servers answer, kills them in turn, and the database in between.
fn run_and_kill(pair: &mut Pair<'_>, cluster: &Cluster, told: &Receiver<Told>) -> Vec<Told> {
    let mut heard = Vec::new();
    for round in 0..KILLS {
        // Another number each time, so that the kill hits other moments of a batch.
        heard.extend(told.iter().take(40 + round * 37 % 100));
        pair.kill(round % 2);
        if CRASHES.contains(&round) {
            pair.world.change(|state| state.database = false);
            cluster.crash().unwrap();
            cluster.begin().unwrap();
            pair.world.change(|state| state.database = true);
        }
        pair.start(round % 2);
    }
    heard.extend(told.iter().take(CLIENTS * 10));
    heard
}

#[test]
fn nothing_is_lost_or_given_twice_between_two_servers() {
    let cluster = Cluster::start().unwrap();
    let database = cluster.create_database().unwrap();
    let one = Site::on(Some(cluster.address(&database)));
    let two = beside(&one);
    let kind = one.add_type(u32::try_from(TICKETS).unwrap());
    let tickets = one.issue(&kind, TICKETS);
    let state = State { ports: [None, None], database: true, over: false };
    let world = World { state: Mutex::new(state), changed: Condvar::new() };
    let mut pair = Pair { world: &world, sites: [&one, &two], servers: [None, None] };
    pair.start(0);
    pair.start(1);
    let token = one.pair(pair.servers[0].as_ref().unwrap().port);
    let (tell, told) = channel();
    // Two clients each fight over the same tickets.
    let share = TICKETS / (CLIENTS / 2);
    let told: Vec<Told> = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (world, token, tell) = (&world, &token, tell.clone());
            let mine = &tickets[client / 2 * share..][..share];
            scope.spawn(move || gate(world, token, mine, &tell));
        }
        drop(tell);
        let mut heard = run_and_kill(&mut pair, &cluster, &told);
        world.change(|state| state.over = true);
        heard.extend(told.iter());
        heard
    });
    drop(pair);
    compare_with_books(&one, &told);
    ask_again(&two, &token, &told);
    let admitted = told.iter().filter(|told| told.answer.status == 200).count();
    assert!(admitted > KILLS, "the load was too small to show anything");
    verify_log(&one);
}

/// The log that both wrote is one log, in which no ticket was admitted twice.
fn verify_log(site: &Site) {
    let folder = site.data().join("log");
    let said = site.admit(&["log", "export", folder.to_str().unwrap(), "--event", "sample"]);
    let key = said.split('\'').nth(1).unwrap();
    let said = verify(&["log", "verify", folder.to_str().unwrap(), "--key", key]);
    assert!(said.contains("admissions stand, 0 taken back"), "{said}");
}

fn verify(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_admit")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_desk_sees_what_another_server_admits_also_across_a_lost_connection() {
    let cluster = Cluster::start().unwrap();
    let database = cluster.create_database().unwrap();
    let one = Site::on(Some(cluster.address(&database)));
    let two = beside(&one);
    let tickets = one.issue("1", 4);
    let key = one.admit(&["api-key", "create", "--name", "desk"]);
    let (near, far) = (one.start(&[], &[]), two.start(&[], &[]));
    let token = one.pair(far.port);
    let mut gate = Client::connect(far.port).unwrap();
    let mut admit = |ticket: &Issued| loop {
        match gate.present(&token, &ticket.code, &new_scan_id()).unwrap().status {
            200 => break,
            503 => {}
            other => panic!("{other}"),
        }
    };
    let mut desk = Desk::watch(near.port, key.trim(), None).unwrap();
    admit(&tickets[0]);
    desk.until(&tickets[0].number).unwrap();
    admit(&tickets[1]);
    desk.until(&tickets[1].number).unwrap();
    let seen = desk.position.clone();
    cluster.crash().unwrap();
    cluster.begin().unwrap();
    admit(&tickets[2]);
    admit(&tickets[3]);
    // As a browser does: on the same connection, or from where it was when that ended.
    let watch = |desk: &mut Desk| -> io::Result<()> {
        loop {
            if desk.until(&tickets[3].number).is_ok() {
                return Ok(());
            }
            *desk = Desk::watch(near.port, key.trim(), Some(&desk.position))?;
        }
    };
    watch(&mut desk).unwrap();
    assert_eq!(desk.numbers.iter().filter(|number| **number == tickets[2].number).count(), 1);
    // Resuming from before the crash gives both, once each and in order.
    let mut again = Desk::watch(near.port, key.trim(), Some(&seen)).unwrap();
    again.until(&tickets[3].number).unwrap();
    assert_eq!(again.numbers, [tickets[2].number.clone(), tickets[3].number.clone()]);
}
