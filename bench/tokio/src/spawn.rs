//! What does a task cost from spawn to gone?

use crate::measure::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Instant;
use tokio::task::JoinHandle;

pub const WORKLOADS: &[Workload] = &[
    workload!("spawn_batch", "ns/op", spawn_batch),
    workload!("spawn_batch_cold", "ns/op", spawn_batch_cold),
    workload!("spawn_join_one", "ns/op", spawn_join_one),
    workload!("spawn_parallel", "ns/op each", spawn_parallel),
];

pub async fn join_all(crowd: Vec<JoinHandle<()>>) {
    for one in crowd {
        one.await.expect("a task failed");
    }
}

async fn spawn_all_timed(n: i64) -> f64 {
    clear_slots(n);
    let start = Instant::now();
    join_all((0..n).map(|i| tokio::spawn(async move { mark_slot(i) })).collect()).await;
    let took = start.elapsed();
    require_slots(n);
    took.as_nanos() as f64 / n as f64
}

async fn spawn_batch(r: RunState) -> RunState {
    let n = r.count(SLOTS, 1000);
    for _ in 0..r.count(2, 1) {
        spawn_all_timed(n).await;
    }
    let mut times = Vec::new();
    for _ in 0..r.count(7, 1) {
        times.push(spawn_all_timed(n).await);
    }
    r.report(median(times))
}

async fn spawn_batch_cold(r: RunState) -> RunState {
    let took = spawn_all_timed(r.count(SLOTS, 1000)).await;
    r.report(took)
}

async fn spawn_join_one(r: RunState) -> RunState {
    let n = r.count(50_000, 100);
    let ns = median_ns!(r, 7, {
        let mut sum = 0;
        for i in 0..n {
            sum += tokio::spawn(async move { i }).await.expect("a task failed");
        }
        require!(sum == n * (n - 1) / 2, "sum of the results is {sum}");
    });
    r.report(ns / n as f64)
}

/// One spawner per proc, each with its own crowd.
async fn spawn_parallel(r: RunState) -> RunState {
    let each = r.count(50_000, 500);
    let mut times = Vec::new();
    for round in -r.count(2, 1)..r.count(7, 1) {
        let marks: Vec<Arc<Vec<AtomicU8>>> =
            (0..r.procs).map(|_| Arc::new((0..each).map(|_| AtomicU8::new(0)).collect())).collect();
        let start = Instant::now();
        let spawners = marks.iter().map(|mine| {
            let mine = mine.clone();
            tokio::spawn(async move {
                let mark = |i: usize| {
                    let mine = mine.clone();
                    tokio::spawn(async move { add_mark(&mine[i]) })
                };
                join_all((0..mine.len()).map(mark).collect()).await;
            })
        });
        join_all(spawners.collect()).await;
        let took = start.elapsed();
        for mine in &marks {
            require!(mine.iter().all(|mark| mark.load(Relaxed) == 1), "a task did not run before the wait returned");
        }
        if round >= 0 {
            times.push(took.as_nanos() as f64);
        }
    }
    r.report(median(times) / each as f64)
}
