//! From which address a tenant is asked, while lines fail and work again.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use prometheus::Registry;
use tokio::time::sleep;

use super::*;
use crate::syncro::{Lost, Received, Transport};
use crate::testing::token;

/// The way from one address to Syncro.
#[derive(Debug, Default)]
struct Line {
    is_dead: AtomicBool,
    sent: AtomicUsize,
}

impl Line {
    fn sent(&self) -> usize {
        self.sent.swap(0, Ordering::Relaxed)
    }
}

impl Transport for Line {
    fn send<'a>(&'a self, _: Outgoing<'a>) -> BoxFuture<'a, Result<Received, Lost>> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            if self.is_dead.load(Ordering::Relaxed) {
                sleep(Duration::from_secs(2)).await;
                return Err((None, Failure::new(Reason::Timeout, "no answer in time")));
            }
            let answer = Answer::new(200, "application/json", b"{}".to_vec());
            Ok(Received { answer, retry_after: None, date: None })
        })
    }
}

/// A client with an address each for some lines, the lines in the order in which the tenant is asked by them, and the tenant.
struct World {
    client: Client,
    lines: Vec<Arc<Line>>,
    tenant: Arc<Tenant>,
}

impl World {
    fn new(addresses: usize) -> Self {
        let (tenant, mut sources, mut lines) = (token("t", &[]).tenant, Vec::new(), Vec::new());
        for number in 0..addresses {
            let address: IpAddr = [203, 0, 113, u8::try_from(number).unwrap()].into();
            let budget = Budget::new(NonZeroU32::new(60_000).unwrap());
            sources.push((SourceAddress::new(Some(address), budget), address.to_string()));
            lines.push(Arc::<Line>::default());
        }
        let route = |((source, _), line): (&(Arc<SourceAddress>, String), &Arc<Line>)| Route {
            source: Arc::clone(source),
            transport: Arc::<Line>::clone(line),
        };
        let routes = sources.iter().zip(&lines).map(route).collect();
        let instruments = Instruments::new(&Registry::new()).unwrap();
        let client = Client::over(routes, Arc::new(RealValues), instruments);
        let order = crate::model::ranked(sources.iter().map(|(_, name)| name), &tenant.name);
        let lines = order.into_iter().map(|place| Arc::clone(&lines[place])).collect();
        Self { client, lines, tenant }
    }

    /// Asks once, and returns the status, if one came, and how many requests were sent by each line.
    async fn ask(&self, request: Request) -> (Option<u16>, Vec<usize>) {
        let value = TokenValue::for_test("value");
        let (asked, _) = self.client.ask(&self.tenant, &value, request, CheckLane::Validity).await;
        (asked.and_then(|asked| asked.status), self.lines.iter().map(|line| line.sent()).collect())
    }

    fn fails(&self, line: usize, is_dead: bool) {
        self.lines[line].is_dead.store(is_dead, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_moves_after_a_while_and_moves_back_with_the_first_answer() {
    let world = World::new(3);
    assert_eq!(world.ask(Request::Me).await, (Some(200), vec![1, 0, 0]));
    world.fails(0, true);
    assert_eq!(world.ask(Request::Me).await, (None, vec![1, 0, 0]), "it was answered there a moment ago");
    sleep(Duration::from_secs(10)).await;
    for _ in 0..3 {
        assert_eq!(world.ask(Request::Me).await, (Some(200), vec![1, 1, 0]), "no check is lost meanwhile");
        sleep(Duration::from_secs(28)).await;
    }
    assert_eq!(world.client.failing().len(), 1);
    assert_eq!(world.ask(Request::Me).await, (Some(200), vec![0, 1, 0]), "it has moved");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(world.ask(Request::Me).await, (Some(200), vec![1, 1, 0]), "the address is tried once");
    assert_eq!(world.ask(Request::Me).await, (Some(200), vec![0, 1, 0]));
    world.fails(1, true);
    assert_eq!(world.ask(Request::Me).await.1, [0, 1, 0], "the next was answered a moment ago");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.ask(Request::Me).await, (Some(200), vec![0, 1, 1]), "the last stands in");
    world.fails(0, false);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(world.ask(Request::Me).await, (Some(200), vec![1, 0, 0]));
    assert_eq!(world.client.failing(), []);
    assert_eq!(world.ask(Request::Me).await, (Some(200), vec![1, 0, 0]), "it is back");
}

#[tokio::test(start_paused = true)]
async fn where_syncro_itself_fails_nothing_moves_and_little_is_asked_twice() {
    let world = World::new(2);
    world.fails(0, true);
    world.fails(1, true);
    let mut twice = 0;
    for _ in 0..90 {
        let (status, sent) = world.ask(Request::Me).await;
        assert!(status.is_none() && sent[0] == 1, "{status:?} {sent:?}");
        twice += sent[1];
    }
    assert!((6..=8).contains(&twice), "three minutes, once in half a minute: {twice}");
    assert_eq!(world.client.failing(), []);
}

#[tokio::test(start_paused = true)]
async fn what_may_change_something_is_sent_once() {
    let world = World::new(2);
    world.fails(0, true);
    let write = crate::catalog::catalog().permissions().find_map(|(_, permission)| permission.write_probe.as_ref());
    assert_eq!(world.ask(Request::Probe(write.expect("a write"))).await, (None, vec![1, 0]));
}

#[tokio::test(start_paused = true)]
async fn with_one_address_nothing_is_asked_twice() {
    let world = World::new(1);
    world.fails(0, true);
    assert_eq!(world.ask(Request::Me).await, (None, vec![1]));
}
