//! What do small whole programs made of tasks and channels cost: a wide tree and a long pipeline?

use crate::measure::*;
use std::time::Instant;
use tokio::sync::mpsc;

pub const WORKLOADS: &[Workload] =
    &[workload!("skynet_1m", "ms", skynet), workload!("sieve_500", "ms", sieve)];

/// A node of the tree sends up the sum of its leaves' numbers; it has ten children unless it is a leaf. There is room
/// for all of them in the channel, since Tokio has none of capacity 0 and is quicker with more than with 1.
fn skynet_node(up: mpsc::Sender<i64>, first: i64, leaves: i64) -> impl Future<Output = ()> + Send {
    async move {
        if leaves == 1 {
            up.send(first).await.expect("nobody takes the sum");
            return;
        }
        let (sender, mut sums) = mpsc::channel(10);
        for k in 0..10 {
            tokio::spawn(skynet_node(sender.clone(), first + k * (leaves / 10), leaves / 10));
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += sums.recv().await.expect("closed");
        }
        up.send(sum).await.expect("nobody takes the sum");
    }
}

async fn skynet(r: RunState) -> RunState {
    let leaves = r.count(1_000_000, 100);
    let mut times = Vec::new();
    for round in -1..r.count(3, 1) {
        let start = Instant::now();
        let (root, mut sums) = mpsc::channel(1);
        tokio::spawn(skynet_node(root, 0, leaves));
        let sum = sums.recv().await.expect("closed");
        let took = start.elapsed();
        require!(sum == leaves * (leaves - 1) / 2, "sum of the leaves is {sum}");
        if round >= 0 {
            times.push(took.as_nanos() as f64 / 1e6);
        }
    }
    r.report(median(times))
}

/// One task per prime, each dropping its multiples. The numbers end at the last prime wanted, so that the whole chain
/// comes to an end and can be run again.
async fn sieve_once(last: i64) -> (i64, i64) {
    let (source, mut numbers) = mpsc::channel(1);
    tokio::spawn(async move {
        for i in 2..=last {
            source.send(i).await.expect("nobody takes the number");
        }
    });
    let (mut count, mut largest) = (0, 0);
    while let Some(prime) = numbers.recv().await {
        count += 1;
        largest = prime;
        let (out, next) = mpsc::channel(1);
        let mut input = std::mem::replace(&mut numbers, next);
        tokio::spawn(async move {
            while let Some(v) = input.recv().await {
                if v % prime != 0 {
                    out.send(v).await.expect("nobody takes the number");
                }
            }
        });
    }
    (count, largest)
}

async fn sieve(r: RunState) -> RunState {
    let (primes, last) = (r.count(500, 10), r.count(3571, 29));
    let ns = median_ns!(r, 3, {
        let (count, largest) = sieve_once(last).await;
        require!(count == primes && largest == last, "{count} primes up to {largest}");
    });
    r.report(ns / 1e6)
}
