//! What does a channel operation cost: through a buffer of one, one nobody waits for, a pipe?

use crate::measure::*;
use tokio::sync::mpsc;

pub const WORKLOADS: &[Workload] = &[
    workload!("pingpong_buffered1", "ns/round trip", pingpong_buffered1),
    workload!("pingpong_pairs", "ns/round trip each", pingpong_pairs),
    workload!("chan_uncontended", "ns/op", chan_uncontended),
    workload!("chan_prodcons128", "ns/item", chan_prodcons),
];

/// n round trips; the sum of the answers.
async fn play(n: i64) -> i64 {
    let (ping, mut pings) = mpsc::channel(1);
    let (pong, mut pongs) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(v) = pings.recv().await {
            pong.send(v + 1).await.expect("nobody takes the answer");
        }
    });
    let mut sum = 0;
    for i in 0..n {
        ping.send(i).await.expect("nobody takes the question");
        sum += pongs.recv().await.unwrap_or(0);
    }
    drop(ping);
    if pongs.recv().await.is_none() { sum } else { -1 }
}

async fn pingpong_buffered1(r: RunState) -> RunState {
    let n = r.count(100_000, 100);
    let ns = median_ns!(r, 7, {
        let sum = play(n).await;
        require!(sum == n * (n + 1) / 2, "sum of the answers is {sum}");
    });
    r.report(ns / n as f64)
}

/// One pair per proc, each on channels of its own.
async fn pingpong_pairs(r: RunState) -> RunState {
    let n = r.count(100_000, 100);
    let ns = median_ns!(r, 7, {
        let pairs: Vec<_> = (0..r.procs).map(|_| tokio::spawn(play(n))).collect();
        for pair in pairs {
            let sum = pair.await.expect("a pair failed");
            require!(sum == n * (n + 1) / 2, "sum of a pair's answers is {sum}");
        }
    });
    r.report(ns / n as f64)
}

async fn chan_uncontended(r: RunState) -> RunState {
    const CAPACITY: i64 = 100;
    let n = r.count(5000, 10);
    let (sender, mut receiver) = mpsc::channel(CAPACITY as usize);
    let ns = median_ns!(r, 7, {
        let mut sum = 0;
        for _ in 0..n {
            for k in 0..CAPACITY {
                sender.send(k).await.expect("closed");
            }
            for _ in 0..CAPACITY {
                sum += receiver.recv().await.expect("closed");
            }
        }
        require!(sum == n * (CAPACITY * (CAPACITY - 1) / 2) && receiver.is_empty(), "sum of the values is {sum}");
    });
    r.report(ns / (2 * CAPACITY * n) as f64)
}

async fn chan_prodcons(r: RunState) -> RunState {
    let n = r.count(500_000, 1000);
    let ns = median_ns!(r, 7, {
        let (sender, mut receiver) = mpsc::channel(128);
        tokio::spawn(async move {
            for i in 0..n {
                sender.send(i).await.expect("nobody takes the item");
            }
        });
        let mut expected = 0;
        while let Some(v) = receiver.recv().await {
            require!(v == expected, "got {v} in place of {expected}");
            expected += 1;
        }
        require!(expected == n, "{expected} items arrived");
    });
    r.report(ns / n as f64)
}
