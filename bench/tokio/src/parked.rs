//! What does a task that waits cost in memory, its share of the page tables included? It has no stack of its own: what
//! it keeps is the state that the compiler found it to need at its one waiting point.

use crate::measure::*;
use crate::spawn::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

pub const WORKLOADS: &[Workload] = &[workload!("parked_1m", "bytes each", parked)];

/// One "Name:  123 kB" line of this process's status.
fn status_kib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("no status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("no such line in the status")
}

async fn parked(r: RunState) -> RunState {
    let n = r.count(1_000_000, 1000);
    let (gate, seen) = watch::channel(());
    let started = Arc::new(AtomicI64::new(0));
    let woken = Arc::new(AtomicI64::new(0));
    let (rss, tables) = (status_kib("VmRSS"), status_kib("VmPTE"));
    let crowd = (0..n).map(|_| {
        let (mut seen, started, woken) = (seen.clone(), started.clone(), woken.clone());
        tokio::spawn(async move {
            started.fetch_add(1, SeqCst);
            if seen.changed().await.is_err() {
                woken.fetch_add(1, SeqCst);
            }
        })
    });
    let crowd: Vec<_> = crowd.collect();
    while started.load(SeqCst) < n {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(50)).await; // the last one still has to go from its count to the gate
    let (rss, tables) = (status_kib("VmRSS") - rss, status_kib("VmPTE") - tables);
    drop(gate);
    join_all(crowd).await;
    let woken = woken.load(SeqCst);
    require!(woken == n, "{woken} of {n} woke");
    let each = 1024.0 / n as f64;
    r.report((rss + tables) * each)
        .report_part("rss", rss * each, "bytes each")
        .report_part("page_tables", tables * each, "bytes each")
}
