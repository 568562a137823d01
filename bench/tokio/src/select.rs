//! What does a select cost, when it need not wait and when it must?

use crate::measure::*;
use tokio::sync::mpsc;

pub const WORKLOADS: &[Workload] = &[
    workload!("select2_ready", "ns/op", select2_ready),
    workload!("select_default", "ns/op", select_default),
    workload!("select_blocking", "ns/round trip", select_blocking),
];

/// One of two channels is ready; the case that runs makes the other one ready. An op is the select and that send.
async fn select2_ready(r: RunState) -> RunState {
    let n = r.count(200_000, 100);
    let (to_a, mut a) = mpsc::channel::<i64>(1);
    let (to_b, mut b) = mpsc::channel::<i64>(1);
    let ns = median_ns!(r, 7, {
        to_a.send(0).await.expect("closed");
        let (mut from_a, mut from_b) = (0, 0);
        for _ in 0..n {
            tokio::select! {
                Some(v) = a.recv() => {
                    from_a += 1;
                    to_b.send(v + 1).await.expect("closed");
                }
                Some(v) = b.recv() => {
                    from_b += 1;
                    to_a.send(v + 1).await.expect("closed");
                }
            }
        }
        let last = tokio::select! {
            Some(v) = a.recv() => v,
            Some(v) = b.recv() => v,
        };
        require!(
            last == n && from_a + from_b == n && from_a - from_b <= 1 && from_a >= from_b,
            "{last} hops, {from_a} + {from_b}"
        );
    });
    r.report(ns / n as f64)
}

/// A receive from an empty channel and a send to a full one; with nothing else to wait for, an attempt is how Rust
/// writes a select with a default. An op is one attempt.
async fn select_default(r: RunState) -> RunState {
    let n = r.count(1_000_000, 100);
    let (_to_empty, mut empty) = mpsc::channel::<i64>(1);
    let (full, mut of_full) = mpsc::channel(1);
    full.send(7).await.expect("closed");
    let ns = median_ns!(r, 7, {
        let mut defaults = 0;
        for i in 0..n {
            defaults += i64::from(empty.try_recv().is_err());
            defaults += i64::from(full.try_send(i).is_err());
        }
        require!(defaults == 2 * n, "{defaults} defaults");
    });
    require!(empty.is_empty() && of_full.recv().await == Some(7), "a channel changed");
    r.report(ns / (2 * n) as f64)
}

/// Two tasks answer each other over two channels in turn; each waits for both, and the value is never there yet. An op
/// is a round trip: two selects that park, two sends that wake one.
async fn select_blocking(r: RunState) -> RunState {
    let n = r.count(100_000, 100);
    let ns = median_ns!(r, 7, {
        let ((ping0, mut a), (ping1, mut b)) = (mpsc::channel(1), mpsc::channel(1));
        let ((x, mut pong0), (y, mut pong1)) = (mpsc::channel(1), mpsc::channel(1));
        tokio::spawn(async move {
            for _ in 0..n {
                tokio::select! {
                    Some(v) = a.recv() => x.send(v + 1).await.expect("closed"),
                    Some(v) = b.recv() => y.send(v + 1).await.expect("closed"),
                }
            }
        });
        let (mut sum, mut strays) = (0, 0);
        for i in 0..n {
            (if i % 2 == 0 { &ping0 } else { &ping1 }).send(i).await.expect("closed");
            let (from, v): (i64, i64) = tokio::select! {
                Some(v) = pong0.recv() => (0, v),
                Some(v) = pong1.recv() => (1, v),
            };
            strays += i64::from(from != i % 2);
            sum += v;
        }
        require!(sum == n * (n + 1) / 2 && strays == 0, "sum of the answers is {sum}, {strays} strays");
    });
    r.report(ns / n as f64)
}
