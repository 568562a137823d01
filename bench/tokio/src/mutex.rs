//! What does a lock cost, free and fought over?

use crate::measure::*;
use crate::spawn::join_all;
use std::hint::black_box;
use std::sync::Arc;
use tokio::sync::Mutex;

pub const WORKLOADS: &[Workload] = &[
    workload!("mutex_uncontended", "ns/op", mutex_uncontended),
    workload!("mutex_contended8", "ns/op", mutex_contended),
];

async fn increment(counter: &Mutex<i64>) {
    let mut held = counter.lock().await;
    *held = black_box(*held + 1);
}

async fn mutex_uncontended(r: RunState) -> RunState {
    let n = r.count(2_000_000, 100);
    let counter = Mutex::new(0);
    let ns = median_ns!(r, 7, {
        let before = *counter.lock().await;
        for _ in 0..n {
            increment(&counter).await;
        }
        let counted = *counter.lock().await - before;
        require!(counted == n, "counted {counted}");
    });
    r.report(ns / n as f64)
}

async fn mutex_contended(r: RunState) -> RunState {
    const CROWD: i64 = 8;
    let each = r.count(50_000, 100);
    let counter = Arc::new(Mutex::new(0));
    let ns = median_ns!(r, 7, {
        let before = *counter.lock().await;
        let crowd = (0..CROWD).map(|_| {
            let counter = counter.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    increment(&counter).await;
                }
            })
        });
        join_all(crowd.collect()).await;
        let counted = *counter.lock().await - before;
        require!(counted == CROWD * each, "counted {counted}");
    });
    r.report(ns / (CROWD * each) as f64)
}
