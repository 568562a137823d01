//! What does giving way cost, with nobody else to run and with one other?

use crate::measure::*;
use tokio::task::yield_now;

pub const WORKLOADS: &[Workload] = &[
    workload!("gosched_alone", "ns/yield", gosched_alone),
    workload!("gosched_pair", "ns/yield", gosched_pair),
];

async fn gosched_alone(r: RunState) -> RunState {
    let n = r.count(400_000, 100);
    let ns = median_ns!(r, 7, {
        for _ in 0..n {
            yield_now().await;
        }
    });
    r.report(ns / n as f64)
}

async fn gosched_pair(r: RunState) -> RunState {
    let each = r.count(200_000, 100);
    let ns = median_ns!(r, 7, {
        let work = || {
            tokio::spawn(async move {
                let mut yields = 0;
                for _ in 0..each {
                    yield_now().await;
                    yields = std::hint::black_box(yields + 1);
                }
                yields
            })
        };
        let (one, other) = (work(), work());
        let (one, other) = (one.await.expect("a task failed"), other.await.expect("a task failed"));
        require!(one == each && other == each, "yields: {one} and {other}");
    });
    r.report(ns / (2 * each) as f64)
}
